"""The programs that evaluate all starts: one for the reference geometries, and one for relaxed structures."""

from collections.abc import Callable

import jax
import numpy as np
from jaxtyping import Array, Float

from forgefield.compiled import compiled
from forgefield.fitting.cost.cost import Problem, Quadratic, add_relaxed, quadratic
from forgefield.fitting.cost.gram import Gram
from forgefield.fitting.data.training_set import FloatArray

_NUMBERS = 100_000_000
"""Numbers that the evaluation of all starts at once may take."""

Relaxed = Float[Array | np.ndarray, "starts chunks atoms 3"] | None
"""Relaxed structures of each start [Å], from which they are looked for again; None where nothing is relaxed."""


def begin_programs(problem: Problem, form: Gram | None, at: FloatArray, like: Quadratic, positions) -> None:
    """Begin to compile an evaluation where it is of several programs: two take half the time of one of both.

    `at` are scaled variables of all starts, `like` has the shapes of what is found there.
    """
    if problem.relaxes:
        if form is None:
            _at_reference.soon(problem, at)
        _at_relaxed.soon(problem, at, like, positions)


def quadratics(
    problem: Problem, form: Gram | None, at: Float[np.ndarray, "starts free"], positions: Relaxed
) -> tuple[Quadratic, Relaxed]:
    """Return the cost of every start at scaled variables with its gradient and Gauss-Newton matrix.

    Returns also the relaxed structures, which are looked for from `positions`.
    """
    if form is None:
        found = _at_reference(problem, at)
    else:
        found = jax.tree.map(lambda *leaves: np.stack(leaves), *(form.quadratic(problem, one) for one in at))
    return _at_relaxed(problem, at, found, positions) if problem.relaxes else (found, None)


@compiled
def _at_reference(problem: Problem, trials) -> Quadratic:
    """Return the costs at the reference geometries."""
    return _map_starts(problem, lambda at: quadratic(problem, at), trials)


@compiled
def _at_relaxed(problem: Problem, trials, found: Quadratic, positions) -> tuple[Quadratic, Array]:
    """Add the targets at relaxed structures to what was found at the reference geometries."""
    return _map_starts(problem, lambda given: add_relaxed(problem, *given), (trials, found, positions))


def _map_starts(problem: Problem, one: Callable, given):
    """Map a function of one start over all of them."""
    size = min(len(jax.tree.leaves(given)[0]), _batch_size(problem))
    # A program for batches of one start takes half as long again to compile as one for single starts.
    return jax.lax.map(one, given, batch_size=size if size > 1 else None)


def _batch_size(problem: Problem) -> int:
    """Return how many starts may be evaluated at once within the memory set aside for them."""
    if problem.relaxes:
        # All starts would take the steps of the one that relaxes slowest.
        return 1
    n_slots, n_own = problem.chunks.selection.columns.shape[1:]
    n_coordinates = problem.chunks.data.modes.shape[2]
    return max(1, _NUMBERS // (n_slots * n_own * n_coordinates + 3 * n_own * n_coordinates**2))
