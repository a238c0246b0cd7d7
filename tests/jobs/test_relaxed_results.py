import pytest

from forgefield.config import TargetsSection
from forgefield.errors import InputError
from forgefield.fit.metrics import judge
from forgefield.fit.relaxed_metrics import RelaxedJudge
from forgefield.fit.relaxed_targets import BondAngles, BondLengths, RelaxedEnergies, Torsions
from forgefield.fit.targets import Diagonal, Energies, OffDiagonal
from forgefield.jobs.choices import targets
from forgefield.jobs.prepare import prepare
from forgefield.jobs.relaxed_results import judge_fitted, judge_told

GEOMETRY = {"bond_length": {"tolerance": 0.01}, "bond_angle": {"tolerance": 0.5}, "torsion": {"tolerance": 1.0}}
CURVED = RelaxedJudge(curvatures=True)


def test_words_of_the_file_stand_for_targets_at_relaxed_structures():
    relaxed = TargetsSection.model_validate({**GEOMETRY, "energy": {"tolerance": 0.5, "at": "relaxed"}})
    energy = TargetsSection.model_validate({"energy": {"tolerance": 0.5}})

    assert [type(t) for t in targets(relaxed)] == [RelaxedEnergies, BondLengths, BondAngles, Torsions]
    assert [type(t) for t in targets(energy)] == [Energies]


def test_curvatures_are_compared_at_the_reference_or_at_relaxed_structures():
    eigenmatrix = {"tolerance": 1.0, "off_diagonal": 2.0}
    there = TargetsSection.model_validate({"eigenmatrix": {**eigenmatrix, "at": "relaxed"}})
    here = TargetsSection.model_validate({"eigenmatrix": eigenmatrix})

    assert [t.name for t in targets(there)] == ["eigenmatrix, relaxed", "eigenmatrix off-diagonal, relaxed"]
    assert [(t.tolerance, t.weight) for t in targets(there)] == [(1.0, 1.0), (2.0, 1.0)]
    assert [type(t) for t in targets(here)] == [Diagonal, OffDiagonal]


@pytest.mark.parametrize(
    ("wanted", "fitted", "told"),
    [
        ({"forces": {"tolerance": 1.0}}, judge, RelaxedJudge()),
        ({"hessian": {"tolerance": 1.0}}, judge, judge),
        ({"energy": {"tolerance": 1.0}}, judge, judge),
        ({"energy": {"tolerance": 1.0}, "forces": {"tolerance": 1.0}}, judge, RelaxedJudge(energies=False)),
        ({"energy": {"tolerance": 1.0, "at": "relaxed"}}, RelaxedJudge(), RelaxedJudge()),
        ({"frequencies": {"tolerance": 1.0, "at": "relaxed"}}, CURVED, CURVED),
        (GEOMETRY, RelaxedJudge(), RelaxedJudge()),
    ],
    ids=["forces", "hessian", "energy", "energy and forces", "energy relaxed", "frequencies relaxed", "geometry"],
)
def test_relaxed_structures_are_judged_wherever_forces_or_geometries_are_fitted(wanted, fitted, told):
    section = TargetsSection.model_validate(wanted)

    assert judge_fitted(section) == fitted
    assert judge_told(section) == told


def test_a_target_at_relaxed_structures_needs_a_stationary_reference(tmp_path):
    (tmp_path / "h2.xyz").write_text(
        "2\nProperties=species:S:1:pos:R:3:forces:R:3 energy=-1.0\n"
        "H 0.0 0.0 0.0 2.0 0.0 0.0\nH 0.7 0.0 0.0 -2.0 0.0 0.0\n"
    )
    (tmp_path / "FIT.toml").write_text(
        '[forcefield]\nestimate = "none"\n[[molecules]]\nreference = "h2.xyz"\n[targets]\n'
        "forces = { tolerance = 1.0 }\nbond_length = { tolerance = 0.01 }\n"
    )

    with pytest.raises(InputError, match=r"no reference has data for the target\(s\) bond_length: .*stationary"):
        prepare(tmp_path / "FIT.toml")
