"""Couplings between stretches and bends that share atoms, and the 1-3 distance term."""

import math
from dataclasses import replace

from forgefield.terms.coordinates import LENGTH, SUPPLEMENT, TWIST, Values, joined
from forgefield.terms.geometry import Scalar
from forgefield.terms.term import Parameter, Polynomial, Term

_LENGTH = {"unit": "Å", "minimum": 0.5, "maximum": 4.0}
_ANGLE = {"unit": "rad", "minimum": 0.35, "maximum": math.pi}


def stretch_bend(q: Values, k: Scalar, r1: Scalar, r2: Scalar, theta0: Scalar) -> Scalar:
    """Stretch-bend coupling, k (Δr₁ + Δr₂) Δθ, for r₁, r₂ [Å] and ψ = π - θ [rad].

    r1 and r2 in Å, theta0 in rad, k in kcal/mol/Å/rad; returns kcal/mol.
    """
    return k * (q[0] - r1 + q[1] - r2) * (math.pi - theta0 - q[2])


def stretch_bends(q: Values, k1: Scalar, k2: Scalar, r1: Scalar, r2: Scalar, theta0: Scalar) -> Scalar:
    """Stretch-bend coupling of two constants, (k1 Δr₁ + k2 Δr₂) Δθ, for r₁, r₂ [Å] and ψ = π - θ [rad].

    r1 and r2 in Å, theta0 in rad, k1 and k2 in kcal/mol/Å/rad; returns kcal/mol.
    """
    return (k1 * (q[0] - r1) + k2 * (q[1] - r2)) * (math.pi - theta0 - q[2])


def stretch_stretch(q: Values, k: Scalar, r1: Scalar, r2: Scalar) -> Scalar:
    """Coupling of two stretches that share an atom, k Δr₁ Δr₂, for the coordinates r₁ and r₂ [Å].

    r1 and r2 in Å, k in kcal/mol/Å²; returns kcal/mol.
    """
    return k * (q[0] - r1) * (q[1] - r2)


def bond_bond(q: Values, k: Scalar, r1: Scalar, r2: Scalar) -> Scalar:
    """`stretch_stretch` whose lengths r1 and r2 [Å] are its own."""
    return stretch_stretch(q, k, r1, r2)


def bond_angle(q: Values, k: Scalar, r1: Scalar, r2: Scalar, r3: Scalar) -> Scalar:
    """Coupling of two bonds with the distance of their ends, k (r₁₃ - r3) (r₁₂ - r1 + r₂₃ - r2).

    For the coordinates r₁₂, r₂₃ and r₁₃ [Å]; r1, r2 and r3 in Å, k in kcal/mol/Å²; returns kcal/mol.
    """
    return k * (q[2] - r3) * (q[0] - r1 + q[1] - r2)


def bend_bend(q: Values, k: Scalar, theta1: Scalar, theta2: Scalar) -> Scalar:
    """Coupling of two bends at one centre, k Δθ₁ Δθ₂, for ψ = π - θ [rad] and ψ² of both.

    theta1 and theta2 in rad, k in kcal/mol/rad²; returns kcal/mol.
    """
    return k * (math.pi - theta1 - q[0]) * (math.pi - theta2 - q[2])


def bend_torsion_bend(q: Values, k: Scalar, theta1: Scalar, theta2: Scalar) -> Scalar:
    """Coupling of two bends along a bond, k Δθ₁ Δθ₂ cos φ: the angle-angle-torsion term of class II force fields.

    For ψ = π - θ [rad] and ψ² of both, cos φ, and the factor that takes it out near linear angles (J. R. Maple et al.,
    J. Comput. Chem. 1994, 15, 162). theta1 and theta2 in rad, k in kcal/mol/rad²; returns kcal/mol.
    """
    return k * (math.pi - theta1 - q[0]) * (math.pi - theta2 - q[2]) * q[4] * q[5]


def urey_bradley(q: Values, k: Scalar, r0: Scalar) -> Scalar:
    """Urey-Bradley term, ½ k (r - r0)², for the distance [Å] between the ends of an angle.

    r0 in Å, k in kcal/mol/Å²; returns kcal/mol.
    """
    return 0.5 * k * (q[0] - r0) ** 2


def torsion_stretch(q: Values, k: Scalar, r0: Scalar) -> Scalar:
    """MM3's torsion-stretch coupling, -k (r₂₃ - r0)(1 + cos 3φ), r₂₃ being the central bond.

    The coordinates are cos φ, the factor that takes it out near linear angles, and r₂₃ [Å]; r0 in Å, k in
    kcal/mol/Å; returns kcal/mol.
    """
    return -k * q[1] * (q[2] - r0) * (1.0 + q[0] * (4.0 * q[0] ** 2 - 3.0))


ARMS = joined((LENGTH, (0, 1)), (LENGTH, (1, 2)), order=3)
"""The two bonds of an angle [Å]."""
SIDES = joined((ARMS, (0, 1, 2)), (LENGTH, (0, 2)), order=3)
"""The two bonds of an angle and the distance of its ends [Å]."""
ARMS_AND_BEND = joined((LENGTH, (0, 1)), (LENGTH, (1, 2)), (SUPPLEMENT, (0, 1, 2)), order=3)
"""The two bonds [Å], the supplement of the angle [rad] and its square."""
BEND_PAIR = joined((SUPPLEMENT, (1, 0, 2)), (SUPPLEMENT, (3, 0, 4)), order=5)
"""Supplements of two angles at one centre and their squares; the atoms are the centre, then the ends of each angle."""
BEND_PAIR_OF_FOUR = joined((SUPPLEMENT, (1, 0, 2)), (SUPPLEMENT, (1, 0, 3)), order=4)
"""The same of two angles that share an arm; the atoms are the centre, the end of that arm, and the other ends."""
TWIST_AND_BOND = joined((TWIST, (0, 1, 2, 3)), (LENGTH, (1, 2)), order=4)
"""cos φ, its switch and the length of the central bond [Å]."""
OUTER_BONDS = joined((LENGTH, (0, 1)), (LENGTH, (2, 3)), order=4)
"""The first and the last bond of a chain of four atoms [Å]."""
BENDS_AND_TWIST = joined((SUPPLEMENT, (0, 1, 2)), (SUPPLEMENT, (1, 2, 3)), (TWIST, (0, 1, 2, 3)), order=4)
"""Supplements of the two angles of a chain of four atoms and their squares, cos φ and its switch."""

STRETCH_BEND = Term(
    "stretch_bend",
    ARMS_AND_BEND,
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
    polynomial=Polynomial(1, (1, 1, 1)),
)
STRETCH_BENDS = Term(
    *("stretch_bends", ARMS_AND_BEND, stretch_bends, "stretch_bend", 3),
    (
        Parameter("k1", "kcal/mol/Å/rad"),
        Parameter("k2", "kcal/mol/Å/rad"),
        Parameter("r1", **_LENGTH),
        Parameter("r2", **_LENGTH),
        Parameter("theta0", **_ANGLE),
    ),
    *(5, Polynomial(2, (1, 1, 1))),
)
STRETCH_STRETCH = Term(
    "stretch_stretch",
    ARMS,
    stretch_stretch,
    "stretch_stretch",
    3,
    (Parameter("k", "kcal/mol/Å²"), Parameter("r1", **_LENGTH), Parameter("r2", **_LENGTH)),
    n_own=1,
    polynomial=Polynomial(1, (1, 1)),
)
STRETCH_STRETCH_13 = replace(
    STRETCH_STRETCH, name="stretch_stretch_13", kind="stretch_stretch_13", coordinates=OUTER_BONDS, order=4
)
"""The same of two bonds that a third joins: the bond-bond 1-3 term of class II force fields."""
BOND_BOND = replace(STRETCH_STRETCH, name="bond_bond", profile=bond_bond, n_own=3)
BOND_ANGLE = Term(
    "bond_angle",
    SIDES,
    bond_angle,
    "stretch_bend",
    3,
    (*BOND_BOND.parameters, Parameter("r3", "Å", minimum=0.5, maximum=6.0)),
    n_own=4,
    polynomial=Polynomial(1, (1, 1, 1)),
)
BEND_BEND = Term(
    "bend_bend",
    BEND_PAIR,
    bend_bend,
    "bend_bend",
    5,
    (Parameter("k", "kcal/mol/rad²"), Parameter("theta1", **_ANGLE), Parameter("theta2", **_ANGLE)),
    n_own=1,
    polynomial=Polynomial(1, (1, 1)),
)
BEND_BEND_OF_FIVE = replace(BEND_BEND, name="bend_bend_of_five", n_own=3)
"""`bend_bend` whose angles theta1 and theta2 are its own."""
BEND_BEND_OF_FOUR = replace(BEND_BEND_OF_FIVE, name="bend_bend_of_four", coordinates=BEND_PAIR_OF_FOUR, order=4)
"""The same of two angles that share an arm."""
BEND_TORSION_BEND = replace(
    BEND_BEND,
    name="bend_torsion_bend",
    kind="bend_torsion_bend",
    coordinates=BENDS_AND_TWIST,
    profile=bend_torsion_bend,
    order=4,
)
OWN_STRETCH_BEND = replace(STRETCH_BEND, name="own_stretch_bend", n_own=4)
"""`stretch_bend` whose lengths and angle are its own, as all of what a topology states is."""
OWN_STRETCH_STRETCH_13 = replace(STRETCH_STRETCH_13, name="own_stretch_stretch_13", n_own=3)
"""`stretch_stretch_13` likewise."""
OWN_BEND_TORSION_BEND = replace(BEND_TORSION_BEND, name="own_bend_torsion_bend", n_own=3)
"""`bend_torsion_bend` likewise."""
UREY_BRADLEY = Term(
    "urey_bradley",
    LENGTH,
    urey_bradley,
    "urey_bradley",
    2,
    (Parameter("k", "kcal/mol/Å²", minimum=0.0), Parameter("r0", "Å", minimum=0.5, maximum=6.0)),
    n_own=2,
    polynomial=Polynomial(1, (2,)),
)
TORSION_STRETCH = Term(
    "torsion_stretch",
    TWIST_AND_BOND,
    torsion_stretch,
    "torsion_stretch",
    4,
    (Parameter("k", "kcal/mol/Å"), Parameter("r0", **_LENGTH)),
    n_own=1,
    polynomial=Polynomial(1, (1,)),
)
OWN_TORSION_STRETCH = replace(TORSION_STRETCH, name="own_torsion_stretch", n_own=2)
"""`torsion_stretch` whose length is its own."""
COUPLINGS = (STRETCH_BEND, STRETCH_STRETCH, STRETCH_STRETCH_13, BEND_BEND, BEND_TORSION_BEND)
"""Those of generated force fields: one constant, with the lengths and angles of the stretches and bends they couple."""
OWNING = {
    STRETCH_BEND: OWN_STRETCH_BEND,
    STRETCH_STRETCH: BOND_BOND,
    STRETCH_STRETCH_13: OWN_STRETCH_STRETCH_13,
    BEND_BEND: BEND_BEND_OF_FIVE,
    BEND_TORSION_BEND: OWN_BEND_TORSION_BEND,
    TORSION_STRETCH: OWN_TORSION_STRETCH,
}
"""Couplings with what they are where nothing is there to take lengths and angles from."""
