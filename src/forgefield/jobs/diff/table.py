"""The table of what differs between two force fields."""

from collections.abc import Iterator

from forgefield import units
from forgefield.io.forcefields.mm3.fld_differences import Difference
from forgefield.jobs.diff.compared import Comparison
from forgefield.report.numerals import fixed
from forgefield.table import Column, Table, table

_FEWEST, _MOST = 4, 12
"""Decimals."""


def differences_table(found: Comparison) -> Table:
    """Return one line for each number that differs, and below what is the same.

    Where a file lacks the row, the number is absent; what no row has, such as lines of a file, has no column.
    """
    columns = (
        Column("row", numeric=False),
        Column("row′", numeric=False),
        Column("atoms", numeric=False),
        Column("substructure", numeric=False),
        Column("line"),
        Column("line′"),
        Column("column", numeric=False),
        Column("old"),
        Column("new"),
    )
    rows = [row for one in found.differences for row in _rows(found, one)]
    title = f"{len(found.differences)} row(s) differ" if found.differences else "No row differs"
    kept = [k for k in range(len(columns)) if any(row[k] for row in rows) or not rows]
    shown = [tuple(row[k] for k in kept) for row in rows]
    return table(title, tuple(columns[k] for k in kept), shown, "\n".join(found.words))


def _rows(found: Comparison, one: Difference) -> Iterator[tuple[str, ...]]:
    """Yield a line for each number of a row that differs."""
    lines = ("" if n is None else str(n) for n in one.line) if any(one.line) else ("", "")
    head = (f"{one.kind} {one.name}", one.new_name, one.atoms, one.section, *lines)
    told = [
        (column, *(None if numbers is None else numbers[place] or 0.0 for numbers in one.numbers))
        for place, column in enumerate(one.columns)
    ]
    apart = [(column, old, new) for column, old, new in told if old is None or new is None or not found.close(old, new)]
    # A torsion may differ by its phase and size together, neither of them by much.
    for column, old, new in apart or told:
        name, _, unit = column.rstrip("]").partition(" [")
        unit, scale = units.shown(unit)
        yield (*head, f"{name} [{unit}]" if unit else name, *_told_apart(old, new, scale))


def _told_apart(old: float | None, new: float | None, scale: float) -> tuple[str, str]:
    """Return two numbers with as many decimals as show that they differ."""
    told = ("-", "-")
    for decimals in range(_FEWEST, _MOST + 1):
        told = tuple("-" if value is None else fixed(value / scale, decimals) for value in (old, new))
        if told[0] != told[1]:
            break
    return told[0], told[1]
