"""Energies and their derivatives for all molecules of a batch at once, for any model."""

from jaxtyping import Array, Float

from forgefield.compiled import compiled
from forgefield.models.model import AbstractModel
from forgefield.molecules.topology import Topology


@compiled
def energies(
    model: AbstractModel, topology: Topology, positions: Float[Array, "atoms 3"]
) -> Float[Array, " molecules"]:
    """Return the energy of each molecule [kcal/mol]."""
    return model.energy(topology, positions)


@compiled
def gradient(model: AbstractModel, topology: Topology, positions: Float[Array, "atoms 3"]) -> Float[Array, "atoms 3"]:
    """Return the derivative of each molecule's energy by its positions [kcal/mol/Å]."""
    return model.gradient(topology, positions)


@compiled
def forces(model: AbstractModel, topology: Topology, positions: Float[Array, "atoms 3"]) -> Float[Array, "atoms 3"]:
    """Return the forces on the atoms [kcal/mol/Å]."""
    return -gradient(model, topology, positions)


@compiled
def hessians(
    model: AbstractModel, topology: Topology, positions: Float[Array, "atoms 3"]
) -> Float[Array, "molecules coordinates coordinates"]:
    """Return the Hessian of each molecule [kcal/mol/Å²], zero-padded to the largest one."""
    return model.hessian(topology, positions)
