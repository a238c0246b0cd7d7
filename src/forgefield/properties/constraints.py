"""Dihedral angles held at given values while everything else relaxes."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from forgefield.molecules.topology import Topology
from forgefield.properties.rigid import by_molecule, of_atoms
from forgefield.terms.geometry import dihedral

_EXACT = 1e-11
"""rad; deviations below it are not corrected any more."""
_CORRECTIONS = 60
"""Most corrections in a row."""
_TURN = 0.2
"""rad; no correction turns a dihedral angle by more, so that the linear estimate of it holds."""
_APART = ((0.0, 0.0, 0.0), (1.5, 0.0, 0.0), (2.0, 1.4, 0.0), (2.5, 1.6, 1.3))
"""Å; where the padding of constraints is measured."""
_DEPENDENT = 1e-8
"""Constraints whose slopes depend on each other to this fraction count as one."""

Coordinates = Float[Array, "molecules coordinates"]


class FixedDihedrals(eqx.Module):
    """Dihedral angles of a batch that are held at values; several of one molecule are held together."""

    quads: Int[Array | np.ndarray, "fixed 4"]
    """Atoms of the batch."""
    values: Float[Array | np.ndarray, " fixed"]
    """rad, IUPAC: 0 for cis, positive clockwise."""
    place: Int[Array | np.ndarray, " fixed"]
    """Which of its molecule's constraints each one is; padding is beyond the last."""
    n_most: int = eqx.field(static=True)
    """Constraints of the molecule that has most of them."""

    def ends(self, positions: Float[Array, "atoms 3"]) -> Float[Array, "fixed 4 3"]:
        """Return the positions of their atoms, some in no special position for padding."""
        real = (jnp.asarray(self.place) < self.n_most)[:, None, None]
        return jnp.where(real, positions[jnp.asarray(self.quads)], jnp.asarray(_APART, positions.dtype)[None])


class Held(eqx.Module):
    """What constraints say of a geometry."""

    deviation: Float[Array, "molecules constraints"]
    """rad, the shorter way round; zero in empty places."""
    slopes: Float[Array, "molecules constraints coordinates"]
    inverse: Float[Array, "molecules constraints constraints"]
    """(A Aᵀ)⁺ of the slopes A."""

    def projector(self) -> Float[Array, "molecules coordinates coordinates"]:
        """Return the projector on the changes that move a constraint."""
        return jnp.einsum("mki,mkl,mlj->mij", self.slopes, self.inverse, self.slopes, optimize="optimal")

    def multipliers(self, gradient: Coordinates) -> Float[Array, "molecules constraints"]:
        """Return the multipliers μ that come closest to gradient + Aᵀ μ = 0."""
        return -jnp.einsum("mkl,mli,mi->mk", self.inverse, self.slopes, gradient, optimize="optimal")

    def correction(self) -> Coordinates:
        """Return the shortest step that takes the deviations away to first order, a limited turn at most."""
        wanted = jnp.clip(self.deviation, -_TURN, _TURN)
        return -jnp.einsum("mki,mkl,ml->mi", self.slopes, self.inverse, wanted, optimize="optimal")


def held(fixed: FixedDihedrals, topology: Topology, positions: Float[Array, "atoms 3"]) -> Held:
    """Return the deviations from the constraints and their slopes."""
    quads = jnp.asarray(fixed.quads)
    x = fixed.ends(positions)
    molecule = jnp.asarray(topology.molecule)[quads[:, 0]]
    apart = jax.vmap(dihedral)(x) - jnp.asarray(fixed.values, positions.dtype)
    around = jnp.arctan2(jnp.sin(apart), jnp.cos(apart))
    slopes = jax.vmap(jax.grad(dihedral))(x).reshape(-1, 12)
    empty = jnp.zeros((topology.n_molecules, fixed.n_most), positions.dtype)
    deviation = empty.at[molecule, jnp.asarray(fixed.place)].set(around)
    wide = jnp.zeros((*empty.shape, 3 * topology.n_max), positions.dtype)
    where = molecule[:, None], jnp.asarray(fixed.place)[:, None], _components(topology, quads)
    wide = wide.at[where].add(slopes)
    gram = jnp.einsum("mki,mli->mkl", wide, wide)
    return Held(deviation, wide, jnp.linalg.pinv(gram, rtol=_DEPENDENT, hermitian=True))


def curvature(
    fixed: FixedDihedrals,
    topology: Topology,
    positions: Float[Array, "atoms 3"],
    multipliers: Float[Array, "molecules constraints"],
) -> Float[Array, "molecules coordinates coordinates"]:
    """Return Σ μ ∂²φ, what the constraints add to the Hessian of the energy."""
    quads = jnp.asarray(fixed.quads)
    molecule = jnp.asarray(topology.molecule)[quads[:, 0]]
    blocks = jax.vmap(jax.jacfwd(jax.grad(dihedral)))(fixed.ends(positions)).reshape(-1, 12, 12)
    own = multipliers.at[molecule, jnp.asarray(fixed.place)].get(mode="fill", fill_value=0.0)
    blocks = blocks * own[:, None, None]
    place, n = _components(topology, quads), 3 * topology.n_max
    total = jnp.zeros((topology.n_molecules, n, n), positions.dtype)
    return total.at[molecule[:, None, None], place[:, :, None], place[:, None, :]].add(blocks)


def corrected(fixed: FixedDihedrals, topology: Topology, positions: Float[Array, "atoms 3"]) -> Float[Array, "atoms 3"]:
    """Return the positions after shortest steps onto the constraints, repeated until they hold to rounding."""

    def unfinished(state):
        _, deviation, n = state
        return (deviation > _EXACT) & (n < _CORRECTIONS)

    def step(state):
        moved, _, n = state
        found = held(fixed, topology, moved)
        shift = found.correction().reshape(topology.n_molecules, topology.n_max, 3)
        return moved + of_atoms(topology, shift), jnp.max(jnp.abs(found.deviation), initial=0.0), n + 1

    start = positions, jnp.asarray(jnp.inf, positions.dtype), jnp.asarray(0)
    return jax.lax.while_loop(unfinished, step, start)[0]


def _components(topology: Topology, quads: Int[Array, "fixed 4"]) -> Int[Array, "fixed 12"]:
    """Return the rows that the atoms' components have among the coordinates of their molecules."""
    slots = jnp.asarray(topology.slot)[quads]
    return (3 * slots[:, :, None] + jnp.arange(3)[None, None, :]).reshape(-1, 12)


def flattened(topology: Topology, values: Float[Array, "atoms 3"]) -> Coordinates:
    """Return values of atoms as one row of coordinates for each molecule, padded with zeros."""
    return by_molecule(topology, values).reshape(topology.n_molecules, -1)
