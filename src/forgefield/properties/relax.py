"""Relaxation of all molecules of a batch at once, each to the nearest stationary point of its order."""

import enum
from dataclasses import replace

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int, Shaped

from forgefield.compiled import compiled
from forgefield.models.model import AbstractModel
from forgefield.molecules.topology import Topology
from forgefield.properties.constraints import FixedDihedrals, corrected, held
from forgefield.properties.rigid import by_molecule, of_atoms, present, root_mean_square_deviations
from forgefield.properties.stationary import Landscape, landscape
from forgefield.properties.trust import settled, step

_FIRST_RADIUS, _LARGEST_RADIUS = 0.5, 2.0
"""Å: lengths of a step in the coordinates of all atoms of a molecule together."""
_POOR, _GOOD = 0.25, 0.75
"""Ratios of the change of energy to its prediction that shrink and widen the radius of trust."""
_MOST_SETTLED = 3
"""How often a trial that went up the wall of a valley is led back to its floor, before the radius shrinks."""
_ROUNDING = 1e-9
"""Predicted changes below this fraction of the energy cannot be told from rounding."""
_HELD = 1e-8
"""rad; how well a held dihedral angle must hold."""

_SEARCHING, _LAST_STEP, _ENDED = 0, 1, 2


class Failure(enum.IntEnum):
    """Why a molecule has no relaxed structure."""

    NONE = 0
    NOT_FINITE = 1
    BOND_BROKEN = 2
    MOVED_TOO_FAR = 3
    NOT_CONVERGED = 4
    WRONG_ORDER = 5
    CONSTRAINT_UNMET = 6

    @property
    def sentence(self) -> str:
        """What happened, in words; empty for `NONE`."""
        return _SENTENCES[self]


_SENTENCES = {
    Failure.NONE: "",
    Failure.NOT_FINITE: "energy, gradient or Hessian of its starting geometry is not finite",
    Failure.BOND_BROKEN: "a bond broke: it became longer than the limit allows",
    Failure.MOVED_TOO_FAR: "its structure moved away from the reference by more than the limit",
    Failure.NOT_CONVERGED: "it did not converge within the number of iterations allowed",
    Failure.WRONG_ORDER: "it is stationary, but with another number of negative curvatures than asked for",
    Failure.CONSTRAINT_UNMET: "its fixed dihedral angles cannot all have their values",
}


def _no_bonds() -> np.ndarray:
    return np.zeros((0, 2), dtype=np.int64)


class Limits(eqx.Module):
    """When a molecule counts as relaxed, and when as lost."""

    reference: Float[Array | np.ndarray, "atoms 3"] | None = None
    """Positions [Å] that relaxed ones are held against; None for those where the search starts."""
    bonds: Int[Array | np.ndarray, "bonds 2"] = eqx.field(default_factory=_no_bonds)
    """Atoms of the batch whose bonds must not break."""
    stretch: float = 1.5
    """A bond longer than this times its length in the reference is broken."""
    rmsd: float = 2.0
    """Å; largest root mean square deviation from the reference after superposition."""
    tolerance: float = 1e-6
    """Largest component of the gradient that may be left [kcal/mol/Å], before a last Newton step."""
    max_iterations: int = 100


class Relaxed(eqx.Module):
    """Relaxed structures, or how far each molecule came."""

    positions: Float[Array, "atoms 3"]
    """Å; not turned or shifted as a whole."""
    landscape: Landscape
    """Energy, gradient and curvatures there."""
    n_iterations: Int[Array, " molecules"]
    """Steps made."""
    rmsd: Float[Array, " molecules"]
    """Root mean square deviation from the reference after superposition [Å]."""
    failure: Int[Array, " molecules"]
    """A member of `Failure`."""

    @property
    def converged(self) -> Bool[Array, " molecules"]:
        """Whether each molecule is at a stationary point of its order, within all limits."""
        return self.failure == Failure.NONE

    @property
    def gradient_max(self) -> Float[Array, " molecules"]:
        """Largest component of the gradient that is left [kcal/mol/Å]; of its free part with constraints."""
        return self.landscape.gradient_max

    @property
    def n_negative(self) -> Int[Array, " molecules"]:
        """Number of negative curvatures."""
        return self.landscape.n_negative


class Task(eqx.Module):
    """What does not change while the molecules relax."""

    topology: Topology
    order: Int[Array, " molecules"]
    fixed: FixedDihedrals | None
    limits: Limits
    reference: Float[Array, "atoms 3"]


class State(eqx.Module):
    """Where the molecules are, and where they try to go next."""

    positions: Float[Array, "atoms 3"]
    seen: Landscape
    trial: Float[Array, "atoms 3"]
    predicted: Float[Array, " molecules"]
    length: Float[Array, " molecules"]
    radius: Float[Array, " molecules"]
    follow: Float[Array, "molecules coordinates"]
    settled: Int[Array, " molecules"]
    stage: Int[Array, " molecules"]
    steps: Int[Array, " molecules"]
    iteration: Int[Array, ""]


def search(
    model: AbstractModel,
    topology: Topology,
    positions: Float[Array, "atoms 3"],
    *,
    order: Int[Array | np.ndarray, " molecules"],
    follow: Float[Array | np.ndarray, "molecules coordinates"] | None = None,
    fixed: FixedDihedrals | None = None,
    limits: Limits | None = None,
) -> Relaxed:
    """Relax each molecule to a minimum (order 0) or a first-order saddle (order 1); those of order -1 stay.

    A saddle is sought along the mode that overlaps most with `follow`, Cartesian displacements (a mass-weighted
    mode divided by the roots of the masses) of any length, zero-padded; without it along the lowest mode. Steps
    are those of Newton in the space of the vibrations, each molecule within its own radius of trust; a molecule
    that has ended stands still. At the end one Newton step more is made, which leaves an error of the order of
    the square of the tolerance. Molecules that fail say so in `failure`; their positions are where they stopped.
    """
    task, state = begun(topology, positions, order=order, follow=follow, fixed=fixed, limits=limits)
    # Only the shapes are wanted, so that the model is compiled into the loop alone.
    shapes = eqx.filter_eval_shape(landscape, model, topology, positions, fixed)
    nothing = jax.tree.map(lambda leaf: jnp.zeros(leaf.shape, leaf.dtype), shapes)
    ended = jax.lax.while_loop(
        lambda state: is_going(task, state),
        lambda state: advanced(task, state, landscape(model, topology, state.trial, fixed)),
        replace(state, seen=nothing),
    )
    return relaxed(task, ended)


relax = compiled(search)
"""`search`, compiled; whoever asks for the same shapes shares the program."""


def begun(
    topology: Topology,
    positions: Float[Array, "atoms 3"],
    *,
    order: Int[Array | np.ndarray, " molecules"],
    follow: Float[Array | np.ndarray, "molecules coordinates"] | None,
    fixed: FixedDihedrals | None,
    limits: Limits | None,
) -> tuple[Task, State]:
    """Return a search before the first evaluation, which its first trial is."""
    limits = Limits() if limits is None else limits
    reference = positions if limits.reference is None else jnp.asarray(limits.reference, positions.dtype)
    task = Task(topology, jnp.asarray(order), fixed, limits, reference)
    n, dtype = 3 * topology.n_max, positions.dtype
    start = positions if fixed is None else corrected(fixed, topology, positions)
    zeros, flat = jnp.zeros(topology.n_molecules, dtype), jnp.zeros((topology.n_molecules, n), dtype)
    none = jnp.zeros(topology.n_molecules, int)
    return task, State(
        positions=start,
        seen=Landscape(zeros, flat, flat, jnp.zeros((*flat.shape, n), dtype), none),
        trial=start,
        predicted=zeros,
        length=zeros,
        radius=jnp.full_like(zeros, _FIRST_RADIUS),
        follow=flat if follow is None else jnp.asarray(follow, dtype),
        settled=none,
        stage=jnp.where(task.order < 0, _ENDED, _SEARCHING),
        steps=none,
        iteration=jnp.asarray(0),
    )


def is_going(task: Task, state: State) -> Bool[Array, ""]:
    """Say whether a search goes on."""
    return (state.stage < _ENDED).any() & (state.iteration <= task.limits.max_iterations)


def relaxed(task: Task, ended: State) -> Relaxed:
    """Return where a search has ended."""
    rmsd = _moved(task, ended.positions)
    return Relaxed(ended.positions, ended.seen, ended.steps, rmsd, _failures(task, ended, rmsd))


def advanced(task: Task, state: State, tried: Landscape) -> State:
    """Take the trial of each molecule or not, by what was found there, and propose the next."""
    correction, gain = settled(tried)
    accepted, again, radius = _judged(task, state, tried, gain)
    moves = accepted[jnp.asarray(task.topology.molecule)][:, None]
    positions = jnp.where(moves, state.trial, state.positions)
    seen = jax.tree.map(lambda new, old: jnp.where(_beside(accepted, new), new, old), tried, state.seen)
    stage = _next_stage(task, state, positions, seen)
    proposed = step(seen, task.order, state.follow, radius)
    turned = (jnp.einsum("mi,mi->m", proposed.followed, proposed.followed) > 0.0) & (stage < _ENDED)
    going = (stage < _ENDED)[jnp.asarray(task.topology.molecule)][:, None]
    blocks = jnp.where(again[:, None], correction, proposed.change)
    change = of_atoms(task.topology, blocks.reshape(task.topology.n_molecules, task.topology.n_max, 3))
    begins = jnp.where(again[jnp.asarray(task.topology.molecule)][:, None], state.trial, positions)
    trial = jnp.where(going, begins + change, positions)
    if task.fixed is not None:
        trial = jnp.where(going, corrected(task.fixed, task.topology, trial), positions)
    return State(
        positions=positions,
        seen=seen,
        trial=trial,
        predicted=jnp.where(again, state.predicted, proposed.predicted),
        length=jnp.where(again, state.length, proposed.length),
        radius=radius,
        follow=jnp.where(turned[:, None], proposed.followed, state.follow),
        settled=jnp.where(again, state.settled + 1, 0),
        stage=stage,
        steps=state.steps + (accepted & (state.iteration > 0)).astype(int),
        iteration=state.iteration + 1,
    )


def _judged(
    task: Task, state: State, tried: Landscape, gain: Float[Array, " molecules"]
) -> tuple[Bool[Array, " molecules"], Bool[Array, " molecules"], Float[Array, " molecules"]]:
    """Say which trials are taken, which are mended first, and the radii that follow from how well all were predicted.

    One is mended that was poorly predicted, where the change that stiff directions still bring would make it good.
    """
    old, saddle = state.seen, task.order > 0
    finite = jnp.isfinite(tried.curvatures).all(axis=1) & jnp.isfinite(tried.energy) & jnp.isfinite(tried.gradient_max)
    change = tried.energy - old.energy
    rounding = jnp.abs(state.predicted) <= _ROUNDING * (1.0 + jnp.abs(old.energy))
    ratio, mended = (
        jnp.where(rounding, 1.0, x / jnp.where(rounding, 1.0, state.predicted)) for x in (change, change + gain)
    )
    flatter = jnp.linalg.norm(tried.gradient, axis=1) < jnp.linalg.norm(old.gradient, axis=1)
    sound = jnp.where(saddle, (jnp.abs(ratio - 1.0) < 1.0) | flatter, ratio > 0.0)
    first, searching = state.iteration == 0, state.stage == _SEARCHING
    last = state.stage == _LAST_STEP
    better = tried.gradient_max <= jnp.maximum(old.gradient_max, task.limits.tolerance)
    off, still_off = (jnp.where(saddle, jnp.abs(x - 1.0), 1.0 - x) for x in (ratio, mended))
    poor, good = ~finite | (off > 1.0 - _POOR), finite & (off < 1.0 - _GOOD)
    again = ~first & searching & finite & poor & (still_off < 1.0 - _POOR) & (state.settled < _MOST_SETTLED)
    accepted = first | ((state.stage < _ENDED) & finite & ~again & jnp.where(last, better, sound))
    at_limit = state.length > 0.8 * state.radius
    wider = jnp.where(good & at_limit, jnp.minimum(2.0 * state.radius, _LARGEST_RADIUS), state.radius)
    shrunk = 0.35 * jnp.minimum(state.length, state.radius)
    changes = ~first & searching & ~again
    return accepted, again, jnp.where(changes, jnp.where(poor, shrunk, wider), state.radius)


def _next_stage(
    task: Task, state: State, positions: Float[Array, "atoms 3"], seen: Landscape
) -> Int[Array, " molecules"]:
    """Return the stage of each molecule; one that converged makes one step more, one that is lost ends."""
    arrived = (seen.gradient_max <= task.limits.tolerance) & (seen.n_negative == task.order)
    lost = _broken(task, positions) | ~jnp.isfinite(seen.curvatures).all(axis=1)
    searching = jnp.where(arrived, _LAST_STEP, jnp.where(lost, _ENDED, _SEARCHING))
    return jnp.where(state.stage == _SEARCHING, searching, _ENDED)


def _broken(task: Task, positions: Float[Array, "atoms 3"]) -> Bool[Array, " molecules"]:
    """Return which molecules have a bond longer than the limit."""
    bonds = jnp.asarray(task.limits.bonds)
    ends = (x[bonds[:, 0]] - x[bonds[:, 1]] for x in (positions, task.reference))
    length, before = (jnp.linalg.norm(end, axis=1) for end in ends)
    none = jnp.zeros(task.topology.n_molecules, bool)
    return none.at[jnp.asarray(task.topology.molecule)[bonds[:, 0]]].max(length > task.limits.stretch * before)


def _moved(task: Task, positions: Float[Array, "atoms 3"]) -> Float[Array, " molecules"]:
    """Return the root mean square deviation of each molecule from the reference after superposition [Å]."""
    now, before = (by_molecule(task.topology, x) for x in (positions, task.reference))
    return root_mean_square_deviations(now, before, present(task.topology))


def _failures(task: Task, ended: State, rmsd: Float[Array, " molecules"]) -> Int[Array, " molecules"]:
    """Return what went wrong with each molecule, the gravest where there is more than one thing."""
    stationary = ended.seen.gradient_max <= task.limits.tolerance
    found = jnp.where(ended.seen.n_negative == task.order, Failure.NONE, Failure.WRONG_ORDER)
    found = jnp.where(stationary, found, Failure.NOT_CONVERGED)
    if task.fixed is not None:
        deviation = jnp.abs(held(task.fixed, task.topology, ended.positions).deviation).max(axis=1, initial=0.0)
        found = jnp.where(deviation > _HELD, Failure.CONSTRAINT_UNMET, found)
    found = jnp.where(rmsd > task.limits.rmsd, Failure.MOVED_TOO_FAR, found)
    found = jnp.where(_broken(task, ended.positions), Failure.BOND_BROKEN, found)
    finite = jnp.isfinite(ended.seen.curvatures).all(axis=1) & jnp.isfinite(ended.seen.energy)
    return jnp.where(finite, found, Failure.NOT_FINITE)


def _beside(flags: Bool[Array, " molecules"], leaf: Shaped[Array, "molecules *_"]) -> Bool[Array, "molecules *_"]:
    """Return flags in a shape that broadcasts against a leaf."""
    return flags.reshape(-1, *(1,) * (leaf.ndim - 1))
