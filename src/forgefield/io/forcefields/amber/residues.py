"""Residue libraries of AMBER (.lib, .off) and prep files: types, charges and bonds of molecules that have neither.

The readers are ours: ParmEd reads libraries, too, but no prep files, and would be needed for nothing else here.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from jaxtyping import Float, Int

from forgefield.assign.explicit.match import bonds_of
from forgefield.errors import InputError, located
from forgefield.io.lines import quoted_words
from forgefield.io.offenders import listed
from forgefield.io.text import integer, read_text, real
from forgefield.molecules.bonds import matched, pieces
from forgefield.molecules.elements import WEIGHTS
from forgefield.molecules.molecule import Molecule

LIBRARIES, PREPS = (".lib", ".off"), (".prepi", ".prep", ".prepin", ".in")
_ENTRY = re.compile(r"!entry\.(.+)\.unit\.(\w+) ")
_COLUMNS_OF_ATOM, _COLUMNS_OF_PREP = 8, 11
_DUMMY = "DU"
_HEAVIEST_APART = 0.6
"""amu by which the mass of a type may differ from the atomic weight."""


@dataclass(frozen=True)
class Residue:
    """A residue, with the file and line that it begins at."""

    source: str
    line: int
    name: str
    names: tuple[str, ...]
    types: tuple[str, ...]
    charges: tuple[float, ...]
    numbers: tuple[int, ...]
    """Atomic numbers; 0 where the file states none."""
    bonds: tuple[tuple[int, int], ...]
    """From 0."""

    @property
    def called(self) -> str:
        """What messages call it."""
        return f"{self.name} ({Path(self.source).name})"


def read_residues(path: Path) -> tuple[Residue, ...]:
    """Return the residues of a library or a prep file. Raises InputError for damaged files, and for those of none."""
    lines = read_text(path).splitlines()
    library = path.suffix.lower() in LIBRARIES
    found = tuple(_of_library(path, lines) if library else _of_prep(path, lines))
    if not found:
        raise InputError(f"{path}: holds no residue of {'a library (!entry.NAME.unit.atoms)' if library else 'prep'}")
    for one in found:
        if wrong := [f"{i + 1}-{j + 1}" for i, j in one.bonds if i == j or not {i, j} <= set(range(len(one.names)))]:
            raise InputError(f"{path}: residue {one.name} has bonds {listed(wrong)}, but {len(one.names)} atoms")
    return found


def _of_library(path: Path, lines: Sequence[str]) -> Iterator[Residue]:
    tables: dict[str, dict[str, list[tuple[int, list[str]]]]] = {}
    rows: list[tuple[int, list[str]]] = []
    for number, line in enumerate(lines, 1):
        if entry := _ENTRY.match(line):
            rows = tables.setdefault(entry[1], {}).setdefault(entry[2], [])
        elif line.startswith("!"):
            rows = []
        elif line.strip():
            rows.append((number, quoted_words(line)))
    for name, table in tables.items():
        atoms = table.get("atoms", [])
        if not atoms:
            raise InputError(f"{path}: residue {name} has no table of atoms")
        if short := [number for number, words in atoms if len(words) < _COLUMNS_OF_ATOM]:
            raise InputError(located(path, short[0], f"an atom of residue {name} has fewer than 8 columns"))
        bonds = [[integer(path, number, w, "an atom") - 1 for w in words[:2]] for number, words in _of(table)]
        yield Residue(
            *(str(path), atoms[0][0] - 1, name),
            names=tuple(words[0].strip('"') for _, words in atoms),
            types=tuple(words[1].strip('"') for _, words in atoms),
            charges=tuple(_number(path, number, words[7]) for number, words in atoms),
            numbers=tuple(max(integer(path, number, words[6], "an element"), 0) for number, words in atoms),
            bonds=tuple((i, j) for i, j in bonds),
        )


def _of(table: dict[str, list[tuple[int, list[str]]]]) -> list[tuple[int, list[str]]]:
    return [(number, words) for number, words in table.get("connectivity", []) if len(words) > 1]


def _number(path: Path, line: int, word: str) -> float:
    try:
        return real(word)
    except ValueError as error:
        raise InputError(located(path, line, f"a charge: {error}")) from None


def _of_prep(path: Path, lines: Sequence[str]) -> Iterator[Residue]:
    start = 2
    while start < len(lines) and lines[start].strip() != "STOP":
        ends = [k for k in range(start, len(lines)) if lines[k].strip() == "DONE"]
        if not ends:
            raise InputError(located(path, start + 1, "a residue without an end (DONE); the file is cut"))
        if ends[0] - start > 5:
            yield _residue(path, lines, start, ends[0])
        start = ends[0] + 1


def _residue(path: Path, lines: Sequence[str], start: int, end: int) -> Residue:
    """Return the residue between two lines, the first of which is its title."""
    head = lines[start + 2].split()
    if len(head) < 2 or head[1] != "INT":
        raise InputError(located(path, start + 3, "only residues in internal coordinates (INT) are read"))
    blank = next((k for k in range(start + 5, end) if not lines[k].strip()), end)
    rows = [(k + 1, lines[k].split()) for k in range(start + 5, blank)]
    if short := [number for number, words in rows if len(words) < _COLUMNS_OF_PREP and words[2:3] != [_DUMMY]]:
        raise InputError(located(path, short[0], f"an atom of residue {head[0]} without a charge (11 columns)"))
    kept = [(number, words) for number, words in rows if words[2] != _DUMMY]
    places = {words[0]: k for k, (_, words) in enumerate(kept)}
    if len(places) < len(kept):
        raise InputError(located(path, kept[0][0], f"atoms of residue {head[0]} do not have numbers of their own"))
    names = [words[1] for _, words in kept]
    bonds = [(places[words[4]], k) for k, (_, words) in enumerate(kept) if words[4] in places]
    if len(bonds) < len(kept) - 1:
        said = f"atoms of residue {head[0]} do not name (column 5) which atom they are bound to"
        raise InputError(located(path, kept[0][0], said))
    return Residue(
        *(str(path), start + 1, head[0], tuple(names), tuple(words[2] for _, words in kept)),
        charges=tuple(_number(path, number, words[10]) for number, words in kept),
        numbers=(0,) * len(kept),
        bonds=(*bonds, *_loops(path, lines, (blank, end), names)),
    )


def _loops(path: Path, lines: Sequence[str], part: tuple[int, int], names: list[str]) -> Iterator[tuple[int, int]]:
    """Yield the bonds that close rings."""
    inside = False
    for k in range(*part):
        words = lines[k].split()
        if not inside or len(words) != 2:
            inside = words == ["LOOP"] or (inside and bool(words) and len(words) == 2)
            continue
        if missing := [word for word in words if word not in names]:
            raise InputError(located(path, k + 1, f"there is no atom {missing[0]} in its residue"))
        yield names.index(words[0]), names.index(words[1])


def typed(molecule: Molecule, residues: Sequence[Residue], masses: dict[str, float]) -> Molecule:
    """Return a molecule with types and charges of the residues that its pieces are, told by elements and bonds.

    Raises InputError for pieces that are no residue, or several with other types or charges.
    """
    types, charges = [""] * molecule.n_atoms, np.zeros(molecule.n_atoms)
    bonds = bonds_of(molecule)
    for piece in pieces(molecule.n_atoms, bonds):
        atoms = piece.tolist()
        place = {atom: k for k, atom in enumerate(atoms)}
        own = np.array([[place[i], place[j]] for i, j in bonds.tolist() if i in place], dtype=np.int64).reshape(-1, 2)
        names = None if molecule.names is None else tuple(molecule.names[a] for a in atoms)
        found = _fitting(residues, masses, molecule.species[atoms], own, names)
        if len(found) != 1:
            raise InputError(_complaint(molecule, atoms, [one for one, _ in found], residues))
        ((residue, order),) = found
        for k, atom in enumerate(piece[order].tolist()):
            types[atom], charges[atom] = residue.types[k], residue.charges[k]
    return replace(molecule, types=tuple(types), charges=charges, bonds=bonds, orders=_orders(molecule, bonds))


def _orders(molecule: Molecule, bonds: Int[np.ndarray, "bonds 2"]) -> Float[np.ndarray, " bonds"]:
    return molecule.orders if len(molecule.orders) == len(bonds) else np.ones(len(bonds))


def _fitting(
    residues: Sequence[Residue],
    masses: dict[str, float],
    species: Int[np.ndarray, " atoms"],
    bonds: Int[np.ndarray, "bonds 2"],
    names: tuple[str, ...] | None,
) -> list[tuple[Residue, Int[np.ndarray, " atoms"]]]:
    """Return the residues that a piece is, and for each of their atoms which of the piece it is; equal ones once."""
    found: dict[tuple, tuple[Residue, Int[np.ndarray, " atoms"]]] = {}
    for one in residues:
        if len(one.names) != len(species) or len(one.bonds) != len(bonds):
            continue
        numbers = _elements(one, masses)
        if sorted(numbers.tolist()) != sorted(species.tolist()):
            continue
        order = _by_names(one, numbers, species, names)
        if order is None:
            order = matched((numbers, np.array(one.bonds, dtype=np.int64).reshape(-1, 2)), (species, bonds))
        if order is not None:
            found.setdefault((one.types, one.charges), (one, order))
    return list(found.values())


def _by_names(
    one: Residue, numbers: Int[np.ndarray, " atoms"], species: Int[np.ndarray, " atoms"], names: tuple[str, ...] | None
) -> Int[np.ndarray, " atoms"] | None:
    """Return which atoms of a piece have the names of a residue's; None where names are others."""
    if names is None or len(set(names)) < len(names) or set(names) != set(one.names):
        return None
    order = np.array([names.index(name) for name in one.names])
    return order if np.array_equal(species[order], numbers) else None


def _elements(one: Residue, masses: dict[str, float]) -> Int[np.ndarray, " atoms"]:
    """Return the elements of a residue's atoms, those that it does not state by the masses of their types."""
    found = []
    for number, of_type in zip(one.numbers, one.types, strict=True):
        mass = masses.get(of_type, 0.0)
        nearest = 1 + int(np.abs(WEIGHTS[1:] - mass).argmin())
        known = abs(WEIGHTS[nearest] - mass) < _HEAVIEST_APART
        found.append(number or (nearest if known else 0))
    return np.array(found, dtype=np.int64)


def _complaint(molecule: Molecule, atoms: list[int], found: list[Residue], residues: Sequence[Residue]) -> str:
    """Return what is wrong with a piece that is no residue, or several."""
    name = molecule.source or molecule.name
    formula = Molecule("", molecule.species[atoms], molecule.positions[atoms]).formula if len(atoms) > 1 else ""
    piece = f"atoms {atoms[0] + 1} to {atoms[-1] + 1} ({formula or molecule.symbols[atoms[0]]})"
    if found:
        said = listed([one.called for one in found])
        return f"{name}: {piece} may be {said}, with other types or charges; give the library of one"
    alike = [one.called for one in residues if len(one.names) == len(atoms)]
    known = listed([*dict.fromkeys(one.source for one in residues)])
    near = f"of as many atoms are {listed(alike)}" if alike else "none has as many atoms"
    return (
        f"{name}: {piece} are no residue of {known}, by elements and bonds; {near}. Molecules of several residues are "
        "not put together: let tleap write a .prmtop"
    )
