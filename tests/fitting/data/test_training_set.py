"""Weights of modes, and which molecules have what, by hand."""

import numpy as np
import pytest

from forgefield.estimating.transition_state import C, D, treat
from forgefield.fitting.data.training_set import Band, Weights, buckets
from forgefield.properties.modes import vibrations
from samples import AT_WATER

MASSES = np.array([16.0, 1.0, 1.0])
Saddle = tuple[np.ndarray, np.ndarray, np.ndarray]


@pytest.fixture
def saddle() -> Saddle:
    """A Hessian of water with modes at -400, 600 and 3000 cm⁻¹."""
    modes = np.repeat(np.sqrt(MASSES), 3)[:, None] * vibrations(np.eye(9), AT_WATER, MASSES).vectors
    wavenumbers = np.array([-400.0, 600.0, 3000.0])
    return (modes * np.sign(wavenumbers) * (wavenumbers / 108.5913) ** 2) @ modes.T, AT_WATER, MASSES


def test_a_band_holds_its_lower_end_and_not_its_upper_one():
    frequencies = np.array([-1.0, 0.0, 599.9, 600.0, 1200.0])

    np.testing.assert_array_equal(Band(0.0, 600.0, 3.0).holds(frequencies), [False, True, True, False, False])
    np.testing.assert_array_equal(Band(600.0, np.inf, 3.0).holds(frequencies), [False, False, False, True, True])


def test_bands_that_overlap_multiply_and_the_reaction_mode_has_a_weight_of_its_own(saddle: Saddle):
    weights = Weights(reaction_mode=0.1, bands=(Band(-1000.0, 1000.0, 3.0), Band(500.0, 5000.0, 5.0)))

    np.testing.assert_array_equal(weights.of_modes(treat(*saddle, D())), [0.1, 15.0, 5.0])


def test_bands_are_of_the_frequencies_after_the_policy(saddle: Saddle):
    # Under C the reaction mode is at 5140 cm⁻¹, but its weight is its own.
    weights = Weights(reaction_mode=1.0, bands=(Band(4000.0, 6000.0, 7.0),))

    np.testing.assert_array_equal(weights.of_modes(treat(*saddle, C())), [1.0, 1.0, 1.0])


def test_molecules_without_modes_are_in_no_bucket():
    assert [(bucket.size, bucket.molecules) for bucket in buckets(np.array([0, 10, 0]))] == [(10, (1,))]
