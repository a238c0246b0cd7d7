"""Where modes of the reference lie in the spectrum of a model."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from forgefield import units
from forgefield.fitting.targets.spectrum import place_slopes, places, soft_frequencies


def eigenvalues(*wavenumbers):
    values = np.array(wavenumbers)
    return jnp.asarray(np.sign(values) * (values / units.WAVENUMBER) ** 2)


def turned(share):
    """Two modes of which the first has this share in the first mode of the reference."""
    cosine, sine = np.sqrt(share), np.sqrt(1.0 - share)
    return jnp.array([[cosine, -sine], [sine, cosine]])


def test_soft_frequencies_are_the_roots_above_100_and_have_no_cusp_below():
    wavenumbers = np.array([-500.0, -100.0, 100.0, 1500.0])
    eigenvalues = np.sign(wavenumbers) * (wavenumbers / units.WAVENUMBER) ** 2
    values, slopes = soft_frequencies(jnp.asarray(eigenvalues))
    np.testing.assert_allclose(values, wavenumbers, rtol=1e-12)
    np.testing.assert_allclose(slopes, units.WAVENUMBER**2 / (2.0 * np.abs(wavenumbers)), rtol=1e-12)

    around = np.linspace(-2.0, 2.0, 401) * (100.0 / units.WAVENUMBER) ** 2
    step = 1e-6 * around[-1]
    up, down = (np.asarray(soft_frequencies(jnp.asarray(around + s))[0]) for s in (step, -step))
    slopes = np.asarray(soft_frequencies(jnp.asarray(around))[1])
    np.testing.assert_allclose((up - down) / (2.0 * step), slopes, rtol=1e-5)
    assert soft_frequencies(jnp.zeros(1))[0][0] == 0.0
    assert slopes.min() > 0.0


def test_a_mode_that_is_one_of_the_model_lies_at_its_frequency():
    order = jnp.eye(3)[jnp.array([2, 0, 1])]

    np.testing.assert_allclose(places(eigenvalues(300.0, 900.0, 1500.0), order), [1500.0, 300.0, 900.0], rtol=1e-12)


def test_modes_that_share_two_of_the_model_evenly_lie_between_them():
    np.testing.assert_allclose(places(eigenvalues(500.0, 1500.0), turned(0.5)), 1000.0, rtol=1e-12)


def test_a_mode_that_mixes_a_little_lies_nearly_at_the_frequency_of_the_one_that_holds_it():
    # The squares of 0.9 and 0.1 are as 81 to 1.
    np.testing.assert_allclose(places(eigenvalues(500.0, 1500.0), turned(0.9))[0], (81.0 * 500.0 + 1500.0) / 82.0)


def test_modes_of_one_frequency_may_be_any_that_span_the_same_space():
    values = eigenvalues(800.0, 800.0, 1200.0)
    mixing, _ = np.linalg.qr(np.random.default_rng(0).standard_normal((3, 3)))
    other = mixing.copy()
    other[:, :2] = other[:, :2] @ np.asarray(turned(0.3))

    np.testing.assert_allclose(places(values, jnp.asarray(other)), places(values, jnp.asarray(mixing)), rtol=1e-12)


@pytest.mark.parametrize("second", [300.0, 300.0 + 1e-4, 300.0 + 2e-3, 301.0, 330.0, 700.0])
def test_slopes_are_those_of_finite_differences_at_equal_eigenvalues_too(second):
    generator = np.random.default_rng(1)
    values = eigenvalues(-50.0, 300.0, second, 1600.0)
    mixing, _ = np.linalg.qr(generator.standard_normal((4, 4)))
    change = generator.standard_normal((3, 4, 4))
    change = change + change.swapaxes(1, 2)

    slopes = place_slopes(values, jnp.asarray(mixing), jnp.asarray(change))

    def moved(along, step):
        found, own = jnp.linalg.eigh(jnp.diag(values) + step * along)
        return np.asarray(places(found, jnp.asarray(mixing) @ own))

    step = 1e-4
    expected = [(moved(one, step) - moved(one, -step)) / (2.0 * step) for one in change]
    np.testing.assert_allclose(slopes, expected, rtol=1e-6, atol=1e-5 * np.abs(expected).max())


def test_slopes_stay_finite_where_all_eigenvalues_vanish():
    slopes = jax.jit(place_slopes)(jnp.zeros(3), jnp.eye(3), jnp.ones((2, 3, 3)))

    assert np.isfinite(np.asarray(slopes)).all()


@pytest.mark.slow
@pytest.mark.parametrize("apart", [0.0, 1e-3, 5e-3, 0.05, 0.5, 5.0])
def test_slopes_in_single_precision_are_those_in_double_where_modes_are_nearly_one(apart):
    generator = np.random.default_rng(2)
    values = eigenvalues(600.0, 3000.0, 3000.0 + apart, 3100.0)
    mixing, _ = np.linalg.qr(generator.standard_normal((4, 4)))
    change = generator.standard_normal((3, 4, 4))
    change = change + change.swapaxes(1, 2)

    double = place_slopes(values, jnp.asarray(mixing), jnp.asarray(change))
    single = place_slopes(*(jnp.asarray(one, jnp.float32) for one in (values, mixing, change)))

    np.testing.assert_allclose(single, double, atol=1e-3 * np.abs(double).max())
