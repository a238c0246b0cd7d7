"""Bond stretching."""

from forgefield.terms.coordinates import LENGTH, Values
from forgefield.terms.geometry import Scalar
from forgefield.terms.term import Parameter, Polynomial, Term

_PARAMETERS = (Parameter("k", "kcal/mol/Å²", minimum=0.0), Parameter("r0", "Å", minimum=0.5, maximum=4.0))
_CUBIC = 2.55
"""1/Å (N. L. Allinger, Y. H. Yuh, J.-H. Lii, J. Am. Chem. Soc. 1989, 111, 8551)."""


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
    return 0.5 * k * stretch**2 * (1.0 - _CUBIC * stretch + 7.0 / 12.0 * (_CUBIC * stretch) ** 2)


HARMONIC_STRETCH = Term("harmonic_stretch", LENGTH, harmonic_stretch, "stretch", 2, _PARAMETERS, 2, Polynomial(1, (2,)))
MM3_STRETCH = Term("mm3_stretch", LENGTH, mm3_stretch, "stretch", 2, _PARAMETERS, 2, Polynomial(1, (4,)))
