"""Derivatives of an MM3* force field laid over a real structure, charges and shifted centres included."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from forgefield.assign.mm3.laid import assign_mm3
from forgefield.io.forcefields.mm3.fld import read_fld
from forgefield.io.structures.atom_types import read_atom_types
from forgefield.io.structures.mae import read_mae
from forgefield.models.forcefield import ForceField, select

STEP = 1e-5


@pytest.fixture(scope="module")
def structure(data):
    folder = data / "rh-enamide"
    types = read_atom_types(folder / "forcefield/atom.typ")
    molecule = read_mae(sorted((folder / "mae").glob("*.mae"))[0], atom_types=types)[0]
    return molecule, assign_mm3([molecule], read_fld(folder / "forcefield/mm3.fld")).assignment


@eqx.filter_jit
def energy(model, topology, x):
    return model.energy(topology, x)[0]


@pytest.mark.slow
def test_slopes_by_each_kind_of_parameter_match_central_differences(structure):
    molecule, assignment = structure
    model, topology, x = assignment.model, assignment.topology, jnp.asarray(molecule.positions)
    substructure = [row for row in assignment.rows if row.section]
    chosen = {
        (row.term.kind, i): place for row in (*assignment.rows, *substructure) for i, place in enumerate(row.indices)
    }
    places = np.array(sorted(set(chosen.values())))

    selection = select(topology, len(model.values), places)
    slopes = selection.spread(model.sensitivities(topology, x, selection).energy())[0]

    moved = [
        [energy(ForceField(model.terms, model.values.at[p].add(sign * STEP)), topology, x) for sign in (1, -1)]
        for p in places.tolist()
    ]
    np.testing.assert_allclose(slopes, np.subtract(*np.array(moved).T) / (2 * STEP), rtol=1e-5, atol=1e-5)
    assert {kind for kind, _ in chosen} >= {"stretch", "bond_moment", "bend", "bend_bend", "torsion", "vdw"}


@pytest.mark.slow
def test_forces_have_no_net_force_and_no_net_torque(structure):
    molecule, assignment = structure
    x = jnp.asarray(molecule.positions)

    forces = -eqx.filter_jit(jax.grad(lambda x: assignment.model.energy(assignment.topology, x)[0]))(x)

    np.testing.assert_allclose(forces.sum(axis=0), 0.0, atol=1e-9)
    np.testing.assert_allclose(jnp.cross(x, forces).sum(axis=0), 0.0, atol=1e-8)
    assert jnp.abs(forces).max() > 10.0
