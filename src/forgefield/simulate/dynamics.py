"""Molecular dynamics of replicas of a batch: many steps in one compiled loop, frames at regular steps."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from time import perf_counter

import equinox as eqx
import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
from jaxtyping import Array, Bool, Float, Int, Key

from forgefield.models.model import AbstractModel
from forgefield.molecules.topology import Topology
from forgefield.simulate.integrators import AbstractIntegrator, Gradient
from forgefield.simulate.listing import Listing, Lists
from forgefield.simulate.motion import NEVER, Motion, kinetic_energy, thermal_velocities

LONGEST_MOVE = 0.5
"""Å in one step; an atom of a molecule that is integrated with sense moves a tenth of it."""
_MOST_STEPS = 2000
"""Steps of one compiled call, after which the caller hears of them."""
_FIRST_STEPS = 50_000
"""Steps times atoms of the first call; how many the next may take is told by its time."""
_BLOCK_S = 1.0
"""Seconds that one compiled call should take at most."""
_MOST_SEGMENTS = 64
_LARGEST_BATCH = 2**20
"""Interactions of all replicas, or pairs of atoms, that are computed at once; one takes a kilobyte or so."""
_LARGEST_REPORT = 2**22
"""Numbers that the frames of one compiled call hold."""

PerReplica = Float[Array, " replicas"]


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
    """kcal/mol, of `velocities`."""
    thermal: Float[Array | np.ndarray, "*frames replicas"]
    """kcal/mol; the kinetic energy that tells the temperature, `AbstractIntegrator.thermal_energy`."""
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
    listing: Listing | None = None,
) -> Motion:
    """Return replicas at rest in all but their thermal motion [K], each molecule's momentum zero.

    Positions in Å, masses in amu; the precision is that of the positions. A replica's random numbers depend on the
    seed and on its place among the replicas only. With a `listing` the model is to see listed neighbours, of one
    molecule.
    """
    x = jnp.asarray(positions)
    keys = jax.vmap(lambda replica: jr.fold_in(jr.key(seed), replica))(jnp.arange(x.shape[0]))
    motion = _start(topology, x, jnp.asarray(masses, x.dtype), jnp.asarray(temperature, x.dtype), keys)
    return motion if listing is None else replace(motion, listed=x, listing=listing)


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
        listed=positions[:, :0],
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
    interrupted bit by bit; when neighbours are listed anew depends on the motion alone. A replica blows up where an
    atom moves `LONGEST_MOVE` in a step or its forces are not finite; it then stays where it was, with the step in
    `failed`. Ends early when all have blown up.
    """
    masses = jnp.asarray(masses, motion.positions.dtype)
    n_segments = min(max(_LARGEST_REPORT // (3 * motion.positions.size), 1), _MOST_SEGMENTS)
    # A step with listed neighbours may take seconds.
    most = 1 if motion.listing is not None else min(max(_FIRST_STEPS * 3 // motion.positions.size, 1), _MOST_STEPS)
    lists = None
    while int(motion.step) < n_steps and bool((np.asarray(motion.failed) == NEVER).any()):
        if motion.listing is not None and lists is None:
            lists = motion.listing.neighbours(motion.listed)
        began, at = perf_counter(), int(motion.step)
        lengths = _lengths(at, n_steps, every, n_segments, most)
        context = Context(model, topology, masses, integrator, lists)
        motion, frames, ended, outgrown = _block(context, motion, lengths)
        step = np.asarray(frames.step)
        reported = np.asarray(ended) & (step % every == 0)
        # An early end repeats its last frame.
        reported[1:] &= step[1:] > step[:-1]
        if bool(outgrown):
            motion, lists = replace(motion, listed=motion.positions), None
        yield Block(jax.tree.map(lambda a, reported=reported: np.asarray(a)[reported], frames), motion)
        taken = int(motion.step) - at
        most = min(max(int(_BLOCK_S * taken / (perf_counter() - began)), 1), 2 * most, _MOST_STEPS)


def _lengths(at: int, n_steps: int, every: int, n_segments: int, most: int) -> Int[np.ndarray, " segments"]:
    """Return how many steps there are to each of the next frames, of `most` steps together."""
    lengths: list[int] = []
    while at < n_steps and len(lengths) < n_segments and sum(lengths) < most:
        lengths.append(min(every - at % every, n_steps - at, most - sum(lengths)))
        at += lengths[-1]
    padded = np.zeros(n_segments, np.int32)
    padded[: len(lengths)] = lengths
    return padded


class Context(eqx.Module):
    """All that steps depend on but the motion."""

    model: AbstractModel
    topology: Topology
    masses: Float[Array, " atoms"]
    """amu"""
    integrator: AbstractIntegrator
    lists: Lists | None
    """Neighbours, where they are listed."""


@eqx.filter_jit
def _block(
    context: Context, motion: Motion, lengths: Int[Array | np.ndarray, " segments"]
) -> tuple[Motion, Frames, Bool[Array, " segments"], Bool[Array, ""]]:
    """Take as many steps as each segment has, and look at the replicas after each.

    Returns also which segments have come to their end, and whether a list of neighbours no longer holds: it would not
    after the next step, which is then not taken, nor any further one.
    """
    n_replicas = motion.positions.shape[0]
    gradient = _gradient_of(context, n_replicas)
    energy = _energy_of(context, n_replicas)

    def look(motion: Motion) -> Frames:
        return Frames(
            step=motion.step,
            positions=motion.positions,
            velocities=motion.velocities,
            gradient=motion.gradient,
            potential=energy(motion.positions),
            kinetic=kinetic_energy(motion.velocities, context.masses),
            thermal=context.integrator.thermal_energy(motion, context.masses),
            failed=motion.failed,
        )

    def segment(state, length: Int[Array, ""]):
        def goes_on(state):
            done, outgrown, motion = state
            return (done < length) & ~outgrown & (motion.failed == NEVER).any()

        def step(state):
            done, _, motion = state
            taken = _stepped(motion, context, gradient)
            if motion.listing is None:
                return done + 1, jnp.zeros((), bool), taken
            outgrown = ~motion.listing.holds(taken.positions, motion.listed).all()
            return done + 1, outgrown, jax.tree.map(lambda old, new: jnp.where(outgrown, old, new), motion, taken)

        motion, outgrown = state
        _, outgrown, motion = jax.lax.while_loop(goes_on, step, (jnp.zeros_like(length), outgrown, motion))
        nothing = jax.tree.map(lambda a: jnp.zeros(a.shape, a.dtype), jax.eval_shape(look, motion))
        ended = (length > 0) & ~outgrown
        return (motion, outgrown), (jax.lax.cond(ended, look, lambda _: nothing, motion), ended)

    begun = motion, jnp.zeros((), bool)
    (motion, outgrown), (frames, ended) = jax.lax.scan(segment, begun, jnp.asarray(lengths))
    return motion, frames, ended, outgrown


def _stepped(motion: Motion, context: Context, gradient: Gradient) -> Motion:
    """Return the motion one step later, where it can be: replicas that blow up stay."""
    elapsed = jnp.where(motion.step < 0, 0.0, context.integrator.timestep)
    integrator = eqx.tree_at(lambda i: i.timestep, context.integrator, elapsed)
    positions, velocities, slope = integrator.moved(motion, gradient, context.masses, context.topology)
    # Written so that a NaN is no sane move.
    sane = (jnp.abs(positions - motion.positions) < LONGEST_MOVE).all((1, 2)) & jnp.isfinite(slope).all((1, 2))
    if motion.listing is not None:
        # A step that a fresh list does not outlast would be tried for ever.
        sane &= motion.listing.holds(positions, motion.positions)
    well = motion.failed == NEVER
    moves = (well & sane)[:, None, None]
    return Motion(
        step=motion.step + 1,
        positions=jnp.where(moves, positions, motion.positions),
        velocities=jnp.where(moves, velocities, motion.velocities),
        gradient=jnp.where(moves, slope, motion.gradient),
        failed=jnp.where(well & ~sane, motion.step + 1, motion.failed),
        keys=motion.keys,
        listed=motion.listed,
        listing=motion.listing,
    )


def _gradient_of(context: Context, n_replicas: int) -> Gradient:
    """Return the gradient of the energy of replicas."""
    model, topology, lists = context.model, context.topology, context.lists
    if lists is not None:
        # Replica by replica: the messages of a large molecule are many times larger than all else.
        return lambda replicas: jax.lax.map(
            lambda one: model.gradient(one[1].in_topology(topology), one[0]), (replicas, lists)
        )
    if n_replicas == 1:
        # A batch of one is slower than none.
        return lambda x: model.gradient(topology, x[0])[None]
    if model.traits.in_turn and jax.default_backend() == "cpu":
        return lambda replicas: jax.lax.map(lambda x: model.gradient(topology, x), replicas)
    return _mapped(lambda x: model.gradient(topology, x), topology, n_replicas)


def _energy_of(context: Context, n_replicas: int) -> Callable[[Float[Array, "replicas atoms 3"]], PerReplica]:
    """Return the energy of replicas, of all their molecules."""
    model, topology, lists = context.model, context.topology, context.lists
    if lists is not None:
        return lambda replicas: jax.lax.map(
            lambda one: model.energy(one[1].in_topology(topology), one[0]).sum(), (replicas, lists)
        )
    return _mapped(lambda x: model.energy(topology, x).sum(), topology, n_replicas)


def _mapped(
    function: Callable[[Float[Array, "atoms 3"]], Array], topology: Topology, n_replicas: int
) -> Callable[[Float[Array, "replicas atoms 3"]], Array]:
    """Return a function of one replica as one of all, as many at once as there is memory for."""
    n = sum(group.atoms.shape[0] for group in topology.interactions) or topology.n_atoms * topology.n_max
    at_once = max(_LARGEST_BATCH // max(n, 1), 1)
    if n_replicas <= at_once:
        return jax.vmap(function)
    return lambda replicas: jax.lax.map(function, replicas, batch_size=at_once)
