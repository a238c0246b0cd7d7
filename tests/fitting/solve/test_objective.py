"""The cost that solvers minimise by costs and gradients alone."""

import numpy as np
import pytest

from forgefield.fitting.cost.gram import gram
from forgefield.fitting.solve import objective as solve_objective
from forgefield.fitting.solve.evaluation import quadratics
from forgefield.fitting.solve.objective import Meter, Objective
from samples import BONDED, CH3F, STAGGERED, fit_toml, molecule

TARGETS = {
    "form": "hessian = { tolerance = 5.0 }\nforces = { tolerance = 3.0 }\nenergy = { tolerance = 0.5 }\n",
    "frequencies": "frequencies = { tolerance = 20.0 }\nenergy = { tolerance = 0.5 }\n",
    "relaxed": "forces = { tolerance = 3.0 }\nbond_length = { tolerance = 0.01 }\n",
}


@pytest.fixture(scope="module")
def problem(prepared_from, problem_of):
    known = {}

    def made(name):
        if name not in known:
            molecules = (CH3F,) if name == "relaxed" else (STAGGERED, molecule("eclipsed", "D"))
            known[name] = problem_of(prepared_from(fit_toml(*molecules, forcefield=BONDED, targets=TARGETS[name])))
        return known[name]

    return made


@pytest.mark.slow
@pytest.mark.parametrize("name", ["form", "frequencies", pytest.param("relaxed", marks=pytest.mark.slow)])
def test_costs_and_gradients_are_those_of_the_quadratic_model(problem, name):
    problem = problem(name)
    form = gram(problem)
    points = 0.1 * np.cos(np.arange(2 * problem.n_free)).reshape(2, -1)
    begun = np.stack(2 * [np.asarray(problem.chunks.data.positions)]) if problem.relaxes else None

    found, _ = quadratics(problem, form, points, begun)
    objective = Objective(problem, form)
    costs, (same, gradients) = objective.costs(points), objective.costs_and_gradients(points)

    assert (form is None) == (name == "frequencies")
    np.testing.assert_allclose(costs, found.cost, rtol=1e-9)
    np.testing.assert_allclose(same, found.cost, rtol=1e-9)
    np.testing.assert_allclose(gradients, found.gradient, rtol=1e-7, atol=1e-9 * np.abs(found.gradient).max())


def test_points_are_counted_each(problem):
    problem = problem("form")
    objective = Objective(problem, gram(problem))

    objective.costs(np.zeros((3, problem.n_free)))
    objective.cost(np.zeros(problem.n_free))
    objective.cost_and_gradient(np.zeros(problem.n_free))

    assert (objective.meter.evaluations, objective.meter.gradients) == (5, 1)


def test_a_point_that_is_no_number_has_no_cost(problem):
    problem = problem("form")

    costs = Objective(problem, gram(problem)).costs(np.full((1, problem.n_free), np.nan))

    assert np.isnan(costs).all()


def test_what_the_first_call_of_each_program_takes_longer_is_compiling(monkeypatch):
    clock = iter([0.0, 5.0, 10.0, 12.0, 20.0, 21.0, 30.0, 33.0])
    monkeypatch.setattr(solve_objective, "perf_counter", lambda: next(clock))
    meter = Meter()

    for program in ("one", "one", "one", "other"):
        with meter.timed(program):
            pass

    assert meter.compile_s == (5.0 - 1.0) + 3.0
