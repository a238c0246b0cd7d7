"""`forgefield fit` with charges of a generated force field: bond charge increments and bond moments."""

import json
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from forgefield.errors import InputError
from forgefield.fitting.cost.cost import linearise
from forgefield.fitting.cost.gram import gram, obstacle
from forgefield.jobs.fit.plan.plan import Linear
from forgefield.jobs.fit.plan.prepare import prepare
from forgefield.jobs.fit.plan.starting import estimated, with_values
from samples import HARMONIC, STAGGERED, fit_toml

EXAMPLES = Path(__file__).parents[2] / "examples"

FLUOROMETHANE = """5
Properties=species:S:1:pos:R:3{columns} pbc="F F F"{about}
C 0.0 0.0 -0.64{c}
F 0.0 0.0 0.75{f}
H 0.0 1.02 -1.0{h}
H 0.89 -0.51 -1.0{h}
H -0.89 -0.51 -1.0{h}
"""
FIT = """
[forcefield]
form = "{form}"
charges = "bonds"
{more}
[[molecules]]
reference = "*.extxyz"
[targets]
forces = {{ tolerance = 5.0 }}
{targets}
[fit]
prior = {{ strength = 0.001 }}
"""
CHARGES = "charges = { tolerance = 0.02 }"
MADE = {"c": 0.1, "f": -0.25, "h": 0.05}


def frame(kinds=("esp",), charges=None, about=""):
    """Fluoromethane at rest with charges of some kinds."""
    columns = ":forces:R:3" + "".join(f":{kind}_charges:R:1" for kind in kinds)
    rows = {atom: " 0 0 0" + f" {q}" * len(kinds) for atom, q in (charges or MADE).items()}
    return FLUOROMETHANE.format(columns=columns, about=about, **rows)


@pytest.fixture
def write(tmp_path):
    def written(*frames, form="harmonic", targets=CHARGES, more=""):
        for number, text in enumerate(frames):
            (tmp_path / f"{number}.extxyz").write_text(text)
        path = tmp_path / "FIT.toml"
        path.write_text(FIT.format(form=form, targets=targets, more=more))
        return path

    return written


def of(prepared, kind):
    return {
        row.name: float(prepared.start[row.indices[0]]) for row in prepared.assignment.rows if row.term.kind == kind
    }


def test_increments_start_from_those_that_make_the_charges(write):
    prepared = prepare(write(frame()))

    expected = {"charge_increment C1-F1": 0.25, "charge_increment C1-H1": -0.05}
    assert of(prepared, "charge_increment") == pytest.approx(expected, abs=1e-12)
    assert {row.name for row in prepared.rows} >= set(expected)
    assert not prepared.warnings


def test_moments_start_from_those_that_make_the_charges(write):
    prepared = prepare(write(frame(), form="mm3"))

    expected = {"bond_moment C1-F1": 0.25 * 1.39, "bond_moment C1-H1": -0.05 * np.hypot(1.02, 0.36)}
    assert of(prepared, "bond_moment") == pytest.approx(expected, rel=5e-3)
    charges = prepared.assignment.model.charges(prepared.data.topology)
    np.testing.assert_allclose(charges, [0.1, -0.25, 0.05, 0.05, 0.05], rtol=0, atol=1e-12)


def test_constants_that_hessians_are_linear_in_are_estimated_beside_the_charges(tmp_path):
    ethane = json.loads((EXAMPLES / "ethane" / "staggered.json").read_text())
    ethane["extras"]["forgefield"]["charges_e"] = {"esp": [-0.3, -0.3, *[0.1] * 6]}
    (tmp_path / "staggered.json").write_text(json.dumps(ethane))
    text = fit_toml(STAGGERED, forcefield=HARMONIC + 'charges = "bonds"\nestimate = "linear"')
    (tmp_path / "FIT.toml").write_text(text)

    prepared = prepare(tmp_path / "FIT.toml")

    charged = with_values(prepared.assignment, prepared.start)
    again = estimated(charged, prepared.examples, Linear(), prepared.rows)
    assert of(prepared, "charge_increment")["charge_increment C1-H1"] == pytest.approx(-0.1)
    np.testing.assert_allclose(prepared.start, again.values, rtol=1e-6)


def test_without_a_target_charges_are_made_once_and_kept(write):
    prepared = prepare(write(frame(), targets=""))

    assert of(prepared, "charge_increment")["charge_increment C1-F1"] == pytest.approx(0.25)
    assert not [row.name for row in prepared.rows if row.term.kind == "charge_increment"]


def test_moments_that_are_not_trained_follow_lengths_so_that_charges_stay(write):
    prepared = prepare(write(frame(), targets="", form="mm3", more='freeze = ["stretch C1-H1 r0"]'))

    changes = prepared.changes()

    problem = prepared.problem(changes, prepared.start)
    moved = problem.model_at(problem.prior.centre + problem.prior.width)
    assert [name for name in changes.names if "moment" in name] == ["bond_moment C1-F1 moment"]
    assert not any("moment" in name for name in changes.leaders)
    assert float(moved.charges(prepared.data.topology)[1]) == pytest.approx(-0.25, abs=1e-12)
    assert obstacle(problem) is None
    assert gram(problem) is not None


def test_lengths_alone_move_no_charge(write):
    with pytest.raises(InputError, match="nothing that is trained changes a charge"):
        prepare(write(frame(), form="mm3", more='train = ["stretch*"]'))


def test_without_a_target_a_pattern_trains_them(write):
    prepared = prepare(write(frame(), targets="", more='train = ["stretch*", "charge_increment*F1"]'))

    assert [row.name for row in prepared.rows if row.term.kind != "stretch"] == ["charge_increment C1-F1"]


def test_ions_start_from_their_own_charges(write):
    cation = {"c": 0.4, "f": 0.15, "h": 0.15}
    prepared = prepare(write(frame(charges=cation, about=" charge=1 multiplicity=2")))

    charges = prepared.assignment.model.charges(prepared.data.topology)
    np.testing.assert_allclose(charges, [0.4, 0.15, 0.15, 0.15, 0.15], rtol=0, atol=1e-12)
    assert not prepared.warnings


def test_charges_of_another_total_are_left_out(write):
    path = write(frame(charges={"c": 0.4, "f": 0.15, "h": 0.15}))

    with pytest.raises(InputError, match="atomic charges that add up to the charge of its molecule"):
        prepare(path)


def test_bonds_without_reference_charges_are_told(write, tmp_path):
    without = frame(kinds=()).replace("F 0.0", "Cl 0.0")

    prepared = prepare(write(frame(), without))

    assert any("start from zero: charge_increment C2-Cl1, charge_increment C2-H1" in w for w in prepared.warnings)


@pytest.mark.parametrize("targets", [CHARGES, ""], ids=["target", "start"])
def test_references_without_charges_are_refused(forgefield, write, targets):
    result = forgefield("fit", write(frame(kinds=()), targets=targets), "--check")

    assert result.exit_code == 2
    assert "none of the files holds atomic charges" in result.stderr


def test_kinds_that_differ_are_refused(forgefield, write):
    result = forgefield("fit", write(frame(), frame(kinds=("npa",)), targets=""), "--check")

    assert result.exit_code == 2
    assert 'charges = { tolerance = 0.05, kind = "esp" }' in " ".join(result.stderr.split())


def test_the_key_is_refused_beside_a_file(forgefield, write, tmp_path):
    (tmp_path / "other.fld").write_text("")

    result = forgefield("fit", write(frame(), more='start = "other.fld"', form="mm3"), "--check")

    assert result.exit_code == 2
    assert "other.fld has its own" in result.stderr


PEROXIDE = """4
Properties=species:S:1:pos:R:3:forces:R:3:esp_charges:R:1 pbc="F F F"
H 0.9 0.2 0.3 0 0 0 0.4
O 0.7 0.0 -0.6 0 0 0 -0.4
O -0.7 0.0 -0.6 0 0 0 -0.4
H -0.9 0.2 0.3 0 0 0 0.4
"""


@pytest.mark.slow
@pytest.mark.parametrize("form", ["harmonic", "mm3"])
def test_forces_of_charges_answer_to_what_makes_them(write, form):
    charges = "charge*" if form == "harmonic" else "bond_moment*"
    prepared = prepare(write(PEROXIDE, form=form, more=f'train = ["stretch*", "{charges}"]'))
    problem = prepared.problem(prepared.changes(), prepared.start)
    linear = jax.jit(lambda at: linearise(problem, at))
    at, step = jnp.linspace(-0.4, 0.3, problem.n_free), 1e-5

    steps = [step * one for one in jnp.eye(problem.n_free)]
    ahead, behind = ([linear(at + s * one).residuals for one in steps] for s in (1.0, -1.0))

    charged = [name.startswith(("charge", "bond_moment")) for name in prepared.changes().names]
    assert [target.name for target in problem.targets] == ["forces", "charges"]
    for k, exact in enumerate(linear(at).jacobians[:2]):
        slopes = np.stack([(a[k] - b[k]) / (2.0 * step) for a, b in zip(ahead, behind, strict=True)], axis=1)
        np.testing.assert_allclose(exact, slopes, rtol=0, atol=1e-7 * float(np.abs(slopes).max()))
        assert np.abs(np.asarray(exact)[:, charged]).max() > 0.01


@pytest.mark.slow
@pytest.mark.parametrize("form", ["harmonic", "mm3"])
def test_a_fit_meets_charges_and_forces_and_keeps_the_total(forgefield, write, tmp_path, form):
    result = forgefield("fit", write(frame(), form=form), "--json")

    assert result.exit_code == 0, result.stderr
    final = json.loads(result.stdout)["metrics"]["final"]
    assert final["charge_rmsd_e"] < 1e-3
    assert final["force_max_kcal_mol_a"] < 1.0
    (structure,) = tmp_path.glob("**/*.mol2") if form == "harmonic" else (None,)
    if structure is not None:
        atoms = structure.read_text().partition("ATOM\n")[2].partition("@")[0].splitlines()
        assert sum(float(row.split()[-1]) for row in atoms) == pytest.approx(0.0, abs=1e-9)
