import equinox as eqx
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from forgefield.errors import InputError
from forgefield.models.model import require_known
from forgefield.models.neural.radial import CosineEnvelope
from forgefield.molecules.topology import union

# Most of the time goes into compiling whole models.
pytestmark = pytest.mark.slow

SIZES = (9, 4, 1, 7)
CUTOFF = 4.0

ENERGY = eqx.filter_jit(lambda model, topology, x: model.energy(topology, x))
GRADIENT = eqx.filter_jit(lambda model, topology, x: model.gradient(topology, x))
HESSIAN = eqx.filter_jit(lambda model, topology, x: model.hessian(topology, x))


@pytest.fixture(scope="module")
def model(random_painn):
    return random_painn(core_cutoff=1.2)


@pytest.fixture(scope="module")
def precise(model):
    return model.with_precision(jnp.float64)


def batch(species, positions):
    return union(species), jnp.asarray(np.concatenate(positions))


def turned(generator, positions, handed):
    rotation = handed * Rotation.random(rng=generator).as_matrix()
    return [x @ rotation.T + generator.normal(size=3) for x in positions], rotation


@pytest.mark.parametrize("handed", [1.0, -1.0], ids=["rotation", "reflection"])
@pytest.mark.parametrize(("kind", "tolerance"), [("model", 2e-4), ("precise", 1e-10)])
def test_energy_is_invariant_and_the_gradient_turns_with_the_molecule(
    request, generator, clusters, kind, tolerance, handed
):
    model = request.getfixturevalue(kind)
    species, positions = clusters
    topology, x = batch(species, positions)
    moved, rotation = turned(generator, positions, handed)
    y = jnp.asarray(np.concatenate(moved))

    np.testing.assert_allclose(ENERGY(model, topology, y), ENERGY(model, topology, x), atol=tolerance)
    expected = GRADIENT(model, topology, x) @ jnp.asarray(rotation.T)
    np.testing.assert_allclose(GRADIENT(model, topology, y), expected, atol=tolerance * 10)


def test_reordering_atoms_reorders_the_gradient_and_keeps_the_energy(precise, generator, clusters):
    species, positions = clusters
    orders = [generator.permutation(n) for n in SIZES]
    topology, x = batch(species, positions)
    shuffled, y = batch(
        [s[o] for s, o in zip(species, orders, strict=True)], [p[o] for p, o in zip(positions, orders, strict=True)]
    )
    flat = np.concatenate([o + start for o, start in zip(orders, np.cumsum([0, *SIZES[:-1]]), strict=True)])

    np.testing.assert_allclose(ENERGY(precise, shuffled, y), ENERGY(precise, topology, x), rtol=1e-12)
    np.testing.assert_allclose(
        GRADIENT(precise, shuffled, y), np.asarray(GRADIENT(precise, topology, x))[flat], atol=1e-9
    )


def test_molecules_of_a_batch_do_not_see_each_other(precise, clusters):
    species, positions = clusters
    together = ENERGY(precise, *batch(species, positions))

    alone = [ENERGY(precise, *batch([s], [p]))[0] for s, p in zip(species, positions, strict=True)]

    np.testing.assert_allclose(together, alone, rtol=1e-12)


def test_gradient_is_the_slope_of_the_energy(precise, generator, clusters):
    topology, x = batch(*clusters)
    direction = jnp.asarray(generator.normal(size=x.shape))
    step = 1e-4

    rise = sum(ENERGY(precise, topology, x + step * direction) - ENERGY(precise, topology, x - step * direction))

    np.testing.assert_allclose(jnp.sum(GRADIENT(precise, topology, x) * direction), rise / (2 * step), rtol=1e-6)


@pytest.mark.slow
def test_hessian_is_the_slope_of_the_gradient(precise, generator, clusters):
    topology, x = batch(*clusters)
    direction = jnp.asarray(generator.normal(size=x.shape))
    step = 1e-4

    hessian = HESSIAN(precise, topology, x)

    rise = (GRADIENT(precise, topology, x + step * direction) - GRADIENT(precise, topology, x - step * direction)) / (
        2 * step
    )
    start = 0
    for k, n in enumerate(SIZES):
        own = slice(start, start + n)
        expected = hessian[k, : 3 * n, : 3 * n] @ direction[own].ravel()
        np.testing.assert_allclose(expected, rise[own].ravel(), atol=1e-4 * np.abs(rise).max())
        assert not np.any(hessian[k, 3 * n :])
        start += n


def test_a_pair_at_the_cutoff_leaves_no_trace_in_energy_gradient_and_curvature(precise):
    ends = [CUTOFF * (1.0 - 1e-6), CUTOFF, CUTOFF + 0.001, 2.0 * CUTOFF]
    pairs = [np.array([[0.0, 0.0, 0.0], [0.6 * r, 0.0, 0.8 * r]]) for r in ends]
    topology, x = batch(
        [np.array([6, 8])] * 4 + [np.array([6]), np.array([8])], [*pairs, np.zeros((1, 3)), np.ones((1, 3))]
    )

    energy = np.asarray(ENERGY(precise, topology, x))

    np.testing.assert_allclose(energy[:4], energy[4] + energy[5], rtol=1e-12)
    np.testing.assert_allclose(GRADIENT(precise, topology, x), 0.0, atol=1e-8)
    np.testing.assert_allclose(HESSIAN(precise, topology, x), 0.0, atol=1e-2)
    assert not np.any(HESSIAN(precise, topology, x)[1:])


def test_coincident_atoms_give_finite_energy_and_forces(precise):
    topology, x = batch([np.array([6, 1, 8])], [np.array([[0.0, 0.0, 0.0], [0.0, 0.0, 0.0], [1.0, 0.0, 0.0]])])

    assert np.isfinite(ENERGY(precise, topology, x)).all()
    assert np.isfinite(GRADIENT(precise, topology, x)).all()


def test_cores_repel_like_screened_nuclei(precise, random_painn):
    bare = eqx.tree_at(lambda m: m.references, random_painn(), precise.references)
    topology, x = batch([np.array([6, 6])], [np.array([[0.0, 0.0, 0.0], [0.0, 0.0, 0.02]])])

    repulsion = ENERGY(precise, topology, x)[0] - ENERGY(bare.with_precision(jnp.float64), topology, x)[0]

    # Z Z' e²/r with the universal screening at 0.02 Å, whose length is 0.4685/(2·6^0.23) Å.
    reduced = 0.02 / (0.46850 / (2 * 6**0.23))
    screening = sum(
        c * np.exp(-b * reduced)
        for c, b in ((0.18175, 3.1998), (0.50986, 0.94229), (0.28022, 0.4029), (0.02817, 0.20162))
    )
    np.testing.assert_allclose(repulsion, 332.0637 * 36 / 0.02 * screening, rtol=1e-4)


def test_charge_and_spin_change_the_energy_and_none_leaves_it(random_painn, clusters):
    model = random_painn(states=True)
    topology, x = batch(*clusters)
    neutral = eqx.tree_at(
        lambda t: (t.charge, t.unpaired), topology, (np.zeros(4, int), np.zeros(4, int)), is_leaf=lambda v: v is None
    )
    charged = eqx.tree_at(lambda t: t.charge, neutral, np.array([0, 1, 0, -1]))

    difference = np.asarray(ENERGY(model, charged, x) - ENERGY(model, neutral, x))

    assert difference[0] == difference[2] == 0.0
    assert np.all(np.abs(difference[[1, 3]]) > 1e-3)


def test_a_model_of_states_asks_for_them(random_painn, clusters):
    with pytest.raises(InputError, match="charge"):
        random_painn(states=True).energy(*batch(*clusters))


def test_unknown_elements_are_listed_and_never_evaluated_in_silence(precise):
    species = np.array([6, 17, 9, 17])

    with pytest.raises(InputError, match=r"F \(first at atom 3\), Cl \(first at atom 2\); it was trained on H, C, O"):
        require_known(precise, species, "x.xyz")
    assert np.isnan(ENERGY(precise, *batch([species], [1.5 * np.eye(4)[:, :3]]))).all()


def test_single_precision_is_close_to_double(model, precise, clusters):
    topology, x = batch(*clusters)

    single = GRADIENT(model, topology, x)

    assert single.dtype == jnp.float64
    np.testing.assert_allclose(single, GRADIENT(precise, topology, x), atol=2e-3)
    assert GRADIENT(model, topology, x.astype(jnp.float32)).dtype == jnp.float32


@pytest.mark.slow
def test_the_cosine_envelope_bends_at_the_cutoff(random_painn):
    model = random_painn(envelope=CosineEnvelope()).with_precision(jnp.float64)
    topology = union([np.array([6, 8])] * 2)
    ends = jnp.array([[0.0, 0.0, 0.0], [CUTOFF - 1e-6, 0.0, 0.0], [0.0, 0.0, 0.0], [CUTOFF + 1e-6, 0.0, 0.0]])

    inside, outside = HESSIAN(model, topology, ends)

    assert np.abs(inside).max() > 1e-2
    assert not np.any(outside)
