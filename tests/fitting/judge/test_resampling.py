"""Intervals and jackknife by their definitions, and costs put together from the shares of molecules."""

import equinox as eqx
import numpy as np
import pytest

from certain import known
from forgefield.fitting.cost.cost import Sights, contributions
from forgefield.fitting.data.observation import observed
from forgefield.fitting.judge.resampling import gain, improvement, jackknife, resamples, shares
from forgefield.fitting.targets.target import at_reference


@pytest.fixture(scope="module")
def parts(both, problem_of):
    """The targets, the data and what the start observes of them, modes in their own order."""
    data = both.data
    seen = Sights(at_reference(observed(both.assignment.model, data), data))
    return problem_of(both).targets, data, seen


def test_shares_add_up_to_the_cost_of_the_weighted_set(parts):
    targets, data, seen = parts
    multiplicity = np.array([2.0, 1.0, 0.0])
    weighted = eqx.tree_at(lambda d: d.weight, data, data.weight * multiplicity)
    local = tuple(target for target in targets if target.name != "energy")

    found = shares(local, data, seen).cost(multiplicity)

    whole = contributions(local, weighted, seen)
    np.testing.assert_allclose(found, sum(map(float, whole)), rtol=1e-12)


def test_shares_of_everything_add_up_to_the_cost_energies_included(parts):
    targets, data, seen = parts

    found = shares(targets, data, seen).cost(np.ones(3))

    np.testing.assert_allclose(found, sum(map(float, contributions(targets, data, seen))))


def test_no_molecule_has_no_cost(parts):
    targets, data, seen = parts

    assert np.isnan(shares(targets, data, seen).cost(np.zeros(3)))


def test_samples_are_drawn_from_what_counts_and_are_the_same_for_the_same_seed():
    drawn = resamples(np.array([0, 2, 3]), 5, 40, seed=7)

    np.testing.assert_array_equal(drawn.sum(axis=1), 3)
    np.testing.assert_array_equal(drawn[:, [1, 4]], 0)
    np.testing.assert_array_equal(drawn, resamples(np.array([0, 2, 3]), 5, 40, seed=7))
    assert (drawn != resamples(np.array([0, 2, 3]), 5, 40, seed=8)).any()


def test_interval_is_that_of_the_percentiles_of_known_samples():
    samples = np.concatenate([np.arange(1001) / 1000.0, [np.nan]])

    found = improvement(0.5, samples)

    np.testing.assert_allclose([known(found.low), known(found.high)], [0.025, 0.975])
    assert found.n == 1001


@pytest.mark.parametrize(
    ("value", "samples", "said"),
    [
        (0.447, [0.444, 0.447, 0.45], "44.7 ± 0.3 % better: significant"),
        (0.1, [-0.2, 0.1, 0.4], "10.0 ± 28.5 % better: not significant"),
        (-0.2, [-0.3, -0.2, -0.1], "20.0 ± 9.5 % worse: significant"),
        (0.99, [0.5, 0.99, 1.0], "99.0 % better (95 %: 52.4 to 99.9): significant"),
        (0.3, [np.nan], "unknown"),
    ],
)
def test_verdict_is_in_plain_words(value, samples, said):
    assert improvement(value, np.array(samples)).verdict == said


def test_gain_over_nothing_is_unknown():
    assert gain(4.0, 1.0) == 0.75
    assert np.isnan(gain(0.0, 1.0))
    assert np.isnan(gain(None, 1.0))


def test_jackknife_of_a_mean_is_its_standard_error():
    values = np.array([1.0, 4.0, 2.0, 8.0, 5.0])
    left_out = np.array([[np.delete(values, k).mean(), 3.0] for k in range(5)])

    sigma = jackknife(left_out)

    np.testing.assert_allclose(sigma, [values.std(ddof=1) / np.sqrt(5), 0.0], atol=1e-12)
