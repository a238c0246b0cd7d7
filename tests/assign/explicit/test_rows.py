"""Interactions of equal types and equal values share a row; a split gives some of them one of their own."""

from dataclasses import replace

import numpy as np
import pytest

from forgefield.assign.explicit import rows
from forgefield.assign.explicit.rows import rowed
from forgefield.assign.explicit.rules import SystemRules
from forgefield.assign.explicit.system import Stated, System, ThroughSpace, chemical_bonds
from forgefield.errors import InputError
from forgefield.io.selection import selected_rows, split
from forgefield.molecules.molecule import Molecule
from forgefield.terms.bend import HARMONIC_BEND
from forgefield.terms.nonbonded import LENNARD_JONES
from forgefield.terms.periodic import PERIODIC_TORSION
from forgefield.terms.stretch import HARMONIC_STRETCH

PEROXIDE = np.array([[0.9, 0.3, 0.0], [0.0, 0.0, 0.0], [-0.3, 1.4, 0.0], [-0.2, 1.5, 0.95]])


def peroxide() -> System:
    """H-O-O-H, of which one hydrogen is held more tightly."""
    stretches = Stated(
        HARMONIC_STRETCH,
        np.array([[0, 1], [1, 2], [3, 2]]),
        np.array([[900.0, 0.96], [500.0, 1.46], [950.0, 0.96]]),
    )
    bends = Stated(HARMONIC_BEND, np.array([[0, 1, 2], [1, 2, 3]]), np.array([[90.0, 1.7]] * 2))
    torsions = Stated(PERIODIC_TORSION, np.array([[0, 1, 2, 3]] * 2), np.array([[1.0, 2.0, 0.0], [0.5, 3.0, 0.0]]))
    return System(
        source="peroxide",
        program="a test",
        species=np.array([1, 8, 8, 1]),
        bonds=np.array([[0, 1], [1, 2], [2, 3]]),
        types=("ho", "oh", "oh", "ho"),
        names=("H1", "O1", "O2", "H2"),
        residues=("MOL1",) * 4,
        masses=np.array([1.008, 16.0, 16.0, 1.008]),
        interactions=(stretches, bends, torsions),
        through_space=ThroughSpace(
            LENNARD_JONES,
            np.array([[0.3, 0.05], [1.7, 0.2]])[[0, 1, 1, 0]],
            np.array([0.4, -0.4, -0.4, 0.4]),
            332.0,
            np.array([[0, 1], [1, 2], [2, 3], [0, 2], [1, 3], [0, 3]]),
            np.array([[0.0, 0.0]] * 5 + [[0.5, 0.8]]),
        ),
    )


def test_equal_types_and_values_share_a_row_and_others_are_told_apart():
    names = [row.name for row in rowed(peroxide()).rows]

    assert names == [
        "stretch ho-oh",
        "stretch oh-oh",
        "stretch ho-oh #2",
        "bend ho-oh-oh",
        "torsion ho-oh-oh-ho n2",
        "torsion ho-oh-oh-ho n3",
        "vdw ho",
        "vdw oh",
        "electrostatic H1",
        "electrostatic O1",
        "electrostatic O2",
        "electrostatic H2",
    ]


def test_values_that_changed_are_those_of_the_interactions():
    rules = SystemRules(peroxide())
    values = rules.rowed.values + np.arange(len(rules.rowed.values))

    again = rules.with_values(values).system

    np.testing.assert_allclose(again.interactions[1].values, [[90.0 + 6, 1.7 + 7]] * 2)
    np.testing.assert_allclose(again.interactions[0].values[2], [950.0 + 4, 0.96 + 5])
    # Behind the rows stand the scales of pairs, which a system has of its own.
    np.testing.assert_allclose(SystemRules(again).rowed.values[:22], values[:22])


def molecule() -> Molecule:
    return peroxide().structure(PEROXIDE, "peroxide", "peroxide.xyz")


@pytest.mark.parametrize(
    ("pattern", "chosen"),
    [
        ("stretch oh-ho", ["stretch ho-oh", "stretch ho-oh #2"]),
        ("stretch ho-oh #2", ["stretch ho-oh #2"]),
        ("torsion *-oh-oh-*", ["torsion ho-oh-oh-ho n2", "torsion ho-oh-oh-ho n3"]),
        ("smarts:[#1]O", ["stretch ho-oh", "stretch ho-oh #2"]),
        ("smarts:O[O:1][H:2]", ["stretch ho-oh", "stretch ho-oh #2"]),
        ("smarts:OO", ["stretch oh-oh"]),
        ("atoms:O2-H2", ["stretch ho-oh #2"]),
        ("bend atoms:O1-O*-H?", ["bend ho-oh-oh"]),
        ("vdw h*", ["vdw ho"]),
    ],
)
def test_patterns_select_rows_by_types_smarts_and_names(pattern, chosen):
    assignment = SystemRules(peroxide()).assign([molecule()])

    found = selected_rows(assignment, [molecule()], [pattern], "train")

    assert [row.name for row in found] == chosen


@pytest.mark.parametrize(
    ("pattern", "message"),
    [
        ("torsion c3-*-*-*", r"train = \['torsion c3-\*-\*-\*'\] matches no row of the force field; types are ho, oh"),
        ("bend smarts:OO", "matches no row of the force field; smarts:OO matches O1-O2, O2-O1, which is no such"),
        ("smarts:[#7]", r"matches no row of the force field; smarts:\[#7\] matches no atoms"),
        ("smarts:[#6", r'"smarts:\[#6" is no SMARTS'),
        ("atoms:O1-H9", "matches no row of the force field; atoms are called H1, O1, O2, H2"),
    ],
)
def test_a_pattern_that_selects_nothing_is_refused(pattern, message):
    assignment = SystemRules(peroxide()).assign([molecule()])

    with pytest.raises(InputError, match=message):
        selected_rows(assignment, [molecule()], ["bend *", pattern], "train")


def test_what_is_split_has_a_row_of_its_own_with_what_symmetry_makes_the_same():
    alike = peroxide().interactions[0]
    alike = replace(alike, values=np.array([[900.0, 0.96], [500.0, 1.46], [900.0, 0.96]]))
    system = replace(peroxide(), interactions=(alike, *peroxide().interactions[1:]), types=("x", "oh", "oh", "x"))
    other = replace(system, types=("x", "oh", "oh", "y"))

    symmetric, told = (split(SystemRules(one), ["stretch atoms:H1-O1"]).rowed.rows for one in (system, other))

    assert [row.name for row in symmetric][:2] == ["stretch H1-O1", "stretch oh-oh"]
    assert [row.name for row in told][:3] == ["stretch H1-O1", "stretch oh-oh", "stretch oh-y"]
    with pytest.raises(InputError, match='"atoms:N1-O1" selects no interaction of peroxide; atoms are called H1'):
        split(SystemRules(system), ["atoms:N1-O1"])


@pytest.mark.parametrize("pattern", ["bend *", "bend ho-oh-oh", "torsion * n2"])
def test_rows_are_split_by_the_names_that_they_have(pattern):
    rows = split(SystemRules(peroxide()), [pattern]).rowed.rows

    names = {row.name for row in rows if row.term.kind == pattern.split()[0]}
    assert names == ({"bend H1-O1-O2"} if "bend" in pattern else {"torsion H1-O1-O2-H2 n2", "torsion H1-O1-O2-H2 n3"})


def test_a_system_that_is_too_large_is_named_and_not_begun(monkeypatch):
    monkeypatch.setattr(rows, "MOST_PAIRS", 11)
    rules = SystemRules(peroxide())

    rules.assign([molecule()])

    with pytest.raises(InputError, match=r"peroxide: 4 atoms in 2 structure\(s\) make 12 pairs"):
        rules.assign([molecule(), molecule()])


def test_springs_between_hydrogens_of_water_are_no_bonds():
    bonds = chemical_bonds(np.array([8, 1, 1, 1, 1]), np.array([[1, 0], [0, 2], [1, 2], [3, 4]]))

    assert bonds.tolist() == [[0, 1], [0, 2], [3, 4]]
