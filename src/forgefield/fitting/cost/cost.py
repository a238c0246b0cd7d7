"""The cost of a fit and its quadratic model, from exact derivatives.

cost = ½ Σ_targets weight · mean of (deviation/tolerance)² + ½ strength · mean of ((q - q₀)/width)²
"""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from forgefield.compiled import compiled
from forgefield.fitting.data.chunks import Chunks
from forgefield.fitting.data.observation import Observation, observe
from forgefield.fitting.data.training_set import FloatArray, KnownEnergies, TrainingSet
from forgefield.fitting.targets.fixed import AbstractLocalTarget, AbstractTarget, Energies, Frequencies, Matching
from forgefield.fitting.targets.relaxed import AbstractRelaxedTarget, RelaxedEnergies, RelaxedStructures
from forgefield.fitting.targets.relaxed_curvatures import RELAXED, AtRelaxed
from forgefield.models.forcefield import ForceField
from forgefield.models.model import Selection
from forgefield.models.trainable import Trainable


class Prior(eqx.Module):
    """A Gaussian about the starting values of the free variables; its widths also scale the solver's steps."""

    centre: Float[FloatArray, " free"]
    width: Float[FloatArray, " free"]
    strength: float


class Variables(eqx.Module):
    """How the values that change follow from the free variables, value = factor · q[leader] + offset."""

    places: Int[Array | np.ndarray, " values"]
    leader: Int[Array | np.ndarray, " values"]
    factor: Float[FloatArray, " values"]
    offset: Float[FloatArray, " values"]
    lower: Float[FloatArray, " free"]
    upper: Float[FloatArray, " free"]

    def by_free(
        self, slopes: Float[Array, "values *window"], width: Float[FloatArray, " free"]
    ) -> Float[Array, "free *window"]:
        """Return derivatives by values as derivatives by free variables in units of `width`."""
        factor = self.factor * jnp.asarray(width)[self.leader]
        total = jnp.zeros((self.lower.shape[0], *slopes.shape[1:]), slopes.dtype)
        return total.at[self.leader].add(slopes * factor.reshape(-1, *(1,) * (slopes.ndim - 1)))


def variables(changes: Trainable) -> Variables:
    """Return how values follow from the free variables; each follows one."""
    leader = np.abs(changes.matrix).argmax(axis=1)
    return Variables(
        places=changes.places,
        leader=leader,
        factor=np.take_along_axis(changes.matrix, leader[:, None], axis=1)[:, 0],
        offset=changes.offset,
        lower=changes.lower,
        upper=changes.upper,
    )


class Problem(eqx.Module):
    """Everything that a cost is made of, as a function of the free variables."""

    model: ForceField
    """Holds the values that do not change."""
    chunks: Chunks
    targets: tuple[AbstractTarget, ...]
    counts: tuple[Float[FloatArray, ""], ...]
    """The sum of what each target counts, over the whole training set."""
    prior: Prior
    variables: Variables

    def model_at(self, free: Float[FloatArray, " free"]) -> ForceField:
        """Return the model for these free variables."""
        variables = self.variables
        changed = variables.factor * jnp.asarray(free)[variables.leader] + variables.offset
        return eqx.tree_at(lambda m: m.values, self.model, self.model.values.at[variables.places].set(changed))

    @property
    def n_free(self) -> int:
        """Number of free variables."""
        return self.variables.lower.shape[0]

    @property
    def bounds(self) -> tuple[Float[FloatArray, " free"], Float[FloatArray, " free"]]:
        """Lowest and highest scaled variables (q - q₀)/width."""
        centre, width = self.prior.centre, self.prior.width
        return (self.variables.lower - centre) / width, (self.variables.upper - centre) / width

    @property
    def modes_shape(self) -> tuple[int, int]:
        """Number of molecules, and of modes of the largest."""
        return len(self.chunks.place), self.chunks.data.eigenvalues.shape[2]

    @property
    def uses_matching(self) -> bool:
        """Whether any target compares matched modes."""
        return self.matches_reference or any(isinstance(t, AtRelaxed) and t.is_matched for t in self.targets)

    @property
    def matches_reference(self) -> bool:
        """Whether modes at the reference geometries are matched."""
        return any(isinstance(target, Frequencies) for target in self.targets)

    @property
    def relaxes(self) -> bool:
        """Whether any target looks at relaxed structures."""
        return any(isinstance(target, RELAXED) for target in self.targets)

    @property
    def energies(self) -> KnownEnergies:
        """What is known of the energies of the whole set."""
        data, gathered = self.chunks.data, self.chunks.gathered
        return KnownEnergies(
            gathered(data.energy), gathered(data.has_energy), gathered(data.group), gathered(data.weight)
        )


class Quadratic(eqx.Module):
    """The cost at a point with its gradient and Gauss-Newton matrix in scaled variables (q - q₀)/width."""

    cost: Float[Array, ""]
    gradient: Float[Array, " free"]
    normal: Float[Array, "free free"]


class Modes(eqx.Module):
    """What the renewal of a matching needs."""

    overlaps: Float[Array, "molecules modes modes"]
    """|q_a · v_b|² of reference mode a and model mode b."""
    eigenvalues: Float[Array, "molecules modes"]
    """Of the model [kcal/mol/Å²/amu], ascending; padding last."""


def modes_of(seen: Observation) -> Modes:
    """Return what the renewal of a matching needs of what was observed."""
    return Modes(seen.mixing**2, seen.eigenvalues)


class Linearised(eqx.Module):
    """Residuals r of which the cost is ½ Σ r², their Jacobian in scaled variables, and the model's modes."""

    residuals: tuple[Float[Array, " _"], ...]
    """One vector for each target, and the prior's."""
    jacobians: tuple[Float[Array, "_ free"], ...]
    modes: Modes | None
    """Where they are matched."""


def quadratic(problem: Problem, scaled: Float[Array, " free"], matching: Matching) -> tuple[Quadratic, Modes | None]:
    """Return the cost with its gradient and Gauss-Newton matrix, and the modes where they are matched.

    Chunk after chunk of the molecules is evaluated and forgotten, so that memory does not grow with their number.
    """
    model = problem.model_at(problem.prior.centre + problem.prior.width * scaled)
    n = problem.chunks.selection.n

    def of_chunk(total: Quadratic, given):
        data, selection, matching = given
        found, energy, modes = _of_chunk(problem, model, data, selection, matching)
        return jax.tree.map(jnp.add, total, found), (energy, modes)

    nothing = Quadratic(jnp.zeros(()), jnp.zeros(n), jnp.zeros((n, n)))
    dealt = problem.chunks.data, problem.chunks.selection, problem.chunks.dealt(matching)
    total, (energies, modes) = jax.lax.scan(of_chunk, nothing, dealt)
    for target, count in zip(problem.targets, problem.counts, strict=True):
        if isinstance(target, Energies):
            assert energies is not None
            energy, slopes = (problem.chunks.gathered(found) for found in energies)
            total = jax.tree.map(jnp.add, total, _of_energies(target, count, problem.energies, energy, slopes))
    width = problem.prior.width
    rows = problem.variables.by_free(total.normal, width)
    measured = Quadratic(
        total.cost, problem.variables.by_free(total.gradient, width), problem.variables.by_free(rows.T, width)
    )
    return with_prior(measured, problem.prior.strength, scaled), jax.tree.map(problem.chunks.gathered, modes)


def with_prior(measured: Quadratic, strength: float, scaled: Float[Array, " free"]) -> Quadratic:
    """Return the cost with the Gaussian about zero added."""
    share = strength / scaled.shape[0]
    return Quadratic(
        measured.cost + 0.5 * share * jnp.sum(scaled**2),
        measured.gradient + share * scaled,
        measured.normal + share * jnp.eye(scaled.shape[0]),
    )


def _of_chunk(
    problem: Problem, model: ForceField, data: TrainingSet, selection: Selection, matching: Matching
) -> tuple[Quadratic, tuple[Array, Array] | None, Modes | None]:
    """Return the share of a chunk in the cost by the selected values, energies with their slopes, and modes."""
    seen = observe(model, data)
    sensitivities = model.sensitivities(data.topology, jnp.asarray(data.positions), selection)
    cost, columns = jnp.zeros(()), jnp.asarray(selection.columns)
    gradient, normal = jnp.zeros(columns.shape), jnp.zeros((*columns.shape, columns.shape[1]))
    for target, count in zip(problem.targets, problem.counts, strict=True):
        if isinstance(target, AbstractLocalTarget):
            scale = residual_scale(target, count, data)
            cost = cost + 0.5 * jnp.sum((target.deviations(seen, data, matching) * scale) ** 2)
            down, square = target.products(seen, sensitivities, data, matching, scale)
            gradient, normal = gradient + down, normal + square
    share = Quadratic(
        cost,
        jnp.zeros(selection.n).at[columns].add(gradient, mode="drop"),
        jnp.zeros((selection.n, selection.n)).at[columns[:, :, None], columns[:, None, :]].add(normal, mode="drop"),
    )
    relative = any(isinstance(target, Energies) for target in problem.targets)
    energies = (seen.energy, selection.spread(sensitivities.energy())) if relative else None
    return share, energies, modes_of(seen) if problem.matches_reference else None


def _of_energies(
    target: Energies,
    count: Float[FloatArray, ""],
    known: KnownEnergies,
    energy: Float[Array, " molecules"],
    slopes: Float[Array, "molecules columns"],
) -> Quadratic:
    """Return the share of relative energies in the cost."""
    scale = jnp.sqrt(target.weight * target.comparable(known) / count) / target.tolerance
    residuals = target.deviations(energy, known) * scale
    rows = target.centred(slopes, known) * scale[:, None]
    return Quadratic(0.5 * jnp.sum(residuals**2), rows.T @ residuals, rows.T @ rows)


def linearise(problem: Problem, scaled: Float[Array, " free"], matching: Matching) -> Linearised:
    """Return the residuals at the reference geometries and their exact Jacobian at scaled variables (q - q₀)/width."""
    model = problem.model_at(problem.prior.centre + problem.prior.width * scaled)

    def of_chunk(given):
        data, selection, matching = given
        seen = observe(model, data)
        sensitivities = model.sensitivities(data.topology, jnp.asarray(data.positions), selection)
        found = []
        for target, count in zip(problem.targets, problem.counts, strict=True):
            if isinstance(target, AbstractLocalTarget):
                scale = residual_scale(target, count, data)
                slopes = target.slopes(seen, sensitivities, data, matching) * scale[:, None, :]
                found.append((target.deviations(seen, data, matching) * scale, selection.spread(slopes)))
        energies = (seen.energy, selection.spread(sensitivities.energy())) if relative else None
        return found, energies, modes_of(seen) if problem.matches_reference else None

    relative = any(isinstance(target, Energies) for target in problem.targets)
    dealt = problem.chunks.data, problem.chunks.selection, problem.chunks.dealt(matching)
    found, energies, modes = jax.tree.map(problem.chunks.gathered, jax.lax.map(of_chunk, dealt))
    local = iter(found)
    residuals, jacobians = [], []
    for target, count in zip(problem.targets, problem.counts, strict=True):
        if isinstance(target, Energies):
            assert energies is not None
            scale = jnp.sqrt(target.weight * target.comparable(problem.energies) / count) / target.tolerance
            residual = target.deviations(energies[0], problem.energies) * scale
            slopes = (target.centred(energies[1], problem.energies) * scale[:, None]).T
        elif isinstance(target, AbstractLocalTarget):
            residual, slopes = next(local)
            slopes = jnp.moveaxis(slopes, 1, 0).reshape(slopes.shape[1], -1)
        else:
            continue
        residuals.append(residual.reshape(-1))
        jacobians.append(problem.variables.by_free(slopes, problem.prior.width).T)
    root = jnp.sqrt(problem.prior.strength / scaled.shape[0])
    return Linearised((*residuals, root * scaled), (*jacobians, root * jnp.eye(scaled.shape[0])), modes)


def gauss_newton(linear: Linearised) -> Quadratic:
    """Return the cost with its gradient and Gauss-Newton matrix from residuals and their Jacobian."""
    cost = 0.5 * sum(jnp.sum(r**2) for r in linear.residuals)
    gradient = sum(j.T @ r for r, j in zip(linear.residuals, linear.jacobians, strict=True))
    normal = sum(j.T @ j for j in linear.jacobians)
    return Quadratic(jnp.asarray(cost), jnp.asarray(gradient), jnp.asarray(normal))


@compiled
def contributions(
    targets: tuple[AbstractTarget, ...],
    data: TrainingSet,
    seen: Observation,
    matching: Matching,
    relaxed: RelaxedStructures | None = None,
) -> tuple[Float[Array, ""], ...]:
    """Return the share of each target in the cost, for what was observed of the whole training set."""
    shares = []
    for target in targets:
        count = total_count(target, data)
        if isinstance(target, Energies):
            scale = jnp.sqrt(target.weight * target.comparable(data.energies) / count) / target.tolerance
            deviations = target.deviations(seen.energy, data.energies)
        else:
            scale = residual_scale(target, count, data)
            deviations = deviations_of(target, data, seen, matching, relaxed)
        shares.append(0.5 * jnp.sum((deviations * scale) ** 2))
    return tuple(shares)


def deviations_of(
    target: AbstractTarget,
    data: TrainingSet,
    seen: Observation,
    matching: Matching,
    relaxed: RelaxedStructures | None,
) -> Float[Array, "molecules *values"]:
    """Return model minus reference for any target but energies at the reference geometries."""
    if isinstance(target, AbstractLocalTarget):
        return target.deviations(seen, data, matching)
    assert relaxed is not None
    if isinstance(target, AtRelaxed):
        return target.deviations(relaxed, data, matching)
    assert isinstance(target, AbstractRelaxedTarget | RelaxedEnergies)
    return target.deviations(relaxed, data)


@compiled
def total_count(target: AbstractTarget, data: TrainingSet) -> Float[Array, ""]:
    """Return the sum of what a target counts, by which its mean is taken; one where it counts nothing."""
    total = jnp.sum(target.counted(data))
    return jnp.where(total > 0.0, total, 1.0)


def residual_scale(
    target: AbstractTarget, count: Float[FloatArray, ""], data: TrainingSet
) -> Float[Array, "molecules *values"]:
    """Return what a deviation is multiplied by to become a residual: √(weight · counted/n)/tolerance."""
    return jnp.sqrt(target.counted(data) * target.weight / count) / target.tolerance
