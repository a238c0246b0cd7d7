"""Structures with atom types and bond orders in mol2 files."""

import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float, Int

from forgefield.errors import InputError, located
from forgefield.io.assemble.digits import tell_odd_digits
from forgefield.io.offenders import listed
from forgefield.io.outputs import write_text
from forgefield.io.sources import stem
from forgefield.io.structures.atom_types import standard_atom_types
from forgefield.io.structures.oddities import shape_of, tell_oddities
from forgefield.io.text import floats, integer, read_text
from forgefield.molecules.electrons import lowest_multiplicity
from forgefield.molecules.elements import SYMBOLS, is_ghost
from forgefield.molecules.molecule import AROMATIC, ZERO_ORDER, Molecule

_ORDERS = {
    "1": 1.0,
    "2": 2.0,
    "3": 3.0,
    "ar": AROMATIC,
    "am": 1.0,
    "nc": ZERO_ORDER,
    "0": ZERO_ORDER,
    # Of an unknown order, or to a dummy: all that is known is that there is a bond.
    "un": 1.0,
    "du": 1.0,
}
_SECTION = "@<TRIPOS>"
_NO_CHARGES = "NO_CHARGES"
_DUMMIES = ("Du", "LP", "Any", "Hal", "Het", "Hev")
_SYBYL_WITHOUT_GEOMETRY = (
    *("H", "F", "Cl", "Br", "I", "Si", "Se", "Sn", "Li", "Na", "Mg", "Al", "K", "Ca", "Mn", "Fe", "Cu", "Zn", "Mo"),
)
_HALOGENS = ("Cl", "Br")
_NUMBERED = re.compile(r"([A-Z][a-z]?)\d*$")
"""A name that is an element's symbol, with a number or without."""
_MACROMODEL = {t.name: t.atomic_number for t in standard_atom_types().types.values() if t.atomic_number > 0}
_PLAIN_HYDROGEN, _MACROMODEL_HYDROGEN = "H", "H1"

_Rows = list[tuple[int, list[str]]]
"""The words of lines with their 1-based numbers."""


@dataclass(frozen=True)
class _Record:
    """The sections of one molecule; lines with their 1-based numbers."""

    line: int
    sections: dict[str, list[tuple[int, str]]]

    def rows(self, section: str) -> _Rows:
        return [(line, text.split()) for line, text in self.sections.get(section, []) if text.strip()]


def read_mol2(path: Path) -> list[Molecule]:
    """Return the structures of a mol2 file in their order.

    Elements follow from SYBYL or MacroModel types, else from what type and name of an atom agree on, else from a name
    such as C15; a type that is written as a symbol, such as Pd, is one. Where all types are MacroModel's, `H` is read
    as H1. Coordinative bonds (nc, 0) have order 0. The format states no total charge: it is the sum of the atoms'
    charges where that is an integer, else 0; the multiplicity is the lowest. An InputWarning names what looks wrong,
    such as missing hydrogens. Raises InputError.
    """
    molecules = [_molecule(path, record, i) for i, record in enumerate(_records(path))]
    tell_oddities(path, [shape_of(molecule) for molecule in molecules])
    return molecules


def write_mol2(
    path: Path,
    molecule: Molecule,
    types: tuple[str, ...],
    charges: Float[np.ndarray, " atoms"],
    names: tuple[str, ...] | None = None,
) -> None:
    """Write a structure as one residue with these atom types and charges [e]; elements and numbers are the names."""
    symbols = {order: word for word, order in reversed(_ORDERS.items())}
    names = names or tuple(f"{element}{i}" for i, element in enumerate(molecule.symbols, 1))
    atoms = [
        f"{i:7d} {name:<6} {x:12.6f} {y:12.6f} {z:12.6f} {of_atom:<4} 1 MOL {charge:14.10f}"
        for i, (name, (x, y, z), of_atom, charge) in enumerate(
            zip(names, molecule.positions.tolist(), types, charges.tolist(), strict=True), 1
        )
    ]
    bonds = [
        f"{i:7d} {first + 1:5d} {second + 1:5d} {symbols.get(order, 'un')}"
        for i, ((first, second), order) in enumerate(
            zip(molecule.bonds.tolist(), molecule.orders.tolist(), strict=True), 1
        )
    ]
    head = [molecule.name or "****", f"{len(atoms)} {len(bonds)} 1", "SMALL", "USER_CHARGES"]
    sections = {
        "MOLECULE": [*head, ""],
        "ATOM": atoms,
        "BOND": bonds,
        "SUBSTRUCTURE": ["      1 MOL         1 TEMP              0 ****  ****    0 ROOT"],
    }
    write_text(path, "\n".join(line for name, rows in sections.items() for line in (_SECTION + name, *rows)) + "\n")


def _records(path: Path) -> list[_Record]:
    records: list[_Record] = []
    section: list[tuple[int, str]] = []
    for line, text in enumerate(read_text(path).splitlines(), start=1):
        if text.startswith("#"):
            continue
        if not text.startswith(_SECTION):
            section.append((line, text))
            continue
        name = text[len(_SECTION) :].strip()
        if name == "MOLECULE":
            records.append(_Record(line, {}))
        if not records:
            raise InputError(located(path, line, f"section {name} stands before the first {_SECTION}MOLECULE"))
        if name in records[-1].sections:
            raise InputError(
                located(path, line, f"the molecule of line {records[-1].line} has a second section {name}")
            )
        section = records[-1].sections.setdefault(name, [])
    if not records:
        raise InputError(f"{path}: holds no {_SECTION}MOLECULE; is it a mol2 file?")
    return records


def _molecule(path: Path, record: _Record, index: int) -> Molecule:
    name, n_atoms, n_bonds = _heading(path, record)
    atoms = _section(path, record, "ATOM", n_atoms, 6)
    places = {words[0]: i for i, (_, words) in enumerate(atoms)}
    if len(places) < n_atoms:
        raise InputError(located(path, record.line, "two atoms have the same number"))
    positions = np.array([floats(path, line, [" ".join(words[2:5])], "coordinates") for line, words in atoms])
    tell_odd_digits(path, [(line, word) for line, words in atoms for word in words[2:5]], "coordinates")
    species = _species(path, atoms)
    bonds, orders = _bonds(path, _section(path, record, "BOND", n_bonds, 4), places)
    charges = None if _states_none(record) else _charges(path, atoms)
    charge = 0 if charges is None else _whole(charges)
    return Molecule(
        name=name or (stem(path) if index == 0 else f"{stem(path)}-{index + 1}"),
        species=species,
        positions=positions,
        bonds=bonds,
        orders=orders,
        types=_types([words[5] for _, words in atoms], species),
        charge=charge,
        multiplicity=lowest_multiplicity(species, charge),
        source=str(path),
        charges=charges,
        names=tuple(words[1] for _, words in atoms),
    )


def _heading(path: Path, record: _Record) -> tuple[str, int, int]:
    """Return the name and the numbers of atoms and bonds."""
    lines = record.sections["MOLECULE"]
    if len(lines) < 2:
        raise InputError(located(path, record.line, "the molecule has no name and counts; the file is truncated"))
    line, counts = lines[1]
    words = counts.split() or [""]
    n_atoms = integer(path, line, words[0], "the number of atoms")
    n_bonds = integer(path, line, words[1], "the number of bonds") if len(words) > 1 else 0
    if n_atoms < 1 or n_bonds < 0:
        raise InputError(located(path, line, f"{n_atoms} atoms and {n_bonds} bonds make no molecule"))
    name = lines[0][1].strip()
    return ("" if set(name) <= {"*"} else name), n_atoms, n_bonds


def _section(path: Path, record: _Record, name: str, n_rows: int, n_words: int) -> _Rows:
    rows = record.rows(name)
    if len(rows) != n_rows:
        message = f"the molecule announces {n_rows} rows of {name}, {len(rows)} follow; the file is truncated or edited"
        raise InputError(located(path, record.line, message))
    short = [str(line) for line, words in rows if len(words) < n_words]
    if short:
        raise InputError(f"{path}, line(s) {', '.join(short)}: a row of {name} has at least {n_words} columns")
    return rows


def _species(path: Path, atoms: _Rows) -> Int[np.ndarray, " atoms"]:
    species, wrong = [], []
    for line, (number, name, _, _, _, atom_type, *_) in atoms:
        candidates = _elements(name, atom_type)
        if len(candidates) == 1:
            species.append(SYMBOLS.index(candidates[0]))
            continue
        problem = (
            "is a dummy atom" if atom_type in _DUMMIES else "could be " + (" or ".join(candidates) or "no element")
        )
        wrong.append(f"atom {number} (line {line}, name {name}, type {atom_type}) {problem}")
    if wrong:
        advice = "remove dummy atoms, and name the others by their elements (C1, Cl2, Rh3)"
        raise InputError(f"{path}: {listed(wrong)}; {advice}")
    return np.array(species, dtype=np.int64)


def _elements(name: str, atom_type: str) -> list[str]:
    """Return the element of an atom, or several where name and type leave a choice."""
    sybyl = atom_type.partition(".")[0]
    if sybyl in _DUMMIES or (is_ghost(atom_type) and is_ghost(name)):
        return []
    if "." in atom_type or atom_type in _SYBYL_WITHOUT_GEOMETRY:
        return [sybyl] if sybyl in SYMBOLS[1:] else []
    if atom_type in _MACROMODEL:
        return [SYMBOLS[_MACROMODEL[atom_type]]]
    spelled = [symbol for symbol in _spelled(atom_type) if symbol in _spelled(name)]
    stated = _NUMBERED.match(name)
    if not spelled and stated and stated[1] in SYMBOLS[1:]:
        # Types such as QC and BH are the user's own; C15 and H21 are a carbon and a hydrogen.
        return [stated[1]]
    # No force field calls a carbon cl or a boron br; of what is written as a symbol is, such as Pd, the case decides.
    return spelled[:1] if spelled and (spelled[0] in _HALOGENS or spelled[0] == atom_type) else spelled


def _spelled(label: str) -> list[str]:
    """Return the elements whose symbol a label may begin with, the longer first."""
    match = re.match(r"\d*([A-Za-z]{1,2})", label)
    letters = match[1].capitalize() if match else ""
    return [symbol for symbol in dict.fromkeys((letters, letters[:1])) if symbol in SYMBOLS[1:]]


def _types(types: list[str], species: Int[np.ndarray, " atoms"]) -> tuple[str, ...]:
    """Return the types, H as H1 where all types of main-group atoms are MacroModel's.

    Metals are left out of the question because their types are the user's own.
    """
    main_group = set(_MACROMODEL.values())
    others = [t for t, z in zip(types, species, strict=True) if t != _PLAIN_HYDROGEN and int(z) in main_group]
    if not others or any(t not in _MACROMODEL for t in others):
        return tuple(types)
    return tuple(_MACROMODEL_HYDROGEN if t == _PLAIN_HYDROGEN else t for t in types)


def _states_none(record: _Record) -> bool:
    """Return whether a record says that its column of charges means nothing."""
    return any(text.strip() == _NO_CHARGES for _, text in record.sections["MOLECULE"][2:])


def _charges(path: Path, atoms: _Rows) -> Float[np.ndarray, " atoms"] | None:
    """Return the charges of the atoms; None where some have none."""
    stated = [floats(path, line, [words[8]], "the charge of an atom")[0] for line, words in atoms if len(words) > 8]
    tell_odd_digits(path, [(line, words[8]) for line, words in atoms if len(words) > 8], "charges")
    return np.array(stated) if len(stated) == len(atoms) else None


def _whole(charges: Float[np.ndarray, " atoms"]) -> int:
    """Return the charge that charges of atoms, written with four decimals, add up to; 0 where it is no whole number."""
    total = float(charges.sum())
    return round(total) if abs(total - round(total)) < 1e-4 * (1 + len(charges)) else 0


def _bonds(
    path: Path, rows: _Rows, places: dict[str, int]
) -> tuple[Int[np.ndarray, "bonds 2"], Float[np.ndarray, " bonds"]]:
    bonds: dict[tuple[int, int], float] = {}
    wrong = []
    for line, (_, first, second, kind, *_) in rows:
        problem = _bond_problem(first, second, kind, places)
        if not problem:
            i, j = places[first], places[second]
            if (i, j) in bonds or (j, i) in bonds:
                problem = f"bond {first}-{second} is listed twice"
            bonds[i, j] = _ORDERS[kind]
        if problem:
            wrong.append(f"{problem} (line {line})")
    if wrong:
        raise InputError(f"{path}: {listed(wrong)}")
    return np.array(list(bonds), dtype=np.int64).reshape(-1, 2), np.array(list(bonds.values()))


def _bond_problem(first: str, second: str, kind: str, places: dict[str, int]) -> str:
    missing = [atom for atom in (first, second) if atom not in places]
    if missing:
        return f"bond {first}-{second}: there is no atom {', '.join(missing)} among the {len(places)} atoms"
    if first == second:
        return f"atom {first} is bonded to itself"
    if kind not in _ORDERS:
        return f"bond {first}-{second} has the type {kind!r}, expected one of {', '.join(_ORDERS)}"
    return ""
