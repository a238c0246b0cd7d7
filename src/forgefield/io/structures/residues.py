"""Reads structures of residues from PDB and mmCIF files, and components of ligand dictionaries."""

import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from warnings import warn

import numpy as np
from jaxtyping import Float, Int

from forgefield.errors import InputError, InputWarning
from forgefield.io.assemble.digits import tell_odd_digits
from forgefield.io.offenders import listed
from forgefield.io.sources import stem
from forgefield.io.structures.isotopes import isotope_mass
from forgefield.io.structures.oddities import shape_of, tell_oddities
from forgefield.io.text import floats, integer, read_text
from forgefield.molecules.bonds import perceive_bonds
from forgefield.molecules.electrons import lowest_multiplicity
from forgefield.molecules.elements import NONMETALS, atomic_number
from forgefield.molecules.measure import angles
from forgefield.molecules.molecule import AROMATIC, Molecule, standard_masses
from forgefield.molecules.paths import neighbours

_RECORD = re.compile(r"^(?:ATOM  |HETATM)[ \d*A-Za-z]{5}.{19}\s*-?\d+\.\d", re.MULTILINE)
_TABLE = re.compile(r"^\s*_(?:atom_site|chem_comp_atom)[._]", re.MULTILINE)
_ORDERS = {"SING": 1.0, "DOUB": 2.0, "TRIP": 3.0, "QUAD": 4.0, "AROM": AROMATIC, "DELO": AROMATIC}
_PAGE = 500_000
"""Characters of the start of a text in which an atom stands."""
_LONGEST_TRIPLE = 1.25
"""Å; a carbon of one neighbour that is further away has room for hydrogens."""
_STRAIGHT, _PLANAR = np.radians(150.0), np.radians(345.0)
"""Beyond which a carbon of two neighbours is sp, and the sum of angles beyond which one of three neighbours is sp²."""
_CATIONS = ("ARG", "HIS", "LYS")
"""Amino acids that the dictionary of components has as cations."""
_IONS = {"LI": 1, "NA": 1, "K": 1, "CL": -1, "BR": -1, "MG": 2, "CA": 2, "ZN": 2}
_NO_BONDS = np.zeros((0, 2), dtype=np.int64)
_FEW = 3
"""Numbers that atoms share by damage; more are a way of counting."""
_MOST_ATOMS = 3000
_MOST_CHARGED = 2
"""e, of an amino acid with its terminus."""
_COLUMNS = ("comp_id", "atom_id_1", "atom_id_2", "value_order")
_ATOM_COLUMNS = ("atom_id", "type_symbol", "charge")
_PLACES = ("pdbx_model_Cartn_{}_ideal", "model_Cartn_{}", "x y z")


@dataclass(frozen=True)
class _Atom:
    """One atom that is taken."""

    element: Any
    position: tuple[float, float, float]
    charge: int
    serial: int
    name: str
    residue: tuple[str, str]
    """Its place in the chain, and its name."""

    @property
    def label(self) -> str:
        """What messages call it."""
        place, name = self.residue
        return f"{name} {place} {self.name}".strip()


def is_pdb(_: Path, text: str) -> bool:
    """Whether a text has records of atoms of a PDB file."""
    return _RECORD.search(text, 0, _PAGE) is not None


def is_mmcif(_: Path, text: str) -> bool:
    """Whether a text is one of blocks of data with tables of atoms."""
    return text.lstrip().startswith(("data_", "#", "global_")) and _TABLE.search(text) is not None


def read_pdb(path: Path) -> list[Molecule]:
    """Return the models of a PDB file.

    Of alternative places the one with the largest occupancy is taken, which an InputWarning says. Bonds are those of
    CONECT records and, of atoms that these leave out, those perceived; orders are all 1. The charge is the sum of the
    charges in columns 79-80. Raises InputError for atoms without an element and for carbons without their hydrogens.
    """
    text = _plain(read_text(path))
    structure = _parsed(path, lambda gemmi: gemmi.read_pdb_string(text))
    bonded = [pair for line in text.splitlines() if line.startswith("CONECT") for pair in _pairs(line)]
    rows = [(k, line) for k, line in enumerate(text.splitlines(), 1) if line.startswith(("ATOM", "HETATM"))]
    charged = any(line[78:80].strip() for _, line in rows)
    placed = [(k, line[start : start + 8].strip()) for k, line in rows for start in (30, 38, 46)]
    damaged = [f"{line[6:11].strip()!r} (line {k})" for k, line in rows if not line[6:11].strip().isalnum()]
    if damaged:
        raise InputError(f"{path}: {listed(damaged)} in columns 7-11 are no numbers of atoms; the file is damaged")
    for k, word in placed:
        floats(path, k, [word.replace(" ", "?") or "?"], "coordinates in columns 31-54")
    tell_odd_digits(path, placed, "coordinates")
    found = _models(path, structure, bonded, {}, charged=charged)
    tell_oddities(path, [shape_of(replace(m, bonds=_NO_BONDS, orders=np.zeros(0)), is_complete=True) for m in found])
    return found


def read_mmcif(path: Path) -> list[Molecule]:
    """Return the models of an mmCIF file, or the component of a ligand dictionary.

    As `read_pdb`, with the bonds and orders of the table of bonds in components where the file has it. Raises
    InputError, also for a crystal structure in fractional coordinates.
    """
    text = _plain(read_text(path))
    document = _parsed(path, lambda gemmi: gemmi.cif.read_string(text))
    found = [molecule for block in document for molecule in _of_block(path, block)]
    if not found:
        raise InputError(f"{path}: holds no atoms")
    return found if len(document) == 1 else [replace(m, name=f"{m.name}-{k}") for k, m in enumerate(found, start=1)]


def _of_block(path: Path, block: Any) -> list[Molecule]:
    if not block.find_values("_atom_site.Cartn_x"):
        if block.find_values("_atom_site_fract_x") or block.find_values("_atom_site.fract_x"):
            raise InputError(
                f"{path}: is a crystal structure in fractional coordinates; save the molecule as .mol2 or .sdf in the "
                "program that shows crystals"
            )
        return [_component(path, block)] if block.find_values("_chem_comp_atom.atom_id") else []
    structure = _parsed(path, lambda gemmi: gemmi.make_structure_from_block(block))
    rows = block.find("_chem_comp_bond.", _COLUMNS)
    orders = {(row.str(0), frozenset((row.str(1), row.str(2)))): _ORDERS.get(row.str(3).upper(), 1.0) for row in rows}
    charges = block.find_values("_atom_site.pdbx_formal_charge")
    return _models(path, structure, [], orders, charged=any(word not in ("?", ".") for word in charges))


def _plain(text: str) -> str:
    """Return a text with a mark for each letter that the library could split: its columns are those of bytes."""
    return text.encode("ascii", "replace").decode()


def _library(path: Path) -> Any:
    """Return gemmi. Raises InputError where it is not installed."""
    try:
        import gemmi  # noqa: PLC0415 (an extra)
    except ImportError:
        raise InputError(f"{path}: PDB and mmCIF are read with gemmi: pip install 'forgefield[pdb]'") from None
    return gemmi


def _parsed(path: Path, read: Callable[[Any], Any]) -> Any:
    try:
        return read(_library(path))
    except (RuntimeError, ValueError, IndexError) as error:
        raise InputError(f"{path}: {' '.join(str(error).split())}") from None


def _pairs(line: str) -> Iterator[tuple[int, int]]:
    """Return the bonds of a CONECT record: the serial number of an atom, and those of its neighbours."""
    words = [line[k : k + 5].strip() for k in range(6, 31, 5)]
    numbers = [int(word) for word in words if word.isdecimal()]
    return ((numbers[0], other) for other in numbers[1:])


def _models(
    path: Path,
    structure: Any,
    bonded: Sequence[tuple[int, int]],
    orders: dict[tuple[str, frozenset[str]], float],
    *,
    charged: bool,
) -> list[Molecule]:
    # The library gathers atoms by residues; serial numbers tell the order of the file.
    models = [sorted(_atoms(path, model), key=lambda atom: atom.serial) for model in structure]
    models = [atoms for atoms in models if atoms]
    if not models:
        raise InputError(f"{path}: holds no atoms")
    found = []
    for number, atoms in enumerate(models, start=1):
        twice = [f"{serial}" for serial, n in Counter(atom.serial for atom in atoms).items() if n > 1]
        if 1 < atoms[0].serial <= len(atoms):
            warn(
                InputWarning(f"{path}: the first atom has the number {atoms[0].serial}; is the file whole?"),
                stacklevel=4,
            )
        odd = [
            atom.label for atom in atoms if abs(atom.charge) > (1 if atom.element.atomic_number == 1 else _MOST_CHARGED)
        ]
        if odd:
            warn(InputWarning(f"{path}: {listed(odd)}: charges that no such atom has"), stacklevel=4)
        if 0 < len(twice) <= _FEW:
            warn(InputWarning(f"{path}: two atoms of a model have the number {listed(twice)}"), stacklevel=4)
        bare = _bare(path, stem(path) if len(models) == 1 else f"{stem(path)}-{number}", atoms)
        molecule = _bonded(path, bare, atoms, bonded, orders)
        found.append(molecule if charged else _charged(path, molecule, atoms))
    return found


def _most_charged(element: int) -> float:
    """Return the largest formal charge that an atom may have [e]."""
    return 1.0 if element == 1 else 4.0 if element in NONMETALS else np.inf


def _atoms(path: Path, model: Any) -> Iterator[_Atom]:
    """Return the atoms of a model, of alternative places those with the largest occupancy in their residue."""
    left: list[str] = []
    for chain in model:
        for residue in chain:
            weights: dict[str, float] = {}
            for atom in residue:
                if atom.has_altloc():
                    weights[atom.altloc] = weights.get(atom.altloc, 0.0) + atom.occ
            best = max(sorted(weights), key=lambda place: weights[place], default="")
            place = (f"{chain.name}{residue.seqid}", residue.name)
            if len(weights) > 1:
                left.append(f"{residue.name} {place[0]} ({best} of {', '.join(sorted(weights))})")
            for atom in residue:
                if not atom.has_altloc() or atom.altloc == best:
                    position = (atom.pos.x, atom.pos.y, atom.pos.z)
                    yield _Atom(atom.element, position, atom.charge, atom.serial, atom.name, place)
    if left:
        warn(InputWarning(f"{path}: alternative places, the more occupied are taken: {listed(left)}"), stacklevel=5)


def _bare(path: Path, name: str, atoms: Sequence[_Atom]) -> Molecule:
    """Return a molecule without bonds, with the charges that its file states."""
    if len(atoms) > _MOST_ATOMS:
        raise InputError(
            f"{path}: {len(atoms)} atoms are more than the {_MOST_ATOMS} that a structure may have here; cut out the "
            "part that is meant"
        )
    wrong = [atom.label for atom in atoms if not atom.element.atomic_number]
    if wrong:
        raise InputError(f"{path}: {listed(wrong)}: no element; state it in columns 77-78, remove dummy atoms")
    species = np.array([atom.element.atomic_number for atom in atoms], dtype=np.int64)
    formal = np.array([atom.charge for atom in atoms], dtype=np.int64)
    heavy = [k for k, atom in enumerate(atoms) if atom.element.name == "D"]
    masses = standard_masses(species).copy() if heavy else None
    if masses is not None:
        masses[heavy] = isotope_mass(1, 2)
    return Molecule(
        name=name,
        species=species,
        positions=np.array([atom.position for atom in atoms], dtype=np.float64),
        charge=int(formal.sum()),
        multiplicity=lowest_multiplicity(species, int(formal.sum())),
        formal_charges=formal,
        masses=masses,
        source=str(path),
    )


def _charged(path: Path, molecule: Molecule, atoms: Sequence[_Atom]) -> Molecule:
    """Give a molecule whose file states no charges that of its hydrogens, which tell how amino acids are protonated.

    Raises InputError where an odd number of electrons is left.
    """
    gemmi = _library(path)
    links = Counter(
        residue
        for i, j in molecule.bonds.tolist()
        if atoms[i].residue != atoms[j].residue
        for residue in (atoms[i].residue, atoms[j].residue)
    )
    hydrogens = Counter(atom.residue for atom in atoms if atom.element.atomic_number == 1)
    charges: dict[str, int] = {}
    for place, name in dict.fromkeys(atom.residue for atom in atoms):
        known = gemmi.find_tabulated_residue(name)
        if known.is_amino_acid():
            neutral = known.hydrogen_count - (name in _CATIONS) - links[place, name]
            charges[f"{name} {place}"] = hydrogens[place, name] - neutral
        elif name in _IONS:
            charges[f"{name} {place}"] = _IONS[name]
    wrong = [f"{place} ({charge:+d})" for place, charge in charges.items() if abs(charge) > _MOST_CHARGED]
    total = sum(charges.values())
    multiplicity = lowest_multiplicity(molecule.species, total)
    if wrong or multiplicity > 1:
        odd = f"; {', '.join(wrong)} would follow from hydrogens" if wrong else ", and its electrons are an odd number"
        raise InputError(
            f"{path}: states no charges (columns 79-80){odd}; state the charges of the atoms, or give the structure as "
            ".mol2 or .sdf"
        )
    told = [f"{place} {charge:+d}" for place, charge in charges.items() if charge]
    said = f"charge {total} is taken from the hydrogens of {listed(told)}" if told else "charge 0 is taken"
    warn(InputWarning(f"{path}: states no charges (columns 79-80): {said}"), stacklevel=4)
    return replace(molecule, charge=total, multiplicity=multiplicity, formal_charges=None)


def _bonded(
    path: Path,
    molecule: Molecule,
    atoms: Sequence[_Atom],
    stated: Sequence[tuple[int, int]],
    orders: dict[tuple[str, frozenset[str]], float],
) -> Molecule:
    """Give a molecule the bonds that its file states, and those perceived where it states none."""
    places = {atom.serial: k for k, atom in enumerate(atoms)}
    names = {(atom.residue, atom.name): k for k, atom in enumerate(atoms)}
    known = {frozenset((places[i], places[j])): 1.0 for i, j in stated if i in places and j in places and i != j}
    told = {k for pair in known for k in pair}
    for residue in dict.fromkeys(atom.residue for atom in atoms):
        for (component, pair), order in orders.items():
            ends = [names[residue, name] for name in pair if (residue, name) in names]
            if component == residue[1] and len(ends) == 2:
                known[frozenset(ends)] = order
    inside = {atoms[k].residue for pair in known for k in pair} if orders else set()
    for i, j in perceive_bonds(molecule.species, molecule.positions)[0].tolist():
        alike = atoms[i].residue == atoms[j].residue and atoms[i].residue in inside
        if not alike and not (i in told and j in told):
            known.setdefault(frozenset((i, j)), 1.0)
    pairs = sorted((tuple(sorted(pair)), order) for pair, order in known.items())
    bonds = np.array([pair for pair, _ in pairs], dtype=np.int64).reshape(-1, 2)
    _require_hydrogens(path, molecule, bonds, atoms)
    return replace(molecule, bonds=bonds, orders=np.array([order for _, order in pairs]))


def _require_hydrogens(
    path: Path, molecule: Molecule, bonds: Int[np.ndarray, "bonds 2"], atoms: Sequence[_Atom]
) -> None:
    """Raise InputError that names carbons whose angles leave room for hydrogens."""
    around = neighbours(molecule.n_atoms, bonds)
    short = [
        atom.label
        for k, atom in enumerate(atoms)
        if molecule.species[k] == 6 and _has_room(molecule.positions, k, list(around[k]))
    ]
    if short:
        raise InputError(
            f"{path}: hydrogens are missing at {listed(short)}; add them with the program that prepares structures "
            "(reduce, PDBFixer, pdb4amber, Maestro)"
        )


def _has_room(positions: Float[np.ndarray, "atoms 3"], centre: int, around: list[int]) -> bool:
    """Return whether a carbon has one neighbour that is not near, two at an angle, or three on one side."""
    match around:
        case [one]:
            return bool(np.linalg.norm(positions[centre] - positions[one]) > _LONGEST_TRIPLE)
        case [_, _]:
            return bool(_angle(positions, around[0], centre, around[1]) < _STRAIGHT)
        case [i, j, k]:
            total = sum(_angle(positions, a, centre, b) for a, b in ((i, j), (j, k), (i, k)))
            return bool(total < _PLANAR)
        case _:
            return False


def _angle(positions: Float[np.ndarray, "atoms 3"], first: int, centre: int, last: int) -> float:
    return float(angles(positions[[[first, centre, last]]])[0])


def _component(path: Path, block: Any) -> Molecule:
    """Return the component of a ligand dictionary, with its ideal coordinates where it has them."""
    atoms = block.find("_chem_comp_atom.", _ATOM_COLUMNS)
    for pattern in _PLACES:
        axes = pattern.split() if " " in pattern else [pattern.format(axis) for axis in "xyz"]
        places = block.find("_chem_comp_atom.", axes)
        if len(places) == len(atoms) and all(word not in ("?", ".") for row in places for word in row):
            break
    else:
        raise InputError(f"{path}: the component has no coordinates")
    names = {row.str(0): k for k, row in enumerate(atoms)}
    species = np.array([atomic_number(row.str(1)) for row in atoms], dtype=np.int64)
    formal = np.array([0 if row[2] in ("?", ".") else integer(path, None, row.str(2), "a charge") for row in atoms])
    rows = [row for row in block.find("_chem_comp_bond.", _COLUMNS[1:]) if row.str(0) in names and row.str(1) in names]
    bonds = [(names[row.str(0)], names[row.str(1)]) for row in rows]
    return Molecule(
        name=block.name.removeprefix("comp_") or stem(path),
        species=species,
        positions=np.array([floats(path, None, [" ".join(row)], "coordinates") for row in places]),
        bonds=np.array(bonds, dtype=np.int64).reshape(-1, 2),
        orders=np.array([_ORDERS.get(row.str(2).upper(), 1.0) for row in rows]),
        charge=int(formal.sum()),
        multiplicity=lowest_multiplicity(species, int(formal.sum())),
        formal_charges=formal,
        source=str(path),
    )
