import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from forgefield.errors import InputError
from forgefield.estimating.linear import (
    LinearSystem,
    Prior,
    bounded_least_squares,
    eigenmatrix_system,
    refit_with_negatives_held,
)
from forgefield.estimating.transition_state import AsIs, C, D, treat
from forgefield.models.forcefield import ForceField
from forgefield.molecules.molecule import standard_masses
from forgefield.molecules.topology import Interactions, union
from forgefield.properties.derivatives import hessians
from forgefield.terms.stretch import HARMONIC_STRETCH

FREE = -np.inf


def system(design, target, weights=None):
    design = np.array(design, float)
    weights = np.ones(len(design)) if weights is None else np.array(weights, float)
    return LinearSystem(design, np.array(target, float), weights)


def test_exact_constants_come_back(generator):
    design, constants = generator.normal(size=(400, 12)), generator.uniform(1.0, 900.0, 12)
    scaled = design * 10.0 ** generator.uniform(-3.0, 3.0, 12)

    found = bounded_least_squares(system(scaled, scaled @ constants), np.zeros(12))

    # A stable solver is exact but for rounding of the whole target, whatever a column's share in it.
    error = np.linalg.norm(scaled, axis=0) * np.abs(found.values - constants)
    assert error.max() < 1e-14 * np.linalg.norm(scaled @ constants)
    assert found.rms < 1e-14 * np.linalg.norm(scaled @ constants)
    assert not found.at_bound.any()
    assert not found.undetermined.any()


def test_an_active_bound_is_kept_and_the_rest_adapts():
    # Without bounds (3, -1); with the second at 0 the first is the mean of 3 and 2.
    rows = system([[1.0, 0.0], [1.0, 1.0], [0.0, 1.0]], [3.0, 2.0, -1.0])

    found = bounded_least_squares(rows, np.zeros(2))

    np.testing.assert_allclose(found.values, [2.5, 0.0], rtol=1e-12)
    np.testing.assert_array_equal(found.at_bound, [False, True])
    np.testing.assert_allclose(found.rms, np.sqrt((0.25 + 0.25 + 1.0) / 3.0), rtol=1e-12)


def test_an_upper_bound_is_kept():
    found = bounded_least_squares(system([[1.0]], [3.0]), np.zeros(1), np.array([2.0]))

    np.testing.assert_allclose(found.values, [2.0], rtol=1e-12)


def test_weights_decide_between_elements_that_disagree():
    found = bounded_least_squares(system([[1.0], [1.0]], [0.0, 10.0], [1.0, 3.0]), np.array([FREE]))

    np.testing.assert_allclose(found.values, [9.0], rtol=1e-12)


def test_a_prior_pulls_as_hard_as_its_width_says():
    prior = Prior(np.array([0.0, 7.0]), np.array([0.5, 2.0]))

    found = bounded_least_squares(system([[1.0, 0.0]], [10.0]), np.zeros(2), prior=prior)

    np.testing.assert_allclose(found.values, [2.0, 7.0], rtol=1e-12)
    np.testing.assert_array_equal(found.undetermined, [False, True])


def test_an_infinite_width_pulls_at_nothing():
    prior = Prior(np.array([7.0, 7.0, 7.0]), np.array([np.inf, np.inf, 1.0]))

    found = bounded_least_squares(system([[1.0, 0.0, 0.0]], [10.0]), np.zeros(3), prior=prior)

    np.testing.assert_allclose(found.values, [10.0, 0.0, 7.0], rtol=1e-12, atol=1e-12)


def test_what_elements_do_not_determine_is_named_and_the_smallest_taken():
    rows = system([[1.0, 1.0, 0.0, 0.0], [0.0, 0.0, 1.0, 0.0]], [10.0, 3.0])

    found = bounded_least_squares(rows, np.zeros(4))

    np.testing.assert_allclose(found.values, [5.0, 5.0, 3.0, 0.0], rtol=1e-9, atol=1e-12)
    np.testing.assert_array_equal(found.undetermined, [True, True, False, True])


def test_bounds_come_before_the_smallest_solution():
    found = bounded_least_squares(system([[1.0, 1.0]], [10.0]), np.array([8.0, 0.0]))

    np.testing.assert_allclose(found.values, [8.0, 2.0], rtol=1e-9)


@given(st.integers(0, 10**6))
def test_no_feasible_step_lowers_the_sum_of_squares(seed):
    generator = np.random.default_rng(seed)
    rows = system(generator.normal(size=(9, 4)), generator.normal(size=9), generator.uniform(0.5, 2.0, 9))

    found = bounded_least_squares(rows, np.zeros(4))

    deviation = rows.weights * (rows.design @ found.values - rows.target)
    slope = (rows.weights[:, None] * rows.design).T @ deviation
    assert (found.values >= 0.0).all()
    np.testing.assert_allclose(slope[~found.at_bound], 0.0, atol=1e-9)
    assert (slope[found.at_bound] >= -1e-9).all()


def test_policy_e_holds_negatives_at_their_values_under_c_and_refits_the_rest():
    rows = system([[1.0, 0.0, 0.0], [1.0, 1.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]], [3.0, 2.0, -1.0, -4.0])

    found = refit_with_negatives_held(rows, np.array([0.0, 0.0, FREE]), np.array([9.0, 1.0, 9.0]))

    np.testing.assert_allclose(found.values, [2.0, 1.0, -4.0], rtol=1e-12)
    np.testing.assert_array_equal(found.held, [False, True, False])


def test_policy_e_goes_on_until_nothing_more_comes_out_negative():
    # Holding the second at 4 turns the first negative: x = 2 - 4.
    rows = system([[1.0, 1.0], [0.0, 1.0]], [2.0, -1.0])

    found = refit_with_negatives_held(rows, np.zeros(2), np.array([0.5, 4.0]))

    np.testing.assert_array_equal(found.values, [0.5, 4.0])
    np.testing.assert_array_equal(found.held, [True, True])


def test_bad_systems_are_named():
    with pytest.raises(InputError, match="the target of the linear system"):
        bounded_least_squares(system([[1.0]], [np.nan]), np.zeros(1))
    with pytest.raises(InputError, match=r"parameter\(s\) 1 \(2 to 2\) leave no room"):
        bounded_least_squares(system([[1.0, 2.0]], [1.0]), np.array([0.0, 2.0]), np.array([1.0, 2.0]))


@pytest.fixture
def springs():
    """A five-atom and a linear two-atom molecule of springs; places 0-4 hold constants, 5 the one length."""
    x = np.array([[0.1, 0.0, 0.0], [1.1, 0.2, 0.0], [0.0, 1.0, 0.3], [-0.3, 0.1, 1.2], [0.7, 0.9, 0.8]])
    pairs = np.array([[0, 1], [0, 2], [0, 3], [1, 2], [1, 3], [2, 3], [0, 4], [1, 4], [2, 4], [5, 6]])
    rows = np.array([0, 0, 1, 1, 2, 2, 3, 3, 3, 4])
    group = Interactions(atoms=pairs, parameters=np.stack([rows, np.full(10, 5)], axis=1))
    species = [np.array([6, 1, 8, 7, 9]), np.array([1, 9])]
    model = ForceField(terms=(HARMONIC_STRETCH,), values=jnp.array([700.0, 300.0, 150.0, 90.0, 500.0, 1.05]))
    return model, union(species, (group,)), np.vstack([x, x[:2]]), species


def references(springs, policy):
    model, topology, positions, species = springs
    matrices = np.asarray(hessians(model, topology, jnp.asarray(positions)))
    sizes = np.cumsum([0, *map(len, species)])
    return [
        treat(h[: 3 * len(z), : 3 * len(z)], positions[a:b], standard_masses(z), policy, allow_negative=9)
        for h, z, a, b in zip(matrices, species, sizes[:-1], sizes[1:], strict=True)
    ]


def test_constants_of_a_model_come_back_from_its_own_hessians(springs):
    model, topology, positions, _ = springs
    targets = references(springs, AsIs())
    start = ForceField(terms=model.terms, values=jnp.array([1.0, 2.0, 3.0, 4.0, 5.0, 1.05]))

    rows = eigenmatrix_system(start, topology, positions, np.array([4, 0, 2, 1, 3]), targets)
    found = bounded_least_squares(rows, np.zeros(5))

    np.testing.assert_allclose(found.values, [500.0, 700.0, 150.0, 300.0, 90.0], rtol=1e-9)
    assert rows.design.shape == (9 * 10 // 2 + 1, 5)
    assert found.rms < 1e-6


def test_values_that_are_not_asked_for_stay_as_they_are(springs):
    model, topology, positions, _ = springs
    rows = eigenmatrix_system(model, topology, positions, np.array([1, 3]), references(springs, AsIs()))

    np.testing.assert_allclose(bounded_least_squares(rows, np.zeros(2)).values, [300.0, 90.0], rtol=1e-9)


def test_a_deviation_of_the_diagonal_weighs_as_that_of_the_frequency(springs):
    model, topology, positions, _ = springs
    targets = references(springs, AsIs())
    rows = eigenmatrix_system(model, topology, positions, np.array([4]), targets)

    weighted = rows.weights[-1] * (rows.design[-1] * 501.0 - rows.target[-1])

    np.testing.assert_allclose(weighted, targets[1].frequencies[0] * (np.sqrt(501.0 / 500.0) - 1.0), rtol=1e-3)


def test_a_reference_length_is_refused_with_the_constants_it_multiplies(springs):
    # Value 4 is that of a lone bond, whose vibration does not depend on its reference length.
    model, topology, positions, _ = springs

    with pytest.raises(InputError, match="not linear in these of the model's values taken together: 0, 5;"):
        eigenmatrix_system(model, topology, positions, np.array([0, 4, 5]), references(springs, AsIs()))


def test_one_reference_is_needed_for_each_molecule(springs):
    model, topology, positions, _ = springs

    with pytest.raises(InputError, match="2 molecules have 1 reference Hessians"):
        eigenmatrix_system(model, topology, positions, np.array([0]), references(springs, AsIs())[:1])


def test_policies_change_the_target_of_the_reaction_mode_alone(springs):
    model, topology, positions, species = springs
    saddle = ForceField(terms=model.terms, values=model.values.at[2].set(-150.0))
    under_c, under_d = (
        eigenmatrix_system(
            model, topology, positions, np.arange(5), references((saddle, topology, positions, species), p)
        )
        for p in (C(), D())
    )

    found = bounded_least_squares(under_d, np.full(5, FREE))

    assert np.flatnonzero(under_c.target - under_d.target).tolist() == [0]
    np.testing.assert_allclose(found.values, saddle.values[:5], rtol=1e-8)
