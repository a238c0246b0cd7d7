"""Standard deviations by their formula, and what the data leave open."""

import equinox as eqx
import jax.numpy as jnp
import numpy as np
import pytest

from forgefield.fit.cost import Quadratic, linearise
from forgefield.fit.targets import Energies
from forgefield.fit.uncertainty import independent_values, uncertainty

TARGETS = "eigenmatrix = { tolerance = 40.0, off_diagonal = 100.0 }\nforces = { tolerance = 2.0 }"
NOWHERE = np.zeros(8, dtype=bool)
LINEARISE = eqx.filter_jit(linearise)


@pytest.fixture(scope="module")
def problem(ch3f, problem_of):
    return problem_of(ch3f(TARGETS, strength=0.02))


@pytest.fixture(scope="module")
def residuals_and_jacobian(problem):
    linear = LINEARISE(problem, jnp.full(8, 0.1), jnp.arange(9)[None])
    return np.concatenate(linear.residuals), np.concatenate(linear.jacobians)


@pytest.fixture(scope="module")
def end(residuals_and_jacobian):
    r, j = residuals_and_jacobian
    return Quadratic(jnp.asarray(0.5 * r @ r), jnp.asarray(j.T @ r), jnp.asarray(j.T @ j))


def test_sigma_is_the_documented_formula(problem, residuals_and_jacobian, end):
    r, j = residuals_and_jacobian
    prior = 0.02 / 8 * np.eye(8)

    found = uncertainty(problem, end, NOWHERE)

    n_values = 9 + 15
    covariance = np.linalg.inv(j.T @ j)
    n_effective = np.trace(covariance @ (j.T @ j - prior))
    s2 = r @ r / (n_values - n_effective)
    np.testing.assert_allclose(found.sigma, np.sqrt(s2 * np.diag(covariance)), rtol=1e-6)
    np.testing.assert_allclose(found.n_effective, n_effective, rtol=1e-9)
    assert not found.undetermined.any()


def test_off_diagonal_elements_are_no_independent_values(problem):
    counts = {target.name: independent_values((target,), problem.data) for target in problem.targets}

    assert counts == {"eigenmatrix": 9, "eigenmatrix off-diagonal": 0, "forces": 15}


def test_relative_energies_of_two_molecules_are_one_value(both):
    assert independent_values((Energies(1.0),), both.data) == 1


def test_variable_at_a_bound_has_no_sigma_and_the_others_are_those_without_it(problem, residuals_and_jacobian, end):
    _, j = residuals_and_jacobian
    at_bound = NOWHERE.copy()
    at_bound[2] = True

    found = uncertainty(problem, end, at_bound)

    rest = np.delete(j, 2, axis=1)
    ratio = np.delete(found.sigma, 2) ** 2 / np.diag(np.linalg.inv(rest.T @ rest))
    assert np.isnan(found.sigma[2])
    np.testing.assert_allclose(ratio, ratio[0], rtol=1e-6)


def test_combination_that_changes_nothing_is_undetermined(problem):
    design = np.random.default_rng(0).standard_normal((30, 8))
    design[:, 1] = 2.0 * design[:, 0]
    no_prior = eqx.tree_at(lambda p: p.prior.strength, problem, 0.0)
    end = Quadratic(jnp.asarray(1.0), jnp.zeros(8), jnp.asarray(design.T @ design))

    found = uncertainty(no_prior, end, NOWHERE)

    assert len(found.directions) == 1
    np.testing.assert_allclose(np.abs(found.directions[0][:2]), np.array([2.0, 1.0]) / np.sqrt(5.0), rtol=1e-6)
    np.testing.assert_array_equal(np.flatnonzero(found.undetermined), [0, 1])
    assert np.isnan(found.sigma[:2]).all()
    assert np.isfinite(found.sigma[2:]).all()


def test_more_parameters_than_values_have_no_sigma(problem, end):
    eight = eqx.tree_at(lambda p: p.data.has_gradient, problem, np.array([False]))
    eight = eqx.tree_at(lambda p: p.data.has_mode, eight, np.arange(9)[None] < 8)

    found = uncertainty(eight, end, NOWHERE)

    assert found.n_values == 8
    assert np.isnan(found.sigma).all()
