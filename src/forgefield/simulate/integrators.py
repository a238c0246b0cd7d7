"""Integrators: what one step of time does to positions and velocities."""

import abc
from collections.abc import Callable

import equinox as eqx
import jax
import jax.numpy as jnp
import jax.random as jr
from jaxtyping import Array, Float

from forgefield import units
from forgefield.molecules.topology import Topology
from forgefield.simulate.motion import Motion, without_momentum

Vectors = Float[Array, "replicas atoms 3"]
Gradient = Callable[[Vectors], Vectors]


class AbstractIntegrator(eqx.Module):
    """Takes replicas one step further."""

    timestep: eqx.AbstractVar[Float[Array, ""]]
    """Internal unit of time; `fs * units.FEMTOSECOND`."""

    @abc.abstractmethod
    def moved(
        self, motion: Motion, gradient: Gradient, masses: Float[Array, " atoms"], topology: Topology
    ) -> tuple[Vectors, Vectors, Vectors]:
        """Return positions, velocities and the gradient one step later."""


class VelocityVerlet(AbstractIntegrator):
    """Newton's equations at constant energy, time-reversible (Swope et al., J. Chem. Phys. 1982, 76, 637)."""

    timestep: Float[Array, ""]

    def moved(
        self, motion: Motion, gradient: Gradient, masses: Float[Array, " atoms"], topology: Topology
    ) -> tuple[Vectors, Vectors, Vectors]:
        """Return positions, velocities and the gradient one step later."""
        half = (0.5 * self.timestep / masses)[None, :, None]
        velocities = motion.velocities - half * motion.gradient
        positions = motion.positions + self.timestep * velocities
        slope = gradient(positions)
        return positions, velocities - half * slope, slope


class Langevin(AbstractIntegrator):
    """Langevin dynamics at constant temperature, split as BAOAB.

    B. Leimkuhler and C. Matthews, J. Chem. Phys. 2013, 138, 174102: of a harmonic oscillator the positions are
    distributed exactly, whatever the time step. Friction and noise act on the motion inside a molecule where
    `fixes_momentum`, else on all of it.
    """

    timestep: Float[Array, ""]
    temperature: Float[Array, ""]
    """K"""
    friction: Float[Array, ""]
    """Per internal unit of time; `per_ps / (1000 * units.FEMTOSECOND)`."""
    fixes_momentum: bool = eqx.field(static=True, default=True)

    def moved(
        self, motion: Motion, gradient: Gradient, masses: Float[Array, " atoms"], topology: Topology
    ) -> tuple[Vectors, Vectors, Vectors]:
        """Return positions, velocities and the gradient one step later."""
        half = (0.5 * self.timestep / masses)[None, :, None]
        kept = jnp.exp(-self.friction * self.timestep)
        spread = jnp.sqrt((1.0 - kept**2) * units.BOLTZMANN * self.temperature / masses)
        velocities = motion.velocities - half * motion.gradient
        positions = motion.positions + 0.5 * self.timestep * velocities
        velocities = kept * velocities + spread[None, :, None] * _noise(motion)
        if self.fixes_momentum:
            velocities = without_momentum(velocities, masses, topology)
        positions = positions + 0.5 * self.timestep * velocities
        slope = gradient(positions)
        return positions, velocities - half * slope, slope


def _noise(motion: Motion) -> Vectors:
    """Return normal deviates that depend on the replica's key and the number of the step alone."""
    shape, dtype = motion.positions.shape[1:], motion.positions.dtype
    keys = jr.wrap_key_data(jnp.asarray(motion.keys))
    return jax.vmap(lambda key: jr.normal(jr.fold_in(key, motion.step), shape, dtype))(keys)
