"""Reads the geometry and frequencies that ADF prints; its force constants have too few digits."""

import re
from pathlib import Path

from forgefield.errors import InputError
from forgefield.io.assemble.parts import Part
from forgefield.io.qm.programs.printout import NUMBER, Kind, Printout

_VERSION = re.compile(r"Amsterdam Density Functional +\(ADF\) +(\S+)")
_TABLE = re.compile(r"^ Coordinates \(Cartesian\)", re.MULTILINE)
_ATOM = re.compile(rf" *\d+ ([A-Z][a-z]?)\S* +{NUMBER} +{NUMBER} +{NUMBER} +({NUMBER}) +({NUMBER}) +({NUMBER}).*")
_MASS = re.compile(rf" *\d+\. *\S+ +({NUMBER}) *")
_FREQUENCY = re.compile(rf" +({NUMBER}) +{NUMBER} +{NUMBER} *")
_CHARGE = re.compile(r"Net Charge: +(-?\d+)")


def _is_output(_: Path, text: str) -> bool:
    return "Amsterdam Density Functional  (ADF)" in text


def read_output(path: Path) -> Part:
    """Return the undisplaced geometry and the frequencies of a vibrational analysis.

    ADF gives energies relative to fragments, which are not read.
    """
    printout = Printout.of(path)
    printout.ended("NORMAL TERMINATION")
    head = printout.last("List of All Frequencies:")
    tables = printout.matches(_TABLE)
    if head < 0 or not tables:
        raise InputError(f"{path}: holds no List of All Frequencies with a geometry; vibrational analyses are read")
    # Displaced geometries follow the first one.
    species, positions = printout.geometry(tables[0].start(), _ATOM, skip=6)
    masses = printout.column(printout.last("Atomic Masses:", tables[0].start()), _MASS, 2, "masses")
    return Part(
        source=str(path),
        species=species,
        positions=positions,
        frequencies=printout.frequencies(head, [row[1] for row in printout.rows(head, _FREQUENCY, skip=9)]),
        masses=masses if len(masses) == len(species) else None,
        program=printout.program("ADF", _VERSION),
        charge=printout.integer(_CHARGE, "charge"),
    )


KINDS = (Kind("ADF output", _is_output, read_output),)
