"""Terms of a centre with three neighbours: the angle in their plane, and angles out of it.

The atoms are a, the centre b, c and d. MM3 and its kin take them so (N. L. Allinger, Y. H. Yuh, J.-H. Lii,
J. Am. Chem. Soc. 1989, 111, 8551); Wilson's angle is that of E. B. Wilson, J. C. Decius, P. C. Cross (1955).
"""

import jax.numpy as jnp
from jaxtyping import Array, Float

from forgefield import units
from forgefield.terms.bend import ANGLE_PARAMETERS, MM3_POWERS, harmonic_bend, mm3_bend
from forgefield.terms.composed import composed, products_of_star
from forgefield.terms.coordinates import Coordinates, Values
from forgefield.terms.geometry import Scalar
from forgefield.terms.term import Polynomial, Term


def _area_of_ends(s: Float[Array, "7"]) -> Scalar:
    """Return the square of (a - d) × (c - d)."""
    aa, ac, ad, cc, cd, dd, _ = s
    return (aa - 2.0 * ad + dd) * (cc - 2.0 * cd + dd) - (ac - ad - cd + dd) ** 2


def in_plane_cosine(s: Float[Array, "7"]) -> Scalar:
    """Return the cosine of the angle a-b'-c, b' being the foot of b in the plane of a, c and d."""
    height = s[6] ** 2 / _area_of_ends(s)
    return (s[1] - height) / jnp.sqrt((s[0] - height) * (s[3] - height))


def allinger_sine(s: Float[Array, "7"]) -> Scalar:
    """Return the sine of the angle between the bond b-d and the plane of a, c and d, with a sign."""
    return s[6] / jnp.sqrt(_area_of_ends(s) * s[5])


def wilson_sine(s: Float[Array, "7"]) -> Scalar:
    """Return the sine of the angle between the bond b-d and the plane of a, b and c, with a sign."""
    return s[6] / jnp.sqrt((s[0] * s[3] - s[1] ** 2) * s[5])


def in_plane_bend(q: Values, k: Scalar, theta0: Scalar) -> Scalar:
    """Harmonic bend, ½ k (θ - theta0)², of the angle θ whose cosine is the coordinate.

    theta0 in rad, k in kcal/mol/rad²; returns kcal/mol.
    """
    return harmonic_bend(_supplement(q), k, theta0)


def mm3_in_plane_bend(q: Values, k: Scalar, theta0: Scalar) -> Scalar:
    """MM3's bend, `mm3_bend`, of the angle whose cosine is the coordinate."""
    return mm3_bend(_supplement(q), k, theta0)


def _supplement(q: Values) -> Float[Array, "2"]:
    supplement = jnp.arccos(-q[0])
    return jnp.stack([supplement, supplement**2])


def out_of_plane_bend(q: Values, k: Scalar) -> Scalar:
    """Bend out of a plane, ½ k χ², χ being the angle whose sine is the coordinate.

    k in kcal/mol/rad²; returns kcal/mol.
    """
    return 0.5 * k * jnp.arcsin(q[0]) ** 2


def mm3_out_of_plane_bend(q: Values, k: Scalar) -> Scalar:
    """MM3's bend out of a plane, ½ k χ² (1 - 0.014 D + 5.6e-5 D² - 7e-7 D³ + 2.2e-8 D⁴), D being |χ| in degrees.

    k in kcal/mol/rad²; returns kcal/mol.
    """
    chi = jnp.abs(jnp.arcsin(q[0]))
    d, (cubic, quartic, quintic, sextic) = chi / units.DEGREE, MM3_POWERS
    return 0.5 * k * chi**2 * (1.0 + d * (cubic + d * (quartic + d * (quintic + d * sextic))))


IN_PLANE = composed(in_plane_cosine, products_of_star)
"""Cosine of the angle of a and c about the foot of the centre in the plane of its neighbours."""
ALLINGER, WILSON = (composed(function, products_of_star) for function in (allinger_sine, wilson_sine))
"""Sines of angles out of the plane."""
IN_PLANE_BEND = Term("in_plane_bend", IN_PLANE, in_plane_bend, "bend", 4, ANGLE_PARAMETERS, 2, Polynomial(1, (2,)))
MM3_IN_PLANE_BEND = Term(
    "mm3_in_plane_bend", IN_PLANE, mm3_in_plane_bend, "bend", 4, ANGLE_PARAMETERS, 2, Polynomial(1, (6,))
)


def _out(name: str, sine: Coordinates) -> tuple[Term, Term]:
    rest = ("out_of_plane", 4, ANGLE_PARAMETERS[:1], 1, Polynomial(1))
    return Term(name, sine, out_of_plane_bend, *rest), Term(f"mm3_{name}", sine, mm3_out_of_plane_bend, *rest)


ALLINGER_BEND, MM3_ALLINGER_BEND = _out("allinger_out_of_plane", ALLINGER)
WILSON_BEND, MM3_WILSON_BEND = _out("wilson_out_of_plane", WILSON)
