"""`forgefield fit --trade-off`: what it writes and what it refuses."""

import json

import pytest

from forgefield.errors import InputError
from forgefield.jobs.fit.fit_job import run_fit
from forgefield.jobs.fit.plan.prepare import prepare
from forgefield.jobs.fit.run.trade_off import TradeOff, require_targets
from forgefield.jobs.fit.run.validation import Validation
from samples import CH3F, fit_toml

FIT = fit_toml(CH3F, targets="eigenmatrix = { tolerance = 50.0 }\nforces = { tolerance = 5.0 }")


@pytest.fixture(scope="module")
def finished(forgefield, project):
    """The folder of results of a fit with a trade-off."""
    path = project(FIT)
    result = forgefield("fit", path, "--trade-off", "forces", "--points", 3)
    assert result.exit_code == 0, result.stderr
    return path.with_suffix("")


@pytest.fixture(scope="module")
def results(finished):
    return json.loads((finished / "results.json").read_text(), parse_constant=pytest.fail)


@pytest.mark.slow
def test_results_hold_the_points_in_the_order_of_the_weights(results):
    (found,) = results["trade_off"]

    assert (found["target"], found["unit"]) == ("forces", "kcal/mol/Å")
    assert [point["factor"] for point in found["points"]] == pytest.approx([1e-3, 1.0, 1e3])
    forces = [point["rms"]["forces"] for point in found["points"]]
    assert forces == sorted(forces, reverse=True)
    eigenmatrix = found["points"][1]["rms"]["eigenmatrix"]
    assert eigenmatrix == pytest.approx(results["metrics"]["final"]["eigenmatrix_rmsd_cm1"], rel=1e-6)


@pytest.mark.slow
def test_results_say_what_pulls_against_what(results):
    found = results["opposition"]

    assert found["targets"] == ["eigenmatrix", "forces", "prior"]
    assert found["cosines"][0][1] < -0.9


@pytest.mark.slow
def test_report_shows_the_curve_and_the_tables(finished):
    page = (finished / "report.html").read_text()

    for text in ("What pulls against what", "oppose each other", "Weight of the target forces", "×1000"):
        assert text in page


@pytest.mark.parametrize(
    ("target", "removed", "message"),
    [
        ("force", "", "'force': the fit has no such target; there are: eigenmatrix, forces"),
        ("eigenmatrix", "forces = { tolerance = 5.0 }", "it is the only target, so that there is nothing to weigh"),
    ],
)
def test_targets_that_cannot_be_varied_are_refused_before_the_fit(forgefield, project, target, removed, message):
    path = project(FIT.replace(removed, ""))

    result = forgefield("fit", path, "--trade-off", target)

    assert result.exit_code == 2
    assert message in result.stderr.replace("\n", " ")
    assert not path.with_suffix("").exists()


def test_a_curve_of_two_points_is_refused(project):
    prepared = prepare(project(FIT))

    require_targets(prepared, TradeOff(("forces",), 3))
    with pytest.raises(InputError, match="--trade-off needs three --points or more"):
        require_targets(prepared, TradeOff(("forces",), 2))


@pytest.mark.slow
def test_an_interruption_ends_all_that_would_follow_and_is_told(project):
    path = project(FIT)
    output = path.parent / "out"
    begun = []

    def interrupt(stage, progress):
        if (output / "results.json").exists():
            begun.append(progress.n_iterations)
            if len(begun) == 3:
                raise KeyboardInterrupt

    wanted = TradeOff(("forces", "eigenmatrix"), 3)
    outcome = run_fit(prepare(path), output, trade_off=wanted, validation=Validation(samples=2), tell=interrupt)

    told = json.loads((output / "results.json").read_text())
    assert outcome.interrupted
    assert len(begun) == 3
    assert len(told["trade_off"]) <= 1
    assert any("The trade-off was interrupted" in said for said in told["warnings"])
    assert "the fit was interrupted" in told["validation"]["message"]
