"""A training set cut into chunks, which must not be seen in anything that is computed."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from forgefield.fitting.cost.cost import linearise, quadratic
from forgefield.fitting.data import chunks as cutting
from forgefield.fitting.data.training_set import buckets

# Whole problems are compiled, in one chunk and in several.
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def cut(both, problem_of):
    """The problem of one chunk and the same in chunks of one and two molecules, with spare molecules."""
    whole = problem_of(both)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(cutting, "ATOMS", 11)
        parts = problem_of(both)
    return whole, parts


@pytest.fixture(scope="module")
def at(cut):
    generator = np.random.default_rng(2)
    return jnp.asarray(0.3 * generator.standard_normal(cut[0].n_free)), jnp.tile(jnp.arange(18), (3, 1))


def test_chunks_have_one_shape_and_hold_every_molecule_once(cut):
    whole, parts = cut

    assert whole.chunks.molecule.shape == (1, 3)
    assert parts.chunks.molecule.shape == (2, 3)
    np.testing.assert_array_equal(parts.chunks.molecule.ravel()[parts.chunks.place], [0, 1, 2])
    np.testing.assert_array_equal(
        parts.chunks.gathered(parts.chunks.data.eigenvalues), whole.chunks.gathered(whole.chunks.data.eigenvalues)
    )


def test_cost_and_its_derivatives_are_those_of_one_chunk(cut, at):
    (one, modes), (many, same_modes) = (jax.jit(lambda at, p=p: quadratic(p, *at))(at) for p in cut)

    np.testing.assert_allclose(many.cost, one.cost, rtol=1e-12)
    np.testing.assert_allclose(many.gradient, one.gradient, atol=1e-11 * np.abs(one.gradient).max())
    np.testing.assert_allclose(many.normal, one.normal, atol=1e-11 * np.abs(one.normal).max())
    np.testing.assert_allclose(same_modes.eigenvalues, modes.eigenvalues, rtol=1e-9, atol=1e-9)


def test_residuals_come_in_the_order_of_the_molecules(cut, at):
    one, many = (jax.jit(lambda at, p=p: linearise(p, *at))(at) for p in cut)

    for a, b in zip(one.residuals, many.residuals, strict=True):
        np.testing.assert_allclose(np.asarray(b), np.asarray(a), atol=1e-9)
    for a, b in zip(one.jacobians, many.jacobians, strict=True):
        np.testing.assert_allclose(np.asarray(b), np.asarray(a), atol=1e-9 * np.abs(a).max())


def test_eigenproblems_of_like_sizes_share_a_bucket():
    found = buckets(np.array([9, 18, 17, 100, 90]))

    assert [(bucket.size, bucket.molecules) for bucket in found] == [(100, (3, 4)), (18, (1, 2)), (9, (0,))]
