import jax
import jax.numpy as jnp
import numpy as np
import pytest

from forgefield.models.neural.radial import (
    CosineEnvelope,
    GaussianBasis,
    QuinticEnvelope,
    SineBasis,
    direction,
    expansion,
    radial_channels,
)

CUTOFF = 4.0
BASES = [SineBasis(6, CUTOFF), GaussianBasis(6, CUTOFF)]
ENVELOPES = [QuinticEnvelope(), CosineEnvelope()]
R = np.array([1e-4, 0.02, 0.3, 0.9, 1.7, 2.6, 3.4, 3.999, 4.2, 7.0])


@pytest.mark.parametrize("basis", BASES, ids=lambda b: type(b).__name__)
@pytest.mark.parametrize("envelope", ENVELOPES, ids=lambda e: type(e).__name__)
def test_slopes_in_closed_form_are_those_of_autodiff_and_of_differences(basis, envelope):
    channels = jax.jit(lambda r: expansion(basis, envelope, r)[0])
    value, slope = jax.jit(lambda r: expansion(basis, envelope, r))(jnp.asarray(R))

    automatic = jax.vmap(jax.jacfwd(channels))(jnp.asarray(R))
    rise = (channels(jnp.asarray(R + 1e-5)) - channels(jnp.asarray(R - 1e-5))) / 2e-5

    np.testing.assert_allclose(slope, automatic, atol=1e-6)
    np.testing.assert_allclose(slope, rise, atol=1e-6)
    assert not np.any(value[R > CUTOFF])
    assert not np.any(slope[R > CUTOFF])


def test_the_model_differentiates_by_the_closed_form():
    basis, envelope = BASES[0], ENVELOPES[0]
    r = jnp.asarray(R)

    value, tangent = jax.jvp(lambda r: radial_channels(basis, envelope, r), (r,), (jnp.full_like(r, 2.0),))

    expected = expansion(basis, envelope, r)
    np.testing.assert_array_equal(value, expected[0])
    np.testing.assert_array_equal(tangent, 2.0 * expected[1])


def test_sines_keep_their_digits_in_single_precision_near_zero():
    r = np.geomspace(1e-6, 1.0, 40)

    single = SineBasis(8, CUTOFF).expansion(jnp.asarray(r, jnp.float32))
    double = SineBasis(8, CUTOFF).expansion(jnp.asarray(r))

    for found, exact in zip(single, double, strict=True):
        np.testing.assert_allclose(found, exact, atol=3e-4 * np.abs(exact).max())


@pytest.mark.parametrize("side", [-1e-4, 1e-4])
def test_the_quintic_envelope_has_no_value_slope_or_curvature_at_the_cutoff(side):
    def factor(r):
        return QuinticEnvelope().expansion(r, CUTOFF)[0]

    r = jnp.asarray(CUTOFF + side)

    assert abs(factor(r)) < 1e-12
    assert abs(jax.grad(factor)(r)) < 1e-7
    assert abs(jax.grad(jax.grad(factor))(r)) < 1e-2
    assert factor(jnp.asarray(0.0)) == 1.0


def test_directions_turn_as_differences_say_and_stay_finite_at_zero(generator):
    d, t = jnp.asarray(generator.normal(size=(5, 3))), jnp.asarray(generator.normal(size=(5, 3)))

    (r, u), (dr, du) = jax.jvp(direction, (d,), (t,))

    after, before = direction(d + 1e-6 * t), direction(d - 1e-6 * t)
    np.testing.assert_allclose(dr, (after[0] - before[0]) / 2e-6, atol=1e-8)
    np.testing.assert_allclose(du, (after[1] - before[1]) / 2e-6, atol=1e-7)
    np.testing.assert_allclose(u * r[:, None], d, rtol=1e-14)
    at_zero = jax.jvp(direction, (jnp.zeros((1, 3)),), (t[:1],))
    assert all(np.isfinite(part).all() for pair in at_zero for part in pair)
