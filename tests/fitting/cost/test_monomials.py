"""Energies as sums over monomials of the parameters, against the terms themselves."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from forgefield.fitting.cost.monomials import gathered, is_polynomial, monomials_of
from forgefield.terms import bend, cross, mm3, nonbonded, out_of_plane, stretch, torsion

# Each term is compiled for itself.
pytestmark = pytest.mark.slow

# Places of the parameters in the values: a place given twice is shared.
TERMS = [
    pytest.param(stretch.HARMONIC_STRETCH, (0, 1), id="harmonic_stretch"),
    pytest.param(stretch.MM3_STRETCH, (0, 1), id="mm3_stretch"),
    pytest.param(bend.HARMONIC_BEND, (1, 0), id="harmonic_bend"),
    pytest.param(bend.MM3_BEND, (0, 1), id="mm3_bend"),
    pytest.param(torsion.TORSION3, (0, 1, 2), id="torsion3"),
    pytest.param(torsion.TORSION6, (5, 4, 3, 2, 1, 0), id="torsion6"),
    pytest.param(out_of_plane.COSINE_OUT_OF_PLANE, (0,), id="cosine_out_of_plane"),
    pytest.param(out_of_plane.ONE_FOLD_OUT_OF_PLANE, (0,), id="one_fold_out_of_plane"),
    pytest.param(cross.STRETCH_BEND, (0, 1, 2, 3), id="stretch_bend"),
    pytest.param(cross.STRETCH_BEND, (0, 1, 1, 3), id="stretch_bend of equal bonds"),
    pytest.param(cross.STRETCH_STRETCH, (0, 1, 1), id="stretch_stretch"),
    pytest.param(cross.BEND_BEND, (0, 1, 2), id="bend_bend"),
    pytest.param(cross.STRETCH_STRETCH_13, (0, 1, 2), id="stretch_stretch_13"),
    pytest.param(cross.BEND_TORSION_BEND, (0, 1, 1), id="bend_torsion_bend of equal bends"),
    pytest.param(cross.UREY_BRADLEY, (0, 1), id="urey_bradley"),
    pytest.param(cross.TORSION_STRETCH, (0, 1), id="torsion_stretch"),
    pytest.param(mm3.BEND_BEND_PRODUCT, (0, 1, 2, 3), id="bend_bend_product"),
    pytest.param(mm3.BEND_BEND_PRODUCT, (0, 0, 2, 2), id="bend_bend_product of one row"),
]
N_VALUES = 6


@pytest.fixture
def rng(request):
    return np.random.default_rng(len(request.node.name))


def derivatives(term, q, parameters):
    """Energy, and its first and second derivatives by the coordinates."""

    def energy(q, p):
        return term.profile(q, *p)

    found = jax.jit(lambda p: (energy(q, p), jax.grad(energy)(q, p), jax.hessian(energy)(q, p)))
    return [np.concatenate([np.ravel(leaf) for leaf in found(jnp.asarray(p))]) for p in parameters]


@pytest.mark.parametrize(("term", "places"), TERMS)
@pytest.mark.parametrize("frozen", [False, True], ids=["all", "the last frozen"])
def test_a_term_is_the_sum_of_its_monomials(term, places, frozen, rng):
    places, start, end = np.array(places), 1.0 + rng.random(N_VALUES), 1.0 + rng.random(N_VALUES)
    selected = np.ones(len(places), dtype=bool)
    if frozen and len(set(places)) > 1:
        selected = places != places[-1]
        end[places[-1]] = start[places[-1]]
    x = jnp.asarray(1.5 * rng.random((term.order, 3)))
    q = term.coordinates.values(x, jnp.asarray(start[places]))
    listed = monomials_of(term, places, start[places], selected)
    monomials = gathered(listed)

    factors = monomials.values(end)

    parts = derivatives(term, q, [m.parameters for m in listed])
    whole, before = derivatives(term, q, [end[places], start[places]])
    moved = sum(f * part for f, part in zip(factors, parts, strict=True))
    # What does not change is not among the monomials.
    constant = before - sum(f * part for f, part in zip(monomials.values(start), parts, strict=True))
    np.testing.assert_allclose(moved + constant, whole, rtol=1e-9, atol=1e-9 * np.abs(parts).max())


def test_slopes_are_those_of_the_values(rng):
    start = 1.0 + rng.random(N_VALUES)
    places = np.array([0, 1, 2, 3])
    monomials = gathered(monomials_of(cross.STRETCH_BEND, places, start[:4], np.ones(4, dtype=bool)))
    at, steps = 1.0 + rng.random(N_VALUES), 1e-6 * np.eye(N_VALUES)

    slopes = np.zeros((len(monomials.places), N_VALUES))
    for f in range(monomials.places.shape[1]):
        np.add.at(slopes, (np.arange(len(slopes)), monomials.places[:, f]), monomials.slopes(at)[:, f])

    rises = [monomials.values(at + step) - monomials.values(at - step) for step in steps]
    np.testing.assert_allclose(slopes, np.stack(rises, axis=1) / 2e-6, atol=1e-7)


def test_radii_and_depths_are_no_polynomials():
    selected = np.array([[False, True, False, False, False]])

    assert not is_polynomial(nonbonded.EXP6, selected)
    assert is_polynomial(nonbonded.EXP6, ~selected & selected)
