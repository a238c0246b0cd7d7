"""Training sets filled up to a few sizes, of which nothing must be seen in what is computed."""

from dataclasses import replace

import jax
import numpy as np
import pytest

from forgefield.fitting.cost.cost import contributions
from forgefield.fitting.cost.on_ladder import on_ladder
from forgefield.fitting.data import ladder
from forgefield.fitting.data.chunks import on_ladder as filled_up
from forgefield.fitting.data.ladder import multiple, rung
from forgefield.fitting.judge.relaxed_metrics import RelaxedJudge
from forgefield.fitting.judge.uncertainty import numbers_of_values
from forgefield.fitting.solve.evaluation import quadratics
from samples import CH3F, FORCES, FREQUENCIES, HARMONIC, fit_toml, molecule

FLUOROFORM = molecule("fluoroform")
CHARGED = HARMONIC + 'charges = "bonds"\nnonbonded = "uff"\n'
RELAXED = "bond_length = { tolerance = 0.01 }\nbond_angle = { tolerance = 1.0 }\n"


@pytest.fixture
def unfilled(monkeypatch):
    """Calls a function while nothing is filled up."""

    def called(function, *arguments):
        with monkeypatch.context() as patch:
            patch.setattr(ladder, "LARGEST", 0)
            return function(*arguments)

    return called


def shapes(tree):
    """The structure of a tree with the shapes of its leaves: what a program is compiled for."""
    leaves, structure = jax.tree.flatten(tree)
    return structure, [np.shape(leaf) for leaf in leaves]


@pytest.mark.parametrize(("n", "size"), [(1, 4), (4, 4), (5, 6), (9, 12), (20, 24), (32, 32), (33, 40), (100, 112)])
def test_a_rung_has_room_for_no_more_than_half_as_many_again(n, size):
    assert rung(n) == size


@pytest.mark.parametrize(("n", "size"), [(0, 0), (1, 10), (10, 10), (11, 15), (16, 20), (21, 30), (31, 40)])
def test_what_is_more_than_usual_has_room_at_multiples_of_it(n, size):
    assert multiple(n, 10.0) == size


@pytest.mark.slow
@pytest.mark.parametrize("targets", [FORCES, RELAXED], ids=["reference", "relaxed"])
def test_molecules_of_about_one_size_have_problems_of_one_shape(prepared_from, problem_of, targets):
    text = [fit_toml(molecule(name), targets=targets) for name in ("ethanol", "propane")]

    one, other = (problem_of(prepared_from(each)) for each in text)

    assert shapes(one) != shapes(other)
    assert shapes(on_ladder(one)) == shapes(on_ladder(other))


def assert_close(found, expected):
    for a, b in zip(*map(jax.tree.leaves, (found, expected)), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-12, atol=1e-12 * max(np.abs(b).max(initial=0.0), 1.0))


@pytest.mark.slow
def test_a_judgement_is_that_of_what_is_not_filled_up(both, unfilled):
    given = both.assignment.model, both.data, both.examples

    found, expected = RelaxedJudge()(*given), unfilled(RelaxedJudge(), *given)

    assert_close(list(vars(found.total).values()), list(vars(expected.total).values()))
    targets = both.plan.targets
    shares = (
        contributions(targets, both.data, found.sights),
        unfilled(contributions, targets, both.data, expected.sights),
    )
    np.testing.assert_allclose(*shares, rtol=1e-12)
    assert numbers_of_values(targets, both.data) == unfilled(numbers_of_values, targets, both.data)


def evaluated(problem):
    at = 0.2 * np.random.default_rng(0).standard_normal((2, problem.n_free))
    positions = np.stack(2 * [np.asarray(problem.chunks.data.positions)]) if problem.relaxes else None
    return quadratics(problem, None, at, positions)


@pytest.mark.slow
@pytest.mark.parametrize("targets", [FREQUENCIES + FORCES, RELAXED], ids=["fixed", "relaxed"])
def test_a_cost_is_that_of_what_is_not_filled_up(prepared_from, problem_of, unfilled, targets):
    problem = problem_of(prepared_from(fit_toml(FLUOROFORM, forcefield=CHARGED, targets=targets)))

    assert_close(evaluated(problem), unfilled(evaluated, problem))


def test_charges_that_fill_up_are_those_of_spare_atoms(prepared_from):
    prepared = prepared_from(fit_toml(FLUOROFORM, forcefield=CHARGED))
    model, data = prepared.assignment.model, prepared.data

    wide = filled_up(data, len(model.values))

    charges = np.asarray(ladder.filled(model, data).charges(wide.topology))
    np.testing.assert_array_equal(charges[:5], np.asarray(model.charges(data.topology)))
    assert (charges[5:] == 0.0).all()


def test_a_large_set_is_not_filled_up(prepared_from, monkeypatch):
    data = prepared_from(fit_toml(CH3F)).data
    monkeypatch.setattr(ladder, "LARGEST", 4)

    assert filled_up(replace(data), 9).topology.n_atoms == 5
