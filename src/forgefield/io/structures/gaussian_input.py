"""Reads the structure of Gaussian's input files."""

import re
from pathlib import Path

import numpy as np

from forgefield.errors import InputError, located
from forgefield.io.assemble.digits import tell_odd_digits
from forgefield.io.structures.oddities import shape_of, tell_oddities
from forgefield.io.text import floats, integer, read_text
from forgefield.molecules.elements import GHOST, atomic_number, is_ghost
from forgefield.molecules.molecule import Molecule

_LABEL = re.compile(r"([A-Za-z]{1,2}|\d{1,3})(?![a-z])[^\s]*?(?:\(.*\))?$")
_CHARGES = re.compile(r"\s*(-?\d+)[\s,]+(\d+)(?:[\s,]+-?\d+[\s,]+\d+)*\s*")


def is_gaussian_input(_: Path, text: str) -> bool:
    """Whether a text has the route of a Gaussian job."""
    return any(line.lstrip().startswith("#") for line in text.splitlines()[:30])


def read_gaussian_input(path: Path) -> Molecule:
    """Return the structure of the first job of an input file.

    Raises InputError for a Z-matrix, and where charge, multiplicity or an atom cannot be read.
    """
    lines = read_text(path).splitlines()
    start = next((i for i, line in enumerate(lines) if line.lstrip().startswith("#")), len(lines))
    blank = [i for i in range(start, len(lines)) if not lines[i].strip()]
    at = blank[1] + 1 if len(blank) > 1 else len(lines)
    stated = _CHARGES.fullmatch(lines[at]) if at < len(lines) else None
    if stated is None:
        raise InputError(f"{path}: no line of charge and multiplicity follows the title; geom=check has no structure")
    end = next((i for i in range(at + 1, len(lines)) if not lines[i].strip()), len(lines))
    atoms = [_atom(path, i + 1, lines[i]) for i in range(at + 1, end)]
    if not atoms:
        raise InputError(located(path, at + 1, "no atoms follow charge and multiplicity"))
    placed = [(at + 2 + i, word) for i, (_, words) in enumerate(atoms) for word in words]
    tell_odd_digits(path, placed, "coordinates")
    found = Molecule(
        name=path.stem,
        species=np.array([number for number, _ in atoms]),
        positions=floats(path, None, [" ".join(words) for _, words in atoms], "coordinates").reshape(-1, 3),
        charge=integer(path, at + 1, stated[1], "charge"),
        multiplicity=integer(path, at + 1, stated[2], "multiplicity"),
        source=str(path),
    )
    tell_oddities(path, [shape_of(found)])
    return found


def _atom(path: Path, number: int, line: str) -> tuple[int, list[str]]:
    """Return atomic number and coordinates of a line: label, perhaps a number that freezes, three coordinates."""
    # Remarks in brackets hold commas of their own.
    label, _, rest = re.sub(r"\([^)]*\)", "", line).strip().replace(",", " ").partition(" ")
    words = rest.split()
    if len(words) >= 4 and "." not in words[0]:
        words = words[1:]
    found = _LABEL.match(label.partition("-")[0])
    if found is None or len(words) < 3 or not all("." in word for word in words[:3]):
        what = "a Z-matrix is not read; give Cartesian coordinates"
        raise InputError(
            located(path, number, f"expected an atom and three coordinates, found {line.strip()!r}; {what}")
        )
    word = found[1]
    if is_ghost(label):
        raise InputError(located(path, number, f"{label!r} {GHOST}"))
    if word.isdecimal():
        return int(word), words[:3]
    try:
        return atomic_number(word), words[:3]
    except InputError:
        return atomic_number(word[0]), words[:3]
