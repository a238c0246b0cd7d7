"""Bonds from short to long: kinks and hills are seen, what is smooth is not taken for either."""

from dataclasses import replace

import numpy as np
import pytest

from forgefield.engines.teachers.teacher import AbstractTeacher, Identity, bare_label, products_by_differences
from forgefield.jobs.validate.surface import POINTS, kink, minima, turns
from forgefield.molecules.molecule import Molecule
from forgefield.report.student.findings import KINK

R = np.linspace(0.75, 1.65, POINTS)
DECAY = np.exp(-2.0 * (R - 1.1))
MORSE = 2.0 * 100.0 * 2.0 * (1.0 - DECAY) * DECAY


def test_a_morse_curve_is_smooth_and_has_one_minimum():
    assert kink(MORSE) < 0.01 * KINK
    assert turns(MORSE) == []


@pytest.mark.parametrize("at", [0.9, 1.3, 1.5])
def test_a_jump_of_the_slope_is_a_kink(at):
    assert kink(MORSE + np.where(at < R, 40.0, 0.0)) > KINK


def test_what_falls_again_beyond_a_hill_is_found_there():
    falling = np.where(R > 1.5, -30.0, MORSE)

    (place,) = turns(falling)

    assert R[place - 1] <= 1.5 < R[place]


def test_what_falls_when_pressed_is_over_a_hill_too():
    assert len(turns(np.where(R < 0.8, 300.0, MORSE))) == 1


def test_ripples_that_hardly_turn_are_no_hills():
    assert turns(MORSE + 0.5 * np.sin(60.0 * R)) == []


class Spring(AbstractTeacher):
    """Two atoms joined by a spring of 30 kcal/mol/Å²."""

    def __init__(self, rest: float) -> None:
        self.rest = rest

    @property
    def identity(self):
        return Identity("spring", "1")

    @property
    def acts_on_bonds(self):
        return False

    def check(self, molecule):
        pass

    def label(self, molecule, directions=None):
        def gradient(x):
            d = x[1] - x[0]
            r = np.linalg.norm(d)
            return 30.0 * (r - self.rest) / r * np.array([-d, d])

        r = np.linalg.norm(np.diff(molecule.positions, axis=0))
        energy = 0.5 * 30.0 * float(r - self.rest) ** 2
        found = bare_label(molecule, self.identity, energy, gradient(molecule.positions))
        if directions is None:
            return found
        return replace(found, products=products_by_differences(gradient, molecule.positions, directions, 1e-4))


@pytest.mark.parametrize("off", [0.0, 0.001, 0.05])
def test_a_student_rests_where_its_own_forces_vanish(off):
    """Not where its teacher's do, however small its forces are there."""
    molecule = Molecule(
        "CO", np.array([6, 8]), np.array([[0.0, 0.0, 0.0], [1.13, 0.0, 0.0]]), np.array([[0, 1]]), np.array([1.0])
    )

    found, here, there = minima(molecule, Spring(1.1 + off), Spring(1.1))

    assert here is not None
    assert there is not None
    assert found.bond == pytest.approx(off, abs=1e-4)
    assert found.rmsd == pytest.approx(0.5 * off, abs=1e-4)
    np.testing.assert_allclose(found.student, found.reference, rtol=1e-5)
