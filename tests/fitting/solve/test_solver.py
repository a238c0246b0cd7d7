"""What is kept of a fit, whatever solver takes the steps."""

from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from forgefield.fitting.cost.cost import Quadratic
from forgefield.fitting.solve.fit import fit, start
from forgefield.fitting.solve.objective import Needs
from forgefield.fitting.solve.solver import AbstractSolver, AbstractState, Tried


class Anywhere(AbstractState):
    at: jax.Array | np.ndarray
    n_accepted: jax.Array | np.ndarray

    @property
    def done(self):
        return np.zeros(len(self.at), dtype=bool)


class Scripted(AbstractSolver):
    """Notes points of these costs with its second start, and leaves the first alone."""

    costs: tuple[float, ...]
    moved: bool = True
    tolerance: float = 1e-9
    max_steps: int = 200

    @property
    def needs(self):
        return Needs.COST

    def begin(self, problem, points):
        return Anywhere(np.array(points), np.zeros(2, dtype=int))

    def run(self, course):
        for k, cost in enumerate(self.costs):
            state = course.progress.state
            at = np.full((2, course.problem.n_free), 1e-3 * k)
            state = replace(state, at=at, n_accepted=state.n_accepted + 1)
            course.note(state, Tried(np.array([1]), np.array([self.moved or k == 0]), np.array([cost]), None))

    def judge(self, problem, form, at, positions):
        found = Quadratic(jnp.zeros(()), jnp.zeros(problem.n_free), jnp.eye(problem.n_free))
        return jax.tree.map(lambda leaf: jnp.stack([leaf, leaf]), found), np.array([True, True])

    def why_not(self, state, start):
        return "the script is at its end"


@pytest.fixture
def followed(ch3f, problem_of):
    """The end of a script, and the progress after each of its points."""
    problem = problem_of(ch3f("forces = { tolerance = 1.0 }", strength=0.01))

    def run(*costs, moved=True, interrupted=False):
        seen = []

        def after(progress):
            seen.append(progress)
            if interrupted and len(seen) == len(costs):
                raise KeyboardInterrupt

        solver = Scripted(costs=costs, moved=moved)
        return fit(problem, start(problem, np.zeros((2, problem.n_free)), solver), solver, after=after), seen

    return run


def test_the_best_point_of_a_start_is_that_of_the_lowest_cost(followed):
    end, seen = followed(9.0, 5.0, 7.0, np.nan, np.inf)

    np.testing.assert_array_equal([progress.best_cost[1] for progress in seen], [9.0, 5.0, 5.0, 5.0, 5.0])
    np.testing.assert_array_equal(end.at, seen[1].state.at[1])
    np.testing.assert_array_equal(end.costs, [9.0, 5.0, 7.0])
    assert end.success


def test_a_start_that_is_left_alone_has_no_cost(followed):
    end, seen = followed(9.0)

    np.testing.assert_array_equal(end.starts_cost, [np.inf, 9.0])
    np.testing.assert_array_equal(seen[0].costs, [[np.nan, 9.0]])


def test_of_level_costs_the_last_is_the_best(followed):
    end, seen = followed(9.0, 9.0 * (1.0 + 1e-14), 9.0 * (1.0 + 1e-9))

    np.testing.assert_array_equal(end.at, seen[1].state.at[1])


def test_a_start_that_has_not_moved_keeps_its_point(followed):
    end, seen = followed(9.0, 5.0, moved=False)

    np.testing.assert_array_equal(end.starts_cost[1], 9.0)
    np.testing.assert_array_equal(end.at, seen[0].state.at[1])


def test_an_interrupt_keeps_the_best(followed):
    end, _ = followed(9.0, 5.0, 6.0, interrupted=True)

    assert end.interrupted
    assert not end.success
    np.testing.assert_array_equal(end.starts_cost[1], 5.0)
