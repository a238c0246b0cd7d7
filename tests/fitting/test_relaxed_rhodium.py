"""Three rhodium complexes are fitted by their relaxed structures although one of them has none."""

import json
from dataclasses import replace

import equinox as eqx
import numpy as np
import pytest

from forgefield.fitting.cost.cost import total_counts
from forgefield.fitting.judge.relaxed_metrics import RelaxedJudge
from forgefield.fitting.solve.fit import fit, start
from forgefield.fitting.solve.levenberg_marquardt import LevenbergMarquardt
from forgefield.jobs.fit.plan.prepare import prepare
from forgefield.jobs.fit.run.relaxed_results import lost

# Most of the time goes into compiling a whole force field.
pytestmark = pytest.mark.slow

BROKEN, OTHERS = 1, (0, 2)
SOLVER = LevenbergMarquardt(tolerance=1e-7, max_steps=25, damping=1.0)


@pytest.fixture(scope="module")
def three(data, tmp_path_factory):
    folder, rhodium = tmp_path_factory.mktemp("three"), data / "rh-enamide"
    (folder / "FIT.toml").write_text(
        f'[forcefield]\nstart = "{rhodium}/forcefield/rh_hyd_enamide_start.fld"\ntrain = ["substructure:*"]\n'
        f'[[molecules]]\nstructures = "{rhodium}/mae/[1-3]*.mae"\ntransition_state = "C"\n'
        f"reference = {json.dumps([f'{rhodium}/jaguar/[1-3]*.in', f'{rhodium}/jaguar/[1-3]*.out'])}\n"
        "[targets]\nbond_length = { tolerance = 0.01 }\nbond_angle = { tolerance = 1.0 }\n"
    )
    return prepare(folder / "FIT.toml")


def _fitted(prepared, data, at, n_steps):
    """Fit to changed data from there, with the same shapes and so the same program."""

    def enough(progress):
        if progress.n_iterations == n_steps:
            raise KeyboardInterrupt

    problem = replace(prepared, data=data).problem(prepared.changes(), prepared.start)
    problem = replace(problem, counts=total_counts(problem.targets, data))
    fresh = start(problem, np.zeros((1, problem.n_free)) if at is None else at[None], SOLVER)
    ended = fit(problem, fresh, SOLVER, after=enough)
    values = problem.prior.centre + problem.prior.width * ended.at
    return ended, RelaxedJudge()(problem.model_at(values), data, prepared.examples)


def _misfit(judged):
    """The cost of the molecules that can relax, in tolerances: of bonds and of angles."""
    each = [judged.each[m] for m in OTHERS]
    return np.mean([(one.bond_rmsd_a / 0.01) ** 2 + (one.angle_rmsd_deg / 1.0) ** 2 for one in each])


def test_one_of_three_that_cannot_relax_is_named_and_leaves_the_others_as_good(three):
    # A stationary point of third order is none that a search ends at.
    order, weight = np.array(three.data.relaxation.order), np.array(three.data.weight)
    order[BROKEN], weight[BROKEN] = 3, 0.0
    impossible = eqx.tree_at(lambda d: d.relaxation.order, three.data, order)

    others, alone = _fitted(three, eqx.tree_at(lambda d: d.weight, three.data, weight), None, 20)
    # From where the others' fit ends, since from afar two fits may go different ways.
    ended, judged = _fitted(three, impossible, others.at, 4)
    begun = RelaxedJudge()(three.assignment.model, three.data, three.examples)

    said = lost(replace(three, data=impossible), judged)
    assert np.isfinite(ended.quadratic.cost)
    assert len(said) == 1
    assert said[0].startswith(three.examples[BROKEN].molecule.name)
    assert judged.each[BROKEN].bond_rmsd_a is None
    # What pulls the lost one back is a twentieth of that at most.
    assert _misfit(judged) < 1.1 * _misfit(alone)
    assert _misfit(alone) < 0.6 * _misfit(begun)
