"""A table of a report: the same content for the page and for the terminal."""

from dataclasses import dataclass


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


@dataclass(frozen=True)
class Table:
    """Rows of cells; the first cell of a row names it."""

    title: str
    columns: tuple[Column, ...]
    groups: tuple[Group, ...]
    note: str = ""

    @property
    def n_rows(self) -> int:
        """Number of rows in all groups."""
        return sum(len(group.rows) for group in self.groups)


def table(title: str, columns: tuple[Column, ...], rows: list[tuple[str, ...]], note: str = "") -> Table:
    """Return a table of one group without a heading."""
    return Table(title, columns, (Group("", tuple(rows)),), note)
