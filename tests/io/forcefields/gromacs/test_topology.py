"""GROMACS topologies, held against what GROMACS prints for the same files, and their functions against formulas."""

import json
import re
from math import cos, pi, sqrt
from pathlib import Path

import jax.numpy as jnp
import numpy as np
import pytest

from forgefield import units
from forgefield.errors import InputError, MissingParameters
from forgefield.io.forcefields.gromacs.topology import COULOMB, read_top
from forgefield.jobs.evaluate import evaluate
from forgefield.molecules.molecule import Molecule
from forgefield.properties.derivatives import energies

MOLECULES = ["paracetamol", "propionitrile", "nmethylacetamide", "thiazole", "aladip"]
FIELDS = ["oplsaa", "charmm27"]
KINDS = {
    ("stretch",): ("Bond",),
    ("bend", "urey_bradley"): ("Angle", "U-B"),
    ("torsion", "improper"): ("Proper Dih.", "Ryckaert-Bell.", "Per. Imp. Dih.", "Improper Dih."),
    ("cmap",): ("CMAP Dih.",),
    ("vdw",): ("LJ-14", "LJ (SR)"),
    ("electrostatic",): ("Coulomb-14", "Coulomb (SR)"),
    ("total",): ("Potential",),
}


def require_same(topology: Path, stated: dict[str, float]) -> None:
    """Compare the energies of a topology at its .gro with those of GROMACS [kcal/mol]."""
    (found,) = evaluate(topology, [topology.with_suffix(".gro")]).totals_kj_mol
    for ours, theirs in KINDS.items():
        energy = sum(found.get(kind, 0.0) for kind in ours) * units.KILOJOULE
        assert energy == pytest.approx(sum(stated.get(kind, 0.0) for kind in theirs), abs=1e-6), ours


@pytest.mark.slow
@pytest.mark.parametrize("name", MOLECULES)
def test_energies_are_those_of_gromacs(data, name):
    folder = data / "programs" / "amber"

    require_same(folder / f"{name}.top", json.loads((folder / "energies.json").read_text())[name]["gromacs_double"])


@pytest.mark.parametrize("field", FIELDS)
def test_energies_of_its_own_force_fields_are_those_of_gromacs(data, field):
    if not Path(f"/usr/share/gromacs/top/{field}.ff").is_dir():
        pytest.skip("no GROMACS (apt-get install gromacs-data)")
    folder = data / "programs" / "gromacs"

    require_same(folder / f"aladip_{field}.top", json.loads((folder / "energies.json").read_text())[field])


ATOMS = np.array([[0.0, 0.1, 0.0], [1.4, 0.0, 0.2], [1.9, 1.4, 0.0], [3.3, 1.5, 0.7]])
R, ANGLE, DIHEDRAL = 1.4, 1.7, 2.0
TEXT = """
#define FUNCTION {bond}
[ defaults ]
1 {rule} yes 0.5 0.8
[ atomtypes ]
CA C 6 12.011 0.1 A {first}
CB C 6 12.011 -0.1 A {second}
#ifdef NEVER
[ nothing ]
this is not read
#else
[ bondtypes ]
C C 1 0.14 0.0
[ angletypes ]
C C C 1 100.0 0.0
[ dihedraltypes ]
X C C X 1 0.0 0.0 1
#endif
[ moleculetype ]
chain {excluded}
[ atoms ]
1 CA 1 MOL C1 1
2 CB 1 MOL C2 1
3 CA 1 MOL C3 1
4 CB 1 MOL C4 1 -0.1 12.011
[ bonds ]
1 2 FUNCTION
2 3 1
3 4 \\
  1
[ pairs ]
{pairs}
[ angles ]
1 2 3 {angle}
2 3 4 1 ; by type
[ dihedrals ]
1 2 3 4 {dihedral}
[ system ]
one chain
[ molecules ]
chain {count}
"""
PLAIN = {
    "rule": 2, "first": "0.0 0.0", "second": "0.0 0.0", "excluded": 4, "bond": "1", "angle": "1", "dihedral": "1",
    "count": 1, "pairs": "",
}  # fmt: skip


def written(folder: Path, **changes) -> Path:
    (folder / "chain.top").write_text(TEXT.format(**(PLAIN | changes)))
    return folder / "chain.top"


def energy(path: Path) -> float:
    """The energy of the chain [kJ/mol]."""
    model, topology = read_top(path).lay([Molecule("chain", np.full(4, 6), ATOMS)])
    return float(energies(model, topology, jnp.asarray(ATOMS))[0]) / units.KILOJOULE


def length(i: int, j: int) -> float:
    """nm"""
    return float(np.linalg.norm(ATOMS[i] - ATOMS[j])) / 10.0


def theta() -> float:
    a, b = ATOMS[0] - ATOMS[1], ATOMS[2] - ATOMS[1]
    return float(np.arccos(a @ b / np.linalg.norm(a) / np.linalg.norm(b)))


def phi() -> float:
    a, b, c = np.diff(ATOMS, axis=0)
    return float(np.arctan2(np.linalg.norm(b) * (a @ np.cross(b, c)), np.cross(a, b) @ np.cross(b, c)))


def fourier(f1: float, f2: float, f3: float, f4: float) -> float:
    p = phi()
    return 0.5 * (f1 * (1 + cos(p)) + f2 * (1 - cos(2 * p)) + f3 * (1 + cos(3 * p)) + f4 * (1 - cos(4 * p)))


B, T, P = length(0, 1), theta(), phi()
FUNCTIONS = [
    ({"bond": "1 0.13 1000"}, 0.5 * 1000 * (B - 0.13) ** 2),
    ({"bond": "2 0.13 90000"}, 0.25 * 90000 * (B**2 - 0.13**2) ** 2),
    ({"bond": "3 0.13 400 20"}, 400 * (1 - np.exp(-20 * (B - 0.13))) ** 2),
    ({"bond": "4 0.13 1000 -9"}, 1000 * (B - 0.13) ** 2 * (1 - 9 * (B - 0.13))),
    ({"bond": "5"}, 0.0),
    ({"angle": "1 100 300"}, 0.5 * 300 * (T - np.radians(100)) ** 2),
    ({"angle": "2 100 300"}, 0.5 * 300 * (cos(T) - cos(np.radians(100))) ** 2),
    ({"angle": "3 0.13 0.15 3000"}, 3000 * (B - 0.13) * (length(1, 2) - 0.15)),
    (
        {"angle": "4 0.13 0.15 0.25 3000"},
        3000 * (length(0, 2) - 0.25) * (B - 0.13 + length(1, 2) - 0.15),
    ),
    (
        {"angle": "5 100 300 0.25 3000"},
        0.5 * 300 * (T - np.radians(100)) ** 2 + 0.5 * 3000 * (length(0, 2) - 0.25) ** 2,
    ),
    (
        {"angle": "6 100 1 2 3 4 5"},
        sum(c * (T - np.radians(100)) ** n for n, c in enumerate((1, 2, 3, 4, 5))),
    ),
    ({"angle": "10 100 300"}, 0.5 * 300 * (cos(T) - cos(np.radians(100))) ** 2 / np.sin(T) ** 2),
    ({"dihedral": "1 30 7 2"}, 7 * (1 + cos(2 * P - np.radians(30)))),
    ({"dihedral": "2 30 70"}, 0.5 * 70 * (P - np.radians(30)) ** 2),
    ({"dihedral": "3 1 2 3 4 5 6"}, sum(c * cos(P - pi) ** n for n, c in enumerate((1, 2, 3, 4, 5, 6)))),
    ({"dihedral": "4 180 7 2"}, 7 * (1 + cos(2 * P - pi))),
    ({"dihedral": "5 1 2 3 4"}, fourier(1, 2, 3, 4)),
    ({"dihedral": "9 30 7 3"}, 7 * (1 + cos(3 * P - np.radians(30)))),
]


@pytest.mark.parametrize(("changes", "wanted"), FUNCTIONS, ids=lambda one: str(one)[:30])
def test_functions_are_those_of_the_manual(tmp_path, changes, wanted):
    changes = {key: value.replace("FUNCTION", "") for key, value in changes.items()}

    assert energy(written(tmp_path, **changes)) == pytest.approx(wanted, rel=1e-9, abs=1e-9)


def test_a_spring_that_is_no_bond_excludes_nothing(tmp_path):
    charges = (-0.1 * 0.1 / (10 * length(0, 1)), 0.1 * 0.1 / (10 * length(0, 2)), -0.1 * 0.1 / (10 * length(0, 3)))

    found = energy(written(tmp_path, bond="6 0.13 1000"))

    between = sum(charges) * COULOMB / units.KILOJOULE
    assert found == pytest.approx(0.5 * 1000 * (B - 0.13) ** 2 + between, rel=1e-9)


def lennard_jones(sigma: float, epsilon: float) -> float:
    return 4.0 * epsilon * ((sigma / length(0, 3)) ** 12 - (sigma / length(0, 3)) ** 6)


CHARGES = 0.8 * 0.1 * -0.1 * COULOMB / units.KILOJOULE / (10.0 * length(0, 3))
FIRST, SECOND = (0.3, 0.4), (0.35, 0.9)
C6 = [4.0 * e * s**6 for s, e in (FIRST, SECOND)]
C12 = [4.0 * e * s**12 for s, e in (FIRST, SECOND)]
PAIRS = [
    ({"rule": 2}, lennard_jones(0.325, 0.5 * 0.6)),
    ({"rule": 3}, lennard_jones(sqrt(0.3 * 0.35), 0.5 * 0.6)),
    ({"rule": 1, "first": f"{C6[0]:.12e} {C12[0]:.12e}", "second": f"{C6[1]:.12e} {C12[1]:.12e}"},
     lennard_jones(sqrt(0.3 * 0.35), 0.5 * 0.6)),
    ({"rule": 2, "pairs": "1 4 1 0.31 0.7"}, lennard_jones(0.31, 0.7)),
]  # fmt: skip


@pytest.mark.parametrize(("changes", "wanted"), PAIRS, ids=["arithmetic", "geometric", "coefficients", "own"])
def test_pairs_combine_as_the_rule_says(tmp_path, changes, wanted):
    given = {"first": "0.3 0.4", "second": "0.35 0.9", "excluded": 3, "pairs": "1 4 1"} | changes

    assert energy(written(tmp_path, **given)) == pytest.approx(wanted + CHARGES, rel=1e-8)


def test_atoms_that_are_not_excluded_interact_in_full(tmp_path):
    path = written(tmp_path, first="0.3 0.4", second="0.35 0.9", excluded=2)

    assert energy(path) == pytest.approx(lennard_jones(0.325, 0.6) + CHARGES / 0.8, rel=1e-9)


def test_pairs_of_types_that_do_not_combine_have_their_own(tmp_path):
    own = "[ nonbond_params ]\nCA CB 1 0.31 0.7\n"
    path = written(tmp_path, first="0.3 0.4", second="0.35 0.9", excluded=2)
    path.write_text(path.read_text().replace("[ bondtypes ]", f"{own}[ bondtypes ]"))

    assert energy(path) == pytest.approx(lennard_jones(0.31, 0.7) + CHARGES / 0.8, rel=1e-9)


def test_the_type_with_the_fewest_wildcards_counts_and_series_add_up(tmp_path):
    path = written(tmp_path, dihedral="9")
    rows = "C C C C 9 0 3 1\nC C C C 9 180 5 2\nX C C X 9 0 100 1"
    path.write_text(path.read_text().replace("X C C X 1 0.0 0.0 1", rows))

    assert energy(path) == pytest.approx(3 * (1 + cos(P)) + 5 * (1 + cos(2 * P - pi)), rel=1e-9)


def test_several_molecules_do_not_share_bonds(tmp_path):
    path = written(tmp_path, bond="1 0.13 1000", count=2)
    far = Molecule("two", np.full(8, 6), np.concatenate([ATOMS, ATOMS + 20.0]))

    model, topology = read_top(path).lay([far])

    found = float(energies(model, topology, jnp.asarray(far.positions))[0]) / units.KILOJOULE
    between = sum(
        (0.1 if i % 2 == 0 else -0.1) * (0.1 if j % 2 == 0 else -0.1) * COULOMB
        / np.linalg.norm(ATOMS[i] - ATOMS[j] - 20.0)
        for i in range(4) for j in range(4)
    )  # fmt: skip
    assert found == pytest.approx(2 * 0.5 * 1000 * (B - 0.13) ** 2 + between / units.KILOJOULE, rel=1e-9)


@pytest.mark.parametrize(
    ("old", "new", "error", "message"),
    [
        ("[ bondtypes ]", '#include "nowhere.itp"', InputError, "nowhere.itp is not found in"),
        (
            "1 2 FUNCTION",
            "1 2 12",
            InputError,
            "line 27: '1 2 12': function 12 of [ bonds ] is not known; known are 1, 2, 3",
        ),
        ("1 2 FUNCTION", "1 2 8 1 2", InputError, "function 8 of [ bonds ] is tabulated and not computed"),
        ("1 2 FUNCTION", "1 2 1 0.1", InputError, "function 1 of [ bonds ] has 2 parameters, not 1"),
        ("1 2 FUNCTION", "1 5 1", InputError, "names atoms that there are not, of 4"),
        ("C C C 1 100.0 0.0", "", MissingParameters, "molecule chain: no parameters for angle C-C-C (function 1)"),
        ("[ system ]", "[ constraints ]\n1 2 1 0.1\n[ system ]", InputError, "[ constraints ]: constraints are not"),
        ("[ system ]", "[ virtual_sites3 ]\n4 1 2 3 1 0.1 0.1\n[ system ]", InputError, "virtual sites are not"),
        ("[ system ]", "[ nonsense ]\n1 2 3\n[ system ]", InputError, "[ nonsense ] is no section of GROMACS'"),
        ("[ system ]", "[ settles ]\n1 1 0.1 0.1\n[ system ]", InputError, "#define FLEXIBLE"),
        ("1 2 yes", "2 2 yes", InputError, "the Buckingham potential is not computed"),
        ("CA C 6 12.011 0.1 A", "CA C 6 12.011 0.1 V", InputError, "particles of type V, such as virtual sites"),
        ("CA C 6 12.011", "CA C 15.035", InputError, "united atoms are not computed"),
        ("1 CA 1 MOL C1 1", "1 CX 1 MOL C1 1", InputError, "there is no [ atomtypes ] row for 'CX'"),
        ("chain 1\n", "water 1\n", InputError, "there is no [ moleculetype ] water; known are chain"),
        ("#endif", "", InputError, "an #ifdef or #ifndef has no #endif"),
        (
            "[ moleculetype ]",
            "[ cmaptypes ]\nC C C C C 1 2 2 0.0 1.0 2.0\n[ moleculetype ]",
            InputError,
            "a correction map of 2 by 2 has 3 values; it must be square and whole",
        ),
        (
            "[ moleculetype ]",
            f"[ cmaptypes ]\nC C C C C 1 24 24{' 0.25' * 100}\n[ moleculetype ]",
            InputError,
            f"'C C C C C 1 24 24{' 0.25' * 20} 0. …': a correction map of 24 by 24 has 100 values",
        ),
    ],
)
def test_what_cannot_be_read_is_named(tmp_path, old, new, error, message):
    path = written(tmp_path)
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))

    with pytest.raises(error, match=re.escape(message)):
        read_top(path)
