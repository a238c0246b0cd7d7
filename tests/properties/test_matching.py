"""Which mode is which, in examples made by hand."""

import itertools

import numpy as np

from forgefield import units
from forgefield.properties.matching import match_modes


def eigenvalues(*frequencies):
    return np.sign(frequencies) * (np.array(frequencies) / units.WAVENUMBER) ** 2


def test_equal_modes_match_themselves():
    found = match_modes(np.eye(3), eigenvalues(100.0, 200.0, 300.0), eigenvalues(110.0, 190.0, 310.0))

    np.testing.assert_array_equal(found, [0, 1, 2])


def test_every_permutation_is_undone():
    reference = eigenvalues(-400.0, 100.0, 500.0, 900.0)
    for order in itertools.permutations(range(4)):
        overlaps = np.eye(4)[:, order]

        found = match_modes(overlaps, reference, reference)

        np.testing.assert_array_equal(found, np.argsort(order))


def test_the_sum_of_overlaps_counts_and_not_the_largest():
    # Taking 0.9 first would leave 0.0 for the other: 0.9 in all against 0.8 + 0.7.
    overlaps = np.array([[0.9, 0.8], [0.7, 0.0]])

    found = match_modes(overlaps, eigenvalues(100.0, 200.0), eigenvalues(100.0, 200.0))

    np.testing.assert_array_equal(found, [1, 0])


def test_modes_that_changed_places_are_found_whatever_their_frequencies():
    overlaps = np.array([[0.1, 0.9], [0.9, 0.1]])

    found = match_modes(overlaps, eigenvalues(30.0, 70.0), eigenvalues(40.0, 60.0))

    np.testing.assert_array_equal(found, [1, 0])


def test_partners_of_a_degenerate_set_are_sorted():
    # The set (0, 1) has partners 2 and 0; whichever belongs to which, the lower one comes first.
    overlaps = np.array([[0.0, 0.4, 0.6], [0.6, 0.0, 0.4], [0.4, 0.6, 0.0]])

    found = match_modes(overlaps, eigenvalues(500.0, 500.4, 900.0), eigenvalues(480.0, 880.0, 530.0))

    np.testing.assert_array_equal(found, [0, 2, 1])


def test_modes_more_than_a_wavenumber_apart_are_not_a_set():
    overlaps = np.array([[0.0, 1.0], [1.0, 0.0]])

    found = match_modes(overlaps, eigenvalues(500.0, 501.1), eigenvalues(480.0, 530.0))

    np.testing.assert_array_equal(found, [1, 0])


def test_an_imaginary_and_a_real_mode_are_not_a_set():
    overlaps = np.array([[0.0, 1.0], [1.0, 0.0]])

    found = match_modes(overlaps, eigenvalues(-300.0, 300.0), eigenvalues(-310.0, 290.0))

    np.testing.assert_array_equal(found, [1, 0])


def test_no_modes_match_no_modes():
    assert match_modes(np.zeros((0, 0)), np.zeros(0), np.zeros(0)).shape == (0,)


def test_the_sum_of_the_overlaps_is_the_largest_of_all_permutations(generator):
    reference = eigenvalues(500.0, 500.4, 900.0, 1200.0)
    permutations = np.array(list(itertools.permutations(range(4))))

    for _ in range(50):
        overlaps, model = generator.uniform(size=(4, 4)), np.sort(generator.uniform(1.0, 9.0, 4))
        best = permutations[overlaps[np.arange(4), permutations].sum(axis=1).argmax()].copy()
        best[:2] = best[:2][np.argsort(model[best[:2]])]
        np.testing.assert_array_equal(match_modes(overlaps, reference, model), best)
