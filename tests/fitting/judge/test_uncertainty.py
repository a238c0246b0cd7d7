"""Standard deviations by their formula, and what the data leave open."""

import equinox as eqx
import jax.numpy as jnp
import numpy as np
import pytest

from forgefield.fitting.cost.cost import Quadratic, linearise
from forgefield.fitting.judge.opposition import pieces, summed
from forgefield.fitting.judge.uncertainty import determined, independent_values, uncertainty
from forgefield.fitting.solve.levenberg_marquardt import LevenbergMarquardt
from forgefield.fitting.targets.fixed import Energies
from forgefield.fitting.targets.relaxed import AtomPositions

TARGETS = "eigenmatrix = { tolerance = 40.0, off_diagonal = 100.0 }\nforces = { tolerance = 2.0 }"
N_VALUES = 9 + 15
NOWHERE = np.zeros(8, dtype=bool)
LINEARISE = eqx.filter_jit(linearise)


@pytest.fixture(scope="module")
def prepared(ch3f):
    return ch3f(TARGETS, strength=0.02)


@pytest.fixture(scope="module")
def problem(prepared, problem_of):
    return problem_of(prepared)


@pytest.fixture(scope="module")
def residuals_and_jacobian(problem):
    linear = LINEARISE(problem, jnp.full(8, 0.1))
    return np.concatenate(linear.residuals), np.concatenate(linear.jacobians)


def model_of(design, residuals=()):
    r = np.asarray(residuals, dtype=float)
    return Quadratic(jnp.asarray(0.5 * r @ r), jnp.zeros(8), jnp.asarray(design.T @ design))


def test_a_variable_can_change_by_its_sigma_before_a_tolerance_is_passed(residuals_and_jacobian):
    _, j = residuals_and_jacobian
    prior = 0.3

    found = uncertainty(model_of(j), prior, NOWHERE, len(j))

    # The least that the sum of squares rises by, with that of the priors of all others.
    others = j.T @ j + prior * np.eye(8)
    for k in range(8):
        rest = np.delete(np.arange(8), k)
        follow = np.linalg.solve(others[np.ix_(rest, rest)], -others[rest, k])
        step = found.sigma[k] * np.insert(follow, k, 1.0)
        np.testing.assert_allclose(
            (j @ step) @ (j @ step) + prior * follow @ follow * found.sigma[k] ** 2, 1.0, rtol=1e-6
        )


def test_deviations_above_their_tolerances_are_the_noise(residuals_and_jacobian):
    _, j = residuals_and_jacobian
    within, above = ([size] * len(j) for size in (0.5, 3.0))

    quiet, noisy = (uncertainty(model_of(j, r), 0.3, NOWHERE, len(j)).sigma for r in (within, above))

    np.testing.assert_allclose(noisy, 3.0 * quiet, rtol=1e-9)


def test_the_sum_over_all_values_stands_for_means_in_the_cost(problem):
    counts = [float(count) for count in problem.counts]
    parts = pieces(problem, LevenbergMarquardt())

    found, prior = summed(parts, np.full(8, 0.1))

    linear = LINEARISE(problem, jnp.full(8, 0.1))
    rows = [np.sqrt(n) * np.asarray(one) for n, one in zip(counts, linear.jacobians[:3], strict=True)]
    np.testing.assert_allclose(
        found.normal, sum(one.T @ one for one in rows), rtol=1e-6, atol=1e-6 * np.abs(found.normal).max()
    )
    np.testing.assert_allclose(prior, 0.02 / 8 * sum(counts) / 3, rtol=1e-9)


@pytest.mark.parametrize(
    ("value", "sigma", "unit", "is_it"),
    [
        *((144.7, 3128.0, "kcal/mol/rad²", False), (100.0, 49.0, "kcal/mol/rad²", True)),
        *((100.0, 51.0, "kcal/mol/Å²", False), (1.9, 0.33, "rad", True)),
        *((1.9, 0.36, "rad", False), (-0.3, 0.29, "kcal/mol", True), (-0.3, 0.31, "kcal/mol", False)),
        *(
            (1.0, None, "Å", False),
            (1.5, 0.09, "Å", True),
            (1.5, 0.11, "Å", False),
            (1.0, float("nan"), "Å", False),
            (0.0, 0.0, "kcal/mol", True),
        ),
    ],
)
def test_a_parameter_is_determined_where_its_sigma_leaves_it_a_meaning(value, sigma, unit, is_it):
    assert determined(value, sigma, unit) is is_it


def test_off_diagonal_elements_are_independent_values(prepared, problem):
    counts = {target.name: independent_values((target,), prepared.data) for target in problem.targets}

    assert counts == {"eigenmatrix": 9, "eigenmatrix off-diagonal": 36, "forces": 15}


def test_relative_energies_of_two_molecules_are_one_value(both):
    assert independent_values((Energies(1.0),), both.data) == 1


def test_variable_at_a_bound_has_no_sigma_and_the_others_are_those_without_it(residuals_and_jacobian):
    _, j = residuals_and_jacobian
    at_bound = NOWHERE.copy()
    at_bound[2] = True

    found = uncertainty(model_of(j), 0.0, at_bound, N_VALUES)

    rest = np.delete(j, 2, axis=1)
    ratio = np.delete(found.sigma, 2) ** 2 / np.diag(np.linalg.inv(rest.T @ rest))
    assert np.isnan(found.sigma[2])
    np.testing.assert_allclose(ratio, ratio[0], rtol=1e-6)


def test_combination_that_changes_nothing_is_undetermined():
    design = np.random.default_rng(0).standard_normal((30, 8))
    design[:, 1] = 2.0 * design[:, 0]

    found = uncertainty(model_of(design), 0.0, NOWHERE, N_VALUES)

    assert len(found.directions) == 1
    np.testing.assert_allclose(np.abs(found.directions[0][:2]), np.array([2.0, 1.0]) / np.sqrt(5.0), rtol=1e-6)
    np.testing.assert_array_equal(np.flatnonzero(found.undetermined), [0, 1])
    assert np.isnan(found.sigma[:2]).all()
    assert np.isfinite(found.sigma[2:]).all()


def test_what_others_may_change_by_is_what_their_priors_let_them():
    design = np.diag([100.0, 100.0, 3.0, 3.0, 3.0, 3.0, 3.0, 3.0])
    design[0, 1], design[1, 1] = 100.0, 0.0

    found = uncertainty(model_of(design), 1.0, NOWHERE, N_VALUES)

    # Of the first two the data know the sum alone, and the prior of the other its half.
    np.testing.assert_allclose(found.sigma[:2], 1.0, rtol=1e-3)
    np.testing.assert_array_equal(np.flatnonzero(found.undetermined), [0, 1])


def test_open_directions_name_few_parameters_each():
    design = np.random.default_rng(0).standard_normal((30, 8))
    design[:, 1], design[:, 4] = 2.0 * design[:, 0], -design[:, 5]

    found = uncertainty(model_of(design), 0.0, NOWHERE, N_VALUES)

    named = sorted(tuple(np.flatnonzero(np.abs(vector) > 1e-6)) for vector in found.directions)
    assert named == [(0, 1), (4, 5)]
    assert found.condition == np.inf
    np.testing.assert_allclose([np.linalg.norm(vector) for vector in found.directions], 1.0)


def test_direction_that_the_prior_rules_is_told_from_one_that_nothing_does():
    design = np.diag([1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 0.01])

    found = uncertainty(model_of(design), 0.02 / 8, NOWHERE, N_VALUES)

    (weak,) = found.weak
    assert not weak.undetermined
    np.testing.assert_allclose(weak.vector, np.eye(8)[7], atol=1e-12)
    np.testing.assert_allclose(weak.singular_value, 0.01, rtol=1e-6)
    np.testing.assert_allclose(found.condition, 700.0, rtol=1e-6)


def test_correlation_is_that_of_the_covariance_and_strong_pairs_come_first(residuals_and_jacobian):
    _, j = residuals_and_jacobian
    covariance = np.linalg.inv(j.T @ j)
    root = np.sqrt(np.diag(covariance))

    found = uncertainty(model_of(j), 0.0, NOWHERE, N_VALUES)

    np.testing.assert_allclose(found.correlation, covariance / np.outer(root, root), rtol=1e-6, atol=1e-9)
    pairs = found.correlated(0.0)
    assert len(pairs) == 28
    assert [abs(r) for _, _, r in pairs] == sorted((abs(r) for _, _, r in pairs), reverse=True)
    assert found.correlated(1.1) == []


def test_positions_are_six_values_less_than_three_times_the_atoms(both):
    # Fluoromethane and ethane twice, 5, 8 and 8 atoms, laid on their references: 3N - 6 of each.
    assert independent_values((AtomPositions(0.01),), both.data) == 9 + 18 + 18


def test_positions_of_a_linear_molecule_are_five_values_less(both):
    data = both.data
    straight = np.asarray(data.positions).copy()
    straight[:5] = np.outer(np.arange(5.0), [0.3, -0.5, 0.8])

    assert independent_values((AtomPositions(0.01),), eqx.tree_at(lambda d: d.positions, data, straight)) == 10 + 36


def test_positions_of_a_molecule_without_weight_are_no_values(both):
    data = eqx.tree_at(lambda d: d.weight, both.data, np.array([1.0, 0.0, 1.0]))

    assert independent_values((AtomPositions(0.01),), data) == 9 + 18
