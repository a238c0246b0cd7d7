"""Torsions of every kind as periodic ones: the same energy at every angle, constants included."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from forgefield.assign.explicit.system import Stated
from forgefield.io.forcefields.laid.series import periodic
from forgefield.terms.bend import HARMONIC_BEND
from forgefield.terms.out_of_plane import COSINE_OUT_OF_PLANE, ONE_FOLD_OUT_OF_PLANE
from forgefield.terms.periodic import RYCKAERT_BELLEMANS
from forgefield.terms.torsion import TORSION3, TORSION4, TORSION6

ATOMS = np.array([[0, 1, 2, 3]])


def energy(stated, positions):
    return sum(
        stated.term.energy(positions[chain], *values)
        for chain, values in zip(stated.atoms, jnp.asarray(stated.values), strict=True)
    )


@pytest.mark.parametrize("angle", [-2.7, -1.1, 0.3, 1.9])
@pytest.mark.parametrize(
    "term",
    [TORSION3, TORSION4, TORSION6, RYCKAERT_BELLEMANS, COSINE_OUT_OF_PLANE, ONE_FOLD_OUT_OF_PLANE],
    ids=lambda t: t.name,
)
def test_a_sum_of_periodic_torsions_has_the_same_energy(term, angle):
    values = np.array([[1.3, -0.4, 0.8, 0.0, -0.7, 0.2][: term.n_own]])
    positions = jnp.array([[1.0, 1.0, 0.0], [0.0, 0.0, 0.0], [0.0, 0.0, 1.5], [jnp.cos(angle), jnp.sin(angle), 2.0]])

    found = periodic(Stated(term, ATOMS, values))

    with jax.disable_jit():
        wanted = term.energy(positions, *jnp.asarray(values[0]))
        np.testing.assert_allclose(energy(found, positions), wanted, atol=1e-12)
    assert (found.term.kind == "torsion") == (term.kind == "torsion")


def test_fourier_series_of_opls_need_no_constant():
    f1, f2, f3 = 0.9, -0.5, 0.3
    # The constants of Ryckaert and Bellemans of ½ Σ Fₙ (1 - (-1)ⁿ cos nφ).
    values = np.array([[f2 + 0.5 * (f1 + f3), 0.5 * (3.0 * f3 - f1), -f2, -2.0 * f3, 0.0, 0.0]])

    found = periodic(Stated(RYCKAERT_BELLEMANS, ATOMS, values))

    np.testing.assert_allclose(
        found.values[np.argsort(found.values[:, 1])], [[0.45, 1.0, 0.0], [-0.25, 2.0, np.pi], [0.15, 3.0, 0.0]]
    )


def test_other_terms_stay_as_they_are():
    stated = Stated(HARMONIC_BEND, np.array([[0, 1, 2]]), np.array([[80.0, 1.9]]))

    assert periodic(stated) is stated
