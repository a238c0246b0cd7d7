"""Freezing, bounds and ties: the values of a model as a linear function of free variables."""

import numpy as np
import pytest

from forgefield.errors import InputError
from forgefield.models.rows import Row
from forgefield.models.trainable import Tie, trainable
from forgefield.terms.bend import HARMONIC_BEND
from forgefield.terms.stretch import HARMONIC_STRETCH

ROWS = (
    Row(HARMONIC_STRETCH, ("C1", "F1"), (0, 1)),
    Row(HARMONIC_STRETCH, ("C1", "H1"), (2, 3)),
    Row(HARMONIC_BEND, ("F1", "C1", "H1"), (4, 5)),
)
CF, CH, FCH = "stretch C1-F1 k", "stretch C1-H1 k", "bend F1-C1-H1 k"
START = np.array([700.0, 1.4, 650.0, 1.09, 90.0, 1.9])


def test_all_values_of_the_rows_change_within_their_bounds():
    free = trainable(ROWS, 6)

    assert free.names[0] == CF
    assert free.variables.n_free == 6
    np.testing.assert_array_equal(free.variables.places, range(6))
    np.testing.assert_array_equal(free.variables.leader, range(6))
    np.testing.assert_array_equal(free.variables.changed(np.arange(6.0)), range(6))
    np.testing.assert_allclose(free.variables.lower, [0.0, 0.5, 0.0, 0.5, 0.0, 0.35])
    np.testing.assert_allclose(free.variables.upper, [np.inf, 4.0, np.inf, 4.0, np.inf, np.pi])


def test_frozen_values_stay_as_they_are():
    free = trainable(ROWS, 6, frozen=frozenset({CF, "bend F1-C1-H1 theta0"}))

    values = free.variables.values(START, np.array([1.0, 2.0, 3.0, 4.0]))

    assert CF not in free.names
    np.testing.assert_allclose(values, [700.0, 1.0, 2.0, 3.0, 4.0, 1.9])


def test_unbounded_values_may_be_negative():
    free = trainable(ROWS, 6, unbounded=frozenset({FCH}))

    assert free.variables.lower[4] == -np.inf
    assert free.variables.lower[0] == 0.0


def test_equal_values_are_one_variable():
    free = trainable(ROWS, 6, ties=(Tie(CH, CF),))

    values = free.variables.values(START, np.array([500.0, 1.4, 1.09, 90.0, 1.9]))

    assert free.variables.n_free == 5
    np.testing.assert_allclose(values, [500.0, 1.4, 500.0, 1.09, 90.0, 1.9])


def test_linear_ties_follow_each_other_in_a_chain():
    free = trainable(ROWS, 6, ties=(Tie(FCH, CH, factor=0.1, offset=5.0), Tie(CH, CF, factor=2.0, offset=-100.0)))

    values = free.variables.values(START, np.array([500.0, 1.4, 1.09, 1.9]))

    assert free.variables.n_free == 4
    np.testing.assert_allclose(values[2], 2.0 * 500.0 - 100.0)
    np.testing.assert_allclose(values[4], 0.1 * 900.0 + 5.0)


def test_bounds_of_a_follower_hold_its_leader():
    free = trainable(ROWS, 6, ties=(Tie("stretch C1-F1 r0", "stretch C1-H1 r0", factor=2.0, offset=0.2),))

    leader = free.leaders.index("stretch C1-H1 r0")
    np.testing.assert_allclose([free.variables.lower[leader], free.variables.upper[leader]], [0.5, (4.0 - 0.2) / 2.0])


def test_bounds_of_a_follower_with_a_negative_factor_change_places():
    ties = (Tie("stretch C1-F1 r0", "stretch C1-H1 r0", factor=-1.0, offset=2.5),)

    free = trainable(ROWS, 6, ties=ties)

    leader = free.leaders.index("stretch C1-H1 r0")
    np.testing.assert_allclose([free.variables.lower[leader], free.variables.upper[leader]], [0.5, 2.0])


def test_what_follows_an_unbounded_value_is_unbounded_too():
    free = trainable(ROWS, 6, ties=(Tie(CH, CF),), unbounded=frozenset({CF}))

    assert free.variables.lower[0] == -np.inf


def test_tie_that_leaves_no_room_is_named():
    with pytest.raises(InputError, match=r"no value of 'stretch C1-H1 r0' .* bounds: 'stretch C1-F1 r0'"):
        trainable(ROWS, 6, ties=(Tie("stretch C1-F1 r0", "stretch C1-H1 r0", offset=10.0),))


def test_free_variables_are_those_of_the_leaders_inside_the_bounds():
    free = trainable(ROWS, 6, ties=(Tie(CH, CF, factor=0.5),))

    variables = free.variables.free(np.array([-20.0, 1.4, 650.0, 9.0, 90.0, 1.9]))

    np.testing.assert_allclose(variables, [0.0, 1.4, 4.0, 90.0, 1.9])


def test_values_obey_ties_and_bounds():
    free = trainable(ROWS, 6, ties=(Tie(CH, CF, factor=0.5),))

    start = START.copy()
    start[1] = 9.0
    values = free.variables.values(start, free.variables.free(start))

    np.testing.assert_array_equal(free.variables.within(start), values)
    np.testing.assert_allclose(values, [700.0, 4.0, 350.0, 1.09, 90.0, 1.9])


@pytest.mark.parametrize(
    ("ties", "said"),
    [
        ((Tie(CF, CH), Tie(CH, FCH), Tie(FCH, CF)), f"ties run in a circle: {CF} -> {CH} -> {FCH} -> {CF}"),
        ((Tie(CF, CF),), f"ties run in a circle: {CF} -> {CF}"),
        ((Tie("stretch C9-F1 k", "nothing"),), "names parameters that are not trained: 'nothing', 'stretch C9-F1 k'"),
        ((Tie(CH, CF), Tie(CH, FCH)), f"parameters are tied more than once: '{CH}'"),
    ],
)
def test_tie_that_cannot_be_is_refused_by_name(ties, said):
    with pytest.raises(InputError) as error:
        trainable(ROWS, 6, ties=ties)

    assert said in str(error.value)


def test_tie_to_a_frozen_value_is_refused():
    with pytest.raises(InputError, match=f"not trained: '{CF}'"):
        trainable(ROWS, 6, frozen=frozenset({CF}), ties=(Tie(CH, CF),))
