"""Reads the output of relaxed scans with Gaussian (ModRedundant input with `D i j k l S n step`, or `F` for frozen)."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from warnings import warn

from forgefield import units
from forgefield.errors import InputError, InputWarning
from forgefield.io.assemble.held import held
from forgefield.io.assemble.parts import Part
from forgefield.io.offenders import listed
from forgefield.io.qm.gaussian.archive import archive_of, charge_of, surroundings
from forgefield.io.qm.gaussian.energy import BEYOND_SCF, method_energy
from forgefield.io.qm.gaussian.text import INPUT_ORIENTATION, printed_gradient, printed_structure
from forgefield.io.sources import stem
from forgefield.io.text import floats, integer, read_text

# Of the table of initial parameters: D5  D(1,2,3,4)  60.0  Scan
_PARAMETER = re.compile(r"^ ! +\S+ +([A-Z])\(([-\d,]+)\) +(\S+) +(Scan|[Ff]rozen)\b", re.MULTILINE)
# Of the ModRedundant section: D 1 2 3 4 S 12 30.0
_STEPS = re.compile(r"^ *D((?: +\d+){4})(?: +=?-?\d+\.\d*)? +S +(\d+) +(-?\d+\.?\d*) *$", re.MULTILINE | re.IGNORECASE)
_FREQUENCIES = "\n Frequencies --"
_BEGIN = re.compile(r"^ *! +Initial Parameters +!", re.MULTILINE)
_END = re.compile(r"Normal termination of Gaussian|Entering Link 1 =")
_COMPLETED = re.compile(r"-- Stationary point found\.")
_STOPPED = re.compile(r"-- Number of steps exceeded|-- Non-Optimized Parameters|Error termination")
_SCF = re.compile(r"SCF Done: +E\((\S+)\)")
_BASIS = re.compile(r"^ *Standard basis: (\S+)", re.MULTILINE)
_POINTS = re.compile(r"Number of optimizations in scan= *(\d+)")


@dataclass(frozen=True)
class _Coordinate:
    """A dihedral that was scanned or frozen."""

    atoms: tuple[int, ...]
    """0-based."""
    start: float
    """Degrees"""
    step: float | None = None
    """Degrees; None where it was frozen, or its step is not told."""
    is_scanned: bool = True

    def nearest(self, angle: float) -> float:
        """Return the angle at which it may have been held that is next to one found [degrees]."""
        if not self.is_scanned:
            return self.start
        return angle if not self.step else self.start + self.step * round((angle - self.start) / self.step)


def is_gaussian_scan(text: str) -> bool:
    """Say whether Gaussian's output is of a scan of dihedrals, or of an optimisation with frozen ones alone."""
    if " Scan" not in text and "rozen" not in text:
        return False
    kinds = {match[4].lower() for match in _PARAMETER.finditer(text)}
    return "scan" in kinds or ("frozen" in kinds and _FREQUENCIES not in text)


def read_gaussian_scan(path: Path) -> list[Part]:
    """Return the completed frames of a relaxed scan in the order of the job, with the dihedrals that were held.

    Energies are those of the last SCF of each frame; geometry and gradient are in the input orientation, and without
    one the frame has no gradient. Missing points give an InputWarning. Raises InputError where all are missing, where
    it held or scanned anything but dihedrals, where the energy is not that of the SCF, and where a frame is off the
    scan's grid.
    """
    whole = read_text(path)
    text = _scan_of(path, whole)
    coordinates = _coordinates(path, text)
    ends = [match.start() for match in _COMPLETED.finditer(text)]
    expected = _POINTS.search(text)
    n_points = integer(path, None, expected[1], "number of optimizations in scan") if expected else 1
    stopped = _STOPPED.search(text)
    if len(ends) != n_points or stopped:
        what = f" ({stopped[0].strip(' -.')})" if stopped else ""
        said = f"{path}: {len(ends)} of {n_points} points of the scan were optimised{what}"
        if not ends:
            raise InputError(f"{said}; finish the scan")
        warn(InputWarning(f"{said}; only these are read"), stacklevel=2)
    pieces = [text[a:b] for a, b in zip([0, *ends], ends, strict=False)]
    parts = [_frame(path, k, piece, coordinates) for k, piece in enumerate(pieces, start=1)]
    archive = archive_of(text)
    charge, multiplicity = charge_of(path, whole, archive)
    level, program = (
        (archive.level + surroundings([archive.route]), archive.program) if archive else (_level(text), "Gaussian")
    )
    return [
        Part(**{**part, "level": level, "charge": charge, "multiplicity": multiplicity, "program": program})
        for part in parts
    ]


def _level(text: str) -> str:
    """Return method and basis set of an SCF that no archive tells."""
    found = (_SCF.search(text), _BASIS.search(text))
    return "/".join(one[1] for one in found if one)


def _scan_of(path: Path, text: str) -> str:
    """Return the text of the job step that scans: from its table of initial parameters to its end."""
    for begin in _BEGIN.finditer(text):
        end = _END.search(text, begin.end())
        step = text[: end.end() if end else len(text)]
        table = text[begin.start() : text.find("\n\n", begin.end())]
        if _PARAMETER.search(table):
            modified = text.rfind("ModRedundant input section", 0, begin.start())
            return step[begin.start() if modified < 0 else modified :]
    raise InputError(f"{path}: holds no optimisation with scanned or frozen coordinates")


def _coordinates(path: Path, text: str) -> list[_Coordinate]:
    first = _BEGIN.search(text)
    table = text[first.start() : text.find("\n\n", first.end())] if first else ""
    rows = list(_PARAMETER.finditer(table))
    others = [f"{row[1]}({row[2]})" for row in rows if row[1] != "D"]
    if others:
        raise InputError(
            f"{path}: the optimisation held {listed(others)}, and only scans of dihedrals are read; "
            "give the frames as an extended xyz file"
        )
    steps = {}
    for match in _STEPS.finditer(text[: first.start() if first else 0]):
        chain = _chain(path, match[1].split())
        steps[chain] = steps[chain[::-1]] = float(floats(path, None, [match[3]], "the step of the scan")[0])
    found = []
    for row in rows:
        chain = _chain(path, row[2].split(","))
        start = float(floats(path, None, [row[3]], f"D({row[2]})")[0])
        found.append(_Coordinate(chain, start, steps.get(chain), row[4] == "Scan"))
    return found


def _chain(path: Path, words: Sequence[str]) -> tuple[int, ...]:
    """Return the 0-based atoms of a coordinate."""
    return tuple(integer(path, None, word, "an atom of a coordinate") - 1 for word in words)


def _frame(path: Path, number: int, text: str, coordinates: Sequence[_Coordinate]) -> dict:
    """Return the fields of a Part of one point: what was printed last before it was found to be stationary."""
    if BEYOND_SCF.search(text):
        raise InputError(
            f"{path}: the scan is one with an energy beyond SCF, which is not read from a scan's output; "
            "give the frames with their energies as an extended xyz file"
        )
    species, positions = printed_structure(path, text)
    energy = method_energy(path, text, None)
    if energy is None:
        raise InputError(f"{path}: point {number} of the scan has no SCF energy; is the file cut?")
    quads = [one.atoms for one in coordinates]
    frame, frames = f"{path}: point {number} of the scan", list(INPUT_ORIENTATION.finditer(text))
    found = held(frame, species, positions, quads)
    stated = [one.nearest(d.angle / units.DEGREE) for one, d in zip(coordinates, found, strict=True)]
    return {
        "source": str(path),
        "species": species,
        "positions": positions,
        "energy": energy,
        "gradient": printed_gradient(path, text[frames[-1].start() :], len(species)) if frames else None,
        "constraints": held(frame, species, positions, quads, stated),
        "name": f"{stem(path)}-{number}",
    }
