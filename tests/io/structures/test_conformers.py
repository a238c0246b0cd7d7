"""Conformers follow from bonds and a seed, keep the stereo that is drawn, and differ from each other."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from rdkit import Chem
from rdkit.Chem import rdMolAlign

from forgefield.errors import InputError, InputWarning
from forgefield.io.assemble.single import single
from forgefield.io.molecules import read_structures
from forgefield.io.structures.drawn import conformers, graph_of
from forgefield.molecules.molecule import Molecule

NO_BONDS = {"bonds": np.zeros((0, 2), np.int64), "orders": np.zeros(0), "formal_charges": None}


def of(smiles: str) -> Molecule:
    return single(read_structures(Path(f"smiles:{smiles}")))


def canonical(molecule: Molecule) -> str:
    graph = graph_of(molecule, Path("none"))
    Chem.SanitizeMol(graph)
    Chem.AssignStereochemistryFrom3D(graph)
    return Chem.MolToSmiles(Chem.RemoveHs(graph))


@pytest.mark.parametrize(
    "smiles", ["C[C@@H](O)[C@H](F)Cl", "F/C=C\\Cl", "C[C@H]([NH3+])C(=O)[O-]", "C[CH]C", "[Na+].[F-]"]
)
def test_a_conformer_is_of_the_molecule_that_is_drawn(smiles):
    found = conformers(of(smiles), 3, 1, 0.0)

    assert {canonical(one) for one in found} == {Chem.CanonSmiles(smiles)}


@pytest.mark.parametrize("seed", [0, 1])
def test_conformers_follow_from_the_seed_and_differ(seed):
    hexane = of("CCCCCC")

    one, same, other = (conformers(hexane, 6, one, 0.5) for one in (seed, seed, 2))

    graphs = [Chem.RemoveHs(graph_of(molecule, Path("none")).GetMol()) for molecule in one]
    apart = [rdMolAlign.GetBestRMS(a, b) for k, a in enumerate(graphs) for b in graphs[:k]]
    assert len(one) > 2
    assert min(apart) > 0.4
    np.testing.assert_array_equal([m.positions for m in one], [m.positions for m in same])
    assert not np.allclose(one[0].positions, other[0].positions, atol=0.1)


def test_orders_are_perceived_where_no_bonds_are_stated():
    drawn = of("CC(=O)Oc1ccccc1C(=O)O")

    (found, *_) = conformers(replace(drawn, **NO_BONDS), 1, 1, 0.0)

    assert canonical(found) == canonical(drawn)


def test_missing_hydrogens_are_refused():
    ethene = of("C=C")
    less = {"species": ethene.species[:-1], "positions": ethene.positions[:-1], "multiplicity": 2}

    with pytest.warns(InputWarning, match="multiplicity 3 is taken"):
        carbene = of("[CH2]")
    with pytest.raises(InputError, match="are hydrogens missing"):
        conformers(replace(ethene, **less, **NO_BONDS), 1, 1, 0.0)
    with pytest.raises(InputError, match="leave 2 electron"):
        conformers(replace(carbene, multiplicity=1), 1, 1, 0.0)
