"""The bounded Levenberg-Marquardt on problems whose minimum is known."""

import itertools

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.optimize import lsq_linear

from forgefield.fitting.cost.cost import Quadratic
from forgefield.fitting.solve.bounded import bounded_minimum, has_converged
from forgefield.fitting.solve.levenberg_marquardt import LevenbergMarquardt, begin, step, trial

SOLVER = LevenbergMarquardt()
INFINITE = (-np.inf, np.inf)
DESIGN = jnp.array([[1.0, 2.0], [3.0, -1.0], [0.5, 1.0], [1.0, 1.0]])
RIGHT = jnp.array([1.0, 2.0, -1.0, 4.0])


def rosenbrock(x):
    return jnp.array([10.0 * (x[1] - x[0] ** 2), 1.0 - x[0]])


def linear(x):
    return DESIGN @ x - RIGHT


def logarithm(x):
    """NaN where x < 0, which an undamped first step from 3 reaches."""
    return jnp.log(x) - jnp.log(0.5)


@pytest.fixture(scope="module")
def minimise():
    """Runs steps until the end and returns all states."""

    def run(residuals, at, bounds=INFINITE, solver=SOLVER):
        low, high = (np.broadcast_to(np.asarray(bound), np.shape(at)) for bound in bounds)
        walls = low, high

        def evaluate(x):
            r, slopes = residuals(x), jax.jacfwd(residuals)(x)
            return jax.tree.map(np.asarray, Quadratic(0.5 * r @ r, slopes.T @ r, slopes.T @ slopes))

        states = [begin(np.asarray(at), None, solver)]
        while len(states) <= solver.max_steps and not states[-1].done:
            there = trial(states[-1], walls)
            states.append(step(states[-1], there, evaluate(jnp.asarray(there)), None, walls, solver))
        return states

    return run


def test_linear_least_squares_take_one_step(minimise):
    expected = np.linalg.lstsq(np.asarray(DESIGN), np.asarray(RIGHT), rcond=None)[0]

    states = minimise(linear, (expected + np.array([2.5, -2.5])).tolist(), solver=LevenbergMarquardt(damping=1e-12))

    np.testing.assert_allclose(states[-1].at, expected, rtol=1e-9)
    assert int(states[-1].n_accepted) == 1
    assert states[-1].converged


def test_no_step_is_longer_than_three_prior_widths(minimise):
    states = minimise(linear, [5.0, -7.0], solver=LevenbergMarquardt(damping=1e-12))

    longest = [np.abs(after.at - before.at).max() for before, after in itertools.pairwise(states)]
    assert max(longest) == pytest.approx(3.0)
    assert states[-1].converged


def test_first_step_only_evaluates(minimise):
    first = minimise(linear, [5.0, -7.0])[1]

    np.testing.assert_array_equal(first.at, [5.0, -7.0])
    np.testing.assert_allclose(first.quadratic.cost, 0.5 * np.sum(np.asarray(linear(first.at)) ** 2))
    assert int(first.n_accepted) == 0


def test_rosenbrock_valley_ends_at_its_minimum(minimise):
    end = minimise(rosenbrock, [-1.2, 1.0])[-1]

    np.testing.assert_allclose(end.at, [1.0, 1.0], atol=1e-5)
    assert end.converged
    assert not end.stuck


def test_minimum_on_a_bound_is_found_and_called_converged(minimise):
    bounds = -2.0, jnp.array([0.5, 2.0])

    end = minimise(rosenbrock, [-1.2, 1.0], bounds, LevenbergMarquardt(tolerance=1e-14))[-1]

    np.testing.assert_allclose(end.at, [0.5, 0.25], rtol=1e-6)
    assert end.converged


def test_every_trial_stays_inside_the_bounds(minimise):
    states = minimise(rosenbrock, [-1.2, 0.5], bounds=(-1.5, 0.8))

    visited = np.array([state.at for state in states])
    assert visited.min() >= -1.5
    assert visited.max() <= 0.8


def test_cost_never_rises(minimise):
    states = minimise(rosenbrock, [-1.2, 1.0])

    costs = np.array([state.quadratic.cost for state in states[1:]])
    assert (np.diff(costs) <= 0.0).all()


def test_trial_that_is_not_a_number_is_rejected_and_the_fit_goes_on(minimise):
    states = minimise(logarithm, [3.0])

    assert not states[2].accepted
    np.testing.assert_allclose(states[-1].at, [0.5], rtol=1e-6)


def test_start_that_is_not_a_number_is_given_up_without_an_accepted_step(minimise):
    end = minimise(logarithm, [-1.0])[-1]

    assert end.stuck
    assert not end.converged
    assert int(end.n_accepted) < 0


def test_start_at_the_minimum_accepts_no_step(minimise):
    end = minimise(rosenbrock, [1.0, 1.0])[-1]

    assert int(end.n_accepted) == 0


@pytest.fixture(scope="module")
def boxes():
    """Quadratics in boxes around zero, of all conditions, some with zero on a wall or without walls."""
    generator = np.random.default_rng(0)
    n, count = 8, 200
    design = generator.standard_normal((count, n + 3, n)) * 10.0 ** generator.uniform(-1.5, 1.5, (count, 1, n))
    right = 3.0 * generator.standard_normal((count, n + 3))
    lower, upper = -generator.uniform(0, 1, (count, n)), generator.uniform(0, 1, (count, n))
    lower[generator.random((count, n)) < 0.1] = 0.0
    upper[generator.random((count, n)) < 0.2] = np.inf
    return design, right, lower, upper


def test_step_in_a_box_is_the_minimum_that_scipy_finds(boxes):
    design, right, lower, upper = boxes
    gradient, matrix = np.einsum("kij,ki->kj", design, right), np.einsum("kij,kil->kjl", design, design)

    moves = np.array([bounded_minimum(*one) for one in zip(gradient, matrix, lower, upper, strict=True)])

    expected = np.array(
        [lsq_linear(j, -r, (a - 1e-15, b), method="bvls", tol=1e-15).x for j, r, a, b in zip(*boxes, strict=True)]
    )
    costs = [np.sum((np.einsum("kij,kj->ki", design, s) + right) ** 2, axis=1) for s in (moves, expected)]
    np.testing.assert_allclose(costs[0], costs[1], rtol=1e-9)
    assert ((moves >= lower) & (moves <= upper)).all()


def test_step_between_walls_that_leave_no_room_is_zero():
    nowhere = np.zeros(2)

    move = bounded_minimum(np.array([1.0, -1.0]), np.eye(2), nowhere, nowhere)

    np.testing.assert_array_equal(move, [0.0, 0.0])


@pytest.mark.parametrize(("promise", "cost", "converged"), [(0.9e-9, 1.0, True), (1.1e-9, 1.0, False)])
def test_a_fit_has_converged_where_a_newton_step_promises_less_than_its_tolerance(promise, cost, converged):
    # Of ½ s² + g s the minimum is -½ g².
    model = Quadratic(jnp.asarray(cost), jnp.array([np.sqrt(2.0 * promise)]), jnp.eye(1))

    assert bool(has_converged(model, jnp.zeros(1), (jnp.array([-9.0]), jnp.array([9.0])), 1e-9)) == converged


@pytest.mark.parametrize(("promise", "converged"), [(0.5e-13, True), (2e-13, False)])
def test_a_perfect_fit_has_converged_where_deviations_are_far_below_a_hundredth_of_their_tolerance(promise, converged):
    # A cost of 1e-4 is that of deviations of about a hundredth of their tolerance; here 1e-9 of that.
    model = Quadratic(jnp.asarray(0.0), jnp.array([np.sqrt(2.0 * promise)]), jnp.eye(1))

    assert bool(has_converged(model, jnp.zeros(1), (jnp.array([-9.0]), jnp.array([9.0])), 1e-9)) == converged


@pytest.mark.parametrize(("at", "gradient", "converged"), [(1.0, -1.0, True), (1.0, 1.0, False), (-1.0, 1.0, True)])
def test_a_variable_that_is_pressed_against_its_bound_promises_nothing(at, gradient, converged):
    model = Quadratic(jnp.asarray(1.0), jnp.array([gradient]), jnp.eye(1))

    assert bool(has_converged(model, jnp.array([at]), (-jnp.ones(1), jnp.ones(1)), 1e-9)) == converged


@pytest.mark.parametrize(
    ("stuck", "converged", "said"),
    [
        (False, False, "70 iterations were not enough: set max_steps = 350 under [fit]"),
        (False, True, "no step lowers the cost any more"),
        (True, False, "no step lowers the cost any more"),
    ],
)
def test_why_a_start_has_not_converged_is_said_as_it_is(stuck, converged, said):
    solver = LevenbergMarquardt(max_steps=70)
    begun = jax.tree.map(lambda leaf: leaf[None], begin(np.zeros(2), None, solver))
    state = eqx.tree_at(lambda s: (s.stuck, s.converged), begun, (jnp.array([stuck]), jnp.array([converged])))

    assert solver.why_not(state, 0).startswith(said)
