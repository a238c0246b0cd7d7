"""Reads single points, optimised geometries and frequencies that ADF prints; its force constants have few digits."""

import re
from pathlib import Path

from forgefield.errors import InputError
from forgefield.io.assemble.parts import Part
from forgefield.io.qm.programs.printout import NUMBER, Kind, Printout, not_understood
from forgefield.io.qm.programs.scm.ams import LATTICE, PERIODIC

_VERSION = re.compile(r"Amsterdam Density Functional +\(ADF\) +(\S+)")
_TABLE = re.compile(r"^ Coordinates \(Cartesian\)", re.MULTILINE)
_ATOM = re.compile(rf" *\d+ ([A-Z][a-z]?)\S* +{NUMBER} +{NUMBER} +{NUMBER} +({NUMBER}) +({NUMBER}) +({NUMBER}).*")
_OPTIMISED = re.compile(rf" *\d+\. *([A-Z][a-z]?)\S* +({NUMBER}) +({NUMBER}) +({NUMBER}) *")
_MASS = re.compile(rf" *\d+\. *\S+ +({NUMBER}) *")
_FREQUENCY = re.compile(rf" +({NUMBER}) +{NUMBER} +{NUMBER} *")
_POINT = "R U N   T Y P E : SINGLE POINT"
_OF_POINT = re.compile(
    rf" *\d+ +([A-Z][a-z]?)\S* +({NUMBER}) +({NUMBER}) +({NUMBER}) +{NUMBER} +{NUMBER} +({NUMBER}) *"
)
_FRAGMENT = re.compile(rf" *\d+ +\S+ +\d+ +[A-Z][a-z]?\S*(?: +{NUMBER}){{3}} *")
_ENERGY = re.compile(r"^ *Total Bonding Energy: +(\S+)", re.MULTILINE)
_FUNCTIONAL = re.compile(r"^ *(?:LDA|Gradient Corrections|Hybrid|Meta-GGA): +(?!---)(\S.*?)(?: {2}|$)", re.MULTILINE)
_CHARGE = re.compile(r"Net Charge: +(-?\d+)")


def _is_output(_: Path, text: str) -> bool:
    return "Amsterdam Density Functional  (ADF)" in text


def read_output(path: Path) -> Part:
    """Return a single point, the undisplaced geometry and the frequencies of a vibrational analysis, or an optimised
    geometry.

    ADF gives energies relative to fragments, which are read of single points whose fragments are atoms.
    """
    printout = Printout.of(path)
    printout.ended("NORMAL TERMINATION")
    if LATTICE in printout.text:
        raise InputError(f"{path}: {PERIODIC}")
    run = printout.last("R U N   T Y P E :")
    if run >= 0 and printout.text.startswith(_POINT, run):
        return _point(printout, run)
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
        wanted = "single points, vibrational analyses and optimisations that converged are read"
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


def _point(printout: Printout, run: int) -> Part:
    """Return what is said of a geometry that is not changed."""
    place = printout.text.find("\n ATOMS\n", run) + 1
    rows = printout.table(place, _OF_POINT, 4) if place else []
    species, positions = printout.atoms(run, [(row[1], row.groups()[1:4]) for row in rows])
    fragments = printout.rows(printout.text.find("\n FRAGMENTS\n", run) + 1, _FRAGMENT, 3)
    energies = printout.matches(_ENERGY, run)
    if len(fragments) != len(species):
        not_understood(printout.path, "the energy is relative to fragments of several atoms")
        energies = []
    charges = printout.matches(_CHARGE, run)
    model = printout.last("M O D E L   P A R A M E T E R S")
    return Part(
        source=str(printout.path),
        species=species,
        positions=positions,
        energy=printout.energy(energies[0]) if energies else None,
        masses=printout.numbers(place, [row[5] for row in rows], "masses"),
        level="/".join(match[1] for match in printout.matches(_FUNCTIONAL, model) if match.start() < run),
        program=printout.program("ADF", _VERSION),
        charge=int(printout.number(charges[0].start(), charges[0][1], "charge")) if charges else None,
    )


KINDS = (Kind("ADF output", _is_output, read_output),)
