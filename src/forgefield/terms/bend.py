"""Angle bending.

About a reference angle of 180° the energy is an even function of the supplement ψ = π - θ and thereby a
smooth one of sin²θ: written so, its gradient and Hessian are exact at a straight angle.
"""

import math
from dataclasses import replace

import jax.numpy as jnp

from forgefield import units
from forgefield.terms.composed import COSINE
from forgefield.terms.coordinates import SUPPLEMENT, Values
from forgefield.terms.geometry import Scalar
from forgefield.terms.term import Parameter, Polynomial, Term

ANGLE_PARAMETERS = (
    Parameter("k", "kcal/mol/rad²", minimum=0.0),
    Parameter("theta0", "rad", minimum=0.35, maximum=math.pi),
)
_POWERS = "kcal/mol", "kcal/mol/rad", "kcal/mol/rad²", "kcal/mol/rad³", "kcal/mol/rad⁴"
MM3_POWERS = -0.014, 5.6e-5, -7e-7, 2.2e-8
"""Of MM3's sextic in degrees (J.-H. Lii, N. L. Allinger 1989), the last as MacroModel has it."""
_STRAIGHT = 1e-6
"""rad; a reference angle this close to 180° is meant to be 180°."""


def harmonic_bend(q: Values, k: Scalar, theta0: Scalar) -> Scalar:
    """Harmonic bend, ½ k (θ - theta0)², for the coordinates ψ = π - θ and ψ².

    θ and theta0 in rad, k in kcal/mol/rad²; returns kcal/mol.
    """
    return 0.5 * k * _squared_deviation(q, theta0)


def mm3_bend(q: Values, k: Scalar, theta0: Scalar) -> Scalar:
    """MM3's bend, ½ k Δθ² (1 - 0.014 D + 5.6e-5 D² - 7e-7 D³ + 2.2e-8 D⁴), D being Δθ = θ - theta0 in degrees.

    For the coordinates ψ = π - θ and ψ²; θ and theta0 in rad, k in kcal/mol/rad²; returns kcal/mol.
    """
    in_degrees = (math.pi - theta0 - q[0]) / units.DEGREE
    square = _squared_deviation(q, theta0)
    square_in_degrees = square / units.DEGREE**2
    cubic, quartic, quintic, sextic = MM3_POWERS
    even = 1.0 + square_in_degrees * (quartic + square_in_degrees * sextic)
    odd = in_degrees * (cubic + square_in_degrees * quintic)
    return 0.5 * k * square * (even + odd)


def cosine_bend(q: Values, k: Scalar, theta0: Scalar) -> Scalar:
    """GROMOS' bend, ½ k (cos θ - cos theta0)², for the coordinate cos θ.

    theta0 in rad, k in kcal/mol; returns kcal/mol.
    """
    return 0.5 * k * (q[0] - jnp.cos(theta0)) ** 2


def restricted_bend(q: Values, k: Scalar, theta0: Scalar) -> Scalar:
    """Bend that keeps off straight angles, ½ k (cos θ - cos theta0)² / sin²θ, for the coordinate cos θ.

    theta0 in rad, k in kcal/mol; returns kcal/mol (M. Bulacu et al., J. Chem. Theory Comput. 2013, 9, 3282).
    """
    return cosine_bend(q, k, theta0) / (1.0 - q[0] ** 2)


def quartic_bend(q: Values, c0: Scalar, c1: Scalar, c2: Scalar, c3: Scalar, c4: Scalar, theta0: Scalar) -> Scalar:
    """Polynomial of an angle, Σ cₙ (θ - theta0)ⁿ, for the coordinates ψ = π - θ and ψ².

    θ and theta0 in rad, cₙ in kcal/mol/radⁿ; returns kcal/mol.
    """
    bend = math.pi - theta0 - q[0]
    return c0 + bend * (c1 + bend * (c2 + bend * (c3 + bend * c4)))


def _squared_deviation(q: Values, theta0: Scalar) -> Scalar:
    """Return (θ - theta0)² from the supplement ψ of θ and its square."""
    supplement0 = math.pi - theta0
    # The same square twice; only the first is smooth where both supplements are zero, in theta0 as well.
    smooth = q[1] + supplement0 * (supplement0 - 2.0 * q[0])
    return jnp.where(jnp.abs(supplement0) < _STRAIGHT, smooth, (supplement0 - q[0]) ** 2)


HARMONIC_BEND = Term("harmonic_bend", SUPPLEMENT, harmonic_bend, "bend", 3, ANGLE_PARAMETERS, 2, Polynomial(1, (2,)))
MM3_BEND = Term("mm3_bend", SUPPLEMENT, mm3_bend, "bend", 3, ANGLE_PARAMETERS, 2, Polynomial(1, (6,)))
COSINE_BEND = Term(
    *("cosine_bend", COSINE, cosine_bend, "bend", 3),
    *((Parameter("k", "kcal/mol", minimum=0.0), ANGLE_PARAMETERS[1]), 2, Polynomial(1)),
)
RESTRICTED_BEND = replace(COSINE_BEND, name="restricted_bend", profile=restricted_bend)
QUARTIC_BEND = Term(
    *("quartic_bend", SUPPLEMENT, quartic_bend, "bend", 3),
    (*(Parameter(f"c{n}", unit) for n, unit in enumerate(_POWERS)), ANGLE_PARAMETERS[1]),
    *(6, Polynomial(5, (4,))),
)
