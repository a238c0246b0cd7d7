"""The cost of a fit by another program, whose gradient is made of differences."""

import numpy as np
from jaxtyping import Float

from forgefield.fitting.cost.by_program import CostByProgram, Program
from forgefield.fitting.cost.cost import Problem
from forgefield.fitting.data.training_set import TrainingSet
from forgefield.fitting.solve.objective import AbstractObjective

_STEP = 1e-4
"""Of the differences, in widths of the prior."""


class ByProgram(AbstractObjective):
    """The cost by what a program says of all molecules of a training set."""

    def __init__(self, problem: Problem, data: TrainingSet, program: Program) -> None:
        super().__init__(problem.n_free, problem.bounds, exact=False)
        self._cost = CostByProgram(problem, data, program)

    def _costs(self, at: Float[np.ndarray, "points free"]) -> Float[np.ndarray, " points"]:
        return np.array([self._one(one) for one in at])

    def _one(self, at: Float[np.ndarray, " free"]) -> float:
        # A program may take seconds for a point, and the differences of a gradient are many points.
        self.meter.before()
        return self._cost(at)

    def _slopes(
        self, at: Float[np.ndarray, "points free"]
    ) -> tuple[Float[np.ndarray, " points"], Float[np.ndarray, "points free"]]:
        return self._costs(at), np.stack([self._slope(one) for one in at])

    def _slope(self, at: Float[np.ndarray, " free"]) -> Float[np.ndarray, " free"]:
        """Return the gradient by central differences, one-sided where a bound is in the way."""
        lower, upper = self.bounds
        apart = _STEP * np.eye(self.n_free)
        ends = np.clip(np.concatenate([at + apart, at - apart]), lower, upper)
        self.meter.evaluations += len(ends)
        there, back = self._costs(ends).reshape(2, -1)
        between = np.diagonal(ends[: self.n_free] - ends[self.n_free :])
        return (there - back) / between
