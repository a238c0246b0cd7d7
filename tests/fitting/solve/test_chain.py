"""Solvers one after another, from the best of all starts or from each."""

import numpy as np
import pytest

from forgefield.config import FitSection
from forgefield.fitting.cost.gram import gram
from forgefield.fitting.solve.fit import fit, spread_starts, start
from forgefield.jobs.fit.plan.choices import solver

N_STARTS = 3


@pytest.fixture(scope="module")
def problem(ch3f, problem_of):
    return problem_of(ch3f("eigenmatrix = { tolerance = 50.0, off_diagonal = 50.0 }", strength=0.01))


@pytest.fixture(scope="module")
def fitted(problem):
    """The end of a fit by solvers of these names, with so many steps of each, and its progress."""

    def run(words, max_steps, **options):
        chosen = solver(FitSection(solver=words, max_steps=max_steps, starts=N_STARTS), ())
        seen = []
        fresh = start(problem, spread_starts(problem, N_STARTS, seed=5), chosen)
        end = fit(problem, options.get("progress", fresh), chosen, form=gram(problem), after=seen.append)
        return end, seen

    return run


def test_the_next_solver_goes_on_from_the_best_alone_or_from_each(fitted):
    first, _ = fitted("adam", 40)
    one, _ = fitted("adam -> lm", 40)
    every, _ = fitted("adam -> multi:lm", 40)

    best = int(np.argmin(first.starts_cost))
    improved = one.starts_cost < first.starts_cost * (1.0 - 1e-3)
    np.testing.assert_array_equal(improved, np.arange(N_STARTS) == best)
    assert one.success
    assert every.starts_converged.all()
    assert one.n_accepted > 40


def test_a_solver_of_a_chain_has_its_own_steps(fitted):
    end, seen = fitted("adam -> lm", 40)

    numbers = np.array([int(one.state.number) for one in seen])
    assert (numbers == 0).sum() == 41
    assert 2 < (numbers == 1).sum() < 20
    assert end.costs[-1] == end.costs.min()


def test_a_chain_goes_on_in_the_solver_where_it_was(fitted):
    whole, seen = fitted("adam -> multi:lm", 40)

    for place in (10, 40, 43):
        resumed, after = fitted("adam -> multi:lm", 40, progress=seen[place])
        np.testing.assert_array_equal(resumed.starts_at, whole.starts_at)
        assert len(after) == len(seen) - place - 1
