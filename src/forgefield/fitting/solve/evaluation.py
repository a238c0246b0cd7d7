"""The programs that evaluate all starts: one for the reference geometries, and one for relaxed structures."""

from collections.abc import Callable

import jax
import numpy as np
from jaxtyping import Array, Float

from forgefield.compiled import compiled
from forgefield.fitting.cost.cost import Problem, Quadratic, add_relaxed, cost_alone, measured, with_prior
from forgefield.fitting.cost.gram import Gram
from forgefield.fitting.cost.on_ladder import on_ladder, resized, starts_on_ladder
from forgefield.fitting.data.ladder import grown
from forgefield.fitting.data.training_set import FloatArray
from forgefield.fitting.targets.target import View

_NUMBERS = 100_000_000
"""Numbers that the evaluation of all starts at once may take."""

Relaxed = Float[Array | np.ndarray, "starts chunks atoms 3"] | None
"""Relaxed structures of each start [Å], from which they are looked for again; None where nothing is relaxed."""


def begin_programs(problem: Problem, form: Gram | None, at: FloatArray, like: Quadratic, positions) -> None:
    """Begin to compile an evaluation where it is of several programs: two take half the time of one of both.

    `at` are scaled variables of all starts, `like` has the shapes of what is found there.
    """
    if problem.relaxes:
        wide = on_ladder(problem)
        trials = grown(at, None, wide.n_free)
        if form is None:
            _at_reference.soon(wide, trials)
        _at_relaxed.soon(wide, trials, resized(like, wide.n_free), starts_on_ladder(wide, positions))


def quadratics(
    problem: Problem,
    form: Gram | None,
    at: Float[np.ndarray, "starts free"],
    positions: Relaxed,
    *,
    wide: Problem | None = None,
) -> tuple[Quadratic, Relaxed]:
    """Return the cost of every start at scaled variables with its gradient and Gauss-Newton matrix.

    Returns also the relaxed structures, which are looked for from `positions`. `wide` is the problem on its rung, where
    it is at hand.
    """
    if form is not None and not problem.relaxes:
        return _together([form.quadratic(problem, one) for one in at]), None
    wide = on_ladder(problem) if wide is None else wide
    trials, n = grown(at, None, wide.n_free), problem.n_free
    if form is None:
        found = resized(_at_reference(wide, trials), n)
        found = _together([with_prior(_of(found, s), problem.prior.strength, one) for s, one in enumerate(at)])
    else:
        found = _together([form.quadratic(problem, one) for one in at])
    if positions is None:
        return found, None
    found, ended = _at_relaxed(wide, trials, resized(found, wide.n_free), starts_on_ladder(wide, positions))
    return resized(found, n), grown(ended, None, None, positions.shape[2])


def _of(found: Quadratic, start: int) -> Quadratic:
    return jax.tree.map(lambda leaf: np.asarray(leaf)[start], found)


def _together(each: list[Quadratic]) -> Quadratic:
    return jax.tree.map(lambda *leaves: np.stack(leaves), *each)


@compiled
def _at_reference(problem: Problem, trials) -> Quadratic:
    """Return the costs at the reference geometries, without that of the prior."""
    return _map_starts(problem, lambda at: measured(problem, at), trials)


@compiled
def _at_relaxed(problem: Problem, trials, found: Quadratic, positions) -> tuple[Quadratic, Array]:
    """Add the targets at relaxed structures to what was found at the reference geometries."""
    return _map_starts(problem, lambda given: add_relaxed(problem, *given), (trials, found, positions))


@compiled
def costs_at_reference(problem: Problem, trials) -> Array:
    """Return the costs alone at the reference geometries, without that of the prior."""
    return _map_starts(problem, lambda at: cost_alone(problem, View.REFERENCE, at), trials)


@compiled
def costs_at_relaxed(problem: Problem, trials) -> Array:
    """Return the costs alone of targets at relaxed structures, which are looked for from those of the reference."""
    return _map_starts(problem, lambda at: cost_alone(problem, View.RELAXED, at), trials)


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
