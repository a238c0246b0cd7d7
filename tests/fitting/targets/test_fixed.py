"""Deviations of a model from the reference, and their exact derivatives by the free variables of a fit."""

from dataclasses import replace

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from forgefield.fitting.cost.cost import Sights, deviations, gauss_newton, linearise, quadratic
from forgefield.fitting.data.observation import observe, observed
from forgefield.fitting.targets.fixed import (
    Diagonal,
    Energies,
    Forces,
    Frequencies,
    HessianElements,
    OffDiagonal,
)
from forgefield.fitting.targets.target import Seen, at_reference, counts

TARGETS = [
    pytest.param(Diagonal, id="eigenmatrix"),
    pytest.param(OffDiagonal, id="eigenmatrix off-diagonal"),
    pytest.param(Frequencies, id="frequencies"),
    pytest.param(HessianElements, id="hessian"),
    pytest.param(Forces, id="forces"),
    pytest.param(Energies, id="energy"),
]
MODES = 18


@pytest.fixture(scope="module")
def distorted(both, problem_of):
    """All targets away from the start and from symmetric geometries, where no two modes are degenerate."""
    generator = np.random.default_rng(1)
    positions = both.data.positions + 0.05 * generator.standard_normal(both.data.positions.shape)
    moved = replace(both, data=eqx.tree_at(lambda d: d.positions, both.data, positions))
    problem = problem_of(moved)
    return problem, moved.data, jnp.asarray(0.3 * generator.standard_normal(problem.n_free))


@pytest.fixture(scope="module")
def evaluated(distorted):
    """Compiled: residuals with their slopes, from local sensitivities and by differentiating everything."""
    problem, data, _ = distorted

    def residuals(at):
        seen = observe(problem.model_at(problem.prior.centre + problem.prior.width * at), data)
        residuals = []
        for target, count in zip(problem.targets, problem.counts, strict=True):
            found, counted = deviations(target, data, Sights(at_reference(seen, data)))
            residuals.append((found * jnp.sqrt(target.weight * counted / count) / target.tolerance).reshape(-1))
        return residuals

    return jax.jit(lambda at: (linearise(problem, at), residuals(at), jax.jacfwd(residuals)(at)))


@pytest.fixture(scope="module")
def slopes(distorted, evaluated):
    problem, _, at = distorted
    local, values, forward = evaluated(at)
    names = [type(target) for target in problem.targets]
    return {kind: (local.residuals[k], values[k], local.jacobians[k], forward[k]) for k, kind in enumerate(names)}


@pytest.mark.slow
def test_products_are_those_of_residuals_and_slopes(distorted, evaluated):
    problem, _, at = distorted

    streamed = jax.jit(lambda at: quadratic(problem, at))(at)

    held = gauss_newton(evaluated(at)[0])
    np.testing.assert_allclose(streamed.cost, held.cost, rtol=1e-12)
    np.testing.assert_allclose(streamed.gradient, held.gradient, atol=1e-11 * np.abs(held.gradient).max())
    np.testing.assert_allclose(streamed.normal, held.normal, atol=1e-11 * np.abs(held.normal).max())


@pytest.mark.slow
@pytest.mark.parametrize("kind", TARGETS)
def test_residuals_and_slopes_equal_those_of_the_whole_computation_differentiated(slopes, kind):
    local, values, jacobian, forward = (np.asarray(leaf) for leaf in slopes[kind])

    np.testing.assert_allclose(local, values, rtol=1e-12, atol=1e-12 * np.abs(values).max())
    np.testing.assert_allclose(jacobian, forward, atol=1e-10 * np.abs(forward).max())
    assert np.abs(forward).max() > 0.0


def test_every_kind_of_target_is_in_the_table(slopes):
    assert set(slopes) == {parameter.values[0] for parameter in TARGETS}


def test_padding_counts_in_no_target(both, problem_of):
    counted = {type(t): int(counts(t, both.data).sum()) for t in problem_of(both).targets}

    n_modes, coordinates = (9, 18, 18), (15, 24, 24)
    assert counted == {
        Diagonal: sum(n_modes),
        OffDiagonal: sum(n * (n - 1) // 2 for n in n_modes),
        Frequencies: sum(n_modes),
        HessianElements: sum(n * (n + 1) // 2 for n in coordinates),
        Forces: sum(coordinates),
        Energies: 2,
    }


@pytest.mark.slow
def test_slopes_of_vanishing_frequencies_are_finite(distorted, evaluated):
    problem, data, _ = distorted
    no_force_field = -problem.prior.centre / problem.prior.width

    local, _, _ = evaluated(jnp.asarray(no_force_field))

    assert np.isfinite(np.asarray(local.jacobians[2])).all()
    seen = observed(problem.model_at(np.zeros(problem.n_free)), data)
    np.testing.assert_allclose(seen.eigenvalues[1], 0.0, atol=1e-9)


def test_energies_compare_only_molecules_of_a_group_that_have_one(both):
    data = eqx.tree_at(
        lambda d: (d.group, d.has_energy, d.energy),
        both.data,
        (np.array([0, 0, 0, 1, 1]), np.array([True, True, False, True, False]), np.array([1.0, 2.0, 9.0, 4.0, 5.0])),
    )
    data = eqx.tree_at(lambda d: d.weight, data, np.ones(5))
    energy = jnp.array([3.0, 8.0, 0.0, 7.0, 0.0])
    seen = Seen(jnp.zeros((0, 3)), energy, jnp.ones(5, bool), None, jnp.zeros((5, 0, 0)))

    found, counted = deviations(Energies(1.0), data, Sights(seen))

    np.testing.assert_array_equal(counted[:, 0], [1, 1, 0, 0, 0])
    np.testing.assert_allclose(found[:, 0], [-2.0, 2.0, 0.0, 0.0, 0.0])
