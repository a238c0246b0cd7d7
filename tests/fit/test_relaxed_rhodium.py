"""Nine rhodium complexes are fitted by their relaxed structures although one of them has none."""

import json
from dataclasses import replace

import equinox as eqx
import numpy as np
import pytest

from forgefield.fit.cost import total_count
from forgefield.fit.fit import fit, start
from forgefield.fit.levenberg_marquardt import LevenbergMarquardt
from forgefield.fit.relaxed_metrics import RelaxedJudge
from forgefield.jobs.prepare import prepare
from forgefield.jobs.relaxed_results import lost

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


def _fitted(prepared, data, at, n_steps):
    """Fit to changed data from there, with the same shapes and so the same program."""

    def enough(progress):
        if progress.n_iterations == n_steps:
            raise KeyboardInterrupt

    problem = replace(prepared, data=data).problem(prepared.changes(), prepared.start)
    problem = replace(problem, counts=tuple(total_count(target, data) for target in problem.targets))
    fresh = start(problem, np.zeros((1, problem.n_free)) if at is None else at[None], SOLVER)
    ended = fit(problem, fresh, SOLVER, after=enough)
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

    others, alone = _fitted(nine, eqx.tree_at(lambda d: d.weight, nine.data, weight), None, 20)
    # From where the others' fit ends, since from afar two fits may go different ways.
    ended, judged = _fitted(nine, impossible, others.at, 4)
    begun = RelaxedJudge()(nine.assignment.model, nine.data, nine.examples)

    said = lost(replace(nine, data=impossible), judged)
    assert np.isfinite(ended.quadratic.cost)
    assert len(said) == 1
    assert said[0].startswith(nine.examples[BROKEN].molecule.name)
    assert judged.each[BROKEN].bond_rmsd_a is None
    for name in ("bond_rmsd_a", "angle_rmsd_deg"):
        assert _pooled(judged, name) < 1.02 * _pooled(alone, name)
        assert _pooled(judged, name) < _pooled(begun, name)
    assert _pooled(judged, "angle_rmsd_deg") < 0.6 * _pooled(begun, "angle_rmsd_deg")
