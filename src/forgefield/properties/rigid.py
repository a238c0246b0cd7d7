"""Rigid motions of the molecules of a batch, and what superposition removes of a change of geometry."""

import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

from forgefield.molecules.topology import Topology
from forgefield.properties.modes import LINEAR, POINT

Padded = Float[Array, "molecules slots 3"]


def present(topology: Topology) -> Bool[Array, "molecules slots"]:
    """Return which slots of each molecule hold an atom."""
    empty = jnp.zeros((topology.n_molecules, topology.n_max), bool)
    return empty.at[topology.molecule, topology.slot].set(True)


def by_molecule(topology: Topology, values: Float[Array, "atoms *shape"]) -> Float[Array, "molecules slots *shape"]:
    """Return values of atoms in one block per molecule, padded with zeros."""
    empty = jnp.zeros((topology.n_molecules, topology.n_max, *values.shape[1:]), values.dtype)
    return empty.at[topology.molecule, topology.slot].set(values)


def of_atoms(topology: Topology, blocks: Float[Array, "molecules slots *shape"]) -> Float[Array, "atoms *shape"]:
    """Return values of atoms from one block per molecule."""
    return blocks[jnp.asarray(topology.molecule), jnp.asarray(topology.slot)]


def rigid_motions(
    positions: Padded, weights: Float[Array, "molecules slots"]
) -> Float[Array, "molecules coordinates 6"]:
    """Return orthonormal translations and rotations in coordinates times the roots of the weights of their atoms.

    Masses as weights give those in mass-weighted coordinates; empty slots weigh nothing. Three columns of
    translations, three of rotations about the principal axes. The rotation about the axis of a linear molecule is
    a column of zeros, as are all three of an atom.
    """
    roots, total = jnp.sqrt(weights), weights.sum(axis=1)
    centre = jnp.einsum("ms,msi->mi", weights, positions) / total[:, None]
    centred = (positions - centre[:, None, :]) * roots[:, :, None]
    translations = (roots / jnp.sqrt(total)[:, None])[:, :, None, None] * jnp.eye(3, dtype=positions.dtype)[None, None]
    second = jnp.einsum("msi,msj->mij", centred, centred)
    trace = jnp.trace(second, axis1=1, axis2=2)
    moments, axes = jnp.linalg.eigh(trace[:, None, None] * jnp.eye(3, dtype=positions.dtype)[None] - second)
    turning = moments > jnp.maximum(LINEAR * moments[:, 2], POINT * total)[:, None]
    length = jnp.sqrt(jnp.where(turning, moments, 1.0))
    swept = jnp.cross(jnp.swapaxes(axes, 1, 2)[:, None, :, :], centred[:, :, None, :], axis=-1)
    rotations = jnp.swapaxes(jnp.where(turning, 1.0 / length, 0.0)[:, None, :, None] * swept, 2, 3)
    basis = jnp.concatenate([translations, rotations], axis=3)
    return basis.reshape(positions.shape[0], -1, 6)


def superposed(moving: Padded, target: Padded, weights: Float[Array, "molecules slots"]) -> Padded:
    """Return the positions [Å] laid on the target with the least sum of weighted squared deviations.

    Slots of weight zero move along.
    """
    share, centred, onto = _centred(moving, target, weights)
    return centred @ _rotation(share, centred, onto) + (target - onto)[:, :1]


def superposed_change(
    moving: Padded,
    target: Padded,
    weights: Float[Array, "molecules slots"],
    change: Float[Array, "molecules columns slots 3"],
) -> Float[Array, "molecules columns slots 3"]:
    """Return how the superposed positions y change where the positions change by each column of `change`.

    The rotated change d, less its mean, drags the best rotation along by ω × y with (tr S - S) ω = Σ w d × t and
    S = Σ w y tᵀ, which is symmetric; y and t are taken from the centre of the target t.
    """
    share, centred, onto = _centred(moving, target, weights)
    rotation = _rotation(share, centred, onto)
    laid = centred @ rotation
    mean = jnp.einsum("msx,mpsi->mpi", share, change)
    rotated = jnp.einsum("mpsi,mij->mpsj", change - mean[:, :, None, :], rotation)
    spread = jnp.einsum("msi,msj->mij", share * laid, onto)
    identity = jnp.eye(3, dtype=moving.dtype)[None]
    resisting = jnp.trace(spread, axis1=1, axis2=2)[:, None, None] * identity - 0.5 * (
        spread + jnp.swapaxes(spread, 1, 2)
    )
    drag = jnp.einsum("mskj,mpsk->mjp", _crossing(share * onto), rotated, optimize="optimal")
    # A linear molecule has no moment about its axis, and nothing to turn about it.
    turn = jnp.linalg.pinv(resisting, rtol=LINEAR, hermitian=True) @ drag
    return rotated + jnp.einsum("msji,mjp->mpsi", _crossing(laid), turn, optimize="optimal")


def root_mean_square_deviations(
    moving: Padded, target: Padded, atoms: Bool[Array, "molecules slots"]
) -> Float[Array, " molecules"]:
    """Return the root mean square deviation [Å] of each molecule's atoms after superposition."""
    held = atoms.astype(moving.dtype)
    apart = superposed(moving, target, held) - target
    return jnp.sqrt(jnp.einsum("ms,msi->m", held, apart**2) / held.sum(axis=1))


def _centred(
    moving: Padded, target: Padded, weights: Float[Array, "molecules slots"]
) -> tuple[Float[Array, "molecules slots 1"], Padded, Padded]:
    """Return each atom's share of the weight, and both geometries about their weighted centres."""
    share = (weights / weights.sum(axis=1, keepdims=True))[:, :, None]
    centred, onto = (x - (share * x).sum(axis=1, keepdims=True) for x in (moving, target))
    return share, centred, onto


def _rotation(share: Float[Array, "molecules slots 1"], centred: Padded, onto: Padded) -> Float[Array, "molecules 3 3"]:
    """Return the proper rotation of row vectors that lays one geometry on the other.

    W. Kabsch, Acta Cryst. 1978, A34, 827, with the sign of the determinant fixed so that no mirror image results.
    """
    left, _, right = jnp.linalg.svd(jnp.einsum("msi,msj->mij", share * centred, onto))
    handed = jnp.where(jnp.linalg.det(left @ right) < 0.0, -1.0, 1.0)
    flip = jnp.stack([jnp.ones_like(handed), jnp.ones_like(handed), handed], axis=1)
    return (left * flip[:, None, :]) @ right


def _crossing(x: Padded) -> Float[Array, "molecules slots 3 3"]:
    """Return the matrices C with C[j, i] ω[j] = (ω × x)[i], so that C[k, j] d[k] = (d × x)[j]."""
    zero = jnp.zeros_like(x[..., 0])
    a, b, c = x[..., 0], x[..., 1], x[..., 2]
    rows = [[zero, -c, b], [c, zero, -a], [-b, a, zero]]
    return jnp.stack([jnp.stack(row, axis=-1) for row in rows], axis=-2)
