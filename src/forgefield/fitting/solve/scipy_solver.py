"""SciPy's bounded trust region on the residuals of a fit and their Jacobian: a second opinion on every optimum."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int
from scipy.optimize import least_squares

from forgefield.compiled import compiled
from forgefield.fitting.cost.cost import Linearised, Problem, Quadratic, gauss_newton, linearise
from forgefield.fitting.cost.gram import Gram
from forgefield.fitting.solve.bounded import has_converged
from forgefield.fitting.solve.evaluation import Relaxed
from forgefield.fitting.solve.objective import Needs
from forgefield.fitting.solve.solver import AbstractSolver, AbstractState, Course, Tried, more_steps

_FINEST = 1e-12
"""Well below our own tolerance, by which the end is judged."""
_NEAR = 1e-6
"""The trust region stays inside the bounds: a variable pressed to one this close, in prior widths, is put on it."""
_UNCHANGED = 1e-9
"""Share of the cost by which it may rise thereby."""


class Search(AbstractState):
    """Where each start is. SciPy does not give away its trust region, which is a new one after an interruption."""

    at: Float[Array | np.ndarray, "starts free"]
    n_accepted: Int[Array | np.ndarray, " starts"]
    n_evaluations: Int[np.ndarray, " starts"]
    ended: Bool[np.ndarray, " starts"]

    @property
    def done(self) -> Bool[np.ndarray, " starts"]:
        """Which starts have ended."""
        return self.ended


class TrustRegionReflective(AbstractSolver):
    """SciPy's `least_squares`, for one start after another, with at most `max_steps` evaluations for each."""

    tolerance: float = 1e-9
    max_steps: int = 200

    @property
    def needs(self) -> Needs:
        """Residuals with their Jacobian."""
        return Needs.RESIDUALS

    def begin(self, problem: Problem, points: Float[np.ndarray, "starts free"]) -> Search:
        """Return the state before anything has been evaluated."""
        n, (lower, upper) = len(points), problem.bounds
        at = np.clip(np.asarray(points), lower, upper)
        return Search(at, np.full(n, -1), np.zeros(n, dtype=int), np.zeros(n, dtype=bool))

    def run(self, course: Course) -> None:
        """Minimise from one start after another."""
        for s in np.flatnonzero(~np.asarray(course.progress.state.done)):
            _Search(course, self.max_steps, int(s)).run()

    def judge(
        self, problem: Problem, form: Gram | None, at: Float[np.ndarray, "starts free"], positions: Relaxed
    ) -> tuple[Quadratic, Bool[np.ndarray, " starts"]]:
        """Return what the residuals and their Jacobian make of these points."""
        ends = [gauss_newton(_linearised(problem, jnp.asarray(one))) for one in at]
        converged = [has_converged(end, one, problem.bounds, self.tolerance) for end, one in zip(ends, at, strict=True)]
        return jax.tree.map(lambda *each: jnp.stack(each), *ends), np.array(converged)

    def why_not(self, state: AbstractState, start: int) -> str:
        """Return why a start has not converged."""
        if state.done[start]:
            return "SciPy found no better point, although the gradient is not zero; the best parameters are kept"
        return f"{self.max_steps} evaluations were not enough: {more_steps(self.max_steps)}"


class _Search:
    """One start: its evaluations, the last of which is remembered, and what is noted of them."""

    def __init__(self, course: Course, max_steps: int, s: int) -> None:
        self.course, self.max_steps, self.s = course, max_steps, s
        self.n_evaluations = int(self.state.n_evaluations[s])
        self._last: tuple[bytes, Linearised] | None = None

    @property
    def state(self) -> Search:
        """The state of all starts."""
        state = self.course.progress.state
        assert isinstance(state, Search)
        return state

    def run(self) -> None:
        """Minimise until SciPy ends or the evaluations are used up."""
        if self.n_evaluations >= self.max_steps:
            return
        at = np.asarray(self.state.at[self.s])
        end = self._minimised(at) if np.isfinite(self._cost(at)) else at
        self._note(end, done=self.n_evaluations < self.max_steps)

    def _minimised(self, begun: Float[np.ndarray, " free"]) -> Float[np.ndarray, " free"]:
        """Return where SciPy ends, on the bounds that press against it."""

        def residuals(at: np.ndarray) -> np.ndarray:
            self.n_evaluations += 1
            return np.concatenate([np.asarray(r) for r in self._evaluated(at).residuals])

        def jacobian(at: np.ndarray) -> np.ndarray:
            # Asked for where SciPy begins, just inside the bounds, and at each point that it accepts.
            if self.n_evaluations > first or self.state.n_accepted[self.s] < 0:
                self._note(at, done=False)
            return np.concatenate([np.asarray(j) for j in self._evaluated(at).jacobians])

        first = self.n_evaluations + 1
        left = self.max_steps - self.n_evaluations
        options = {"ftol": _FINEST, "xtol": _FINEST, "gtol": _FINEST, "max_nfev": left}
        solve: Callable[..., Any] = least_squares  # SciPy's own signature does not say that jac may be a function.
        bounds = self.course.problem.bounds
        end = solve(residuals, begun, jacobian, bounds=bounds, method="trf", **options).x
        lower, upper = bounds
        slope = np.asarray(gauss_newton(self._evaluated(end)).gradient)
        walled = np.where((end - lower < _NEAR) & (slope > 0.0), lower, end)
        walled = np.where((upper - end < _NEAR) & (slope < 0.0), upper, walled)
        return walled if self._cost(walled) <= self._cost(end) * (1.0 + _UNCHANGED) else end

    def _evaluated(self, at: Float[np.ndarray, " free"]) -> Linearised:
        """Return residuals and Jacobian; SciPy asks for them one after the other."""
        key = at.tobytes()
        if self._last is None or self._last[0] != key:
            meter = self.course.objective.meter
            with meter.timed("derivatives of 1", evaluations=1, gradients=1):
                self._last = key, jax.block_until_ready(_linearised(self.course.problem, jnp.asarray(at)))
        return self._last[1]

    def _cost(self, at: Float[np.ndarray, " free"]) -> float:
        return float(gauss_newton(self._evaluated(at)).cost)

    def _note(self, at: Float[np.ndarray, " free"], *, done: bool) -> None:
        """Note where the start is."""
        s, old, cost = self.s, self.state, self._cost(at)
        moved = bool(old.n_accepted[s] < 0) or not np.array_equal(at, old.at[s])
        state = Search(
            at=_with(old.at, s, at),
            n_accepted=_with(old.n_accepted, s, old.n_accepted[s] + (moved and np.isfinite(cost))),
            n_evaluations=_with(old.n_evaluations, s, self.n_evaluations),
            ended=_with(old.ended, s, done),
        )
        self.course.note(state, Tried(np.array([s]), np.array([moved]), np.array([cost]), None))


@compiled
def _linearised(problem: Problem, at) -> Linearised:
    # Relaxed always from the references, so that the residuals do not depend on where SciPy has been before.
    return linearise(problem, at)


def _with(array: Array | np.ndarray, s: int, value) -> np.ndarray:
    """Return a copy of an array with another entry s."""
    changed = np.array(array)
    changed[s] = value
    return changed
