"""Molecules and modes that count more than once, or not at all."""

import equinox as eqx
import jax.numpy as jnp
import numpy as np
import pytest

from forgefield.errors import InputError
from forgefield.fitting.cost.cost import quadratic
from forgefield.fitting.data.training_set import training_set
from forgefield.fitting.targets.target import centred, comparable
from forgefield.jobs.fit.plan.check import weight_of
from samples import BONDED, CH3F, STAGGERED, fit_toml, molecule

# Most of the time goes into compiling whole models.
pytestmark = pytest.mark.slow

TARGETS = "eigenmatrix = { tolerance = 40.0, off_diagonal = 100.0 }\nforces = { tolerance = 3.0 }"
ETHANE = STAGGERED + molecule("eclipsed", "D") + "weight = 0.0\n"
QUADRATIC = eqx.filter_jit(quadratic)


def plain(molecules):
    return fit_toml(molecules, forcefield=BONDED, targets=TARGETS, fit="prior = { strength = 0.0 }")


@pytest.fixture(scope="module")
def derivatives(prepared_from, problem_of):
    """The cost with its derivatives by the free variables of these molecules, at values that all of them know."""

    def of(molecules, values=None):
        prepared = prepared_from(plain(molecules))
        problem = problem_of(prepared)
        names = prepared.changes().leaders
        free = np.asarray(problem.prior.centre) if values is None else np.array([values[n] for n in names])
        width = np.asarray(problem.prior.width)
        found = QUADRATIC(problem, (free - problem.prior.centre) / width)
        known = dict(zip(names, free, strict=True))
        return float(found.cost), found.gradient / width, found.normal / np.outer(width, width), known

    return of


def test_weight_of_two_is_the_molecule_given_twice_and_of_zero_is_to_leave_it_out(derivatives):
    *weighted, values = derivatives(CH3F + STAGGERED + "weight = 2.0\n" + ETHANE.removeprefix(STAGGERED))

    *given, _ = derivatives(CH3F + 2 * STAGGERED, values)

    for ours, theirs in zip(weighted, given, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-10, atol=1e-12 * np.abs(theirs).max())


def test_energies_of_a_group_are_about_the_weighted_mean():
    energy = jnp.array([3.0, 1.0, 7.0])
    group = jnp.zeros(3, int)

    def total(energy, weight):
        counted = weight[:, None]
        return jnp.sum(comparable(counted, group) * centred(energy[:, None], counted, group) ** 2)

    weighted = total(energy, jnp.array([2.0, 1.0, 0.0]))

    np.testing.assert_allclose(weighted, total(energy[jnp.array([0, 0, 1])], jnp.ones(3)))


def test_modes_count_by_their_band_and_the_reaction_mode_by_its_own_weight(prepared_from):
    weighted = "reaction_mode_weight = 0.0\nmode_weights = [{ lowest = 0, highest = 600, weight = 3.0 }]\n"

    prepared = prepared_from(plain(molecule("saddle", "C") + weighted))

    (example,), (counted,) = prepared.examples, prepared.data.mode_weight
    frequencies = example.treated.frequencies
    rest = np.delete(np.arange(len(frequencies)), example.treated.reaction_mode)
    soft = (frequencies[rest] >= 0.0) & (frequencies[rest] < 600.0)
    assert 0 < soft.sum() < len(rest)
    np.testing.assert_array_equal(counted[rest], np.where(soft, 3.0, 1.0))
    assert counted[example.treated.reaction_mode] == 0.0
    assert weight_of(example) == f"1; 0 to 600 cm⁻¹ ({soft.sum()} modes): × 3; reaction mode: × 0"
    assert training_set(prepared.assignment.topology, prepared.examples).weight == [1.0]


@pytest.mark.parametrize(
    ("policy", "stated", "counts"),
    [("C", "", 0.0), ("D+", "", 0.0), ("D", "", 1.0), ("E", "", 1.0), ("C", "reaction_mode_weight = 1.0\n", 1.0)],
)
def test_an_eigenvalue_that_a_policy_puts_in_is_not_fitted_to_unless_that_is_asked_for(
    prepared_from, policy, stated, counts
):
    prepared = prepared_from(plain(molecule("saddle", policy) + stated))

    (example,), (counted,) = prepared.examples, prepared.data.mode_weight
    assert counted[example.treated.reaction_mode] == counts
    assert ("reaction mode: × 0" in weight_of(example)) == (counts == 0.0)
    assert ("Its mode is not fitted to" in " ".join(prepared.warnings)) == (counts == 0.0)


def test_weights_that_leave_nothing_of_a_target_are_refused(prepared_from):
    with pytest.raises(InputError, match=r"nothing counts in the target\(s\) eigenmatrix, .*weight of zero"):
        prepared_from(plain(CH3F + "weight = 0.0\n"))


def test_band_without_modes_is_warned_of(prepared_from):
    prepared = prepared_from(plain(CH3F + "mode_weights = [{ lowest = 6000, weight = 2.0 }]\n"))

    assert "mode_weights: no mode lies between 6000 and inf cm⁻¹" in prepared.warnings
