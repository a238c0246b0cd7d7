"""Shows which rows of two force-field files differ, old beside new, in file units."""

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from forgefield.errors import InputError
from forgefield.io.forcefields.mm3.fld import read_fld
from forgefield.io.forcefields.mm3.fld_differences import Difference, fld_differences
from forgefield.table import Column, Records, Table, table


def diff(old: Path, new: Path) -> Records[Difference]:
    """Return the rows of two MM3* files that differ. Raises InputError for files of other formats."""
    wrong = [str(path) for path in (old, new) if path.suffix != ".fld"]
    if wrong:
        raise InputError(f"{', '.join(wrong)}: only MM3* files (.fld) can be compared")
    found = fld_differences(read_fld(old), read_fld(new))
    return Records(found, differences_table(found))


def differences_table(differences: Sequence[Difference]) -> Table:
    """Return one line for each number that differs; where a file lacks the row, the number is absent."""
    columns = (
        Column("row", numeric=False),
        Column("substructure", numeric=False),
        Column("line"),
        Column("line′"),
        Column("column", numeric=False),
        Column("old"),
        Column("new"),
    )
    rows = [row for found in differences for row in _rows(found)]
    title = f"{len(differences)} row(s) differ; numbers in the units of the files" if rows else "No row differs"
    return table(title, columns, rows)


def summary(differences: Sequence[Difference]) -> dict[str, Any]:
    """Return what `forgefield diff --json` prints."""
    return {"differences": [asdict(found) for found in differences]}


def _rows(found: Difference) -> list[tuple[str, ...]]:
    head = (f"{found.kind} {found.name}", found.section, *("-" if n is None else str(n) for n in found.line))
    rows = []
    for place, column in enumerate(found.columns):
        old, new = (None if numbers is None else numbers[place] or 0.0 for numbers in found.numbers)
        if old != new:
            rows.append((*head, column, *("-" if value is None else f"{value:.4f}" for value in (old, new))))
    return rows
