"""Molfiles and lists of them: records, charges, radicals, isotopes, drawings in the plane, and what is no structure."""

from pathlib import Path

import numpy as np
import pytest
from rdkit import Chem
from rdkit.Chem import rdDepictor

from certain import known
from forgefield.errors import InputError, InputWarning
from forgefield.io.assemble.single import single
from forgefield.io.molecules import read_structures
from forgefield.io.structures.drawn import graph_of
from forgefield.molecules.molecule import ZERO_ORDER

WATER = [("O", 0.0, 0.0, 0.12), ("H", 0.0, 0.76, -0.47), ("H", 0.0, -0.76, -0.47)]
CARBENE = [("C", 0.0, 0.0, 0.1), ("H", 0.0, 0.99, -0.3), ("H", 0.0, -0.99, -0.3)]
ANGLED = [(1, 2, 1), (1, 3, 1)]


def molfile(atoms, bonds, *properties, title="", mark="") -> str:
    """A molfile of version V2000."""
    rows = [f"{x:10.4f}{y:10.4f}{z:10.4f} {label:<3} 0  0" for label, x, y, z in atoms]
    rows += [f"{i:3d}{j:3d}{order:3d}  0" for i, j, order in bonds]
    head = [
        title,
        f"  ForgeF  0101260000{mark}",
        "",
        f"{len(atoms):3d}{len(bonds):3d}  0  0  0  0            999 V2000",
    ]
    return "\n".join([*head, *rows, *properties, "M  END", ""])


def read(text, tmp_path, name="drawn.mol"):
    (tmp_path / name).write_text(text)
    return read_structures(tmp_path / name)


def canonical(molecule) -> str:
    graph = graph_of(molecule, Path())
    Chem.SanitizeMol(graph)
    Chem.AssignStereochemistryFrom3D(graph)
    return Chem.MolToSmiles(Chem.RemoveHs(graph))


def test_all_records_are_read_and_named_by_their_titles(tmp_path):
    first, second = molfile(WATER, ANGLED, title="water"), molfile(WATER, ANGLED)

    found = read(f"{first}> <energy>\n-76.4\n\n$$$$\n{second}$$$$\n\n", tmp_path, "list.sdf")

    assert [m.name for m in found] == ["water", "list-2"]
    assert found[1].bonds.tolist() == [[0, 1], [0, 2]]
    np.testing.assert_array_equal(found[1].positions, [row[1:] for row in WATER])


def test_both_versions_say_the_same(tmp_path):
    (old,) = read(molfile(WATER, ANGLED, "M  ISO  1   2   2"), tmp_path)
    v3000 = Chem.MolToV3KMolBlock(graph_of(old, tmp_path))

    (new,) = read(v3000, tmp_path, "new.mol")

    assert "V3000" in v3000
    np.testing.assert_allclose(new.positions, old.positions)
    np.testing.assert_allclose(known(new.masses), [15.9949, 2.0141, 1.0078], atol=1e-4)
    np.testing.assert_array_equal(new.bonds, old.bonds)


@pytest.mark.parametrize(
    ("atoms", "line", "charge", "multiplicity"),
    [
        (WATER, "M  CHG  1   1   0", 0, 1),
        ([("N", *WATER[0][1:]), *WATER[1:]], "M  CHG  1   1  -1", -1, 1),
        ([("N", *WATER[0][1:]), *WATER[1:]], "M  RAD  1   1   2", 0, 2),
        (CARBENE, "M  RAD  1   1   1", 0, 1),
        (CARBENE, "M  RAD  1   1   3", 0, 3),
    ],
)
def test_charges_and_radicals_are_those_of_the_file(atoms, line, charge, multiplicity, tmp_path):
    (found,) = read(molfile(atoms, ANGLED, line), tmp_path)

    assert (found.charge, found.multiplicity) == (charge, multiplicity)


@pytest.mark.parametrize("smiles", ["C[C@H](O)F", "C[C@@H](O)F", "C/C=C/F", "C/C=C\\F", "O=C(O)c1ccccc1"])
def test_a_drawing_is_given_hydrogens_and_coordinates_and_keeps_its_stereo(smiles, tmp_path):
    graph = Chem.MolFromSmiles(smiles)
    rdDepictor.Compute2DCoords(graph)

    with pytest.warns(InputWarning, match=r"is a drawing in the plane: \d hydrogen\(s\) were added"):
        (found,) = read(Chem.MolToMolBlock(graph), tmp_path)

    assert canonical(found) == Chem.MolToSmiles(graph)
    assert np.ptp(found.positions[:, 2]) > 0.1


def test_stereo_that_a_drawing_leaves_open_is_said(tmp_path):
    graph = Chem.MolFromSmiles("CC(O)F")
    rdDepictor.Compute2DCoords(graph)

    with pytest.warns(InputWarning) as said:
        read(Chem.MolToMolBlock(graph), tmp_path)

    assert any("stereo is not stated: C2" in str(one.message) for one in said)


def test_a_molecule_that_is_flat_is_no_drawing(tmp_path):
    flat = [(label, y, z, 0.0) for label, _, y, z in WATER]

    (found,) = read(molfile(flat, ANGLED), tmp_path)

    np.testing.assert_array_equal(found.positions, [row[1:] for row in flat])


def test_bonds_of_any_kind_to_a_metal_are_coordinative(tmp_path):
    atoms = [("Zn", 2.1, 0.0, 0.12), *WATER]

    (found,) = read(molfile(atoms, [(2, 1, 8), (2, 3, 1), (2, 4, 1)], "M  CHG  1   1   2"), tmp_path)

    assert found.orders.tolist() == [ZERO_ORDER, 1.0, 1.0]
    assert found.charge == 2


@pytest.mark.parametrize("label", ["R#", "R", "*", "A", "Q", "X", "L", "LP", "Du", "Xx", "Pol"])
def test_what_is_no_element_is_named(label, tmp_path):
    atoms = [*WATER[:2], (label, *WATER[2][1:])]

    with pytest.raises(InputError, match=rf"drawn\.mol, line 1 \(w\): atom 3 \({'[*]' if label == '*' else label}\)"):
        read(molfile(atoms, ANGLED, title="w"), tmp_path)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (molfile(WATER[:2], ANGLED[:1]), r"line 1: hydrogens are missing at O1; .*\(M  CHG, M  RAD\)"),
        (molfile([("N", *WATER[0][1:]), *WATER[1:]], ANGLED), "hydrogens are missing at N1"),
        (molfile([*WATER, ("H", 0.9, 0.0, 0.4)], [*ANGLED, (1, 4, 1)]), "too many bonds at O1 for the charge"),
        (molfile(WATER, [(1, 2, 5), (1, 3, 1)]), r"bond\(s\) O1-H2 have no one order"),
        (molfile(WATER, ANGLED)[:160], "the table of 3 atoms is cut"),
        (molfile(WATER, ANGLED).replace("  1  3  1", "  1  9  1"), "tables of atoms and bonds are cut or damaged"),
        (molfile(WATER, ANGLED).replace("V2000", ""), "does not say V2000 or V3000"),
        (molfile([], []), "holds no atoms"),
        (molfile(WATER, ANGLED, "M  ISO  1   1  99"), "there is no isotope 99O"),
    ],
)
def test_what_is_no_whole_molecule_is_refused(text, told, tmp_path):
    with pytest.raises(InputError, match=told):
        read(text, tmp_path)


def test_an_odd_number_of_electrons_without_a_radical_is_refused(tmp_path):
    # Beryllium leaves no room for hydrogens that could be missed.
    with pytest.raises(InputError, match="an odd number of electrons with charge 0 and no unpaired one stated"):
        read(molfile([("Be", 0.0, 0.0, 0.1), ("H", 0.0, 0.0, 1.4)], [(1, 2, 1)]), tmp_path)


def test_molfiles_are_known_by_content_and_told_from_molden(tmp_path):
    assert single(read(molfile(WATER, ANGLED), tmp_path, "water.text")).formula == "H2O"

    with pytest.raises(InputError, match="is no MDL molfile, as far as its content tells"):
        read("nothing of the kind\n" * 5, tmp_path)
