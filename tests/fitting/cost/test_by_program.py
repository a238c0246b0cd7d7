"""The cost from what a program says is the cost from our own derivatives."""

import equinox as eqx
import jax.numpy as jnp
import numpy as np
import pytest

from forgefield.fitting.cost.by_program import CostByProgram
from forgefield.fitting.cost.cost import gauss_newton, linearise
from forgefield.models.expansions import evaluated, expansions

COST = eqx.filter_jit(lambda problem, at: gauss_newton(linearise(problem, at)).cost)


class Ours:
    """A program that is ours, and what it was asked for."""

    def __init__(self, prepared) -> None:
        self.laid, self.curved = prepared.assignment, []

    def __call__(self, values, positions, *, curved):
        self.curved.append(curved)
        topology = self.laid.topology
        return evaluated(expansions(self.laid.model.terms, values, topology, positions), values, topology)


def point(problem, seed=0):
    lower, upper = problem.bounds
    return np.clip(np.random.default_rng(seed).normal(0.0, 0.3, problem.n_free), lower, upper)


def test_all_targets_at_the_references_cost_what_they_do_by_our_own_kernel(both, problem_of):
    problem = problem_of(both)

    for at in (np.zeros(problem.n_free), point(problem)):
        found = CostByProgram(problem, both.data, Ours(both))(at)

        np.testing.assert_allclose(found, COST(problem, jnp.asarray(at)), rtol=1e-9)


@pytest.mark.slow
def test_relaxed_structures_cost_what_they_do_by_our_own_kernel(ch3f, problem_of):
    prepared = ch3f('frequencies = { tolerance = 20.0, at = "relaxed" }\nbond_length = { tolerance = 0.01 }', 0.01)
    problem = problem_of(prepared)
    at = point(problem)

    found = CostByProgram(problem, prepared.data, Ours(prepared))(at)

    np.testing.assert_allclose(found, COST(problem, jnp.asarray(at)), rtol=1e-6)


@pytest.mark.slow
def test_a_molecule_that_does_not_relax_costs_what_it_does_by_our_own_kernel(ch3f, problem_of):
    prepared = ch3f("bond_angle = { tolerance = 0.5 }")
    problem = problem_of(prepared)
    # Bends that push leave no minimum.
    pushes = np.array([name.startswith("bend") and name.endswith(" k") for name in prepared.changes().leaders])
    centre, width = np.asarray(problem.prior.centre), np.asarray(problem.prior.width)
    at = np.where(pushes, -1.2 * centre / width, 0.0)

    found = CostByProgram(problem, prepared.data, Ours(prepared))(at)

    assert found > 1000.0
    np.testing.assert_allclose(found, COST(problem, jnp.asarray(at)), rtol=1e-6)


def test_hessians_are_asked_for_by_targets_that_look_at_them_alone(ch3f, problem_of):
    for targets, curved in (("forces = { tolerance = 1.0 }", False), ("hessian = { tolerance = 5.0 }", True)):
        prepared = ch3f(targets)
        program, problem = Ours(prepared), problem_of(prepared)

        CostByProgram(problem, prepared.data, program)(np.zeros(problem.n_free))

        assert program.curved == [curved]


def test_there_is_no_cost_where_numbers_are_not_finite(ch3f, problem_of):
    prepared = ch3f("forces = { tolerance = 1.0 }")
    problem = problem_of(prepared)
    program = Ours(prepared)

    def broken(values, positions, *, curved):
        return program(np.full_like(values, np.nan), positions, curved=curved)

    assert np.isnan(CostByProgram(problem, prepared.data, broken)(np.zeros(problem.n_free)))
