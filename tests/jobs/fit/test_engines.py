"""Fits whose cost another program computes."""

import json
import re
from typing import get_args

import numpy as np
import pytest

from forgefield.config import EngineName, FitSection
from forgefield.engines.programs.choices import PROGRAMS
from forgefield.engines.programs.over_molecules import OverMolecules
from forgefield.fitting.solve.objective import Needs, Objective
from forgefield.fitting.solve.of_program import ByProgram
from forgefield.jobs.fit.plan.choices import OF_RESIDUALS, SOLVERS
from forgefield.jobs.fit.plan.prepare import prepare
from samples import BONDED, CH3F, FREQUENCIES, HARMONIC, fit_toml

pytestmark = pytest.mark.openmm
FORCES = "forces = { tolerance = 1.0 }"


def text(engine="openmm", solver="lbfgsb", targets=FREQUENCIES, form=HARMONIC):
    fit = f'engine = "{engine}"\nsolver = "{solver}"\nmax_steps = 3\n'
    return fit_toml(CH3F, forcefield=form, targets=targets, fit=fit)


def test_a_file_can_ask_for_every_program():
    assert {*get_args(EngineName)} == {"forgefield", *PROGRAMS}


@pytest.mark.parametrize("name", [name for name in SOLVERS if name != "cma-es"])
def test_solvers_that_need_residuals_are_known_by_name(name):
    needs = SOLVERS[name](FitSection(), False).needs

    assert (needs is Needs.RESIDUALS) == (name in OF_RESIDUALS)


@pytest.mark.slow
def test_cost_and_gradient_are_ours_as_far_as_differences_go(project):
    pytest.importorskip("openmm", reason="OpenMM is not installed (extra openmm)")
    prepared = prepare(project(text(form='form = "mm3"\nterms = ["stretch", "bend", "stretch_bend"]\n')))
    problem = prepared.problem(prepared.changes(), prepared.start)
    program = OverMolecules(PROGRAMS["openmm"], prepared.assignment, prepared.molecules)
    theirs, ours = ByProgram(problem, prepared.data, program), Objective(problem, None)
    at = np.linspace(-0.4, 0.4, problem.n_free)

    cost, gradient = theirs.cost_and_gradient(at)

    wanted, slope = ours.cost_and_gradient(at)
    np.testing.assert_allclose(cost, wanted, rtol=1e-6)
    np.testing.assert_allclose(gradient, slope, rtol=0, atol=1e-4 * np.abs(slope).max())
    assert not theirs.exact
    assert theirs.meter.evaluations == 1 + 2 * problem.n_free


def test_differences_at_a_bound_stay_inside(project):
    pytest.importorskip("openmm", reason="OpenMM is not installed (extra openmm)")
    prepared = prepare(project(text(targets=FORCES)))
    problem = prepared.problem(prepared.changes(), prepared.start)
    program, asked = OverMolecules(PROGRAMS["openmm"], prepared.assignment, prepared.molecules), []
    least = np.asarray(problem.variables.lower)
    # Force constants at zero.
    at = np.where(least == 0.0, problem.bounds[0], 0.0)

    def told(values, positions, *, curved):
        asked.append(values[problem.variables.places])
        return program(values, positions, curved=curved)

    _, gradient = ByProgram(problem, prepared.data, told).cost_and_gradient(at)

    assert np.min(asked - least[problem.variables.leader]) > -1e-9
    _, slope = Objective(problem, None).cost_and_gradient(at)
    np.testing.assert_allclose(gradient, slope, rtol=0, atol=1e-3 * np.abs(slope).max())


@pytest.mark.slow
def test_a_fit_runs_on_openmm(forgefield, project):
    pytest.importorskip("openmm", reason="OpenMM is not installed (extra openmm)")
    path = project(text(targets=FORCES, form=BONDED))

    done = forgefield("fit", path, "--json")

    assert str(done.exception) == "1"
    fit = json.loads(done.stdout)["fit"]
    assert fit["iterations"] > 0
    assert fit["engine"] == "openmm"
    assert "all by openmm" in (path.parent / "FIT" / "report.html").read_text()
    assert fit["evaluations"] > 2 * fit["gradients"] > 0


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (text(solver="lm"), r'engine = "openmm": solver = "lm" needs residuals .* choose one of lbfgsb, lbfgsb-fd'),
        (text(solver="multi:adam -> trf") + "starts = 2", r'solver = "trf" needs residuals'),
        (text(engine="lammps", form='form = "mm3"\n'), r'engine = "lammps" cannot hold mm3_stretch \(4\), .* of ch3f'),
        (text(engine="gromacs"), r"fit.engine"),
    ],
)
def test_what_cannot_be_is_one_message(forgefield, project, content, said):
    done = forgefield("fit", project(content), "--check")

    assert done.exit_code == 2
    assert len(done.stderr) < 1000
    assert re.search(said, " ".join(done.stderr.split()))
