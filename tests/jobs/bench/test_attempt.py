"""One fit of a comparison: solvers agree on the optimum, and every end is judged by the same kernel."""

from dataclasses import replace

import jax
import numpy as np
import pytest

from forgefield.jobs.bench.attempt import Conditions, attempt, in_single_precision
from forgefield.jobs.fit.plan.prepare import prepare
from forgefield.report.bench.results import ESTIMATE, Pair
from samples import BONDED, FORCES, FREQUENCIES, fit_toml, molecule

# Each fits several times.
pytestmark = pytest.mark.slow

LM = Pair("forgefield", "lm", 1, 64)


@pytest.fixture(scope="module")
def water(project):
    return project(fit_toml(molecule("water"), forcefield=BONDED, targets=FREQUENCIES + FORCES))


@pytest.fixture(scope="module")
def rows(water):
    """What comes of the estimate and of two solvers."""
    untimed = Conditions(water, is_timed=False)
    pairs = [replace(LM, solver=ESTIMATE), LM, replace(LM, solver="trf")]
    return {pair: attempt(untimed, pair) for pair in pairs}


def test_solvers_end_in_the_same_optimum(rows):
    estimate, first, second = rows.values()

    assert first.converged
    assert second.converged
    assert second.cost == pytest.approx(first.cost, rel=1e-7)
    assert first.cost < estimate.cost
    assert first.frequency_rmsd_cm1 < estimate.frequency_rmsd_cm1


def test_single_precision_is_of_all_numbers_that_are_evaluated(water):
    double = prepare(water)

    single = in_single_precision(double)

    before, after = (
        jax.tree.leaves((one.assignment.model, one.assignment.topology, one.data)) for one in (double, single)
    )
    assert {str(np.asarray(leaf).dtype) for leaf in before} >= {"float64", "int64"}
    assert "float64" not in {leaf.dtype for leaf in after if isinstance(leaf, np.ndarray)}
    np.testing.assert_array_equal(single.start, double.start.astype(np.float32))


def test_sane_force_field_has_no_negative_constant_and_keeps_the_structure(rows):
    row = rows[LM]

    assert (row.n_negative, row.n_lost) == (0, 0)
    assert row.shift_max_a < 0.05


def test_what_did_not_run_alone_has_no_times(rows):
    assert not any(row.has_times for row in rows.values())


def test_fit_beyond_its_limit_is_stopped_with_the_best_so_far(water):
    row = attempt(Conditions(water, limit_s=0.0, is_timed=False), LM)

    assert row.ending == "stopped after 0 s"
    assert row.stopped_s == 0.0
    assert row.evaluations == 1
    assert row.cost
