"""Shows which rows of two force fields differ, old beside new."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from forgefield import units
from forgefield.assign.charge_rule import CHARGING
from forgefield.assign.explicit.rules import AbstractStatedRules
from forgefield.assign.geometry_classes import MARK
from forgefield.assign.instances import KINDS, Types
from forgefield.assign.mm3.rules import Mm3Rules
from forgefield.assign.typed_rules import TypedRules
from forgefield.errors import InputError
from forgefield.io.forcefields.mm3.fld_differences import Difference, fld_differences
from forgefield.io.rules import load
from forgefield.table import Column, Records, Table, table
from forgefield.terms.term import Term


def diff(old: Path, new: Path) -> Records[Difference]:
    """Return the rows of two force fields that differ; types that have a meaning are compared by it.

    Numbers are in the units of the files for MM3*, else in those that stand with the columns. Raises InputError where
    the rows of the two are not of one kind.
    """
    before, after = load(old), load(new)
    if isinstance(before, Mm3Rules) and isinstance(after, Mm3Rules):
        found = fld_differences(before.file, after.file)
    elif isinstance(before, TypedRules) and isinstance(after, TypedRules):
        found = _typed_differences(dict(_entries(before)), dict(_entries(after)))
    elif isinstance(before, AbstractStatedRules) and isinstance(after, AbstractStatedRules):
        found = _typed_differences(dict(_of_systems(before)), dict(_of_systems(after)))
    else:
        raise InputError(
            f"{old} and {new}: only the rows of two MM3* files can be compared, or those of two force fields by types, "
            "or of two topologies; give two of one kind, such as the .json or the folders of two fits"
        )
    return Records(found, differences_table(found))


Entries = Mapping[tuple[Term, Types], tuple[float, ...]]


def _typed_differences(before: Entries, after: Entries) -> list[Difference]:
    return [
        Difference(
            kind=term.name,
            name="-".join(types),
            section="",
            line=(None, None),
            columns=tuple(f"{own.name} [{own.unit}]" if own.unit else own.name for own in term.own),
            numbers=(before.get((term, types)), after.get((term, types))),
        )
        for term, types in dict.fromkeys((*before, *after))
        if before.get((term, types)) != after.get((term, types))
    ]


def _of_systems(rules: AbstractStatedRules) -> Iterator[tuple[tuple[Term, Types], tuple[float, ...]]]:
    """Yield the values of each row of topologies."""
    values = rules.rowed.values
    for row in rules.rowed.rows:
        marked = (*row.types[:-1], f"{row.types[-1]} {row.mark}") if row.mark else row.types
        yield (row.term, marked), tuple(values[list(row.indices)].tolist())


def _entries(rules: TypedRules) -> Iterator[tuple[tuple[Term, Types], tuple[float, ...]]]:
    """Yield the values of each row under its term and what its types stand for, else their names."""
    meanings = {name: meaning for meaning, name in rules.typing.meanings.items()}
    for term, rows in rules.tables.items():
        kind = KINDS.get("stretch" if term.kind in CHARGING else term.kind)
        for types, values in rows.items():
            told = tuple(_told(name, meanings) for name in types)
            canonical = told if kind is None else kind.canonical(told)
            # What a bond moves from its one end to the other changes sign where they change places.
            sign = -1.0 if term.kind in CHARGING and canonical != told else 1.0
            yield (term, canonical), tuple(sign * value for value in values)


def _told(name: str, meanings: Mapping[str, str]) -> str:
    """Return what a type stands for, and so does one that is opposite, with the class of the angle if there is one."""
    return MARK.join(meanings.get(part, part) for part in name.split(MARK))


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
            name, _, unit = column.rstrip("]").partition(" [")
            unit, scale = units.shown(unit)
            numbers = ("-" if value is None else f"{value / scale:.4f}" for value in (old, new))
            rows.append((*head, f"{name} [{unit}]" if unit else name, *numbers))
    return rows
