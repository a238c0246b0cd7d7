"""Numbers keep the digits that mean something."""

import pytest

from forgefield.report.numerals import decimals_of, fixed, percent, significant, visible


@pytest.mark.parametrize(
    ("value", "decimals", "shown"),
    [
        (1.23456, 2, "1.23"),
        (-0.5, 1, "−0.5"),
        (0.0, 2, "0.00"),
        (-0.0004, 2, "0.00"),
        (None, 2, "—"),
        (float("nan"), 2, "—"),
        (float("-inf"), 2, "−∞"),
    ],
)
def test_fixed_decimals(value, decimals, shown):
    assert fixed(value, decimals) == shown


@pytest.mark.parametrize(
    ("value", "digits", "shown"),
    [
        (0.0, 3, "0"),
        (0.99996, 4, "1.000"),
        (123456.0, 3, "1.23 × 10⁵"),
        (12345.0, 3, "12345"),
        (0.000321, 2, "0.00032"),
        (None, 2, "—"),
    ],
)
def test_significant_digits(value, digits, shown):
    assert significant(value, digits) == shown


@pytest.mark.parametrize(
    ("value", "shown"),
    [(0.00012, "0.00012"), (-3.1e-7, "−3.1 × 10⁻⁷"), (0.0, "0.00"), (0.0051, "0.01"), (None, "—")],
)
def test_small_numbers_stay_visible(value, shown):
    assert visible(value, 2) == shown


def test_percent():
    assert [percent(0.9524), percent(None)] == ["95.2 %", "—"]


def test_decimals_of_a_column():
    assert [decimals_of(v, 4) for v in (56.92, 0.4127, 123456.0, 0.0, float("nan"))] == [2, 4, 0, 3, 3]
