"""Angle bending.

About a reference angle of 180° the energy is an even function of the supplement ψ = π - θ and thereby a
smooth one of sin²θ: written so, its gradient and Hessian are exact at a straight angle.
"""

import math

import jax.numpy as jnp
from jaxtyping import Array, Float

from forgefield import units
from forgefield.terms.geometry import Coordinates, Parameters, Positions, Scalar, between, sine_squared
from forgefield.terms.term import Parameter, Term

_PARAMETERS = (
    Parameter("k", "kcal/mol/rad²", minimum=0.0),
    Parameter("theta0", "rad", minimum=0.35, maximum=math.pi),
)
# MM3's sextic in degrees (J.-H. Lii, N. L. Allinger 1989), last coefficient as MacroModel has it.
_CUBIC, _QUARTIC, _QUINTIC, _SEXTIC = -0.014, 5.6e-5, -7e-7, 2.2e-8
_STRAIGHT = 1e-6
"""rad; a reference angle this close to 180° is meant to be 180°."""
_SERIES_ENDS = 0.01
"""sin² below which ψ² is expanded: at the 8th power of that nothing is left of a double."""
_TERMS = 8


def harmonic_bend(x: Float[Array, "3 3"], k: Scalar, theta0: Scalar) -> Scalar:
    """Harmonic bend, ½ k (θ - theta0)².

    x in Å, k in kcal/mol/rad², theta0 in rad; returns kcal/mol.
    """
    return _harmonic(_bending(x), k, theta0)


def mm3_bend(x: Float[Array, "3 3"], k: Scalar, theta0: Scalar) -> Scalar:
    """MM3's bend, ½ k Δθ² (1 - 0.014 D + 5.6e-5 D² - 7e-7 D³ + 2.2e-8 D⁴), D being Δθ = θ - theta0 in degrees.

    x in Å, k in kcal/mol/rad², theta0 in rad; returns kcal/mol.
    """
    return _mm3(_bending(x), k, theta0)


def _harmonic(q: Coordinates, k: Scalar, theta0: Scalar) -> Scalar:
    return 0.5 * k * _squared_deviation(q, theta0)


def _mm3(q: Coordinates, k: Scalar, theta0: Scalar) -> Scalar:
    in_degrees = (math.pi - theta0 - q[0]) / units.DEGREE
    square = _squared_deviation(q, theta0)
    square_in_degrees = square / units.DEGREE**2
    even = 1.0 + square_in_degrees * (_QUARTIC + square_in_degrees * _SEXTIC)
    odd = in_degrees * (_CUBIC + square_in_degrees * _QUINTIC)
    return 0.5 * k * square * (even + odd)


def _squared_deviation(q: Coordinates, theta0: Scalar) -> Scalar:
    """Return (θ - theta0)² from the supplement ψ of θ and its square."""
    supplement0 = math.pi - theta0
    # The same square twice; only the first is smooth where both supplements are zero, in theta0 as well.
    smooth = q[1] + supplement0 * (supplement0 - 2.0 * q[0])
    return jnp.where(jnp.abs(supplement0) < _STRAIGHT, smooth, (supplement0 - q[0]) ** 2)


def _bending(x: Positions, _: Parameters | None = None) -> Coordinates:
    """Return the supplement ψ = π - θ and its square, by which the energy is smooth at a straight angle."""
    a, b = x[0] - x[1], x[2] - x[1]
    # The supplement is the angle between one arm and the other turned round.
    supplement = between(a, -b)
    sine2 = sine_squared(a, b)
    near = (sine2 < _SERIES_ENDS) & (a @ b < 0.0)
    small = jnp.where(near, sine2, 0.0)
    # ψ² = ½ Σ (4 sin²θ)ⁿ / (n² C(2n, n)) near a straight angle.
    series = jnp.zeros_like(small)
    for n in range(_TERMS, 0, -1):
        series = small * (0.5 * 4.0**n / (n**2 * math.comb(2 * n, n)) + series)
    return jnp.stack([supplement, jnp.where(near, series, supplement**2)])


HARMONIC_BEND = Term("harmonic_bend", _bending, _harmonic, "bend", 3, _PARAMETERS, n_own=2)
MM3_BEND = Term("mm3_bend", _bending, _mm3, "bend", 3, _PARAMETERS, n_own=2)
