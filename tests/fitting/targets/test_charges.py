"""The target of atomic charges, by hand."""

import equinox as eqx
import jax.numpy as jnp
import numpy as np
import pytest

from forgefield.fitting.data.observation import Observation
from forgefield.fitting.targets.charges import Charges
from forgefield.fitting.targets.target import at_reference


@pytest.fixture(scope="module")
def charged(both):
    """Fluoromethane twice as heavy, ethane without charges, ethane half as heavy; charges of a tenth of the atom."""
    charges = 0.1 * np.arange(21.0)
    return eqx.tree_at(
        lambda d: (d.charges, d.has_charges, d.weight),
        both.data,
        (charges, np.array([True, False, True]), np.array([2.0, 1.0, 0.5])),
    )


def test_charges_count_the_weight_of_their_molecule_where_the_reference_has_any(charged):
    counted = np.asarray(Charges(0.05).counted(charged))

    np.testing.assert_array_equal(counted, [[2.0] * 5 + [0.0] * 3, [0.0] * 8, [0.5] * 8])


def test_deviation_is_the_charge_of_the_model_less_that_of_the_reference(charged):
    shapes = (3,), (21, 3), (3, 0, 0), (3, 0, 0), (3, 0), (3, 0, 0)
    seen = Observation(*map(jnp.zeros, shapes), charges=jnp.full(21, 0.3))

    found = np.asarray(Charges(0.05).deviations(at_reference(seen, charged), charged))

    np.testing.assert_allclose(found[0], [0.3, 0.2, 0.1, 0.0, -0.1, 0.0, 0.0, 0.0], atol=1e-15)
    np.testing.assert_allclose(found[2, -1], 0.3 - 2.0, atol=1e-15)
