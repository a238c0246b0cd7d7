"""Derivatives at relaxed structures against central differences of the whole relaxation."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from forgefield.models.forcefield import select
from forgefield.models.third_derivatives import curvature_slopes
from forgefield.molecules.molecule import standard_masses
from forgefield.properties.implicit import (
    bond_angles,
    bond_lengths,
    response,
    superposed_response,
    torsions,
    turned,
)
from forgefield.properties.relax import relax

# Most of the time goes into compiling relaxations and third derivatives.
pytestmark = pytest.mark.slow

WATER, LINEAR, MINIMUM, SADDLE = range(4)
ORDER = np.array([0, 0, 0, 1])
STEP = 2e-3
OBSERVED = ("lengths", "angles", "torsions", "energy", "by_mass", "even", "eigenmatrix", "traces")


class Setting(eqx.Module):
    """What stays while the parameters change."""

    topology: eqx.Module
    reference: jnp.ndarray
    masses: jnp.ndarray
    modes: jnp.ndarray


def answers(topology, atoms, slopes, change):
    """How internal coordinates change with the parameters, from slopes by their atoms' positions and dx*/dp."""
    molecule, slots = jnp.asarray(topology.molecule)[atoms[:, 0]], jnp.asarray(topology.slot)[atoms]
    moved = change.reshape(*change.shape[:2], -1, 3)[molecule[:, None], :, slots]
    return jnp.einsum("vac,vapc->vp", slopes, moved)


@eqx.filter_jit
def observe(model, setting, positions, change):
    """Everything that depends on relaxed structures, and how it follows a change of them in one column."""
    topology = setting.topology
    groups = [jnp.asarray(group.atoms) for group in topology.interactions]
    values, slopes = {}, {}
    measures = zip(("lengths", "angles", "torsions"), (bond_lengths, bond_angles, torsions), groups, strict=True)
    for name, measure, atoms in measures:
        values[name], by_atoms = measure(positions, atoms)
        slopes[name] = answers(topology, atoms, by_atoms, change)[:, 0]
    for name, weights in (("even", jnp.ones_like(setting.masses)), ("by_mass", setting.masses)):
        laid, moved = superposed_response(topology, positions, setting.reference, weights, change)
        values[name] = laid
        slopes[name] = moved.reshape(topology.n_molecules, -1, 3)[topology.molecule, topology.slot]
    hessian, own_hessian = jax.lax.map(lambda x: model.hessian(topology, x), jnp.stack([laid, positions]))
    values["eigenmatrix"] = jnp.einsum("mik,mij,mjk->mk", setting.modes, hessian, setting.modes, optimize="optimal")
    values["energy"] = model.energy(topology, positions)
    slopes["energy"] = jnp.zeros(topology.n_molecules)
    roots = jnp.zeros((topology.n_molecules, topology.n_max)).at[topology.molecule, topology.slot].set(setting.masses)
    weights = jnp.repeat(jnp.where(roots > 0.0, 1.0 / jnp.sqrt(jnp.where(roots > 0.0, roots, 1.0)), 0.0), 3, axis=1)
    weighted = weights[:, :, None] * own_hessian * weights[:, None, :]
    eigenvalues, vectors = jnp.linalg.eigh(weighted)
    # Degenerate modes are not smooth one by one, sums of powers of all eigenvalues are.
    values["traces"] = jnp.stack([eigenvalues.sum(axis=1), (eigenvalues**2).sum(axis=1)])
    own = weights[:, :, None] * vectors
    # One program for both, which compiles in half the time.
    by_positions, by_own = jax.lax.map(
        lambda given: curvature_slopes(model, topology, *given),
        (jnp.stack([laid, positions]), jnp.stack([setting.modes, own])),
    )
    slopes["eigenmatrix"] = (moved @ by_positions)[:, 0]
    along = (change @ by_own)[:, 0]
    slopes["traces"] = jnp.stack([along.sum(axis=1), (2.0 * eigenvalues * along).sum(axis=1)])
    return values, slopes, eigenvalues, own


@eqx.filter_jit
def explicit(model, topology, selection, positions, modes):
    """How gradient, energy and curvatures answer to the parameters at fixed positions, by all columns."""
    found = model.sensitivities(topology, positions, selection)
    return (
        selection.spread(found.gradient()),
        selection.spread(found.energy()),
        selection.spread(found.curvatures(modes)),
    )


@pytest.fixture(scope="module")
def batch(asymmetric):
    return asymmetric


@pytest.fixture(scope="module")
def setting(batch):
    modes = np.random.default_rng(5).normal(size=(4, 24, 24))
    for m, molecule in enumerate(batch.molecules):
        modes[m, 3 * molecule.n_atoms :] = 0.0
    masses = jnp.asarray(standard_masses(np.asarray(batch.topology.species)))
    return Setting(batch.topology, batch.positions, masses, jnp.asarray(modes))


@pytest.fixture(scope="module")
def direction(batch):
    """A change of all parameters together, in proportion to each; a bend about 180° has a cusp when that moves."""
    values = np.asarray(batch.model.values)
    change = np.random.default_rng(6).normal(size=len(values)) * np.maximum(np.abs(values), 0.3) * 0.3
    return jnp.asarray(np.where(values == np.pi, 0.0, change))


@pytest.fixture(scope="module")
def relaxed_with(batch):
    def run(values):
        model = eqx.tree_at(lambda model: model.values, batch.model, values)
        return model, relax(model, batch.topology, batch.positions, order=ORDER)

    return run


@pytest.fixture(scope="module")
def exact(batch, setting, direction, relaxed_with):
    """Derivatives along the direction, by the implicit function theorem."""
    model, relaxed = relaxed_with(batch.model.values)
    assert bool(relaxed.converged.all())
    selection = select(batch.topology, len(direction), np.arange(len(direction)))
    here = model, batch.topology, selection
    by_gradient, by_energy, _ = explicit(*here, relaxed.positions, setting.modes)
    change = jnp.einsum("mpc,p->mc", response(relaxed, by_gradient), direction)[:, None, :]
    values, slopes, eigenvalues, own = observe(model, setting, relaxed.positions, change)
    slopes["energy"] = slopes["energy"] + by_energy @ direction
    _, _, fixed = explicit(*here, values["by_mass"], setting.modes)
    slopes["eigenmatrix"] = slopes["eigenmatrix"] + jnp.einsum("mpk,p->mk", fixed, direction)
    _, _, fixed = explicit(*here, relaxed.positions, own)
    along = jnp.einsum("mpk,p->mk", fixed, direction)
    more = jnp.stack([along.sum(axis=1), (2.0 * eigenvalues * along).sum(axis=1)])
    slopes["traces"] = slopes["traces"] + more
    return slopes


@pytest.fixture(scope="module")
def differences(batch, setting, direction, relaxed_with):
    """Central differences of everything, extrapolated from two steps."""
    unchanged = jnp.zeros((4, 1, 24))

    def seen(step):
        model, relaxed = relaxed_with(batch.model.values + step * direction)
        assert bool(relaxed.converged.all())
        return observe(model, setting, relaxed.positions, unchanged)[0]

    def slopes(step):
        up, down = seen(step), seen(-step)
        rise = {name: up[name] - down[name] for name in up}
        return {**rise, "torsions": turned(up["torsions"], down["torsions"])}, 2.0 * step

    (coarse, wide), (fine, narrow) = slopes(STEP), slopes(STEP / 2)
    return {name: (4.0 * fine[name] / narrow - coarse[name] / wide) / 3.0 for name in fine}


@pytest.mark.parametrize("name", OBSERVED)
def test_slopes_are_those_of_the_whole_relaxation(exact, differences, name):
    found, expected = np.asarray(exact[name]), np.asarray(differences[name])

    assert np.abs(expected).max() > 0.0
    np.testing.assert_allclose(found, expected, rtol=1e-6, atol=1e-6 * np.abs(expected).max())


def test_lengths_of_uncoupled_bonds_follow_their_reference_alone(batch, relaxed_with):
    model, relaxed = relaxed_with(batch.model.values)
    selection = select(batch.topology, len(model.values), np.arange(len(model.values)))
    stretches = batch.topology.interactions[0]
    own = np.flatnonzero(np.asarray(batch.topology.molecule)[stretches.atoms[:, 0]] <= LINEAR)

    by_gradient, _, _ = explicit(model, batch.topology, selection, relaxed.positions, jnp.zeros((4, 24, 1)))
    _, by_atoms = bond_lengths(relaxed.positions, stretches.atoms[own])
    slopes = answers(batch.topology, stretches.atoms[own], by_atoms, response(relaxed, by_gradient))

    expected = np.zeros((len(own), len(model.values)))
    expected[np.arange(len(own)), stretches.parameters[own, 1]] = 1.0
    np.testing.assert_allclose(slopes, expected, atol=1e-7)


def test_failed_molecules_do_not_answer(batch, relaxed_with):
    _, relaxed = relaxed_with(batch.model.values)
    failed = eqx.tree_at(lambda r: r.failure, relaxed, relaxed.failure.at[MINIMUM].set(1))

    change = np.asarray(response(failed, jnp.ones((4, 2, 24))))

    assert (change[MINIMUM] == 0.0).all()
    np.testing.assert_array_equal(change[SADDLE], np.asarray(response(relaxed, jnp.ones((4, 2, 24))))[SADDLE])
