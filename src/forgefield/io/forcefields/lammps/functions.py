"""Bonds, angles, dihedrals and impropers of LAMMPS as terms."""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence

import numpy as np

from forgefield import units
from forgefield.assign.explicit.system import Stated
from forgefield.io.forcefields.lammps.files import DataFile, Row
from forgefield.terms.bend import HARMONIC_BEND
from forgefield.terms.cross import UREY_BRADLEY
from forgefield.terms.periodic import HARMONIC_IMPROPER, PERIODIC_IMPROPER, PERIODIC_TORSION, RYCKAERT_BELLEMANS
from forgefield.terms.stretch import HARMONIC_STRETCH
from forgefield.terms.term import Term

KINDS = {"bond": 2, "angle": 3, "dihedral": 4, "improper": 4}
"""What LAMMPS calls interactions, and of how many atoms they are."""
Part = tuple[Term, tuple[int, ...], tuple[float, ...]]
"""A term, which atoms of the interaction it is of, and its values."""


def functions(
    data: DataFile, styles: Mapping[str, tuple[str, ...]], commands: Mapping[str, list[Row]], n_atoms: int
) -> tuple[Stated, ...]:
    """Return the interactions of each term. Raises InputError for styles that are not read, and types without one."""
    found: dict[Term, list[tuple[tuple[int, ...], tuple[float, ...]]]] = {}
    for kind, order in KINDS.items():
        stated = [(row, 0) for row in data.sections.get(f"{kind.capitalize()} Coeffs", [])]
        stated += [(row, 1) for row in commands.get(f"{kind}_coeff", [])]
        parts = {str(row.integer(at)): [*_parts(kind, row, styles.get(kind, ()), at)] for row, at in stated}
        for chain, row in chains(data, f"{kind.capitalize()}s", order, n_atoms):
            if row.words[1] not in parts:
                raise row.wrong(f"there are no coefficients of {kind} type {row.words[1]}")
            for term, which, values in parts[row.words[1]]:
                found.setdefault(term, []).append((tuple(chain[k] for k in which), values))
    return tuple(
        Stated(term, np.array([atoms for atoms, _ in held]), np.array([values for _, values in held]))
        for term, held in found.items()
    )


def chains(data: DataFile, section: str, order: int, n_atoms: int) -> Iterator[tuple[tuple[int, ...], Row]]:
    """Yield the atoms of the interactions of a section, from 0, with their rows. Raises InputError."""
    for row in data.sections.get(section, []):
        atoms = tuple(row.integer(2 + k) - 1 for k in range(order))
        if len(set(atoms)) < order or not all(0 <= atom < n_atoms for atom in atoms):
            raise row.wrong(f"it does not name {order} different atoms from 1 to {n_atoms}")
        yield atoms, row


def _parts(kind: str, row: Row, styles: Sequence[str], at: int) -> Iterator[Part]:
    """Yield the terms that a row of coefficients, whose number of the type is word `at`, stands for."""
    named = len(styles) > 1 or (len(row.words) > at + 1 and row.words[at + 1].isidentifier())
    style = row.words[at + 1] if named else next(iter(styles), "none")
    read = _STYLES.get((kind, style))
    if read is None:
        known = ", ".join(name for of, name in _STYLES if of == kind)
        raise row.wrong(f"{kind}_style {style} is not read, only {known}")
    yield from read(row, at + 1 + named)


def _harmonic_bond(row: Row, at: int) -> Iterator[Part]:
    k, r0 = row.numbers(at, 2)
    yield HARMONIC_STRETCH, (0, 1), (2.0 * k, r0)


def _harmonic_angle(row: Row, at: int) -> Iterator[Part]:
    k, theta0 = row.numbers(at, 2)
    yield HARMONIC_BEND, (0, 1, 2), (2.0 * k, theta0 * units.DEGREE)


def _charmm_angle(row: Row, at: int) -> Iterator[Part]:
    yield from _harmonic_angle(row, at)
    k, r0 = row.numbers(at + 2, 2)
    if k != 0.0:
        yield UREY_BRADLEY, (0, 2), (2.0 * k, r0)


def _fourier(row: Row, at: int) -> Iterator[Part]:
    for place in range(at + 1, at + 1 + 3 * row.integer(at), 3):
        k, n, phase = row.numbers(place, 3)
        yield PERIODIC_TORSION, (0, 1, 2, 3), (k, n, phase * units.DEGREE)


def _harmonic_dihedral(row: Row, at: int) -> Iterator[Part]:
    yield PERIODIC_TORSION, (0, 1, 2, 3), _signed(row, at)


def _signed(row: Row, at: int) -> tuple[float, float, float]:
    """Return constant, periodicity and phase of K (1 + d cos nφ)."""
    k, sign, n = row.numbers(at, 3)
    if abs(sign) != 1.0:
        raise row.wrong("the sign of a cosine must be 1 or -1")
    return k, n, 0.0 if sign > 0.0 else math.pi


def _charmm_dihedral(row: Row, at: int) -> Iterator[Part]:
    k, n, phase, weight = row.numbers(at, 4)
    if weight != 0.0:
        raise row.wrong("weights of 1-4 pairs, which go with lj/charmm pairs, are not read; state special_bonds")
    yield PERIODIC_TORSION, (0, 1, 2, 3), (k, n, phase * units.DEGREE)


def _opls(row: Row, at: int) -> Iterator[Part]:
    for n, k in enumerate(row.numbers(at, 4), 1):
        if k != 0.0:
            yield PERIODIC_TORSION, (0, 1, 2, 3), (0.5 * k, float(n), 0.0 if n % 2 else math.pi)


def _multi_harmonic(row: Row, at: int) -> Iterator[Part]:
    a = row.numbers(at, 5)
    # Powers of cos ψ with ψ = φ - 180°.
    yield RYCKAERT_BELLEMANS, (0, 1, 2, 3), (*(a[n] * (-1.0) ** n for n in range(5)), 0.0)


def _cvff(row: Row, at: int) -> Iterator[Part]:
    yield PERIODIC_IMPROPER, (0, 1, 2, 3), _signed(row, at)


def _harmonic_improper(row: Row, at: int) -> Iterator[Part]:
    k, chi0 = row.numbers(at, 2)
    if chi0 != 0.0:
        raise row.wrong("harmonic impropers are read about 0° alone: LAMMPS gives the angle no sign")
    yield HARMONIC_IMPROPER, (0, 1, 2, 3), (2.0 * k, 0.0)


_STYLES: dict[tuple[str, str], Callable[[Row, int], Iterator[Part]]] = {
    ("bond", "harmonic"): _harmonic_bond,
    ("angle", "harmonic"): _harmonic_angle,
    ("angle", "charmm"): _charmm_angle,
    ("dihedral", "fourier"): _fourier,
    ("dihedral", "harmonic"): _harmonic_dihedral,
    ("dihedral", "charmm"): _charmm_dihedral,
    ("dihedral", "opls"): _opls,
    ("dihedral", "multi/harmonic"): _multi_harmonic,
    ("improper", "cvff"): _cvff,
    ("improper", "harmonic"): _harmonic_improper,
}
