"""The share of targets at relaxed structures in the cost, with exact derivatives through the relaxation."""

from collections.abc import Iterator
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

from forgefield.fitting.cost.cost import Linearised, Modes, Problem, Quadratic, modes_of, residual_scale
from forgefield.fitting.data.training_set import TrainingSet
from forgefield.fitting.targets.fixed import Matching
from forgefield.fitting.targets.relaxed import (
    AbstractRelaxedTarget,
    RelaxedEnergies,
    RelaxedStructures,
    answering,
    lost_share,
    relaxed_structures,
)
from forgefield.fitting.targets.relaxed_curvatures import AtRelaxed, sensitivities_there, superposed
from forgefield.models.forcefield import ForceField
from forgefield.models.model import AbstractSensitivities, Selection
from forgefield.properties.implicit import Change

Positions = Float[Array, "chunks atoms 3"]
Rows = tuple[Float[Array, "molecules values"], Float[Array, "molecules own values"]]
"""Residuals and their slopes by the columns that each molecule has."""


class _Structures(NamedTuple):
    """The relaxed molecules of a chunk, and how they answer to the columns that each of them has."""

    found: RelaxedStructures
    sensitivities: AbstractSensitivities
    change: Change
    forces: Float[Array, "molecules own coordinates"]
    """Derivative of the gradient."""
    there: AbstractSensitivities | None
    """How what is compared on the reference's structures answers; None where nothing is."""


def add_relaxed(
    problem: Problem, scaled: Float[Array, " free"], found: Quadratic, positions: Positions, matching: Matching
) -> tuple[Quadratic, Positions, Modes | None]:
    """Add the targets at relaxed structures to a cost.

    Returns also where the molecules are then, and their modes where these are matched. `positions` is where the
    search begins, chunk by chunk.
    """
    model = problem.model_at(problem.prior.centre + problem.prior.width * scaled)
    n = problem.chunks.selection.n

    def of_chunk(total: Quadratic, given):
        data, selection, matching, positions = given
        at = _structures(problem, model, data, selection, positions)
        residuals, slopes = (
            jnp.concatenate(parts, axis=-1) for parts in zip(*_held(problem, model, data, at), strict=True)
        )
        cost = 0.5 * jnp.sum(residuals**2)
        down = jnp.einsum("mlv,mv->ml", slopes, residuals)
        square = jnp.einsum("mlv,mkv->mlk", slopes, slopes)
        for target, scale in _curved(problem, data, at.found):
            assert at.there is not None
            cost = cost + 0.5 * jnp.sum((target.deviations(at.found, data, matching) * scale) ** 2)
            more = target.products(at.found, at.there, data, matching, scale)
            down, square = down + more[0], square + more[1]
        columns = jnp.asarray(selection.columns)
        share = Quadratic(
            total.cost + cost,
            total.gradient.at[columns].add(down, mode="drop"),
            total.normal.at[columns[:, :, None], columns[:, None, :]].add(square, mode="drop"),
        )
        return share, (_energies(problem, selection, at), _where(data, at.found, positions), _modes(problem, at.found))

    nothing = Quadratic(jnp.zeros(()), jnp.zeros(n), jnp.zeros((n, n)))
    # Two eigenproblems of one program must not run at once (see `observation`): these wait for those in `found`.
    begun = positions + 0.0 * jnp.nan_to_num(found.cost + found.gradient[0])
    chunks = problem.chunks
    total, (energies, ended, modes) = jax.lax.scan(
        of_chunk, nothing, (chunks.data, chunks.selection, chunks.dealt(matching), begun)
    )
    for residuals, rows in _of_energies(problem, *map(chunks.gathered, energies)):
        more = Quadratic(0.5 * jnp.sum(residuals**2), rows.T @ residuals, rows.T @ rows)
        total = jax.tree.map(jnp.add, total, more)
    width = problem.prior.width
    rows = problem.variables.by_free(total.normal, width)
    measured = Quadratic(
        total.cost, problem.variables.by_free(total.gradient, width), problem.variables.by_free(rows.T, width)
    )
    return jax.tree.map(jnp.add, found, measured), ended, jax.tree.map(chunks.gathered, modes)


def linearise_relaxed(
    problem: Problem, scaled: Float[Array, " free"], found: Linearised, positions: Positions, matching: Matching
) -> Linearised:
    """Add the residuals at relaxed structures, and their Jacobian, to those at the reference geometries."""
    model = problem.model_at(problem.prior.centre + problem.prior.width * scaled)

    def of_chunk(given):
        data, selection, matching, positions = given
        at = _structures(problem, model, data, selection, positions)
        rows = _held(problem, model, data, at)
        for target, scale in _curved(problem, data, at.found):
            assert at.there is not None
            slopes = target.slopes(at.found, at.there, data, matching) * scale[:, None, :]
            rows.append((target.deviations(at.found, data, matching) * scale, slopes))
        spread = [(residuals, selection.spread(slopes)) for residuals, slopes in rows]
        return spread, _energies(problem, selection, at), _modes(problem, at.found)

    begun = positions + 0.0 * jnp.nan_to_num(sum(jnp.sum(residuals) for residuals in found.residuals))
    chunks = problem.chunks
    given = chunks.data, chunks.selection, chunks.dealt(matching), begun
    local, energies, modes = jax.tree.map(chunks.gathered, jax.lax.map(of_chunk, given))
    rows = [(one.reshape(-1), jnp.moveaxis(slopes, 1, 0).reshape(slopes.shape[1], -1).T) for one, slopes in local]
    rows.extend(_of_energies(problem, *energies))
    jacobians = (problem.variables.by_free(slopes.T, problem.prior.width).T for _, slopes in rows)
    return Linearised(
        (*found.residuals, *(residuals for residuals, _ in rows)),
        (*found.jacobians, *jacobians),
        found.modes if modes is None else modes,
    )


def _structures(
    problem: Problem,
    model: ForceField,
    data: TrainingSet,
    selection: Selection,
    positions: Float[Array, "atoms 3"],
) -> _Structures:
    """Relax the molecules of a chunk."""
    found, relaxed = relaxed_structures(model, data, positions)
    sensitivities = model.sensitivities(data.topology, found.positions, selection)
    change, forces = answering(relaxed, found, sensitivities)
    if not any(isinstance(target, AtRelaxed) for target in problem.targets):
        return _Structures(found, sensitivities, change, forces, None)
    found, moved = superposed(model, data, found, change)
    assert found.superposed is not None
    there = sensitivities_there(model, data, found.superposed, moved, selection)
    return _Structures(found, sensitivities, change, forces, there)


def _held(problem: Problem, model: ForceField, data: TrainingSet, at: _Structures) -> list[Rows]:
    """Return what is compared of the structures themselves, and last a penalty for molecules that did not relax."""
    rows: list[Rows] = []
    share = jnp.zeros(data.topology.n_molecules)
    for target, count in zip(problem.targets, problem.counts, strict=True):
        if isinstance(target, RelaxedEnergies):
            share = share + target.weight * jnp.where(jnp.asarray(data.has_energy), data.weight, 0.0) / count
        elif isinstance(target, AbstractRelaxedTarget | AtRelaxed):
            scale = residual_scale(target, count, data)
            share = share + jnp.sum((scale * target.tolerance) ** 2, axis=1)
            if isinstance(target, AbstractRelaxedTarget):
                slopes = target.slopes(at.found, data, at.change)
                rows.append((target.deviations(at.found, data) * scale, slopes * scale[:, None, :]))
    return [*rows, lost_share(model, data, at.found, share, at.forces)]


def _curved(
    problem: Problem, data: TrainingSet, found: RelaxedStructures
) -> Iterator[tuple[AtRelaxed, Float[Array, "molecules values"]]]:
    """Yield the targets of curvatures with what their deviations are multiplied by."""
    for target, count in zip(problem.targets, problem.counts, strict=True):
        if isinstance(target, AtRelaxed):
            yield target, jnp.where(found.converged[:, None], residual_scale(target, count, data), 0.0)


def _energies(problem: Problem, selection: Selection, at: _Structures):
    """Return energies, their slopes by all columns, and which of them there are."""
    relative = any(isinstance(target, RelaxedEnergies) for target in problem.targets)
    n_molecules = at.found.energy.shape[0]
    slopes = selection.spread(at.sensitivities.energy()) if relative else jnp.zeros((n_molecules, selection.n))
    return at.found.energy, slopes, at.found.converged


def _where(data: TrainingSet, found: RelaxedStructures, begun: Float[Array, "atoms 3"]) -> Float[Array, "atoms 3"]:
    """Return the relaxed structures [Å]; where a molecule did not relax, the one it began from."""
    return jnp.where(found.converged[jnp.asarray(data.topology.molecule)][:, None], found.positions, begun)


def _modes(problem: Problem, found: RelaxedStructures) -> Modes | None:
    """Return the modes of relaxed structures where they are matched."""
    if not any(isinstance(target, AtRelaxed) and target.is_matched for target in problem.targets):
        return None
    assert found.superposed is not None
    return modes_of(found.superposed.seen)


def _of_energies(
    problem: Problem,
    energy: Float[Array, " molecules"],
    slopes: Float[Array, "molecules columns"],
    converged: Bool[Array, " molecules"],
):
    """Yield residuals and their slopes of the relative energies of what relaxed."""
    for target, count in zip(problem.targets, problem.counts, strict=True):
        if isinstance(target, RelaxedEnergies):
            known, relative = target.known(problem.energies, converged), target.relative
            scale = jnp.sqrt(target.weight * relative.comparable(known) / count) / target.tolerance
            yield relative.deviations(energy, known) * scale, relative.centred(slopes, known) * scale[:, None]
