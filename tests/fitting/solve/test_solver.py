"""What is kept of a fit whose modes change partners, whatever solver takes the steps."""

from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from certain import known
from forgefield.fitting.cost.cost import Modes, Quadratic
from forgefield.fitting.solve import solver as solving
from forgefield.fitting.solve.evaluation import quadratics
from forgefield.fitting.solve.fit import fit, spread_starts, start
from forgefield.fitting.solve.levenberg_marquardt import LevenbergMarquardt
from forgefield.fitting.solve.scipy_solver import TrustRegionReflective
from forgefield.fitting.solve.solver import REMATCHED, AbstractSolver, AbstractState, Tried, matchings
from matched import Matched

FORCES = "forces = { tolerance = 1.0 }"
AS_THEY_ARE = np.arange(9)
CROSSED = np.array([6, 1, 2, 3, 4, 5, 0, 7, 8])
"""The C-F stretch and the symmetric C-H stretch of fluoromethane for each other."""


class Anywhere(AbstractState):
    at: jax.Array | np.ndarray
    n_accepted: jax.Array | np.ndarray
    n_renewed: np.ndarray

    @property
    def done(self):
        return np.zeros(len(self.at), dtype=bool)

    def renewed(self, starts):
        return replace(self, n_renewed=self.n_renewed + starts)

    def moved(self, starts, points):
        return replace(self, at=np.where(starts[:, None], points.at, self.at))


class Scripted(AbstractSolver):
    """Notes points with these costs, at each of which the modes have this order."""

    points: tuple[tuple[float, np.ndarray], ...]
    tolerance: float = 1e-9
    max_steps: int = 200

    def begin(self, problem, points):
        return Anywhere(np.array(points), np.zeros(1, dtype=int), np.zeros(1, dtype=int))

    def run(self, course):
        for k, (cost, order) in enumerate(self.points):
            state = course.progress.state
            at = np.full((1, course.problem.n_free), 1e-3 * k)
            course.note(replace(state, at=at, n_accepted=state.n_accepted + 1), tried(course.problem, cost, order))

    def judge(self, problem, form, at, matching, positions):
        found = Quadratic(jnp.zeros(()), jnp.zeros(problem.n_free), jnp.eye(problem.n_free))
        return jax.tree.map(lambda leaf: leaf[None], found), np.array([True])

    def why_not(self, state, start):
        return "the script is at its end"


def tried(problem, cost, order):
    eigenvalues = np.asarray(problem.chunks.gathered(np.asarray(problem.chunks.data.eigenvalues)))
    modes = Modes(jnp.eye(9)[np.argsort(order)][None], jnp.asarray(eigenvalues))
    of_starts = jax.tree.map(lambda leaf: np.asarray(leaf)[None], modes)
    return Tried(np.array([0]), np.array([True]), np.array([cost]), of_starts, None)


@pytest.fixture(scope="module")
def problem(ch3f, problem_of):
    found = problem_of(ch3f(FORCES, strength=0.01))
    return replace(found, targets=(Matched(20.0), *found.targets), counts=(jnp.asarray(9.0), *found.counts))


@pytest.fixture
def followed(problem):
    """The end of a script, and the progress after each of its points."""

    def run(*points, interrupted=False):
        seen = []

        def after(progress):
            seen.append(progress)
            if interrupted and len(seen) == len(points):
                raise KeyboardInterrupt

        solver = Scripted(points=points)
        return fit(problem, start(problem, np.zeros((1, problem.n_free)), solver), solver, after=after), seen

    return run


def test_a_cost_under_a_matching_that_the_modes_do_not_have_is_not_the_best(followed):
    _, (only,) = followed((1.0, CROSSED))

    assert np.isinf(only.best_cost).all()
    np.testing.assert_array_equal(only.matching[0, 0], CROSSED)
    np.testing.assert_array_equal(only.state.n_renewed, 1)


def test_costs_are_compared_under_the_matching_that_a_start_has_now(followed):
    end, seen = followed((9.0, AS_THEY_ARE), (5.0, AS_THEY_ARE), (3.0, CROSSED), (7.0, CROSSED), (8.0, CROSSED))

    assert [progress.best_cost[0] for progress in seen] == [9.0, 5.0, 5.0, 7.0, 7.0]
    np.testing.assert_array_equal(end.starts_cost, 7.0)
    np.testing.assert_array_equal(end.at, seen[3].state.at[0])
    np.testing.assert_array_equal(end.matching[0], CROSSED)
    assert end.success
    assert "partners" not in end.message


def test_an_old_best_is_not_the_best_again_when_its_matching_comes_back(followed):
    ways = (9.0, AS_THEY_ARE), (5.0, AS_THEY_ARE), (3.0, CROSSED), (4.0, AS_THEY_ARE), (6.0, AS_THEY_ARE)

    end, _ = followed(*ways)

    np.testing.assert_array_equal(end.starts_cost, 6.0)


def test_modes_that_change_partners_for_ever_are_kept_as_they_were_at_the_lowest_point(followed):
    begun = (200.0, AS_THEY_ARE), (50.0, AS_THEY_ARE), (40.0, CROSSED), (60.0, CROSSED)
    to_and_fro = [(100.0 + k, (AS_THEY_ARE, CROSSED)[k % 2]) for k in range(REMATCHED - 1)]
    after = (50.0, AS_THEY_ARE), (30.0, CROSSED), (20.0, CROSSED), (25.0, AS_THEY_ARE)

    end, seen = followed(*begun, *to_and_fro, *after)

    kept = len(begun) + len(to_and_fro) - 1
    assert [int(progress.n_rematched[0]) for progress in seen[kept - 1 :]] == [REMATCHED - 1] + [REMATCHED] * 5
    np.testing.assert_array_equal(seen[kept].state.at, seen[1].state.at)
    np.testing.assert_array_equal([progress.matching[0, 0] for progress in seen[kept:]], [AS_THEY_ARE] * 5)
    assert [progress.best_cost[0] for progress in seen[kept + 1 :]] == [50.0, 30.0, 20.0, 20.0]
    np.testing.assert_array_equal(end.starts_cost, 20.0)
    assert f"modes changed partners {REMATCHED} times" in end.message
    np.testing.assert_array_equal(end.at, seen[-2].state.at[0])
    np.testing.assert_array_equal(end.matching[0], AS_THEY_ARE)


def test_no_fit_ends_above_where_it_began(followed):
    end, seen = followed((4.0, AS_THEY_ARE), (3.5, AS_THEY_ARE), (3.0, CROSSED), (7.0, CROSSED))

    assert not end.success
    assert "led to a higher cost than that of the start; the best parameters on the way are kept" in end.message
    np.testing.assert_array_equal(end.starts_cost, 3.5)
    np.testing.assert_array_equal(end.at, seen[1].state.at[0])
    np.testing.assert_array_equal(end.matching[0], AS_THEY_ARE)


def test_an_interrupt_before_a_new_matching_has_a_cost_keeps_the_best_under_the_old(followed):
    end, _ = followed((9.0, AS_THEY_ARE), (5.0, AS_THEY_ARE), (3.0, CROSSED), interrupted=True)

    assert end.interrupted
    np.testing.assert_array_equal(end.starts_cost, 5.0)


@pytest.mark.slow
@pytest.mark.parametrize("solver", [LevenbergMarquardt(), TrustRegionReflective()], ids=["lm", "trf"])
def test_fits_end_where_their_solver_does_although_their_modes_change_partners_for_ever(problem, monkeypatch, solver):
    # Each keeps the matching that the start has, which far from there the modes have no longer.
    monkeypatch.setattr(solving, "REMATCHED", 1)
    seen = []
    points = spread_starts(problem, 5, seed=1, spread=2.0)

    end = fit(problem, start(problem, points, solver), solver, after=seen.append)

    last = seen[-1]
    at = np.asarray(last.state.at)
    _, there = quadratics(problem, None, jnp.asarray(at), jnp.asarray(last.matching), None)
    own = matchings(problem, np.asarray(known(there.modes).overlaps), np.asarray(known(there.modes).eigenvalues))
    assert (own != last.matching).any()
    np.testing.assert_array_equal(end.starts_at, at)
    found, _ = solver.judge(problem, None, at, last.matching, None)
    np.testing.assert_allclose(end.starts_cost, found.cost, rtol=1e-9)
