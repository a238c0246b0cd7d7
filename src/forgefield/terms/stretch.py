"""Bond stretching."""

import jax.numpy as jnp

from forgefield.terms.coordinates import LENGTH, SQUARE, Values
from forgefield.terms.geometry import Scalar
from forgefield.terms.term import Parameter, Polynomial, Term

_PARAMETERS = (Parameter("k", "kcal/mol/Å²", minimum=0.0), Parameter("r0", "Å", minimum=0.5, maximum=4.0))
_CUBIC = 2.55
"""1/Å (N. L. Allinger, Y. H. Yuh, J.-H. Lii, J. Am. Chem. Soc. 1989, 111, 8551)."""
MM3_POWERS = -_CUBIC, 7.0 / 12.0 * _CUBIC**2
"""Factors of the deviation [1/Å] and of its square [1/Å²] in MM3's stretch."""


def harmonic_stretch(q: Values, k: Scalar, r0: Scalar) -> Scalar:
    """Harmonic stretch, ½ k (r - r0)², for the coordinate r.

    r and r0 in Å, k in kcal/mol/Å²; returns kcal/mol.
    """
    return 0.5 * k * (q[0] - r0) ** 2


def mm3_stretch(q: Values, k: Scalar, r0: Scalar) -> Scalar:
    """MM3's stretch, ½ k Δr² (1 - 2.55 Δr + 7/12·2.55² Δr²) with Δr = r - r0, for the coordinate r.

    r and r0 in Å, k in kcal/mol/Å²; returns kcal/mol.
    """
    stretch = q[0] - r0
    cubic, quartic = MM3_POWERS
    return 0.5 * k * stretch**2 * (1.0 + stretch * (cubic + stretch * quartic))


def cubic_stretch(q: Values, k: Scalar, r0: Scalar, cubic: Scalar) -> Scalar:
    """Stretch with a cubic part, ½ k Δr² (1 + c Δr) with Δr = r - r0, for the coordinate r.

    r and r0 in Å, k in kcal/mol/Å², cubic c in 1/Å; returns kcal/mol.
    """
    stretch = q[0] - r0
    return 0.5 * k * stretch**2 * (1.0 + cubic * stretch)


def fourth_power_stretch(q: Values, k: Scalar, r0: Scalar) -> Scalar:
    """GROMOS' stretch, ¼ k (r² - r0²)², for the coordinate r² [Å²].

    r0 in Å, k in kcal/mol/Å⁴; returns kcal/mol.
    """
    return 0.25 * k * (q[0] - r0**2) ** 2


def morse(q: Values, d: Scalar, r0: Scalar, a: Scalar) -> Scalar:
    """Morse stretch, d (1 - exp(-a (r - r0)))², for the coordinate r.

    r and r0 in Å, a in 1/Å, well depth d in kcal/mol; returns kcal/mol.
    """
    return d * (1.0 - jnp.exp(-a * (q[0] - r0))) ** 2


_LENGTH = _PARAMETERS[1]
HARMONIC_STRETCH = Term("harmonic_stretch", LENGTH, harmonic_stretch, "stretch", 2, _PARAMETERS, 2, Polynomial(1, (2,)))
MM3_STRETCH = Term("mm3_stretch", LENGTH, mm3_stretch, "stretch", 2, _PARAMETERS, 2, Polynomial(1, (4,)))
CUBIC_STRETCH = Term(
    *("cubic_stretch", LENGTH, cubic_stretch, "stretch", 2),
    *((*_PARAMETERS, Parameter("cubic", "1/Å")), 3, Polynomial(1, (3, 1))),
)
FOURTH_POWER_STRETCH = Term(
    *("fourth_power_stretch", SQUARE, fourth_power_stretch, "stretch", 2),
    *((Parameter("k", "kcal/mol/Å⁴", minimum=0.0), _LENGTH), 2, Polynomial(1, (4,))),
)
MORSE = Term(
    *("morse", LENGTH, morse, "stretch", 2),
    *((Parameter("d", "kcal/mol", minimum=0.0), _LENGTH, Parameter("a", "1/Å", minimum=0.0)), 3, Polynomial(1)),
)
