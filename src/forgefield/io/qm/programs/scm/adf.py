"""Reads optimised geometries and frequencies that ADF prints; its force constants have too few digits."""

import re
from pathlib import Path

from forgefield.errors import InputError
from forgefield.io.assemble.parts import Part
from forgefield.io.qm.programs.printout import NUMBER, Kind, Printout

_VERSION = re.compile(r"Amsterdam Density Functional +\(ADF\) +(\S+)")
_TABLE = re.compile(r"^ Coordinates \(Cartesian\)", re.MULTILINE)
_ATOM = re.compile(rf" *\d+ ([A-Z][a-z]?)\S* +{NUMBER} +{NUMBER} +{NUMBER} +({NUMBER}) +({NUMBER}) +({NUMBER}).*")
_OPTIMISED = re.compile(rf" *\d+\. *([A-Z][a-z]?)\S* +({NUMBER}) +({NUMBER}) +({NUMBER}) *")
_MASS = re.compile(rf" *\d+\. *\S+ +({NUMBER}) *")
_FREQUENCY = re.compile(rf" +({NUMBER}) +{NUMBER} +{NUMBER} *")
_CHARGE = re.compile(r"Net Charge: +(-?\d+)")


def _is_output(_: Path, text: str) -> bool:
    return "Amsterdam Density Functional  (ADF)" in text


def read_output(path: Path) -> Part:
    """Return the undisplaced geometry and the frequencies of a vibrational analysis, or an optimised geometry.

    ADF gives energies relative to fragments, which are not read.
    """
    printout = Printout.of(path)
    printout.ended("NORMAL TERMINATION")
    head = printout.last("List of All Frequencies:")
    tables, optimised = printout.matches(_TABLE), printout.last("Coordinates in Geometry Cycle")
    if head < 0 and optimised >= 0 and "GEOMETRY CONVERGED" in printout.text:
        species, positions = printout.atoms(
            optimised, [(row[1], row.groups()[1:]) for row in printout.rows(optimised, _OPTIMISED, 2)]
        )
        return Part(
            source=str(path),
            species=species,
            positions=positions,
            program=printout.program("ADF", _VERSION),
            stationary_order=0,
            charge=printout.integer(_CHARGE, "charge"),
        )
    if head < 0 or not tables:
        wanted = "vibrational analyses and optimisations that converged are read"
        raise InputError(f"{path}: holds no List of All Frequencies with a geometry; {wanted}")
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
