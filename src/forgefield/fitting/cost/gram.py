"""A fit at fixed geometries as a quadratic form: made once, it says cost and derivatives at any parameters.

At the reference geometry Hessians, gradients and energies are linear in monomials φ of the parameters, so that
the residuals are r(start) + A (φ - φ(start)). AᵀA and Aᵀr(start) are all that a fit needs of the molecules.

A local Hessian is Σ h w wᵀ over vectors w that the geometry alone gives: the gradients of the internal
coordinates, with weights f'', and the eigenvectors of their second derivatives, with weights f'. The products
of what such terms contribute to Vᵀ H V, of which a molecule has as many pairs of modes as it has vectors, are
squares of single numbers: Σ_ab (Vᵀw wᵀV)_ab (Vᵀu uᵀV)_ab = (wᵀ V Vᵀ u)².
"""

from collections.abc import Sequence
from dataclasses import dataclass

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int
from scipy import sparse

from forgefield.compiled import compiled
from forgefield.fitting.cost.cost import Problem, Quadratic, residual_scale, with_prior
from forgefield.fitting.cost.monomials import Monomial, Monomials, gathered, is_polynomial, monomials_of
from forgefield.fitting.data.observation import Observation, observed
from forgefield.fitting.data.training_set import FloatArray, TrainingSet
from forgefield.fitting.targets.fixed import AbstractLocalTarget, AbstractStreamedTarget, Diagonal, Energies, Forces
from forgefield.fitting.targets.relaxed_curvatures import RELAXED
from forgefield.models.blocks import derivatives_of_coordinates
from forgefield.models.forcefield import ForceField
from forgefield.models.model import Selection
from forgefield.molecules.topology import Topology
from forgefield.terms.term import Term

_NOTHING = 1e-13
"""Vectors and weights below this share of the largest are rounding errors."""
_TINY = 1e-300


class Gram(eqx.Module):
    """cost(φ) = cost(φ₀) + slope·(φ - φ₀) + ½ (φ - φ₀)ᵀ matrix (φ - φ₀), without the prior."""

    monomials: Monomials
    origin: Float[FloatArray, " monomials"]
    cost: Float[FloatArray, ""]
    slope: Float[FloatArray, " monomials"]
    matrix: Float[FloatArray, "monomials monomials"]
    column: Int[Array | np.ndarray, "monomials factors"]
    """Which of the values that change each factor is in; their number where in none."""

    def quadratic(self, problem: Problem, scaled: Float[Array, " free"]) -> Quadratic:
        """Return the cost with its gradient and Gauss-Newton matrix at scaled variables (q - q₀)/width."""
        prior, variables = problem.prior, problem.variables
        values = problem.model_at(prior.centre + prior.width * scaled).values
        moved = self.monomials.values(values) - self.origin
        slopes = self.monomials.slopes(values)
        product = self.matrix @ moved
        n = variables.places.shape[0]

        def by_value(rows: Float[Array, "monomials *window"]) -> Float[Array, "values *window"]:
            total = jnp.zeros((n, *rows.shape[1:]), rows.dtype)
            for f in range(slopes.shape[1]):
                own = slopes[:, f].reshape(-1, *(1,) * (rows.ndim - 1))
                total = total.at[self.column[:, f]].add(rows * own, mode="drop")
            return total

        rows = variables.by_free(by_value(jnp.asarray(self.matrix)), prior.width)
        measured = Quadratic(
            jnp.asarray(self.cost + self.slope @ moved + 0.5 * moved @ product),
            variables.by_free(by_value(jnp.asarray(self.slope) + product), prior.width),
            variables.by_free(by_value(rows.T), prior.width),
        )
        return with_prior(measured, prior.strength, scaled)


@dataclass(frozen=True, eq=False)
class _Rows:
    """What one term contributes at a fixed geometry: derivatives by its coordinates, a row for each monomial."""

    interaction: Int[np.ndarray, " rows"]
    monomial: Int[np.ndarray, " rows"]
    energy: Float[np.ndarray, " rows"]
    slope: Float[np.ndarray, "rows coordinates"]
    curvature: Float[np.ndarray, "rows coordinates coordinates"]
    first: Float[np.ndarray, "interactions coordinates local"]
    second: Float[np.ndarray, "interactions coordinates local local"]
    place: Int[np.ndarray, "interactions local"]
    """Rows of a molecule's Hessian."""
    members: Int[np.ndarray, "molecules members"]


def gram(problem: Problem) -> Gram | None:
    """Return the quadratic form of what a problem asks at the reference geometries; None where it is not one.

    It is one where all targets are linear in Hessian, gradient and energy (frequencies are not), and the energy is
    a polynomial in what changes (van der Waals radii and charges are not).
    """
    total = _sum(problem)
    return None if total is None else total.form(range(len(problem.targets)))


def grams(problem: Problem) -> tuple[Gram | None, ...] | None:
    """Return the quadratic form of each target alone, None for those at relaxed structures; None as `gram` does."""
    total = _sum(problem)
    if total is None:
        return None
    return tuple(None if isinstance(target, RELAXED) else total.form((k,)) for k, target in enumerate(problem.targets))


def _sum(problem: Problem) -> "_Sum | None":
    """Return the quadratic forms of all targets, None where the problem is none."""
    known = AbstractStreamedTarget, Diagonal, Forces, Energies, *RELAXED
    if not all(isinstance(target, known) for target in problem.targets) or problem.chunks.selection.charges is not None:
        return None
    found = _listed(problem)
    if found is None:
        return None
    listed, of_row = found
    total = _Sum(problem, listed)
    for c in range(problem.chunks.molecule.shape[0]):
        # Slices of NumPy arrays: each of one of JAX's would be a program.
        chunk = problem.chunks.data, problem.chunks.selection
        data, selection = jax.tree.map(lambda leaf, c=c: np.asarray(leaf)[c], chunk)
        total.add_chunk(c, data, selection, of_row)
    total.add_energies()
    return total


Listed = tuple[list[Monomial], list[dict[tuple[int, ...], np.ndarray]]]


def _listed(problem: Problem) -> Listed | None:
    """Return all monomials, and for each group those of each row of parameters; None if a term is no polynomial."""
    values = np.asarray(problem.model_at(jnp.asarray(problem.prior.centre)).values)
    n_values, places = len(values), np.asarray(problem.variables.places)
    changes = np.isin(np.arange(n_values + 1), places)
    topology = problem.chunks.data.topology
    listed: list[Monomial] = []
    of_row = []
    for term, group, active in zip(
        problem.model.terms, topology.interactions, problem.chunks.selection.groups, strict=True
    ):
        own: dict[tuple[int, ...], np.ndarray] = {}
        if active:
            rows = np.unique(np.asarray(group.parameters).reshape(-1, group.parameters.shape[-1]), axis=0)
            selected = changes[np.minimum(rows, n_values)]
            if not is_polynomial(term, selected):
                return None
            for row, mine in zip(rows, selected, strict=True):
                made = monomials_of(term, row, values[row], mine) if mine.any() else []
                own[tuple(row.tolist())] = np.arange(len(listed), len(listed) + len(made))
                listed.extend(made)
        of_row.append(own)
    return listed, of_row


class _Sum:
    """The quadratic forms of the targets of a problem while molecules are added to them."""

    def __init__(self, problem: Problem, listed: list[Monomial]) -> None:
        n, n_molecules, n_targets = len(listed), len(problem.chunks.place), len(problem.targets)
        self.problem, self.listed = problem, listed
        self.model = problem.model_at(jnp.asarray(problem.prior.centre))
        self.cost, self.slope, self.matrix = (np.zeros((n_targets, *(n,) * order)) for order in range(3))
        self.energy, self.energies = np.zeros(n_molecules), np.zeros((n_molecules, n))

    def add_chunk(self, c: int, data: TrainingSet, selection: Selection, of_row: list) -> None:
        """Add the molecules of a chunk."""
        seen = observed(self.model, data)
        rows = self._rows(data, selection, of_row)
        local_targets = [
            (k, target, count, *(np.asarray(one) for one in _residuals(target, count, seen, data)))
            for k, (target, count) in enumerate(zip(self.problem.targets, self.problem.counts, strict=True))
            if isinstance(target, AbstractLocalTarget)
        ]
        energy = np.asarray(seen.energy)
        molecules = np.asarray(self.problem.chunks.molecule[c])
        for slot, molecule in enumerate(molecules):
            if molecule < len(self.problem.chunks.place):
                self._add_molecule(slot, rows, data, local_targets)
                self.energy[molecule] = energy[slot]
                for own in rows:
                    members = np.isin(own.interaction, own.members[slot])
                    np.add.at(self.energies[molecule], own.monomial[members], own.energy[members])

    def add_energies(self) -> None:
        """Add the energies, which are relative to those of other molecules."""
        problem = self.problem
        for k, (target, count) in enumerate(zip(problem.targets, problem.counts, strict=True)):
            if isinstance(target, Energies):
                known = problem.energies
                scale = np.asarray(jnp.sqrt(target.weight * target.comparable(known) / count)) / target.tolerance
                residuals = np.asarray(target.deviations(jnp.asarray(self.energy), known)) * scale
                design = np.asarray(target.centred(jnp.asarray(self.energies), known)).T * scale
                self.cost[k] += 0.5 * float(residuals @ residuals)
                self.slope[k] += design @ residuals
                self.matrix[k] += design @ design.T

    def form(self, targets: Sequence[int]) -> Gram:
        """Return the quadratic form of these targets together."""
        problem, those = self.problem, list(targets)
        monomials = gathered(self.listed)
        column = np.full(len(self.model.values) + 1, len(problem.variables.places))
        column[np.asarray(problem.variables.places)] = np.arange(len(problem.variables.places))
        # A factor that is one, whatever its place, has the slope zero.
        return jax.tree.map(
            jnp.asarray,
            Gram(
                monomials,
                np.asarray(monomials.values(self.model.values)),
                np.asarray(self.cost[those].sum()),
                self.slope[those].sum(axis=0),
                self.matrix[those].sum(axis=0),
                column[np.asarray(monomials.places)],
            ),
        )

    def _rows(self, data: TrainingSet, selection: Selection, of_row: list) -> list[_Rows]:
        """Return what each active term contributes to the molecules of a chunk."""
        found = []
        topology = data.topology
        expansions = _expansions(self.model, topology, data.positions, tuple(map(bool, of_row)))
        for term, expansion, group, known, members in zip(
            self.model.terms, expansions, topology.interactions, of_row, selection.members, strict=True
        ):
            none = np.zeros(0, dtype=int)
            lists = [known.get(tuple(row), none) for row in np.asarray(group.parameters).tolist()] if known else []
            if not any(map(len, lists)):
                continue
            assert expansion is not None
            q, first, second = map(np.asarray, expansion)
            monomial = np.concatenate(lists)
            interaction = np.repeat(np.arange(len(lists)), [len(one) for one in lists])
            parameters = np.array([self.listed[j].parameters for j in monomial])
            energy, slope, curvature = (np.asarray(leaf) for leaf in _profiles(term, q[interaction], parameters))
            slots = np.asarray(topology.slot)[np.asarray(group.atoms)]
            place = (3 * slots[:, :, None] + np.arange(3)).reshape(len(slots), -1)
            lists = np.asarray(members)
            found.append(_Rows(interaction, monomial, energy, slope, curvature, first, second, place, lists))
        return found

    def _add_molecule(self, slot: int, rows: list[_Rows], data: TrainingSet, targets: list) -> None:
        """Add the targets that look at one molecule: each with its number, count, scales and residuals."""
        parts = [part for part in (_of_molecule(own, slot) for own in rows) if len(part.monomial)]
        n = 3 * data.topology.n_max
        own = np.unique(np.concatenate([np.zeros(0, dtype=int), *(part.monomial for part in parts)]))
        vectors, weights = _vectors(parts, own, n)
        for k, target, count, scales, of_all in targets:
            scale, residuals = scales[slot], of_all[slot]
            self.cost[k] += 0.5 * float(residuals @ residuals)
            match target:
                case AbstractStreamedTarget():
                    slope, matrix = _of_pairs(_Pairs.of(target, count, data, slot), vectors, weights, residuals)
                case Diagonal():
                    along = np.asarray(vectors @ np.asarray(data.modes[slot]))
                    design = weights @ (along**2) * (np.asarray(target.scale(data)[slot]) * scale)
                    slope, matrix = design @ residuals, design @ design.T
                case _:
                    design = _gradients(parts, own, n) * scale
                    slope, matrix = design @ residuals, design @ design.T
            self.slope[k, own] += slope
            self.matrix[np.ix_([k], own, own)] += matrix


@dataclass(frozen=True, eq=False)
class _Pairs:
    """Residuals S_a S_b (v_aᵀ H v_b), each pair once, with or without a = b."""

    basis: Float[np.ndarray, "coordinates vectors"]
    """The vectors v_a times S_a."""
    diagonal: float
    """1 if the pairs a = b count, else 0."""

    @classmethod
    def of(cls, target: AbstractStreamedTarget, count: FloatArray, data: TrainingSet, slot: int) -> "_Pairs":
        """Return the pairs of a target in one molecule."""
        root = np.sqrt(np.asarray(target.counted_root(data)[slot])) * np.asarray(target.scale_root(data)[slot])
        root = root * np.sqrt(np.sqrt(target.weight / float(count)) / target.tolerance)
        return cls(np.asarray(target.basis(data)[slot]) * root, float(target.pairs(1)[0, 0]))


def _of_pairs(
    pairs: _Pairs, vectors: sparse.csr_array, weights: sparse.csr_array, residuals: Float[np.ndarray, " values"]
) -> tuple[Float[np.ndarray, " own"], Float[np.ndarray, "own own"]]:
    """Return Jᵀr and JᵀJ of the elements between pairs of vectors, by squares of products of vectors."""
    along = np.asarray(vectors @ pairs.basis)
    square = along**2
    n = along.shape[1]
    # Sums over pairs are half of those over all elements, but for the diagonal.
    half = residuals.reshape(n, n)
    symmetric = half + half.T
    np.fill_diagonal(symmetric, 2.0 * np.diagonal(half))
    slope = weights @ (0.5 * np.einsum("ka,ka->k", along @ symmetric, along))
    products = weights @ (weights @ (along @ along.T) ** 2).T
    of_diagonal = weights @ square
    return slope, 0.5 * products + (pairs.diagonal - 0.5) * of_diagonal @ of_diagonal.T


def _of_molecule(rows: _Rows, slot: int) -> _Rows:
    """Return what a term contributes to one molecule, its interactions numbered anew."""
    members = rows.members[slot]
    members = members[members < len(rows.place)]
    number = np.full(len(rows.place), -1)
    number[members] = np.arange(len(members))
    own = np.flatnonzero(number[rows.interaction] >= 0)
    return _Rows(
        interaction=number[rows.interaction[own]],
        monomial=rows.monomial[own],
        energy=rows.energy[own],
        slope=rows.slope[own],
        curvature=rows.curvature[own],
        first=rows.first[members],
        second=rows.second[members],
        place=rows.place[members],
        members=rows.members[slot : slot + 1],
    )


def _vectors(parts: list[_Rows], own: Int[np.ndarray, " own"], n: int) -> tuple[sparse.csr_array, sparse.csr_array]:
    """Return vectors w [vectors, coordinates] and weights h [own, vectors]: a molecule's Hessian is Σ φ h w wᵀ."""
    found, weights = [], []
    for part in parts:
        n_q = part.first.shape[1]
        # b_q b_rᵀ + b_r b_qᵀ = (b_q + b_r)(b_q + b_r)ᵀ - b_q b_qᵀ - b_r b_rᵀ
        pure = 2.0 * np.einsum("iqq->iq", part.curvature) - part.curvature.sum(axis=2)
        for q in range(n_q):
            found.append((part.first[:, q], part.place))
            weights.append((part, pure[:, q]))
            for r in range(q + 1, n_q):
                found.append((part.first[:, q] + part.first[:, r], part.place))
                weights.append((part, part.curvature[:, q, r]))
            eigenvalues, eigenvectors = np.linalg.eigh(part.second[:, q])
            for e in np.flatnonzero(np.abs(eigenvalues).max(axis=0, initial=0.0) > _NOTHING):
                found.append((eigenvectors[:, :, e], part.place))
                weights.append((part, part.slope[:, q] * eigenvalues[part.interaction, e]))
    return _assembled(found, weights, own, n)


def _assembled(found: list, weights: list, own: Int[np.ndarray, " own"], n: int):
    """Return vectors and weights as sparse matrices, without the vectors that nothing depends on."""
    if not found:
        return sparse.csr_array((0, n)), sparse.csr_array((0, 0))
    counts = [len(place) for _, place in found]
    offsets = np.cumsum([0, *counts])
    values = np.concatenate([vector.ravel() for vector, _ in found])
    rows = np.concatenate(
        [np.repeat(o + np.arange(len(p)), p.shape[1]) for o, (_, p) in zip(offsets, found, strict=False)]
    )
    columns = np.concatenate([place.ravel() for _, place in found])
    vectors = sparse.csr_array(sparse.coo_array((values, (rows, columns)), shape=(offsets[-1], n)))
    values = np.concatenate([weight for _, weight in weights])
    rows = np.concatenate([np.searchsorted(own, part.monomial) for part, _ in weights])
    columns = np.concatenate([o + part.interaction for o, (part, _) in zip(offsets, weights, strict=False)])
    kept = np.abs(values) > _NOTHING * np.abs(values).max(initial=_TINY)
    shape = len(own), offsets[-1]
    summed = sparse.csr_array(sparse.coo_array((values[kept], (rows[kept], columns[kept])), shape=shape))
    used = np.flatnonzero(np.diff(summed.tocsc().indptr) > 0)
    return vectors[used], summed[:, used]


def _gradients(parts: list[_Rows], own: Int[np.ndarray, " own"], n: int) -> Float[np.ndarray, "own coordinates"]:
    """Return the gradient of a molecule's energy that each monomial multiplies."""
    design = np.zeros((len(own), n))
    for part in parts:
        local_rows = np.einsum("jq,jqc->jc", part.slope, part.first[part.interaction])
        np.add.at(design, (np.searchsorted(own, part.monomial)[:, None], part.place[part.interaction]), local_rows)
    return design


@compiled
def _residuals(
    target: AbstractLocalTarget, count: Float[FloatArray, ""], seen: Observation, data: TrainingSet
) -> tuple[Float[Array, "molecules values"], Float[Array, "molecules values"]]:
    """Return what deviations are multiplied by, and the residuals, of a target that matches no modes."""
    scale = residual_scale(target, count, data)
    return scale, target.deviations(seen, data, jnp.zeros(data.eigenvalues.shape, int)) * scale


@compiled
def _expansions(
    model: ForceField, topology: Topology, positions: Float[FloatArray, "atoms 3"], wanted: tuple[bool, ...]
):
    """Return internal coordinates with their first and second derivatives of the wanted terms, None of the others."""
    return [
        derivatives_of_coordinates(term, x, p) if known else None
        for (term, x, p), known in zip(model.local(topology, jnp.asarray(positions)), wanted, strict=True)
    ]


@compiled
def _profiles(term: Term, q: Float[FloatArray, "rows coordinates"], p: Float[FloatArray, "rows parameters"]):
    """Return energies with their first and second derivatives by the internal coordinates."""

    def energy(q, p):
        return term.profile(q, *p)

    return tuple(jax.vmap(f)(q, p) for f in (energy, jax.grad(energy), jax.jacfwd(jax.grad(energy))))
