"""The native file of a force field (.json): types with their surroundings, rows with their values in stated units.

One that was read from an MM3* file is that file, line by line; one of a topology states its interactions atom by atom.
"""

import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from pydantic import BaseModel, FiniteFloat, ValidationError, model_validator

from forgefield import units
from forgefield.assign.assignment import Assignment
from forgefield.assign.charge_rule import CHARGING
from forgefield.assign.explicit.rules import AbstractStatedRules
from forgefield.assign.explicit.several import together
from forgefield.assign.geometry_classes import IN_BOTH, MARK, GeometryClasses, in_any, unmarked, without_class
from forgefield.assign.instances import KINDS, Types
from forgefield.assign.mm3.rules import Mm3Rules
from forgefield.assign.rules import AbstractRules
from forgefield.assign.typed_rules import TypedRules, generated_rules
from forgefield.assign.typing import Typing
from forgefield.errors import InputError
from forgefield.io.forcefields.generated import require_held
from forgefield.io.forcefields.mm3.fld import mm3_rules, parse_fld
from forgefield.io.forcefields.systems import SystemFile, file_of_system, system_of_file
from forgefield.io.outputs import write_text
from forgefield.io.text import read_text
from forgefield.terms.bend import HARMONIC_BEND, MM3_BEND
from forgefield.terms.cross import COUPLINGS, UREY_BRADLEY
from forgefield.terms.mm3 import BOND_MOMENT
from forgefield.terms.nonbonded import CHARGE_INCREMENT, EXP6, LENNARD_JONES, LENNARD_JONES_GEOMETRIC
from forgefield.terms.out_of_plane import COSINE_OUT_OF_PLANE
from forgefield.terms.stretch import HARMONIC_STRETCH, MM3_STRETCH
from forgefield.terms.term import Term
from forgefield.terms.torsion import TORSION3, TORSION4, TORSION6

KEY, VERSION = "forgefield_force_field", 1
_TERMS = {
    term.name: term
    for term in (
        HARMONIC_STRETCH,
        MM3_STRETCH,
        HARMONIC_BEND,
        MM3_BEND,
        TORSION3,
        TORSION4,
        TORSION6,
        COSINE_OUT_OF_PLANE,
        *COUPLINGS,
        UREY_BRADLEY,
        LENNARD_JONES,
        LENNARD_JONES_GEOMETRIC,
        EXP6,
        CHARGE_INCREMENT,
        BOND_MOMENT,
    )
}
"""Every term that a generated force field has; those that others borrow from come first."""


class _Type(BaseModel, extra="forbid", frozen=True):
    """One type: its name in rows, and the surroundings of the atoms that have it."""

    name: str
    environment: str | None = None
    """None: atoms of this type are told by its name."""


class _Row(BaseModel, extra="forbid", frozen=True):
    """One row: its term, the types it is for, and its values in the units of the term."""

    term: str
    types: tuple[str, ...]
    values: dict[str, FiniteFloat]


class _Angles(BaseModel, extra="forbid", frozen=True):
    """Angles between atoms of three types that have rows by class, which name the centre as in Pd1@90."""

    types: tuple[str, str, str]
    up_to: dict[str, FiniteFloat]
    """By the name of each class, the angle up to which it reaches [°], in ascending order."""


class _Across(BaseModel, extra="forbid", frozen=True):
    """Bonds that have rows by the type of the atom opposite the end, which the centre is named with as in P1@F1."""

    end: str
    centre: str


class _File(BaseModel, extra="forbid", frozen=True):
    """The whole of a file of version 1."""

    forgefield_force_field: int
    types: tuple[_Type, ...] = ()
    angles: tuple[_Angles, ...] = ()
    across: tuple[_Across, ...] = ()
    units: dict[str, dict[str, str]] = {}
    """Of the parameters of each term that the force field has."""
    rows: tuple[_Row, ...] = ()
    mm3: tuple[str, ...] | None = None
    """The lines of an MM3* file, which has all of this in its own form."""
    system: SystemFile | None = None
    """The topology of one system, whose interactions are stated atom by atom."""
    systems: tuple[SystemFile, ...] = ()
    """The topologies of several, which share rows of equal types and values."""

    @model_validator(mode="after")
    def _one_of_both(self) -> "_File":
        by_types = bool(self.types or self.angles or self.across or self.units or self.rows)
        if by_types + (self.mm3 is not None) + (self.system is not None) + bool(self.systems) > 1:
            raise ValueError("mm3, system, systems, and types, angles, across, units or rows exclude each other")
        return self


def _units(term: Term) -> dict[str, str]:
    return {own.name: own.unit for own in term.own}


def write_native(path: Path, assignment: Assignment) -> None:
    """Write a generated force field, every value to the last digit.

    Raises InputError for a van der Waals scale other than 1, which belongs to no row.
    """
    require_held(assignment, tuple(_TERMS.values()), f"{path}: a native file", "leave them out")
    write_rules(path, generated_rules(assignment))


def write_rules(path: Path, rules: AbstractRules) -> None:
    """Write a force field by types, or of a system, every value to the last digit. Raises InputError for others."""
    write_text(path, native_text(path, rules))


def native_text(path: Path, rules: AbstractRules) -> str:
    """Return the text of a native file, which messages call `path`. Raises InputError as `write_rules` does."""
    match rules:
        case Mm3Rules():
            file = _File(forgefield_force_field=VERSION, mm3=rules.file.lines)
        case TypedRules():
            file = _of_types(rules)
        case AbstractStatedRules():
            held = tuple(file_of_system(one) for one in rules.each)
            one, several = (held[0], ()) if len(held) == 1 else (None, held)
            file = _File(forgefield_force_field=VERSION, system=one, systems=several)
        case _:
            raise InputError(f"{path}: a native file holds rows by types, which this force field does not have")
    return file.model_dump_json(indent=1, exclude_defaults=True) + "\n"


def _of_types(rules: TypedRules) -> _File:
    types = tuple(_Type(name=name, environment=meaning) for meaning, name in rules.typing.meanings.items())
    if not types:
        rows = [row for table in rules.tables.values() for row in table]
        alone = without_class if rules.classes else unmarked
        named = dict.fromkeys(alone(name) for row in rows for name in row)
        types = tuple(_Type(name=name) for name in named)
    rows = tuple(
        _Row(term=term.name, types=types, values=dict(zip(_units(term), values, strict=True)))
        for term, table in rules.tables.items()
        for types, values in table.items()
    )
    units_of_terms = {term.name: _units(term) for term in rules.tables}
    angles = tuple(
        _Angles(types=(end, centre, other), up_to={name: upper / units.DEGREE for name, upper in classes.items()})
        for (end, centre, other), classes in rules.classes.angles.items()
    )
    across = tuple(_Across(end=end, centre=centre) for end, centre in sorted(rules.classes.across))
    return _File(
        forgefield_force_field=VERSION, types=types, angles=angles, across=across, units=units_of_terms, rows=rows
    )


def read_native(path: Path) -> TypedRules | Mm3Rules | AbstractStatedRules:
    """Return the force field of a native file, for any molecules with its types, or surroundings of atoms.

    Raises InputError where it is none, was written by a later version, or has rows that cannot be.
    """
    return rules_of_text(path, read_text(path))


def rules_of_text(path: Path, text: str) -> TypedRules | Mm3Rules | AbstractStatedRules:
    """Return the force field of the text of a native file, which messages call `path`. Raises InputError."""
    try:
        content = json.loads(text)
    except ValueError as error:
        raise InputError(f"{path}: is no JSON: {error}; it may be truncated") from None
    if not isinstance(content, dict) or KEY not in content:
        raise InputError(f"{path}: is no force field of ForgeField, which has the key {KEY!r}; give one, or a .fld")
    if content[KEY] != VERSION:
        raise InputError(
            f"{path}: is of version {content[KEY]!r} of the format, not {VERSION}; read it with a later ForgeField"
        )
    try:
        file = _File.model_validate(content)
    except ValidationError as error:
        lines = [f"{path}: {'.'.join(map(str, one['loc']))}: {one['msg']}" for one in error.errors()]
        raise InputError("\n".join(lines)) from None
    if file.mm3 is not None:
        return mm3_rules(parse_fld(path, "\n".join(file.mm3)))
    if file.system is not None:
        return system_of_file(file.system)
    if file.systems:
        return together([system_of_file(one) for one in file.systems])
    if complaints := [*_wrong_heads(file), *_wrong_rows(file)]:
        raise InputError("\n".join(f"{path}: {complaint}" for complaint in complaints))
    tables: dict[Term, dict[Types, tuple[float, ...]]] = {
        term: {} for name, term in _TERMS.items() if name in file.units
    }
    for row in file.rows:
        term = _TERMS[row.term]
        tables[term][row.types] = tuple(row.values[own.name] for own in term.own)
    meanings = {one.environment: one.name for one in file.types if one.environment is not None}
    angles = {
        KINDS["bend"].canonical(one.types): {name: upper * units.DEGREE for name, upper in one.up_to.items()}
        for one in file.angles
    }
    across = frozenset((one.end, one.centre) for one in file.across)
    # Files without a mark are from before pairs of angles that share an end had rows of their own.
    tells_ends = any(name.endswith(IN_BOTH) for row in file.rows for name in row.types)
    classes = GeometryClasses(angles, across, tells_ends=tells_ends)
    return TypedRules(tables, Typing(str(path), meanings, own=not meanings), classes)


def _wrong_heads(file: _File) -> Iterator[str]:
    """Yield what is wrong with types and units."""
    for key in ("name", "environment"):
        counts = Counter(getattr(one, key) for one in file.types)
        repeated = [name for name, n in counts.items() if n > 1 and name is not None]
        if repeated:
            yield f"types: several have the {key} {', '.join(repeated)}; leave one of each"
    for name, stated in file.units.items():
        if name not in _TERMS:
            yield f"units: there is no term {name!r}; known are {', '.join(_TERMS)}"
        elif stated != _units(_TERMS[name]):
            yield f"units: those of {name} must be {_units(_TERMS[name])}, not {stated}"
    named = {name for one in file.across for name in (one.end, one.centre)}
    if unknown := sorted(named - {one.name for one in file.types}):
        yield f"across: types has no {', '.join(unknown)}"
    for one in file.angles:
        uppers = list(one.up_to.values())
        if uppers != sorted(set(uppers)) or not uppers or uppers[-1] < 180.0:
            yield f"angles {'-'.join(one.types)}: the classes must reach up to angles that ascend to 180, not {uppers}"


def _skips(name: str, names: set[str], alone: set[str]) -> bool:
    """Say whether the name of a type has the types of the atoms behind it that a torsion skips."""
    while name not in names:
        name, _, skipped = name.rpartition(MARK)
        if skipped not in alone:
            return False
    return True


def _marked(types: Types) -> bool:
    """Say whether the types of a pair of angles name one end of each as the atom that both have."""
    bare = in_any(types)
    marked = [place for place, name in enumerate(types) if name != bare[place]]
    return [place > 2 for place in marked] == [False, True] and marked[0] > 0 and len({bare[k] for k in marked}) == 1


def _wrong_rows(file: _File) -> Iterator[str]:
    """Yield what is wrong with rows."""
    alone, seen = {one.name for one in file.types}, set()
    names = alone | {f"{named}{MARK}{name}" for one in file.across for named in (one.end, one.centre) for name in alone}
    names |= {f"{one.types[1]}{MARK}{name}" for one in file.angles for name in one.up_to}
    for row in file.rows:
        term, named = _TERMS.get(row.term), f"row {row.term} {'-'.join(row.types)}"
        if term is None or row.term not in file.units:
            yield f"{named}: units has no term {row.term!r}"
            continue
        kind = KINDS["stretch" if term.kind in CHARGING else term.kind] if term.kind != "vdw" else None
        wanted = 1 if kind is None else len(kind.orders[0])
        if len(row.types) != wanted:
            yield f"{named}: it names {len(row.types)} types, not {wanted}"
            continue
        key = row.term, row.types if kind is None else kind.canonical(row.types)
        types = row.types if term.kind != "bend_bend" or not _marked(row.types) else in_any(row.types)
        skips = term.kind == "torsion"
        unknown = sorted({name for name in types if name not in names and not (skips and _skips(name, names, alone))})
        if unknown:
            yield f"{named}: types has no {', '.join(unknown)}"
        if set(row.values) != set(_units(term)):
            yield f"{named}: its values must be {', '.join(_units(term))}, not {', '.join(row.values)}"
        if key in seen:
            yield f"{named}: a second row for these types; remove one of the two"
        seen.add(key)
