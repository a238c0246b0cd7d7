"""ANI-1x: what it was trained on, its eight members, and what it is not for."""

from dataclasses import replace

import numpy as np
import pytest

from forgefield import units
from forgefield.engines.teachers.ani_teacher import AniTeacher
from forgefield.engines.teachers.teacher import products_by_differences, random_directions
from forgefield.errors import InputError
from forgefield.molecules.molecule import Molecule
from samples import WATER

METHANE = Molecule(
    "methane",
    np.array([6, 1, 1, 1, 1]),
    np.array(
        [
            [0.03192167, 0.00638559, 0.01301679],
            [-0.83140486, 0.39370209, -0.26395324],
            [-0.66518241, -0.84461308, 0.20759389],
            [0.45554739, 0.54289633, 0.81170881],
            [0.66091919, -0.16799635, -0.91037834],
        ]
    ),
)
QUANTUM = -40.4597521749503
"""Hartree; wB97X/6-31G(d) with Cartesian d functions, PySCF 2.14.0."""


def said(teacher: AniTeacher, positions: np.ndarray = METHANE.positions) -> dict[str, np.ndarray]:
    """All that it says of methane, with products along two directions."""
    found = teacher.label(replace(METHANE, positions=positions), random_directions(b"key", 2, 5))
    assert found.gradient is not None
    assert found.atomic_energies is not None
    assert found.products is not None
    values = {"gradient": found.gradient, "atoms": found.atomic_energies, "products": found.products.values}
    return values | {"energy": np.array(found.energy)}


def test_its_energies_are_those_of_the_level_that_it_was_trained_on():
    found = said(AniTeacher())

    assert float(found["energy"]) == pytest.approx(QUANTUM * units.HARTREE, abs=1.0)
    assert float(found["energy"]) == pytest.approx(float(found["atoms"].sum()), abs=1e-9)


def test_the_mean_of_its_members_is_the_committee():
    members = [said(AniTeacher(k)) for k in range(8)]

    whole = said(AniTeacher())

    assert np.ptp([member["energy"] for member in members]) > 0.01
    for name, values in whole.items():
        np.testing.assert_allclose(values, np.mean([member[name] for member in members], axis=0), rtol=1e-12, atol=1e-8)


def test_products_are_exact():
    teacher = AniTeacher(3)

    # The second derivatives of CELU jump at zero: a longer step passes over some of the jumps.
    nearly = products_by_differences(
        lambda x: said(teacher, x)["gradient"], METHANE.positions, random_directions(b"key", 2, 5), 1e-5
    )
    np.testing.assert_allclose(said(teacher)["products"], nearly.values, atol=2e-3)


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        (
            {"charge": 1, "multiplicity": 2},
            r"its charge is \+1 and its multiplicity is 2; ANI-1x knows neutral singlets",
        ),
        ({"multiplicity": 3}, "its multiplicity is 3"),
        ({"species": np.array([16, 1, 1])}, "it holds S; ANI-1x knows neutral singlets of H, C, N, O"),
    ],
)
def test_what_it_knows_nothing_of_is_refused(changed, said):
    for refused in (AniTeacher(0).check, AniTeacher(0).label):
        with pytest.raises(InputError, match=said):
            refused(replace(WATER, **changed))


def test_its_identity_names_the_member():
    one, other, whole = (AniTeacher(k).identity for k in (0, 1, None))

    assert len({one.text, other.text, whole.text}) == 3
    assert (one.name, one.options) == ("ANI-1x", {"member": 0})
    assert whole.options == {"member": "mean of 8"}
    assert "torchani 2.2.4" in whole.version
    with pytest.raises(InputError, match="no member 8"):
        AniTeacher(8)
