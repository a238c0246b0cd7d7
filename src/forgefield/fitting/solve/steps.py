"""The programs of a fit: one step of all its starts, in one kernel or, where molecules relax, in parts."""

from collections.abc import Callable

import equinox as eqx
import jax
from jaxtyping import Array, Float

from forgefield.compiled import compiled
from forgefield.fitting.cost.cost import Modes, Problem, Quadratic, add_relaxed, quadratic
from forgefield.fitting.cost.gram import Gram
from forgefield.fitting.solve.levenberg_marquardt import LevenbergMarquardt, State, step, trial
from forgefield.fitting.targets.target import View

_NUMBERS = 100_000_000
"""Numbers that the evaluation of all starts at once may take."""


class Seen(eqx.Module):
    """What an evaluation leaves for those that follow."""

    modes: Modes | None
    """Where modes are matched."""
    positions: Float[Array, "chunks atoms 3"] | None
    """Relaxed structures [Å], where the next search begins."""


def begin_programs(problem: Problem, form: Gram | None, state: State, matching) -> None:
    """Begin to compile the programs of a step where there are several: two take half the time of one of both."""
    if problem.relaxes:
        # Of the shapes of what will be found at the reference geometries.
        seen = Seen(state.seen.modes if problem.matches(View.REFERENCE) else None, None)
        _at_reference.soon(problem, form, state.at, matching)
        _at_relaxed.soon(problem, state.at, state.quadratic, seen, state.seen.positions, matching)


def step_all(problem: Problem, form: Gram | None, state: State, matching, solver: LevenbergMarquardt) -> State:
    """Return the state of all starts after a step of each."""
    return (_in_parts if problem.relaxes else _in_one)(problem, form, state, matching, solver)


def _in_parts(problem: Problem, form: Gram | None, state: State, matching, solver: LevenbergMarquardt) -> State:
    trials = _trials(problem, form, state)
    found, seen = _at_reference(problem, form, trials, matching)
    if problem.relaxes:
        found, seen = _at_relaxed(problem, trials, found, seen, state.seen.positions, matching)
    return _stepped(problem, form, (state, trials, found, seen), solver)


_in_one = compiled(_in_parts)


@compiled
def _trials(problem: Problem, form: Gram | None, state: State) -> Float[Array, "starts free"]:
    """Return where each start goes next."""
    return _map_starts(problem, form, lambda state: trial(state, problem.bounds), state)


@compiled
def _at_reference(problem: Problem, form: Gram | None, trials, matching) -> tuple[Quadratic, Seen]:
    """Return the costs at the reference geometries, with the modes where they are matched."""

    def one(given):
        at, matching = given
        found, modes = quadratic(problem, at, matching) if form is None else (form.quadratic(problem, at), None)
        return found, Seen(modes, None)

    return _map_starts(problem, form, one, (trials, matching))


@compiled
def _at_relaxed(problem: Problem, trials, found: Quadratic, seen: Seen, positions, matching) -> tuple[Quadratic, Seen]:
    """Add the targets at relaxed structures to what was found at the reference geometries."""

    def one(given):
        at, found, seen, positions, matching = given
        total, positions, modes = add_relaxed(problem, at, found, positions, matching)
        return total, Seen(seen.modes if modes is None else modes, positions)

    return _map_starts(problem, None, one, (trials, found, seen, positions, matching))


@compiled
def _stepped(problem: Problem, form: Gram | None, tried, solver: LevenbergMarquardt) -> State:
    """Return the state of each start after its trial."""

    def one(given):
        state, there, found, seen = given
        return step(state, there, found, seen, problem.bounds, solver)

    return _map_starts(problem, form, one, tried)


def _map_starts(problem: Problem, form: Gram | None, one: Callable, given):
    """Map a function of one start over all of them."""
    size = min(len(jax.tree.leaves(given)[0]), _batch_size(problem, form))
    # A program for batches of one start takes half as long again to compile as one for single starts.
    return jax.lax.map(one, given, batch_size=size if size > 1 else None)


def _batch_size(problem: Problem, form: Gram | None) -> int:
    """Return how many starts may be evaluated at once within the memory set aside for them."""
    if problem.relaxes:
        # All starts would take the steps of the one that relaxes slowest.
        return 1
    if form is not None:
        n_numbers = 4 * form.matrix.size
    else:
        n_slots, n_own = problem.chunks.selection.columns.shape[1:]
        n_coordinates = problem.chunks.data.modes.shape[2]
        n_numbers = n_slots * n_own * n_coordinates + 3 * n_own * n_coordinates**2
    return max(1, _NUMBERS // n_numbers)
