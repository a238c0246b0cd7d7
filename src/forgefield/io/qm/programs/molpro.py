"""Reads what Molpro prints."""

import re
from pathlib import Path

import numpy as np
from jaxtyping import Float

from forgefield import units
from forgefield.errors import InputError
from forgefield.io.assemble.parts import Part, full_hessian
from forgefield.io.qm.programs.printout import NUMBER, Kind, Printout, blocks, vibrations

_END = ("Molpro calculation terminated", "Variable memory released")
_VERSION = re.compile(r"^ +Version (\S+)", re.MULTILINE)
_ATOM = re.compile(rf" *\d+ +([A-Z]+)\d* +{NUMBER} +({NUMBER}) +({NUMBER}) +({NUMBER}) *", re.IGNORECASE)
_SLOPE = re.compile(rf" *\d+ +({NUMBER}) +({NUMBER}) +({NUMBER}) *")
_MASSES = re.compile(r" *\d+- *\d+ +(.*)")
_RESULT = re.compile(r"^ (\S+)/(\S+) energy= +(\S+)", re.MULTILINE)
_STATE = re.compile(r"^ !(\S+)(?: \(\S+\))? STATE +\S+ Energy +(\S+)", re.MULTILINE | re.IGNORECASE)
_TOTAL = re.compile(r"^ !(\S+) total energy +(\S+)", re.MULTILINE | re.IGNORECASE)
_BASIS = re.compile(r"^ *basis *= *([^\s{};]+)", re.MULTILINE | re.IGNORECASE)
_ROW = re.compile(rf" +\d+ +({NUMBER}) *")
_ELECTRONS = re.compile(r"NUMBER OF ELECTRONS: +(\d+)\+ +(\d+)-")
_NUCLEAR = re.compile(r"NUCLEAR CHARGE: +(\d+)")


def _is_output(_: Path, text: str) -> bool:
    return "***  PROGRAM SYSTEM MOLPRO  ***" in text


def read_output(path: Path) -> Part:
    """Return what Molpro printed of the last geometry: energy, gradient, Hessian, frequencies and masses.

    The order of the atoms is that of the vibrational analysis where there is one, which sorts them by symmetry.
    """
    printout = Printout.of(path)
    printout.ended(*_END)
    analysis = printout.last("\n Atomic Coordinates")
    place = analysis + 1 if analysis >= 0 else printout.last("\n ATOMIC COORDINATES") + 1
    rows = printout.table(place, _ATOM, skip=4)
    species, positions = printout.atoms(place, [(row[1], row.groups()[1:]) for row in rows], units.BOHR)
    method, basis, energy = _energy(printout)
    vibrating = printout.last("PROGRAM * FREQUENCIES")
    nuclear, electrons = printout.matches(_NUCLEAR), printout.matches(_ELECTRONS)
    alpha, beta = (int(word[:6]) for word in electrons[-1].groups()) if electrons else (0, 0)
    version = _VERSION.search(printout.text)
    return Part(
        source=str(path),
        species=species,
        positions=positions,
        energy=energy,
        gradient=_gradient(printout, len(rows)) if analysis < 0 else None,
        hessian=_hessian(printout, vibrating, len(rows)) if analysis >= 0 else None,
        frequencies=_frequencies(printout, vibrating),
        masses=_masses(printout, vibrating, len(rows)),
        level="/".join(word for word in (method, basis) if word),
        program=f"Molpro {version[1]}" if version else "Molpro",
        stationary_order=0 if "END OF GEOMETRY OPTIMIZATION" in printout.text else None,
        charge=int(nuclear[-1][1][:6]) - alpha - beta if nuclear and electrons else None,
        multiplicity=alpha - beta + 1 if electrons else None,
    )


def _energy(printout: Printout) -> tuple[str, str, float | None]:
    """Return method, basis and energy [kcal/mol] of the summary at the end, or of the last method that printed one."""
    basis = _BASIS.search(printout.text)
    found = printout.matches(_RESULT)
    if found:
        method, name, word = found[-1].groups()
        return method, name, printout.number(found[-1].start(), word, "energy") * units.HARTREE
    states = sorted(printout.matches(_STATE) + printout.matches(_TOTAL), key=lambda match: match.start())
    if not states:
        raise InputError(f"{printout.path}: holds no energy; is the file truncated?")
    method, word = states[-1].groups()
    energy = printout.number(states[-1].start(), word, "energy") * units.HARTREE
    return method, basis[1] if basis else "", energy


def _gradient(printout: Printout, n_atoms: int) -> Float[np.ndarray, "atoms 3"] | None:
    head = printout.last("GRADIENT FOR STATE")
    rows = printout.rows(head, _SLOPE, skip=4) if head >= 0 else []
    if len(rows) != n_atoms:
        return None
    return printout.vectors(head, [row.groups() for row in rows], "gradient") * units.HARTREE_PER_BOHR


def _hessian(printout: Printout, place: int, n_atoms: int) -> Float[np.ndarray, "coordinates coordinates"] | None:
    """Return the Hessian of `print,hessian`."""
    head = printout.last("Force Constants (Second Derivatives of the Energy) in [a.u.]", place)
    if place < 0 or head < 0:
        return None
    matrix = blocks(printout, head, 1, 3 * n_atoms, "force constants", triangular=True)
    return full_hessian(printout.path, matrix, n_atoms)


def _masses(printout: Printout, place: int, n_atoms: int) -> Float[np.ndarray, " atoms"] | None:
    head = printout.last("\n Atomic Masses", place)
    if place < 0 or head < 0:
        return None
    masses = printout.numbers(head, [row[1] for row in printout.rows(head + 1, _MASSES)], "masses")
    return masses if len(masses) == n_atoms else None


def _frequencies(printout: Printout, place: int) -> Float[np.ndarray, " modes"] | None:
    """Return the vibrations; a table of its own has the imaginary ones, which are printed without a sign."""
    if place < 0:
        return None
    tables = {}
    for name, sign in (("Imaginary Vibration", -1.0), ("    Vibration", 1.0)):
        head = printout.last(f"\n {name}", place) if sign < 0 else printout.last("\n     Vibration", place)
        rows = printout.rows(head + 1, _ROW, skip=2) if head >= 0 else []
        tables[name] = sign * printout.numbers(head, [row[1] for row in rows], "frequencies")
    return vibrations(np.concatenate([*tables.values()]))


KINDS = (Kind("Molpro output", _is_output, read_output),)
