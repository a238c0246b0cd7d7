"""Whether the points where searches ended are minima: by a Newton step from there, whatever the search went by."""

import jax
import numpy as np
from jaxtyping import Bool, Float

from forgefield.fitting.cost.cost import Problem, Quadratic
from forgefield.fitting.cost.gram import Gram
from forgefield.fitting.solve.bounded import has_converged
from forgefield.fitting.solve.evaluation import Relaxed, quadratics

Judged = tuple[Quadratic, Bool[np.ndarray, " starts"]]
"""Cost, gradient and Gauss-Newton matrix at a point of each start, and which have converged there."""


def judged(
    problem: Problem, form: Gram | None, at: Float[np.ndarray, "starts free"], positions: Relaxed, tolerance: float
) -> Judged:
    """Judge the points of all starts by the program of all of them."""
    if positions is None and problem.relaxes:
        positions = np.stack(len(at) * [np.asarray(problem.chunks.data.positions)])
    found, _ = quadratics(problem, form, np.asarray(at), positions)
    each = [jax.tree.map(lambda leaf, s=s: np.asarray(leaf)[s], found) for s in range(len(at))]
    return found, np.array(
        [has_converged(end, one, problem.bounds, tolerance) for end, one in zip(each, at, strict=True)]
    )


def judged_one_by_one(
    problem: Problem, form: Gram | None, at: Float[np.ndarray, "starts free"], positions: Relaxed, tolerance: float
) -> Judged:
    """Judge them by the program of one, each point once."""
    known: dict[bytes, Judged] = {}
    for s, one in enumerate(np.asarray(at)):
        if one.tobytes() not in known:
            begun = None if positions is None else positions[s : s + 1]
            known[one.tobytes()] = judged(problem, form, one[None], begun, tolerance)
    return jax.tree.map(lambda *leaves: np.concatenate(leaves), *(known[one.tobytes()] for one in np.asarray(at)))
