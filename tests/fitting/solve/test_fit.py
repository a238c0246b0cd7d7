"""Whole fits of fluoromethane, harmonic stretches and bends to its frequencies and forces."""

from dataclasses import replace
from types import SimpleNamespace

import equinox as eqx
import numpy as np
import pytest

from forgefield.fitting.solve import scipy_solver
from forgefield.fitting.solve.fit import fit, spread_starts, start
from forgefield.fitting.solve.levenberg_marquardt import LevenbergMarquardt
from forgefield.fitting.solve.scipy_solver import TrustRegionReflective

SOLVER = LevenbergMarquardt()
SCIPY = TrustRegionReflective()
N_STARTS = 4


@pytest.fixture(scope="module")
def problem(ch3f, problem_of):
    return problem_of(ch3f("frequencies = { tolerance = 20.0 }\nforces = { tolerance = 1.0 }", strength=0.01))


@pytest.fixture(scope="module")
def history(problem):
    """Every progress of a fit from four starts, and its end."""
    seen = [start(problem, spread_starts(problem, N_STARTS, seed=3), SOLVER)]
    return fit(problem, seen[0], SOLVER, after=seen.append), seen


def test_fit_converges_and_reports_the_lowest_cost_of_all_starts(history):
    end, seen = history

    assert end.success
    assert end.message.startswith("converged")
    assert end.starts_converged.all()
    np.testing.assert_allclose(end.quadratic.cost, end.starts_cost.min(), rtol=1e-12)
    np.testing.assert_allclose(seen[-1].best_cost.min(), end.starts_cost.min(), rtol=1e-12)


@pytest.mark.slow
def test_scipy_finds_the_same_optimum(problem, history):
    end, _ = history
    # Near the end: from afar another solver may go to another optimum.
    fresh = start(problem, end.at[None] + 0.1 * np.cos(np.arange(len(end.at))), SCIPY)

    found = fit(problem, fresh, SCIPY)

    assert found.success
    np.testing.assert_allclose(found.quadratic.cost, end.quadratic.cost, rtol=1e-6)
    np.testing.assert_allclose(found.at, end.at, atol=1e-3)


def test_scipy_resumed_notes_no_point_twice_and_has_the_evaluations_that_were_left(problem):
    saved, seen = [], []

    def interrupt(progress):
        saved.append(progress)
        if progress.n_iterations == 4:
            raise KeyboardInterrupt

    fit(problem, start(problem, spread_starts(problem, 1), SCIPY), SCIPY, after=interrupt)
    used = int(saved[-1].state.n_evaluations[0])
    few = TrustRegionReflective(max_steps=used + 2)
    resumed = fit(problem, saved[-1], few, after=seen.append)

    assert used >= 4
    assert int(seen[0].state.n_evaluations[0]) > used
    assert (seen[0].state.at != saved[-1].state.at).any()
    assert int(seen[-1].state.n_evaluations[0]) == used + 2
    assert f"{used + 2} evaluations were not enough" in resumed.message


def test_starts_in_one_kernel_do_as_they_do_alone(problem, history):
    _, seen = history
    # Rounding differs from kernel to kernel and grows with the steps, so that only the first are compared.
    few = LevenbergMarquardt(max_steps=2)

    for s in (0, N_STARTS - 1):
        begun = fit(problem, start(problem, np.asarray(seen[0].state.at)[s : s + 1], few), few)
        ended = fit(problem, start(problem, seen[-1].best_at[s : s + 1], few), few)
        np.testing.assert_allclose(begun.costs, seen[-1].costs[:2, s], rtol=1e-7)
        np.testing.assert_allclose(ended.costs[0], seen[-1].best_cost[s], rtol=1e-8)


def test_resumed_fit_ends_where_the_uninterrupted_one_does(problem, history):
    end, seen = history

    resumed = fit(problem, seen[len(seen) // 2], SOLVER)

    np.testing.assert_array_equal(resumed.at, end.at)
    assert resumed.n_iterations == end.n_iterations
    assert resumed.success


def test_start_at_the_optimum_is_no_success(problem, history):
    end, _ = history
    points = np.tile(end.at, (N_STARTS, 1))

    again = fit(problem, start(problem, points, SOLVER), SOLVER)

    assert not again.success
    assert "no step was accepted" in again.message
    np.testing.assert_allclose(again.at, end.at, atol=1e-4)


def test_too_few_steps_are_no_success_but_keep_the_best(problem, history):
    _, seen = history
    late = next(one for one in seen if one.best_cost.min() < seen[1].best_cost.min())
    used_up = replace(late, costs=np.ones((SOLVER.max_steps, N_STARTS)))

    end = fit(problem, used_up, SOLVER)

    assert not end.success
    assert f"{SOLVER.max_steps} iterations were not enough" in end.message
    assert end.starts_cost.min() == late.best_cost.min()


def test_interrupted_fit_keeps_the_best_so_far(problem, history):
    _, seen = history

    def interrupt(progress):
        if progress.n_iterations == 2:
            raise KeyboardInterrupt

    end = fit(problem, seen[0], SOLVER, after=interrupt)

    assert end.interrupted
    assert not end.success
    assert "interrupted" in end.message
    np.testing.assert_array_equal(end.starts_cost, seen[2].best_cost)


def test_success_is_judged_at_the_best_point_not_at_the_last_one(problem, history):
    _, seen = history
    late = seen[-1]
    better_before = replace(late, best_at=seen[2].best_at, best_cost=0.0 * late.best_cost)

    judged = fit(problem, better_before, SOLVER)

    assert not judged.success
    np.testing.assert_array_equal(judged.starts_at, seen[2].best_at)


def test_starts_that_are_not_numbers_leave_the_others_alone(problem, history):
    end, seen = history
    points = np.asarray(seen[0].state.at).copy()
    points[1] = np.nan

    found = fit(problem, start(problem, points, SOLVER), SOLVER)

    assert np.isinf(found.starts_cost[1])
    np.testing.assert_allclose(np.delete(found.starts_cost, 1), np.delete(end.starts_cost, 1), rtol=1e-9)


def test_further_starts_spread_about_the_first_within_the_bounds(problem):
    points = spread_starts(problem, 50, seed=1, spread=2.0)

    lower, upper = problem.bounds
    np.testing.assert_array_equal(points[0], 0.0)
    assert ((points >= lower) & (points <= upper)).all()
    assert len(np.unique(points, axis=0)) == 50


def test_starts_are_the_same_for_the_same_seed(problem):
    np.testing.assert_array_equal(spread_starts(problem, 9, seed=1), spread_starts(problem, 9, seed=1))
    assert (spread_starts(problem, 9, seed=1) != spread_starts(problem, 9, seed=2)).any()


def test_scipy_puts_variables_on_the_bounds_that_press(problem, history):
    end, _ = history
    upper = np.asarray(problem.variables.upper).copy()
    upper[0] = problem.prior.centre[0] + problem.prior.width[0] * (end.at[0] - 0.05)
    bounded = eqx.tree_at(lambda p: p.variables.upper, problem, upper)
    near = np.minimum(end.at, bounded.bounds[1])[None]

    ours = fit(bounded, start(bounded, np.tile(near, (N_STARTS, 1)), SOLVER), SOLVER)
    scipys = fit(bounded, start(bounded, near, SCIPY), SCIPY)

    assert scipys.success
    assert scipys.at[0] == ours.at[0] == bounded.bounds[1][0]
    np.testing.assert_allclose(scipys.quadratic.cost, ours.quadratic.cost, rtol=1e-6)


def test_spread_is_the_standard_deviation_of_the_further_starts_in_prior_widths(problem):
    # Inside such bounds that nothing is clipped, a Latin hypercube has the mean and the deviation of a normal.
    wide = eqx.tree_at(lambda p: (p.variables.lower, p.variables.upper), problem, (np.full(8, -1e9), np.full(8, 1e9)))

    points = spread_starts(wide, 2001, seed=1, spread=0.25)[1:]

    np.testing.assert_allclose(points.mean(axis=0), 0.0, atol=1e-3)
    np.testing.assert_allclose(points.std(axis=0), 0.25, rtol=0.01)


@pytest.mark.parametrize("side", [0, 1])
def test_where_scipy_ends_next_to_a_bound_that_presses_the_fit_ends_on_it(problem, history, monkeypatch, side):
    # The optimum lies 0.05 prior widths beyond the bound.
    end, outwards = history[0].at, (-1.0, 1.0)[side]
    bound = end[1] - 0.05 * outwards
    walls = [np.asarray(wall).copy() for wall in (problem.variables.lower, problem.variables.upper)]
    walls[side][1] = problem.prior.centre[1] + problem.prior.width[1] * bound
    bounded = eqx.tree_at(lambda p: (p.variables.lower, p.variables.upper), problem, tuple(walls))
    near = end.copy()
    near[1] = bound - 5e-7 * outwards
    monkeypatch.setattr(scipy_solver, "least_squares", lambda *_, **__: SimpleNamespace(x=near))

    found = fit(bounded, start(bounded, np.zeros((1, 8)), SCIPY), SCIPY)

    assert found.at[1] == bounded.bounds[side][1]
    assert abs(found.at[1] - bound) < 1e-9
