"""Tinker's files: what its own listing says of MM3, values worked out from its formulas, and what is not read."""

import math
import re

import numpy as np
import pytest

from forgefield.assign.explicit.rules import SystemRules
from forgefield.errors import InputError, InputWarning, MissingParameters
from forgefield.io.forcefields.native import read_native, write_rules
from forgefield.io.forcefields.tinker.files import read_structure
from forgefield.io.forcefields.tinker.reader import read_key
from forgefield.io.molecules import read_structures
from forgefield.io.rules import load
from system_energies import ours

pytestmark = pytest.mark.filterwarnings("ignore:.*another number of neighbours")
DEBYE = 4.80320471
"""D in e·Å."""
MM3 = """
forcefield MM3
bondunit 71.94
bond-cubic -2.55
bond-quartic 3.793125  !! 7/12 of its square
angleunit 0.02191418
angle-cubic -0.014
angle-quartic 0.000056
angle-pentic -0.0000007
angle-sextic 0.000000022
strbndunit 2.51118
angangunit -0.02191418
opbendtype ALLINGER
opbendunit 0.02191418
torsionunit 0.5
strtorunit -5.9975
vdwtype MM3-HBOND
a-expterm 184000.0
b-expterm 12.0
c-expterm 2.25
electric 332.0538
dielectric 1.5
N. L. Allinger, Y. H. Yuh and J.-H. Lii, J. Am. Chem. Soc. 111, 8551 (1989)
atom 1 C "CSP3 ALKANE" 6 12.000 4
atom 5 H "EXCEPT ON N,O,S" 1 1.008 1
atom 11 F "FLUORIDE" 9 18.998 1
vdw 1 2.0400 0.0270
vdw 5 1.6200 0.0200 0.923
vdw 11 1.7100 0.0750
vdwpr 1 5 3.5600 0.0230
bond 1 5 4.740 1.1120
bond 1 11 5.900 1.3900
electneg 5 1 11 -0.0076
electneg 11 1 11 -0.0305
angle 5 1 5 0.550 107.60 107.80 109.47
angle 5 1 11 0.720 108.50 109.30 107.00
angle 11 1 11 1.950 110.40
strbnd 5 1 11 0.080 0.080
strbnd 11 1 11 0.130 0.130
angang 1 0.24 0.30 0.00
"""
"""MM3(2000) for a fluoride that attacks fluoromethane. The row of an angle has no value for three more hydrogens at its
centre; Tinker takes what follows in memory, the angle of the next row, F-C-Cl."""
LISTED = {
    "Bond Stretching": "stretch",
    "Angle Bending": "bend",
    "Stretch-Bend": "stretch_bend",
    "Angle-Angle": "bend_bend",
    "Total Potential Energy": "total",
}
HEAD = """
forcefield OWN
vdwtype LENNARD-JONES
radiustype R-MIN
vdw-14-scale 2.0
chg-14-scale 1.2
electric 332.0
"""
CARBONS = """
atom 1 1 C "carbon" 6 12.0 3
atom 2 2 O "oxygen" 8 16.0 1
atom 3 1 C "carbon with another charge" 6 12.0 3
vdw 1 1.9 0.1
vdw 2 1.7 0.2
charge 1 0.1
charge 2 -0.2
charge 3 0.3
bond 1 1 300 1.4
bond 1 2 500 1.2
angle 1 1 1 60 120
angle 1 1 2 80 120
angle 2 1 2 80 120
torsion 1 1 1 2 0.5 0 1 1.5 180 2
torsion 0 1 1 0 2.0 180 2
"""
CHAIN = """5 a chain
1 O 0.1 1.2 0.0 2 2
2 C 0.0 0.0 0.0 1 1 3
3 C 1.4 -0.1 0.3 3 2 4
4 C 2.0 -1.2 -0.2 1 3 5
5 O 2.9 -1.0 -1.1 2 4
"""
FLAT = """4 a carbonyl
1 C 0.0 0.0 0.3 1 2 3 4
2 O 1.2 0.0 0.0 2 1
3 C -0.7 1.2 0.0 1 1
4 C -0.7 -1.2 0.1 1 1
"""


def written(folder, parameters, structure=CHAIN, key=""):
    (folder / "own.prm").write_text(parameters)
    (folder / "a.xyz").write_text(structure)
    (folder / "a.key").write_text(f"parameters own.prm\n{key}")
    return folder / "a.key"


def energies(path) -> dict[str, float]:
    """Return the energies by kind at the positions of the structure beside a .key."""
    return ours(read_key(path).system, read_structure(path.with_suffix(".xyz")).positions)


def angle(a, b, c) -> float:
    u, v = a - b, c - b
    return math.acos(u @ v / np.linalg.norm(u) / np.linalg.norm(v))


def dihedral(x) -> float:
    first, axis, last = np.diff(x, axis=0)
    one, other = np.cross(first, axis), np.cross(axis, last)
    return math.atan2(np.cross(one, other) @ axis / np.linalg.norm(axis), one @ other)


def test_energies_of_mm3_are_those_of_tinkers_listing(data, tmp_path):
    folder = data / "sn2" / "tinker-mm3"
    path = written(tmp_path, MM3, (folder / "sn2-ts.xyz").read_text())
    listing = (folder / "analyze-energy.txt").read_text()

    found = energies(path)

    for name, kind in LISTED.items():
        stated = re.search(rf"{name}\s:?\s*(\d+\.\d+)", listing)
        assert stated is not None
        assert found[kind] == pytest.approx(float(stated[1]), abs=1e-4), name
    assert set(found) == {*LISTED.values(), "total"}


def test_the_native_file_holds_what_is_read(data, tmp_path):
    path = written(tmp_path, MM3, (data / "sn2" / "tinker-mm3" / "sn2-ts.xyz").read_text())
    rules = load(path)

    write_rules(tmp_path / "a.json", rules)

    again = read_native(tmp_path / "a.json")
    assert isinstance(again, SystemRules)
    assert ours(again.system, read_structure(tmp_path / "a.xyz").positions) == energies(path)


def test_pairs_of_mm3_lie_between_reduced_centres_and_bonds_are_dipoles(tmp_path):
    parameters = f"{MM3}bond 5 11 5.0 0.9\ndipole 5 11 1.9 0.5\n"
    path = written(
        tmp_path, parameters, "4\n1 H 0 0 0 5 2\n2 F 0 0 0.9 11 1\n3 F 2.5 0.4 0 11 4\n4 H 2.5 0.4 0.9 5 3\n"
    )

    found = energies(path)

    h, f = np.array([0.0, 0.0, 0.9 * 0.077]), np.array([0.0, 0.0, 0.9])
    other_f, other_h = np.array([2.5, 0.4, 0.0]), np.array([2.5, 0.4, 0.9 * 0.923])
    radius, depth = {"H": 1.62, "F": 1.71}, {"H": 0.02, "F": 0.075}
    vdw = 0.0
    for a, x in (("H", h), ("F", f)):
        for b, y in (("H", other_h), ("F", other_f)):
            p = (radius[a] + radius[b]) / np.linalg.norm(x - y)
            vdw += math.sqrt(depth[a] * depth[b]) * (184000.0 * math.exp(-12.0 / p) - 2.25 * p**6)
    apart = math.hypot(2.5, 0.4)
    assert found["vdw"] == pytest.approx(vdw, rel=1e-10)
    # The dipoles are antiparallel, at right angles to what joins them.
    assert found["electrostatic"] == pytest.approx(-332.0538 / 1.5 * (1.9 / DEBYE) ** 2 / apart**3, rel=1e-7)


def test_class_one_energies_are_those_of_tinkers_formulas(tmp_path):
    found = energies(written(tmp_path, HEAD + CARBONS))

    x = read_structure(tmp_path / "a.xyz").positions
    k = {0: 500.0, 1: 300.0, 2: 300.0, 3: 500.0}
    r0 = {0: 1.2, 1: 1.4, 2: 1.4, 3: 1.2}
    stretch = sum(k[i] * (np.linalg.norm(x[i] - x[i + 1]) - r0[i]) ** 2 for i in range(4))
    bends = {0: 80.0, 1: 60.0, 2: 80.0}
    bend = sum(c * (angle(*x[i : i + 3]) - math.radians(120.0)) ** 2 for i, c in bends.items())
    phis = [dihedral(x[:4]), dihedral(x[1:])]
    torsion = sum(0.5 * (1 + math.cos(phi)) + 1.5 * (1 - math.cos(2 * phi)) for phi in phis)
    charges = [-0.2, 0.1, 0.3, 0.1, -0.2]
    near = {(0, 3): 0.5, (1, 4): 0.5, (0, 4): 1.0}
    vdw = charge = 0.0
    for (i, j), scale in near.items():
        r = np.linalg.norm(x[i] - x[j])
        radius, depth = {0: 1.7, 1: 1.9, 3: 1.9, 4: 1.7}, {0: 0.2, 1: 0.1, 3: 0.1, 4: 0.2}
        p = (radius[i] + radius[j]) / r
        vdw += scale * math.sqrt(depth[i] * depth[j]) * (p**12 - 2.0 * p**6)
        charge += (1.0 if scale == 1.0 else 1 / 1.2) * 332.0 * charges[i] * charges[j] / r
    wanted = {"stretch": stretch, "bend": bend, "torsion": torsion, "vdw": vdw, "electrostatic": charge}
    assert {kind: found[kind] for kind in wanted} == pytest.approx(wanted, rel=1e-9)


@pytest.mark.parametrize(
    ("lines", "kind", "factor"),
    [
        ("torsionunit 0.5", "torsion", 0.5),
        ("bondunit 2.0", "stretch", 2.0),
        ("electric 664.0", "electrostatic", 2.0),
        ("dielectric 4.0", "electrostatic", 0.25),
        ("bond 1 2 1000 1.2\nbond 1 1 600 1.4", "stretch", 2.0),
        ("vdw 1 1.9 0.4\nvdw 2 1.7 0.8", "vdw", 4.0),
        ("radiussize DIAMETER\nvdw 1 3.8 0.1\nvdw 2 3.4 0.2", "vdw", 1.0),
        ("vdw14 1 1.9 0.1", "vdw", 1.0),
        ("torsion 2 1 1 1 1.0 0 1 3.0 180 2", "torsion", 2.0),
        ("charge -1 0.0\ncharge -5 0.0", "electrostatic", 0.0),
    ],
)
def test_lines_of_a_key_go_before_the_parameters(tmp_path, lines, kind, factor):
    before = energies(written(tmp_path, HEAD + CARBONS))

    after = energies(written(tmp_path, HEAD + CARBONS, key=lines))

    assert after[kind] == pytest.approx(factor * before[kind], rel=1e-10)


def test_radii_may_be_sigma_and_combine_by_their_geometric_mean(tmp_path):
    usual = HEAD + CARBONS.replace("vdw 2 1.7", "vdw 2 1.9")
    sigma = usual.replace("R-MIN", "SIGMA").replace("1.9", repr(1.9 / 2 ** (1 / 6)))

    of_all = [
        energies(written(tmp_path, text, key=key))["vdw"]
        for text, key in ((usual, ""), (sigma, ""), (usual, "radiusrule GEOMETRIC"), (usual, "radiusrule CUBIC-MEAN"))
    ]

    assert of_all == pytest.approx([of_all[0]] * 4, rel=1e-12)


@pytest.mark.parametrize(
    ("row", "energy"),
    [
        ("imptors 1 1 1 2 10.5 180 2", lambda flat: flat(10.5, (2, 3, 0, 1)) / 2 + flat(10.5, (3, 2, 0, 1)) / 2),
        (
            "imptors 0 0 1 2 10.5 180 2",
            lambda flat: sum(flat(3.5, c) for c in ((1, 2, 0, 3), (2, 3, 0, 1), (3, 1, 0, 2))),
        ),
        (
            "imptors 0 0 1 0 10.5 180 2",
            lambda flat: sum(flat(3.5, c) for c in ((1, 2, 0, 3), (2, 3, 0, 1), (3, 1, 0, 2))),
        ),
    ],
)
def test_impropers_share_the_constant_of_their_row(tmp_path, row, energy):
    path = written(tmp_path, HEAD + CARBONS, FLAT, key=row)
    x = read_structure(path.with_suffix(".xyz")).positions

    found = energies(path)["torsion"]

    assert found == pytest.approx(energy(lambda k, c: k * (1 - math.cos(2 * dihedral(x[list(c)])))), rel=1e-9)


def test_angles_lie_in_the_plane_and_bends_out_of_it_have_allingers_angle(tmp_path):
    rows = "angle-trigonal IN-PLANE\nopbendtype ALLINGER\nopbend 2 1 0 0 30\nopbend 1 1 0 0 20\n"
    path = written(tmp_path, HEAD + CARBONS, FLAT, key=rows)
    centre, *ends = read_structure(path.with_suffix(".xyz")).positions
    normal = np.cross(ends[1] - ends[0], ends[2] - ends[0])
    normal /= np.linalg.norm(normal)
    height = abs((centre - ends[0]) @ normal)
    foot = centre - ((centre - ends[0]) @ normal) * normal

    found = energies(path)

    out = sum(
        k * math.asin(height / np.linalg.norm(centre - end)) ** 2 for k, end in zip((30, 20, 20), ends, strict=True)
    )
    bends = {(0, 1): 80.0, (0, 2): 80.0, (1, 2): 60.0}
    bend = sum(k * (angle(ends[i], foot, ends[j]) - math.radians(120.0)) ** 2 for (i, j), k in bends.items())
    assert found["out_of_plane"] == pytest.approx(out, rel=1e-9)
    assert found["bend"] == pytest.approx(bend, rel=1e-9)


def test_small_rings_have_rows_of_their_own(tmp_path):
    ring = "3\n1 C 0 0 0 1 2 3\n2 C 1.5 0 0 1 1 3\n3 C 0.7 1.3 0 1 1 2\n"
    rows = "bond5 1 1 1 1\nbond4 1 1 1 1\nbond3 1 1 300 1.5\n"
    path = written(tmp_path, HEAD + CARBONS.replace("12.0 3", "12.0 2"), ring, key=rows)
    x = read_structure(path.with_suffix(".xyz")).positions

    found = energies(path)["stretch"]

    pairs = ((0, 1), (1, 2), (0, 2))
    assert found == pytest.approx(sum(300.0 * (np.linalg.norm(x[i] - x[j]) - 1.5) ** 2 for i, j in pairs), rel=1e-9)


def test_a_structure_of_tinker_has_the_elements_of_its_types(tmp_path):
    path = written(tmp_path, HEAD + CARBONS)
    system = read_key(path).system

    (found,) = read_structures(tmp_path / "a.xyz", system=system)

    assert found.symbols == ("O", "C", "C", "C", "O")
    joined = load(tmp_path / f"a.xyz+{tmp_path}/own.prm")
    assert isinstance(joined, SystemRules)
    assert joined.system.n_atoms == 5


def test_all_interactions_without_a_row_are_listed_with_the_nearest(tmp_path):
    short = CARBONS.replace("bond 1 2 500 1.2\n", "").replace("angle 1 1 1 60 120\n", "")

    with pytest.raises(MissingParameters) as raised:
        read_key(written(tmp_path, HEAD + short))

    assert "2 row(s)" in str(raised.value)
    assert "bond 1 2 (atoms O1-C2); nearest: bond 1 1" in str(raised.value)
    assert "angle 1 1 1 (atoms C2-C3-C4); nearest: angle 1 1 2" in str(raised.value)


def test_atoms_with_names_of_their_own_are_called_by_them(tmp_path):
    structure = CHAIN.replace("1 O 0.1", "1 OA 0.1").replace("5 O 2.9", "5 OB 2.9")
    for number, name in (("2", "CA"), ("3", "CB"), ("4", "CG")):
        structure = structure.replace(f"\n{number} C ", f"\n{number} {name} ")

    with pytest.raises(MissingParameters, match=r"bond 1 2 \(atoms OA-CA\)"):
        read_key(written(tmp_path, HEAD + CARBONS.replace("bond 1 2 500 1.2\n", ""), structure))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"key": "forcefield MMFF94"}, "forcefield MMFF94"),
        ({"key": "vdwtype BUFFERED-14-7"}, "vdwtype BUFFERED-14-7"),
        ({"key": "bondtype MORSE"}, "bondtype MORSE"),
        ({"key": "vdw-15-scale 0.5"}, "vdw-15-scale 0.5"),
        ({"key": "chargeterm none"}, "terms are not switched"),
        ({"key": "a-axis 30.0"}, "a periodic box"),
        ({"key": "ewald"}, "a periodic box"),
        ({"key": "solvate GBSA"}, "a solvent that is a continuum"),
        ({"key": "restrain-distance 1 2 10 1"}, "restraints"),
        ({"key": "multipole 1 2 3 0.1"}, "multipole 1 2 3 0.1 (line 2 of a.key)"),
        ({"key": "pitors 1 1 6.85"}, "pitors 1 1 6.85"),
        ({"key": "bond 1 1 300"}, "line 2: 'bond 1 1 300': it has no word 5"),
        ({"key": "bond C 1 300 1.4"}, "a class or type of atoms is 'C'"),
        ({"key": "torsion 1 1 1 2 1.0 0 7"}, "a torsion of 7 folds"),
        ({"key": "charge -9 0.1"}, "there are only 5 atoms"),
        ({"key": "parameters other.prm"}, "there is no file"),
        ({"structure": CHAIN.replace("-1.1 2 4", "-1.1 9 4")}, "types 9 (atom 5) are not in"),
        ({"structure": CHAIN.replace("-1.1 2 4", "-1.1 2")}, "bonds 4-5 are named by their first atom alone"),
        ({"structure": CHAIN.replace("5 a chain", "6 a chain")}, "has 5 rows of atoms, where its head says 6"),
        ({"structure": CHAIN.replace("5 a chain", "4 a chain")}, "more than the 4 atoms"),
        ({"structure": CHAIN.replace("chain\n", "chain\n30.0 30.0 30.0 90.0 90.0 90.0\n")}, "a periodic box"),
        ({"structure": CHAIN.replace("\n4 C", "\n3 C")}, "do not have the numbers 1 to 5"),
        ({"structure": "1\nwater\nO 0 0 0\n"}, "has no numbers and types of atoms"),
        ({"parameters": HEAD}, "has no rows `atom`"),
        ({"parameters": HEAD + CARBONS.replace(" 8 16.0 1", " 0 16.0 1")}, "its atomic number 0"),
    ],
)
def test_what_is_not_read_is_named(tmp_path, change, said):
    path = written(tmp_path, **{"parameters": HEAD + CARBONS, **change})

    with pytest.raises(InputError, match=re.escape(said)):
        read_key(path)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (
            {"structure": CHAIN.replace("1 O", "1 N")},
            "called as another element than their types are: N1 (type 2 is O)",
        ),
        ({"parameters": HEAD + CARBONS.replace("8 16.0 1", "8 16.0 2")}, "O1 (1 for 2)"),
        ({"key": "cutoff 9.0"}, "cutoff is not read; pairs act at any distance"),
        ({"parameters": HEAD + CARBONS.replace("charge 2 -0.2\n", "")}, "atoms of types 2 have no charge, and get 0"),
    ],
)
def test_what_looks_wrong_is_said(tmp_path, change, said):
    path = written(tmp_path, **{"parameters": HEAD + CARBONS.replace("12.0 3", "12.0 2"), **change})

    with pytest.warns(InputWarning, match=re.escape(said)):
        read_key(path)


def test_hydrogen_bonds_of_mm3_are_refused_where_they_act(tmp_path):
    parameters = f"{MM3}bond 5 11 5.0 0.9\nhbond 5 11 2.1 1.0\n"
    path = written(
        tmp_path, parameters, "4\n1 H 0 0 0 5 2\n2 F 0 0 0.9 11 1\n3 F 2.5 0.4 0 11 4\n4 H 2.5 0.4 0.9 5 3\n"
    )

    with pytest.raises(InputError, match=re.escape("directional hydrogen bonds (hbond) 5-11 (atoms 1-3)")):
        read_key(path)
