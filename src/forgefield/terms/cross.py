"""Couplings between stretches and bends that share atoms, and the 1-3 distance term."""

import math

import jax.numpy as jnp
from jaxtyping import Array, Float

from forgefield.terms.geometry import Scalar, angle, cosine_of_dihedral, distance
from forgefield.terms.term import Parameter, Term

_LENGTH = {"unit": "Å", "minimum": 0.5, "maximum": 4.0}
_ANGLE = {"unit": "rad", "minimum": 0.35, "maximum": math.pi}


def stretch_bend(x: Float[Array, "3 3"], k: Scalar, r1: Scalar, r2: Scalar, theta0: Scalar) -> Scalar:
    """Stretch-bend coupling, k (Δr₁ + Δr₂) Δθ, the middle atom being the centre.

    x, r1 and r2 in Å, theta0 in rad, k in kcal/mol/Å/rad; returns kcal/mol.
    """
    stretch = distance(x[:2]) - r1 + distance(x[1:]) - r2
    return k * stretch * (angle(x) - theta0)


def stretch_bend_arms(x: Float[Array, "3 3"], k1: Scalar, k2: Scalar, r1: Scalar, r2: Scalar, theta0: Scalar) -> Scalar:
    """Stretch-bend coupling with a constant for each arm, (k1 Δr₁ + k2 Δr₂) Δθ.

    x, r1 and r2 in Å, theta0 in rad, k1 and k2 in kcal/mol/Å/rad; returns kcal/mol.
    """
    stretch = k1 * (distance(x[:2]) - r1) + k2 * (distance(x[1:]) - r2)
    return stretch * (angle(x) - theta0)


def stretch_stretch(x: Float[Array, "3 3"], k: Scalar, r1: Scalar, r2: Scalar) -> Scalar:
    """Coupling of two stretches that share the middle atom, k Δr₁ Δr₂.

    x, r1 and r2 in Å, k in kcal/mol/Å²; returns kcal/mol.
    """
    return k * (distance(x[:2]) - r1) * (distance(x[1:]) - r2)


def bend_bend(x: Float[Array, "5 3"], k: Scalar, theta1: Scalar, theta2: Scalar) -> Scalar:
    """Coupling of two bends at one centre, k Δθ₁ Δθ₂.

    x in Å: the centre, the ends of one angle, the ends of the other (they may share an end); theta1 and
    theta2 in rad, k in kcal/mol/rad²; returns kcal/mol.
    """
    first = angle(jnp.stack([x[1], x[0], x[2]])) - theta1
    second = angle(jnp.stack([x[3], x[0], x[4]])) - theta2
    return k * first * second


def urey_bradley(x: Float[Array, "2 3"], k: Scalar, r0: Scalar) -> Scalar:
    """Urey-Bradley term, ½ k (r - r0)² in the distance between the ends of an angle.

    x and r0 in Å, k in kcal/mol/Å²; returns kcal/mol.
    """
    return 0.5 * k * (distance(x) - r0) ** 2


def torsion_stretch(x: Float[Array, "4 3"], k: Scalar, r0: Scalar) -> Scalar:
    """MM3's torsion-stretch coupling, -k (r₂₃ - r0)(1 + cos 3φ), r₂₃ being the central bond.

    x and r0 in Å, k in kcal/mol/Å; returns kcal/mol.
    """
    cosine, factor = cosine_of_dihedral(x)
    return -k * factor * (distance(x[1:3]) - r0) * (1.0 + cosine * (4.0 * cosine**2 - 3.0))


STRETCH_BEND = Term(
    "stretch_bend",
    stretch_bend,
    "stretch_bend",
    3,
    (
        Parameter("k", "kcal/mol/Å/rad"),
        Parameter("r1", **_LENGTH),
        Parameter("r2", **_LENGTH),
        Parameter("theta0", **_ANGLE),
    ),
    n_own=1,
)
STRETCH_BEND_ARMS = Term(
    "stretch_bend_arms",
    stretch_bend_arms,
    "stretch_bend",
    3,
    (
        Parameter("k1", "kcal/mol/Å/rad"),
        Parameter("k2", "kcal/mol/Å/rad"),
        Parameter("r1", **_LENGTH),
        Parameter("r2", **_LENGTH),
        Parameter("theta0", **_ANGLE),
    ),
    n_own=2,
)
STRETCH_STRETCH = Term(
    "stretch_stretch",
    stretch_stretch,
    "stretch_stretch",
    3,
    (Parameter("k", "kcal/mol/Å²"), Parameter("r1", **_LENGTH), Parameter("r2", **_LENGTH)),
    n_own=1,
)
BEND_BEND = Term(
    "bend_bend",
    bend_bend,
    "bend_bend",
    5,
    (Parameter("k", "kcal/mol/rad²"), Parameter("theta1", **_ANGLE), Parameter("theta2", **_ANGLE)),
    n_own=1,
)
UREY_BRADLEY = Term(
    "urey_bradley",
    urey_bradley,
    "urey_bradley",
    2,
    (Parameter("k", "kcal/mol/Å²", minimum=0.0), Parameter("r0", "Å", minimum=0.5, maximum=6.0)),
    n_own=2,
)
TORSION_STRETCH = Term(
    "torsion_stretch",
    torsion_stretch,
    "torsion_stretch",
    4,
    (Parameter("k", "kcal/mol/Å"), Parameter("r0", **_LENGTH)),
    n_own=1,
)
