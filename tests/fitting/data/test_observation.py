"""What is observed of a model, against NumPy."""

from dataclasses import replace

import equinox as eqx
import jax.numpy as jnp
import numpy as np
import pytest

from forgefield.fitting.data.observation import observe, observed
from forgefield.fitting.data.training_set import Bucket
from forgefield.models.forcefield import ForceField
from samples import HARMONIC, fit_toml, molecule


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


@pytest.mark.slow
def test_term_by_term_the_same_is_observed_as_of_the_whole_model(prepared_from):
    forcefield = HARMONIC + 'charges = "bonds"\nterms = ["stretch", "bend", "torsion", "stretch_bend"]\n'
    prepared = prepared_from(fit_toml(molecule("fluoroform"), forcefield=forcefield))
    model, data = prepared.assignment.model, prepared.data

    found, expected = observed(model, data), eqx.filter_jit(observe)(model, data)

    for name in ("energy", "gradient", "hessian", "eigenmatrix", "eigenvalues", "charges"):
        one, other = np.asarray(getattr(found, name)), np.asarray(getattr(expected, name))
        np.testing.assert_allclose(one, other, rtol=1e-11, atol=1e-11 * np.abs(other).max())
    np.testing.assert_allclose(np.abs(found.mixing), np.abs(expected.mixing), atol=1e-7)
