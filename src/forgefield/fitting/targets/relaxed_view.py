"""Where a model relaxes to, what it says there, and how that answers to its parameters (implicit function theorem)."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float

from forgefield.compiled import compiled, compiled_quickly
from forgefield.fitting.data.chunks import without_interactions
from forgefield.fitting.data.ladder import grown
from forgefield.fitting.data.observation import observe
from forgefield.fitting.data.training_set import TrainingSet
from forgefield.fitting.targets.target import Seen
from forgefield.models.expansions import Evaluated, evaluated, expansions
from forgefield.models.forcefield import ForceField
from forgefield.models.model import AbstractModel, AbstractSensitivities, Selection
from forgefield.molecules.topology import Topology
from forgefield.properties.implicit import Change, RelaxedSensitivities, response, superposed_response
from forgefield.properties.relax import Limits, Relaxed, State, Task, advanced, begun, is_going, search
from forgefield.properties.rigid import by_molecule, rigid_motions
from forgefield.properties.stationary import landscape_of

Rows = tuple[Float[Array, "molecules _"], Float[Array, "molecules columns _"]]
"""Residuals and their slopes by the parameters that each molecule has."""

_MAX_ITERATIONS = 60
_LOST = 100.0
"""A molecule that does not relax costs as much as if all its deviations were this many tolerances."""
_PULL = 1.0
"""And this many more, the larger the forces at its reference geometry."""
_SOFT = 5.0
"""kcal/mol/Å: forces well above it pull no more."""
_FLOOR = 0.01
"""kcal/mol/Å²; κ: a curvature h of a relaxed structure costs (κ/h)² tolerances, lest the structure end where h = 0."""
_FLAT = 0.1
"""Of κ: smaller curvatures cost no more; the structure is as good as lost."""
_SOFTEST = 6
"""How many curvatures of each molecule are watched."""
_POWERS = 40
"""Of the share of a mode that is a rotation, in a series: exact to rounding up to a half."""


def relaxed_structures(
    model: AbstractModel, data: TrainingSet, positions: Float[Array, "atoms 3"]
) -> tuple[Seen, Relaxed]:
    """Relax the molecules from these positions, each to a stationary point of its order near its reference.

    Molecules that are not to be relaxed, and those without weight, stay where they are.
    """
    given = _searched_for(data)
    found = search(model, data.topology, positions, **given)
    return seen_relaxed(data, found), found


def _searched_for(data: TrainingSet) -> dict[str, Any]:
    """Return what the molecules of a training set are relaxed to: the arguments of a search."""
    topology, about = data.topology, data.relaxation
    bonds = jnp.minimum(about.bonds.atoms(topology), topology.n_atoms - 1)
    # The padding has one atom twice, which no force field can pull apart.
    bonds = jnp.where(jnp.asarray(about.bonds.present).reshape(-1)[:, None], bonds, 0)
    return {
        "order": jnp.where(_wanted(data), about.order, -1),
        "follow": jnp.asarray(about.follow),
        "fixed": about.constraints(topology),
        "limits": Limits(reference=jnp.asarray(data.positions), bonds=bonds, max_iterations=_MAX_ITERATIONS),
    }


def _wanted(data: TrainingSet) -> Bool[Array, " molecules"]:
    return jnp.asarray(data.relaxation.wanted) & (jnp.asarray(data.weight) > 0.0)


def seen_relaxed(data: TrainingSet, found: Relaxed) -> Seen:
    """Return relaxed structures as what is seen of a training set."""
    there = found.converged & _wanted(data)
    kept = there[jnp.asarray(data.topology.molecule)][:, None]
    return Seen(
        positions=jnp.where(kept, found.positions, jnp.asarray(data.positions)),
        energy=jnp.where(there, found.landscape.energy, 0.0),
        there=there,
        observation=None,
        vibrations=jnp.asarray(data.modes),
        failure=found.failure,
    )


def relaxed_by_terms(model: ForceField, data: TrainingSet) -> tuple[TrainingSet, Task, State]:
    """Relax the molecules by programs of one term each and one of a step, all of which many molecules share.

    Returns the training set on its rung, and the search at its end.
    """

    def evaluate(positions: Float[np.ndarray, "atoms 3"]) -> Evaluated:
        expanded = expansions(model.terms, model.values, data.topology, positions)
        return evaluated(expanded, model.values, data.topology)

    return relaxed_by(evaluate, replace(data, weight=np.ones(data.topology.n_molecules)))


def relaxed_by(
    evaluate: Callable[[Float[np.ndarray, "atoms 3"]], Evaluated], data: TrainingSet
) -> tuple[TrainingSet, Task, State]:
    """Relax the molecules by what evaluates all of them at positions [Å], as `relaxed_by_terms` does."""
    references = without_interactions(data)
    room, n = references.topology, 3 * references.topology.n_max
    task, state, going = _begun(references)
    while np.asarray(going):
        found = evaluate(np.asarray(state.trial)[: data.topology.n_atoms])
        energy, gradient = grown(found.energy, room.n_molecules), grown(found.gradient, room.n_atoms)
        state, going = _advanced(task, state, (energy, gradient, grown(found.hessian, room.n_molecules, n, n)))
    return references, task, state


@compiled_quickly
def _begun(data: TrainingSet) -> tuple[Task, State, Bool[Array, ""]]:
    task, state = begun(data.topology, jnp.asarray(data.positions), **_searched_for(data))
    return task, state, is_going(task, state)


@compiled_quickly
def _advanced(task: Task, state: State, found: tuple) -> tuple[State, Bool[Array, ""]]:
    state = advanced(task, state, landscape_of(found, task.topology, state.trial, task.fixed))
    return state, is_going(task, state)


def superposed(model: AbstractModel, data: TrainingSet, seen: Seen, change: Change) -> tuple[Seen, Change]:
    """Observe the relaxed structures where they lie on the reference's; return how these change, likewise."""
    seen, change = laid_on_reference(data, seen, change)
    observation = observe(model, replace(data, positions=seen.positions, modes=seen.vibrations))
    eigenmatrix = jnp.einsum("mia,mij,mjb->mab", data.modes, observation.hessian, data.modes, optimize="optimal")
    return replace(seen, observation=replace(observation, eigenmatrix=eigenmatrix)), change


def laid_on_reference(data: TrainingSet, seen: Seen, change: Change) -> tuple[Seen, Change]:
    """Return relaxed structures where they lie on the reference's by mass, with their vibrations, and their change."""
    masses = jnp.asarray(data.masses)
    positions, change = superposed_response(data.topology, seen.positions, jnp.asarray(data.positions), masses, change)
    modes = vibrations(data.topology, positions, masses, jnp.asarray(data.modes))
    return replace(seen, positions=positions, vibrations=modes), change


@compiled
def relaxed_observed(model: AbstractModel, data: TrainingSet, observes: bool) -> Seen:
    """Relax the molecules of a training set from their reference geometries, whatever their weights."""
    everyone = replace(data, weight=jnp.ones(data.topology.n_molecules))
    seen, _ = relaxed_structures(model, everyone, jnp.asarray(data.positions))
    nothing = jnp.zeros((data.topology.n_molecules, 0, 3 * data.topology.n_max))
    return superposed(model, data, seen, nothing)[0] if observes else seen


def answering(
    model: ForceField,
    data: TrainingSet,
    selection: Selection,
    at: tuple[Seen, Relaxed],
    share: Float[Array, " molecules"],
    *,
    observes: bool,
) -> tuple[Seen, AbstractSensitivities, tuple[Rows, Rows]]:
    """Return relaxed structures, how they answer to the selected parameters, and what lost and flat ones cost.

    `share` is what all deviations of a molecule would cost if each were its tolerance.
    """
    seen, relaxed = at
    fixed = model.sensitivities(data.topology, seen.positions, selection)
    forces = fixed.gradient()
    change = jnp.where(seen.there[:, None, None], response(relaxed, forces), 0.0)
    here = RelaxedSensitivities(fixed, model, data.topology, seen.positions, change)
    penalties = lost_share(model, data, seen, share, forces), _flat_share(data, at, share, here)
    if observes:
        seen, change = superposed(model, data, seen, change)
        fixed = model.sensitivities(data.topology, seen.positions, selection)
        here = RelaxedSensitivities(fixed, model, data.topology, seen.positions, change)
    return seen, here, penalties


def _flat_share(
    data: TrainingSet, at: tuple[Seen, Relaxed], share: Float[Array, " molecules"], here: RelaxedSensitivities
) -> Rows:
    """Return the residuals of `flat_residuals` and their slopes."""
    residuals, h, counts = flat_residuals(data, at, share)
    size = jnp.maximum(jnp.abs(h), _FLAT * _FLOOR)
    steep = jnp.where(jnp.abs(h) < size, 0.0, -2.0 * residuals * jnp.sign(h) / size)
    directions = at[1].landscape.directions[..., :_SOFTEST]
    return residuals, steep[:, None, :] * here.curvatures(jnp.where(counts[:, None, :], directions, 0.0))


def flat_residuals(
    data: TrainingSet, at: tuple[Seen, Relaxed], share: Float[Array, " molecules"]
) -> tuple[Float[Array, "molecules softest"], Float[Array, "molecules softest"], Bool[Array, "molecules softest"]]:
    """Return residuals of curvatures near zero, beyond which a structure is none of its order, these, and which count.

    Where a minimum becomes a saddle, or ends, the cost has an edge that no step can cross; the residuals
    root(share) (κ/h)² of the lowest curvatures h keep the optimum off that edge.
    """
    seen, relaxed = at
    h = relaxed.landscape.curvatures[..., :_SOFTEST]
    # Under constraints the curvature is that of a Lagrangian, which changes with more than positions and parameters.
    alone = seen.there & ~jnp.asarray(data.relaxation.fixed.present).any(axis=1)
    counts = alone[:, None] & relaxed.landscape.is_free[:, :_SOFTEST]
    size = jnp.maximum(jnp.abs(h), _FLAT * _FLOOR)
    return jnp.where(counts, jnp.sqrt(share)[:, None] * (_FLOOR / size) ** 2, 0.0), h, counts


def lost_share(
    model: AbstractModel,
    data: TrainingSet,
    seen: Seen,
    share: Float[Array, " molecules"],
    forces: Float[Array, "molecules own coordinates"],
) -> Rows:
    """Return the residuals of `lost_residuals`, and their slopes from those of the `forces` at the reference."""
    residuals, relative, steep = lost_residuals(data, seen, share, model.gradient(data.topology, seen.positions))
    turned = forces - jnp.einsum("mlc,mc->ml", forces, relative)[:, :, None] * relative[:, None, :]
    return residuals, jnp.pad(steep[:, None, None] * jnp.nan_to_num(turned), ((0, 0), (0, 0), (1, 0)))


def lost_residuals(
    data: TrainingSet, seen: Seen, share: Float[Array, " molecules"], gradient: Float[Array, "atoms 3"]
) -> tuple[Float[Array, "molecules _"], Float[Array, "molecules coordinates"], Float[Array, " molecules"]]:
    """Return residuals of each molecule that did not relax, the relative gradient, and how steep the residuals are.

    Their squares add up to share (L² + P² u/(u + s²)) with the mean square u of the gradient at the reference: large,
    so that no step towards it is taken, smooth, and beyond s nearly flat, so that a molecule that cannot relax leaves
    the others alone. One residual is constant, the others are the gradient over the root of n (u + s²).
    """
    topology = data.topology
    lost = _wanted(data) & ~seen.there
    slope = by_molecule(topology, jnp.nan_to_num(gradient)).reshape(topology.n_molecules, -1)
    n = 3.0 * jnp.zeros(topology.n_molecules).at[topology.molecule].add(1.0)
    size = jnp.sqrt(jnp.sum(slope**2, axis=1) + jnp.maximum(n, 1.0) * _SOFT**2)
    root = jnp.where(lost, jnp.sqrt(share), 0.0)
    relative = slope / size[:, None]
    residuals = jnp.concatenate([(_LOST * root)[:, None], (_PULL * root)[:, None] * relative], axis=1)
    return residuals, relative, _PULL * root / size


def vibrations(
    topology: Topology,
    positions: Float[Array, "atoms 3"],
    masses: Float[Array, " atoms"],
    modes: Float[Array, "molecules coordinates modes"],
) -> Float[Array, "molecules coordinates modes"]:
    """Return modes as near to the given ones as those of these positions can be, still orthonormal.

    Modes of one geometry hold a little of the rotations R of another, W = Rᵀ Q. Without that they are
    (1 - R Rᵀ) Q (1 - Wᵀ W)^(-1/2), of which the last is 1 + Wᵀ f(W Wᵀ) W with f(s) = ((1 - s)^(-1/2) - 1)/s.
    """
    weights = by_molecule(topology, masses)
    rigid = rigid_motions(by_molecule(topology, positions), weights)
    roots = jnp.repeat(jnp.sqrt(weights), 3, axis=1)[:, :, None]
    inverse = jnp.where(roots > 0.0, 1.0 / jnp.where(roots > 0.0, roots, 1.0), 0.0)
    q = roots * modes
    w = jnp.einsum("mir,mia->mra", rigid, q)
    share = w @ jnp.swapaxes(w, 1, 2)
    identity = jnp.eye(6, dtype=q.dtype)[None]
    # The coefficients of (1 - s)^(-1/2) are products of (2k - 1)/2k; Horner's scheme begins with the last.
    k = np.arange(1, _POWERS + 1)
    coefficients = np.cumprod((2 * k - 1) / (2 * k))[::-1]
    series, _ = jax.lax.scan(lambda s, c: (c * identity + s @ share, None), jnp.zeros_like(share), coefficients)
    free = q - rigid @ w
    scaled = free + (free @ jnp.swapaxes(w, 1, 2)) @ series @ w
    return inverse * scaled
