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
    shift = jnp.asarray(neighbours.shift, positions.dtype)

    def energy(positions, strain):
        factor = jnp.eye(3, dtype=positions.dtype) + 0.5 * (strain + strain.T)
        strained = eqx.tree_at(lambda t: t.neighbours.shift, topology, shift @ factor)
        return model.energy(strained, positions @ factor)[0]

    unstrained = jnp.zeros((3, 3), positions.dtype)
    value, (gradient, slope) = jax.value_and_grad(energy, argnums=(0, 1))(positions, unstrained)
    return value[None], gradient, slope / jnp.abs(jnp.linalg.det(cell.astype(positions.dtype)))


def stress(
    model: AbstractModel,
    topology: Topology,
    positions: Float[Array, "atoms 3"],
    cell: Float[Array, "3 3"],
) -> Float[Array, "3 3"]:
    """Return the stress alone, as `energy_gradient_and_stress` has it. Raises InputError as it does."""
    return energy_gradient_and_stress(model, topology, positions, cell)[2]
