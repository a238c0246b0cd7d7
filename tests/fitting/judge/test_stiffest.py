"""The stiffest that a bond may be: above all that are known, and not much above."""

import jax.numpy as jnp
import numpy as np
import pytest

from forgefield.fitting.judge.stiffest import stiffest, stiffest_rows
from forgefield.models.forcefield import ForceField
from forgefield.molecules.topology import Interactions, union
from forgefield.terms.stretch import HARMONIC_STRETCH

# Harmonic constants [mdyn/Å] and lengths [Å] of diatomic molecules, Huber and Herzberg, 1979.
DIATOMIC = [
    *((1, 1, 5.75, 0.741), (1, 9, 9.66, 0.917), (1, 17, 5.16, 1.275), (1, 35, 4.12, 1.414), (1, 53, 3.14, 1.609)),
    *((7, 7, 22.95, 1.098), (6, 8, 19.02, 1.128), (8, 8, 11.77, 1.208), (9, 9, 4.70, 1.412), (17, 17, 3.23, 1.988)),
    *((35, 35, 2.46, 2.281), (53, 53, 1.72, 2.666), (53, 17, 2.38, 2.321), (35, 9, 4.06, 1.759)),
]
MILLIDYNE = 143.93
"""kcal/mol/Å² in 1 mdyn/Å."""


@pytest.mark.parametrize(("first", "second", "k", "length"), DIATOMIC)
def test_no_known_bond_is_too_stiff_and_one_of_seven_times_its_constant_is(first, second, k, length):
    (limit,) = stiffest(np.array([[first, second]]), np.array([length]))

    assert 1.5 * k * MILLIDYNE < limit < 7.0 * k * MILLIDYNE


def test_limit_of_a_single_bond_by_hand():
    # Badger: 1.86 / (1.54 - 0.68)³ = 2.924 mdyn/Å; 1.6 times that is known, twice the known one is no bond.
    (limit,) = stiffest(np.array([[6, 6]]), np.array([1.54]))

    assert limit == pytest.approx(2.0 * 1.6 * 2.9243 * MILLIDYNE, rel=1e-3)


def test_nitrogen_and_nitriles_are_known():
    limits = stiffest(np.array([[7, 7], [6, 7]]), np.array([1.098, 1.157]))

    assert (limits > [3302.0, 3600.0]).all()


def test_a_row_may_be_as_stiff_as_its_stiffest_bond_and_a_saddle_is_given_more_room():
    species = np.array([6, 6])
    interactions = Interactions(atoms=np.array([[0, 1], [2, 3]]), parameters=np.array([[0, 1], [0, 1]]))
    topology = union([species, species], (interactions,), None)
    model = ForceField((HARMONIC_STRETCH,), jnp.array([700.0, 1.5]))
    positions = np.array([[0.0, 0, 0], [1.54, 0, 0], [0, 0, 0], [1.20, 0, 0]])

    limits = stiffest_rows(model, topology, positions, np.array([], dtype=int))
    at_saddle = stiffest_rows(model, topology, positions[[0, 1, 0, 1]], np.array([1]))

    assert limits[0] == pytest.approx(stiffest(np.array([[6, 6]]), np.array([1.20]))[0])
    assert np.isnan(limits[1])
    assert at_saddle[0] == pytest.approx(20.8 * MILLIDYNE, rel=1e-3)
