"""Scales and ticks of figures."""

import numpy as np
import pytest

from forgefield.report.figures.axes import Scale, linear_ticks, log_ticks


def test_logarithmic_scale_puts_the_geometric_mean_in_the_middle():
    scale = Scale(0.01, 100.0, 0.0, 80.0, logarithmic=True)

    np.testing.assert_allclose(scale(np.array([0.01, 1.0, 100.0])), [0.0, 40.0, 80.0], atol=1e-12)


@pytest.mark.parametrize(
    ("low", "high", "labels"),
    [
        (-61.0, 61.0, ["−50", "0", "50"]),
        (0.0, 1.0, ["0.0", "0.2", "0.4", "0.6", "0.8", "1.0"]),
        (-0.06, 0.08, ["−0.05", "0.00", "0.05"]),
    ],
)
def test_linear_ticks_are_round(low, high, labels):
    assert [text for _, text in linear_ticks(low, high)] == labels


@pytest.mark.parametrize(
    ("low", "high", "labels"),
    [
        (0.0008, 1.3e3, ["0.001", "0.01", "0.1", "1", "10", "100", "1000"]),
        (3e-10, 2.0, ["10⁻⁸", "10⁻⁶", "10⁻⁴", "10⁻²", "10⁰"]),
        (0.9, 60.0, ["1", "2", "5", "10", "20", "50"]),
        (0.981, 1.013, ["0.99", "1.00", "1.01"]),
    ],
)
def test_logarithmic_ticks_suit_the_range(low, high, labels):
    assert [text for _, text in log_ticks(low, high)] == labels
