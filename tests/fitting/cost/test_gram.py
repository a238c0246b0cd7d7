"""The cost as a quadratic form in monomials, against the cost itself."""

from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from forgefield.fitting.cost import molecule_form
from forgefield.fitting.cost.cost import quadratic
from forgefield.fitting.cost.gram import gram
from forgefield.fitting.data import chunks as cutting
from forgefield.fitting.solve.fit import fit, spread_starts, start
from forgefield.fitting.solve.levenberg_marquardt import LevenbergMarquardt

SOLVER = LevenbergMarquardt()
LINEAR = """
eigenmatrix = { tolerance = 50.0, off_diagonal = 40.0 }
forces = { tolerance = 1.0 }
hessian = { tolerance = 4.0 }
"""


@pytest.fixture(scope="module")
def all_linear(both, problem_of):
    """Three molecules with every target but frequencies, a tie and molecules that count differently."""
    targets = tuple(target for target in both.plan.targets if target.name != "frequencies")
    linear = replace(both, plan=replace(both.plan, targets=targets))
    weight = np.array([1.0, 2.0, 0.5])
    return linear, lambda: problem_of(replace(linear, data=replace(linear.data, weight=weight)))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("atoms", "held"),
    [(600, 4_000_000), (11, 4_000_000), (600, 2_000)],
    ids=["one chunk", "chunks with spare molecules", "few pairs of vectors at a time"],
)
def test_form_is_the_cost_with_its_derivatives(all_linear, atoms, held, monkeypatch):
    monkeypatch.setattr(cutting, "ATOMS", atoms)
    monkeypatch.setattr(molecule_form, "HELD", held)
    problem = all_linear[1]()
    at = jnp.asarray(0.5 * np.random.default_rng(4).standard_normal(problem.n_free))

    form = gram(problem)

    assert form is not None
    found = form.quadratic(problem, at)
    expected = jax.jit(lambda at: quadratic(problem, at))(at)
    np.testing.assert_allclose(found.cost, expected.cost, rtol=1e-10)
    np.testing.assert_allclose(found.gradient, expected.gradient, atol=1e-9 * np.abs(expected.gradient).max())
    np.testing.assert_allclose(found.normal, expected.normal, atol=1e-10 * np.abs(expected.normal).max())


@pytest.mark.slow
def test_fits_with_and_without_the_form_end_at_the_same_place(ch3f, problem_of):
    problem = problem_of(ch3f(LINEAR, strength=0.01))
    form = gram(problem)
    first = fit(problem, start(problem, spread_starts(problem, 1), SOLVER), SOLVER, form=form)
    # Near its end: from afar the two may go to different optima.
    points = first.at + 0.2 * spread_starts(problem, 4, seed=1)[1:]

    alone = fit(problem, start(problem, points, SOLVER), SOLVER)
    formed = fit(problem, start(problem, points, SOLVER), SOLVER, form=form)

    assert formed.success
    np.testing.assert_allclose(formed.starts_cost, alone.starts_cost, rtol=1e-8)
    np.testing.assert_allclose(formed.at, alone.at, atol=1e-4)


def test_frequencies_have_no_form(ch3f, problem_of):
    assert gram(problem_of(ch3f("frequencies = { tolerance = 20.0 }"))) is None
