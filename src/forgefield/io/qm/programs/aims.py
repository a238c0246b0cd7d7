"""Reads what FHI-aims prints of molecules."""

import re
from pathlib import Path

from forgefield import units
from forgefield.errors import InputError
from forgefield.io.assemble.parts import Part
from forgefield.io.qm.programs.printout import NUMBER, Kind, Printout

_VERSION = re.compile(r"^ *(?:FHI-aims version +: +|Version +)(\S+)", re.MULTILINE)
_INPUT = re.compile(rf" *\| +\d+: Species +([A-Z][a-z]?)\S* +({NUMBER}) +({NUMBER}) +({NUMBER}) *")
_NEXT = re.compile(r"^ *(?:Updated|Final) atomic structure:", re.MULTILINE)
_ATOM = re.compile(rf" *atom +({NUMBER}) +({NUMBER}) +({NUMBER}) +([A-Z][a-z]?)\S* *")
_ENERGY = re.compile(r"\| Total energy uncorrected +: +(\S+) eV")
_SLOPE = re.compile(rf" *\| +\d+ +({NUMBER}) +({NUMBER}) +({NUMBER}) *")
_OTHER_JOBS = ("olecular dynamics", "Atomic structure (and velocities)", "i-PI", "socket", "Re-initialization.")
_EMPTY = re.compile(rf"^ *(?:\| +)?empty +{NUMBER} +{NUMBER} +{NUMBER} +\S+", re.MULTILINE)
_CHARGE = re.compile(r"\bCharge += +([+-]?\d\S*?):")
_UNPAIRED = re.compile(r"N_up - N_down[^:]*: +(\S+)")
_FUNCTIONAL = re.compile(r"\bXC: +(?:Using )?(\S+)")


def _is_output(_: Path, text: str) -> bool:
    return "Invoking FHI-aims" in text[:20000] or "          Have a nice day." in text[-2000:]


def read_output(path: Path) -> Part:
    """Return geometry, energy and gradient of the last geometry of a molecule."""
    printout = Printout.of(path)
    printout.ended("Have a nice day.")
    if "lattice_vector" in printout.text:
        raise InputError(f"{path}: is of a periodic system; only molecules are read")
    if "Updated atomic structure" not in printout.text and any(mark in printout.text for mark in _OTHER_JOBS):
        raise InputError(
            f"{path}: follows molecular dynamics or a driver, whose geometries it does not tell; give frames"
        )
    ghost = _EMPTY.search(printout.text)
    if ghost:
        raise printout.ghost(ghost.start(), ghost[0].strip())
    heads, energies = printout.matches(_NEXT), printout.matches(_ENERGY)
    if not energies:
        raise InputError(f"{path}: holds no total energy; is the file truncated?")
    converged = "Present geometry is converged." in printout.text
    if heads and not converged:
        raise InputError(f"{path}: the relaxation did not converge; repeat it from its last geometry")
    if heads:
        place = heads[-1].start()
        rows = [(row[4], row.groups()[:3]) for row in printout.rows(place, _ATOM, 2)]
    else:
        place = printout.text.find("Input geometry:")
        found = (_INPUT.fullmatch(line) for line in printout.lines(place)) if place >= 0 else ()
        rows = [(row[1], row.groups()[1:4]) for row in found if row]
    species, positions = printout.atoms(place, rows)
    slopes = printout.rows(printout.last("Total atomic forces"), _SLOPE)
    energy = printout.number(energies[-1].start(), energies[-1][1], "energy") * units.ELECTRONVOLT
    charge, unpaired = printout.matches(_CHARGE), printout.matches(_UNPAIRED)
    functional = _FUNCTIONAL.search(printout.text)
    forces = printout.vectors(-1, [row.groups() for row in slopes], "forces") * units.ELECTRONVOLT if slopes else None
    return Part(
        source=str(path),
        species=species,
        positions=positions,
        energy=energy,
        gradient=None if forces is None else -forces,
        level=functional[1].strip(".") if functional else "",
        program=printout.program("FHI-aims", _VERSION),
        stationary_order=0 if converged else None,
        charge=round(printout.number(charge[-1].start(), charge[-1][1], "charge")) if charge else None,
        multiplicity=round(abs(printout.number(unpaired[-1].start(), unpaired[-1][1], "spin"))) + 1
        if unpaired
        else None,
    )


KINDS = (Kind("FHI-aims output", _is_output, read_output),)
