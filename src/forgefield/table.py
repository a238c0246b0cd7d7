"""A table: the same content for the page of a report, the terminal, a script and a notebook."""

import abc
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar, overload

from markupsafe import escape

Record = TypeVar("Record")
_NOTHING = ("", "—")
"""Cells that tell nothing."""


class AbstractTabled(abc.ABC):
    """Something that a notebook shows as a table."""

    @property
    @abc.abstractmethod
    def table(self) -> "Table":
        """What is shown; its text with `str` or `print`."""

    def _repr_html_(self) -> str:
        return self.table.html


@dataclass(frozen=True)
class Column:
    """A column: its heading, and whether its cells are numbers, which are set flush right."""

    label: str
    unit: str = ""
    numeric: bool = True

    @property
    def heading(self) -> str:
        """Label and unit in one line."""
        return f"{self.label} / {self.unit}" if self.unit else self.label


@dataclass(frozen=True)
class Group:
    """Rows that belong together under a heading of their own; an empty title shows none."""

    title: str
    rows: tuple[tuple[str, ...], ...]


@dataclass(frozen=True, repr=False)
class Table(AbstractTabled):
    """Rows of cells; the first cell of a row names it."""

    title: str
    columns: tuple[Column, ...]
    groups: tuple[Group, ...]
    note: str = ""

    @property
    def n_rows(self) -> int:
        """Number of rows in all groups."""
        return sum(len(group.rows) for group in self.groups)

    @property
    def table(self) -> "Table":
        """The table itself."""
        return self

    @property
    def filled(self) -> "Table":
        """The table without columns that hold nothing, and without rows whose numbers are all unknown."""
        rows = [cells for group in self.groups for cells in group.rows if self._tells(cells)]
        kept = [k for k in range(len(self.columns)) if k == 0 or any(cells[k] not in _NOTHING for cells in rows)]
        groups = tuple(
            Group(group.title, tuple(tuple(cells[k] for k in kept) for cells in group.rows if self._tells(cells)))
            for group in self.groups
        )
        columns = tuple(self.columns[k] for k in kept)
        return Table(self.title, columns, tuple(group for group in groups if group.rows), self.note)

    def _tells(self, cells: tuple[str, ...]) -> bool:
        numbers = [cell for column, cell in zip(self.columns[1:], cells[1:], strict=True) if column.numeric]
        return not numbers or any(cell not in _NOTHING for cell in numbers)

    @property
    def html(self) -> str:
        """The table for a page, with its title, units and note."""
        sides = ["right" if column.numeric else "left" for column in self.columns]

        def row(cells: Sequence[str], tag: str) -> str:
            inner = "".join(
                f'<{tag} style="text-align: {side}">{escape(cell)}</{tag}>'
                for side, cell in zip(sides, cells, strict=True)
            )
            return f"<tr>{inner}</tr>"

        body = []
        for group in self.groups:
            if group.title:
                body.append(f'<tr><th colspan="{len(sides)}" style="text-align: left">{escape(group.title)}</th></tr>')
            body += [row(cells, "td") for cells in group.rows]
        head = row([column.heading for column in self.columns], "th")
        note = f"<p>{escape(self.note)}</p>" if self.note else ""
        return (
            f'<table><caption style="text-align: left">{escape(self.title)}</caption>'
            f"<thead>{head}</thead><tbody>{''.join(body)}</tbody></table>{note}"
        )

    def __str__(self) -> str:
        heads = [column.heading for column in self.columns]
        cells = [heads, *(row for group in self.groups for row in group.rows)]
        widths = [max(map(len, column)) for column in zip(*cells, strict=True)]

        def line(row: Sequence[str]) -> str:
            padded = [
                cell.rjust(width) if column.numeric else cell.ljust(width)
                for cell, width, column in zip(row, widths, self.columns, strict=True)
            ]
            return "  ".join(padded).rstrip()

        lines = [self.title, line(heads)]
        for group in self.groups:
            lines += [*([group.title] if group.title else []), *map(line, group.rows)]
        return "\n".join([*lines, *([self.note] if self.note else [])])

    __repr__ = __str__


def table(title: str, columns: tuple[Column, ...], rows: Sequence[tuple[str, ...]], note: str = "") -> Table:
    """Return a table of one group without a heading."""
    return Table(title, columns, (Group("", tuple(rows)),), note)


class Records(AbstractTabled, Sequence[Record], Generic[Record]):
    """Things of one kind with named values, to be gone through one by one, and shown together as a table."""

    def __init__(self, records: Sequence[Record], shown: Table) -> None:
        self._records, self._shown = tuple(records), shown

    @property
    def table(self) -> Table:
        """What is shown."""
        return self._shown

    @overload
    def __getitem__(self, place: int) -> Record: ...
    @overload
    def __getitem__(self, place: slice) -> tuple[Record, ...]: ...
    def __getitem__(self, place: int | slice) -> Record | tuple[Record, ...]:
        return self._records[place]

    def __len__(self) -> int:
        return len(self._records)

    def __repr__(self) -> str:
        return str(self._shown)
