"""The main job on small molecules: what it writes, how it goes on after an interruption, what it warns of."""

import json

import jax.numpy as jnp
import numpy as np
import pytest

from forgefield.errors import InputError
from forgefield.io.rules import load
from forgefield.jobs.fit.fit_job import Outcome, plain, run_fit
from forgefield.jobs.fit.plan.prepare import prepare
from forgefield.properties.derivatives import energies
from samples import CH3F, FORCES, FREQUENCIES, HARMONIC, STAGGERED, fit_toml, molecule


def text(targets):
    return fit_toml(CH3F, targets=targets, fit="starts = 2\nmax_steps = 200\nprior = { strength = 0.01 }")


@pytest.fixture(scope="module")
def ch3f(project):
    """A FIT.toml for fluoromethane with both targets."""
    return project(text(FREQUENCIES + FORCES))


@pytest.fixture(scope="module")
def finished(ch3f):
    return run_fit(prepare(ch3f), ch3f.parent / "finished")


@pytest.fixture(scope="module")
def results(ch3f, finished):
    """What results.json holds; NaN and infinity are no JSON."""
    return json.loads((ch3f.parent / "finished/results.json").read_text(), parse_constant=pytest.fail)


def interrupted_at(iteration):
    def tell(stage, progress):
        if progress.n_iterations == iteration:
            raise KeyboardInterrupt

    return tell


def test_all_files_are_written(ch3f, finished):
    found = {file.name for file in (ch3f.parent / "finished").iterdir()}

    assert found >= {
        "FIT.toml",
        "results.json",
        "report.html",
        "fit.log",
        "checkpoint.safetensors",
        "forcefield.frcmod",
        "forcefield.json",
    }
    assert set(finished.record.files) <= found


def test_outcome_holds_the_force_field_that_its_folder_holds(ch3f, finished: Outcome):
    (molecule,) = [example.molecule for example in prepare(ch3f).examples]
    x = jnp.asarray(molecule.positions)

    kept = [energies(*rules.lay([molecule]), x) for rules in (finished.force_field, load(ch3f.parent / "finished"))]

    np.testing.assert_allclose(kept[0], kept[1], rtol=1e-12)


def test_results_have_the_documented_keys(results):
    asked_for = {"fit", "metrics", "targets", "parameters", "molecules", "warnings", "provenance"}
    assert set(results) == asked_for | {
        *(
            "identifiability",
            "validation",
            "skipped",
            "opposition",
            "trade_off",
            "row_deviations",
            "row_geometry",
            "not_for",
            "scans",
            "left_out",
            "citations",
            "sensitivities",
        )
    }
    assert results["validation"] is None
    assert results["trade_off"] is None
    assert results["left_out"] is None
    assert (results["skipped"], results["scans"]) == ([], [])
    assert set(results["fit"]) >= {"success", "message", "iterations", "starts", "wall_s", "compile_s", "run_s"}
    figures = {
        *("frequency_rmsd_cm1", "frequency_rmsd_sorted_cm1", "eigenmatrix_r2", "eigenmatrix_rmsd_cm1"),
        *("force_max_kcal_mol_a", "mode_overlap_share", "reaction_mode_cm1", "bond_rmsd_a", "angle_rmsd_deg"),
        *("torsion_rmsd_deg", "energy_rmsd_kcal_mol", "charge_rmsd_e"),
    }
    assert set(results["metrics"]["start"]) == set(results["metrics"]["final"]) == figures
    row = {"name", "term", "unit", "start", "value", "sigma", "prior", "at_bound", "trained"}
    assert all(set(parameter) >= row for parameter in results["parameters"])
    (molecule,) = results["molecules"]
    assert set(molecule) >= {"name", "atoms", "frequencies", *figures}
    assert set(molecule["frequencies"][0]) == {"qm", "mm", "overlap", "start"}
    assert set(results["provenance"]) >= {"version", "input_sha256", "packages", "device", "precision"}


def test_results_tell_a_successful_fit(results):
    assert results["fit"]["success"] is True
    assert results["fit"]["starts"] == 2
    assert results["metrics"]["final"]["frequency_rmsd_cm1"] < results["metrics"]["start"]["frequency_rmsd_cm1"]
    assert results["metrics"]["final"]["energy_rmsd_kcal_mol"] is None
    assert all(p["trained"] and p["sigma"] > 0.0 for p in results["parameters"])


def test_resumed_fit_gives_the_same_values(ch3f, finished):
    output = ch3f.parent / "resumed"

    stopped = run_fit(prepare(ch3f), output, tell=interrupted_at(2))
    resumed = run_fit(prepare(ch3f), output, resume=True)

    assert stopped.passes[0].fit.interrupted
    assert resumed.passes[0].fit.success
    np.testing.assert_array_equal(resumed.values, finished.values)


def test_interrupted_fit_writes_the_best_so_far(ch3f, finished):
    output = ch3f.parent / "stopped"

    stopped = run_fit(prepare(ch3f), output, tell=interrupted_at(3))

    told = json.loads((output / "results.json").read_text())
    assert not told["fit"]["success"]
    assert "interrupted" in told["fit"]["message"]
    assert any("did not succeed" in warning for warning in told["warnings"])
    first, best = finished.passes[0].fit.costs[0], stopped.passes[0].fit.quadratic.cost
    assert finished.passes[0].fit.quadratic.cost < best < first


def test_finished_fit_resumed_changes_nothing(ch3f, finished):
    again = run_fit(prepare(ch3f), ch3f.parent / "finished", resume=True)

    np.testing.assert_array_equal(again.values, finished.values)
    assert again.passes[0].fit.success


def test_checkpoint_of_changed_input_is_refused(ch3f, finished):
    ch3f.with_name("OTHER.toml").write_text(ch3f.read_text() + "# changed\n")

    with pytest.raises(InputError, match="the checkpoint belongs to other input"):
        run_fit(prepare(ch3f.with_name("OTHER.toml")), ch3f.parent / "finished", resume=True)


def test_checkpoint_of_another_number_of_starts_is_refused(ch3f, finished):
    with pytest.raises(InputError, match="checkpoint is of another fit"):
        run_fit(prepare(ch3f, starts=3), ch3f.parent / "finished", resume=True)


def test_folder_that_is_a_file_is_refused(ch3f):
    with pytest.raises(InputError, match=r"ch3f\.json: cannot be the folder of results"):
        run_fit(prepare(ch3f), ch3f.with_name("ch3f.json"))


@pytest.mark.slow
def test_curvatures_along_its_modes_alone_leave_parameters_of_fluoromethane_open(project):
    path = project(text("eigenmatrix = { tolerance = 20.0 }"))

    outcome = run_fit(prepare(path), path.parent / "out")

    told = outcome.record.results
    (warning,) = [w for w in told["warnings"] if "undetermined" in w]
    open_ = told["identifiability"]["undetermined"]
    assert "stretch C1-F1 r0" in open_
    assert told["identifiability"]["n_undetermined"] > 0
    assert all(name in warning for name in open_)


@pytest.mark.slow
def test_energy_of_rotation_determines_only_the_threefold_term_of_ethane(project):
    forcefield = f'{HARMONIC}terms = ["torsion"]\ntrain = ["torsion*"]'
    ethane = STAGGERED, molecule("eclipsed", "D")
    path = project(fit_toml(*ethane, forcefield=forcefield, targets="energy = { tolerance = 0.1 }"))

    outcome = run_fit(prepare(path), path.parent / "out")

    told = outcome.record.results
    (warning,) = [w for w in told["warnings"] if "undetermined" in w]
    assert "2 combination(s)" in warning
    assert "v1, " in warning
    assert warning.endswith("v2.")
    assert told["metrics"]["final"]["energy_rmsd_kcal_mol"] < 0.01


def test_plain_values_are_those_of_json():
    value = {"a": np.float64(np.nan), "b": (np.arange(2), np.bool_(True)), 3: [np.inf, 1.5, None]}

    assert plain(value) == {"a": None, "b": [[0, 1], True], "3": [None, 1.5, None]}


def test_forces_of_the_parity_plot_point_down_the_gradient_of_the_file(ch3f, finished):
    content = json.loads((ch3f.parent / "ch3f.json").read_text())
    # Hartree/Bohr to kcal/mol/Å.
    gradient = 1185.821 * np.array(content["properties"]["return_gradient"])

    (parity,) = (one for one in finished.record.parities if one.target == "forces")

    np.testing.assert_allclose(parity.reference, -gradient, rtol=1e-5, atol=1e-9)
