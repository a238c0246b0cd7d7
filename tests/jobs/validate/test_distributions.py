"""Distributions of distances and torsions: equal ones overlap wholly, others not."""

import numpy as np
import pytest
from rdkit import Chem
from rdkit.Chem import AllChem

from forgefield.jobs.validate.distributions import distributions
from forgefield.molecules.molecule import Molecule


@pytest.fixture(scope="module")
def ethane():
    made = Chem.AddHs(Chem.MolFromSmiles("CC"))
    AllChem.EmbedMolecule(made, randomSeed=1)  # pyright: ignore[reportAttributeAccessIssue]
    return Molecule(
        "ethane",
        np.array([a.GetAtomicNum() for a in made.GetAtoms()]),
        made.GetConformer().GetPositions(),
        np.array([[b.GetBeginAtomIdx(), b.GetEndAtomIdx()] for b in made.GetBonds()]),
        np.ones(made.GetNumBonds()),
    )


def shaken(molecule, scale, n=60):
    noise = np.random.default_rng(0).normal(scale=scale, size=(n, molecule.n_atoms, 3))
    return molecule.positions + noise


def test_equal_structures_overlap_wholly(ethane):
    found = distributions(ethane, 300.0, shaken(ethane, 0.05), shaken(ethane, 0.05))

    assert [one.name for one in found] == ["H–H", "C–H", "C–C", "H3-C1-C2-H6"]
    assert all(one.overlap == pytest.approx(1.0) for one in found)
    assert all(0.2 < one.attainable < 1.0 for one in found)


def test_a_stretched_molecule_has_other_distances(ethane):
    found = distributions(ethane, 300.0, shaken(ethane, 0.02), 1.5 * shaken(ethane, 0.02, n=40))

    assert {one.name: one.overlap for one in found}["C–C"] == 0.0


def test_hydrogens_of_a_methyl_group_cannot_be_told_apart(ethane):
    turned = shaken(ethane, 0.02)
    hydrogens = sorted(np.flatnonzero(ethane.species == 1))
    moved = turned.copy()
    moved[:, hydrogens[:3]] = turned[:, np.roll(hydrogens[:3], 1)]

    torsions = [one for one in distributions(ethane, 300.0, turned, moved) if one.unit == "°"]

    assert [one.overlap for one in torsions] == pytest.approx([1.0])
