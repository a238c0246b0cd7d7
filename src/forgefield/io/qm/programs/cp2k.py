"""Reads single points and vibrational analyses that CP2K prints."""

import re
from itertools import product
from pathlib import Path

import numpy as np
from jaxtyping import Float, Int

from forgefield import units
from forgefield.errors import InputError
from forgefield.io.assemble.parts import Part
from forgefield.io.qm.programs.printout import NUMBER, Kind, Printout
from forgefield.molecules.elements import covalent_radii

_VERSION = re.compile(r"CP2K\| version string: +CP2K version (\S+)")
_RUN = re.compile(r"GLOBAL\| Run type +(\S+)")
_GEOMETRY = re.compile(r"MODULE \w+: +ATOMIC COORDINATES IN angstrom", re.IGNORECASE)
_ATOM = re.compile(rf" *\d+ +\d+ +([A-Z][a-z]?) +\d+ +({NUMBER}) +({NUMBER}) +({NUMBER}) +{NUMBER} +({NUMBER}) *")
_ENERGY = re.compile(r"ENERGY\| Total FORCE_EVAL \( \w+ \) energy [\[(]\S+[\])]:? +(\S+)")
_OF_MINIMUM = re.compile(r"VIB\| +Electronic energy \(U\) \[kJ/mol\]: +(\S+)")
_FORCES = re.compile(r"ATOMIC FORCES in \[a\.u\.\]|FORCES\| Atomic forces \[hartree/bohr\]")
_FORCE = re.compile(
    rf" *(?:FORCES\|)? *\d+(?: +\d+ +[A-Z][a-z]?)? +({NUMBER}) +({NUMBER}) +({NUMBER})(?: +{NUMBER})? *"
)
_FREQUENCIES = re.compile(r"^ VIB\|Frequency \(cm\^-1\) +(.*)$", re.MULTILINE)
_FUNCTIONAL = re.compile(r"^ FUNCTIONAL\| +([A-Z]\S*):", re.MULTILINE)
_CHARGE = re.compile(r"DFT\| Charge +(-?\d+)")
_MULTIPLICITY = re.compile(r"DFT\| Multiplicity +(\d+)")
_VECTOR = re.compile(
    rf"^ CELL\| Vector [abc] \[angstrom\]: +({NUMBER}) +({NUMBER}) +({NUMBER}) ", re.MULTILINE | re.IGNORECASE
)
_BONDED = 1.2
"""Of the sum of two covalent radii."""
_RUNS = ("ENERGY", "ENERGY_FORCE", "VIBRATIONAL_ANALYSIS", "NORMAL_MODES")


def _is_output(_: Path, text: str) -> bool:
    return "CP2K| version string" in text[:20000]


def read_output(path: Path) -> Part:
    """Return geometry, energy, gradient, frequencies and masses; modes are precise enough in the .mol file alone."""
    printout = Printout.of(path)
    printout.ended("PROGRAM ENDED AT")
    run = _RUN.search(printout.text)
    if run is None or run[1] not in _RUNS:
        what = run[1] if run else "not there"
        raise InputError(f"{path}: the run type is {what}, of which the output holds no last geometry; give its .xyz")
    if "MODULE FIST" in printout.text and "MODULE QUICKSTEP" not in printout.text:
        raise InputError(f"{path}: is of a force field (FIST); results of quantum chemistry are read")
    head = _GEOMETRY.search(printout.text)
    rows = [match for line in printout.lines(head.start(), 2) if (match := _ATOM.fullmatch(line))] if head else []
    place = head.start() if head else 0
    species, positions = printout.atoms(place, [(row[1], row.groups()[1:4]) for row in rows])
    _check_molecule(printout, species, positions)
    vibrating = run[1] in _RUNS[2:]
    forces = None if vibrating else _forces(printout)
    return Part(
        source=str(path),
        species=species,
        positions=positions,
        energy=_energy(printout),
        gradient=None if forces is None else -forces,
        frequencies=_frequencies(printout) if vibrating else None,
        masses=printout.numbers(place, [row[5] for row in rows], "masses"),
        level="+".join(dict.fromkeys(_FUNCTIONAL.findall(printout.text))),
        program=printout.program("CP2K", _VERSION),
        charge=printout.integer(_CHARGE, "charge"),
        multiplicity=printout.integer(_MULTIPLICITY, "multiplicity"),
    )


def _check_molecule(
    printout: Printout, species: Int[np.ndarray, " atoms"], positions: Float[np.ndarray, "atoms 3"]
) -> None:
    """Raise InputError where atoms are bonded to those of the next cell."""
    found = printout.matches(_VECTOR)[:3]
    if len(found) < 3:
        return
    cell = printout.vectors(found[0].start(), [row.groups() for row in found], "the cell")
    radii = covalent_radii(species)
    bonded = _BONDED * (radii[:, None] + radii)
    for shift in (s for s in product((-1, 0, 1), repeat=3) if s > (0, 0, 0)):
        moved = positions + np.array(shift) @ cell
        for i, place in enumerate(positions):
            across = np.flatnonzero(np.linalg.norm(moved - place, axis=1) < bonded[i])
            if across.size:
                atoms = f"atoms {i + 1} and {across[0] + 1} are bonded across the cell"
                raise InputError(
                    f"{printout.path}: {atoms}: it is periodic, or cuts a molecule; what is read is a molecule"
                )


def _energy(printout: Printout) -> float | None:
    """Return the energy [kcal/mol]: of the thermochemistry, else of the first geometry, which displaced ones follow."""
    of_minimum = _OF_MINIMUM.search(printout.text)
    if of_minimum:
        return printout.number(of_minimum.start(), of_minimum[1], "energy") * units.KILOJOULE
    found = _ENERGY.search(printout.text)
    return printout.energy(found) if found else None


def _forces(printout: Printout) -> Float[np.ndarray, "atoms 3"] | None:
    heads = printout.matches(_FORCES)
    if not heads:
        return None
    lines = printout.lines(heads[-1].start())
    rows = []
    for line in lines:
        row = _FORCE.fullmatch(line)
        if row:
            rows.append(row.groups())
        elif rows:
            break
    return printout.vectors(heads[-1].start(), rows, "forces") * units.HARTREE_PER_BOHR


def _frequencies(printout: Printout) -> Float[np.ndarray, " modes"] | None:
    found = printout.matches(_FREQUENCIES)
    return printout.frequencies(-1, [match[1] for match in found]) if found else None


KINDS = (Kind("CP2K output", _is_output, read_output),)
