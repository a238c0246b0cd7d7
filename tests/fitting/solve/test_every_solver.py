"""What every solver does, on fits of fluoromethane; a new one is a row of SOLVERS."""

from dataclasses import dataclass
from importlib.util import find_spec

import equinox as eqx
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.optimize import lsq_linear, minimize

from certain import instance
from forgefield.config import FitSection
from forgefield.fitting.cost.cost import linearise
from forgefield.fitting.cost.gram import gram
from forgefield.fitting.solve.fit import fit, spread_starts, start
from forgefield.fitting.solve.levenberg_marquardt import LevenbergMarquardt
from forgefield.fitting.solve.objective import Needs, Objective
from forgefield.io.checkpoint import read_arrays, write_checkpoint
from forgefield.jobs.fit.plan.choices import SOLVERS as CHOICES
from forgefield.jobs.fit.plan.choices import solver
from samples import HARMONIC, fit_toml, molecule

N_STARTS = 2


@dataclass(frozen=True)
class Kind:
    """A solver as a file names it."""

    words: str
    reach: float = 1e-8
    """Share of the cost by which it may end above the minimum."""
    converges: bool = True
    """Whether its ends are minima by the common judgement."""
    repeats: bool = True
    """Whether it ends where it did after it was interrupted."""

    def __call__(self, max_steps=None):
        section = FitSection(solver=self.words, max_steps=max_steps, starts=N_STARTS)
        return solver(section, ())


SOLVERS = [
    pytest.param(Kind("lm"), id="lm"),
    pytest.param(Kind("trf"), id="trf", marks=pytest.mark.slow),
    pytest.param(Kind("lbfgsb"), id="lbfgsb"),
    pytest.param(Kind("lbfgsb-fd", reach=1e-6, converges=False), id="lbfgsb-fd", marks=pytest.mark.slow),
    pytest.param(Kind("trust-constr", reach=1e-6, converges=False), id="trust-constr", marks=pytest.mark.slow),
    pytest.param(Kind("nelder-mead", reach=1e-3, converges=False), id="nelder-mead"),
    pytest.param(Kind("powell", reach=1e-3, converges=False), id="powell", marks=pytest.mark.slow),
    pytest.param(Kind("adam", reach=1e-2, converges=False), id="adam"),
    pytest.param(Kind("adam-cosine", reach=1e-2, converges=False), id="adam-cosine", marks=pytest.mark.slow),
    pytest.param(Kind("adagrad", reach=1e-2, converges=False), id="adagrad", marks=pytest.mark.slow),
    pytest.param(Kind("sgd", reach=1e-2, converges=False), id="sgd", marks=pytest.mark.slow),
    pytest.param(Kind("grad-simp", reach=1e-6, converges=False), id="grad-simp", marks=pytest.mark.slow),
    pytest.param(
        Kind("basin-hopping", reach=1e-6, converges=False, repeats=False), id="basin-hopping", marks=pytest.mark.slow
    ),
    pytest.param(
        Kind("cma-es", reach=1e-6, converges=False),
        id="cma-es",
        marks=[
            pytest.mark.slow,
            pytest.mark.skipif(find_spec("cmaes") is None, reason="cmaes is not installed"),
        ],
    ),
    pytest.param(Kind("adam -> lm"), id="chain", marks=pytest.mark.slow),
]
"""One of each family is quick: least squares, quasi-Newton, simplex, first order."""
every_solver = pytest.mark.parametrize("kind", SOLVERS)
LINEAR = fit_toml(
    molecule("ch3f"),
    forcefield=HARMONIC
    + """
freeze = ["* r0", "* theta0"]
[[forcefield.ties]]
follower = "bend H1-C1-H1 k"
leader = "bend F1-C1-H1 k"
factor = 0.8
""",
    targets="hessian = { tolerance = 20.0 }",
    fit="prior = { strength = 1.0 }",
)
CURVED = "eigenmatrix = { tolerance = 50.0, off_diagonal = 50.0 }\nforces = { tolerance = 2.0 }"
STRETCH = "stretch C1-H1 k"


def test_every_solver_that_a_file_can_choose_is_here():
    assert {*CHOICES} == {row.id for row in SOLVERS} - {"chain"}


@pytest.fixture(scope="module")
def linear(prepared_from):
    """Force constants alone, two of them tied, one below what it would be without its bound."""
    prepared = prepared_from(LINEAR)
    changes = prepared.changes()
    problem = prepared.problem(changes, prepared.start)
    k = changes.leaders.index(STRETCH)
    upper = np.asarray(problem.variables.upper).copy()
    upper[k] = problem.prior.centre[k] - 0.1 * problem.prior.width[k]
    return prepared, eqx.tree_at(lambda p: p.variables.upper, problem, upper), k


@pytest.fixture(scope="module")
def minimum(linear):
    """Where the cost of the linear problem is lowest, by another program, and where it would be without the prior."""
    problem = linear[1]
    found = linearise(problem, jnp.zeros(problem.n_free))
    rows = [(np.asarray(r), np.asarray(j)) for r, j in zip(found.residuals, found.jacobians, strict=True)]

    def lowest(rows):
        residuals, jacobian = (np.concatenate(parts) for parts in zip(*rows, strict=True))
        return lsq_linear(jacobian, -residuals, problem.bounds, tol=1e-14).x

    return lowest(rows), lowest(rows[:-1])


@pytest.fixture(scope="module")
def curved(ch3f, problem_of):
    problem = problem_of(ch3f(CURVED, strength=0.01))
    return problem, gram(problem), spread_starts(problem, N_STARTS, seed=5)


@pytest.fixture(scope="module")
def fits(curved):
    """The end of a fit from all starts, points evaluated after each iteration, and the state at the end."""
    known = {}

    def run(kind):
        if kind not in known:
            problem, form, points = curved
            evaluations, last = [], {}

            def note(progress):
                evaluations.append(int(progress.effort.evaluations))
                last["state"] = progress.state

            end = fit(problem, start(problem, points, kind()), kind(), form=form, after=note)
            known[kind] = end, evaluations, last["state"]
        return known[kind]

    return run


def costs_at(solver, problem, form, points):
    return np.asarray(solver.judge(problem, form, points, None)[0].cost)


@every_solver
def test_reaches_the_minimum_of_bounded_linear_least_squares(linear, minimum, kind):
    _, problem, k = linear
    begun = np.clip(np.full((1, problem.n_free), 0.7), *problem.bounds)

    end = fit(problem, start(problem, begun, kind()), kind(), form=gram(problem))

    lowest = costs_at(LevenbergMarquardt(), problem, gram(problem), minimum[0][None])[0]
    assert end.quadratic.cost <= lowest * (1.0 + kind.reach)
    assert (end.at <= problem.bounds[1]).all()
    assert end.success == end.message.startswith("converged") == bool(end.promise <= 1e-9)
    if kind.converges:
        assert end.success
        np.testing.assert_allclose(end.at, minimum[0], atol=1e-6)
        assert end.at[k] == problem.bounds[1][k]
    else:
        assert end.success or "a full Newton step from there promises to lower the cost by" in end.message
    # The prior has a say in it.
    assert np.abs(minimum[0] - minimum[1]).max() > 1e-2


@every_solver
def test_ties_hold_and_what_is_frozen_stays(linear, kind):
    prepared, problem, _ = linear

    few = kind(max_steps=20)
    end = fit(problem, start(problem, np.zeros((1, problem.n_free)), few), few, form=gram(problem))

    values = np.asarray(problem.model_at(problem.prior.centre + problem.prior.width * end.at).values)
    place = {row.parameter_name(p): row.indices[p] for row in prepared.rows for p in range(row.term.n_own)}
    np.testing.assert_allclose(values[place["bend H1-C1-H1 k"]], 0.8 * values[place["bend F1-C1-H1 k"]], rtol=1e-12)
    still = [place[name] for name in place if name.endswith(("r0", "theta0"))]
    assert len(still) == 4
    np.testing.assert_array_equal(values[still], prepared.start[still])
    assert (values != prepared.start).sum() >= 3


@pytest.mark.slow
@pytest.mark.parametrize("kind", [row for row in SOLVERS if instance(Kind, row.values[0]).converges])
def test_no_other_program_finds_a_lower_cost_nearby(curved, fits, kind):
    problem, form, points = curved
    end, *_ = fits(kind)
    solver = LevenbergMarquardt()

    def cost(at):
        found = solver.judge(problem, form, at[None], None)[0]
        return float(np.asarray(found.cost)[0]), np.asarray(found.gradient)[0]

    lower = minimize(cost, end.at, jac=True, method="L-BFGS-B", bounds=np.transpose(problem.bounds))
    assert end.success
    np.testing.assert_allclose(end.quadratic.cost, cost(end.at)[0], rtol=1e-8)
    assert lower.fun > end.quadratic.cost * (1.0 - 1e-6)
    assert end.quadratic.cost < 0.5 * costs_at(solver, problem, form, points).min()


@every_solver
def test_the_best_of_all_starts_is_returned_and_each_has_the_cost_it_is_said_to_have(curved, fits, kind):
    problem, form, _ = curved
    end, _, state = fits(kind)

    assert end.starts_at.shape == (N_STARTS, problem.n_free)
    np.testing.assert_array_equal(end.at, end.starts_at[end.starts_cost.argmin()])
    np.testing.assert_allclose(costs_at(kind(), problem, form, end.starts_at), end.starts_cost, rtol=1e-10)
    np.testing.assert_allclose(end.quadratic.cost, end.starts_cost.min(), rtol=1e-10)
    if kind.converges and kind.words != "adam -> lm":
        assert end.starts_converged.all()
        assert np.asarray(state.done).all()


@every_solver
def test_what_a_fit_took_is_counted_and_its_time_is_split(fits, kind):
    end, evaluations, _ = fits(kind)
    effort, needs = end.effort, kind().needs

    assert effort.evaluations >= end.n_accepted > 0
    assert (effort.gradients > 0) == (needs is not Needs.COST)
    assert effort.gradients <= effort.evaluations
    assert effort.compile_s >= 0.0
    assert effort.run_s > 0.0
    assert (np.diff(evaluations) >= 0).all()


@every_solver
def test_never_ends_above_the_start_and_says_that_its_steps_were_used_up(curved, kind):
    problem, form, points = curved
    few = kind(max_steps=3)

    end = fit(problem, start(problem, points, few), few, form=form)

    lower, upper = problem.bounds
    assert (end.starts_cost <= costs_at(few, problem, form, points) * (1.0 + 1e-9)).all()
    assert ((end.starts_at >= lower) & (end.starts_at <= upper)).all()
    assert end.success or "not converged: 3" in end.message
    assert end.success or "were not enough" in end.message


@every_solver
def test_an_interrupt_keeps_the_best_and_the_saved_progress_goes_on_to_the_same_end(curved, fits, kind, tmp_path):
    problem, form, points = curved
    whole, path = fits(kind)[0], tmp_path / "checkpoint"
    fresh = start(problem, points, kind())

    def interrupt(progress):
        write_checkpoint(path, progress, {})
        if progress.n_iterations == 4:
            raise KeyboardInterrupt

    stopped = fit(problem, fresh, kind(), form=form, after=interrupt)
    saved = read_arrays(path, fresh)
    first = []
    resumed = fit(
        problem, saved, kind(), form=form, after=lambda progress: first.append(progress) if not first else None
    )

    assert stopped.interrupted
    assert not stopped.success
    assert stopped.message.startswith("interrupted")
    np.testing.assert_array_equal(stopped.starts_cost, saved.best_cost)
    assert np.isfinite(stopped.quadratic.cost)
    np.testing.assert_array_equal(first[0].costs[: len(saved.costs)], saved.costs)
    assert (resumed.starts_cost <= saved.best_cost).all()
    if kind.repeats:
        np.testing.assert_allclose(resumed.starts_cost, whole.starts_cost, rtol=10.0 * kind.reach)
    assert resumed.success or not kind.converges
    assert int(first[0].effort.evaluations) > int(saved.effort.evaluations) > 0
    assert (np.asarray(first[0].state.n_accepted) >= saved.state.n_accepted).all()


class Noting(Objective):
    """Notes every cost that is found."""

    found = np.inf

    def _costs(self, at):
        costs = super()._costs(at)
        self.found = np.fmin(self.found, costs.min())
        return costs

    def _slopes(self, at):
        costs, slopes = super()._slopes(at)
        self.found = np.fmin(self.found, costs.min())
        return costs, slopes


@every_solver
@pytest.mark.parametrize("n_before", [3, 12])
def test_it_can_be_ended_before_any_evaluation_with_the_best_of_all_before(curved, kind, n_before):
    problem, form, points = curved
    noting, calls = Noting(problem, form), []

    def interrupt():
        calls.append(noting.meter.evaluations)
        if len(calls) == n_before + 1:
            raise KeyboardInterrupt

    stopped = fit(problem, start(problem, points, kind()), kind(), form=form, objective=noting, before=interrupt)

    assert stopped.interrupted or len(calls) <= n_before
    assert int(stopped.effort.evaluations) >= calls[-1]
    assert stopped.starts_cost.min() <= noting.found * (1.0 + 1e-9)
    assert np.isfinite(stopped.quadratic.cost)


@every_solver
def test_a_start_where_nothing_can_be_gained_is_no_success(curved, fits, kind):
    problem, form, _ = curved
    end, *_ = fits(kind)
    at = np.tile(end.at, (N_STARTS, 1))

    again = fit(problem, start(problem, at, LevenbergMarquardt()), LevenbergMarquardt(), form=form)
    once_more = fit(problem, start(problem, again.starts_at, kind()), kind(), form=form)

    assert once_more.quadratic.cost <= end.quadratic.cost * (1.0 + 1e-9)
    assert once_more.starts_converged.all()


@every_solver
def test_a_start_that_is_no_number_is_told_and_leaves_the_others_alone(curved, kind):
    problem, form, points = curved
    few = kind(max_steps=5)
    broken = points.copy()
    broken[1] = np.nan

    whole = fit(problem, start(problem, points, few), few, form=form)
    found = fit(problem, start(problem, broken, few), few, form=form)
    alone = fit(problem, start(problem, broken[1:2], few), few, form=form)

    assert np.isinf(found.starts_cost[1])
    assert np.isfinite(whole.starts_cost).all()
    np.testing.assert_allclose(found.starts_cost[0], whole.starts_cost[0], rtol=10.0 * kind.reach)
    assert alone.message == "not converged: the cost is not a finite number at the start"
