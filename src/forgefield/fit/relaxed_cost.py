"""The share of targets at relaxed structures in the cost, with exact derivatives through the relaxation."""

from typing import NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

from forgefield.fit.cost import Linearised, Problem, Quadratic, residual_scale
from forgefield.fit.relaxed_targets import (
    AbstractRelaxedTarget,
    RelaxedEnergies,
    answering,
    lost_share,
    relaxed_structures,
)
from forgefield.fit.training import TrainingSet
from forgefield.models.forcefield import ForceField
from forgefield.models.model import Selection

Positions = Float[Array, "chunks atoms 3"]
Slopes = Float[Array, "molecules own values"]


class _Of(NamedTuple):
    """What was found of the molecules of a chunk."""

    residuals: list[Float[Array, "molecules values"]]
    """One array for each target, then one of the molecules that did not relax."""
    slopes: list[Slopes]
    energy: Float[Array, " molecules"]
    energy_slopes: Float[Array, "molecules columns"]
    converged: Bool[Array, " molecules"]
    positions: Float[Array, "atoms 3"]
    """Å; where a molecule did not relax, those it began from."""


def add_relaxed(
    problem: Problem, scaled: Float[Array, " free"], found: Quadratic, positions: Positions
) -> tuple[Quadratic, Positions]:
    """Add the targets at relaxed structures to a cost, and return where the molecules are then.

    `positions` is where the search begins, chunk by chunk.
    """
    model = problem.model_at(problem.prior.centre + problem.prior.width * scaled)
    n = problem.chunks.selection.n

    def of_chunk(total: Quadratic, given):
        data, selection, positions = given
        own = _of_chunk(problem, model, data, selection, positions)
        columns = jnp.asarray(selection.columns)
        slopes = jnp.concatenate(own.slopes, axis=2)
        residuals = jnp.concatenate(own.residuals, axis=1)
        down = jnp.einsum("mlv,mv->ml", slopes, residuals)
        square = jnp.einsum("mlv,mkv->mlk", slopes, slopes)
        share = Quadratic(
            total.cost + 0.5 * jnp.sum(residuals**2),
            total.gradient.at[columns].add(down, mode="drop"),
            total.normal.at[columns[:, :, None], columns[:, None, :]].add(square, mode="drop"),
        )
        return share, (own.energy, own.energy_slopes, own.converged, own.positions)

    nothing = Quadratic(jnp.zeros(()), jnp.zeros(n), jnp.zeros((n, n)))
    # Two eigenproblems of one program must not run at once (see `observation`): these wait for those in `found`.
    begun = positions + 0.0 * jnp.nan_to_num(found.cost + found.gradient[0])
    given = problem.chunks.data, problem.chunks.selection, begun
    total, (*energies, ended) = jax.lax.scan(of_chunk, nothing, given)
    for residuals, rows in _of_energies(problem, *map(problem.chunks.gathered, energies)):
        more = Quadratic(0.5 * jnp.sum(residuals**2), rows.T @ residuals, rows.T @ rows)
        total = jax.tree.map(jnp.add, total, more)
    width = problem.prior.width
    rows = problem.variables.by_free(total.normal, width)
    measured = Quadratic(
        total.cost, problem.variables.by_free(total.gradient, width), problem.variables.by_free(rows.T, width)
    )
    return jax.tree.map(jnp.add, found, measured), ended


def linearise_relaxed(
    problem: Problem, scaled: Float[Array, " free"], found: Linearised, positions: Positions
) -> Linearised:
    """Add the residuals at relaxed structures, and their Jacobian, to those at the reference geometries."""
    model = problem.model_at(problem.prior.centre + problem.prior.width * scaled)

    def of_chunk(given):
        data, selection, positions = given
        own = _of_chunk(problem, model, data, selection, positions)
        slopes = [selection.spread(one) for one in own.slopes]
        return (own.residuals, slopes), (own.energy, own.energy_slopes, own.converged)

    begun = positions + 0.0 * jnp.nan_to_num(sum(jnp.sum(residuals) for residuals in found.residuals))
    given = problem.chunks.data, problem.chunks.selection, begun
    (residuals, slopes), energies = jax.tree.map(problem.chunks.gathered, jax.lax.map(of_chunk, given))
    rows = [jnp.moveaxis(one, 1, 0).reshape(one.shape[1], -1).T for one in slopes]
    of_energies = list(_of_energies(problem, *energies))
    more = [*rows, *(one for _, one in of_energies)]
    jacobians = (problem.variables.by_free(one.T, problem.prior.width).T for one in more)
    return eqx.tree_at(
        lambda linear: (linear.residuals, linear.jacobians),
        found,
        (
            (*found.residuals, *(one.reshape(-1) for one in residuals), *(one for one, _ in of_energies)),
            (*found.jacobians, *jacobians),
        ),
    )


def _of_chunk(
    problem: Problem,
    model: ForceField,
    data: TrainingSet,
    selection: Selection,
    positions: Float[Array, "atoms 3"],
) -> _Of:
    """Relax the molecules of a chunk and return residuals and slopes by the columns that each molecule has."""
    found, relaxed = relaxed_structures(model, data, positions)
    sensitivities = model.sensitivities(data.topology, found.positions, selection)
    change, forces = answering(relaxed, found, sensitivities)
    residuals, slopes = [], []
    share = jnp.zeros(data.topology.n_molecules)
    for target, count in zip(problem.targets, problem.counts, strict=True):
        if isinstance(target, RelaxedEnergies):
            share = share + target.weight * jnp.where(jnp.asarray(data.has_energy), data.weight, 0.0) / count
        elif isinstance(target, AbstractRelaxedTarget):
            scale = residual_scale(target, count, data)
            share = share + jnp.sum((scale * target.tolerance) ** 2, axis=1)
            residuals.append(target.deviations(found, data) * scale)
            slopes.append(target.slopes(found, data, change) * scale[:, None, :])
    lost, by_gradient = lost_share(model, data, found, share)
    residuals.append(lost[:, None])
    slopes.append(jnp.einsum("mlc,mc->ml", forces, by_gradient)[:, :, None])
    relative = any(isinstance(target, RelaxedEnergies) for target in problem.targets)
    kept = found.converged[jnp.asarray(data.topology.molecule)][:, None]
    return _Of(
        residuals,
        slopes,
        found.energy,
        selection.spread(sensitivities.energy()) if relative else jnp.zeros((len(share), selection.n)),
        found.converged,
        jnp.where(kept, found.positions, positions),
    )


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
