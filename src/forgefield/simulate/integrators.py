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
from forgefield.simulate.motion import Motion, kinetic_energy, without_momentum

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

    @abc.abstractmethod
    def thermal_energy(self, motion: Motion, masses: Float[Array, " atoms"]) -> Float[Array, " replicas"]:
        """Return the kinetic energy [kcal/mol] whose mean is ½ kT for each degree of freedom, whatever the time step.

        Exactly so in a harmonic mode, where ½ m v² of `motion.velocities` may have another mean.
        """


class VelocityVerlet(AbstractIntegrator):
    """Newton's equations at constant energy, time-reversible (Swope et al., J. Chem. Phys. 1982, 76, 637).

    Of a harmonic mode the step h conserves ½ m v² + ½ k (1 - (ωh)²/4) x² exactly, v being the velocity at full steps.
    """

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

    def thermal_energy(self, motion: Motion, masses: Float[Array, " atoms"]) -> Float[Array, " replicas"]:
        """Return the kinetic energy at the full step [kcal/mol].

        In what is conserved it has the same form for all modes, so that it is shared equally among them; at half steps
        a mode would have 1/(1 - (ωh)²/4) times as much.
        """
        return kinetic_energy(motion.velocities, masses)


class Langevin(AbstractIntegrator):
    """Langevin dynamics at constant temperature, split as BAOAB.

    B. Leimkuhler and C. Matthews, J. Chem. Phys. 2013, 138, 174102: of a harmonic oscillator the positions are
    distributed exactly, whatever the time step h, while m <v²> is kT (1 - (ωh)²/4) at full steps; half a kick from
    there, where friction and noise act, it is kT (Zhang et al., J. Phys. Chem. A 2019, 123, 6056). Friction and noise
    act on the motion inside a molecule where `fixes_momentum`, else on all of it.
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

    def thermal_energy(self, motion: Motion, masses: Float[Array, " atoms"]) -> Float[Array, " replicas"]:
        """Return the mean of the kinetic energies half a step before and half a step after [kcal/mol]."""
        kick = (0.5 * self.timestep / masses)[None, :, None] * motion.gradient
        before, after = motion.velocities + kick, motion.velocities - kick
        return 0.5 * (kinetic_energy(before, masses) + kinetic_energy(after, masses))


def _noise(motion: Motion) -> Vectors:
    """Return normal deviates that depend on the replica's key and the number of the step alone."""
    shape, dtype = motion.positions.shape[1:], motion.positions.dtype
    keys = jr.wrap_key_data(jnp.asarray(motion.keys))
    return jax.vmap(lambda key: jr.normal(jr.fold_in(key, motion.step), shape, dtype))(keys)
