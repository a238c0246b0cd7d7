"""A fit at fixed geometries as a quadratic form: made once, it says cost and derivatives at any parameters.

At the reference geometry Hessians, gradients and energies are linear in monomials φ of the parameters, so that
the residuals are r(start) + A (φ - φ(start)). AᵀA and Aᵀr(start) are all that a fit needs of the molecules.

The products of what terms Σ h w wᵀ contribute to Vᵀ H V, of which a molecule has as many pairs of modes as it has
vectors, are squares of single numbers: Σ_ab (Vᵀw wᵀV)_ab (Vᵀu uᵀV)_ab = (wᵀ V Vᵀ u)².
"""

from collections.abc import Sequence
from dataclasses import dataclass

import equinox as eqx
import jax
import numpy as np
from jaxtyping import Array, Bool, Float, Int
from scipy import sparse

from forgefield.compiled import compiled_quickly
from forgefield.fitting.cost.cost import Problem, Quadratic, with_prior
from forgefield.fitting.cost.molecule_form import MoleculeForm, MonomialSensitivities, Rows, by_molecule
from forgefield.fitting.cost.monomials import Listed, Monomial, Monomials, gathered, is_polynomial, listed
from forgefield.fitting.data.chunks import without_interactions
from forgefield.fitting.data.observation import observed_expanded
from forgefield.fitting.data.training_set import FloatArray, TrainingSet
from forgefield.fitting.targets.target import (
    AbstractStreamedTarget,
    AbstractTarget,
    Seen,
    View,
    at_reference,
    centred,
    comparable,
    resized,
)
from forgefield.models.expansions import Expansion, expansions, profiles
from forgefield.models.forcefield import ForceField
from forgefield.models.model import Selection
from forgefield.molecules.topology import Interactions


class Gram(eqx.Module):
    """cost(φ) = cost(φ₀) + slope·(φ - φ₀) + ½ (φ - φ₀)ᵀ matrix (φ - φ₀), without the prior."""

    monomials: Monomials
    origin: Float[FloatArray, " monomials"]
    cost: Float[FloatArray, ""]
    slope: Float[FloatArray, " monomials"]
    matrix: Float[FloatArray, "monomials monomials"]
    column: Int[Array | np.ndarray, "monomials factors"]
    """Which of the values that change each factor is in; their number where in none."""

    def quadratic(self, problem: Problem, scaled: Float[FloatArray, " free"]) -> Quadratic:
        """Return the cost with its gradient and Gauss-Newton matrix at scaled variables (q - q₀)/width."""
        scaled = np.asarray(scaled)
        values = _values(problem, scaled)
        slopes, moved = self.monomials.slopes(values), self.monomials.values(values) - self.origin
        product = self.matrix @ moved
        # Of the monomials by the free variables in units of their widths.
        leader, factor = self._followed(problem)
        monomial = np.broadcast_to(np.arange(len(slopes))[:, None], slopes.shape)
        places = leader.ravel(), monomial.ravel()
        by_free = sparse.csr_array(((factor * slopes).ravel(), places), shape=(len(scaled), len(slopes)))
        measured = Quadratic(
            np.asarray(self.cost + self.slope @ moved + 0.5 * moved @ product),
            by_free @ (self.slope + product),
            by_free @ np.ascontiguousarray((by_free @ self.matrix).T),
        )
        return with_prior(measured, problem.prior.strength, scaled)

    def costs(self, problem: Problem, at: Float[np.ndarray, "points free"]) -> Float[np.ndarray, " points"]:
        """Return the cost alone at several points."""
        return self._measured(problem, at, _values(problem, at))[0]

    def costs_and_gradients(
        self, problem: Problem, at: Float[np.ndarray, "points free"]
    ) -> tuple[Float[np.ndarray, " points"], Float[np.ndarray, "points free"]]:
        """Return the cost at several points with its gradient."""
        values = _values(problem, at)
        cost, slope = self._measured(problem, at, values)
        leader, factor = self._followed(problem)
        places = leader.ravel(), np.arange(leader.size)
        by_free = sparse.csr_array((factor.ravel(), places), shape=(at.shape[1], leader.size))
        along = (self.monomials.slopes(values) * slope[:, :, None]).reshape(len(at), -1)
        return cost, (by_free @ along.T).T + problem.prior.strength / at.shape[1] * at

    def _measured(
        self,
        problem: Problem,
        at: Float[np.ndarray, "points free"],
        values: Float[np.ndarray, "points parameters"],
    ) -> tuple[Float[np.ndarray, " points"], Float[np.ndarray, "points monomials"]]:
        """Return the cost at several points, and the slopes of what is measured by the monomials."""
        moved = self.monomials.values(values) - self.origin
        product = moved @ self.matrix
        prior = 0.5 * problem.prior.strength * np.mean(at**2, axis=1)
        cost = self.cost + moved @ self.slope + 0.5 * np.sum(moved * product, axis=1) + prior
        return np.asarray(cost), np.asarray(self.slope + product)

    def _followed(
        self, problem: Problem
    ) -> tuple[Int[np.ndarray, "monomials factors"], Float[np.ndarray, "monomials factors"]]:
        """Return the free variable that each factor of the monomials follows, and how much for its prior width."""
        variables, width = problem.variables, np.asarray(problem.prior.width)
        # One column more for what does not change.
        leader = np.append(variables.leader, 0)[self.column]
        return leader, np.append(variables.factor, 0.0)[self.column] * width[leader]


def _values(problem: Problem, scaled: Float[np.ndarray, "*points free"]) -> Float[np.ndarray, "*points parameters"]:
    """Return the values of the model at scaled variables."""
    prior, variables = problem.prior, problem.variables
    free = np.asarray(prior.centre) + np.asarray(prior.width) * scaled
    values = np.broadcast_to(np.asarray(problem.model.values), (*scaled.shape[:-1], len(problem.model.values))).copy()
    values[..., variables.places] = variables.factor * free[..., variables.leader] + variables.offset
    return values


def gram(problem: Problem) -> Gram | None:
    """Return the quadratic form of what a problem asks at the reference geometries; None where `obstacle` says why."""
    total = _sum(problem)
    return None if total is None else total.form(range(len(problem.targets)))


def grams(problem: Problem) -> tuple[Gram | None, ...] | None:
    """Return the quadratic form of each target alone, None for those at relaxed structures; None as `gram` does."""
    total = _sum(problem)
    if total is None:
        return None
    fixed = [target.traits.view is View.REFERENCE for target in problem.targets]
    return tuple(total.form((k,)) if known else None for k, known in enumerate(fixed))


def obstacle(problem: Problem) -> str | None:
    """Say in words why the cost at the reference geometries is no quadratic form in monomials; None where it is one.

    It is one where all targets are linear in Hessian, gradient and energy (frequencies are not), and the energy is
    a polynomial in what changes (van der Waals radii and charges are not).
    """
    bent = [target.name for target, _ in problem.looking(View.REFERENCE) if not target.traits.is_linear]
    if bent:
        return f"not linear in energy, gradient and Hessian: {', '.join(bent)}"
    if problem.chunks.selection.charges is not None and _moves_charges(problem):
        return "charges change"
    groups = problem.chunks.data.topology.interactions
    changes = changing(problem)
    for term, group, active in zip(problem.model.terms, groups, problem.chunks.selection.groups, strict=True):
        rows = distinct_rows(group)
        if active and not is_polynomial(term, changes[np.minimum(rows, len(changes) - 1)]):
            return f"the energy is no polynomial in what changes of the {term.name}"
    return None


def _moves_charges(problem: Problem) -> bool:
    """Say whether charges depend on the free variables: moments may follow lengths so that they do not."""
    rule = problem.chunks.data.topology.charges
    assert rule is not None
    centre, width = np.asarray(problem.prior.centre), np.asarray(problem.prior.width)
    # Each by another share of its width, which leaves no ratio as it is by chance.
    ends = centre, centre + width * np.linspace(0.1, 0.2, len(width))
    values = [problem.variables.values(np.asarray(problem.model.values), end) for end in ends]
    before, after = (known[np.asarray(rule.moment)] / known[np.asarray(rule.length)] for known in values)
    return not np.allclose(before, after, rtol=0.0, atol=1e-12)


def changing(problem: Problem) -> Bool[np.ndarray, " parameters"]:
    """Return which values of the model change, and one more for padding that does not."""
    return np.isin(np.arange(len(problem.model.values) + 1), np.asarray(problem.variables.places))


def _sum(problem: Problem) -> "_Sum | None":
    """Return the quadratic forms of all targets, None where the problem is none."""
    if obstacle(problem) is not None:
        return None
    monomials, of_row = _listed(problem)
    total = _Sum(problem, monomials)
    for c in range(problem.chunks.molecule.shape[0]):
        # Slices of NumPy arrays: each of one of JAX's would be a program.
        chunk = problem.chunks.data, problem.chunks.selection
        data, selection = jax.tree.map(lambda leaf, c=c: np.asarray(leaf)[c], chunk)
        total.add_chunk(c, data, selection, of_row)
    total.add_relative()
    return total


def centre_of(problem: Problem) -> Float[np.ndarray, " parameters"]:
    """Return the values of the model where the prior has its centre."""
    return problem.variables.values(np.asarray(problem.model.values), np.asarray(problem.prior.centre))


def _listed(problem: Problem) -> Listed:
    """Return all monomials, and for each group those of each row of parameters."""
    groups = zip(problem.chunks.data.topology.interactions, problem.chunks.selection.groups, strict=True)
    rows = [distinct_rows(group) if active else np.zeros((0, 1), dtype=np.int64) for group, active in groups]
    return listed(problem.model.terms, rows, centre_of(problem), changing(problem))


def distinct_rows(group: Interactions) -> Int[np.ndarray, "rows parameters"]:
    """Return the rows of parameters that interactions have, each once."""
    parameters = np.asarray(group.parameters)
    return np.unique(parameters.reshape(-1, parameters.shape[-1]), axis=0)


def form_of(
    problem: Problem,
    monomials: list[Monomial],
    cost: Float[np.ndarray, ""],
    slope: Float[np.ndarray, " monomials"],
    matrix: Float[np.ndarray, "monomials monomials"],
) -> Gram:
    """Return the quadratic form of a cost of which this is known where the prior has its centre."""
    values, places = centre_of(problem), np.asarray(problem.variables.places)
    together = gathered(monomials)
    column = np.full(len(values) + 1, len(places))
    column[places] = np.arange(len(places))
    # A factor that is one, whatever its place, has the slope zero.
    return Gram(together, together.values(values), cost, slope, matrix, column[together.places])


class _Sum:
    """The quadratic forms of the targets of a problem while molecules are added to them."""

    def __init__(self, problem: Problem, listed: list[Monomial]) -> None:
        n, n_targets = len(listed), len(problem.targets)
        self.problem, self.listed = problem, listed
        self.model = ForceField(problem.model.terms, jax.device_put(centre_of(problem)))
        self.cost, self.slope, self.matrix = (np.zeros((n_targets, *(n,) * order)) for order in range(3))
        self.relative: dict[int, tuple[np.ndarray, ...]] = {}

    def add_chunk(self, c: int, data: TrainingSet, selection: Selection, of_row: list) -> None:
        """Add the molecules of a chunk."""
        problem = self.problem
        expanded = expansions(self.model.terms, self.model.values, data.topology, data.positions)
        seen = at_reference(observed_expanded(expanded, self.model, data), data)
        # All but the force field itself is on its rung.
        data = without_interactions(data)
        seen = resized(seen, data)
        looked = _looked(problem.targets, seen, data)
        numbers = np.asarray(problem.chunks.molecule)[c]
        inside = np.flatnonzero(numbers < len(problem.chunks.place)).tolist()
        molecules = by_molecule(self._rows(expanded, selection, of_row), inside, data)
        sensitivities = MonomialSensitivities(molecules, data.topology)
        for k, (target, count, told) in enumerate(zip(problem.targets, problem.counts, looked, strict=True)):
            if told is None:
                continue
            counted, of_all, of_pairs = jax.tree.map(np.asarray, told)
            scales = np.sqrt(counted * target.weight / float(count)) / target.tolerance
            slopes = np.zeros(0)
            if of_pairs is None:
                slopes = np.asarray(target.slopes(seen, sensitivities, data))
            for slot, one in zip(inside, molecules, strict=True):
                if of_pairs is not None:
                    residuals = of_all[slot] * scales[slot]
                    pairs = _Pairs.of(target, count, [one[slot] for one in of_pairs])
                    slope, matrix = _of_pairs(pairs, one, residuals)
                    self.cost[k] += 0.5 * float(residuals @ residuals)
                    self._add(k, one.own, slope, matrix)
                elif target.traits.is_relative:
                    own = slopes[slot, : len(one.own)]
                    self._keep(k, int(numbers[slot]), (of_all[slot], counted[slot]), one.own, own)
                else:
                    residuals, design = of_all[slot] * scales[slot], slopes[slot, : len(one.own)] * scales[slot]
                    self.cost[k] += 0.5 * float(residuals @ residuals)
                    self._add(k, one.own, design @ residuals, design @ design.T)

    def _add(self, k: int, own: Int[np.ndarray, " own"], slope: np.ndarray, matrix: np.ndarray) -> None:
        self.slope[k, own] += slope
        self.matrix[k][np.ix_(own, own)] += matrix

    def _keep(
        self, k: int, m: int, of_one: tuple[np.ndarray, np.ndarray], own: Int[np.ndarray, " own"], slopes: np.ndarray
    ) -> None:
        """Keep deviations of a molecule, what they count and their slopes until those of all others are known."""
        n, shape = len(self.problem.chunks.place), of_one[0].shape
        kept = self.relative.setdefault(
            k, (np.zeros((n, *shape)), np.zeros((n, *shape)), np.zeros((n, len(self.listed), *shape)))
        )
        kept[0][m], kept[1][m], kept[2][m, own] = *of_one, slopes

    def add_relative(self) -> None:
        """Add the targets that are relative to those of other molecules."""
        problem = self.problem
        group = problem.chunks.gathered(np.asarray(problem.chunks.data.group))
        for k, (deviations, counted, slopes) in self.relative.items():
            target = problem.targets[k]
            compared, residuals, rows = map(np.asarray, _relative(deviations, slopes, counted, group))
            scale = np.sqrt(compared * target.weight / float(problem.counts[k])) / target.tolerance
            residuals = (residuals * scale).reshape(-1)
            rows = rows * scale[:, None, :]
            design = np.moveaxis(rows, 1, 0).reshape(len(self.listed), -1)
            self.cost[k] += 0.5 * float(residuals @ residuals)
            self._add(k, np.arange(len(self.listed)), design @ residuals, design @ design.T)

    def form(self, targets: Sequence[int]) -> Gram:
        """Return the quadratic form of these targets together."""
        those = list(targets)
        known = np.asarray(self.cost[those].sum()), self.slope[those].sum(axis=0), self.matrix[those].sum(axis=0)
        return form_of(self.problem, self.listed, *known)

    def _rows(self, expanded: list[Expansion], selection: Selection, of_row: list) -> list[Rows]:
        """Return what each active term contributes to the molecules of a chunk."""
        found = []
        for one in expanded:
            known, none = of_row[one.number], np.zeros(0, dtype=int)
            lists = [known.get(tuple(row), none) for row in one.parameters.tolist()] if known else []
            if not any(map(len, lists)):
                continue
            monomial = np.concatenate(lists)
            interaction = np.repeat(np.arange(len(lists)), [len(mine) for mine in lists])
            parameters = np.array([self.listed[j].parameters for j in monomial])
            derivatives = profiles(one.term, one.q[interaction], parameters)
            members = np.asarray(selection.members[one.number])
            found.append(Rows(interaction, monomial, *derivatives, one.first, one.second, one.place, members))
        return found


@dataclass(frozen=True, eq=False)
class _Pairs:
    """Residuals S_a S_b (v_aᵀ H v_b), each pair once, with or without a = b."""

    basis: Float[np.ndarray, "coordinates vectors"]
    """The vectors v_a times S_a."""
    diagonal: float
    """1 if the pairs a = b count, else 0."""

    @classmethod
    def of(cls, target: AbstractTarget, count: FloatArray, told: Sequence[np.ndarray]) -> "_Pairs":
        """Return the pairs of a target in a molecule of such vectors, which count and are scaled by such roots."""
        vectors, counted, scale = told
        root = np.sqrt(counted) * scale * np.sqrt(np.sqrt(target.weight / float(count)) / target.tolerance)
        assert isinstance(target, AbstractStreamedTarget)
        return cls(vectors * root, float(target.pairs(1)[0, 0]))


def _of_pairs(
    pairs: _Pairs, one: MoleculeForm, residuals: Float[np.ndarray, " values"]
) -> tuple[Float[np.ndarray, " own"], Float[np.ndarray, "own own"]]:
    """Return Jᵀr and JᵀJ of the elements between pairs of vectors, by squares of products of vectors.

    A vector w has a few atoms' coordinates alone, so that w V Vᵀ u costs little. Of pairs of them, which are some
    hundred millions in 500 atoms, a few million are held at a time.
    """
    basis, n, n_own = pairs.basis, pairs.basis.shape[1], len(one.own)
    # Sums over pairs are half of those over all elements, but for the diagonal.
    half = residuals.reshape(n, n)
    symmetric = half + half.T
    np.fill_diagonal(symmetric, 2.0 * np.diagonal(half))
    metric, pull = basis @ basis.T, 0.5 * basis @ symmetric @ basis.T
    weights, slope, products = one.weights.tocsc(), np.zeros(n_own), np.zeros((n_own, n_own))
    for those in one.blocks(len(basis)):
        block, h, rest = one.vectors[those], weights[:, those], slice(those.start, None)
        slope += h @ np.asarray(block.multiply(block @ pull).sum(axis=1)).ravel()
        square = np.asarray(one.vectors[rest] @ np.ascontiguousarray((block @ metric).T)) ** 2
        # Each pair once, those within the block by halves.
        square[: those.stop - those.start] *= 0.5
        share = h @ np.ascontiguousarray((weights[:, rest] @ square).T)
        products += share + share.T
    of_diagonal = one.curvatures(basis)
    return slope, 0.5 * products + (pairs.diagonal - 0.5) * of_diagonal @ of_diagonal.T


@compiled_quickly
def _looked(targets: tuple[AbstractTarget, ...], seen: Seen, data: TrainingSet) -> list[tuple | None]:
    """Return for each target at the reference what its deviations count, these, and of pairs of vectors what they are.

    That is the vectors, and the roots of what they count and are scaled by.
    """
    found = []
    for target in targets:
        if target.traits.view is not View.REFERENCE:
            found.append(None)
            continue
        pairs = None
        if isinstance(target, AbstractStreamedTarget):
            pairs = target.basis(data), target.counted_root(data), target.scale_root(data)
        found.append((target.counted(data), target.deviations(seen, data), pairs))
    return found


@compiled_quickly
def _relative(deviations, slopes, counted, group) -> tuple[Array, Array, Array]:
    """Return how much each deviation counts that is relative to those of others, these, and their slopes."""
    return comparable(counted, group), centred(deviations, counted, group), centred(slopes, counted, group)
