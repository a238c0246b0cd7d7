"""Reads and writes MDL's molfiles (.mol) and lists of them (.sdf), versions V2000 and V3000."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import takewhile
from pathlib import Path
from warnings import warn

import numpy as np
from jaxtyping import Float

from forgefield.errors import InputError, InputWarning, located
from forgefield.io.assemble.digits import tell_odd_digits
from forgefield.io.offenders import listed
from forgefield.io.outputs import write_text
from forgefield.io.sources import stem
from forgefield.io.structures.drawn import (
    Graph,
    alternate,
    conformer,
    drawn_molecule,
    graph_of,
    tidied,
    toolkit,
    unpaired_electrons,
)
from forgefield.io.structures.oddities import shape_of, tell_oddities
from forgefield.io.text import floats, read_text
from forgefield.molecules.bonds import perceive_bonds
from forgefield.molecules.elements import SYMBOLS
from forgefield.molecules.molecule import Molecule

_END = "$$$$"
_PAGE = 200_000
"""Characters of the start of a text in which a molfile ends."""
_UNPAIRED = {"1": 0, "2": 1, "3": 2}
"""Electrons of a singlet, doublet and triplet centre."""
_FLAT = 1e-3
"""Å"""
_OF_V3000 = re.compile(r"M  V30 \d+ (\S+|\[.*?\])(?: \S+){4}")
_RADICAL_OF_V3000 = re.compile(r"\bRAD=([123])")
_CHARGES = "<atom.dprop.PartialCharge>"
"""The property of charges that RDKit and OpenFF write."""
_ISOTOPES = ("D", "T")


@dataclass(frozen=True)
class _Record:
    """One molfile in a list."""

    path: Path
    line: int
    """Where it begins, from 1."""
    lines: list[str]

    @property
    def title(self) -> str:
        return self.lines[0].strip() if self.lines else ""

    @property
    def place(self) -> str:
        """What messages call it."""
        named = f" ({self.title})" if self.title else ""
        return f"{self.path}, line {self.line}{named}"

    @property
    def is_v3000(self) -> bool:
        return "V3000" in self.lines[3]


def is_molfile(_: Path, text: str) -> bool:
    """Whether the fourth line of a text, or the end of its first record, is that of a molfile."""
    counts = "".join(text.split("\n", 4)[3:4])
    return "V2000" in counts or "V3000" in counts or "\nM  END" in text[:_PAGE]


def read_sdf(path: Path) -> list[Molecule]:
    """Return the structures of a molfile, or of all records of a list, named by their titles.

    Bonds, orders, formal charges, isotopes and unpaired electrons are those of the file; coordinates of a drawing in
    the plane are made anew, with hydrogens, of which an InputWarning tells. Raises InputError for what is no element,
    and for hydrogens, charges or radicals that are missing in a structure in space.
    """
    records = list(_records(path))
    if not records:
        raise InputError(f"{path}: holds no structure; is it a molfile?")
    names = [stem(path) if len(records) == 1 else f"{stem(path)}-{i + 1}" for i in range(len(records))]
    molecules = [_molecule(record, record.title or name) for record, name in zip(records, names, strict=True)]
    tell_oddities(path, [shape_of(molecule, is_complete=True) for molecule in molecules])
    return molecules


def write_sdf(path: Path, molecules: Sequence[Molecule]) -> None:
    """Write molecules as a list of molfiles, or as one where the suffix is .mol.

    The version is V3000 where bonds are coordinative or atoms more than 999. Raises InputError for partial bonds,
    molecules without bonds, and several in a .mol.
    """
    if path.suffix.lower() == ".mol" and len(molecules) > 1:
        raise InputError(f"{path}: a .mol file holds one structure, not {len(molecules)}; write a .sdf")
    blocks = [_block(molecule, path) for molecule in molecules]
    write_text(path, blocks[0] if path.suffix.lower() == ".mol" else "".join(f"{block}{_END}\n" for block in blocks))


def _records(path: Path) -> Iterator[_Record]:
    start, lines = 1, []
    for number, line in enumerate((*read_text(path).splitlines(), _END), start=1):
        if not line.startswith(_END):
            lines.append(line)
            continue
        if any(one.strip() for one in lines):
            yield _Record(path, start, lines)
        start, lines = number + 1, []


def _molecule(record: _Record, name: str) -> Molecule:
    from rdkit import rdBase  # noqa: PLC0415 (slow to load, and of use for drawn structures alone)

    _require_elements(record)
    end = next((i for i, line in enumerate(record.lines) if line.startswith("M  END")), len(record.lines))
    block = "\n".join([*record.lines[:end], "M  END", ""])
    chem = toolkit()
    with rdBase.BlockLogs():
        graph = chem.MolFromMolBlock(block, sanitize=False, removeHs=False)
        if graph is None:
            raise InputError(f"{record.place}: the tables of atoms and bonds are cut or damaged")
        unpaired = _unpaired(record.lines[:end], graph)
        alternate(record.place, graph)
        if _is_drawing(record, graph):
            graph = _in_space(record, block)
            unpaired = unpaired or unpaired_electrons(graph)
        found = drawn_molecule(record.place, name, graph, unpaired=unpaired)
    return replace(found, source=str(record.path), charges=_charges(record, found.n_atoms))


def _charges(record: _Record, n_atoms: int) -> Float[np.ndarray, " atoms"] | None:
    """Return the charges that a record states for all atoms of its structure; None where it does not."""
    for k, line in enumerate(record.lines):
        if line.startswith(">") and _CHARGES in line:
            rows = list(takewhile(str.strip, record.lines[k + 1 :]))
            found = floats(record.path, record.line + k + 1, rows, "the charges of the atoms")
            return found if len(found) == n_atoms else None
    return None


def _require_elements(record: _Record) -> None:
    """Raise InputError where a record is no molfile, has no atoms, or atoms that are no elements."""
    if len(record.lines) < 4 or not ("V2000" in record.lines[3] or "V3000" in record.lines[3]):
        raise InputError(f"{record.place}: the fourth line does not say V2000 or V3000: is this a molfile?")
    if record.is_v3000:
        labels = [found[1] for line in record.lines if (found := _OF_V3000.match(line))]
    else:
        n_atoms = record.lines[3][:3].strip()
        if not n_atoms.isdecimal():
            raise InputError(located(record.path, record.line + 3, f"the number of atoms is {n_atoms!r}"))
        rows = record.lines[4 : 4 + int(n_atoms)]
        if len(rows) < int(n_atoms) or not all(row[30:].split() for row in rows):
            raise InputError(f"{record.place}: the table of {n_atoms} atoms is cut or damaged")
        labels = [row[30:].split()[0] for row in rows]
        # Those of a drawing are what its program made of places on the screen.
        if any(row[20:30].strip(" -0.") for row in rows):
            placed = [(record.line + 4 + i, word) for i, row in enumerate(rows) for word in row[:30].split()]
            tell_odd_digits(record.path, placed, "coordinates")
    if not labels:
        raise InputError(f"{record.place}: holds no atoms")
    known = {*SYMBOLS[1:], *_ISOTOPES}
    wrong = [f"atom {i} ({label})" for i, label in enumerate(labels, 1) if label not in known]
    if wrong:
        raise InputError(
            f"{record.place}: {listed(wrong)} stand(s) for a rest, any atom or a dummy (R, *, A, Q, L, LP, Du): a "
            "structure has elements; replace or remove them"
        )


def _unpaired(lines: list[str], graph: Graph) -> int:
    """Return how many unpaired electrons a record states."""
    stated: list[str] = []
    for line in lines:
        if line.startswith("M  RAD"):
            stated += line[9:].split()[1::2]
        elif line.startswith("M  V30"):
            stated += _RADICAL_OF_V3000.findall(line)
    if stated:
        return sum(_UNPAIRED.get(word, 0) for word in stated)
    return unpaired_electrons(graph)


def _is_drawing(record: _Record, graph: Graph) -> bool:
    """Return whether coordinates in one plane are those of a drawing: without hydrogens, or with impossible bonds."""
    positions = graph.GetConformer().GetPositions()
    if np.ptp(positions[:, 2]) > _FLAT or graph.GetNumAtoms() == 1 or record.lines[1][20:22] == "3D":
        return False
    counted = toolkit().Mol(graph)
    tidied(record.place, counted)
    if any(atom.GetTotalNumHs() for atom in counted.GetAtoms()):
        return True
    species = np.array([atom.GetAtomicNum() for atom in graph.GetAtoms()])
    drawn = {frozenset((bond.GetBeginAtomIdx(), bond.GetEndAtomIdx())) for bond in graph.GetBonds()}
    return {frozenset(pair) for pair in perceive_bonds(species, positions)[0].tolist()} != drawn


def _in_space(record: _Record, block: str) -> Graph:
    """Return a drawing with its stereo as it is drawn, its hydrogens, and coordinates in space."""
    chem = toolkit()
    drawn = chem.MolFromMolBlock(block, removeHs=False)
    if drawn is None:
        raise InputError(f"{record.place}: is a drawing with impossible bonds; check charges and bond orders")
    whole = conformer(record.place, drawn)
    n_added = whole.GetNumAtoms() - drawn.GetNumAtoms()
    warn(
        InputWarning(
            f"{record.place}: is a drawing in the plane: {n_added} hydrogen(s) were added and coordinates made; "
            "optimise them before they are used"
        ),
        stacklevel=2,
    )
    chem.Kekulize(whole, clearAromaticFlags=True)
    return whole


def _block(molecule: Molecule, path: Path) -> str:
    graph = graph_of(molecule, path)
    graph.SetProp("_Name", molecule.name)
    return toolkit().MolToMolBlock(graph, kekulize=False)
