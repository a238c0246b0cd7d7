"""The tables that Gaussian prints: coordinates and forces."""

import re
from pathlib import Path

import numpy as np
from jaxtyping import Float

from forgefield import units
from forgefield.errors import InputError
from forgefield.io.qm.gaussian.archive import Structure
from forgefield.io.text import floats, integers

INPUT_ORIENTATION = re.compile(r"^ *(?:Input|Z-Matrix) orientation: *$", re.IGNORECASE | re.MULTILINE)
STANDARD_ORIENTATION = re.compile(r"^ *Standard orientation: *$", re.IGNORECASE | re.MULTILINE)
_FORCES = re.compile(r"Forces \(Hartrees/Bohr\)[ \t]*$", re.MULTILINE)
_RULE = re.compile(r" *-{5,} *")


def printed_structure(path: Path, text: str) -> Structure:
    """Return atomic numbers and positions [Å] of the last table: in the input orientation where there is one.

    Raises InputError where there is no table, or the last one is damaged.
    """
    heads = list(INPUT_ORIENTATION.finditer(text)) or list(STANDARD_ORIENTATION.finditer(text))
    if not heads:
        raise InputError(f"{path}: a job step holds no geometry; is the file truncated?")
    rows = ruled_rows(path, text[heads[-1].end() :], 2, "coordinates")
    widths = {len(row.split()) for row in rows}
    if widths not in ({5}, {6}):
        raise InputError(f"{path}: the last table of coordinates is damaged: its rows are not all of 5 or 6 columns")
    species = integers(path, None, [row.split()[1] for row in rows], "atomic numbers")
    return species, floats(path, None, [" ".join(row.split()[-3:]) for row in rows], "coordinates").reshape(-1, 3)


def printed_gradient(path: Path, text: str, n_atoms: int) -> Float[np.ndarray, "atoms 3"] | None:
    """Return the last gradient [kcal/mol/Å], which Gaussian prints in the input orientation; None where there is none.

    Raises InputError where the table is damaged.
    """
    tables = list(_FORCES.finditer(text))
    if not tables:
        return None
    rows = ruled_rows(path, text[tables[-1].end() :], 1, "forces")
    numbers = floats(path, None, rows, "forces")
    if len(rows) != n_atoms or numbers.size != 5 * n_atoms:
        raise InputError(f"{path}: the last table of forces is damaged: {len(rows)} rows for {n_atoms} atoms")
    return -numbers.reshape(n_atoms, 5)[:, 2:] * units.HARTREE_PER_BOHR


def ruled_rows(path: Path, text: str, n_rules: int, what: str) -> list[str]:
    """Return the rows of the table that a text begins with: those behind `n_rules` ruled lines, up to the next.

    Raises InputError where the table is cut off.
    """
    lines = text.splitlines()
    rules = [-1]
    while len(rules) <= n_rules + 1:
        following = next((i for i in range(rules[-1] + 1, len(lines)) if _RULE.fullmatch(lines[i])), None)
        if following is None:
            raise InputError(f"{path}: the last table of {what} is damaged or cut off")
        rules.append(following)
    return lines[rules[-2] + 1 : rules[-1]]
