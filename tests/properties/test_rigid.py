"""Rigid motions and superposition of molecules of a batch, by symmetry and by hand."""

import jax.numpy as jnp
import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from forgefield.properties.rigid import rigid_motions, root_mean_square_deviations, superposed

CHIRAL = np.array([[0, 0, 0], [0, 0, 1.1], [1.27, 0, -0.45], [-0.8, 1.39, -0.6], [-0.87, -1.5, -0.7]])


def test_a_mirror_image_is_not_laid_on_its_molecule():
    atoms = jnp.ones((1, 5), bool)
    turned = CHIRAL @ Rotation.from_rotvec([0.7, -1.2, 2.0]).as_matrix() + 3.0

    same = root_mean_square_deviations(jnp.array(turned)[None], jnp.array(CHIRAL)[None], atoms)
    mirror = root_mean_square_deviations(jnp.array(-turned)[None], jnp.array(CHIRAL)[None], atoms)

    np.testing.assert_allclose(same, 0.0, atol=1e-12)
    # The ligands of a tetrahedral centre cannot all be where those of the mirror image are: two must swap.
    assert float(mirror[0]) > 0.5


def test_a_mirror_image_keeps_its_hand_where_it_is_laid():
    def hand(x):
        first, second, third = x[2] - x[1], x[3] - x[1], x[4] - x[1]
        return float(first @ np.cross(second, third))

    laid = superposed(jnp.array(-CHIRAL)[None], jnp.array(CHIRAL)[None], jnp.ones((1, 5)))[0]

    np.testing.assert_allclose(hand(np.asarray(laid)), -hand(CHIRAL), rtol=1e-12)


@pytest.mark.parametrize(("bend", "n_motions"), [(0.0, 5), (0.1, 5), (3.0, 6)])
def test_a_molecule_bent_by_a_few_degrees_turns_about_its_axis(bend, n_motions):
    half = np.radians(bend) / 2.0
    arm = 1.16 * np.array([np.cos(half), np.sin(half)])
    positions = jnp.array([[[arm[0], arm[1], 0.0], [0.0, 0.0, 0.0], [-arm[0], arm[1], 0.0]]])

    found = rigid_motions(positions, jnp.array([[16.0, 12.0, 16.0]]))[0]

    np.testing.assert_allclose(np.linalg.norm(found, axis=0).sum(), n_motions, rtol=1e-12)
