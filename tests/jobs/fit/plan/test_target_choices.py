"""A target of one's own: one file with its class, one row in the table, and a fit, a report and `--check` know it."""

import importlib
import json
import shutil
import sys
from pathlib import Path

import pytest
from rich import print as show

from forgefield.config import Target
from forgefield.errors import InputError
from forgefield.fitting.cost.gram import gram, obstacle
from forgefield.jobs.fit.fit_job import run_fit
from forgefield.jobs.fit.plan.asked import asked
from forgefield.jobs.fit.plan.check import check_table
from forgefield.jobs.fit.plan.prepare import prepare
from forgefield.jobs.fit.plan.target_choices import TARGETS, Choice
from samples import CH3F, fit_toml

EXAMPLES = Path(__file__).parents[4] / "examples"
PACKAGE = '''
import jax.numpy as jnp
from forgefield.fitting.targets.target import AbstractTarget, Traits


class Stiffness(AbstractTarget):
    """Trace of the Cartesian Hessian [kcal/mol/Å²]."""

    tolerance: float
    weight: float = 1.0

    @property
    def traits(self):
        return Traits("stiffness", "kcal/mol/Å²", needs="a Hessian", is_linear=LINEAR)

    def counted(self, data):
        return jnp.where(data.has_hessian, data.weight, 0.0)[:, None]

    def deviations(self, seen, data):
        return jnp.trace(seen.observed.hessian, axis1=1, axis2=2)[:, None] - self.reference(data)

    def slopes(self, seen, sensitivities, data):
        n = data.hessian.shape[1]
        every = jnp.broadcast_to(jnp.eye(n), (data.hessian.shape[0], n, n))
        HOW

    def reference(self, data):
        return jnp.trace(jnp.asarray(data.hessian), axis1=1, axis2=2)[:, None]
'''
HOWS = {
    "curvatures": "return jnp.sum(sensitivities.curvatures(every), axis=2, keepdims=True)",
    "hessian": "return sensitivities.each_hessian(every, lambda dh: jnp.trace(dh, axis1=1, axis2=2)[:, None])",
}
FIT = fit_toml(CH3F, targets="forces = { tolerance = 5.0 }\nstiffness = { tolerance = 10.0 }")


@pytest.fixture
def with_row(tmp_path, monkeypatch):
    """Adds the row of a target in a package of its own, and prepares a fit to it."""

    def add(*, how="curvatures", linear=True, text=FIT):
        package = tmp_path / "stiffness"
        package.mkdir()
        (package / "__init__.py").write_text("")
        source = PACKAGE.replace("HOW", HOWS[how]).replace("LINEAR", str(linear))
        (package / "trace.py").write_text(source, encoding="utf-8")
        monkeypatch.syspath_prepend(str(tmp_path))
        for name in [name for name in sys.modules if name.split(".")[0] == "stiffness"]:
            monkeypatch.delitem(sys.modules, name)
        kind = importlib.import_module("stiffness.trace").Stiffness
        row = Choice(
            Target(tolerance=10.0),
            "Trace of the Hessian [kcal/mol/Å²].",
            lambda entry: [kind(entry.tolerance, entry.weight)],
        )
        monkeypatch.setitem(TARGETS, "stiffness", row)
        shutil.copy(EXAMPLES / "ch3f/ch3f.json", tmp_path)
        (tmp_path / "FIT.toml").write_text(text)
        return prepare(tmp_path / "FIT.toml")

    return add


@pytest.mark.parametrize("how", ["curvatures", pytest.param("hessian", marks=pytest.mark.slow)])
def test_a_fit_to_a_target_of_ones_own_meets_it(with_row, tmp_path, how):
    prepared = with_row(how=how)

    outcome = run_fit(prepared, tmp_path / "out")

    results = json.loads((tmp_path / "out/results.json").read_text())
    (told,) = (one for one in results["targets"] if one["name"] == "stiffness")
    assert gram(outcome.passes[-1].problem) is not None
    assert results["fit"]["success"]
    assert (told["values"], told["independent"], told["unit"]) == (1, 1, "kcal/mol/Å²")
    # Four constants move the trace: it is met but for what the prior holds.
    assert told["rms_final"] < 0.1 * told["rms_start"]
    assert any(one.target == "stiffness" for one in outcome.record.parities)
    assert "stiffness" in (tmp_path / "out/report.html").read_text()


@pytest.mark.slow
def test_what_is_not_linear_is_no_quadratic_form_and_that_is_said(with_row, tmp_path):
    prepared = with_row(linear=False)

    outcome = run_fit(prepared, tmp_path / "out")

    problem = outcome.passes[-1].problem
    assert gram(problem) is None
    assert obstacle(problem) == "not linear in energy, gradient and Hessian: stiffness"
    assert any("not linear in energy, gradient and Hessian: stiffness" in line for line in outcome.record.statements)
    assert outcome.passes[-1].fit.success


def test_check_counts_its_values(with_row, capsys):
    show(check_table(with_row()))

    assert "stiffness" in capsys.readouterr().out


def test_its_key_is_known_and_others_are_not(with_row):
    with pytest.raises(InputError, match=r"unknown key 'targets.stifness'; did you mean 'stiffness'\?"):
        with_row(text=FIT.replace("stiffness", "stifness"))


def test_settings_that_a_fit_writes_name_it_with_its_usual_tolerance(with_row, tmp_path):
    with_row()

    plan, _ = asked([tmp_path / "ch3f.json"], tmp_path / "out")

    assert "# stiffness = { tolerance = 10.0, weight = 1.0 }" in plan.text
