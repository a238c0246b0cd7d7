"""PDB and mmCIF: models, alternative places, charges, bonds, and hydrogens that are missing."""

from contextlib import suppress

import gemmi
import numpy as np
import pytest
from rdkit import Chem
from rdkit.Chem import rdDistGeom

from forgefield.errors import InputError, InputWarning
from forgefield.io.assemble.single import single
from forgefield.io.molecules import read_structures

CATIONIC, ANIONIC = {("LYS", "NZ"), ("GLY", "N")}, {("ASP", "OD2"), ("HIS", "OXT")}


def peptide(sequence: str) -> Chem.Mol:
    """A peptide with charged termini and side chains of G, K, D, R and H."""
    graph = Chem.MolFromSequence(sequence)
    for atom in graph.GetAtoms():
        residue = atom.GetPDBResidueInfo()
        place = (residue.GetResidueName(), residue.GetName().strip())
        doubly = any(bond.GetBondType() == Chem.BondType.DOUBLE for bond in atom.GetBonds())
        atom.SetFormalCharge((place in CATIONIC or (place[1] in ("NH1", "NH2") and doubly)) - (place in ANIONIC))
    Chem.SanitizeMol(graph)
    whole = Chem.AddHs(graph, addResidueInfo=True)
    rdDistGeom.EmbedMolecule(whole, randomSeed=3)
    return whole


def pdb(graph: Chem.Mol, *, charges: bool) -> str:
    """The records of a graph, with columns 79-80 or without."""
    return "".join(line[: 80 if charges else 78] + "\n" for line in Chem.MolToPDBBlock(graph).splitlines())


def read(text: str, tmp_path, name: str = "x.pdb"):
    (tmp_path / name).write_text(text)
    return read_structures(tmp_path / name)


def atom(serial: int, name: str, place: tuple[float, float, float], alternative: str = " ", occupancy=1.0) -> str:
    x, y, z = place
    return (
        f"HETATM{serial:5d}  {name:<3}{alternative}LIG A   1    {x:8.3f}{y:8.3f}{z:8.3f}{occupancy:6.2f}  0.00"
        f"          {name[0]:>2}\n"
    )


WATER = ((0.0, 0.0, 0.12), (0.0, 0.76, -0.47), (0.0, -0.76, -0.47))
ATOMS = "".join(atom(k + 1, name, place) for k, (name, place) in enumerate(zip("OHH", WATER, strict=True)))


def test_charges_are_those_of_the_file_else_of_the_hydrogens_of_amino_acids(tmp_path):
    graph = peptide("GKDRH")
    stated = single(read(pdb(graph, charges=True), tmp_path))

    with pytest.warns(InputWarning, match=r"charge 1 is taken .* GLY A1 \+1, LYS A2 \+1, ASP A3 -1, ARG A4 \+1, HIS"):
        told = single(read(pdb(graph, charges=False), tmp_path))

    assert (stated.charge, told.charge) == (1, 1)
    assert stated.formal_charges is not None
    assert stated.formal_charges.tolist() == [a.GetFormalCharge() for a in graph.GetAtoms()]


def test_bonds_are_all_there_whether_the_file_states_them_or_not(tmp_path):
    graph = peptide("GKDRH")
    bonds = {tuple(sorted((b.GetBeginAtomIdx(), b.GetEndAtomIdx()))) for b in graph.GetBonds()}
    text = pdb(graph, charges=True)

    without = "".join(line for line in text.splitlines(keepends=True) if not line.startswith("CONECT"))

    for records in (text, without):
        assert {tuple(pair) for pair in single(read(records, tmp_path)).bonds.tolist()} == bonds


def test_stated_bonds_count_before_perceived_ones(tmp_path):
    with pytest.warns(InputWarning, match="charge 0 is taken"):
        found = single(read(ATOMS + "CONECT    1    2\nCONECT    3\n", tmp_path))

    assert found.bonds.tolist() == [[0, 1], [0, 2]]
    with pytest.warns(InputWarning, match="charge 0 is taken"):
        longer = single(read(ATOMS + "CONECT    1    2    3\nCONECT    2    3\n", tmp_path))
    assert longer.bonds.tolist() == [[0, 1], [0, 2], [1, 2]]


@pytest.mark.filterwarnings("ignore:.*states no charges")
def test_each_model_is_a_structure(tmp_path):
    models = read(f"MODEL        1\n{ATOMS}ENDMDL\nMODEL        2\n{ATOMS}ENDMDL\n", tmp_path)

    assert [m.name for m in models] == ["x-1", "x-2"]


@pytest.mark.filterwarnings("ignore:.*states no charges")
def test_of_alternative_places_the_more_occupied_are_taken(tmp_path):
    text = (
        atom(1, "O", WATER[0])
        + atom(2, "H1", WATER[1], "A", 0.4)
        + atom(3, "H1", (0.0, 0.8, -0.4), "B", 0.6)
        + atom(4, "H2", WATER[2])
    )

    with pytest.warns(InputWarning, match=r"alternative places, the more occupied are taken: LIG A1 \(B of A, B\)"):
        found = single(read(text, tmp_path))

    np.testing.assert_allclose(found.positions[1], [0.0, 0.8, -0.4])


@pytest.mark.parametrize("sequence", ["GA", "F"])
def test_carbons_without_their_hydrogens_are_named(sequence, tmp_path):
    bare = Chem.RemoveHs(peptide(sequence))

    with pytest.raises(InputError, match=r"hydrogens are missing at \w+ A1 CA.*\(reduce, PDBFixer"):
        read(pdb(bare, charges=False), tmp_path)


@pytest.mark.parametrize("smiles", ["C=C=O", "N#CC#C", "Cc1ccccc1", "O=C=O", "C1CC1"])
def test_no_carbon_of_a_whole_molecule_lacks_hydrogens(smiles, tmp_path):
    graph = Chem.AddHs(Chem.MolFromSmiles(smiles))
    rdDistGeom.EmbedMolecule(graph, randomSeed=3)

    with pytest.warns(InputWarning, match="charge 0 is taken"):
        assert single(read(pdb(graph, charges=False), tmp_path)).n_atoms == graph.GetNumAtoms()


def test_amino_acids_without_the_hydrogens_of_their_nitrogens_are_named(tmp_path):
    graph = Chem.RWMol(peptide("KG"))
    lone = [a.GetIdx() for a in graph.GetAtoms() if a.GetSymbol() == "H" and a.GetNeighbors()[0].GetSymbol() == "N"]
    for k in sorted(lone, reverse=True):
        graph.RemoveAtom(k)

    with pytest.raises(InputError, match=r"states no charges \(columns 79-80\); LYS A1 \(-4\) would follow"):
        read(pdb(graph, charges=False), tmp_path)


def test_an_odd_number_of_electrons_without_charges_is_refused(tmp_path):
    with pytest.raises(InputError, match=r"states no charges \(columns 79-80\), and its electrons are an odd number"):
        read(ATOMS.replace(" O\n", " N\n"), tmp_path)


def test_letters_beyond_ascii_leave_the_columns_where_they_are(tmp_path):
    with pytest.warns(InputWarning, match="charge 0 is taken"):
        found = single(read(f"REMARK  Å\n{ATOMS.replace('LIG', 'LÉG')}", tmp_path))

    np.testing.assert_allclose(found.positions, WATER)


def test_atoms_without_an_element_are_named(tmp_path):
    with pytest.raises(InputError, match="LIG A1 X1: no element"):
        read(ATOMS + atom(4, "X1", (3.0, 0.0, 0.0)), tmp_path)


def test_mmcif_says_the_same_as_pdb(tmp_path):
    structure = gemmi.read_pdb_string(pdb(peptide("GK"), charges=True))
    before = single(read(structure.make_pdb_string(), tmp_path))

    found = single(read(structure.make_mmcif_document().as_string(), tmp_path, "x.cif"))

    np.testing.assert_array_equal(found.species, before.species)
    np.testing.assert_allclose(found.positions, before.positions, atol=1e-3)
    np.testing.assert_array_equal(found.bonds, before.bonds)
    assert found.charge == before.charge == 2


BONDS = """loop_
_chem_comp_bond.comp_id
_chem_comp_bond.atom_id_1
_chem_comp_bond.atom_id_2
_chem_comp_bond.value_order
"""
COMPONENT = f"""data_CNM
loop_
_chem_comp_atom.comp_id
_chem_comp_atom.atom_id
_chem_comp_atom.type_symbol
_chem_comp_atom.charge
_chem_comp_atom.model_Cartn_x
_chem_comp_atom.model_Cartn_y
_chem_comp_atom.model_Cartn_z
CNM C1 C -1 0.0 0.0 0.0
CNM N1 N 0 0.0 0.0 1.17
{BONDS}CNM C1 N1 TRIP
"""


def test_a_component_of_a_dictionary_has_orders_and_charges(tmp_path):
    found = single(read(COMPONENT, tmp_path, "CNM.cif"))

    assert (found.name, found.charge, found.orders.tolist()) == ("CNM", -1, [3.0])


def test_orders_of_components_are_those_of_the_residues(tmp_path):
    named = ATOMS.replace("  2  H   LIG", "  2  H1  LIG").replace("  3  H   LIG", "  3  H2  LIG")
    structure = gemmi.read_pdb_string(named)
    text = structure.make_mmcif_document().as_string() + BONDS + "LIG O H1 SING\nLIG O H2 DOUB\n"

    with pytest.warns(InputWarning, match="charge 0 is taken"):
        found = single(read(text, tmp_path, "x.cif"))

    assert dict(zip(map(tuple, found.bonds.tolist()), found.orders.tolist(), strict=True)) == {(0, 1): 1.0, (0, 2): 2.0}


def test_each_block_is_a_structure(tmp_path):
    found = read(COMPONENT + COMPONENT.replace("data_CNM", "data_OTHER"), tmp_path, "two.cif")

    assert [m.name for m in found] == ["CNM-1", "OTHER-2"]
    with pytest.raises(InputError, match="holds no atoms"):
        read("data_x\nloop_\n_atom_site.id\n1\n", tmp_path, "none.cif")


def test_a_whole_protein_is_refused(tmp_path):
    rows = "".join(atom(k % 99999, "O", (0.0, 0.0, 0.0)) for k in range(3001))

    with pytest.raises(InputError, match="3001 atoms are more than the 3000"):
        read(rows, tmp_path)


def test_a_crystal_is_refused(tmp_path):
    text = (
        "data_c\nloop_\n_atom_site_label\n_atom_site_fract_x\n_atom_site_fract_y\n_atom_site_fract_z\nC1 0.1 0.2 0.3\n"
    )

    with pytest.raises(InputError, match=r"crystal structure in fractional coordinates; save the molecule as \.mol2"):
        read(text, tmp_path, "c.cif")


def test_without_the_library_the_command_that_installs_it_is_named(tmp_path, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "gemmi", None)

    with pytest.raises(InputError, match=r"read with gemmi: pip install 'forgefield\[pdb\]'"):
        read(ATOMS, tmp_path)


def test_rows_of_atoms_that_are_damaged_are_refused(tmp_path):
    with pytest.raises(InputError, match=r"line 2.*coordinates in columns 31-54|columns 31-54.*line 2"):
        read(ATOMS.replace("0.760  -0.470", "0.760(((((((((", 1), tmp_path)


def test_two_atoms_of_one_number_are_told_of(tmp_path):
    with pytest.warns(InputWarning) as told:
        read(ATOMS.replace("HETATM    2", "HETATM    3", 1), tmp_path)

    assert any("two atoms of a model have the number 3" in str(one.message) for one in told)


def test_atoms_that_overlap_are_told_of(tmp_path):
    moved = ATOMS.replace("   0.760  -0.470", "   0.000   0.020", 1)

    with pytest.warns(InputWarning) as told:
        read(moved, tmp_path)

    assert any("atoms overlap in x: O1-H2" in str(one.message) for one in told)


def test_rows_without_a_number_are_refused(tmp_path):
    with pytest.raises(InputError, match=r"'\+' \(line 2\) in columns 7-11"):
        read(ATOMS.replace("HETATM    2", "HETATM    +", 1), tmp_path)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (ATOMS.partition("\n")[2].replace("H1 ", "O1 "), "the first atom has the number 2; is the file whole"),
        (ATOMS.replace(" O\n", " O0+\n").replace(" H\n", " H7+\n", 1), "charges that no such atom has"),
    ],
)
def test_a_lost_beginning_and_impossible_charges_are_told_of(text, said, tmp_path):
    with pytest.warns(InputWarning) as told, suppress(InputError):
        read(text, tmp_path)

    assert any(said in str(one.message) for one in told)
