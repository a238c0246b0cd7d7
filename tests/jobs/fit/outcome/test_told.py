"""What results and report are told of a fit to two scans and a molecule that is left out: by hand."""

import json
from pathlib import Path

import numpy as np
import pytest

from forgefield.jobs.fit.fit_job import run_fit
from forgefield.jobs.fit.plan.prepare import prepare
from samples import chain

TOML = """
[forcefield]
form = "harmonic"
terms = ["stretch", "bend", "torsion"]
estimate = "approximation"

[[molecules]]
reference = "map.xyz"

[[molecules]]
reference = "curve.xyz"

[[molecules]]
reference = "ch3f.json"
weight = 0.0

[targets]
energy = { tolerance = 0.5 }

[fit]
starts = 3
max_steps = 3
prior = { strength = 0.01 }
"""
FIRST, SECOND = (-60.0, 60.0, 180.0), (30.0, 90.0)


def energy(first: float, second: float) -> float:
    """In kcal/mol: lowest at the first dihedral of 180°."""
    return -10.0 + 1.0 * (1.0 + np.cos(np.radians(first))) + 0.01 * second


def frames(angles: list[tuple[float, float]]) -> str:
    told = []
    for pair in angles:
        lines = [f"{s} {x:.8f} {y:.8f} {z:.8f}" for s, (x, y, z) in zip("OCCOO", chain(*pair), strict=True)]
        held = f'dihedrals="1-2-3-4 2-3-4-5" dihedrals_deg="{pair[0]:g} {pair[1]:g}"'
        told += ["5", f"{held} energy_kcal_mol={energy(*pair):.8f} Properties=species:S:1:pos:R:3", *lines]
    return "\n".join(told) + "\n"


@pytest.fixture(scope="module")
def finished(project):
    path: Path = project(TOML)
    (path.parent / "map.xyz").write_text(frames([(a, b) for b in SECOND for a in FIRST]))
    (path.parent / "curve.xyz").write_text(frames([(a, 90.0) for a in reversed(FIRST)]))
    return run_fit(prepare(path), path.parent / "out")


@pytest.fixture(scope="module")
def results(finished):
    return finished.record.results


def test_scans_are_in_order_of_their_angles_with_energies_above_the_lowest(results):
    mapped, _ = results["scans"]

    assert (mapped["name"], mapped["dihedrals"]) == ("map", [[1, 2, 3, 4], [2, 3, 4, 5]])
    assert [point["angles"] for point in mapped["points"]] == [[a, b] for a in FIRST for b in SECOND]
    lowest = energy(180.0, 30.0)
    wanted = [energy(*point["angles"]) - lowest for point in mapped["points"]]
    np.testing.assert_allclose([point["qm"] for point in mapped["points"]], wanted, atol=1e-6)


def test_dihedrals_that_stay_are_no_axis_of_a_scan(results):
    curve = results["scans"][1]

    assert curve["dihedrals"] == [[1, 2, 3, 4]]
    assert [point["angles"] for point in curve["points"]] == [[a] for a in FIRST]


def test_energies_of_the_model_lie_about_those_of_the_reference_and_come_nearer(results):
    points = results["scans"][0]["points"]
    deviations = {key: np.array([point[key] - point["qm"] for point in points]) for key in ("start", "mm")}

    np.testing.assert_allclose([one.mean() for one in deviations.values()], 0.0, atol=1e-9)
    assert np.std(deviations["mm"]) < 0.5 * np.std(deviations["start"])


def test_molecule_of_weight_zero_is_told_of_apart(results):
    frequencies = next(m for m in results["molecules"] if m["name"] == "ch3f")

    assert results["metrics"]["final"]["frequency_rmsd_cm1"] is None
    assert results["left_out"]["final"]["frequency_rmsd_cm1"] == pytest.approx(frequencies["frequency_rmsd_cm1"])
    assert results["left_out"]["start"]["energy_rmsd_kcal_mol"] is None
    assert results["metrics"]["final"]["energy_rmsd_kcal_mol"] < results["metrics"]["start"]["energy_rmsd_kcal_mol"]


def test_parities_know_what_is_fitted_to_and_how_well_it_has_to_be_met(finished):
    parities = {parity.target: parity for parity in finished.record.parities}

    assert (parities["energy"].tolerance, parities["energy"].is_target) == (0.5, True)
    assert parities["energy"].fitted.all()
    assert (parities["frequencies"].tolerance, parities["frequencies"].is_target) == (20.0, False)
    assert not parities["frequencies"].fitted.any()


def test_frequencies_hold_those_of_the_start(results):
    modes = next(m for m in results["molecules"] if m["name"] == "ch3f")["frequencies"]

    rmsd = np.sqrt(np.mean([(mode["start"] - mode["qm"]) ** 2 for mode in modes]))
    assert rmsd == pytest.approx(results["left_out"]["start"]["frequency_rmsd_cm1"])


def test_vibrations_are_those_of_the_reference_about_a_fixed_centre_of_mass(finished):
    (moving,) = finished.record.vibrations

    assert moving.name == "ch3f"
    assert moving.places.tolist() == list(range(9))
    np.testing.assert_allclose(np.linalg.norm(moving.displacements, axis=2).max(axis=1), 1.0)
    masses = np.array([{6: 12.0, 9: 18.998403, 1: 1.007825}[z] for z in moving.species.tolist()])
    np.testing.assert_allclose(np.einsum("a,kax->kx", masses, moving.displacements), 0.0, atol=1e-4)


def test_costs_of_the_estimate_are_told_where_another_start_is_best(finished):
    first = finished.passes[0]
    best = int(np.argmin(first.fit.starts_cost))

    told = finished.record.costs_of_estimate
    np.testing.assert_allclose(finished.record.costs, first.costs[:, best])
    assert (told is None) == (best == 0)
    assert told is None or np.array_equal(told, first.costs[:, 0])


def test_sources_are_those_of_what_was_used(results):
    said = " ".join(results["citations"])

    assert results["citations"][0].startswith("ForgeField ")
    assert "McKay" in said
    assert "References, level of theory: B3LYP/6-31+G(d). P. J. Stephens" in said
    assert "PySCF 2" in said
    assert not [name for name in ("Allinger", "Farrugia", "Norrby", "Rappé", "Efron") if name in said]


def test_report_holds_settings_and_a_structure_that_stands_alone(finished):
    record = finished.record

    assert record.settings == TOML
    assert (record.structure, record.structure_is_alone) == ("../ch3f.json", True)
    page = (Path(finished.sources[0]).parent / "out" / "report.html").read_text()
    assert "Torsion profiles" in page
    assert json.dumps("../ch3f.json")[1:-1] in page
