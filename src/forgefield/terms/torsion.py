"""Proper torsions: Fourier series written in powers of cos φ, which is smooth where φ itself is not."""

from forgefield.terms.coordinates import TWIST, Values
from forgefield.terms.geometry import Scalar
from forgefield.terms.term import Parameter, Polynomial, Term


def torsion3(q: Values, v1: Scalar, v2: Scalar, v3: Scalar) -> Scalar:
    """Fourier torsion, ½ v1 (1 + cos φ) + ½ v2 (1 - cos 2φ) + ½ v3 (1 + cos 3φ), for cos φ and its switch.

    v in kcal/mol; returns kcal/mol. Switched off within 10° of a linear angle.
    """
    return q[1] * _three(q[0], v1, v2, v3)


def torsion4(q: Values, v1: Scalar, v2: Scalar, v3: Scalar, v4: Scalar) -> Scalar:
    """OPLS' Fourier torsion, `torsion3` and ½ v4 (1 - cos 4φ).

    v in kcal/mol; returns kcal/mol. Switched off within 10° of a linear angle.
    """
    return q[1] * (_three(q[0], v1, v2, v3) + 0.5 * v4 * (1.0 - _cos4(q[0])))


def torsion6(q: Values, v1: Scalar, v2: Scalar, v3: Scalar, v4: Scalar, v5: Scalar, v6: Scalar) -> Scalar:
    """Fourier torsion, Σ ½ vₙ (1 - (-1)ⁿ cos nφ) for n = 1 … 6, for cos φ and its switch.

    v in kcal/mol; returns kcal/mol. Switched off within 10° of a linear angle.
    """
    c, factor = q
    cos5 = c * (5.0 + c**2 * (16.0 * c**2 - 20.0))
    cos6 = -1.0 + c**2 * (18.0 + c**2 * (32.0 * c**2 - 48.0))
    beyond = 0.5 * (v4 * (1.0 - _cos4(c)) + v5 * (1.0 + cos5) + v6 * (1.0 - cos6))
    return factor * (_three(c, v1, v2, v3) + beyond)


def _three(c: Scalar, v1: Scalar, v2: Scalar, v3: Scalar) -> Scalar:
    """Return the first three terms for c = cos φ."""
    cos2 = 2.0 * c**2 - 1.0
    cos3 = c * (4.0 * c**2 - 3.0)
    return 0.5 * (v1 * (1.0 + c) + v2 * (1.0 - cos2) + v3 * (1.0 + cos3))


def _cos4(c: Scalar) -> Scalar:
    return 1.0 + c**2 * (8.0 * c**2 - 8.0)


_V = tuple(Parameter(f"v{n}", "kcal/mol") for n in range(1, 7))
TORSION3 = Term("torsion3", TWIST, torsion3, "torsion", 4, _V[:3], 3, Polynomial(3))
TORSION4 = Term("torsion4", TWIST, torsion4, "torsion", 4, _V[:4], 4, Polynomial(4))
TORSION6 = Term("torsion6", TWIST, torsion6, "torsion", 4, _V, 6, Polynomial(6))
