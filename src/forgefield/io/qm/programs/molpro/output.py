"""Reads what Molpro prints."""

import re
from pathlib import Path

import numpy as np
from jaxtyping import Float

from forgefield import units
from forgefield.errors import InputError
from forgefield.io.assemble.parts import Part, full_hessian
from forgefield.io.qm.programs.printout import NUMBER, Kind, Printout, blocks, vibrations
from forgefield.io.qm.programs.twice import check_repulsion

_END = ("Molpro calculation terminated", "Variable memory released")
_VERSION = re.compile(r"^ +Version (\S+)", re.MULTILINE)
_ATOM = re.compile(rf" *\d+ +([A-Z]+)\d* +{NUMBER} +({NUMBER}) +({NUMBER}) +({NUMBER}) *", re.IGNORECASE)
_SLOPE = re.compile(rf" *\d+ +({NUMBER}) +({NUMBER}) +({NUMBER}) *")
_MASSES = re.compile(r" *\d+- *\d+ +(.*)")
_RESULT = re.compile(r"^ (?P<method>\S+)/(?P<basis>\S+) energy= +(?P<energy>\S+)", re.MULTILINE)
_STATE = re.compile(r"^ !(?P<method>\S+)(?: \(\S+\))? STATE +\S+ Energy +(?P<energy>\S+)", re.MULTILINE | re.IGNORECASE)
_TOTAL = re.compile(r"^ !(?P<method>\S+) total energy +(?P<energy>\S+)", re.MULTILINE | re.IGNORECASE)
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
    species, positions = printout.geometry(place, _ATOM, 4, units.BOHR)
    check_repulsion(printout, place, species, positions)
    n_atoms = len(species)
    method, basis, energy = _energy(printout)
    vibrating = printout.last("PROGRAM * FREQUENCIES")
    nuclear, electrons = printout.matches(_NUCLEAR), printout.matches(_ELECTRONS)
    alpha, beta = (int(word[:6]) for word in electrons[-1].groups()) if electrons else (0, 0)
    return Part(
        source=str(path),
        species=species,
        positions=positions,
        energy=energy,
        gradient=printout.gradient(printout.last("GRADIENT FOR STATE"), _SLOPE, 4) if analysis < 0 else None,
        hessian=_hessian(printout, vibrating, n_atoms) if analysis >= 0 else None,
        frequencies=_frequencies(printout, vibrating),
        masses=_masses(printout, vibrating, n_atoms),
        level="/".join(word for word in (method, basis) if word),
        program=printout.program("Molpro", _VERSION),
        stationary_order=0 if "END OF GEOMETRY OPTIMIZATION" in printout.text else None,
        charge=int(nuclear[-1][1][:6]) - alpha - beta if nuclear and electrons else None,
        multiplicity=alpha - beta + 1 if electrons else None,
    )


def _energy(printout: Printout) -> tuple[str, str, float | None]:
    """Return method, basis and energy [kcal/mol] of the summary at the end, or of the last method that printed one."""
    basis = _BASIS.search(printout.text)
    found = printout.matches(_RESULT)
    if found:
        return found[-1]["method"], found[-1]["basis"], printout.energy(found[-1])
    states = sorted(printout.matches(_STATE) + printout.matches(_TOTAL), key=lambda match: match.start())
    if not states:
        raise InputError(f"{printout.path}: holds no energy; is the file truncated?")
    return states[-1]["method"], basis[1] if basis else "", printout.energy(states[-1])


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
    masses = printout.column(head, _MASSES, 2, "masses")
    return masses if len(masses) == n_atoms else None


def _frequencies(printout: Printout, place: int) -> Float[np.ndarray, " modes"] | None:
    """Return the vibrations; a table of its own has the imaginary ones, which are printed without a sign."""
    if place < 0:
        return None
    heads = (printout.last(f"\n {name}", place) for name in ("Imaginary Vibration", "    Vibration"))
    # The line of a head begins behind the break.
    imaginary, real = (printout.column(head, _ROW, 3, "frequencies") for head in heads)
    return vibrations(np.concatenate([-imaginary, real]))


KINDS = (Kind("Molpro output", _is_output, read_output),)
