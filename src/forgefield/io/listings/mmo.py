"""Reads MacroModel's energy listings (.mmo)."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float

from forgefield.errors import InputError, located
from forgefield.io.listings.listing import KINDS, TOTAL, Interaction, Listing
from forgefield.io.text import floats, integer, read_text

_IMPROPER = "out_of_plane"
_TOTALS = {
    "Stretch": "stretch",
    "Bend": "bend",
    "Proper torsion": "torsion",
    "Out-of-plane": "out_of_plane",
    "Stretch-bend": "stretch_bend",
    "Bend-bend": "bend_bend",
    "Torsion-stretch": "torsion_stretch",
    "Van der Waals": "vdw",
    "Electrostatic": "electrostatic",
    "Hydrogen bonding": "hydrogen_bond",
}
_FORCE_FIELD = "Force-field terms"
_CONNECTIONS = "Connection Table"
_BEGINNINGS = {
    "BOND LENGTHS AND STRETCH ENERGIES": "stretch",
    "ANGLES, BEND AND STRETCH BEND ENERGIES": "bend",
    "BEND-BEND ANGLES AND ENERGIES": "bend_bend",
    "DIHEDRAL ANGLES AND TORSIONAL ENERGIES": "torsion",
    "DIHEDRAL ANGLES AND TORSIONAL CROSS-TERMS": "torsion_stretch",
    "NONBONDED DISTANCES AND ENERGIES": "nonbonded",
    "Improper torsion interactions present": _IMPROPER,
    "Energy Equations in Use": "equations",
    _FORCE_FIELD: _FORCE_FIELD,
    _CONNECTIONS: _CONNECTIONS,
}
"""The text by which each part of a listing begins."""
_COUNT = re.compile(r"\s(\d{1,9})\s+[A-Z][A-Za-z -]* interactions present", re.ASCII)
_ROW = re.compile(r"\s+\d+\s+\d+\s")
_TOTAL_ROW = re.compile(r"\s+([A-Z][A-Za-z -]*):\s+(\S+) kJ/mol")
_ATOM = re.compile(r"\s?(\S{1,2})\s*\(\s*(\d+)\)\s+(\S+)\s+\S+\s+(\S+)\s+(\S+)\s+(\S+)\s")
_SUBSTRUCTURE = "Subst"
_PRINTED = 5e-4
"""Rounding of a printed energy [kJ/mol]."""


@dataclass(frozen=True)
class _Layout:
    """How a row of a table is laid out: integers, numbers, and whether Select, Alts, a comment and the line follow."""

    n_atoms: int
    n_numbers: int
    has_line: bool
    read: Callable[["_Row"], tuple[Interaction, ...]]


@dataclass(frozen=True)
class _Row:
    atoms: tuple[int, ...]
    numbers: tuple[float, ...]
    line: int | None
    substructure: int


def _stretch(row: _Row) -> tuple[Interaction, ...]:
    k, r0, r, energy = row.numbers
    return (Interaction("stretch", row.atoms, {"k": k, "r0": r0}, r, energy, row.line, row.substructure),)


def _bend(row: _Row) -> tuple[Interaction, ...]:
    k, k_stretch_bend, theta0, theta, energy, energy_stretch_bend = row.numbers
    bend = Interaction("bend", row.atoms, {"k": k, "theta0": theta0}, theta, energy, row.line, row.substructure)
    # The line in the last column is that of the bend; the listing does not say where the other constant stands.
    cross = Interaction("stretch_bend", row.atoms, {"k": k_stretch_bend}, theta, energy_stretch_bend)
    return (bend,) if cross.is_idle and not energy_stretch_bend else (bend, cross)


def _bend_bend(row: _Row) -> tuple[Interaction, ...]:
    k, first0, _, second0, _, energy = row.numbers
    return (Interaction("bend_bend", row.atoms, {"k": k, "theta0_1": first0, "theta0_2": second0}, None, energy),)


def _torsion(row: _Row) -> tuple[Interaction, ...]:
    v1, v2, v3, phi, energy = row.numbers
    return (Interaction("torsion", row.atoms, {"v1": v1, "v2": v2, "v3": v3}, phi, energy, row.line, row.substructure),)


def _out_of_plane(row: _Row) -> tuple[Interaction, ...]:
    v1, v2, v3, phi, energy = row.numbers
    return (Interaction(_IMPROPER, row.atoms, {"v1": v1, "v2": v2, "v3": v3}, phi, energy, row.line, row.substructure),)


def _torsion_stretch(row: _Row) -> tuple[Interaction, ...]:
    k_stretch, k_bend, k_torsion, phi, energy = row.numbers
    parameters = {"k": k_stretch, "k_bend": k_bend, "k_torsion": k_torsion}
    return (Interaction("torsion_stretch", row.atoms, parameters, phi, energy),)


def _nonbonded(row: _Row) -> tuple[Interaction, ...]:
    radius, depth, product, distance, energy, energy_charges = row.numbers
    return (
        Interaction("vdw", row.atoms, {"radius": radius, "epsilon": depth}, distance, energy),
        Interaction("electrostatic", row.atoms, {"charge_product": product}, distance, energy_charges),
    )


_LAYOUTS = {
    "stretch": _Layout(2, 4, has_line=True, read=_stretch),
    "bend": _Layout(3, 6, has_line=True, read=_bend),
    "bend_bend": _Layout(5, 6, has_line=False, read=_bend_bend),
    "torsion": _Layout(4, 5, has_line=True, read=_torsion),
    _IMPROPER: _Layout(4, 5, has_line=True, read=_out_of_plane),
    "torsion_stretch": _Layout(4, 5, has_line=False, read=_torsion_stretch),
    "nonbonded": _Layout(2, 6, has_line=False, read=_nonbonded),
}


Lines = list[tuple[int, str]]
"""Lines with their 1-based numbers."""


def read_mmo(path: Path) -> Listing:
    """Return what a MacroModel listing of one structure holds.

    A bend row gives a bend and, where its constant is not zero, a stretch_bend; a non-bonded row a vdw and an
    electrostatic interaction. Raises InputError where a table is cut off, its energies do not add up to the total
    that the listing states, or the listing holds several structures.
    """
    parts = _parts(path, read_text(path).splitlines())
    listed = [i for kind, layout in _LAYOUTS.items() for i in _interactions(path, kind, layout, parts.get(kind, []))]
    types, charges, positions = _atoms(path, parts.get(_CONNECTIONS, []))
    missing = sorted({atom for i in listed for atom in i.atoms if not 1 <= atom <= len(types)})
    if missing:
        atoms = ", ".join(map(str, missing))
        raise InputError(f"{path}: interactions of atom(s) {atoms}, but the connection table has {len(types)} atoms")
    stated = _totals(path, parts.get(_FORCE_FIELD, []))
    _check_sums(path, listed, stated)
    return Listing(path.stem, str(path), types, charges, stated, tuple(listed), positions)


def _parts(path: Path, lines: list[str]) -> dict[str, Lines]:
    """Return the lines of each part of the listing, the first of which is its title."""
    parts: dict[str, Lines] = {}
    current: Lines = []
    for line, text in enumerate(lines, start=1):
        begins = next((part for title, part in _BEGINNINGS.items() if title in text), None)
        if begins is not None and begins in parts:
            message = f"a second {text.strip().split('  ')[0]!r} begins here; write one listing for each structure"
            raise InputError(located(path, line, message))
        if begins is not None:
            current = parts.setdefault(begins, [])
        current.append((line, text))
    if not parts.keys() & _LAYOUTS.keys():
        raise InputError(f"{path}: holds no table of interactions; is it a MacroModel listing with all details?")
    return parts


def _interactions(path: Path, kind: str, layout: _Layout, lines: Lines) -> list[Interaction]:
    if not lines:
        return []
    (title_line, title), *body = lines
    rows = [(line, text) for line, text in body if _ROW.match(text)]
    count = _COUNT.search(title)
    # The torsional cross-terms announce all torsions and list only those that have a constant.
    if count and kind != "torsion_stretch" and len(rows) != int(count[1]):
        message = f"{len(rows)} rows follow where {int(count[1])} are announced; the listing is truncated or edited"
        raise InputError(located(path, title_line, message))
    return [i for line, text in rows for i in layout.read(_row(path, line, text, layout))]


def _row(path: Path, line: int, text: str, layout: _Layout) -> _Row:
    words = text.split()
    n_fixed = layout.n_atoms + layout.n_numbers
    # After the numbers: Select, Alts, any words of comment, and the line of the force-field file.
    if len(words) < n_fixed + 3 if layout.has_line else len(words) != n_fixed:
        message = f"expected {layout.n_atoms} atoms and {layout.n_numbers} numbers, found {text.strip()!r}"
        raise InputError(located(path, line, message))
    atoms = tuple(integer(path, line, word, "the number of an atom") for word in words[: layout.n_atoms])
    numbers = floats(path, line, [" ".join(words[layout.n_atoms : n_fixed])], "numbers of an interaction")
    if not layout.has_line:
        return _Row(atoms, tuple(numbers.tolist()), None, 0)
    select, alternate = words[n_fixed : n_fixed + 2]
    substructure = integer(path, line, alternate, "column Alts") if select == _SUBSTRUCTURE else 0
    file_line = integer(path, line, words[-1], "the line of the force-field file")
    return _Row(atoms, tuple(numbers.tolist()), file_line, substructure)


def _totals(path: Path, lines: Lines) -> dict[str, float]:
    """Return the energies [kJ/mol] by kind and their total as the listing states them."""
    totals = dict.fromkeys(KINDS, 0.0)
    for line, text in lines:
        match = _TOTAL_ROW.match(text)
        if match is None:
            break
        name, energy = match.groups()
        if name != _FORCE_FIELD and name not in _TOTALS:
            raise InputError(located(path, line, f"the energy term {name!r} is not one of {', '.join(_TOTALS)}"))
        totals[_TOTALS.get(name, TOTAL)] = float(floats(path, line, [energy], f"the energy of {name}")[0])
    if TOTAL not in totals:
        raise InputError(f"{path}: states no total of its {_FORCE_FIELD.lower()}; the listing is truncated")
    return totals


def _check_sums(path: Path, listed: list[Interaction], stated: dict[str, float]) -> None:
    """Raise InputError where rows do not add up to the totals within the rounding of their printed energies."""
    # Hydrogen bonds stand in the same table as van der Waals pairs.
    expected = {kind: stated[kind] for kind in KINDS if kind != "hydrogen_bond"}
    expected["vdw"] += stated["hydrogen_bond"]
    wrong = []
    for kind, total in expected.items():
        energies = [i.energy_kj_mol for i in listed if i.kind == kind]
        if abs(sum(energies) - total) > _PRINTED * (len(energies) + 1):
            wrong.append(f"{kind} rows add up to {sum(energies):.3f} kJ/mol, the listing states {total:.3f}")
    terms = sum(stated[kind] for kind in KINDS)
    if abs(terms - stated[TOTAL]) > _PRINTED * len(KINDS):
        wrong.append(f"terms add up to {terms:.3f} kJ/mol, the listing states {stated[TOTAL]:.3f}")
    if wrong:
        raise InputError(f"{path}: {'; '.join(wrong)}; the listing is truncated or edited")


def _atoms(
    path: Path, lines: Lines
) -> tuple[tuple[str, ...], Float[np.ndarray, " atoms"], Float[np.ndarray, "atoms 3"]]:
    """Return types, charges [e] and positions [Å] of the connection table."""
    types, numbers = [], []
    for line, text in lines:
        match = _ATOM.match(text)
        if match is None:
            continue
        if integer(path, line, match[2], "the number of an atom") != len(types) + 1:
            raise InputError(located(path, line, f"atom {match[2]} stands where atom {len(types) + 1} is expected"))
        types.append(match[1])
        numbers.append(floats(path, line, [" ".join(match.groups()[2:])], f"charge and position of atom {match[2]}"))
    if not types:
        raise InputError(f"{path}: holds no connection table with atoms; the listing is truncated")
    table = np.array(numbers)
    return tuple(types), table[:, 0], table[:, 1:]
