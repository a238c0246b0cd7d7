"""What is said of gradients and weights, by hand."""

import numpy as np
import pytest

from certain import known
from forgefield.report.trade_off import opposition_table, trade_off_figure, trade_off_table


def test_gradients_that_oppose_each_other_come_first_and_are_named():
    names = ["a", "b", "c"]
    cosines = np.array([[1.0, -0.49, 0.51], [-0.49, 1.0, -0.51], [0.51, -0.51, 1.0]])

    found = opposition_table({"opposition": {"targets": names, "cosines": cosines.tolist()}})

    assert known(found).groups[0].rows == (
        ("b", "c", "−0.51", "oppose each other"),
        ("a", "b", "−0.49", ""),
        ("a", "c", "0.51", "pull together"),
    )


def test_cosines_that_are_not_known_are_left_out():
    assert opposition_table({"opposition": {"targets": ["a", "b"], "cosines": [[1.0, None], [None, 1.0]]}}) is None
    assert opposition_table({}) is None


@pytest.fixture
def varied():
    points = [
        {"factor": f, "rms": {"a": a, "b": b}, "others": o, "converged": f < 50.0}
        for f, a, b, o in ((0.1, 4.0, 10.0, 1.0), (1.0, 2.0, 20.0, 2.0), (100.0, 1.0, 40.0, 4.0))
    ]
    return {"target": "a", "unit": "cm⁻¹", "units": {"b": "Å", "a": "cm⁻¹"}, "points": points}


def test_points_stand_with_the_target_first_and_say_what_did_not_converge(varied):
    rows = trade_off_table(varied).groups[0].rows

    assert rows[0] == ("0.1", "4.000", "10.00", "1.000", "")
    assert rows[2] == ("100", "1.000", "40.00", "4.000", "not converged")


def test_a_curve_needs_two_points(varied):
    assert trade_off_figure(varied) is not None
    assert trade_off_figure(varied | {"points": varied["points"][:1]}) is None
