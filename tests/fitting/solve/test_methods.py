"""What the cycles of gradient steps and simplices, and the evolution, do besides what every solver does."""

import numpy as np
import pytest

from certain import known
from forgefield.config import FitSection
from forgefield.fitting.cost.gram import gram
from forgefield.fitting.solve import methods
from forgefield.fitting.solve.fit import fit, spread_starts, start
from forgefield.jobs.fit.plan.choices import solver


@pytest.fixture(scope="module")
def problem(ch3f, problem_of):
    return problem_of(ch3f("eigenmatrix = { tolerance = 50.0, off_diagonal = 50.0 }", strength=0.01))


def fitted(problem, words, max_steps, progress=None):
    chosen, seen = solver(FitSection(solver=words, max_steps=max_steps), ()), []
    progress = progress or start(problem, spread_starts(problem, 1), chosen)
    return fit(problem, progress, chosen, form=gram(problem), after=seen.append), seen


def test_a_simplex_crawls_in_the_variables_of_the_lowest_d2_by_d1_squared(problem):
    end, _ = fitted(problem, "grad-simp", 1)

    d1, d2, chosen = known(end.sensitivity).T
    ranking = np.argsort(d2 / d1**2)
    assert set(np.flatnonzero(chosen)) == set(ranking[:3])
    assert (d2 > 0.0).any()


def test_derivatives_by_differences_are_those_of_the_cost(problem, monkeypatch):
    # Without a descent the differences are taken where the fit begins.
    monkeypatch.setattr(methods, "_minimised", lambda *_, **__: True)
    monkeypatch.setattr(methods, "simplex", lambda *_: True)
    end, _ = fitted(problem, "grad-simp", 1)

    exact = known(gram(problem)).quadratic(problem, np.zeros(problem.n_free))
    np.testing.assert_allclose(
        known(end.sensitivity)[:, 0], exact.gradient, rtol=1e-2, atol=1e-3 * np.abs(exact.gradient).max()
    )


def test_an_evolution_that_is_told_again_is_where_it_was(problem):
    pytest.importorskip("cmaes")
    whole, seen = fitted(problem, "cma-es", 30)

    resumed, after = fitted(problem, "cma-es", 30, progress=seen[12])

    np.testing.assert_array_equal(resumed.at, whole.at)
    assert len(after) == len(seen) - 13
    assert int(resumed.effort.evaluations) == int(whole.effort.evaluations)
