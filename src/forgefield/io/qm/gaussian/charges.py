"""The atomic charges that Gaussian prints, old and new."""

import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from forgefield.errors import InputError
from forgefield.io.text import floats
from forgefield.molecules.molecule import AtomicCharges

_TABLES = {
    # Gaussian 94 and 98 name no method: their totals are Mulliken's.
    "mulliken": re.compile(
        r"^ (?:Mulliken (?:atomic )?charges(?: and spin densities)?|Total atomic charges): *\n.*\n((?: +\d+ +.*\n)+)",
        re.MULTILINE,
    ),
    "esp": re.compile(
        r"^ (?:ESP charges: *\n|Charges from ESP fit, RMS=.*\n Charge=.*\n) +1 *\n((?: +\d+ +[A-Za-z]+ +.*\n)+)",
        re.MULTILINE,
    ),
    "hirshfeld": re.compile(r"^ Hirshfeld charges, .*: *\n.*Q-H .*\n((?: +\d+ +[A-Za-z]+ +.*\n)+)", re.MULTILINE),
}
_HEADS = {
    "mulliken": ("Mulliken charges", "Mulliken atomic charges", "Total atomic charges:"),
    "esp": ("ESP charges:", "Charges from ESP fit"),
    "hirshfeld": ("Hirshfeld charges",),
}
"""How a table begins, of newer versions first: a file is of one."""
_CM5 = 7
"""Column of Q-CM5 behind number, symbol, Q-H, S-H and a dipole."""


def printed_charges(path: Path, text: str, n_atoms: int) -> tuple[AtomicCharges, ...]:
    """Return the last charges [e] of each kind in a job step; raises InputError where a table is cut short."""
    found = []
    for kind, table in _TABLES.items():
        last = _last(table, _HEADS[kind], text)
        if last is None:
            continue
        rows = [row.split() for row in last.splitlines()]
        if len(rows) != n_atoms or min(map(len, rows)) < 3:
            raise InputError(f"{path}: {n_atoms} atoms, but {len(rows)} {kind} charges; is the file truncated?")
        found.append(_column(path, rows, kind, 2))
        if kind == "hirshfeld" and min(map(len, rows)) > _CM5:
            found.append(_column(path, rows, "cm5", _CM5))
    return tuple(found)


def _last(table: re.Pattern[str], heads: Sequence[str], text: str) -> str | None:
    """Return the rows of the last table, which is looked for from the end."""
    for head in heads:
        place = text.rfind(head)
        while place >= 0:
            found = table.match(text, text.rfind("\n", 0, place) + 1)
            if found:
                return found[1]
            place = text.rfind(head, 0, place)
    return None


def _column(path: Path, rows: list[list[str]], kind: str, column: int) -> AtomicCharges:
    return AtomicCharges(kind, np.asarray(floats(path, None, [row[column] for row in rows], f"{kind} charges")))
