"""Bonds from short to long: kinks and hills are seen, what is smooth is not taken for either."""

import numpy as np
import pytest

from forgefield.jobs.validate.surface import POINTS, kink, turns
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
