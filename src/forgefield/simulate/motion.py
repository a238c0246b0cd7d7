"""How replicas of a batch move: positions, velocities, and the energy and temperature in them."""

import equinox as eqx
import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
from jaxtyping import Array, Float, Int, PRNGKeyArray, UInt32

from forgefield import units
from forgefield.molecules.topology import Topology
from forgefield.simulate.listing import Listing

NEVER = -1
"""The step at which a replica that is well has blown up."""


class Motion(eqx.Module):
    """Where replicas of a batch are and how they move, with all that their next step depends on."""

    step: Int[Array, ""]
    """Steps done; -1 before forces are known, which is a step that takes no time."""
    positions: Float[Array, "replicas atoms 3"]
    """Å"""
    velocities: Float[Array, "replicas atoms 3"]
    """Å per internal unit of time, √(kcal/mol/amu)."""
    gradient: Float[Array, "replicas atoms 3"]
    """Derivative of the energy at `positions` [kcal/mol/Å]."""
    failed: Int[Array, " replicas"]
    """The step at which a replica blew up, which stays where it was before; NEVER for the others."""
    keys: UInt32[Array, "replicas words"]
    """Data of each replica's random key; step n draws from the key with n folded in."""
    listed: Float[Array, "replicas listed 3"]
    """Where the atoms were when neighbours were last listed [Å]; no atoms where none are."""
    listing: Listing | None = eqx.field(static=True, default=None)
    """How neighbours are listed for the model, of one molecule; None where the model needs no list."""


def kinetic_energy(
    velocities: Float[Array, "replicas atoms 3"], masses: Float[Array, " atoms"]
) -> Float[Array, " replicas"]:
    """Return ½ Σ m v² [kcal/mol]."""
    return 0.5 * jnp.einsum("a,raj,raj->r", masses, velocities, velocities)


def temperature(
    kinetic: Float[Array | np.ndarray, "*frames"], topology: Topology
) -> Float[Array | np.ndarray, "*frames"]:
    """Return the temperature [K] of a kinetic energy [kcal/mol] where each molecule's momentum is zero."""
    return kinetic * (2.0 / (degrees_of_freedom(topology) * units.BOLTZMANN))


def degrees_of_freedom(topology: Topology) -> int:
    """Return the degrees of freedom of a batch of molecules whose centres of mass rest."""
    return 3 * (topology.n_atoms - topology.n_molecules)


def without_momentum(
    velocities: Float[Array, "replicas atoms 3"], masses: Float[Array, " atoms"], topology: Topology
) -> Float[Array, "replicas atoms 3"]:
    """Return velocities less that of the centre of mass of each molecule."""
    molecule = jnp.asarray(topology.molecule)

    def summed(values):
        return jax.ops.segment_sum(values, molecule, topology.n_molecules, indices_are_sorted=True)

    momenta = jax.vmap(summed)(masses[None, :, None] * velocities)
    return velocities - (momenta / summed(masses)[None, :, None])[:, molecule]


def thermal_velocities(
    key: PRNGKeyArray, temperature: Float[Array, ""], masses: Float[Array, " atoms"], topology: Topology
) -> Float[Array, "atoms 3"]:
    """Return velocities drawn from the Maxwell-Boltzmann distribution [K], the momentum of each molecule zero."""
    spread = jnp.sqrt(units.BOLTZMANN * temperature / masses)
    drawn = spread[:, None] * jr.normal(key, (topology.n_atoms, 3), masses.dtype)
    return without_momentum(drawn[None], masses, topology)[0]
