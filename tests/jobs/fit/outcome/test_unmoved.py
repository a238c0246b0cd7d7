"""Vibrations that no term moves: allene's twist, and the umbrella of a planar molecule."""

import re

import numpy as np
import pytest

from forgefield.assign.generated import generate
from forgefield.estimating.transition_state import treat
from forgefield.fitting.data.training_set import Example
from forgefield.jobs.fit.outcome.unmoved import unmoved
from forgefield.molecules.bonds import perceive_bonds
from forgefield.molecules.molecule import Molecule, Reference, standard_masses
from forgefield.terms.bend import HARMONIC_BEND
from forgefield.terms.nonbonded import LENNARD_JONES
from forgefield.terms.out_of_plane import COSINE_OUT_OF_PLANE
from forgefield.terms.stretch import HARMONIC_STRETCH
from forgefield.terms.torsion import TORSION3

BONDED = HARMONIC_STRETCH, HARMONIC_BEND
ALLENE = np.array(
    [[0, 0, 0], [0, 0, 1.31], [0, 0, -1.31], [0.93, 0, 1.87], [-0.93, 0, 1.87], [0, 0.93, -1.87], [0, -0.93, -1.87]]
)
BORANE = np.array([[0, 0, 0], *([1.19 * np.cos(a), 1.19 * np.sin(a), 0] for a in 2.0 * np.pi / 3.0 * np.arange(3))])


def example(name, species, positions):
    """A molecule with springs between all its atoms, so that every mode has a frequency."""
    species = np.array(species)
    n = len(species)
    hessian = np.zeros((n, 3, n, 3))
    for i in range(n):
        for j in range(i):
            apart = positions[i] - positions[j]
            block = 300.0 / (apart @ apart) ** 2 * (np.outer(apart, apart) + 0.2 * (apart @ apart) * np.eye(3))
            for a, b, sign in ((i, j, -1), (j, i, -1), (i, i, 1), (j, j, 1)):
                hessian[a, :, b] += sign * block
    bonds, orders = perceive_bonds(species, positions)
    hessian = hessian.reshape(3 * n, 3 * n)
    reference = Reference(species=species, positions=positions, hessian=hessian)
    return Example(
        Molecule(name, species, positions, bonds, orders),
        reference,
        treat(hessian, positions, standard_masses(species), None),
    )


@pytest.fixture(scope="module")
def allene():
    return example("allene", [6, 6, 6, 1, 1, 1, 1], ALLENE)


@pytest.fixture(scope="module")
def borane():
    return example("borane", [5, 1, 1, 1], BORANE)


def test_twist_about_a_straight_chain_is_moved_by_a_torsion(allene):
    (said,) = unmoved(generate([allene.molecule], (*BONDED, COSINE_OUT_OF_PLANE)), [allene])

    # The twist alone.
    assert re.match(r"allene: no term of the force field moves its vibration\(s\) at \d+ cm⁻¹, so that", said)
    assert 'add "torsion" to terms under [forcefield]' in said
    assert unmoved(generate([allene.molecule], (*BONDED, TORSION3, COSINE_OUT_OF_PLANE)), [allene]) == []


def test_twist_about_a_chain_of_single_bonds_is_moved_by_van_der_waals_terms_alone():
    longer = example("longer", [6, 6, 6, 1, 1, 1, 1], ALLENE + 0.15 * np.sign(ALLENE) * [0.0, 0.0, 1.0])

    (said,) = unmoved(generate([longer.molecule], (*BONDED, TORSION3, COSINE_OUT_OF_PLANE)), [longer])

    assert 'only van der Waals terms act on it (nonbonded = "uff" under [forcefield])' in said


def test_nothing_is_said_where_they_are_there(allene):
    laid = generate([allene.molecule], (*BONDED, COSINE_OUT_OF_PLANE), van_der_waals=LENNARD_JONES)

    assert unmoved(laid, [allene]) == []


def test_umbrella_of_a_planar_molecule_is_moved_by_an_out_of_plane_term(borane):
    (said,) = unmoved(generate([borane.molecule], BONDED), [borane])

    assert 'add "out_of_plane" to terms under [forcefield]' in said
    assert unmoved(generate([borane.molecule], (*BONDED, COSINE_OUT_OF_PLANE)), [borane]) == []
