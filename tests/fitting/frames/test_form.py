"""Many structures of a molecule: what a force field says there, and their cost as a quadratic form."""

from typing import NamedTuple

import equinox as eqx
import jax.numpy as jnp
import numpy as np
import pytest

from forgefield.assign.generated import generate
from forgefield.errors import InputError
from forgefield.fitting.cost.cost import Prior, Problem
from forgefield.fitting.data.chunks import chunks
from forgefield.fitting.data.training_set import Example, training_set
from forgefield.fitting.frames.evaluation import said
from forgefield.fitting.frames.form import FrameWeights, frame_form
from forgefield.fitting.frames.frames import frames_of
from forgefield.models.trainable import trainable
from forgefield.molecules.molecule import HessianProducts, Molecule, Reference
from forgefield.terms.bend import HARMONIC_BEND
from forgefield.terms.nonbonded import LENNARD_JONES
from forgefield.terms.stretch import HARMONIC_STRETCH

WEIGHTS = FrameWeights(3.0, 1.0, 0.5)
WATER = Molecule(
    "water",
    np.array([8, 1, 1]),
    np.array([[0.0, 0.0, 0.0], [0.96, 0.0, 0.0], [-0.24, 0.93, 0.0]]),
    np.array([[0, 1], [0, 2]]),
    np.ones(2),
)
PEROXIDE = Molecule(
    "hydrogen peroxide",
    np.array([1, 8, 8, 1]),
    np.array([[0.9, 0.0, -0.3], [0.0, 0.1, 0.0], [0.0, 0.0, 1.45], [-0.4, 0.8, 1.75]]),
    np.array([[0, 1], [1, 2], [2, 3]]),
    np.ones(3),
)
MOLECULES = [WATER, PEROXIDE]


class Case(NamedTuple):
    problem: Problem
    laid: object
    frames: list


def structures(molecule, generator, n):
    """Structures with labels that nothing stands behind, the last of them without a product."""
    found, shape = [], molecule.positions.shape
    for k in range(n):
        x = molecule.positions + 0.05 * generator.normal(size=shape)
        v, p = generator.normal(size=(2, 1 if k else 2, *shape))
        known = None if k == n - 1 else HessianProducts(v, 100.0 * p)
        energy, gradient = 1e3 + generator.normal(), generator.normal(size=shape)
        found.append(Reference(molecule.species, x, energy=energy, gradient=gradient, products=known))
    return found


def problem_of(laid, *kinds):
    rows = tuple(row for row in laid.rows if row.term.kind in kinds)
    changes = trainable(rows, len(laid.model.values))
    examples = [Example(m, Reference(m.species, m.positions, energy=0.0), None) for m in MOLECULES]
    centre = changes.variables.free(np.asarray(laid.model.values))
    prior = Prior(centre, 0.1 + 0.1 * np.abs(centre), 0.0)
    cut = chunks(training_set(laid.topology, examples), len(laid.model.values), np.asarray(changes.variables.places))
    return Problem(laid.model, cut, (), (), prior, changes.variables)


@pytest.fixture(scope="module")
def case():
    generator = np.random.default_rng(3)
    laid = generate(MOLECULES, (HARMONIC_STRETCH, HARMONIC_BEND), van_der_waals=LENNARD_JONES)
    frames = [frames_of(structures(m, generator, n)) for m, n in zip(MOLECULES, (4, 3), strict=True)]
    return Case(problem_of(laid, "stretch", "bend"), laid, frames)


def cost(case, scaled, groups):
    """The cost, written down."""
    model = case.problem.model_at(case.problem.prior.centre + case.problem.prior.width * scaled)
    topology = case.laid.topology
    told = [said(model.terms, topology, m, np.asarray(model.values), f) for m, f in enumerate(case.frames)]
    off = [(t.energy - f.energy) / f.positions.shape[1] for t, f in zip(told, case.frames, strict=True)]
    joined = [np.concatenate([o for o, g in zip(off, groups, strict=True) if g == one]) for one in {*groups}]
    energy = np.concatenate([o - o.mean() for o in joined])
    force = np.concatenate([(t.gradient - f.gradient).ravel() for t, f in zip(told, case.frames, strict=True)])
    known = [(f.directions != 0.0).any(axis=(2, 3)) for f in case.frames]
    product = np.concatenate(
        [(t.products - f.products)[k].ravel() for t, f, k in zip(told, case.frames, known, strict=True)]
    )
    means = (np.mean(one**2) for one in (energy, force, product))
    return 0.5 * sum(w * m for w, m in zip((3.0, 1.0, 0.5), means, strict=True))


def test_answers_are_those_of_the_force_field_and_slopes_of_each_other(case):
    frames, model, topology = case.frames[1], case.laid.model, case.laid.topology
    both = jnp.concatenate([WATER.positions, frames.positions[0]])
    direction = frames.directions[0, 0]
    step = 1e-4 * np.concatenate([np.zeros((3, 3)), direction])

    found = said(model.terms, topology, 1, np.asarray(model.values), frames)

    energy, gradient = eqx.filter_jit(model.energy), eqx.filter_jit(model.gradient)
    np.testing.assert_allclose(found.energy[0], energy(topology, both)[1], rtol=1e-12)
    np.testing.assert_allclose(found.gradient[0], gradient(topology, both)[3:], atol=1e-9)
    rise = gradient(topology, both + step) - gradient(topology, both - step)
    np.testing.assert_allclose(found.products[0, 0], rise[3:] / 2e-4, rtol=1e-5, atol=1e-3)


@pytest.mark.parametrize("groups", [(0, 1), (0, 0)], ids=["a zero each", "one zero"])
def test_form_is_the_cost_with_its_slope(case, groups):
    problem, n = case.problem, case.problem.n_free
    at, direction = 0.3 * np.random.default_rng(5).normal(size=(2, n))

    form = frame_form(problem, case.laid.topology, np.zeros(0), list(zip(case.frames, groups, strict=True)), WEIGHTS)

    found = form.quadratic(problem, at)
    np.testing.assert_allclose(found.cost, cost(case, at, groups), rtol=1e-9)
    rise = cost(case, at + 1e-5 * direction, groups) - cost(case, at - 1e-5 * direction, groups)
    np.testing.assert_allclose(found.gradient @ direction, rise / 2e-5, rtol=1e-6)


def test_parameters_that_energies_are_no_polynomial_in_are_refused(case):
    labelled = [(frames, 0) for frames in case.frames]

    with pytest.raises(InputError, match="lennard_jones"):
        frame_form(problem_of(case.laid, "vdw"), case.laid.topology, np.zeros(0), labelled, WEIGHTS)
