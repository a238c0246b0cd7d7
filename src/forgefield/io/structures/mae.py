"""Reads structures with MacroModel's atom types and bond orders from Maestro files."""

from collections.abc import Callable
from pathlib import Path
from typing import TypeVar
from warnings import warn

import numpy as np
from jaxtyping import Float, Int

from forgefield.errors import InputError, InputWarning, located
from forgefield.io.assemble.digits import tell_odd_digits
from forgefield.io.offenders import listed
from forgefield.io.sources import stem
from forgefield.io.structures.atom_types import AtomType, AtomTypes, find_atom_types
from forgefield.io.structures.mae_blocks import Block, Table, Value, read_blocks
from forgefield.io.structures.oddities import shape_of, tell_oddities
from forgefield.io.text import floats, integer, read_text, real, whole
from forgefield.molecules.electrons import electron_problem, lowest_multiplicity
from forgefield.molecules.elements import SYMBOLS
from forgefield.molecules.molecule import Molecule

_Number = TypeVar("_Number", int, float)

_STRUCTURE = "f_m_ct"
_PARTIAL_STRUCTURE = "p_m_ct"
_ORDERS = (0, 1, 2, 3)
_LARGEST = 2**31
_ENERGY = "r_mmod_Potential_Energy-MM3*"


def read_mae(path: Path, *, atom_types: AtomTypes | None = None) -> list[Molecule]:
    """Return the structures of a Maestro file, compressed or not, in their order.

    Types are named after `atom_types`; by default the standard ones and those of an atom.typ beside the file. Bonds
    keep the order of the file's bond table; order 0 is a coordinative bond. A formal charge that the file does not
    state is that of the atom's type; the charge of a structure is their sum. An InputWarning names what looks wrong,
    such as missing hydrogens. Raises InputError.
    """
    types = find_atom_types([path]) if atom_types is None else atom_types
    blocks = read_blocks(path, read_text(path))
    partial = [block for block in blocks if block.name == _PARTIAL_STRUCTURE]
    if partial:
        message = "holds a partial structure (p_m_ct), which leans on the one before it; export full structures"
        raise InputError(located(path, partial[0].line, message))
    structures = [block for block in blocks if block.name == _STRUCTURE]
    if not structures:
        raise InputError(f"{path}: holds no structure (no block {_STRUCTURE})")
    molecules = [
        _molecule(path, block, types, stem(path) if len(structures) == 1 else f"{stem(path)}-{i + 1}")
        for i, block in enumerate(structures)
    ]
    tell_oddities(path, [shape_of(molecule) for molecule in molecules])
    return molecules


def stated_energy(molecule: Molecule) -> float | None:
    """Return the MM3* energy [kJ/mol] that MacroModel wrote beside a structure, None where there is none.

    Raises InputError.
    """
    word = molecule.remarks.get(_ENERGY)
    return None if word is None else float(floats(molecule.source, None, [word], _ENERGY)[0])


def _molecule(path: Path, block: Block, types: AtomTypes, name: str) -> Molecule:
    atoms = block.tables.get("m_atom")
    if atoms is None or not atoms.rows:
        raise InputError(located(path, block.line, "the structure has no atoms (no table m_atom with rows)"))
    _require(path, atoms, ("i_m_mmod_type", "r_m_x_coord", "r_m_y_coord", "r_m_z_coord"))
    columns = [f"r_m_{axis}_coord" for axis in "xyz"]
    positions = np.array([_numbers(path, atoms, column, real) for column in columns], dtype=np.float64).T
    placed = zip(atoms.lines, *(atoms.column(column) or () for column in columns), strict=True)
    tell_odd_digits(path, [(line, word or "") for line, *words in placed for word in words], "coordinates")
    atom_types = _atom_types(path, atoms, types)
    bonds, orders = _bonds(path, block, len(atoms.rows))
    formal, species = _formal_charges(path, atoms, atom_types), _species(path, atoms, atom_types)
    return Molecule(
        name=block.properties.get("s_m_title") or block.properties.get("s_m_entry_name") or name,
        species=species,
        positions=positions,
        bonds=bonds,
        orders=orders,
        types=tuple(t.name for t in atom_types),
        charge=int(formal.sum()),
        multiplicity=_multiplicity(path, block, species, int(formal.sum())),
        formal_charges=formal,
        remarks={key: word for key, word in block.properties.items() if word is not None},
        source=str(path),
    )


def _require(path: Path, table: Table, columns: tuple[str, ...]) -> None:
    missing = [name for name in columns if name not in table.columns]
    if not missing:
        return
    advice = "; let MacroModel or Maestro assign atom types and save the file" if "i_m_mmod_type" in missing else ""
    raise InputError(located(path, table.line, f"table {table.name} has no column {', '.join(missing)}{advice}"))


def _whole(word: str) -> int:
    number = whole(word)
    if abs(number) >= _LARGEST:
        raise ValueError
    return number


def _numbers(path: Path, table: Table, column: str, convert: Callable[[str], _Number]) -> list[_Number]:
    """Return a column as numbers; raises InputError that lists all values which are none."""
    numbers, wrong = [], []
    for line, value in zip(table.lines, table.column(column) or (), strict=True):
        try:
            numbers.append(convert(value or ""))
        except ValueError:
            wrong.append(f"{'<>' if value is None else repr(value)} (line {line})")
    if wrong:
        kind = "an integer" if convert is _whole else "a finite number"
        raise InputError(f"{path}: {column} of table {table.name} is not {kind}: {listed(wrong)}")
    return numbers


def _atom_types(path: Path, atoms: Table, types: AtomTypes) -> list[AtomType]:
    """Return the types of the atoms; an unknown one goes by its number where the element of each of its atoms stands.

    Of these an InputWarning tells: only a force field with MacroModel types needs their names.
    """
    numbers = _numbers(path, atoms, "i_m_mmod_type", _whole)
    found = [types.find(number) for number in numbers]
    unknown = sorted({number for number, known in zip(numbers, found, strict=True) if known is None})
    if unknown:
        firsts = [numbers.index(number) for number in unknown]
        elements = _optional_integers(path, atoms, "i_m_atomic_number")
        charges = _optional_integers(path, atoms, "i_m_formal_charge")
        advice = types.advice((numbers[i], elements[i], charges[i]) for i in firsts)
        first, quoted = firsts[0], ", ".join(map(str, unknown))
        message = f"unknown MacroModel atom type(s) {quoted}, the first at atom {first + 1}; {advice}"
        said = located(path, atoms.lines[first], message)
        if any(known is None and not element for known, element in zip(found, elements, strict=True)):
            raise InputError(said)
        warn(InputWarning(f"{said}; only an MM3* force field needs them"), stacklevel=2)
    return [
        AtomType(number, str(number), 0, 0) if known is None else known
        for number, known in zip(numbers, found, strict=True)
    ]


def _optional_integers(path: Path, table: Table, column: str) -> list[int | None]:
    """Return a column as integers, None where a value, or the whole column, is absent."""
    values: tuple[Value, ...] = table.column(column) or (None,) * len(table.rows)
    stated = Table(
        table.name,
        table.line,
        (column,),
        tuple((value,) for value in values if value is not None),
        tuple(line for line, value in zip(table.lines, values, strict=True) if value is not None),
    )
    numbers = iter(_numbers(path, stated, column, _whole))
    return [None if value is None else next(numbers) for value in values]


def _species(path: Path, atoms: Table, types: list[AtomType]) -> Int[np.ndarray, " atoms"]:
    """Return atomic numbers as stated, else those of the types; the two must agree."""
    stated = _optional_integers(path, atoms, "i_m_atomic_number")
    species, wrong = [], []
    for i, (number, atom_type) in enumerate(zip(stated, types, strict=True)):
        z = atom_type.atomic_number if number is None else number
        species.append(z)
        problem = _species_problem(z, atom_type)
        if problem:
            wrong.append(f"atom {i + 1} (line {atoms.lines[i]}) {problem}")
    if wrong:
        raise InputError(f"{path}: {listed(wrong)}")
    return np.array(species, dtype=np.int64)


def _species_problem(z: int, atom_type: AtomType) -> str:
    if z < 0 or atom_type.atomic_number < 0:
        return f"of type {atom_type.name} is a dummy atom or a lone pair; remove it"
    if z == 0 or z >= len(SYMBOLS):
        return f"of type {atom_type.name} has no element; give it in the column i_m_atomic_number"
    if atom_type.atomic_number not in (0, z):
        return f"has the atomic number {z}, but its type {atom_type.name} is {SYMBOLS[atom_type.atomic_number]}"
    return ""


def _formal_charges(path: Path, atoms: Table, types: list[AtomType]) -> Int[np.ndarray, " atoms"]:
    stated = _optional_integers(path, atoms, "i_m_formal_charge")
    return np.array(
        [t.formal_charge if charge is None else charge for charge, t in zip(stated, types, strict=True)], dtype=np.int64
    )


def _multiplicity(path: Path, block: Block, species: Int[np.ndarray, " atoms"], charge: int) -> int:
    """Return the multiplicity that a structure states, else the lowest; raises InputError where it is impossible."""
    stated = block.properties.get("i_m_Spin_multiplicity")
    if stated is None:
        return lowest_multiplicity(species, charge)
    multiplicity = integer(path, block.line, stated, "i_m_Spin_multiplicity")
    problem = electron_problem(species, charge, multiplicity)
    if problem:
        raise InputError(located(path, block.line, f"{problem} (i_m_Spin_multiplicity); state the formal charges"))
    return multiplicity


def _bonds(path: Path, block: Block, n_atoms: int) -> tuple[Int[np.ndarray, "bonds 2"], Float[np.ndarray, " bonds"]]:
    """Return bonds in the order of the table. Older files list each bond from both ends: the first place counts."""
    table = block.tables.get("m_bond")
    if table is None:
        return np.zeros((0, 2), dtype=np.int64), np.zeros(0)
    columns = ("i_m_from", "i_m_to", "i_m_order")
    _require(path, table, columns)
    rows = zip(*(_numbers(path, table, name, _whole) for name in columns), strict=True)
    orders: dict[tuple[int, int], int] = {}
    wrong = []
    for line, (i, j, order) in zip(table.lines, rows, strict=True):
        problem = _bond_problem(i, j, order, n_atoms)
        if (i, j) in orders:
            problem = f"bond {i}-{j} is listed twice"
        elif orders.get((j, i), order) != order:
            problem = f"bond {i}-{j} has the order {order}, but {orders[j, i]} before"
        if problem:
            wrong.append(f"{problem} (line {line})")
        elif (j, i) not in orders:
            orders[i, j] = order
    if wrong:
        raise InputError(f"{path}: {listed(wrong)}")
    pairs = np.array(list(orders), dtype=np.int64).reshape(-1, 2) - 1
    return pairs, np.array(list(orders.values()), dtype=np.float64)


def _bond_problem(i: int, j: int, order: int, n_atoms: int) -> str:
    missing = [str(atom) for atom in (i, j) if not 1 <= atom <= n_atoms]
    if missing:
        return f"bond {i}-{j}: there is no atom {', '.join(missing)} among the {n_atoms} atoms"
    if i == j:
        return f"atom {i} is bonded to itself"
    if order not in _ORDERS:
        return f"bond {i}-{j} has the order {order}, expected 0 (coordinative), 1, 2 or 3"
    return ""
