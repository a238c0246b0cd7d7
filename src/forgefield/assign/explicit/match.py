"""Which atom of a structure is which of a system."""

from typing import Any
from warnings import warn

import numpy as np
from jaxtyping import Float, Int

from forgefield.assign.explicit.system import System
from forgefield.errors import InputError, InputWarning
from forgefield.molecules.bonds import perceive_bonds
from forgefield.molecules.elements import covalent_radii
from forgefield.molecules.measure import lengths
from forgefield.molecules.molecule import Molecule, symbol

_STRETCHED = 1.5
"""Bonds up to this many times the sum of covalent radii agree with the order of the atoms."""
_SHOWN = 6


def order_of(system: System, molecule: Molecule) -> Int[np.ndarray, " atoms"]:
    """Return, for each atom of the system, which atom of the molecule it is.

    It is the same order where elements and bonds agree with it; otherwise the bonds tell, and an InputWarning says so.
    Raises InputError where they do not.
    """
    name = molecule.source or molecule.name
    if sorted(molecule.species.tolist()) != sorted(system.species.tolist()):
        raise InputError(f"{name}: its atoms are {molecule.formula}, but those of {system.source} {_formula(system)}")
    same = np.arange(system.n_atoms)
    if np.array_equal(molecule.species, system.species) and _agrees(system, molecule):
        return same
    bonds = molecule.bonds if len(molecule.bonds) else perceive_bonds(molecule.species, molecule.positions)[0]
    if len(bonds) == len(system.bonds):
        match = _graph(molecule.species, bonds).GetSubstructMatch(_graph(system.species, system.bonds))
        if len(match) == system.n_atoms:
            warn(
                f"{name}: its atoms are in another order than those of {system.source}; they are matched by the bonds",
                InputWarning,
                stacklevel=2,
            )
            return np.array(match, dtype=np.int64)
    raise InputError(f"{name}: its bonds are not those of {system.source}{_astray(system, molecule)}")


def _agrees(system: System, molecule: Molecule) -> bool:
    """Say whether the bonds of a system are those of a molecule with the same elements, atom by atom."""
    if len(molecule.bonds) and np.array_equal(_ordered(molecule.bonds), _ordered(system.bonds)):
        return True
    return bool((_relative_lengths(system, molecule) < _STRETCHED).all())


def _relative_lengths(system: System, molecule: Molecule) -> Float[np.ndarray, " bonds"]:
    radii = covalent_radii(system.species)
    return lengths(molecule.positions[system.bonds]) / radii[system.bonds].sum(axis=1)


def _ordered(bonds: Int[np.ndarray, "bonds 2"]) -> Int[np.ndarray, "bonds 2"]:
    return np.unique(np.sort(bonds, axis=1), axis=0)


def _graph(species: Int[np.ndarray, " atoms"], bonds: Int[np.ndarray, "bonds 2"]) -> Any:
    """Return elements and bonds alone, for RDKit."""
    from rdkit import Chem  # noqa: PLC0415 (slow to load, and of use for atoms in another order alone)

    graph = Chem.RWMol()
    for z in species.tolist():
        graph.AddAtom(Chem.Atom(z))
    for i, j in bonds.tolist():
        graph.AddBond(i, j, Chem.BondType.SINGLE)
    return graph


def _formula(system: System) -> str:
    return Molecule(system.source, system.species, np.zeros((system.n_atoms, 3))).formula


def _astray(system: System, molecule: Molecule) -> str:
    """Say which bonds are too long where the elements are in the same order."""
    if not np.array_equal(molecule.species, system.species):
        return ", nor are its elements in the same order"
    relative = _relative_lengths(system, molecule)
    long = np.flatnonzero(relative >= _STRETCHED)
    named = [
        "-".join(f"{symbol(int(system.species[a]))}{a + 1}" for a in system.bonds[k].tolist())
        + f" {np.linalg.norm(np.subtract(*molecule.positions[system.bonds[k]])):.2f} Å"
        for k in long[:_SHOWN].tolist()
    ]
    more = f" and {len(long) - _SHOWN} more" if len(long) > _SHOWN else ""
    return f", of which these are too long in it: {', '.join(named)}{more}"
