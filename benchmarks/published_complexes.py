"""Complexes of palladium with an allyl and a ligand, put together from the published pieces, which lie in one frame."""

from pathlib import Path

import numpy as np

from forgefield.io.structures.atom_types import read_atom_types
from forgefield.io.structures.mae import read_mae
from forgefield.molecules.molecule import Molecule

PALLADIUM = 46
METAL_TYPE = "Z0"
"""What the published substructures call the metal; the ligands' files have a type of their own."""
HAPTIC = 3
"""Carbon atoms that the metal is bound to: the first ones of the allyl's file."""

Bond = tuple[int, int, int]


def complex_mae(ligand: Path, allyl: Path, types: Path, positions: np.ndarray | None = None) -> str:
    """Return a Maestro file of the ligand on its metal with the allyl added, with types and bonds.

    Its atoms are where the pieces have them, or at other `positions` [Å].
    """
    known = read_atom_types(types)
    number = {one.name: one.number for one in known.types.values()}
    (first,), (second,) = (read_mae(path, atom_types=known) for path in (ligand, allyl))
    metal = int(np.flatnonzero(first.species == PALLADIUM)[0])
    where = np.concatenate([first.positions, second.positions]) if positions is None else positions
    kinds = [pair for one in (first, second) for pair in zip(one.types or (), one.species.tolist(), strict=True)]
    atoms = [
        (number[METAL_TYPE if z == PALLADIUM else name], *position, z, int(z == PALLADIUM))
        for (name, z), position in zip(kinds, where.tolist(), strict=True)
    ]
    bonds = [(a, b, 1 if metal in (a, b) else order) for a, b, order in bonds_of(first)]
    bonds += [(metal, first.n_atoms + k, 1) for k in range(HAPTIC)]
    bonds += [(a + first.n_atoms, b + first.n_atoms, order) for a, b, order in bonds_of(second)]
    return mae_text(ligand.stem, atoms, bonds)


def bonds_of(molecule: Molecule) -> list[Bond]:
    """Return the bonds of a structure with their orders."""
    return [(a, b, int(order)) for (a, b), order in zip(molecule.bonds.tolist(), molecule.orders.tolist(), strict=True)]


def mae_text(title: str, atoms: list[tuple], bonds: list[Bond]) -> str:
    """Return a Maestro file of one structure: of each atom type, position [Å], element and formal charge."""
    columns = ("i_m_mmod_type", "r_m_x_coord", "r_m_y_coord", "r_m_z_coord", "i_m_atomic_number", "i_m_formal_charge")
    lines = ["{", " s_m_m2io_version", " :::", " 2.0.0", "}", "f_m_ct {", " s_m_title", " :::", f" {title}"]
    lines += [f" m_atom[{len(atoms)}] {{", *(f"  {name}" for name in columns), "  :::"]
    lines += [f"  {k} {' '.join(map(str, atom))}" for k, atom in enumerate(atoms, start=1)]
    lines += ["  :::", " }", f" m_bond[{len(bonds)}] {{", "  i_m_from", "  i_m_to", "  i_m_order", "  :::"]
    lines += [f"  {k} {a + 1} {b + 1} {order}" for k, (a, b, order) in enumerate(bonds, start=1)]
    return "\n".join([*lines, "  :::", " }", "}", ""])
