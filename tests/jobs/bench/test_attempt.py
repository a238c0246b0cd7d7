"""One fit of a comparison: solvers agree on the optimum, and every end is judged by the same kernel."""

from dataclasses import replace

import pytest

from forgefield.jobs.bench.attempt import Conditions, attempt
from forgefield.report.bench.results import ESTIMATE, Pair
from samples import BONDED, FORCES, FREQUENCIES, fit_toml, molecule

LM = Pair("forgefield", "lm", 1, 64)


@pytest.fixture(scope="module")
def rows(project):
    """What comes of the estimate, of two solvers, and of single precision."""
    path = project(fit_toml(molecule("water"), forcefield=BONDED, targets=FREQUENCIES + FORCES))
    untimed = Conditions(path, is_timed=False)
    pairs = [replace(LM, solver=ESTIMATE), LM, replace(LM, solver="trf"), replace(LM, precision=32)]
    return {pair: attempt(untimed, pair) for pair in pairs}


def test_solvers_end_in_the_same_optimum(rows):
    estimate, first, second, _ = rows.values()

    assert first.converged
    assert second.converged
    assert second.cost == pytest.approx(first.cost, rel=1e-7)
    assert first.cost < estimate.cost
    assert first.frequency_rmsd_cm1 < estimate.frequency_rmsd_cm1


def test_single_precision_is_judged_in_double_precision(rows):
    single, double = rows[replace(LM, precision=32)], rows[LM]

    assert single.cost == pytest.approx(double.cost, rel=1e-3)
    assert single.cost != double.cost


def test_sane_force_field_has_no_negative_constant_and_keeps_the_structure(rows):
    row = rows[LM]

    assert (row.n_negative, row.n_lost) == (0, 0)
    assert row.shift_max_a < 0.05


def test_what_did_not_run_alone_has_no_times(rows):
    assert not any(row.has_times for row in rows.values())


def test_fit_beyond_its_limit_is_stopped_with_the_best_so_far(project):
    path = project(fit_toml(molecule("water"), forcefield=BONDED))

    row = attempt(Conditions(path, limit_s=0.0, is_timed=False), LM)

    assert row.ending == "stopped after 0 s"
    assert row.stopped_s == 0.0
    assert row.evaluations == 1
    assert row.cost > 0.0
