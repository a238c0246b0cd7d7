"""Gradient and curvature in the space in which a geometry may relax: no rigid motion, no held dihedral angle."""

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from forgefield.models.model import AbstractModel
from forgefield.molecules.topology import Topology
from forgefield.properties.constraints import FixedDihedrals, curvature, flattened, held
from forgefield.properties.rigid import by_molecule, present, rigid_motions

FLAT = 1e-4
"""kcal/mol/Å²; a curvature smaller than this is none. Steps and derivatives are damped as if it were this large."""


class Landscape(eqx.Module):
    """Energy, gradient and curvatures of each molecule where it may move, in Cartesian coordinates without masses."""

    energy: Float[Array, " molecules"]
    """kcal/mol"""
    gradient: Float[Array, "molecules coordinates"]
    """kcal/mol/Å, projected."""
    curvatures: Float[Array, "molecules coordinates"]
    """Ascending [kcal/mol/Å²]; last those of what may not move and of padding, as many as the rest lacks."""
    directions: Float[Array, "molecules coordinates coordinates"]
    """Orthonormal columns, in the order of the curvatures."""
    n_free: Int[Array, " molecules"]
    """How many of the curvatures are of directions in which the molecule may move."""

    @property
    def is_free(self) -> Bool[Array, "molecules coordinates"]:
        """Which curvatures are of directions in which the molecule may move."""
        return jnp.arange(self.curvatures.shape[1])[None, :] < self.n_free[:, None]

    @property
    def gradient_max(self) -> Float[Array, " molecules"]:
        """Largest component of the gradient [kcal/mol/Å]."""
        return jnp.abs(self.gradient).max(axis=1)

    @property
    def n_negative(self) -> Int[Array, " molecules"]:
        """Number of curvatures below -`FLAT`."""
        return ((self.curvatures < -FLAT) & self.is_free).sum(axis=1)


def landscape(
    model: AbstractModel, topology: Topology, positions: Float[Array, "atoms 3"], fixed: FixedDihedrals | None
) -> Landscape:
    """Evaluate a model where the molecules may move."""
    energy, gradient = model.energy(topology, positions), model.gradient(topology, positions)
    return landscape_of((energy, gradient, model.hessian(topology, positions)), topology, positions, fixed)


def landscape_of(
    found: tuple[
        Float[Array, " molecules"], Float[Array, "atoms 3"], Float[Array, "molecules coordinates coordinates"]
    ],
    topology: Topology,
    positions: Float[Array, "atoms 3"],
    fixed: FixedDihedrals | None,
) -> Landscape:
    """Return what energy, gradient and Hessian are where the molecules may move.

    With constraints the curvatures are those of the Lagrangian, E + Σ μ φ with the multipliers of least squares.
    """
    energy, gradient, hessian = found
    slope = flattened(topology, gradient)
    atoms = present(topology)
    basis = rigid_motions(by_molecule(topology, positions), atoms.astype(positions.dtype))
    absent = 1.0 - jnp.repeat(atoms, 3, axis=1).astype(positions.dtype)
    identity = jnp.eye(absent.shape[1], dtype=positions.dtype)[None]
    taken = basis @ jnp.swapaxes(basis, 1, 2) + absent[:, :, None] * identity
    if fixed is not None:
        on = held(fixed, topology, positions)
        taken = taken + on.projector()
        hessian = hessian + curvature(fixed, topology, positions, on.multipliers(slope))
    free = identity - taken
    projected = free @ hessian @ free
    # Above every curvature, so that what may not move sorts last.
    beyond = 1.0 + jnp.abs(projected).sum(axis=2).max(axis=1)
    matrix = 0.5 * (projected + jnp.swapaxes(projected, 1, 2)) + beyond[:, None, None] * taken
    finite = jnp.isfinite(matrix).all(axis=(1, 2))[:, None, None]
    curvatures, directions = jnp.linalg.eigh(jnp.where(finite, matrix, identity), symmetrize_input=False)
    return Landscape(
        energy=energy,
        gradient=jnp.einsum("mij,mj->mi", free, slope),
        curvatures=jnp.where(finite[:, :, 0], curvatures, jnp.nan),
        directions=directions,
        n_free=jnp.rint(jnp.where(finite[:, 0, 0], jnp.trace(free, axis1=1, axis2=2), 0.0)).astype(int),
    )
