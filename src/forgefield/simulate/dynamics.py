"""Molecular dynamics of replicas of a batch: many steps in one compiled loop, frames at regular steps."""

from collections.abc import Iterator
from dataclasses import dataclass

import equinox as eqx
import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
from jaxtyping import Array, Float, Int, Key

from forgefield.models.model import AbstractModel
from forgefield.models.painn import Painn
from forgefield.molecules.topology import Topology
from forgefield.simulate.integrators import AbstractIntegrator, Gradient
from forgefield.simulate.motion import NEVER, Motion, kinetic_energy, thermal_velocities

LONGEST_MOVE = 0.5
"""Å in one step; an atom of a molecule that is integrated with sense moves a tenth of it."""
_MOST_STEPS = 2000
"""Steps of one compiled call, after which the caller hears of them."""
_MOST_SEGMENTS = 64
_LARGEST_REPORT = 2**22
"""Numbers that the frames of one compiled call hold."""


class Frames(eqx.Module):
    """What replicas looked like after one of their steps, or after several."""

    step: Int[Array | np.ndarray, "*frames"]
    positions: Float[Array | np.ndarray, "*frames replicas atoms 3"]
    """Å"""
    velocities: Float[Array | np.ndarray, "*frames replicas atoms 3"]
    """Å per internal unit of time."""
    gradient: Float[Array | np.ndarray, "*frames replicas atoms 3"]
    """kcal/mol/Å"""
    potential: Float[Array | np.ndarray, "*frames replicas"]
    """kcal/mol, of all molecules of the batch."""
    kinetic: Float[Array | np.ndarray, "*frames replicas"]
    """kcal/mol"""
    failed: Int[Array | np.ndarray, "*frames replicas"]
    """The step at which a replica had blown up; NEVER for the others."""


@dataclass(frozen=True, eq=False)
class Block:
    """Some steps of a trajectory: the frames on the way, in NumPy arrays, and the motion at the end."""

    frames: Frames
    motion: Motion


def start(
    topology: Topology,
    positions: Float[Array | np.ndarray, "replicas atoms 3"],
    masses: Float[Array | np.ndarray, " atoms"],
    *,
    temperature: float,
    seed: int,
) -> Motion:
    """Return replicas at rest in all but their thermal motion [K], each molecule's momentum zero.

    Positions in Å, masses in amu; the precision is that of the positions. A replica's random numbers depend on the
    seed and on its place among the replicas only.
    """
    x = jnp.asarray(positions)
    keys = jax.vmap(lambda replica: jr.fold_in(jr.key(seed), replica))(jnp.arange(x.shape[0]))
    return _start(topology, x, jnp.asarray(masses, x.dtype), jnp.asarray(temperature, x.dtype), keys)


@eqx.filter_jit
def _start(
    topology: Topology,
    positions: Float[Array, "replicas atoms 3"],
    masses: Float[Array, " atoms"],
    temperature: Float[Array, ""],
    keys: Key[Array, " replicas"],
) -> Motion:
    pairs = jax.vmap(jr.split)(keys)
    return Motion(
        step=jnp.full((), -1, jnp.int32),
        positions=positions,
        velocities=jax.vmap(lambda key: thermal_velocities(key, temperature, masses, topology))(pairs[:, 0]),
        gradient=jnp.zeros_like(positions),
        failed=jnp.full(positions.shape[0], NEVER, jnp.int32),
        keys=jr.key_data(pairs[:, 1]),
    )


def trajectory(
    model: AbstractModel,
    topology: Topology,
    masses: Float[Array | np.ndarray, " atoms"],
    integrator: AbstractIntegrator,
    motion: Motion,
    *,
    n_steps: int,
    every: int,
) -> Iterator[Block]:
    """Yield the steps up to step `n_steps` in blocks, with a frame wherever the step is a multiple of `every`.

    A motion that has made no step yet is the first frame. Each block is one call of the same compiled program, however
    many steps are left, so that a run which continues from the motion of any block repeats the one that was never
    interrupted bit by bit. A replica blows up where an atom moves `LONGEST_MOVE` in a step or its forces are not
    finite; it then stays where it was, with the step in `failed`. Ends early when all have blown up.
    """
    masses = jnp.asarray(masses, motion.positions.dtype)
    n_segments = min(max(_LARGEST_REPORT // (3 * motion.positions.size), 1), _MOST_SEGMENTS)
    at = int(motion.step)
    while at < n_steps and bool((np.asarray(motion.failed) == NEVER).any()):
        lengths: list[int] = []
        while at < n_steps and len(lengths) < n_segments and sum(lengths) < _MOST_STEPS:
            lengths.append(min(every - at % every, n_steps - at, _MOST_STEPS - sum(lengths)))
            at += lengths[-1]
        padded = np.zeros(n_segments, np.int32)
        padded[: len(lengths)] = lengths
        motion, frames = _block(model, topology, masses, integrator, motion, padded)
        step = np.asarray(frames.step)
        reported = (padded > 0) & (step % every == 0)
        # An early end repeats its last frame.
        reported[1:] &= step[1:] > step[:-1]
        yield Block(jax.tree.map(lambda a, reported=reported: np.asarray(a)[reported], frames), motion)


@eqx.filter_jit
def _block(
    model: AbstractModel,
    topology: Topology,
    masses: Float[Array, " atoms"],
    integrator: AbstractIntegrator,
    motion: Motion,
    lengths: Int[Array | np.ndarray, " segments"],
) -> tuple[Motion, Frames]:
    """Take as many steps as each segment has, and look at the replicas after each."""
    gradient = _gradient_of(model, topology, motion.positions.shape[0])
    energy = _energy_of(model, topology)

    def look(motion: Motion) -> Frames:
        return Frames(
            step=motion.step,
            positions=motion.positions,
            velocities=motion.velocities,
            gradient=motion.gradient,
            potential=energy(motion.positions),
            kinetic=kinetic_energy(motion.velocities, masses),
            failed=motion.failed,
        )

    def segment(motion: Motion, length: Int[Array, ""]) -> tuple[Motion, Frames]:
        def goes_on(state):
            done, motion = state
            return (done < length) & (motion.failed == NEVER).any()

        def step(state):
            done, motion = state
            return done + 1, _stepped(motion, integrator, gradient, masses, topology)

        _, motion = jax.lax.while_loop(goes_on, step, (jnp.zeros_like(length), motion))
        nothing = jax.tree.map(lambda a: jnp.zeros(a.shape, a.dtype), jax.eval_shape(look, motion))
        return motion, jax.lax.cond(length > 0, look, lambda _: nothing, motion)

    return jax.lax.scan(segment, motion, jnp.asarray(lengths))


def _stepped(
    motion: Motion,
    integrator: AbstractIntegrator,
    gradient: Gradient,
    masses: Float[Array, " atoms"],
    topology: Topology,
) -> Motion:
    """Return the motion one step later, where it can be: replicas that blow up stay."""
    elapsed = jnp.where(motion.step < 0, 0.0, integrator.timestep)
    integrator = eqx.tree_at(lambda i: i.timestep, integrator, elapsed)
    positions, velocities, slope = integrator.moved(motion, gradient, masses, topology)
    # Written so that a NaN is no sane move.
    sane = (jnp.abs(positions - motion.positions) < LONGEST_MOVE).all((1, 2)) & jnp.isfinite(slope).all((1, 2))
    well = motion.failed == NEVER
    moves = (well & sane)[:, None, None]
    return Motion(
        step=motion.step + 1,
        positions=jnp.where(moves, positions, motion.positions),
        velocities=jnp.where(moves, velocities, motion.velocities),
        gradient=jnp.where(moves, slope, motion.gradient),
        failed=jnp.where(well & ~sane, motion.step + 1, motion.failed),
        keys=motion.keys,
    )


def _gradient_of(model: AbstractModel, topology: Topology, n_replicas: int) -> Gradient:
    """Return the gradient of the energy of replicas."""
    if n_replicas == 1:
        # A batch of one is slower than none.
        return lambda x: model.gradient(topology, x[0])[None]
    if isinstance(model, Painn) and jax.default_backend() == "cpu":
        # The features of one molecule fill the cache of a core.
        return lambda replicas: jax.lax.map(lambda x: model.gradient(topology, x), replicas)
    return jax.vmap(lambda x: model.gradient(topology, x))


def _energy_of(model: AbstractModel, topology: Topology):
    return jax.vmap(lambda x: model.energy(topology, x).sum())
