"""Which atom of a structure is which of a system."""

from warnings import warn

import numpy as np
from jaxtyping import Float, Int

from forgefield.assign.explicit.system import System
from forgefield.errors import InputError, InputWarning
from forgefield.molecules.bonds import matched, perceive_bonds
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
        raise InputError(f"{name}: its atoms are {molecule.formula}, but those of {system.source} {system.formula}")
    same = np.arange(system.n_atoms)
    if np.array_equal(molecule.species, system.species) and _agrees(system, molecule):
        return same
    bonds = bonds_of(molecule)
    match = matched((system.species, system.bonds), (molecule.species, bonds))
    if match is not None:
        warn(
            f"{name}: its atoms are in another order than those of {system.source}; they are matched by the bonds",
            InputWarning,
            stacklevel=2,
        )
        return match
    raise InputError(f"{name}: its bonds are not those of {system.source}{_astray(system, molecule)}")


def bonds_of(molecule: Molecule) -> Int[np.ndarray, "bonds 2"]:
    """Return the bonds of a molecule, perceived where it has none."""
    return molecule.bonds if len(molecule.bonds) else perceive_bonds(molecule.species, molecule.positions)[0]


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
