"""A fit whose cost is no number beyond some value of a parameter."""

from dataclasses import replace

import equinox as eqx
import jax.numpy as jnp
import numpy as np
import pytest

from forgefield.fitting.solve.fit import fit, spread_starts, start
from forgefield.fitting.solve.levenberg_marquardt import LevenbergMarquardt
from forgefield.models.forcefield import ForceField

SOLVER = LevenbergMarquardt(max_steps=60)
TARGETS = "eigenmatrix = { tolerance = 20.0 }\nforces = { tolerance = 1.0 }"
RAISED = "stretch C1-H1 k"


@pytest.fixture(scope="module")
def prepared(ch3f):
    return ch3f(TARGETS, strength=0.01)


@pytest.fixture(scope="module")
def free(prepared, problem_of):
    """The free variables of a fit that nothing hinders, at its start and at its end."""
    problem = problem_of(prepared)
    end = fit(problem, start(problem, spread_starts(problem, 1), SOLVER), SOLVER)
    centre, width = np.asarray(problem.prior.centre), np.asarray(problem.prior.width)
    return centre, centre + width * end.at


def only_below(term, limit):
    """The term with an energy that is no number for force constants above a limit."""

    def profile(coordinates, k, *others):
        return term.profile(coordinates, k, *others) * jnp.where(k > limit, jnp.nan, 1.0)

    return replace(term, profile=profile, polynomial=None)


@pytest.mark.slow
def test_steps_to_where_the_cost_is_no_number_are_rejected_and_the_best_is_kept(prepared, problem_of, free):
    problem = problem_of(prepared)
    place = prepared.changes().names.index(RAISED)
    first, last = free[0][place], free[1][place]
    limit = 0.5 * (first + last)
    assert first < limit < last
    terms = tuple(only_below(t, limit) if t.kind == "stretch" else t for t in problem.model.terms)
    hindered = eqx.tree_at(lambda p: p.model, problem, ForceField(terms, problem.model.values))
    seen = []

    end = fit(hindered, start(hindered, spread_starts(hindered, 1), SOLVER), SOLVER, after=seen.append)

    value = np.asarray(problem.prior.centre + problem.prior.width * end.at)[place]
    accepted = [bool(progress.state.accepted[0]) for progress in seen]
    assert not all(accepted)
    assert sum(accepted) > 1
    assert first < value <= limit
    assert np.isfinite(end.at).all()
    assert end.quadratic.cost < end.costs[0]
    assert not end.success
