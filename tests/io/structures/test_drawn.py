"""Molecules as chemists draw them, by SMILES and in molfiles: what is drawn is kept, what is left open is said."""

from pathlib import Path

import numpy as np
import pytest
from rdkit import Chem
from rdkit.Chem import rdCIPLabeler, rdDepictor

from certain import known
from forgefield.errors import InputError, InputWarning
from forgefield.io.assemble.single import single
from forgefield.io.molecules import read_structures
from forgefield.io.structures.drawn import conformers, graph_of
from forgefield.io.structures.laid_on import laid_on
from forgefield.jobs.convert import convert
from forgefield.molecules.molecule import Molecule, Reference

DRAWN = {
    "alanine as zwitterion": "C[C@H]([NH3+])C(=O)[O-]",
    "nitro": "C[N+](=O)[O-]",
    "azide": "CN=[N+]=[N-]",
    "sulfoxide": "C[S@](=O)c1ccccc1",
    "E": "F/C=C/Cl",
    "Z": "F/C=C\\Cl",
    "two centres": "C[C@@H](O)[C@H](F)Cl",
    "salt": "[NH4+].CC(=O)[O-]",
    "boronic acid": "OB(O)c1ccccc1",
    "borate": "F[B-](F)(F)F",
    "radical": "C[CH]C",
    "isotopes": "[2H]C([2H])([2H])[13CH2]O",
    "complex": "N->[Pt](Cl)(Cl)<-N",
    "pyrrole": "c1cc[nH]c1",
    "phosphine oxide": "CP(C)(C)=O",
    "carbon monoxide": "[C-]#[O+]",
}


def canonical(graph) -> str:
    """The SMILES of a graph with the stereo of its coordinates; a drawing has none about a metal."""
    Chem.SanitizeMol(graph)
    Chem.AssignStereochemistryFrom3D(graph)
    for atom in graph.GetAtoms():
        if atom.GetSymbol() == "Pt":
            atom.SetChiralTag(Chem.ChiralType.CHI_UNSPECIFIED)
    return Chem.MolToSmiles(Chem.MolFromSmiles(Chem.MolToSmiles(graph)))


def labels(smiles: str) -> list[str]:
    """The labels of the stereocentres and double bonds of a SMILES."""
    graph = Chem.MolFromSmiles(smiles)
    rdCIPLabeler.AssignCIPLabels(graph)
    places = (*graph.GetAtoms(), *graph.GetBonds())
    return sorted(place.GetProp("_CIPCode") for place in places if place.HasProp("_CIPCode"))


def of(smiles: str, tmp_path) -> Molecule:
    return single(read_structures(tmp_path.relative_to(tmp_path) / f"smiles:{smiles}"))


@pytest.mark.filterwarnings("ignore:.*(spin of the metal|coordinates about)")
@pytest.mark.parametrize("suffix", [".sdf", ".mol", ".json"])
@pytest.mark.parametrize("smiles", DRAWN.values(), ids=DRAWN)
def test_what_is_drawn_is_what_is_read_and_written(smiles, suffix, tmp_path):
    molecule = of(smiles, tmp_path)
    assert canonical(graph_of(molecule, tmp_path)) == Chem.MolToSmiles(Chem.MolFromSmiles(smiles))

    (tmp_path / "drawn.smi").write_text(f"{smiles} as drawn\n")
    convert(tmp_path / "drawn.smi", tmp_path / f"drawn{suffix}")
    again = single(read_structures(tmp_path / f"drawn{suffix}"))

    found = canonical(graph_of(again, tmp_path))
    assert found == Chem.MolToSmiles(Chem.MolFromSmiles(smiles))
    assert labels(found) == labels(smiles)
    assert (again.name, again.charge, again.multiplicity) == ("as drawn", molecule.charge, molecule.multiplicity)
    np.testing.assert_array_equal(again.formal_charges, molecule.formal_charges)
    np.testing.assert_allclose(again.positions, molecule.positions, atol=1e-4)


def test_a_smiles_gives_the_same_conformer_each_time(tmp_path):
    np.testing.assert_array_equal(of("CCCCO", tmp_path).positions, of("CCCCO", tmp_path).positions)


def test_pieces_of_a_salt_stand_apart(tmp_path):
    salt = of("[Na+].[Cl-].O", tmp_path)

    apart = np.linalg.norm(salt.positions[:, None] - salt.positions, axis=2)
    assert apart[0, 1] == pytest.approx(3.0)
    assert apart[1, 2:].min() > 2.5


def test_molecules_are_named_by_what_follows_the_smiles_else_by_their_formula(tmp_path):
    (tmp_path / "two.smi").write_text("SMILES NAME\n# name behind\nCCO ethanol\n\nCO\n")

    assert [m.name for m in read_structures(tmp_path / "two.smi")] == ["ethanol", "CH4O"]


@pytest.mark.parametrize(
    ("smiles", "said"),
    [
        ("CC(O)F", "stereo is not stated: C2 [RS] was made"),
        ("FC=CF", "stereo is not stated: C2=C3 [EZ] was made"),
        ("[O][O]", "2 unpaired electrons are drawn; multiplicity 3 is taken"),
        ("[Fe+2]", "the spin of the metal is not stated; multiplicity 1 is taken"),
    ],
)
def test_what_a_drawing_leaves_open_is_said(smiles, said, tmp_path):
    with pytest.warns(InputWarning, match=said):
        of(smiles, tmp_path)


@pytest.mark.parametrize(
    ("smiles", "told"),
    [
        ("CX", "is no SMILES; in a shell, put it in single quotes"),
        ("C*", r"atom 2 is no element \(\*, R\)"),
        ("C[N](C)(C)C", "too many bonds at N2 for its charge"),
        ("c1ccnc1", "the aromatic atoms C1, C2, C3, N4, C5 cannot have alternating bonds"),
        ("[999C]", "C1: there is no isotope 999C"),
        ("c", "cannot be a molecule: non-ring atom 0 marked aromatic"),
        ("", "is empty"),
    ],
)
def test_what_is_no_molecule_is_refused(smiles, told, tmp_path):
    with pytest.raises(InputError, match=told):
        of(smiles, tmp_path)


def test_a_structure_without_bonds_is_not_written_as_a_drawing(tmp_path):
    (tmp_path / "water.xyz").write_text("3\n\nO 0 0 0\nH 0 0.76 0.59\nH 0 -0.76 0.59\n")

    with pytest.raises(InputError, match=r"water\.sdf: the file would hold no bonds, since .*water\.xyz states none"):
        convert(tmp_path / "water.xyz", tmp_path / "water.sdf")


def reference(smiles: str, tmp_path, charge: int = 0) -> Reference:
    """The geometry of a molecule, its atoms in an order of their own."""
    molecule = of(smiles, tmp_path)
    order = np.random.default_rng(0).permutation(molecule.n_atoms)
    return Reference(
        molecule.species[order],
        molecule.positions[order],
        charge=molecule.charge + charge,
        multiplicity=molecule.multiplicity,
        sources=("x.log",),
    )


@pytest.mark.parametrize("smiles", ["CC(=O)[O-]", "C[C@H](F)[N+](=O)[O-]", "F/C=C/Cl", "c1ccncc1", "C[CH]C"])
def test_a_smiles_is_laid_on_a_geometry_with_its_orders_and_charges(smiles, tmp_path):
    geometry = reference(smiles, tmp_path)

    found = laid_on(of(smiles, tmp_path), geometry)

    np.testing.assert_array_equal(found.positions, geometry.positions)
    assert canonical(graph_of(found, tmp_path)) == Chem.MolToSmiles(Chem.MolFromSmiles(smiles))
    assert known(found.formal_charges).sum() == found.charge


@pytest.mark.parametrize(
    ("smiles", "charge", "other", "told"),
    [
        ("C[C@H](F)Cl", 0, "C[C@@H](F)Cl", r"x\.log: has another stereo than smiles:C\[C@@H\]\(F\)Cl"),
        ("F/C=C/Cl", 0, "F/C=C\\Cl", "has another stereo"),
        ("CCO", 0, "COC", r"x\.log: its atoms and their bonds, as far as distances tell, are not those of smiles:COC"),
        ("CCO", 0, "CC", "are not those of smiles:CC;"),
        ("CCO", -2, "CCO", "x.log: has the charge -2, but smiles:CCO 0"),
    ],
)
def test_a_smiles_of_another_molecule_than_the_geometry_is_refused(smiles, charge, other, told, tmp_path):
    with pytest.raises(InputError, match=told):
        laid_on(of(other, tmp_path), reference(smiles, tmp_path, charge))


def test_several_structures_are_written_as_a_list_not_as_a_molfile(tmp_path):
    (tmp_path / "two.smi").write_text("CCO\nCO\n")

    convert(tmp_path / "two.smi", tmp_path / "two.sdf")
    assert [m.formula for m in read_structures(tmp_path / "two.sdf")] == ["C2H6O", "CH4O"]

    with pytest.raises(InputError, match=r"a \.mol file holds one structure, not 2; write a \.sdf"):
        convert(tmp_path / "two.smi", tmp_path / "two.mol")


def test_a_drawing_of_a_cage_whose_atoms_cannot_be_ranked_has_coordinates(tmp_path):
    cage = Chem.MolFromSmiles("C12C3C4C5C1C6C7C2C8C3C9C4C1C5C6C2C7C8C9C12")
    rdDepictor.Compute2DCoords(cage)
    (tmp_path / "cage.mol").write_text(Chem.MolToMolBlock(cage))

    with pytest.warns(InputWarning, match=r"is a drawing in the plane: 20 hydrogen\(s\) were added"):
        (molecule,) = read_structures(tmp_path / "cage.mol")
    assert molecule.formula == "C20H20"


@pytest.mark.parametrize("size", [7, 8])
def test_rings_that_bend_a_triple_bond_have_coordinates(size):
    (molecule,) = read_structures(Path(f"smiles:C1{'C' * (size - 3)}C#C1"))

    (one, other), *_ = molecule.bonds[molecule.orders == 3.0].tolist()
    assert 1.0 < np.linalg.norm(molecule.positions[one] - molecule.positions[other]) < 1.5
    assert len(conformers(molecule, 2, 0, 0.5)) > 0
