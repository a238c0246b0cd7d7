"""Interactions through space between two atoms."""

import math
from dataclasses import replace

import jax.numpy as jnp
from jaxtyping import Array, Float

from forgefield import units
from forgefield.terms.composed import composed, products_of_bonds
from forgefield.terms.coordinates import LENGTH, SQUARE, Values
from forgefield.terms.geometry import Scalar
from forgefield.terms.term import Parameter, Polynomial, Term

_STEEPNESS, _REPULSION, _ATTRACTION = 12.0, 184000.0, 2.25
"""MM3's exp-6 (N. L. Allinger, Y. H. Yuh, J.-H. Lii, J. Am. Chem. Soc. 1989, 111, 8551)."""
_WALL = 0.34
"""r/rv below which a polynomial takes over; the formula itself falls again below its maximum at 0.302."""


def lennard_jones(q: Values, r_i: Scalar, e_i: Scalar, r_j: Scalar, e_j: Scalar, scale: Scalar) -> Scalar:
    """Lennard-Jones, scale · ε ((R/r)¹² - 2 (R/r)⁶), R = r_i + r_j and ε = √(e_i e_j), for the coordinate r² [Å²].

    r half the distance of the minimum in Å, e the well depth in kcal/mol; returns kcal/mol.
    """
    sixth = ((r_i + r_j) ** 2 / q[0]) ** 3
    return scale * _geometric_mean(e_i, e_j) * (sixth**2 - 2.0 * sixth)


def lennard_jones_geometric(q: Values, r_i: Scalar, e_i: Scalar, r_j: Scalar, e_j: Scalar, scale: Scalar) -> Scalar:
    """OPLS' Lennard-Jones, `lennard_jones_pair` with R = 2 √(r_i r_j) and e = scale √(e_i e_j), for r² [Å²].

    r half the distance of the minimum in Å, e the well depth in kcal/mol; returns kcal/mol.
    """
    # No root of the radii: an atom may have none.
    sixth = (4.0 * r_i * r_j / q[0]) ** 3
    return scale * _geometric_mean(e_i, e_j) * (sixth**2 - 2.0 * sixth)


def lennard_jones_pair(q: Values, r: Scalar, e: Scalar) -> Scalar:
    """Lennard-Jones of a pair, e ((R/r)¹² - 2 (R/r)⁶), for the coordinate r² [Å²].

    R the distance of the minimum in Å, e the well depth in kcal/mol; returns kcal/mol.
    """
    sixth = (r**2 / q[0]) ** 3
    return e * (sixth**2 - 2.0 * sixth)


def buckingham_pair(q: Values, a: Scalar, c: Scalar, b: Scalar) -> Scalar:
    """Buckingham's potential of a pair, a exp(-b r) - c/r⁶, for the coordinate r² [Å²]; it falls at short distances.

    a in kcal/mol, b in 1/Å, c in kcal·Å⁶/mol; returns kcal/mol.
    """
    return a * jnp.exp(-b * jnp.sqrt(q[0])) - c / q[0] ** 3


def exp6(q: Values, r_i: Scalar, e_i: Scalar, r_j: Scalar, e_j: Scalar, scale: Scalar) -> Scalar:
    """MM3's exp-6 of two atoms, `exp6_pair` with rv = r_i + r_j and e = scale √(e_i e_j), for r² [Å²].

    r in Å, e in kcal/mol; returns kcal/mol.
    """
    return exp6_pair(q, r_i + r_j, scale * _geometric_mean(e_i, e_j))


def exp6_pair(q: Values, rv: Scalar, e: Scalar) -> Scalar:
    """MM3's exp-6 of a pair, e (184000 exp(-12 r/rv) - 2.25 (rv/r)⁶), for the coordinate r² [Å²].

    rv in Å, e in kcal/mol; returns kcal/mol. Below 0.34 rv a cubic in r² continues it with the same
    value, slope and curvature, rising to a finite value at r = 0.
    """
    relative = q[0] / rv**2
    inside = relative < _WALL**2
    outer = jnp.where(inside, _WALL**2, relative)
    return e * jnp.where(inside, _wall(relative - _WALL**2), _exp6(outer))


def _exp6(relative: Scalar) -> Scalar:
    """Return the formula for (r/rv)²."""
    return _REPULSION * jnp.exp(-_STEEPNESS * jnp.sqrt(relative)) - _ATTRACTION / relative**3


def _wall_coefficients() -> tuple[float, float, float, float]:
    """Return value, first and half the second derivative by (r/rv)² at the wall, and a cubic coefficient.

    The cubic one is twice what keeps the slope negative everywhere inside.
    """
    steep = _REPULSION * math.exp(-_STEEPNESS * _WALL)
    value = steep - _ATTRACTION / _WALL**6
    slope = -_STEEPNESS * steep + 6.0 * _ATTRACTION / _WALL**7
    curvature = _STEEPNESS**2 * steep - 42.0 * _ATTRACTION / _WALL**8
    first = slope / (2.0 * _WALL)
    second = (curvature - slope / _WALL) / (4.0 * _WALL**2)
    return value, first, 0.5 * second, second**2 / (6.0 * first)


_VALUE, _FIRST, _SECOND, _THIRD = _wall_coefficients()


def _wall(beyond: Scalar) -> Scalar:
    """Return the continuation for (r/rv)² - 0.34² < 0."""
    return _VALUE + beyond * (_FIRST + beyond * (_SECOND + beyond * _THIRD))


def coulomb(q: Values, q_i: Scalar, q_j: Scalar, scale: Scalar) -> Scalar:
    """Coulomb's law, scale · q_i q_j / r, for the coordinate r² [Å²] and charges in e; returns kcal/mol."""
    return scale * units.COULOMB * q_i * q_j / jnp.sqrt(q[0])


def dipole_pair(q: Values, k: Scalar) -> Scalar:
    """Energy of two bond dipoles, k (u·v - 3 (u·n)(v·n)) / r³, for the coordinate by which k is multiplied [1/Å³].

    k, the product of the moments and Coulomb's constant, in kcal·Å³/mol; returns kcal/mol.
    """
    return k * q[0]


def dipoles(s: Float[Array, "7"]) -> Scalar:
    """Return (u·v - 3 (u·n)(v·n)) / r³ of the directions u, v of two bonds whose middles lie r n from each other.

    From the products of the vectors between four atoms, the first two and the last two of which are the bonds.
    """
    aa, ab, ac, bb, bc, cc, _ = s
    # From the middle of one bond to that of the other it is a/2 + b + c/2.
    square = 0.25 * (aa + cc) + bb + ab + bc + 0.5 * ac
    along = (0.5 * aa + ab + 0.5 * ac) * (0.5 * ac + bc + 0.5 * cc)
    return (ac - 3.0 * along / square) / (jnp.sqrt(aa * cc * square) * square)


def charge_increment(q: Values, dq: Scalar) -> Scalar:
    """No energy of its own: a bond charge increment [e] acts through the charges it gives its atoms."""
    return 0.0 * q[0] * dq


def _geometric_mean(e_i: Scalar, e_j: Scalar) -> Scalar:
    """Return √(e_i e_j), with derivatives of 0 where one of them is 0: such an atom has no interaction."""
    product = e_i * e_j
    none = product <= 0.0
    return jnp.where(none, 0.0, jnp.sqrt(jnp.where(none, 1.0, product)))


_SCALE = Parameter("scale", "1", minimum=0.0)
_ATOMS = tuple(
    Parameter(f"{name}_{atom}", unit, minimum=0.0) for atom in "ij" for name, unit in (("r", "Å"), ("e", "kcal/mol"))
)
_PAIR = (Parameter("rv", "Å", minimum=0.0), Parameter("e", "kcal/mol", minimum=0.0))
LENNARD_JONES = Term("lennard_jones", SQUARE, lennard_jones, "vdw", 2, (*_ATOMS, _SCALE), n_own=2)
LENNARD_JONES_GEOMETRIC = replace(LENNARD_JONES, name="lennard_jones_geometric", profile=lennard_jones_geometric)
LENNARD_JONES_PAIR = Term(
    *("lennard_jones_pair", SQUARE, lennard_jones_pair, "vdw", 2),
    *((Parameter("r", "Å", minimum=0.0), Parameter("e", "kcal/mol", minimum=0.0)), 2),
)
BUCKINGHAM_PAIR = Term(
    *("buckingham_pair", SQUARE, buckingham_pair, "vdw", 2),
    (
        Parameter("a", "kcal/mol", minimum=0.0),
        Parameter("c", "kcal·Å⁶/mol", minimum=0.0),
        Parameter("b", "1/Å", minimum=0.0),
    ),
    *(3, Polynomial(2)),
)
EXP6 = Term("exp6", SQUARE, exp6, "vdw", 2, (*_ATOMS, _SCALE), n_own=2)
EXP6_PAIR = Term("exp6_pair", SQUARE, exp6_pair, "vdw", 2, _PAIR, n_own=2)
COULOMB = Term(
    "coulomb", SQUARE, coulomb, "electrostatic", 2, (Parameter("q_i", "e"), Parameter("q_j", "e"), _SCALE), n_own=1
)
DIPOLE_PAIR = Term(
    *("dipole_pair", composed(dipoles, products_of_bonds), dipole_pair, "electrostatic", 4),
    *((Parameter("k", "kcal·Å³/mol"),), 1, Polynomial(1)),
)
CHARGE_INCREMENT = Term(
    "charge_increment", LENGTH, charge_increment, "charge_increment", 2, (Parameter("dq", "e"),), n_own=1
)
