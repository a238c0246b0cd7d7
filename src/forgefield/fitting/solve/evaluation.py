"""The programs that evaluate all starts: in one kernel or, where molecules relax, in parts."""

from collections.abc import Callable

import equinox as eqx
import jax
from jaxtyping import Array, Float

from forgefield.compiled import compiled
from forgefield.fitting.cost.cost import Modes, Problem, Quadratic, add_relaxed, quadratic
from forgefield.fitting.cost.gram import Gram
from forgefield.fitting.data.training_set import FloatArray
from forgefield.fitting.targets.target import View

_NUMBERS = 100_000_000
"""Numbers that the evaluation of all starts at once may take."""


class Found(eqx.Module):
    """What an evaluation leaves for those that follow."""

    modes: Modes | None
    """Where modes are matched."""
    positions: Float[Array, "chunks atoms 3"] | None
    """Relaxed structures [Å], where the next search begins."""


def begin_programs(problem: Problem, form: Gram | None, like: tuple[FloatArray, Quadratic, Found], matching) -> None:
    """Begin to compile an evaluation where it is of several programs: two take half the time of one of both.

    `like` has the shapes of scaled variables of all starts and of what is found there.
    """
    if problem.relaxes:
        at, found, seen = like
        # Of the shapes of what will be found at the reference geometries.
        there = Found(seen.modes if problem.matches(View.REFERENCE) else None, None)
        _at_reference.soon(problem, form, at, matching)
        _at_relaxed.soon(problem, at, found, there, seen.positions, matching)


def quadratics(
    problem: Problem, form: Gram | None, at: Float[Array, "starts free"], matching, positions
) -> tuple[Quadratic, Found]:
    """Return the cost of every start at scaled variables, with its gradient and Gauss-Newton matrix.

    Structures relax from `positions` [Å], or from None where nothing is relaxed.
    """
    found, seen = _at_reference(problem, form, at, matching)
    return _at_relaxed(problem, at, found, seen, positions, matching) if problem.relaxes else (found, seen)


@compiled
def _at_reference(problem: Problem, form: Gram | None, trials, matching) -> tuple[Quadratic, Found]:
    """Return the costs at the reference geometries, with the modes where they are matched."""

    def one(given):
        at, matching = given
        found, modes = quadratic(problem, at, matching) if form is None else (form.quadratic(problem, at), None)
        return found, Found(modes, None)

    return map_starts(problem, form, one, (trials, matching))


@compiled
def _at_relaxed(
    problem: Problem, trials, found: Quadratic, seen: Found, positions, matching
) -> tuple[Quadratic, Found]:
    """Add the targets at relaxed structures to what was found at the reference geometries."""

    def one(given):
        at, found, seen, positions, matching = given
        total, positions, modes = add_relaxed(problem, at, found, positions, matching)
        return total, Found(seen.modes if modes is None else modes, positions)

    return map_starts(problem, None, one, (trials, found, seen, positions, matching))


def map_starts(problem: Problem, form: Gram | None, one: Callable, given):
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
