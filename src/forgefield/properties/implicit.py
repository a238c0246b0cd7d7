"""How relaxed structures answer to the parameters, by the implicit function theorem.

A stationary point stays one: g(x*(p), p) = 0 gives dx*/dp = -(P H P)⁺ ∂g/∂p, P being the projector that takes
out translations, rotations and held dihedral angles at x*. It holds at minima and saddles alike.
"""

import math
from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from forgefield.models.forcefield import ForceField
from forgefield.models.model import AbstractSensitivities, Found
from forgefield.models.third_derivatives import curvature_slopes
from forgefield.molecules.topology import IntArray, Topology
from forgefield.properties.relax import Relaxed
from forgefield.properties.rigid import by_molecule, of_atoms, present, superposed, superposed_change
from forgefield.properties.stationary import FLAT
from forgefield.terms.coordinates import LENGTH, SUPPLEMENT
from forgefield.terms.geometry import dihedral

Change = Float[Array, "molecules columns coordinates"]
"""How the coordinates of each molecule change with each parameter; zero-padded."""


def response(relaxed: Relaxed, slopes: Change, *, floor: float = FLAT) -> Change:
    """Return dx*/dp [Å per unit] from ∂g/∂p, the derivatives of the gradient at the relaxed positions.

    The molecules neither shift nor turn as a whole. Where |curvature| is below `floor` [kcal/mol/Å²] the response
    is damped as if it were that large. Molecules that failed have none: theirs is zero.
    """
    seen = relaxed.landscape
    stiffness = jnp.where(seen.curvatures < 0.0, -1.0, 1.0) * jnp.maximum(jnp.abs(seen.curvatures), floor)
    usable = relaxed.converged[:, None] & seen.is_free
    softness = jnp.where(usable, 1.0 / jnp.where(usable, stiffness, 1.0), 0.0)
    directions = jnp.where(relaxed.converged[:, None, None], seen.directions, 0.0)
    inside = slopes @ directions
    return -(inside * softness[:, None, :]) @ jnp.swapaxes(directions, 1, 2)


def superposed_response(
    topology: Topology,
    positions: Float[Array, "atoms 3"],
    target: Float[Array, "atoms 3"],
    weights: Float[Array, " atoms"],
    change: Change,
) -> tuple[Float[Array, "atoms 3"], Change]:
    """Return positions superposed on a target with these weights, and how those change with the parameters."""
    moving, onto, heavy = (by_molecule(topology, values) for values in (positions, target, weights))
    moved = superposed_change(moving, onto, heavy, change.reshape(*change.shape[:2], topology.n_max, 3))
    moved = jnp.where(present(topology)[:, None, :, None], moved, 0.0)
    return of_atoms(topology, superposed(moving, onto, heavy)), moved.reshape(change.shape)


def bond_lengths(
    positions: Float[Array, "atoms 3"], pairs: Int[IntArray, "bonds 2"]
) -> tuple[Float[Array, " bonds"], Float[Array, "bonds 2 3"]]:
    """Return distances [Å] and their derivatives by the positions of their atoms."""
    x = positions[jnp.asarray(pairs)]
    values, first, _ = jax.vmap(LENGTH.expansion)(x, _no_parameters(x))
    return values[:, 0], first[:, 0].reshape(x.shape)


def bond_angles(
    positions: Float[Array, "atoms 3"], triples: Int[IntArray, "angles 3"]
) -> tuple[Float[Array, " angles"], Float[Array, "angles 3 3"]]:
    """Return angles [rad] at the middle one of three atoms and their derivatives by the positions."""
    x = positions[jnp.asarray(triples)]
    values, first, _ = jax.vmap(SUPPLEMENT.expansion)(x, _no_parameters(x))
    return math.pi - values[:, 0], -first[:, 0].reshape(x.shape)


def torsions(
    positions: Float[Array, "atoms 3"], quads: Int[IntArray, "torsions 4"]
) -> tuple[Float[Array, " torsions"], Float[Array, "torsions 4 3"]]:
    """Return dihedral angles [rad] in (-π, π] and their derivatives by the positions; compare with `turned`."""
    return jax.vmap(jax.value_and_grad(dihedral))(positions[jnp.asarray(quads)])


def turned(angles: Float[Array, " torsions"], references: Float[Array, " torsions"]) -> Float[Array, " torsions"]:
    """Return differences of dihedral angles the shorter way round [rad]."""
    apart = angles - references
    return jnp.arctan2(jnp.sin(apart), jnp.cos(apart))


class RelaxedSensitivities(AbstractSensitivities):
    """Derivatives of what a model says at its own stationary points, which move with its parameters.

    What the positions contribute is added to the derivatives at fixed positions: third derivatives of the energy
    times `change`. Positions and change may both be superposed on a reference.
    """

    at_fixed: AbstractSensitivities
    model: ForceField
    topology: Topology
    positions: Float[Array, "atoms 3"]
    change: Change

    def energy(self) -> Float[Array, "molecules own"]:
        """Derivative of the energies [kcal/mol], of which the positions have no part."""
        return jnp.asarray(self.at_fixed.energy())

    def gradient(self) -> Float[Array, "molecules own coordinates"]:
        """Derivative of the gradient: it stays zero."""
        return jnp.zeros_like(self.change)

    def charges(self) -> Float[Array, "molecules own atoms"]:
        """Derivative of the charges [e], which do not depend on the positions."""
        return self.at_fixed.charges()

    def displacements(self) -> Float[Array, "molecules own coordinates"]:
        """Derivative of the positions [Å]."""
        return self.change

    def curvatures(
        self, modes: Float[Array | np.ndarray, "molecules coordinates modes"]
    ) -> Float[Array, "molecules own modes"]:
        """Derivative of qᵀ H q for each column q of `modes`.

        For the model's own modes it is that of the eigenvalues: at a stationary point translations and rotations
        need no projection.
        """
        moved = self.change @ curvature_slopes(self.model, self.topology, self.positions, jnp.asarray(modes))
        return jnp.asarray(self.at_fixed.curvatures(modes)) + moved

    def each_hessian(
        self, modes: Float[Array, "molecules coordinates modes"], reduce: Callable[..., Found], *arguments: Array
    ) -> Found:
        """Return `reduce(dH V, *arguments)` of one molecule after another, stacked.

        Unlike at fixed positions, the part of the positions in dH V is held for all molecules at once.
        """
        n_molecules, n_max = self.topology.n_molecules, self.topology.n_max

        def along(change: Float[Array, "molecules coordinates"]) -> Float[Array, "molecules coordinates modes"]:
            step = of_atoms(self.topology, change.reshape(n_molecules, n_max, 3))
            _, slope = jax.jvp(lambda x: self.model.hessian(self.topology, x), (self.positions,), (step,))
            return slope @ modes

        moved = jnp.swapaxes(jax.lax.map(along, jnp.swapaxes(self.change, 0, 1)), 0, 1)
        return self.at_fixed.each_hessian(
            modes, lambda product, moved, *rest: reduce(product + moved, *rest), moved, *arguments
        )


def _no_parameters(x: Float[Array, "values order 3"]) -> Float[Array, "values 0"]:
    return jnp.zeros((x.shape[0], 0), x.dtype)
