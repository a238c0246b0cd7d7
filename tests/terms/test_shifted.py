"""Terms between shifted hydrogen centres, scaled terms, and the terms that only MM3* has."""

import pickle

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from forgefield.terms.cross import STRETCH_BEND
from forgefield.terms.mm3 import BEND_BEND_PRODUCT, BOND_MOMENT
from forgefield.terms.nonbonded import COULOMB, EXP6_PAIR
from forgefield.terms.shifted import scaled, shifted, shifted_stretch
from forgefield.terms.stretch import HARMONIC_STRETCH
from forgefield.terms.torsion import TORSION3

# A hydrogen 1 Å above its parent at the origin, and another atom 4 Å above: with an offset of -0.077 the
# hydrogen's centre stands at 0.923 Å.
LINE = jnp.array([[0.0, 0.0, 1.0], [0.0, 0.0, 4.0], [0.0, 0.0, 0.0]])


def test_pair_acts_between_the_shifted_centre_and_the_other_atom():
    energy = shifted(COULOMB, (0,)).energy(LINE, 1.0, 1.0, 1.0, -0.077)

    np.testing.assert_allclose(energy * (4.0 - 0.923), COULOMB.energy(LINE[1:], 1.0, 1.0, 1.0) * 4.0, rtol=1e-14)


@pytest.mark.parametrize(
    "term", [shifted(COULOMB, (0,)), shifted_stretch(HARMONIC_STRETCH, (0, 1)), shifted(scaled(TORSION3), (3,))]
)
def test_term_is_the_same_in_another_process(term):
    assert pickle.loads(pickle.dumps(term)) is term


def test_stretch_across_a_zero_order_bond_is_divided_by_one_plus_the_offset():
    energy = shifted_stretch(HARMONIC_STRETCH, (0,)).energy(LINE, 2.0, 1.0, -0.077)

    np.testing.assert_allclose(energy, (3.077 / 0.923 - 1.0) ** 2, rtol=1e-14)


def test_shifted_stretch_leaves_a_hydrogens_own_bond_unchanged():
    own = LINE[jnp.array([0, 2, 2])]

    np.testing.assert_allclose(
        shifted_stretch(HARMONIC_STRETCH, (0,)).energy(own, 2.0, 0.6, -0.077), 0.4**2, rtol=1e-14
    )


def test_atoms_with_no_offset_stay_where_they_are(key):
    x = jax.random.normal(key, (3, 3))
    parameters = (3.0, 1.0, 1.1, 1.9)

    moved = shifted(STRETCH_BEND, (0, 1, 2)).energy(jnp.concatenate([x, x]), *parameters, 0.0, 0.0, 0.0)

    np.testing.assert_allclose(moved, STRETCH_BEND.energy(x, *parameters), rtol=1e-14)


def test_forces_on_hydrogen_and_parent_share_the_force_on_the_centre():
    term = shifted(EXP6_PAIR, (0,))

    gradient = jax.grad(term.energy)(LINE, 3.6, 0.1, -0.077)

    np.testing.assert_allclose(gradient.sum(axis=0), 0.0, atol=1e-12)
    np.testing.assert_allclose(gradient[2], gradient[0] * 0.077 / 0.923, rtol=1e-12)


def test_scaled_term_multiplies_the_energy_by_its_last_parameter(key):
    x = jax.random.normal(key, (4, 3))

    np.testing.assert_allclose(
        scaled(TORSION3).energy(x, 1.0, 2.0, 3.0, 0.25), 0.25 * TORSION3.energy(x, 1.0, 2.0, 3.0), rtol=1e-14
    )


def test_made_terms_are_the_same_object_each_time_so_that_they_compile_once():
    assert shifted(COULOMB, (0,)) is shifted(COULOMB, (0,))
    assert scaled(TORSION3) is scaled(TORSION3)


def test_bend_bend_is_minus_the_product_of_both_constants_and_deviations():
    right_angles = jnp.array([[0.0, 0.0, 0.0], [1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]])

    energy = BEND_BEND_PRODUCT.energy(right_angles, 2.0, 3.0, np.pi / 2 - 0.1, np.pi / 2 + 0.2)

    np.testing.assert_allclose(energy, -2.0 * 3.0 * 0.1 * -0.2, rtol=1e-12)


def test_bond_moment_has_no_energy_of_its_own():
    assert BOND_MOMENT.energy(LINE[:2], 0.3) == 0.0
