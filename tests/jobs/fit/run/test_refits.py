"""A fit repeated without molecules and on samples of them, in this process."""

import json
from dataclasses import asdict, replace

import numpy as np
import pytest

from forgefield.fitting.judge.resampling import improvement
from forgefield.fitting.solve.scipy_solver import TrustRegionReflective
from forgefield.fitting.solve.solver import AbstractSolver
from forgefield.jobs.fit.fit_job import run_fit
from forgefield.jobs.fit.plan.prepare import prepare
from forgefield.jobs.fit.run import refits
from forgefield.jobs.fit.run.trade_off import TradeOff
from forgefield.jobs.fit.run.validation import Validation, warnings_of
from samples import BONDED, CH3F, FORCES, FREQUENCIES, STAGGERED, fit_toml, molecule

ECLIPSED = molecule("eclipsed", "C")


class Recording(AbstractSolver):
    """Another solver that counts its runs."""

    solver: AbstractSolver
    runs: list[int]
    tolerance: float = 1e-9
    max_steps: int = 200

    @property
    def needs(self):
        return self.solver.needs

    def begin(self, problem, points):
        return self.solver.begin(problem, points)

    def run(self, course):
        self.runs.append(len(course.progress.best_cost))
        self.solver.run(course)

    def judge(self, problem, form, at, positions):
        return self.solver.judge(problem, form, at, positions)

    def why_not(self, state, start):
        return self.solver.why_not(state, start)


def fit_text(*molecules, estimate="qfuerza", fit=""):
    forcefield = f'{BONDED}estimate = "{estimate}"'
    return fit_toml(*molecules, forcefield=forcefield, targets=FREQUENCIES + FORCES, fit=fit)


@pytest.fixture(scope="module")
def five(project):
    """Ethane twice, at its minimum and eclipsed, fluoromethane twice, and a molecule of weight zero."""
    idle = molecule("saddle", "C") + "weight = 0.0\n"
    return project(fit_text(CH3F, CH3F, STAGGERED, STAGGERED, ECLIPSED, idle))


@pytest.fixture(scope="module")
def counted():
    return []


@pytest.fixture(scope="module")
def validation(five, counted):
    """What results.json holds of it."""
    output = five.parent / "out"
    run_fit(prepare(five), output, validation=Validation(samples=3, workers=1), count=lambda *n: counted.append(n))
    return json.loads((output / "results.json").read_text(), parse_constant=pytest.fail)["validation"]


@pytest.mark.parametrize("estimate", ["qfuerza", pytest.param("linear", marks=pytest.mark.slow)])
def test_start_without_a_molecule_is_the_estimate_of_the_others(project, estimate):
    whole = prepare(project(fit_text(CH3F, STAGGERED, ECLIPSED, estimate=estimate)))
    others = prepare(project(fit_text(CH3F, STAGGERED, estimate=estimate)))

    found = refits.start_without(whole, 2)

    place = {row.name: row.indices for row in whole.rows}
    for row in others.rows:
        ours, theirs = found[list(place[row.name])], others.start[list(row.indices)]
        np.testing.assert_allclose(ours, theirs, rtol=1e-6, err_msg=row.name)
    assert (np.abs(found - whole.start) > 1e-6).any()


def test_rows_that_only_one_molecule_has_are_not_estimated_from_it(project):
    whole = prepare(project(fit_text(CH3F, STAGGERED)))

    found = refits.start_without(whole, 0)

    alone = refits.unseen_rows(whole, 0)
    stretch = next(row for row in alone if row.name == "stretch C1-F1")
    assert {row.name for row in alone} >= {"stretch C1-F1", "bend F1-C1-H1"}
    assert found[stretch.indices[0]] == whole.laid.model.values[stretch.indices[0]] != whole.start[stretch.indices[0]]


def told(value, samples):
    found = improvement(value, np.array(samples))
    return {"left_out": {**asdict(found), "verdict": found.verdict, "significance": found.significance}}


def test_what_a_validation_found_wrong_is_warned_of():
    found = {
        "possible": True,
        "message": "3 of 9 refits came to an end, 1 failed; interrupted.",
        "interrupted": True,
        "failures": [{"task": "without b", "reason": "no luck"}],
        "improvement": {
            "cost": told(0.1, [-0.2, 0.1, 0.4]),
            "frequency_rmsd_cm1": told(-0.2, [-0.3, -0.2, -0.1]),
            "force_max_kcal_mol_a": told(0.2, [0.1, 0.2, 0.3]),
        },
        "leave_one_out": {"molecules": [{"name": "a", "converged": False}, {"name": "c", "converged": True}]},
    }

    said = warnings_of(found)

    assert said == [
        "Validation, without b: no luck.",
        "On molecules left out of the fit, the cost against the estimate's is 10.0 ± 28.5 % better: not significant.",
        "On molecules left out of the fit, not everything is better than the estimate: "
        "frequency_rmsd_cm1 20.0 ± 9.5 % worse: significant.",
        "Validation: the fit without each of these did not converge: a.",
        "The validation was interrupted: 3 of 9 refits came to an end, 1 failed; interrupted.",
    ]


@pytest.mark.slow
def test_every_molecule_that_counts_is_left_out_and_judged(validation, counted):
    rows = validation["leave_one_out"]["molecules"]

    assert [row["name"] for row in rows] == ["ch3f-1", "ch3f-2", "staggered-1", "staggered-2", "eclipsed"]
    assert all(row["converged"] for row in rows)
    assert all(row["cost"]["fitted"] <= row["cost"]["left_out"] * (1.0 + 1e-6) for row in rows[:4])
    assert validation["message"] == "8 of 8 refits came to an end."
    assert counted == [(k + 1, 8) for k in range(8)]


@pytest.mark.slow
def test_molecule_that_another_is_equal_to_does_as_well_left_out(validation):
    row = validation["leave_one_out"]["molecules"][0]

    assert row["unseen"] == []
    assert row["left_out"]["frequency_rmsd_cm1"] == pytest.approx(row["fitted"]["frequency_rmsd_cm1"], rel=0.1)


@pytest.mark.slow
def test_improvement_has_intervals_and_a_verdict(validation):
    cost = validation["improvement"]["cost"]

    assert set(cost) == {"fitted", "left_out", "out_of_bag"}
    assert cost["fitted"]["low"] <= cost["fitted"]["value"] + 1.0
    assert 0.0 < cost["left_out"]["value"] <= cost["fitted"]["value"] + 1e-9
    assert cost["fitted"]["n"] == 3
    assert cost["left_out"]["verdict"] in validation["verdict"]


@pytest.mark.slow
def test_jackknife_is_given_from_five_molecules_on_but_not_for_what_one_alone_has(validation):
    found = validation["jackknife"]

    sigma = {row["name"]: row["sigma"] for row in found["parameters"]}
    assert found["molecules"] == 5
    assert sigma["stretch C1-F1 k"] >= 0.0
    assert sigma["bend C2-C2-H1 k"] > 0.0


@pytest.mark.slow
def test_validation_of_a_finished_fit_is_the_same_again(five, validation):
    output = five.parent / "out"

    run_fit(prepare(five), output, resume=True, validation=Validation(samples=3, workers=1))

    again = json.loads((output / "results.json").read_text())["validation"]
    del again["wall_s"]
    assert again == {key: value for key, value in validation.items() if key != "wall_s"}


@pytest.mark.slow
def test_two_molecules_cannot_be_validated_and_the_reason_is_said(project):
    path = project(fit_text(CH3F, STAGGERED))

    outcome = run_fit(prepare(path), path.parent / "out", validation=Validation(samples=3, workers=1))

    told = outcome.record.results
    assert told["validation"]["possible"] is False
    assert "need at least 3 molecules" in told["validation"]["verdict"]
    assert told["validation"]["verdict"] in told["warnings"]
    assert told["fit"]["converged"] is True
    assert "Not validated" in (path.parent / "out/report.html").read_text()


@pytest.mark.slow
def test_refit_that_fails_is_named_and_the_others_go_on(five, monkeypatch):
    monkeypatch.setattr(refits, "_left_out", _failing_for(2, refits._left_out))

    outcome = run_fit(prepare(five), five.parent / "out", resume=True, validation=Validation(samples=2, workers=1))

    told = outcome.record.results["validation"]
    assert told["failures"] == [{"task": "without staggered-1", "reason": "no luck"}]
    assert len(told["leave_one_out"]["molecules"]) == 4
    assert "Validation, without staggered-1: no luck." in outcome.record.results["warnings"]


def _failing_for(number, function):
    def failing(prepared, molecule):
        if molecule == number:
            raise ValueError("no luck")
        return function(prepared, molecule)

    return failing


@pytest.mark.slow
def test_weights_and_samples_are_refitted_by_the_solver_that_was_chosen(project):
    text = fit_text(CH3F, CH3F, STAGGERED, fit='solver = "trf"\nstarts = 2')
    path, runs = project(text), []
    prepared = prepare(path)
    recorded = replace(prepared, plan=replace(prepared.plan, solver=Recording(solver=prepared.plan.solver, runs=runs)))
    refits_of = {"trade_off": TradeOff(("forces",), 3), "validation": Validation(samples=2, workers=1)}

    outcome = run_fit(recorded, path.parent / "out", **refits_of)

    assert isinstance(prepared.plan.solver, TrustRegionReflective)
    # The fit; two weights beside its own; three molecules left out; two samples.
    assert runs == [2] + [1] * 7
    assert len(outcome.record.results["trade_off"][0]["points"]) == 3
    assert outcome.record.results["validation"]["message"] == "5 of 5 refits came to an end."
