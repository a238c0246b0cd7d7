"""Policies for transition states on F⁻ + CH3F, whose C-F stretch the reaction mode makes negative."""

import jax.numpy as jnp
import numpy as np
import pytest

from forgefield.fitting.cost.cost import Quadratic
from forgefield.fitting.solve.fit import Fit
from forgefield.fitting.solve.solver import Effort
from forgefield.jobs.fit.outcome.results import record
from forgefield.jobs.fit.plan.prepare import prepare
from forgefield.jobs.fit.run import passes as running
from forgefield.jobs.fit.run.passes import Stage, run_passes
from samples import BONDED, FORCES, FREQUENCIES, fit_toml, molecule

BREAKING = "stretch C1-F1 k"


def text(policy, solver):
    saddle = molecule("saddle", policy) + "reaction_mode_weight = 1.0\n"
    return fit_toml(saddle, forcefield=BONDED, targets=FREQUENCIES + FORCES, fit=f'solver = "{solver}"')


@pytest.fixture(scope="module")
def passes(project):
    """All passes under a policy, run once."""
    known = {}

    def run(policy, solver="lm"):
        if (policy, solver) not in known:
            prepared = prepare(project(text(policy, solver)))
            known[policy, solver] = (
                prepared,
                run_passes(prepared, Stage(), prepared.start, None, keep_nothing),
            )
        return known[policy, solver]

    return run


def keep_nothing(stage, progress, began):
    pass


def constants(passed):
    found = dict(zip(passed.changes.names, passed.values[passed.changes.variables.places], strict=True))
    return {name: value for name, value in found.items() if name.endswith(" k")}


@pytest.mark.slow
def test_d_releases_what_presses_against_zero_and_lists_what_becomes_negative(passes):
    prepared, (bounded, released) = passes("D")

    assert constants(bounded)[BREAKING] == 0.0
    assert released.stage == Stage(1, released=(BREAKING,))
    assert [name for name, k in constants(released).items() if k < 0.0] == [BREAKING]
    assert released.fit.quadratic.cost < bounded.fit.quadratic.cost
    (centre,) = (
        float(c)
        for name, c in zip(released.changes.leaders, released.problem.prior.centre, strict=True)
        if name == BREAKING
    )
    (estimated,) = prepared.negative.values()
    assert centre == estimated < 0.0
    warnings = record(prepared, [bounded, released]).results["warnings"]
    assert not any("unphysical" in said for said in warnings)
    assert f"Negative force constants, allowed by the policy for transition states: {BREAKING}." in warnings


@pytest.mark.parametrize("policy", ["C", "D+"])
def test_c_and_d_plus_keep_all_constants_positive_in_one_pass(passes, policy):
    _, (only,) = passes(policy)

    assert only.stage == Stage()
    assert only.fit.success
    assert min(constants(only).values()) > 0.0


def test_c_makes_the_breaking_bond_stiff(passes):
    stiff, soft = (constants(passes(policy)[1][0])[BREAKING] for policy in ("C", "D+"))

    assert stiff > 10.0 * soft


@pytest.mark.slow
def test_e_holds_what_came_out_negative_at_its_estimate_under_c(passes):
    prepared, ended = passes("E")

    under_c = passes("C")[0]
    place = next(row.indices[0] for row in under_c.assignment.rows if row.parameter_name(0) == BREAKING)
    ((name, value),) = ended[2].stage.held
    assert [passed.stage.number for passed in ended] == [0, 1, 2]
    assert name == BREAKING
    np.testing.assert_allclose(value, under_c.start[place])
    assert ended[2].values[place] == value
    assert BREAKING not in ended[2].changes.names
    assert any("Held at their values under policy C" in w for w in record(prepared, ended).results["warnings"])


@pytest.mark.slow
def test_scipy_ends_where_our_own_solver_does(passes):
    (ours,), (scipys,) = passes("D+")[1], passes("D+", "trf")[1]

    assert scipys.fit.success
    np.testing.assert_allclose(scipys.fit.quadratic.cost, ours.fit.quadratic.cost, rtol=1e-6)
    np.testing.assert_allclose(scipys.values, ours.values, rtol=1e-3)


@pytest.mark.parametrize(("under_c", "held"), [(-3.0, 0.0), (250.0, 250.0)])
def test_e_holds_no_constant_below_zero(project, monkeypatch, under_c, held):
    # The second pass ends where it begins, with a negative constant for which C has another value.
    prepared = prepare(project(text("E", "lm")))
    values = prepared.start.copy()
    values[next(row.indices[0] for row in prepared.assignment.rows if row.parameter_name(0) == BREAKING)] = -20.0

    def ended(problem, progress, solver, **options):
        at, one = progress.best_at[0], np.ones(1)
        quadratic = Quadratic(jnp.ones(()), jnp.zeros(len(at)), jnp.eye(len(at)))
        starts = {"starts_cost": one, "starts_at": at[None], "starts_converged": one > 0.0}
        counts = {"n_accepted": 1, "n_iterations": 1, "promise": 0.0, "effort": Effort.none()}
        said = {"success": True, "interrupted": False, "message": "", "costs": one}
        return Fit(at=at, quadratic=quadratic, **starts, **counts, **said)

    monkeypatch.setattr(running, "fit", ended)
    monkeypatch.setattr(running, "_estimates_under_c", lambda _: {BREAKING: under_c})
    done = run_passes(prepared, Stage(1, released=(BREAKING,)), values, None, keep_nothing)

    assert [passed.stage.held for passed in done] == [(), ((BREAKING, held),)]
