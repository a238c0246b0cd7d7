"""A small problem filled up to the sizes of its rung, so that its programs serve other molecules of about the size."""

from dataclasses import replace

import jax
import numpy as np

from forgefield.fitting.cost.cost import Prior, Problem, Quadratic
from forgefield.fitting.data.chunks import chunks_on_ladder
from forgefield.fitting.data.ladder import filled, grown
from forgefield.fitting.data.training_set import FloatArray
from forgefield.models.trainable import Variables

_NOWHERE = np.iinfo(np.int32).max
"""The place of values that no model has."""


def on_ladder(problem: Problem) -> Problem:
    """Return a problem with room for more of everything: variables that fill up change nothing and cost nothing.

    Only what is measured is the same: the mean of the prior is taken over all variables.
    """
    wide = chunks_on_ladder(problem.chunks, problem.model.values.shape[0])
    if wide is problem.chunks:
        return problem
    n, old, prior = wide.selection.n, problem.variables, problem.prior
    data = jax.tree.map(lambda leaf: np.asarray(leaf)[0], problem.chunks.data)
    variables = Variables(
        places=grown(old.places, n, value=_NOWHERE),
        leader=grown(old.leader, n),
        factor=grown(old.factor, n),
        offset=grown(old.offset, n),
        lower=grown(old.lower, n),
        upper=grown(old.upper, n),
        own=grown(old.own, n),
    )
    widths = Prior(grown(prior.centre, n), grown(prior.width, n, value=1.0), prior.strength)
    return replace(problem, model=filled(problem.model, data), chunks=wide, prior=widths, variables=variables)


def starts_on_ladder(wide: Problem, positions: FloatArray) -> FloatArray:
    """Return positions of all starts [Å] with the spare atoms of a problem on its rung."""
    spare = np.asarray(wide.chunks.data.positions)
    total = np.broadcast_to(spare, (len(positions), *spare.shape)).copy()
    total[:, :, : positions.shape[2]] = positions
    return total


def resized(found: Quadratic, n_free: int) -> Quadratic:
    """Return costs of all starts with derivatives by fewer variables, or by more that change nothing."""
    return Quadratic(found.cost, grown(found.gradient, None, n_free), grown(found.normal, None, n_free, n_free))
