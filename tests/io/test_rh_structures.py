"""The nine rhodium complexes are the same, atom by atom, in every format that holds them."""

import numpy as np
import pytest

from certain import known
from forgefield.io.assemble.single import single
from forgefield.io.listings.mmo import read_mmo
from forgefield.io.qm.jaguar import read_jaguar_input
from forgefield.io.structures.atom_types import read_atom_types
from forgefield.io.structures.mae import read_mae
from forgefield.io.structures.mol2 import read_mol2
from forgefield.molecules.molecule import AROMATIC

NUMBERS = range(1, 10)


def numbered(folder, number, suffix):
    (path,) = folder.glob(f"{number}*{suffix}")
    return path


@pytest.fixture
def complexes(data):
    folder = data / "rh-enamide"
    types = read_atom_types(folder / "forcefield/atom.typ")
    return folder, lambda number: single(read_mae(numbered(folder / "mae", number, ".mae"), atom_types=types))


@pytest.mark.parametrize("number", NUMBERS)
def test_maestro_and_mol2_hold_the_same_atoms_and_bonds(complexes, number):
    folder, from_mae = complexes
    molecule, other = from_mae(number), single(read_mol2(numbered(folder / "mol2", number, ".mol2")))

    assert (molecule.name, molecule.types) == (other.name, other.types)
    np.testing.assert_array_equal(molecule.species, other.species)
    np.testing.assert_array_equal(molecule.bonds, other.bonds)
    # mol2 marks the benzene ring where Maestro alternates single and double bonds.
    np.testing.assert_array_equal(molecule.orders[other.orders != AROMATIC], other.orders[other.orders != AROMATIC])
    np.testing.assert_allclose(molecule.positions, other.positions, rtol=0, atol=1e-12)


@pytest.mark.parametrize("number", NUMBERS)
def test_maestro_and_jaguar_hold_the_same_geometry(complexes, number):
    folder, from_mae = complexes
    molecule, job = from_mae(number), read_jaguar_input(numbered(folder / "jaguar", number, ".in"))

    np.testing.assert_array_equal(molecule.species, job.species)
    # Maestro files have four decimals.
    np.testing.assert_allclose(molecule.positions, known(job.positions), rtol=0, atol=6e-5)
    assert molecule.charge == job.charge == 1


@pytest.mark.parametrize("number", range(1, 6))
def test_listing_is_of_the_maestro_structure(complexes, number):
    folder, from_mae = complexes
    molecule, listing = from_mae(number), read_mmo(folder / f"mmo/{number}.mmo")

    assert molecule.types == listing.types
    np.testing.assert_allclose(molecule.positions, known(listing.positions), rtol=0, atol=1e-12)
    stretches = {frozenset(i.atoms) for i in listing.interactions if i.kind == "stretch"}
    assert stretches == {frozenset(bond) for bond in (molecule.bonds + 1).tolist()}
