from dataclasses import replace

import jax.numpy as jnp
import jax.random as jr
import numpy as np
import pytest

from forgefield.distil.training import Recipe, batch_of, errors, loss, reference_energies, train
from forgefield.errors import InputError
from forgefield.models.painn import Design, Size, painn
from forgefield.models.radial import QuinticEnvelope, SineBasis
from forgefield.molecules.molecule import Reference
from forgefield.units import ELECTRONVOLT

# Most of the time goes into compiling whole models.
pytestmark = pytest.mark.slow

RECIPE = Recipe(steps=150, batch=4, check_every=50)


@pytest.fixture(scope="module")
def model():
    design = Design((1, 8), SineBasis(5, 3.0), QuinticEnvelope(), ELECTRONVOLT)
    return painn(jr.key(5), design, Size(8, 2, 5))


def spring(generator, n=2, k=300.0, r0=1.0):
    """A molecule whose atoms are joined in a row by springs: energy and gradient by hand."""
    x = np.arange(n)[:, None] * np.array([[1.0, 0.0, 0.0]]) + 0.05 * generator.normal(size=(n, 3))
    d = np.diff(x, axis=0)
    r = np.linalg.norm(d, axis=1, keepdims=True)
    pull = k * (r - r0) * d / r
    gradient = np.zeros((n, 3))
    gradient[1:] += pull
    gradient[:-1] -= pull
    return Reference(np.array([8, 1, 1][:n]), x, float(0.5 * k * np.sum((r - r0) ** 2)) - 100.0 * n, gradient)


@pytest.fixture
def references(generator):
    return [spring(generator, 2 + k % 2) for k in range(24)]


@pytest.mark.slow
def test_training_learns_springs(model, references):
    told = []

    trained = train(model, references[:16], references[16:], RECIPE, tell=lambda k, e: told.append((k, e)))

    typical = np.sqrt(np.mean(np.concatenate([r.gradient.ravel() for r in references[16:]]) ** 2))
    assert trained.errors.force_rmse < 0.4 * typical
    assert [k for k, _ in told] == [50, 100, 150]
    assert trained.errors == min((e for _, e in told), key=lambda e: e.energy_rmse**2 + e.force_rmse**2)
    assert trained.errors == errors(trained.model, references[16:])


def test_the_loss_is_that_of_the_molecules_whatever_fills_the_batch(model, references):
    alone = loss(model, batch_of(references[:3], 7, 3), RECIPE)
    filled = loss(model, batch_of(references[:3], 12, 3), RECIPE)

    np.testing.assert_allclose(filled, alone, rtol=1e-5)


def test_the_loss_is_the_weighted_mean_of_squares(model, references):
    triples = [r for r in references if len(r.species) == 3][:3]
    recipe = replace(RECIPE, energy_weight=2.0, force_weight=3.0)
    seen = errors(model, triples)

    found = loss(model, batch_of(triples, 9, 3), recipe)

    expected = (2.0 * (seen.energy_rmse / 3) ** 2 + 3.0 * seen.force_rmse**2) / ELECTRONVOLT**2
    np.testing.assert_allclose(found, expected, rtol=1e-4)


def test_reference_energies_add_up(model, references):
    shares = reference_energies(model, references)

    sums = [shares @ [np.sum(r.species == 1), np.sum(r.species == 8)] for r in references]
    assert np.ptp(np.array([r.energy for r in references]) - sums) < 10.0


def test_references_without_forces_are_refused(model, references):
    bare = [replace(references[0], gradient=None), references[1]]

    with pytest.raises(InputError, match="references 1 of 2 lack them"):
        train(model, bare, references, RECIPE)


@pytest.mark.slow
def test_divergence_is_told(model, references):
    with pytest.raises(InputError, match="training diverged"):
        train(model, references[:4], references[4:6], replace(RECIPE, steps=2, learning_rate=float("nan")))


@pytest.mark.slow
def test_double_precision_trains_too(model, references):
    precise = model.with_precision(jnp.float64)

    trained = train(precise, references[:8], references[8:10], replace(RECIPE, steps=2))

    assert trained.model.embedding.dtype == jnp.float64
