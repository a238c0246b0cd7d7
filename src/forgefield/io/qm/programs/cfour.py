"""Reads what CFOUR prints and its file GRD; its FCMFINAL has the layout of Psi4's Hessian file."""

import re
from pathlib import Path

import numpy as np
from jaxtyping import Float

from forgefield import units
from forgefield.errors import InputError, UnfinishedJob
from forgefield.io.assemble.parts import Part
from forgefield.io.qm.programs.printout import NUMBER, Kind, Printout, not_understood, signed
from forgefield.io.qm.programs.twice import check_repulsion
from forgefield.io.text import read_text

_VERSION = re.compile(r"^ +[Vv]ersion (\d\S*)", re.MULTILINE)
_GEOMETRY, _OLD_GEOMETRY = (
    "Coordinates used in calculation (QCOMP)",
    "Z-matrix   Atomic            Coordinates (in bohr)",
)
_ATOM = re.compile(rf" *[A-Z][A-Za-z]?\d* +(\d+) +({NUMBER}) +({NUMBER}) +({NUMBER}) *", re.IGNORECASE)
_OPTION = re.compile(r"^ +([A-Z_]+) +I\w+ +(\S.*?) +\[ *-?\d+ *\]", re.MULTILINE)
_NUMERIC = re.compile(r"^ +(CHARGE|MULTIPLICT?Y?\w*) +I\w+ +(-?\d+) +\*\*\*", re.MULTILINE)
_ENERGY = re.compile(r"The final electronic energy is +(\S+) a\.u\.")
_OLD_ENERGIES = {
    "SCF": re.compile(r"^ +E\(SCF\) *= +(\S+)", re.MULTILINE),
    "CCSD(T)": re.compile(r"^ +(?:E\(CCSD\(T\)\) *=|(?:Total )?CCSD\(T\) energy *:?) +(-\d\S+)", re.MULTILINE),
    **{f"MBPT({n})": re.compile(rf"^ +Total MBPT\({n}\) +energy: +(\S+)", re.MULTILINE) for n in (2, 3, 4)},
    **{
        level: re.compile(rf"^ +(?:The total energy is|Total {level} energy *:) +(\S+)", re.MULTILINE)
        for level in ("CCSD", "CC3", "CCSDT")
    },
}
"""Of versions before 2, by the level."""
_FAILED = re.compile(r"finished with status +[1-9]")
_FREQUENCY = re.compile(rf"^ +\S+ +({NUMBER} *i?) +{NUMBER} +VIBRATION *$", re.MULTILINE)
_MASSES = re.compile(rf"(?: +{NUMBER})+ *")


def _is_output(_: Path, text: str) -> bool:
    return "CFOUR Coupled-Cluster techniques" in text


def read_output(path: Path) -> Part:
    """Return geometry, energy of the level that was asked for, frequencies and masses."""
    printout = Printout.of(path)
    version = _VERSION.search(printout.text)
    is_old = version is not None and version[1].startswith("1.")
    options = {key: value.strip() for key, value in _OPTION.findall(printout.text)}
    stated = {key[:6]: int(value) for key, value in _NUMERIC.findall(printout.text)}
    # Displaced geometries follow the first one.
    displaced = options.get("VIBRATION", "NO") == "FINDIF"
    if is_old:
        place, skip = _old_place(printout, options, displaced), 3
    else:
        printout.ended("The final electronic energy is")
        place, skip = printout.text.find(_GEOMETRY) if displaced else printout.last(_GEOMETRY), 5
    rows = printout.rows(place, _ATOM, skip) if is_old else printout.table(place, _ATOM, skip)
    ghost = next((row for row in rows if row[0].split()[0].upper() == "GH"), None)
    if ghost:
        raise printout.ghost(place, "GH")
    rows = [row for row in rows if row[1] != "0"]
    species, positions = printout.atoms(place, [(row[1], row.groups()[1:4]) for row in rows], units.BOHR)
    check_repulsion(printout, place, species, positions)
    found = "Optimization completed" in printout.text or "Convergence criterion satisfied" in printout.text
    order = 1 if options.get("GEO_METHOD") == "TS" else 0
    return Part(
        source=str(path),
        species=species,
        positions=positions,
        energy=_energy(printout, displaced, options, is_old=is_old),
        frequencies=_frequencies(printout),
        masses=_masses(printout, len(species)),
        level="/".join(options[key] for key in ("CALCLEVEL", "BASIS") if key in options),
        program=printout.program("CFOUR", _VERSION),
        stationary_order=order if found else None,
        charge=stated.get("CHARGE"),
        multiplicity=stated.get("MULTIP"),
    )


def _old_place(printout: Printout, options: dict[str, str], displaced: bool) -> int:
    """Return the place of the geometry in the output of a version before 2: the last one before the last energy.

    Raises UnfinishedJob where a program of CFOUR failed, or no energy follows the last geometry.
    """
    tables = [match.start() for match in printout.matches(re.compile(re.escape(_OLD_GEOMETRY)))]
    pattern = _OLD_ENERGIES.get(options.get("CALCLEVEL", ""), _OLD_ENERGIES["SCF"])
    energies = printout.matches(pattern)
    last = energies[-1].start() if energies else 0
    before = [place for place in tables if place < last]
    if not before or _FAILED.search(printout.text):
        raise UnfinishedJob(f"{printout.path}: the job did not end: no energy follows a geometry; repeat it")
    return before[0] if displaced else before[-1]


def _energy(printout: Printout, displaced: bool, options: dict[str, str], *, is_old: bool) -> float | None:
    excited = options.get("EXCITE", "NONE") not in ("NONE", "OFF")
    if displaced or excited:
        not_understood(
            printout.path, "the last energy is that of " + ("another state", "a displaced geometry")[displaced]
        )
        return None
    level = options.get("CALCLEVEL", "")
    pattern = _OLD_ENERGIES.get(level) if is_old else _ENERGY
    found = printout.matches(pattern) if pattern else []
    if not found:
        not_understood(printout.path, f"the energy of {level or 'the method'} is not found")
        return None
    return printout.energy(found[-1])


def _frequencies(printout: Printout) -> Float[np.ndarray, " modes"] | None:
    place = printout.last("Normal Coordinate Analysis")
    found = printout.matches(_FREQUENCY, place) if place >= 0 else []
    return printout.frequencies(place, [signed(match[1]) for match in found]) if found else None


def _masses(printout: Printout, n_atoms: int) -> Float[np.ndarray, " atoms"] | None:
    place = printout.last("masses used (in AMU) in vibrational analysis")
    masses = printout.numbers(place, [row[0] for row in printout.rows(place, _MASSES)], "masses")
    return masses if len(masses) == n_atoms else None


def _is_grd(path: Path, text: str) -> bool:
    words = text.lstrip().split("\n", 1)[0].split()
    return path.name.upper().startswith("GRD") and len(words) == 2 and words[0].isdecimal() and "." in words[1]


def read_grd(path: Path) -> Part:
    """Return geometry and gradient of the file GRD, and the energy where it holds one (old versions write zero)."""
    head, _, rest = read_text(path).lstrip().partition("\n")
    count, word = head.split()
    printout = Printout(path, rest)
    rows = [line.split() for line in rest.splitlines() if line.strip()]
    n_atoms = int(count[:6])
    if len(rows) != 2 * n_atoms or any(len(row) != 4 for row in rows):
        raise InputError(f"{path}: {n_atoms} atoms need {2 * n_atoms} rows of four numbers; is it cut?")
    charges = printout.numbers(-1, [row[0] for row in rows[:n_atoms]], "nuclear charges")
    labels = [str(round(charge)) for charge in charges]
    species, positions = printout.atoms(
        -1, [(label, row[1:]) for label, row in zip(labels, rows, strict=False)], units.BOHR
    )
    energy = printout.number(-1, word, "energy")
    return Part(
        source=str(path),
        species=species,
        positions=positions,
        energy=energy * units.HARTREE if energy else None,
        gradient=printout.vectors(-1, [row[1:] for row in rows[n_atoms:]], "gradient") * units.HARTREE_PER_BOHR,
        program="CFOUR",
    )


KINDS = (Kind("CFOUR output", _is_output, read_output), Kind("CFOUR GRD", _is_grd, read_grd))
