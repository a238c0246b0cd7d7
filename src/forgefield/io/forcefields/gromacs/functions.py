"""The functions of bonded interactions in GROMACS topologies, by the numbers that they have there."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from forgefield import units
from forgefield.terms.bend import COSINE_BEND, HARMONIC_BEND, QUARTIC_BEND, RESTRICTED_BEND
from forgefield.terms.cross import BOND_ANGLE, BOND_BOND, UREY_BRADLEY
from forgefield.terms.periodic import HARMONIC_IMPROPER, PERIODIC_IMPROPER, PERIODIC_TORSION, RYCKAERT_BELLEMANS
from forgefield.terms.stretch import CUBIC_STRETCH, FOURTH_POWER_STRETCH, HARMONIC_STRETCH, MORSE
from forgefield.terms.term import Term

Numbers = Sequence[float]
Parts = tuple[tuple[Term, tuple[int, ...], tuple[float, ...]], ...]
"""Terms, which of the atoms they act on, and the values of their own parameters in internal units."""
_KJ, _NM, _DEG = units.KILOJOULE, units.NANOMETRE, units.DEGREE


@dataclass(frozen=True)
class Function:
    """One function."""

    n: int
    """Parameters that a line states."""
    parts: Callable[[Numbers], Parts]
    table: int
    """The number under which parameters by types are listed together."""
    bonds: bool = False
    """Whether it is a bond of chemistry, which exclusions follow."""


def _whole(term: Term, values: Callable[[Numbers], tuple[float, ...]]) -> Callable[[Numbers], Parts]:
    """Return what makes one term that acts on all atoms."""
    return lambda p: ((term, tuple(range(term.order)), values(p)),)


def _urey_bradley(p: Numbers) -> Parts:
    theta0, k, r13, k13 = p
    bend = HARMONIC_BEND, (0, 1, 2), (k * _KJ, theta0 * _DEG)
    return (bend, (UREY_BRADLEY, (0, 2), (k13 * _KJ / _NM**2, r13 * _NM))) if k13 else (bend,)


def _fourier(p: Numbers) -> tuple[float, ...]:
    """Return the constants of Ryckaert and Bellemans for ½ Σ Fₙ (1 - (-1)ⁿ cos nφ), n = 1 … 4."""
    f1, f2, f3, f4 = (value * _KJ for value in p[:4])
    return f2 + 0.5 * (f1 + f3), 0.5 * (3.0 * f3 - f1), 4.0 * f4 - f2, -2.0 * f3, -4.0 * f4, 0.0


def _periodic(term: Term) -> Callable[[Numbers], Parts]:
    return _whole(term, lambda p: (p[1] * _KJ, p[2], p[0] * _DEG))


_HARMONIC = _whole(HARMONIC_STRETCH, lambda p: (p[1] * _KJ / _NM**2, p[0] * _NM))
BONDS = {
    1: Function(2, _HARMONIC, 1, bonds=True),
    2: Function(2, _whole(FOURTH_POWER_STRETCH, lambda p: (p[1] * _KJ / _NM**4, p[0] * _NM)), 2, bonds=True),
    3: Function(3, _whole(MORSE, lambda p: (p[1] * _KJ, p[0] * _NM, p[2] / _NM)), 3, bonds=True),
    # k Δr² (1 + c Δr), without the half.
    4: Function(3, _whole(CUBIC_STRETCH, lambda p: (2.0 * p[1] * _KJ / _NM**2, p[0] * _NM, p[2] / _NM)), 4, bonds=True),
    5: Function(0, lambda _: (), 5, bonds=True),
    6: Function(2, _HARMONIC, 6),
}
ANGLES = {
    1: Function(2, _whole(HARMONIC_BEND, lambda p: (p[1] * _KJ, p[0] * _DEG)), 1),
    2: Function(2, _whole(COSINE_BEND, lambda p: (p[1] * _KJ, p[0] * _DEG)), 2),
    3: Function(3, _whole(BOND_BOND, lambda p: (p[2] * _KJ / _NM**2, p[0] * _NM, p[1] * _NM)), 3),
    4: Function(4, _whole(BOND_ANGLE, lambda p: (p[3] * _KJ / _NM**2, p[0] * _NM, p[1] * _NM, p[2] * _NM)), 4),
    5: Function(4, _urey_bradley, 5),
    6: Function(6, _whole(QUARTIC_BEND, lambda p: (*(c * _KJ for c in p[1:6]), p[0] * _DEG)), 6),
    10: Function(2, _whole(RESTRICTED_BEND, lambda p: (p[1] * _KJ, p[0] * _DEG)), 10),
}
DIHEDRALS = {
    1: Function(3, _periodic(PERIODIC_TORSION), 1),
    2: Function(2, _whole(HARMONIC_IMPROPER, lambda p: (p[1] * _KJ, p[0] * _DEG)), 2),
    3: Function(6, _whole(RYCKAERT_BELLEMANS, lambda p: tuple(c * _KJ for c in p)), 3),
    4: Function(3, _periodic(PERIODIC_IMPROPER), 4),
    5: Function(4, _whole(RYCKAERT_BELLEMANS, _fourier), 5),
    9: Function(3, _periodic(PERIODIC_TORSION), 1),
}
REFUSED = {
    "bonds": {7: "FENE", 8: "tabulated", 9: "tabulated", 10: "a restraint"},
    "angles": {8: "tabulated", 9: "linear"},
    "dihedrals": {8: "tabulated", 10: "restricted", 11: "combined with angles"},
}
"""Functions that have a number and are not ours."""
