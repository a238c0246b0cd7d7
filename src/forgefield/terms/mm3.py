"""Terms as MM3* files parametrise them: bend-bend products, and moments, which make charges."""

import math

from forgefield.terms.coordinates import LENGTH, Values
from forgefield.terms.cross import BEND_PAIR, bend_bend
from forgefield.terms.geometry import Scalar
from forgefield.terms.term import Parameter, Polynomial, Term


def bend_bend_product(q: Values, k1: Scalar, k2: Scalar, theta1: Scalar, theta2: Scalar) -> Scalar:
    """Coupling of two bends at one centre, -k₁ k₂ Δθ₁ Δθ₂, each angle's row giving one factor.

    For ψ = π - θ [rad] and ψ² of both; theta1 and theta2 in rad, k1 and k2 in kcal^½/mol^½/rad; returns kcal/mol.
    """
    return bend_bend(q, -k1 * k2, theta1, theta2)


def bond_moment(q: Values, moment: Scalar) -> Scalar:
    """No energy of its own: a bond moment [e·Å] acts through the charges it gives its atoms."""
    return 0.0 * q[0] * moment


_COUPLING = "kcal^½/mol^½/rad"
_ANGLE = {"unit": "rad", "minimum": 0.35, "maximum": math.pi}
BEND_BEND_PRODUCT = Term(
    "bend_bend_product",
    BEND_PAIR,
    bend_bend_product,
    "bend_bend",
    5,
    (
        Parameter("k1", _COUPLING),
        Parameter("k2", _COUPLING),
        Parameter("theta1", **_ANGLE),
        Parameter("theta2", **_ANGLE),
    ),
    n_own=1,
    polynomial=Polynomial(1, (1, 1, 1)),
)
BOND_MOMENT = Term("bond_moment", LENGTH, bond_moment, "bond_moment", 2, (Parameter("moment", "e·Å"),), n_own=1)
