"""SciPy's bounded trust region on the residuals of a fit and their Jacobian: a second opinion on every optimum."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from time import perf_counter
from typing import Any

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float, Int
from scipy.optimize import least_squares

from forgefield.compiled import compiled
from forgefield.fitting.cost.cost import Linearised, Problem, Quadratic, gauss_newton, linearise
from forgefield.fitting.solve.fit import Fit, Progress, matchings
from forgefield.fitting.solve.levenberg_marquardt import has_converged

_ROUNDS = 20
"""Changes of its matching after which a start keeps the one it has."""
_FINEST = 1e-12
"""Well below our own tolerance, by which the end is judged."""
_NEAR = 1e-6
"""The trust region stays inside the bounds: a variable pressed to one this close, in prior widths, is put on it."""
_UNCHANGED = 1e-9
"""Share of the cost by which it may rise thereby."""


@dataclass(frozen=True)
class TrustRegionReflective:
    """SciPy's `least_squares`, with at most `max_steps` evaluations for each matching of modes.

    `tolerance`: a start has converged when a full Newton step promises to lower the cost by less than
    this fraction of it.
    """

    tolerance: float = 1e-9
    max_steps: int = 200


def fit_by_scipy(
    problem: Problem,
    progress: Progress,
    solver: TrustRegionReflective,
    *,
    after: Callable[[Progress], None],
) -> Fit:
    """Minimise the cost from one start of `progress` after another and return the best end.

    `after` is called with the progress at each accepted point; a KeyboardInterrupt ends the fit with the best
    point so far. Progress that is passed back goes on from the last accepted points, with a new trust region.
    """
    began = perf_counter()
    search = _Search(problem, progress, solver, after)
    search.evaluate(progress.best_at[0], progress.matching[0])
    compile_s = perf_counter() - began
    stopped = ""
    try:
        for s in np.flatnonzero(~np.asarray(progress.state.done)):
            search.run(int(s))
    except KeyboardInterrupt:
        stopped = "interrupted: the best parameters so far are kept"
    return _ended(search, stopped, (compile_s, perf_counter() - began))


class _Search:
    """Evaluations, the last of which is remembered, and the progress they make."""

    def __init__(
        self,
        problem: Problem,
        progress: Progress,
        solver: TrustRegionReflective,
        after: Callable[[Progress], None],
    ) -> None:
        self.problem, self.progress, self.solver, self._after = problem, progress, solver, after
        self.bounds = problem.bounds
        self._last: tuple[tuple[bytes, bytes], Linearised] | None = None

    def evaluate(self, at: Float[np.ndarray, " free"], matching: Int[np.ndarray, "molecules modes"]) -> Linearised:
        """Return residuals and Jacobian; SciPy asks for them one after the other."""
        key = at.tobytes(), matching.tobytes()
        if self._last is None or self._last[0] != key:
            self._last = key, _linearised(self.problem, jnp.asarray(at), jnp.asarray(matching))
        return self._last[1]

    def cost(self, at: Float[np.ndarray, " free"], matching: Int[np.ndarray, "molecules modes"]) -> float:
        """Return the cost under a matching."""
        return float(gauss_newton(self.evaluate(at, matching)).cost)

    def run(self, s: int) -> None:
        """Minimise from start s, again for each matching of modes that the end of the last one has."""
        at = np.clip(np.asarray(self.progress.state.at[s]), *self.bounds)
        matching = self._renewed(at, self.progress.matching[s])
        if not np.isfinite(self.cost(at, matching)):
            self._note(s, at, matching, done=True)
            return
        for _ in range(_ROUNDS):
            at = self._minimised(s, at, matching)
            renewed = self._renewed(at, matching)
            if np.array_equal(renewed, matching):
                break
            matching = renewed
        self._note(s, at, matching, done=True)

    def _minimised(
        self, s: int, at: Float[np.ndarray, " free"], matching: Int[np.ndarray, "molecules modes"]
    ) -> Float[np.ndarray, " free"]:
        """Return where SciPy ends under one matching, on the bounds that press against it."""

        def residuals(at: np.ndarray) -> np.ndarray:
            return np.concatenate([np.asarray(r) for r in self.evaluate(at, matching).residuals])

        def jacobian(at: np.ndarray) -> np.ndarray:
            self._note(s, at, matching, done=False)
            return np.concatenate([np.asarray(j) for j in self.evaluate(at, matching).jacobians])

        options = {"ftol": _FINEST, "xtol": _FINEST, "gtol": _FINEST, "max_nfev": self.solver.max_steps}
        solve: Callable[..., Any] = least_squares  # SciPy's own signature does not say that jac may be a function.
        end = solve(residuals, at, jacobian, bounds=self.bounds, method="trf", **options).x
        lower, upper = self.bounds
        slope = np.asarray(gauss_newton(self.evaluate(end, matching)).gradient)
        walled = np.where((end - lower < _NEAR) & (slope > 0.0), lower, end)
        walled = np.where((upper - end < _NEAR) & (slope < 0.0), upper, walled)
        return walled if self.cost(walled, matching) <= self.cost(end, matching) * (1.0 + _UNCHANGED) else end

    def _renewed(
        self, at: Float[np.ndarray, " free"], matching: Int[np.ndarray, "molecules modes"]
    ) -> Int[np.ndarray, "molecules modes"]:
        if not self.problem.uses_matching:
            return matching
        modes = self.evaluate(at, matching).modes
        assert modes is not None
        if not np.isfinite(modes.overlaps).all():
            return matching
        return matchings(self.problem, np.asarray(modes.overlaps)[None], np.asarray(modes.eigenvalues)[None])[0]

    def _note(
        self, s: int, at: Float[np.ndarray, " free"], matching: Int[np.ndarray, "molecules modes"], *, done: bool
    ) -> None:
        """Keep a point of start s, as its best where it is; a cost under an outdated matching is not comparable."""
        old, cost = self.progress, self.cost(at, matching)
        comparable = done or np.array_equal(self._renewed(at, matching), matching)
        better = comparable and cost < old.best_cost[s]
        moved = not np.array_equal(at, old.state.at[s])
        state = eqx.tree_at(
            lambda state: (state.at, state.converged, state.n_accepted),
            old.state,
            (
                _with(old.state.at, s, at),
                _with(old.state.converged, s, done),
                _with(old.state.n_accepted, s, max(int(old.state.n_accepted[s]), 0) + moved),
            ),
        )
        now = np.full((1, len(old.best_cost)), np.nan)
        now[0, s] = cost
        self.progress = replace(
            old,
            state=state,
            matching=_with(old.matching, s, matching),
            best_cost=_with(old.best_cost, s, cost) if better else old.best_cost,
            best_at=_with(old.best_at, s, at) if better else old.best_at,
            best_matching=_with(old.best_matching, s, matching) if better else old.best_matching,
            costs=old.costs if done else np.concatenate([old.costs, now]),
        )
        self._after(self.progress)


@compiled
def _linearised(problem: Problem, at, matching) -> Linearised:
    # Relaxed always from the references, so that the residuals do not depend on where SciPy has been before.
    return linearise(problem, at, matching)


def _with(array, s: int, value) -> np.ndarray:
    """Return a copy of an array with another entry s."""
    changed = np.array(array)
    changed[s] = value
    return changed


def _ended(search: _Search, stopped: str, times: tuple[float, float]) -> Fit:
    """Judge every start at its best point."""
    progress = search.progress
    ends = [
        gauss_newton(search.evaluate(at, matching))
        for at, matching in zip(progress.best_at, progress.best_matching, strict=True)
    ]
    converged = np.array(
        [
            bool(has_converged(end, jnp.asarray(at), search.bounds, search.solver.tolerance))
            for end, at in zip(ends, progress.best_at, strict=True)
        ]
    )
    best = int(np.argmin(progress.best_cost))
    n_accepted = int(progress.state.n_accepted[best])
    own = progress.costs[:, best]
    return Fit(
        at=progress.best_at[best],
        quadratic=ends[best],
        success=bool(converged[best]) and n_accepted > 0 and not stopped,
        interrupted=bool(stopped),
        message=stopped or _message(ends[best], bool(converged[best]), n_accepted, search.solver),
        costs=own[np.isfinite(own)],
        matching=progress.best_matching[best],
        starts_cost=progress.best_cost,
        starts_at=progress.best_at,
        starts_converged=converged,
        n_accepted=n_accepted,
        n_iterations=progress.n_iterations,
        compile_s=times[0],
        wall_s=times[1],
    )


def _message(end: Quadratic, converged: bool, n_accepted: int, solver: TrustRegionReflective) -> str:
    if not np.isfinite(end.cost):
        return "not converged: the cost is not a finite number at the start"
    if n_accepted <= 0:
        return "not converged: no step was accepted; the start is already stationary or cannot be improved"
    if converged:
        return f"converged: a further step would lower the cost by less than {solver.tolerance:g} of it"
    return (
        f"not converged: SciPy found no better point within {solver.max_steps} evaluations, "
        "although the gradient is not zero; the best parameters are kept"
    )
