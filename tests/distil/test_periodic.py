"""Periodic references in batches: cells next to each other do not see each other, and stresses are slopes by strain."""

from dataclasses import replace

import equinox as eqx
import jax.numpy as jnp
import jax.random as jr
import numpy as np
import pytest

from forgefield.distil.batches import batch_in_parts, batch_of, sight_of
from forgefield.distil.deviations import deviations
from forgefield.distil.losses import answers, losses
from forgefield.distil.recipe import Recipe, Weights
from forgefield.distil.training import train
from forgefield.models.neural.painn import Design, Size, painn
from forgefield.models.neural.radial import QuinticEnvelope, SineBasis
from forgefield.molecules.lattice import Lattice
from forgefield.molecules.molecule import Reference
from forgefield.units import ELECTRONVOLT

# Most of the time goes into compiling whole networks.
pytestmark = pytest.mark.slow

CUTOFF = 3.5
EVERYWHERE = (True, True, True)
_answers = eqx.filter_jit(answers)


@pytest.fixture(scope="module")
def model():
    design = Design((1, 8), SineBasis(5, CUTOFF), QuinticEnvelope(), ELECTRONVOLT)
    return painn(jr.key(5), design, Size(8, 1, 5)).with_precision(jnp.float64)


def crystal(generator, n: int) -> Reference:
    """Some atoms in a skewed cell, with labels that nobody has computed."""
    vectors = 3.0 * np.eye(3) + 0.3 * generator.normal(size=(3, 3))
    positions = generator.uniform(size=(n, 3)) @ vectors
    stress = generator.normal(size=(3, 3)) * 0.1
    return Reference(
        np.array([8, 1, 1, 8][:n]),
        positions,
        energy=float(generator.normal()),
        gradient=generator.normal(size=(n, 3)),
        lattice=Lattice(vectors, EVERYWHERE),
        stress=stress + stress.T,
    )


def said(model, references, stressed=True):
    batch = batch_of(references, 3 * len(references) + 3, 3, sight=sight_of(references, CUTOFF))
    return [np.asarray(one) for one in _answers(model, batch, jnp.asarray(batch.positions), stressed=stressed)]


def test_stresses_in_a_batch_are_slopes_by_strain(model, generator):
    first, second = crystal(generator, 3), crystal(generator, 2)
    strain = generator.normal(size=(3, 3))
    strain = 0.5 * (strain + strain.T)
    lattice = first.lattice
    assert lattice is not None

    def strained(size: float) -> float:
        factor = np.eye(3) + size * strain
        moved = replace(
            first, positions=first.positions @ factor, lattice=Lattice(lattice.vectors @ factor, EVERYWHERE)
        )
        return said(model, [moved, second], stressed=False)[0][0]

    stress = said(model, [first, second])[2][0]

    slope = (strained(1e-4) - strained(-1e-4)) / 2e-4 / lattice.volume
    np.testing.assert_allclose(np.sum(stress * strain), slope, rtol=1e-6)


def test_systems_of_a_batch_do_not_see_each_other(model, generator):
    molecule = Reference(np.array([8, 1]), np.array([[0.0, 0.0, 0.0], [0.97, 0.0, 0.0]]), 0.0, np.zeros((2, 3)))
    systems = [crystal(generator, 3), crystal(generator, 2), molecule]

    together = said(model, systems)
    alone = [said(model, [one]) for one in systems[:2]]

    for k, one in enumerate(alone):
        np.testing.assert_allclose(together[0][k], one[0][0], rtol=1e-9)
        np.testing.assert_allclose(together[2][k], one[2][0], rtol=1e-8, atol=1e-10)
    np.testing.assert_allclose(together[1][3:5], alone[1][1][:2], rtol=1e-8, atol=1e-10)
    bare = batch_of([molecule], 2, 2)
    assert bare.topology.neighbours is None
    np.testing.assert_allclose(together[0][2], model.energy(bare.topology, jnp.asarray(bare.positions))[0], rtol=1e-9)


def test_losses_and_errors_of_stresses_are_their_means(model, generator):
    systems = [crystal(generator, 3), replace(crystal(generator, 3), stress=None), crystal(generator, 2)]
    batch = batch_of(systems, 9, 3, sight=sight_of(systems, CUTOFF))
    off = said(model, systems)[2][[0, 2]] - np.array([systems[0].stress, systems[2].stress])

    found = eqx.filter_jit(losses)(model, batch, Weights(stress=2.0))
    seen = deviations(model, systems)

    np.testing.assert_allclose(found.stress, np.mean((off / ELECTRONVOLT) ** 2), rtol=1e-7)
    assert seen.errors.stress_mae is not None
    np.testing.assert_allclose(seen.errors.stress_mae, np.mean(np.abs(off)), rtol=1e-7)
    np.testing.assert_allclose(seen.merit(Weights(stress=2.0)), found.total(Weights(stress=2.0)), rtol=1e-6)


def test_parts_of_a_batch_have_as_many_places(generator):
    systems = [crystal(generator, 2 + k % 2) for k in range(5)]
    batch = batch_in_parts(systems, 3, sight=sight_of(systems, CUTOFF))

    neighbours = batch.topology.neighbours
    assert neighbours is not None
    assert batch.real.sum() == 5
    assert neighbours.atom.shape[:2] == batch.positions.shape[:2]
    # Those that fill up see nothing, and nobody sees them.
    size = np.array([len(one.species) for one in systems])
    assert neighbours.valid.any(axis=2).sum() == size.sum()


@pytest.mark.slow
def test_training_lowers_the_loss_of_stresses(model, generator):
    teacher = painn(jr.key(7), model.design, Size(8, 1, 5))
    shape = crystal(generator, 3)
    assert shape.lattice is not None
    systems = []
    for _ in range(12):
        factor = np.eye(3) + 0.05 * generator.normal(size=(3, 3))
        moved = shape.positions @ factor + 0.05 * generator.normal(size=(3, 3))
        one = replace(shape, positions=moved, lattice=Lattice(shape.lattice.vectors @ factor, EVERYWHERE))
        energy, gradient, stress = said(teacher.with_precision(jnp.float64), [one])
        systems.append(replace(one, energy=float(energy[0]), gradient=gradient[:3], stress=stress[0]))
    weights = Weights(energy=0.0, force=0.0, stress=1e3)
    recipe = Recipe(steps=120, batch=4, check_every=20, warmup=5, weights=weights)
    told = []

    train(model.with_precision(jnp.float32), systems[:8], systems[8:], recipe, tell=told.append)

    assert told[-1].losses.stress < 0.5 * told[0].losses.stress
