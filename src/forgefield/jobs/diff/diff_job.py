"""Shows which rows of two force fields differ, old beside new."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from forgefield.assign.charge_rule import CHARGING
from forgefield.assign.explicit.rules import AbstractStatedRules, SystemRules
from forgefield.assign.explicit.several import together
from forgefield.assign.explicit.system import System
from forgefield.assign.geometry_classes import MARK
from forgefield.assign.instances import KINDS, Types
from forgefield.assign.mm3.rules import Mm3Rules
from forgefield.assign.rules import AbstractRules
from forgefield.assign.typed_rules import TypedRules
from forgefield.errors import InputError
from forgefield.io.forcefields.mm3.fld_differences import Difference, fld_differences
from forgefield.io.rules import load
from forgefield.jobs.diff.compared import Comparison, compare_systems
from forgefield.jobs.diff.laid import pairs_of, systems_over
from forgefield.terms.term import Term

TOLERANCE = 1e-6
"""Numbers that differ by less, or by this share of the larger one, are the same."""
_NAMED = 6


def diff(old: Path, new: Path, *, over: Sequence[Path] = (), tolerance: float = TOLERANCE) -> Comparison:
    """Compare two force fields.

    Files of one molecule, or force fields laid `over` the structures of files, are compared by what acts on which
    atoms, whatever their formats; others by their types, those that have a meaning by it, and MM3* files line by line.
    Numbers are in the units of the files for MM3*, else in those that stand with the columns. Raises InputError where
    a structure is wanted, or none.
    """
    if not 0.0 <= tolerance < 1.0:
        raise InputError(f"--tolerance {tolerance:g}: a number from 0 to 1 is expected, such as 1e-6")
    before, after = load(old), load(new)
    found = Comparison(tolerance)
    if not over and isinstance(before, Mm3Rules) and isinstance(after, Mm3Rules):
        found.differences += fld_differences(before.file, after.file)
    elif not over and isinstance(before, TypedRules) and isinstance(after, TypedRules):
        _compare_entries(found, dict(_entries(before)), dict(_entries(after)))
    else:
        _compare_laid(found, (old, before), (new, after), over)
    return found


def _compare_laid(
    found: Comparison, old: tuple[Path, AbstractRules], new: tuple[Path, AbstractRules], over: Sequence[Path]
) -> None:
    """Compare two force fields by the molecules that they state or are laid over."""
    stated = [[*rules.each] if isinstance(rules, AbstractStatedRules) else [] for _, rules in (old, new)]
    if over and all(stated):
        raise InputError(f"{old[0]} and {new[0]} state what acts on their own atoms; name no structure (--over)")
    known = [one.system for rules in stated for one in rules]
    before, after = (systems_over(*one, over, known) for one in (old, new))
    pairs, alone, others = pairs_of(before, after)
    if not pairs:
        found.remarks.append(
            f"{_formulas(before)} and {_formulas(after)} are not the same molecules: rows are compared by the names of "
            "their types"
        )
        _compare_entries(found, _of_systems(before), _of_systems(after))
        return
    for pair in pairs:
        compare_systems(found, *pair)
    for path, left in ((old[0], alone), (new[0], others)):
        if left:
            found.remarks.append(f"In {path} alone, and not compared: {_formulas(left)}")
    found.remarks = list(dict.fromkeys(found.remarks))


def _formulas(systems: Sequence[System]) -> str:
    told = [one.formula for one in systems[:_NAMED]]
    return ", ".join(told) + (f" and {len(systems) - _NAMED} more" if len(systems) > _NAMED else "")


Entries = Mapping[tuple[Term, Types], tuple[float, ...]]


def _compare_entries(found: Comparison, before: Entries, after: Entries) -> None:
    """Compare rows by their names."""
    for term, types in dict.fromkeys((*before, *after)):
        old, new = before.get((term, types)), after.get((term, types))
        if old is not None and new is not None and all(map(found.close, old, new)):
            found.same[term.kind] += 1
            continue
        columns = tuple(f"{own.name} [{own.unit}]" if own.unit else own.name for own in term.own)
        found.differences.append(Difference(term.name, "-".join(types), "", (None, None), columns, (old, new)))


def _of_systems(systems: Sequence[System]) -> Entries:
    """Return the values of each row of topologies."""
    rowed = together([SystemRules(system) for system in systems]).rowed
    marked = {row: (*row.types[:-1], f"{row.types[-1]} {row.mark}") if row.mark else row.types for row in rowed.rows}
    return {(row.term, types): tuple(rowed.values[list(row.indices)].tolist()) for row, types in marked.items()}


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


def summary(found: Comparison) -> dict[str, Any]:
    """Return what `forgefield diff --json` prints."""
    return {
        "differences": [asdict(one) for one in found.differences],
        "same": dict(found.same),
        "tolerance": found.tolerance,
        "remarks": found.remarks,
    }
