"""Energies and their derivatives for all molecules of a batch at once, for any model."""

import equinox as eqx
from jaxtyping import Array, Float

from forgefield.models.model import AbstractModel
from forgefield.molecules.topology import Topology


@eqx.filter_jit
def energies(
    model: AbstractModel, topology: Topology, positions: Float[Array, "atoms 3"]
) -> Float[Array, " molecules"]:
    """Return the energy of each molecule [kcal/mol]."""
    return model.energy(topology, positions)


@eqx.filter_jit
def gradient(model: AbstractModel, topology: Topology, positions: Float[Array, "atoms 3"]) -> Float[Array, "atoms 3"]:
    """Return the derivative of each molecule's energy by its positions [kcal/mol/Å]."""
    return model.gradient(topology, positions)


@eqx.filter_jit
def forces(model: AbstractModel, topology: Topology, positions: Float[Array, "atoms 3"]) -> Float[Array, "atoms 3"]:
    """Return the forces on the atoms [kcal/mol/Å]."""
    return -gradient(model, topology, positions)


@eqx.filter_jit
def hessians(
    model: AbstractModel, topology: Topology, positions: Float[Array, "atoms 3"]
) -> Float[Array, "molecules coordinates coordinates"]:
    """Return the Hessian of each molecule [kcal/mol/Å²], zero-padded to the largest one."""
    return model.hessian(topology, positions)
