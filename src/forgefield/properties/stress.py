"""Stress of periodic systems, the derivative of the energy by strain."""

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from forgefield.errors import InputError
from forgefield.models.model import AbstractModel
from forgefield.molecules.topology import Topology


@eqx.filter_jit
def energy_gradient_and_stress(
    model: AbstractModel,
    topology: Topology,
    positions: Float[Array, "atoms 3"],
    cell: Float[Array, "3 3"],
) -> tuple[Float[Array, " molecules"], Float[Array, "atoms 3"], Float[Array, "3 3"]]:
    """Return energy [kcal/mol], gradient [kcal/mol/Å] and stress [kcal/mol/Å³] of one periodic system.

    The stress is (1/V) ∂E/∂ε, symmetric; tension is positive. Positions, and the lattice vectors by which neighbours
    are shifted, change by the factor 1 + ε. Raises InputError where the topology is not one periodic system with
    listed neighbours: other models know no cell.
    """
    neighbours = topology.neighbours
    if neighbours is None or neighbours.shift is None or topology.n_molecules != 1 or topology.interactions:
        raise InputError(
            "stress is that of one periodic system under a neural model: "
            "give the topology neighbours listed in its cell, and no interactions"
        )
    value, gradient, slope = energy_gradient_and_virials(model, topology, positions)
    return value, gradient, slope[0] / jnp.abs(jnp.linalg.det(cell.astype(positions.dtype)))


def energy_gradient_and_virials(
    model: AbstractModel, topology: Topology, positions: Float[Array, "atoms 3"]
) -> tuple[Float[Array, " molecules"], Float[Array, "atoms 3"], Float[Array, "molecules 3 3"]]:
    """Return energy [kcal/mol] and gradient [kcal/mol/Å] of each system, and its derivative by strain [kcal/mol].

    The topology has listed neighbours with their shifts; those of molecules are zero.
    """
    assert topology.neighbours is not None
    shift = jnp.asarray(topology.neighbours.shift, positions.dtype)
    molecule, unit = jnp.asarray(topology.molecule), jnp.eye(3, dtype=positions.dtype)[None]

    def energy(positions, strain):
        factor = (unit + 0.5 * (strain + jnp.swapaxes(strain, 1, 2)))[molecule]
        strained = eqx.tree_at(lambda t: t.neighbours.shift, topology, jnp.einsum("api,aij->apj", shift, factor))
        found = model.energy(strained, jnp.einsum("ai,aij->aj", positions, factor))
        return jnp.sum(found), found

    unstrained = jnp.zeros((topology.n_molecules, 3, 3), positions.dtype)
    (gradient, slope), found = jax.grad(energy, argnums=(0, 1), has_aux=True)(positions, unstrained)
    return found, gradient, slope


def stress(
    model: AbstractModel,
    topology: Topology,
    positions: Float[Array, "atoms 3"],
    cell: Float[Array, "3 3"],
) -> Float[Array, "3 3"]:
    """Return the stress alone, as `energy_gradient_and_stress` has it. Raises InputError as it does."""
    return energy_gradient_and_stress(model, topology, positions, cell)[2]
