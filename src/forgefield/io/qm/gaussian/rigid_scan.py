"""Reads the output of scans with a rigid molecule, of which Gaussian archives the energies of all points."""

import re
from pathlib import Path

from forgefield.io.assemble.parts import Part
from forgefield.io.qm.gaussian.archive import archive_of, charge_of, surroundings
from forgefield.io.qm.gaussian.energy import scan_energies
from forgefield.io.qm.gaussian.text import INPUT_ORIENTATION, STANDARD_ORIENTATION, printed_structure
from forgefield.io.sources import stem
from forgefield.io.text import read_text

_RELAXED = "-- Stationary point found."
_COMPUTED = re.compile(r"SCF Done:|^ Energy= ", re.MULTILINE)


def is_rigid_scan(path: Path, text: str) -> bool:
    """Say whether Gaussian's output is of a rigid scan, of which there are as many geometries as energies."""
    archive = archive_of(text)
    if archive is None or archive.kind != "Scan" or _RELAXED in text:
        return False
    return len(_points(text)) == len(scan_energies(path, text, archive)) > 1


def read_rigid_scan(path: Path) -> list[Part]:
    """Return the points of a rigid scan in the order of the job, each with its energy as archived."""
    text = read_text(path)
    archive = archive_of(text)
    assert archive is not None
    charge, multiplicity = charge_of(path, text, archive)
    parts = []
    for number, (point, energy) in enumerate(zip(_points(text), scan_energies(path, text, archive), strict=True), 1):
        species, positions = printed_structure(path, point)
        parts.append(
            Part(
                source=str(path),
                species=species,
                positions=positions,
                energy=energy,
                level=archive.level + surroundings([archive.route]),
                program=archive.program,
                charge=charge,
                multiplicity=multiplicity,
                name=f"{stem(path)}-{number}",
            )
        )
    return parts


def _points(text: str) -> list[str]:
    """Return the text of each geometry for which an energy was computed."""
    heads = list(INPUT_ORIENTATION.finditer(text)) or list(STANDARD_ORIENTATION.finditer(text))
    ends = [head.start() for head in heads[1:]] + [len(text)]
    pieces = [text[head.start() : end] for head, end in zip(heads, ends, strict=True)]
    return [piece for piece in pieces if _COMPUTED.search(piece)]
