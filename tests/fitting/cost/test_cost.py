"""The cost as the documentation writes it, computed once more from the figures in the file."""

import equinox as eqx
import jax.numpy as jnp
import numpy as np
import pytest

from forgefield import units
from forgefield.fitting.cost.cost import Sights, contributions, quadratic
from forgefield.fitting.data.observation import observe
from forgefield.fitting.targets.target import at_reference

TARGETS = """
eigenmatrix = { tolerance = 50.0, off_diagonal = 100.0, weight = 0.5 }
frequencies = { tolerance = 20.0, weight = 3.0 }
hessian = { tolerance = 7.0 }
forces = { tolerance = 5.0, weight = 2.0 }
"""
STRENGTH = 0.01
EVALUATE = eqx.filter_jit(quadratic)
AT = np.array([0.5, -1.0, 0.1, 0.2, -0.3, 0.4, -0.1, 0.6])


@pytest.fixture(scope="module")
def prepared(ch3f):
    return ch3f(TARGETS, STRENGTH)


@pytest.fixture(scope="module")
def problem(prepared, problem_of):
    return problem_of(prepared)


@pytest.fixture(scope="module")
def seen(prepared, problem):
    """What the model says away from its start."""
    model = problem.model_at(problem.prior.centre + problem.prior.width * AT)
    return eqx.filter_jit(observe)(model, prepared.data)


@pytest.fixture(scope="module")
def observed(seen):
    """Gradient and Hessian of the model away from its start."""
    return np.asarray(seen.gradient), np.asarray(seen.hessian)[0]


@pytest.fixture(scope="module")
def by_hand(ch3f_in_figures, observed):
    """Each target's share of the cost."""
    masses, positions, reference, reference_gradient = ch3f_in_figures
    found_gradient, hessian = observed
    reference = reference * units.HARTREE_PER_BOHR2
    weights = np.repeat(masses, 3) ** -0.5
    projector = np.eye(15) - outer(rigid(masses, positions))
    eigenvalues, modes = np.linalg.eigh(projector @ (weights[:, None] * reference * weights) @ projector)
    vibrating = np.argsort(np.abs(eigenvalues))[6:]
    eigenvalues, modes = eigenvalues[vibrating], modes[:, vibrating]
    order = np.argsort(eigenvalues)
    eigenvalues, modes = eigenvalues[order], modes[:, order]
    eigenmatrix = modes.T @ (weights[:, None] * hessian * weights) @ modes
    own, mixing = np.linalg.eigh(eigenmatrix)
    frequencies = wavenumbers(own)
    near = np.exp(-0.5 * (np.subtract.outer(frequencies, frequencies) / 100.0) ** 2)
    pairs = np.einsum("ak,al,kl->akl", mixing**2, mixing**2, near)
    lies = np.einsum("akl,kl->a", pairs, np.add.outer(frequencies, frequencies) / 2.0) / pairs.sum(axis=(1, 2))
    omega, floor = wavenumbers(eigenvalues), np.maximum(np.abs(wavenumbers(eigenvalues)), 100.0)
    in_cm1 = (eigenmatrix - np.diag(eigenvalues)) * units.WAVENUMBER**2 / (2 * np.sqrt(np.outer(floor, floor)))
    inside = np.diag(1 / weights) @ projector @ np.diag(weights)
    projected = inside @ reference @ inside.T
    return (
        share(np.diagonal(in_cm1) / 50.0, 0.5),
        share(in_cm1[np.triu_indices(9, 1)] / 100.0, 0.5),
        share((lies - omega) / 20.0, 3.0),
        share((hessian - projected)[np.tril_indices(15)] / 7.0, 1.0),
        share((found_gradient.ravel() - reference_gradient * units.HARTREE_PER_BOHR) / 5.0, 2.0),
        share(AT, STRENGTH),
    )


def share(deviations, weight):
    return 0.5 * weight * np.mean(deviations**2)


def wavenumbers(eigenvalues):
    return np.sign(eigenvalues) * np.sqrt(np.abs(eigenvalues)) * units.WAVENUMBER


def outer(vectors):
    basis, _ = np.linalg.qr(vectors)
    return basis @ basis.T


def rigid(masses, positions):
    """Translations and rotations in mass-weighted coordinates."""
    roots = np.sqrt(masses)[:, None]
    centred = positions - masses @ positions / masses.sum()
    shifts = [np.broadcast_to(axis, centred.shape) for axis in np.eye(3)]
    turns = [np.cross(axis, centred) for axis in np.eye(3)]
    return np.stack([(roots * motion).ravel() for motion in (*shifts, *turns)], axis=1)


def test_cost_is_the_sum_of_the_documented_means(problem, by_hand):
    model = EVALUATE(problem, jnp.asarray(AT))

    np.testing.assert_allclose(model.cost, sum(by_hand), rtol=1e-9)


def test_shares_of_the_cost_are_those_of_the_targets(problem, prepared, seen, by_hand):
    sights = Sights(at_reference(seen, prepared.data))

    found = contributions(problem.targets, prepared.data, sights)

    np.testing.assert_allclose(found, by_hand[:-1], rtol=1e-8)


def test_widths_of_the_prior_are_those_of_the_file(problem):
    k, r0 = problem.prior.centre[0], problem.prior.width[1]

    np.testing.assert_allclose(problem.prior.width[0], 0.5 * k)
    np.testing.assert_allclose([r0, problem.prior.width[5]], [0.03, np.radians(5.0)])


def test_gradient_and_normal_matrix_belong_to_the_cost(problem):
    direction, step = np.cos(np.arange(8.0)), 1e-5

    model = EVALUATE(problem, jnp.asarray(AT))

    up, down = (EVALUATE(problem, jnp.asarray(AT + s * direction)) for s in (step, -step))
    np.testing.assert_allclose(model.gradient @ direction, (up.cost - down.cost) / (2 * step), rtol=1e-6)
    assert np.linalg.eigvalsh(model.normal).min() > 0.0
