"""What is observed of a model, against NumPy."""

from dataclasses import replace

import equinox as eqx
import jax.numpy as jnp
import numpy as np

from forgefield.fitting.data.observation import observe
from forgefield.fitting.data.training_set import Bucket
from forgefield.models.forcefield import ForceField


def test_padding_sorts_after_the_stiffest_modes(ch3f):
    # Four times as stiff as any bond, C-H stretches have eigenvalues of 3000 kcal/mol/Å²/amu; the last mode is padding.
    prepared = ch3f("frequencies = { tolerance = 20.0 }")
    stiff = ForceField(prepared.assignment.model.terms, 4.0 * prepared.assignment.model.values)
    held = np.arange(9) < 8
    data = eqx.tree_at(lambda d: (d.has_mode, d.modes), prepared.data, (held[None], prepared.data.modes * held))
    data = replace(data, buckets=(Bucket(9, (0,)),))

    seen = eqx.filter_jit(observe)(stiff, data)

    expected = np.linalg.eigvalsh(np.asarray(seen.eigenmatrix)[0, :8, :8])
    assert expected[-1] > 2000.0
    np.testing.assert_allclose(seen.eigenvalues[0, :8], expected, rtol=1e-6)
    assert seen.eigenvalues[0, 8] > 1e6
    np.testing.assert_allclose(jnp.abs(seen.mixing[0, 8]), np.eye(9)[8], atol=1e-6)
