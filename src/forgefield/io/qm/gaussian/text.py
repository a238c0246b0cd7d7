"""The tables that Gaussian prints: coordinates and forces."""

import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from jaxtyping import Float

from forgefield import units
from forgefield.errors import InputError
from forgefield.io.qm.gaussian.archive import Structure
from forgefield.io.text import floats, integers

INPUT_ORIENTATION = re.compile(r"^ *(?:Input|Z-Matrix) orientation: *$", re.IGNORECASE | re.MULTILINE)
STANDARD_ORIENTATION = re.compile(r"^ *Standard orientation: *$", re.IGNORECASE | re.MULTILINE)
_INPUT, _STANDARD = ("Input", "Z-Matrix", "Z-MATRIX", "INPUT"), ("Standard", "STANDARD")
_FORCES = re.compile(r"Forces \(Hartrees/Bohr\)[ \t]*$", re.MULTILINE)
_NORMS = re.compile(r" Cartesian Forces: +Max +(\S+) +RMS +(\S+)")
_ROUNDING = 2e-9
"""Hartree/Bohr, of forces and of what is printed of them."""
_RULE = re.compile(r" *-{5,} *")


def printed_structure(path: Path, text: str) -> Structure:
    """Return atomic numbers and positions [Å] of the last table: in the input orientation where there is one.

    Raises InputError where there is no table, or the last one is damaged.
    """
    end = _last(_INPUT, text) or _last(_STANDARD, text)
    if not end:
        raise InputError(f"{path}: a job step holds no geometry; is the file truncated?")
    rows = ruled_rows(path, text[end:], 2, "coordinates")
    widths = {len(row.split()) for row in rows}
    if widths not in ({5}, {6}):
        raise InputError(f"{path}: the last table of coordinates is damaged: its rows are not all of 5 or 6 columns")
    species = integers(path, None, [row.split()[1] for row in rows], "atomic numbers")
    return species, floats(path, None, [" ".join(row.split()[-3:]) for row in rows], "coordinates").reshape(-1, 3)


def _last(words: Sequence[str], text: str) -> int:
    """Return where the last head of a table ends, which is looked for from the end; 0 where there is none."""
    found = 0
    for head in (f"{word} orientation:" for word in words):
        place = text.rfind(head, found)
        while place >= 0:
            start, end = text.rfind("\n", 0, place) + 1, text.find("\n", place)
            if text[start : end if end >= 0 else len(text)].strip(" ") == head:
                found = place + len(head)
                break
            place = text.rfind(head, found, place)
    return found


def printed_gradient(path: Path, text: str, n_atoms: int) -> Float[np.ndarray, "atoms 3"] | None:
    """Return the last gradient [kcal/mol/Å], which Gaussian prints in the input orientation; None where there is none.

    Raises InputError where the table is damaged, or contradicts the largest force and the root mean square below it.
    """
    tables = list(_FORCES.finditer(text))
    if not tables:
        return None
    rows = ruled_rows(path, text[tables[-1].end() :], 1, "forces")
    numbers = floats(path, None, rows, "forces")
    if len(rows) != n_atoms or numbers.size != 5 * n_atoms:
        raise InputError(f"{path}: the last table of forces is damaged: {len(rows)} rows for {n_atoms} atoms")
    forces = numbers.reshape(n_atoms, 5)[:, 2:]
    norms = _NORMS.search(text, tables[-1].end())
    if norms is not None:
        stated = floats(path, None, list(norms.groups()), "Cartesian Forces")
        found = np.array([np.abs(forces).max(), np.sqrt((forces**2).mean())])
        if (np.abs(found - stated) > _ROUNDING * (1.0 + n_atoms)).any():
            raise InputError(
                f"{path}: the last table of forces has a largest one of {found[0]:.9f} Hartree/Bohr and a root mean "
                f"square of {found[1]:.9f}, below it stand {stated[0]:.9f} and {stated[1]:.9f}; the file is damaged"
            )
    return -forces * units.HARTREE_PER_BOHR


def ruled_rows(path: Path, text: str, n_rules: int, what: str) -> list[str]:
    """Return the rows of the table that a text begins with: those behind `n_rules` ruled lines, up to the next.

    Raises InputError where the table is cut off.
    """
    rows: list[str] = []
    place, passed = 0, -1
    while place < len(text):
        end = text.find("\n", place)
        end = len(text) if end < 0 else end
        line, place = text[place:end], end + 1
        if not _RULE.fullmatch(line):
            rows.append(line)
            continue
        passed += 1
        if passed == n_rules:
            return rows
        rows = []
    raise InputError(f"{path}: the last table of {what} is damaged or cut off")
