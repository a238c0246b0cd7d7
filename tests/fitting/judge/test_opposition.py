"""What the targets of a fit want from each other: shares of the cost, gradients, and fits under other weights."""

import logging

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from forgefield.fitting.cost.cost import Sights, contributions
from forgefield.fitting.cost.gram import gram
from forgefield.fitting.data.observation import observed
from forgefield.fitting.judge.opposition import (
    Point,
    Share,
    cosines,
    factors,
    inside,
    pieces,
    shares,
    trade_off,
    weighted,
)
from forgefield.fitting.solve.fit import fit, spread_starts, start
from forgefield.fitting.solve.levenberg_marquardt import LevenbergMarquardt
from forgefield.fitting.targets.target import at_reference

LINEAR = "eigenmatrix = { tolerance = 50.0, weight = 0.5 }\nforces = { tolerance = %s, weight = %s }"
CURVED = "frequencies = { tolerance = 20.0 }\nforces = { tolerance = 5.0 }"
SOLVER = LevenbergMarquardt()
STRENGTH = 0.01
FORCES = 1


def quiet(progress):
    """Tell nothing."""


def ended(prepared, problem):
    return fit(problem, start(problem, spread_starts(problem, 1), SOLVER), SOLVER, form=gram(problem))


@pytest.fixture(scope="module")
def linear(ch3f, problem_of):
    """Targets of which the cost is a quadratic form, and where their fit ends."""
    prepared = ch3f(LINEAR % (5.0, 2.0), STRENGTH)
    problem = problem_of(prepared)
    return prepared, problem, ended(prepared, problem), pieces(problem, SOLVER)


@pytest.fixture(scope="module")
def curved(ch3f, problem_of):
    """Targets of which it is none."""
    prepared = ch3f(CURVED, STRENGTH)
    problem = problem_of(prepared)
    return prepared, problem, ended(prepared, problem), pieces(problem, SOLVER)


@pytest.fixture(scope="module")
def varied(linear):
    _, _, end, parts = linear
    return trade_off(parts, end, FORCES, 5, quiet)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["linear", "curved"])
def test_shares_are_those_of_the_cost_and_their_gradients_add_up(kind, request):
    prepared, problem, end, parts = request.getfixturevalue(kind)
    model = problem.model_at(problem.prior.centre + problem.prior.width * end.at)

    found = shares(parts, end.at)

    seen = observed(model, prepared.data)
    expected = contributions(problem.targets, prepared.data, Sights(at_reference(seen, prepared.data)))
    assert (parts.forms is None) == (kind == "curved")
    np.testing.assert_allclose([share.cost for share in found], expected, rtol=1e-6)
    share_of_prior = STRENGTH / problem.n_free
    total = sum(share.gradient for share in found) + share_of_prior * end.at
    np.testing.assert_allclose(total, end.quadratic.gradient, atol=1e-9 * max(np.abs(found[0].gradient).max(), 1.0))
    forces, last = problem.targets[-1], found[-1]
    rms = np.sqrt(np.mean((np.asarray(seen.gradient) - prepared.data.gradient) ** 2))
    np.testing.assert_allclose(last.rms, rms, rtol=1e-6)
    np.testing.assert_allclose(last.cost, 0.5 * forces.weight * (rms / forces.tolerance) ** 2, rtol=1e-6)


@pytest.mark.slow
def test_two_targets_oppose_each_other_where_their_fit_ends(linear):
    _, problem, end, parts = linear

    gradients = np.array([share.gradient for share in shares(parts, end.at)])

    found = cosines(gradients * inside(problem, end.at))
    np.testing.assert_allclose(np.diagonal(found), 1.0)
    # But for the prior, which is weak.
    assert found[0, 1] < -0.8


def test_cosines_of_gradients_by_hand():
    found = cosines(np.array([[1.0, 0.0], [-3.0, 0.0], [1.0, 1.0], [0.0, 0.0]]))

    np.testing.assert_allclose(found[0, :3], [1.0, -1.0, 0.5**0.5])
    assert np.isnan(found[3]).all()


@pytest.mark.slow
def test_target_improves_with_its_weight_at_the_cost_of_the_others(linear, varied):
    _, problem, end, _ = linear

    own = [point.shares[FORCES].rms for point in varied]
    others = [point.others(problem, FORCES) for point in varied]

    np.testing.assert_allclose([point.factor for point in varied], [1e-3, 10**-1.5, 1.0, 10**1.5, 1e3])
    assert all(point.converged for point in varied)
    assert (np.diff(own) < 0.0).all()
    assert (np.diff(others) > 0.0).all()
    np.testing.assert_array_equal(varied[2].at, end.at)


@pytest.mark.slow
def test_a_point_is_the_fit_under_that_weight(ch3f, problem_of, varied):
    # A weight a thousand times larger, by the tolerance, from the start.
    prepared = ch3f(LINEAR % (5.0 / 1e3**0.5, 2.0), STRENGTH)

    alone = ended(prepared, problem_of(prepared))

    np.testing.assert_allclose(varied[-1].at, alone.at, atol=2e-4)


@pytest.mark.slow
def test_weights_do_not_compile_again(curved, caplog):
    _, _, end, parts = curved

    with jax.log_compiles(), caplog.at_level(logging.WARNING):
        found = trade_off(parts, end, FORCES, 3, quiet)

    assert len(found) == 3
    assert not [record for record in caplog.records if "_at_reference" in record.getMessage()]


@pytest.mark.slow
def test_an_interrupted_trade_off_keeps_the_points_it_has(linear):
    _, _, end, parts = linear
    told = []

    def interrupt(progress):
        told.append(progress)
        raise KeyboardInterrupt

    found = trade_off(parts, end, FORCES, 3, interrupt)

    assert len(told) == 1
    assert [point.factor for point in found] == [1.0]


@pytest.mark.slow
def test_a_target_of_no_weight_is_left_out_of_the_form(linear):
    _, _, end, parts = linear

    changed, form = weighted(parts, (1.0, 0.0))

    assert form is not None
    assert not np.isfinite(changed.counts[FORCES])
    alone = form.quadratic(changed, jnp.asarray(end.at))
    prior = 0.5 * STRENGTH * np.mean(end.at**2)
    np.testing.assert_allclose(alone.cost - prior, shares(parts, end.at)[0].cost, rtol=1e-9)


def test_factors_hold_one():
    np.testing.assert_allclose(factors(7), 10.0 ** np.arange(-3, 4))
    assert len(factors(4)) == 5
    assert 1.0 in factors(4)


def test_the_others_are_told_by_their_root_mean_square_in_tolerances(ch3f, problem_of):
    # ½ w d² is the cost of a target of weight w whose deviations are d tolerances: 2 of the first, 3 of the second.
    problem = problem_of(ch3f(LINEAR % (5.0, 2.0), STRENGTH))
    eigenmatrix, forces = Share(100.0, 0.5 * 0.5 * 2.0**2, np.zeros(8)), Share(15.0, 0.5 * 2.0 * 3.0**2, np.zeros(8))

    point = Point(1.0, np.zeros(8), (eigenmatrix, forces), converged=True)

    np.testing.assert_allclose([point.others(problem, FORCES), point.others(problem, 0)], [2.0, 3.0])
