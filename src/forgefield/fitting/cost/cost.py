"""The cost of a fit and its quadratic model, from exact derivatives.

cost = ½ Σ_targets weight · mean of (deviation/tolerance)² + ½ strength · mean of ((q - q₀)/width)²
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, PyTree

from forgefield.compiled import compiled_quickly
from forgefield.fitting.data.chunks import Chunks, without_interactions
from forgefield.fitting.data.observation import observe
from forgefield.fitting.data.training_set import FloatArray, TrainingSet
from forgefield.fitting.targets.relaxed_view import Rows, answering, relaxed_structures
from forgefield.fitting.targets.target import (
    AbstractTarget,
    Seen,
    View,
    at_reference,
    centred,
    comparable,
    counting,
    resized,
)
from forgefield.models.forcefield import ForceField
from forgefield.models.model import AbstractSensitivities, Selection
from forgefield.models.trainable import Variables


class Prior(eqx.Module):
    """A Gaussian about the starting values of the free variables; its widths also scale the solver's steps."""

    centre: Float[FloatArray, " free"]
    width: Float[FloatArray, " free"]
    strength: float


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
        changed = self.variables.changed(jnp.asarray(free))
        return eqx.tree_at(lambda m: m.values, self.model, self.model.values.at[self.variables.places].set(changed))

    @property
    def n_free(self) -> int:
        """Number of free variables."""
        return self.variables.n_free

    @property
    def bounds(self) -> tuple[Float[FloatArray, " free"], Float[FloatArray, " free"]]:
        """Lowest and highest scaled variables (q - q₀)/width."""
        centre, width = self.prior.centre, self.prior.width
        return (self.variables.lower - centre) / width, (self.variables.upper - centre) / width

    @property
    def relaxes(self) -> bool:
        """Whether any target looks at relaxed structures."""
        return bool(self.looking(View.RELAXED))

    def looking(self, view: View) -> list[tuple[AbstractTarget, Float[FloatArray, ""]]]:
        """Return the targets that look at one kind of structures, with the sum of what each counts."""
        return [
            (target, count)
            for target, count in zip(self.targets, self.counts, strict=True)
            if target.traits.view is view
        ]


class Quadratic(eqx.Module):
    """The cost at a point with its gradient and Gauss-Newton matrix in scaled variables (q - q₀)/width."""

    cost: Float[FloatArray, "*starts"] | np.floating
    gradient: Float[FloatArray, "*starts free"]
    normal: Float[FloatArray, "*starts free free"]


class Linearised(eqx.Module):
    """Residuals r of which the cost is ½ Σ r², and their Jacobian in scaled variables."""

    residuals: tuple[Float[Array, " _"], ...]
    """One vector for each target at the reference geometries, each at relaxed structures, what is lost, the prior."""
    jacobians: tuple[Float[Array, "_ free"], ...]


Positions = Float[Array, "chunks atoms 3"]


class _Looked(NamedTuple):
    """The molecules of a chunk at the structures of one view."""

    seen: Seen
    sensitivities: AbstractSensitivities
    penalties: tuple[Rows, ...]
    """Of molecules that have no such structure, by the columns that each has."""


class _Swept(NamedTuple):
    """What one pass over the molecules finds."""

    total: Any
    """What is summed over the chunks."""
    kept: Any
    """What is kept of each molecule."""
    relative: list[Rows]
    """Of all molecules, for each target whose deviations are relative to those of others."""
    positions: Positions
    """Structures [Å] from which the next search begins."""


def _swept(
    problem: Problem,
    view: View,
    scaled: Float[Array, " free"],
    positions: Positions,
    reduce: Callable[[list[tuple], _Looked, TrainingSet, Selection], tuple[PyTree, PyTree]],
    nothing: PyTree,
) -> _Swept:
    """Look at chunk after chunk of the molecules and forget it, so that memory does not grow with their number.

    `reduce` is given the targets of each molecule alone with what their deviations are multiplied by, and returns what
    is to be summed and what is to be kept.
    """
    model = problem.model_at(problem.prior.centre + problem.prior.width * scaled)
    chunks, targets = problem.chunks, problem.looking(view)

    def of_chunk(total, given):
        data, selection, positions = given
        at = _look(problem, view, model, data, selection, positions)
        seen, alone, relative = at.seen, [], []
        for target, count in targets:
            counted = jnp.where(seen.there[:, None], target.counted(data), 0.0)
            if target.traits.is_relative:
                slopes = selection.spread(target.slopes(seen, at.sensitivities, data))
                relative.append((target.deviations(seen, data), slopes, counted))
            else:
                alone.append((target, jnp.sqrt(counted * target.weight / count) / target.tolerance))
        share, kept = reduce(alone, at, data, selection)
        there = seen.there[jnp.asarray(data.topology.molecule)][:, None]
        ended = jnp.where(there, seen.positions, positions)
        return jax.tree.map(jnp.add, total, share), (kept, relative, ended)

    given = chunks.data, chunks.selection, positions
    total, (kept, relative, ended) = jax.lax.scan(of_chunk, nothing, given)
    kept, relative = jax.tree.map(chunks.gathered, (kept, relative))
    group, rows = chunks.gathered(chunks.data.group), []
    for (target, count), (deviations, slopes, counted) in zip(
        [pair for pair in targets if pair[0].traits.is_relative], relative, strict=True
    ):
        scale = jnp.sqrt(comparable(counted, group) * target.weight / count) / target.tolerance
        residuals = centred(deviations, counted, group) * scale
        rows.append((residuals, centred(slopes, counted, group) * scale[:, None, :]))
    return _Swept(total, kept, rows, ended)


def _look(
    problem: Problem,
    view: View,
    model: ForceField,
    data: TrainingSet,
    selection: Selection,
    positions: Float[Array, "atoms 3"],
) -> _Looked:
    """Look at the molecules of a chunk where the targets of a view do."""
    if view is View.REFERENCE:
        fixed = model.sensitivities(data.topology, jnp.asarray(data.positions), selection)
        return _Looked(at_reference(observe(model, data), data), fixed, ())
    targets = problem.looking(view)
    observes = any(target.traits.observes for target, _ in targets)
    seen, relaxed = relaxed_structures(model, data, positions)
    share = sum(jnp.sum(target.counted(data) * target.weight / count, axis=1) for target, count in targets)
    at = seen, relaxed
    return _Looked(*answering(model, data, selection, at, jnp.asarray(share), observes=observes))


def quadratic(problem: Problem, scaled: Float[Array, " free"]) -> Quadratic:
    """Return the cost at the reference geometries, with that of the prior."""
    return with_prior(measured(problem, scaled), problem.prior.strength, scaled)


def measured(problem: Problem, scaled: Float[Array, " free"]) -> Quadratic:
    """Return the cost at the reference geometries without that of the prior."""
    return _quadratic(problem, View.REFERENCE, scaled, jnp.asarray(problem.chunks.data.positions))[0]


def add_relaxed(
    problem: Problem, scaled: Float[Array, " free"], found: Quadratic, positions: Positions
) -> tuple[Quadratic, Positions]:
    """Add the targets at relaxed structures to a cost, and return also where the molecules are then.

    `positions` is where the search begins, chunk by chunk.
    """
    # Two eigenproblems of one program must not run at once (see `observation`): these wait for those in `found`.
    begun = positions + 0.0 * jnp.nan_to_num(found.cost + found.gradient[0])
    more, ended = _quadratic(problem, View.RELAXED, scaled, begun)
    return jax.tree.map(jnp.add, found, more), ended


def _quadratic(
    problem: Problem, view: View, scaled: Float[Array, " free"], positions: Positions
) -> tuple[Quadratic, Positions]:
    """Return the share of the targets of a view in the cost, and where the molecules are."""
    n = problem.chunks.selection.n

    def summed(alone, at: _Looked, data: TrainingSet, selection: Selection):
        columns = jnp.asarray(selection.columns)
        cost, down, square = jnp.zeros(()), jnp.zeros(columns.shape), jnp.zeros((*columns.shape, columns.shape[1]))
        for target, scale in alone:
            cost = cost + 0.5 * jnp.sum((target.deviations(at.seen, data) * scale) ** 2)
            more = target.products(at.seen, at.sensitivities, data, scale)
            down, square = down + more[0], square + more[1]
        for residuals, slopes in at.penalties:
            cost = cost + 0.5 * jnp.sum(residuals**2)
            down = down + jnp.einsum("mlv,mv->ml", slopes, residuals)
            square = square + jnp.einsum("mlv,mkv->mlk", slopes, slopes)
        gradient = jnp.zeros(n).at[columns].add(down, mode="drop")
        normal = jnp.zeros((n, n)).at[columns[:, :, None], columns[:, None, :]].add(square, mode="drop")
        return Quadratic(cost, gradient, normal), ()

    nothing = Quadratic(jnp.zeros(()), jnp.zeros(n), jnp.zeros((n, n)))
    swept = _swept(problem, view, scaled, positions, summed, nothing)
    total = swept.total
    for residuals, slopes in swept.relative:
        more = Quadratic(
            0.5 * jnp.sum(residuals**2),
            jnp.einsum("mlv,mv->l", slopes, residuals),
            jnp.einsum("mlv,mkv->lk", slopes, slopes),
        )
        total = jax.tree.map(jnp.add, total, more)
    width = problem.prior.width
    rows = problem.variables.by_free(total.normal, width)
    measured = Quadratic(
        total.cost, problem.variables.by_free(total.gradient, width), problem.variables.by_free(rows.T, width)
    )
    return measured, swept.positions


def cost_alone(problem: Problem, view: View, scaled: Float[Array, " free"]) -> Float[Array, ""]:
    """Return the share of the targets of a view in the cost, without derivatives.

    Molecules relax from the structures of the reference.
    """

    def summed(alone, at: _Looked, data: TrainingSet, _):
        rows = [target.deviations(at.seen, data) * scale for target, scale in alone]
        return sum((0.5 * jnp.sum(r**2) for r in (*rows, *(r for r, _ in at.penalties))), jnp.zeros(())), ()

    swept = _swept(problem, view, scaled, jnp.asarray(problem.chunks.data.positions), summed, jnp.zeros(()))
    return sum((0.5 * jnp.sum(residuals**2) for residuals, _ in swept.relative), swept.total)


def with_prior(
    measured: Quadratic, strength: float | Float[Array, ""], scaled: Float[FloatArray, " free"]
) -> Quadratic:
    """Return the cost with the Gaussian about zero added."""
    share = strength / scaled.shape[0]
    cost = measured.cost + 0.5 * share * (scaled**2).sum()
    return Quadratic(cost, measured.gradient + share * scaled, measured.normal + share * np.eye(scaled.shape[0]))


def linearise(problem: Problem, scaled: Float[Array, " free"], positions: Positions | None = None) -> Linearised:
    """Return residuals and their exact Jacobian at scaled variables (q - q₀)/width.

    Where molecules relax, `positions` is where the search begins, chunk by chunk; by default at the references.
    """
    begun = jnp.asarray(problem.chunks.data.positions if positions is None else positions)
    found = _rows(problem, View.REFERENCE, scaled, begun)
    if problem.relaxes:
        # Two eigenproblems of one program must not run at once (see `observation`): these wait for the others.
        begun = begun + 0.0 * jnp.nan_to_num(sum((jnp.sum(r) for r, _ in found), jnp.zeros(())))
        found = [*found, *_rows(problem, View.RELAXED, scaled, begun)]
    root = jnp.sqrt(problem.prior.strength / scaled.shape[0])
    return Linearised(
        (*(residuals for residuals, _ in found), root * scaled),
        (*(jacobian for _, jacobian in found), root * jnp.eye(scaled.shape[0])),
    )


def _rows(
    problem: Problem, view: View, scaled: Float[Array, " free"], positions: Positions
) -> list[tuple[Float[Array, " _"], Float[Array, "_ free"]]]:
    """Return residuals with their Jacobian of each target of a view, and last of what is lost."""

    def kept(alone, at: _Looked, data: TrainingSet, selection: Selection):
        found = []
        for target, scale in alone:
            slopes = target.slopes(at.seen, at.sensitivities, data) * scale[:, None, :]
            found.append((target.deviations(at.seen, data) * scale, slopes))
        return (), [(residuals, selection.spread(slopes)) for residuals, slopes in (*found, *at.penalties)]

    swept = _swept(problem, view, scaled, positions, kept, ())
    alone, relative = iter(swept.kept), iter(swept.relative)
    rows = [next(relative if target.traits.is_relative else alone) for target, _ in problem.looking(view)]
    told = []
    for residuals, slopes in (*rows, *alone):
        by_column = jnp.moveaxis(slopes, 1, 0).reshape(slopes.shape[1], -1)
        told.append((residuals.reshape(-1), problem.variables.by_free(by_column, problem.prior.width).T))
    return told


def gauss_newton(linear: Linearised) -> Quadratic:
    """Return the cost with its gradient and Gauss-Newton matrix from residuals and their Jacobian."""
    cost = 0.5 * sum(jnp.sum(r**2) for r in linear.residuals)
    gradient = sum(j.T @ r for r, j in zip(linear.residuals, linear.jacobians, strict=True))
    normal = sum(j.T @ j for j in linear.jacobians)
    return Quadratic(jnp.asarray(cost), jnp.asarray(gradient), jnp.asarray(normal))


class Sights(NamedTuple):
    """What was seen of a whole training set."""

    reference: Seen
    relaxed: Seen | None = None
    """None where that was not looked at."""

    def of(self, target: AbstractTarget) -> Seen:
        """Return what was seen where a target looks."""
        seen = self.reference if target.traits.view is View.REFERENCE else self.relaxed
        assert seen is not None
        return seen

    def resized(self, data: TrainingSet) -> "Sights":
        """Return the same in the shapes of a training set, which is on another rung."""
        relaxed = None if self.relaxed is None else resized(self.relaxed, data)
        return Sights(resized(self.reference, data), relaxed)


def deviations(
    target: AbstractTarget, data: TrainingSet, sights: Sights
) -> tuple[Float[Array, "molecules values"], Float[FloatArray, "molecules values"]]:
    """Return model minus reference in a whole training set, and how much each counts."""
    seen = sights.of(target)
    found = target.deviations(seen, data)
    if not target.traits.is_relative:
        return found, target.counted(data)
    counted = jnp.where(seen.there[:, None], target.counted(data), 0.0)
    compared = comparable(counted, data.group)
    return jnp.where(compared > 0.0, centred(found, counted, data.group), 0.0), compared


def contributions(targets: tuple[AbstractTarget, ...], data: TrainingSet, sights: Sights) -> tuple[float, ...]:
    """Return the share of each target in the cost, for what was seen of the whole training set."""
    return shares_of_cost(targets, total_counts(targets, data), without_interactions(data), sights)


def shares_of_cost(
    targets: tuple[AbstractTarget, ...],
    totals: tuple[Float[FloatArray, ""], ...],
    references: TrainingSet,
    sights: Sights,
) -> tuple[float, ...]:
    """Return the share of each target in the cost by these totals of what counts, `references` being on their rung."""
    squares = _squares(targets, references, sights.resized(references))
    return tuple(0.5 * t.weight * float(s) / float(n) for t, s, n in zip(targets, squares, totals, strict=True))


@compiled_quickly
def _squares(targets: tuple[AbstractTarget, ...], data: TrainingSet, sights: Sights) -> tuple[Float[Array, ""], ...]:
    """Return the weighted sum of the squares of each target's deviations in its tolerance."""
    each = [deviations(target, data, sights) for target in targets]
    return tuple(jnp.sum(n * (found / t.tolerance) ** 2) for t, (found, n) in zip(targets, each, strict=True))


def total_counts(targets: tuple[AbstractTarget, ...], data: TrainingSet) -> tuple[Float[np.ndarray, ""], ...]:
    """Return the sum of what each target counts, by which its mean is taken; one where it counts nothing."""
    return tuple(np.array(one.total) for one in counting(targets, without_interactions(data)))
