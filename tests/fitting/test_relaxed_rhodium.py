"""Nine rhodium complexes are fitted by their relaxed structures although one of them has none."""

import json
from dataclasses import replace

import equinox as eqx
import numpy as np
import pytest

from forgefield.fitting.cost.cost import total_count
from forgefield.fitting.judge.relaxed_metrics import RelaxedJudge
from forgefield.fitting.solve.fit import fit, start
from forgefield.fitting.solve.levenberg_marquardt import LevenbergMarquardt
from forgefield.jobs.fit.plan.prepare import prepare
from forgefield.jobs.fit.run.relaxed_results import lost

# Most of the time goes into compiling a whole force field.
pytestmark = pytest.mark.slow

BROKEN = 3
SOLVER = LevenbergMarquardt(tolerance=1e-7, max_steps=25, damping=1.0)


@pytest.fixture(scope="module")
def nine(data, tmp_path_factory):
    folder, rhodium = tmp_path_factory.mktemp("nine"), data / "rh-enamide"
    (folder / "FIT.toml").write_text(
        f'[forcefield]\nstart = "{rhodium}/forcefield/rh_hyd_enamide_start.fld"\ntrain = ["substructure:*"]\n'
        f'[[molecules]]\nstructures = "{rhodium}/mae/*.mae"\ntransition_state = "C"\n'
        f"reference = {json.dumps([f'{rhodium}/jaguar/*.in', f'{rhodium}/jaguar/*.out'])}\n"
        "[targets]\nbond_length = { tolerance = 0.01 }\nbond_angle = { tolerance = 1.0 }\n"
    )
    return prepare(folder / "FIT.toml")


def _fitted(prepared, data):
    """Fit to changed data, with the same shapes and so the same program."""
    problem = replace(prepared, data=data).problem(prepared.changes(), prepared.start)
    problem = replace(problem, counts=tuple(total_count(target, data) for target in problem.targets))
    ended = fit(problem, start(problem, np.zeros((1, problem.n_free)), SOLVER), SOLVER)
    values = problem.prior.centre + problem.prior.width * ended.at
    return ended, RelaxedJudge()(problem.model_at(values), data, prepared.examples)


def _pooled(judged, name):
    """Root mean square over the molecules that can relax."""
    return np.sqrt(np.mean([getattr(judged.each[m], name) ** 2 for m in range(9) if m != BROKEN]))


def test_one_of_nine_that_cannot_relax_is_named_and_leaves_the_others_as_good(nine):
    # A stationary point of third order is none that a search ends at.
    order, weight = np.array(nine.data.relaxation.order), np.array(nine.data.weight)
    order[BROKEN], weight[BROKEN] = 3, 0.0
    impossible = eqx.tree_at(lambda d: d.relaxation.order, nine.data, order)

    ended, judged = _fitted(nine, impossible)
    _, alone = _fitted(nine, eqx.tree_at(lambda d: d.weight, nine.data, weight))
    begun = RelaxedJudge()(nine.assignment.model, nine.data, nine.examples)

    said = lost(replace(nine, data=impossible), judged)
    assert np.isfinite(ended.quadratic.cost)
    assert len(said) == 1
    assert said[0].startswith(nine.examples[BROKEN].molecule.name)
    assert judged.each[BROKEN].bond_rmsd_a is None
    # On ways of their own the two fits come to the same end.
    for name in ("bond_rmsd_a", "angle_rmsd_deg"):
        assert _pooled(judged, name) < 1.02 * _pooled(alone, name)
        assert _pooled(judged, name) < _pooled(begun, name)
    assert _pooled(judged, "angle_rmsd_deg") < 0.6 * _pooled(begun, "angle_rmsd_deg")
