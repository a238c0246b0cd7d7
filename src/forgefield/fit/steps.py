"""The programs of a fit: one step of all its starts, in one kernel or, where molecules relax, in parts."""

from collections.abc import Callable

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from forgefield.fit.cost import Modes, Problem, Quadratic, quadratic
from forgefield.fit.gram import Gram
from forgefield.fit.levenberg_marquardt import LevenbergMarquardt, State, decided, proposed, step, trial
from forgefield.fit.relaxed_cost import add_relaxed
from forgefield.models.compiled import compiled

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
        found = state.quadratic, state.seen.modes if problem.matches_reference else None
        _at_reference.soon(problem, form, state.at, matching)
        _at_relaxed.soon(problem, state.at, found, state.seen.positions, matching)


def step_all(problem: Problem, form: Gram | None, state: State, matching, solver: LevenbergMarquardt) -> State:
    """Return the state of all starts after a step of each."""
    if not problem.relaxes:
        return _step_in_one(problem, form, state, matching, solver)
    moves, trials = _proposed(problem, state)
    found = _at_reference(problem, form, trials, matching)
    found, seen = _at_relaxed(problem, trials, found, state.seen.positions, matching)
    return _decided(problem, state, moves, found, seen, solver)


@compiled
def _step_in_one(problem: Problem, form: Gram | None, state: State, matching, solver: LevenbergMarquardt) -> State:
    def one(given):
        state, matching = given

        def evaluate(at):
            found, modes = _evaluated(problem, form, at, matching)
            return found, Seen(modes, None)

        return step(state, evaluate, *_bounds(problem), solver)

    return _map_starts(problem, form, one, (state, matching))


def _evaluated(problem: Problem, form: Gram | None, at, matching) -> tuple[Quadratic, Modes | None]:
    """Return the cost at the reference geometries, with the modes where they are matched."""
    return quadratic(problem, at, matching) if form is None else (form.quadratic(problem, at), None)


@compiled
def _proposed(problem: Problem, state: State):
    """Return the next move of each start and where it leads."""
    bounds = _bounds(problem)

    def one(state):
        move = proposed(state, *bounds)
        return move, trial(state, move, *bounds)

    return jax.vmap(one)(state)


@compiled
def _at_reference(problem: Problem, form: Gram | None, trials, matching):
    return _map_starts(problem, form, lambda given: _evaluated(problem, form, *given), (trials, matching))


@compiled
def _at_relaxed(problem: Problem, trials, found, positions, matching):
    """Add the targets at relaxed structures to what was found at the reference geometries."""

    def one(given):
        at, (quadratic, modes), positions, matching = given
        total, positions, own = add_relaxed(problem, at, quadratic, positions, matching)
        return total, Seen(modes if own is None else own, positions)

    return _map_starts(problem, None, one, (trials, found, positions, matching))


@compiled
def _decided(problem: Problem, state: State, moves, found: Quadratic, seen: Seen, solver: LevenbergMarquardt) -> State:
    bounds = _bounds(problem)

    def one(state, move, found, seen):
        return decided(state, move, found, seen, bounds, solver)

    return jax.vmap(one)(state, moves, found, seen)


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


def _bounds(problem: Problem):
    prior, variables = problem.prior, problem.variables
    width = jnp.asarray(prior.width)
    return (jnp.asarray(variables.lower) - prior.centre) / width, (jnp.asarray(variables.upper) - prior.centre) / width
