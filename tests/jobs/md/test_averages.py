"""Averages that grow with a run are those of all its frames at once."""

import numpy as np
import pytest

from forgefield.jobs.md.averages import moments, no_averages, no_frames

OFFSET = -250_000.0
"""kcal/mol: total energies are large, and what they deviate by is small."""


def test_moments_of_parts_are_those_of_the_whole(generator):
    values = generator.normal(size=(50, 3, 2))
    values[20:, 1] = np.nan

    found = no_frames(3, 2)
    for part in (values[:1], values[1:1], values[1:30], values[30:]):
        found = found.joined(moments(part))

    np.testing.assert_array_equal(found.n, [50, 20, 50])
    for k, n in enumerate(found.n.astype(int)):
        np.testing.assert_allclose(found.mean[k], values[:n, k].mean(axis=0), rtol=1e-10)
        np.testing.assert_allclose(found.products[k], n * np.cov(values[:n, k].T, bias=True), rtol=1e-10)
    every = np.concatenate([values[:, 0], values[:20, 1], values[:, 2]])
    np.testing.assert_allclose(found.pooled.mean[0], every.mean(axis=0), rtol=1e-10)
    np.testing.assert_allclose(found.pooled.products[0], len(every) * np.cov(every.T, bias=True), rtol=1e-10)


def test_drift_is_the_slope_of_the_line_through_energies(generator):
    time = np.arange(40) * 0.01
    energy = OFFSET + 0.3 * time[:, None] + 1e-3 * generator.normal(size=(40, 2))
    line = np.polynomial.polynomial.polyfit(time, energy - OFFSET, 1)
    left = energy - OFFSET - np.polynomial.polynomial.polyval(time, line).T

    averages = no_averages(2)
    for part in (slice(15), slice(15, 40)):
        averages = averages.with_frames(time[part], energy[part], energy[part], settled=time[part] >= 0.2)

    slope, squares = averages.drift
    np.testing.assert_allclose(slope, line[1], rtol=1e-6)
    np.testing.assert_allclose(squares, (left**2).sum(axis=0), rtol=1e-5)
    np.testing.assert_array_equal(averages.settled.n, [20, 20])
    assert averages.settled.mean[0, 0] == pytest.approx(time[20:].mean())
