"""Force constants of bonds and angles read off the 3×3 blocks of a Hessian (Seminario, FUERZA and its kin).

Every constant is k of E = ½ k x². Torsional constants are not estimated by these methods.
Sources: Seminario, Int. J. Quantum Chem. 1996, 60, 1271; Allen, Payne, Cole, J. Chem. Theory Comput. 2018,
14, 274; Farrugia, Helquist, Norrby, Wiest, J. Chem. Theory Comput. 2025, 22, 469.
"""

from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Bool, Complex, Float, Int

from forgefield import units
from forgefield.errors import InputError

_LINEAR = np.sin(1.0 * units.DEGREE)
"""Within one degree of 180° (or 0°) the plane of three atoms is noise, and the angle counts as linear."""
_DEGENERATE = 1e-3
"""Eigenvalues closer than this fraction of the block's largest are one degenerate set.

Blocks that symmetry makes degenerate are split by up to 2e-4 in QM Hessians of six digits; the closest pair of
an asymmetric molecule of 36 atoms is 4e-3 apart.
"""
_HYDROGEN = 1


@dataclass(frozen=True)
class Fuerza:
    """Seminario's bonds and angles."""


@dataclass(frozen=True)
class ModifiedSeminario:
    """Seminario's bonds; angles corrected for the other angles that a displacement of the same bond bends."""


@dataclass(frozen=True)
class GammaFuerza:
    """Seminario's bonds; his angles times γ."""

    gamma: float = 0.68


@dataclass(frozen=True)
class Qfuerza:
    """Seminario's bonds and angles, but one stated constant for angles with a hydrogen at either end."""

    hydrogen_angle: float = 0.5 * units.MILLIDYNE_PER_ANGSTROM
    """kcal/mol/rad²; 0.5 mdyn·Å/rad²."""


@dataclass(frozen=True)
class Approximation:
    """The same constant for all bonds and the same for all angles; needs no Hessian."""

    bond: float = 5.0 * units.MILLIDYNE_PER_ANGSTROM
    """kcal/mol/Å²; 5 mdyn/Å."""
    angle: float = 0.5 * units.MILLIDYNE_PER_ANGSTROM
    """kcal/mol/rad²; 0.5 mdyn·Å/rad²."""


Method = Fuerza | ModifiedSeminario | GammaFuerza | Qfuerza | Approximation


@dataclass(frozen=True, eq=False)
class Estimates:
    """Constants and reference values of the bonds and angles of one molecule.

    Nothing is clipped: a negative constant stays.
    """

    bond_k: Float[np.ndarray, " bonds"]
    """kcal/mol/Å²"""
    bond_r0: Float[np.ndarray, " bonds"]
    """Å"""
    angle_k: Float[np.ndarray, " angles"]
    """kcal/mol/rad²"""
    angle_theta0: Float[np.ndarray, " angles"]
    """rad"""
    angle_doubtful: Bool[np.ndarray, " angles"]
    """Where one bond's share is negative, so that two springs in series mean nothing, whatever the sign of k."""


def estimate(
    method: Method,
    hessian: Float[np.ndarray, "coordinates coordinates"] | None,
    positions: Float[np.ndarray, "atoms 3"],
    species: Int[np.ndarray, " atoms"],
    pairs: Int[np.ndarray, "bonds 2"],
    triples: Int[np.ndarray, "angles 3"],
) -> Estimates:
    """Return constants for the bonds and angles [0-based atoms, the centre second] of one molecule.

    The Hessian [kcal/mol/Å²] is Cartesian and not mass-weighted; reference values are those of the geometry [Å].
    `ModifiedSeminario` needs all angles of a molecule at once.
    InputError for bonds or angles of atoms that coincide or do not exist, and for a Hessian that does not fit.
    """
    _check_atoms(positions, pairs, triples)
    bonds = positions[pairs[:, 0]] - positions[pairs[:, 1]]
    arms = positions[triples[:, [0, 2]]] - positions[triples[:, 1], None, :]
    if isinstance(method, Approximation):
        bond_k, angle_k = np.full(len(pairs), method.bond), np.full(len(triples), method.angle)
        doubtful = np.zeros(len(triples), dtype=bool)
    else:
        blocks = _blocks(hessian, len(positions))
        bond_k = _bond_constants(blocks, bonds, pairs)
        angle_k, doubtful = _angle_constants(blocks, arms, triples, method)
    if isinstance(method, Qfuerza):
        with_hydrogen = (species[triples[:, [0, 2]]] == _HYDROGEN).any(axis=1)
        angle_k = np.where(with_hydrogen, method.hydrogen_angle, angle_k)
        doubtful = doubtful & ~with_hydrogen
    return Estimates(
        bond_k=bond_k,
        bond_r0=np.linalg.norm(bonds, axis=1),
        angle_k=angle_k,
        angle_theta0=_theta(arms),
        angle_doubtful=doubtful,
    )


def replace_negative(under_d: Estimates, under_c: Estimates) -> Estimates:
    """Return policy E: the estimates under D, with negative constants replaced by those under C."""
    bend = under_d.angle_k < 0.0
    return replace(
        under_d,
        bond_k=np.where(under_d.bond_k < 0.0, under_c.bond_k, under_d.bond_k),
        angle_k=np.where(bend, under_c.angle_k, under_d.angle_k),
        angle_doubtful=np.where(bend, under_c.angle_doubtful, under_d.angle_doubtful),
    )


def projected_stiffness(
    blocks: Float[np.ndarray, "blocks 3 3"], directions: Float[np.ndarray, "blocks 3"]
) -> Float[np.ndarray, " blocks"]:
    """Return Σ λ_n |e_n·u| over the eigenvalues and right eigenvectors of each block, for unit vectors u.

    Complex eigenvalues come in conjugate pairs with equal |e_n·u| (the modulus), so that the sum is real.
    In a degenerate set the eigenvectors are arbitrary, and Σ |e_n·u| with them by up to √2; the set then counts
    with the length of the projection of u on the space it spans: one of its vectors is chosen along it.
    """
    eigenvalues, vectors = np.linalg.eig(blocks)
    sets = _degenerate_sets(eigenvalues)
    # Column n of a stack keeps only the vectors of the set that eigenvalue n belongs to.
    members = vectors[:, None, :, :] * sets[:, :, None, :]
    projectors = members @ np.linalg.pinv(members, rcond=1e-10)
    projected = np.linalg.norm(np.einsum("bnij,bj->bni", projectors, directions), axis=2)
    return np.sum(eigenvalues * projected / sets.sum(axis=2), axis=1).real


def _degenerate_sets(
    eigenvalues: Complex[np.ndarray, "blocks 3"] | Float[np.ndarray, "blocks 3"],
) -> Bool[np.ndarray, "blocks 3 3"]:
    """Say which eigenvalues of each block belong to one degenerate set."""
    gaps = np.abs(eigenvalues[:, :, None] - eigenvalues[:, None, :])
    close = gaps <= _DEGENERATE * np.abs(eigenvalues).max(axis=1)[:, None, None]
    # Two steps join all that are linked among three.
    return np.einsum("bij,bjk->bik", close, close)


def _bond_constants(
    blocks: Float[np.ndarray, "atoms 3 atoms 3"],
    vectors: Float[np.ndarray, "bonds 3"],
    pairs: Int[np.ndarray, "bonds 2"],
) -> Float[np.ndarray, " bonds"]:
    """Return the mean of what the blocks AB and BA give: they share eigenvalues, but not right eigenvectors."""
    units_ab = vectors / np.linalg.norm(vectors, axis=1)[:, None]
    there = projected_stiffness(-blocks[pairs[:, 0], :, pairs[:, 1], :], units_ab)
    back = projected_stiffness(-blocks[pairs[:, 1], :, pairs[:, 0], :], units_ab)
    return 0.5 * (there + back)


def _angle_constants(
    blocks: Float[np.ndarray, "atoms 3 atoms 3"],
    arms: Float[np.ndarray, "angles 2 3"],
    triples: Int[np.ndarray, "angles 3"],
    method: Method,
) -> tuple[Float[np.ndarray, " angles"], Bool[np.ndarray, " angles"]]:
    """Return k and where it is doubtful: springs r² Σ λ_n |e_n·u| of the two bonds in series.

    A linear angle gets the mean of its two ways to bend.
    """
    linear = _linear(arms)
    ways = _ways(blocks, arms, triples, linear)
    ends = triples[:, [0, 2]]
    towards_centre = -blocks[ends, :, triples[:, [1]], :]
    stiffness = np.stack(
        [projected_stiffness(towards_centre.reshape(-1, 3, 3), way.reshape(-1, 3)).reshape(ends.shape) for way in ways]
    )
    springs = np.einsum("aei,aei->ae", arms, arms) * stiffness
    if isinstance(method, ModifiedSeminario):
        springs = springs / _sharing(ways, triples, linear)
    product, total = springs.prod(axis=2), springs.sum(axis=2)
    in_series = np.divide(product, total, out=np.zeros_like(total), where=total != 0.0)
    scale = method.gamma if isinstance(method, GammaFuerza) else 1.0
    return scale * in_series.mean(axis=0), (springs < 0.0).any(axis=(0, 2))


def _sharing(
    ways: Float[np.ndarray, "2 angles 2 3"], triples: Int[np.ndarray, "angles 3"], linear: Bool[np.ndarray, " angles"]
) -> Float[np.ndarray, "2 angles 2"]:
    """Return 1 + mean |u·u'|² over the other angles that have the same centre and the same bond.

    Allen, Payne and Cole (2018): moving A along u bends those angles too. The other angle's u' is its own way to
    bend; a linear one bends both ways, which adds up to |u|² = 1.
    """
    bends = np.einsum("waei,waej->aeij", ways, ways)
    bends[~linear] *= 0.5
    # One group for each directed bond, from the centre to an end.
    directed = np.stack([triples[:, [1, 0]], triples[:, [1, 2]]], axis=1).reshape(-1, 2)
    _, group, size = np.unique(directed, axis=0, return_inverse=True, return_counts=True)
    group = group.reshape(-1, 2)
    total = np.zeros((len(size), 3, 3))
    np.add.at(total, group, bends)
    bent = np.einsum("waei,aeij,waej->wae", ways, total[group] - bends, ways)
    return 1.0 + bent / np.maximum(size[group] - 1, 1)


def _ways(
    blocks: Float[np.ndarray, "atoms 3 atoms 3"],
    arms: Float[np.ndarray, "angles 2 3"],
    triples: Int[np.ndarray, "angles 3"],
    linear: Bool[np.ndarray, " angles"],
) -> Float[np.ndarray, "2 angles 2 3"]:
    """Return two ways to bend each angle, as the unit vectors along which A and C move.

    Both are the one in the plane unless the angle is linear; then they are perpendicular to each other.
    """
    unit = arms / np.linalg.norm(arms, axis=2)[:, :, None]
    normal = np.cross(unit[:, 0], unit[:, 1])
    normal[linear] = _soft_direction(blocks, unit[linear, 0], triples[linear])
    in_plane = np.cross(normal[:, None, :], unit)
    in_plane /= np.linalg.norm(in_plane, axis=2)[:, :, None]
    return np.stack([in_plane, np.where(linear[:, None, None], normal[:, None, :], in_plane)])


def _soft_direction(
    blocks: Float[np.ndarray, "atoms 3 atoms 3"],
    axis: Float[np.ndarray, "angles 3"],
    triples: Int[np.ndarray, "angles 3"],
) -> Float[np.ndarray, "angles 3"]:
    """Return the direction perpendicular to the axis of a linear angle in which its centre is held least.

    Directions that follow the Hessian make the estimate independent of how the molecule lies.
    """
    # The first of two perpendicular vectors leaves the coordinate that the axis leans on least.
    first = np.cross(axis, np.eye(3)[np.abs(axis).argmin(axis=1)])
    first /= np.linalg.norm(first, axis=1)[:, None]
    plane = np.stack([first, np.cross(axis, first)], axis=2)
    held = -(blocks[triples[:, 0], :, triples[:, 1], :] + blocks[triples[:, 2], :, triples[:, 1], :])
    inside = np.einsum("aip,aij,ajq->apq", plane, held, plane)
    _, vectors = np.linalg.eigh(0.5 * (inside + inside.swapaxes(1, 2)))
    return np.einsum("aip,ap->ai", plane, vectors[:, :, 0])


def _theta(arms: Float[np.ndarray, "angles 2 3"]) -> Float[np.ndarray, " angles"]:
    """Return the angle between two arms."""
    sine = np.linalg.norm(np.cross(arms[:, 0], arms[:, 1]), axis=1)
    return np.arctan2(sine, np.einsum("ai,ai->a", arms[:, 0], arms[:, 1]))


def _linear(arms: Float[np.ndarray, "angles 2 3"]) -> Bool[np.ndarray, " angles"]:
    """Say which angles count as linear."""
    return np.sin(_theta(arms)) < _LINEAR


def _blocks(
    hessian: Float[np.ndarray, "coordinates coordinates"] | None, n_atoms: int
) -> Float[np.ndarray, "atoms 3 atoms 3"]:
    """Return the symmetric Hessian by atoms."""
    if hessian is None:
        raise InputError(
            "this estimate reads constants off a Hessian and there is none; give one, or use Approximation"
        )
    if hessian.shape != (3 * n_atoms, 3 * n_atoms):
        raise InputError(
            f"the Hessian is {hessian.shape[0]}×{hessian.shape[1]}, but {n_atoms} atoms need {3 * n_atoms}"
        )
    if not np.isfinite(hessian).all():
        raise InputError("the Hessian holds elements that are not finite numbers; run the frequency job again")
    return (0.5 * (hessian + hessian.T)).reshape(n_atoms, 3, n_atoms, 3)


def _check_atoms(
    positions: Float[np.ndarray, "atoms 3"],
    pairs: Int[np.ndarray, "bonds 2"],
    triples: Int[np.ndarray, "angles 3"],
) -> None:
    """Raise InputError that lists all bonds and angles of atoms that do not exist or coincide."""
    n_atoms = len(positions)
    groups = [*pairs, *triples]
    beyond = [_named(atoms) for atoms in groups if (atoms < 0).any() or (atoms >= n_atoms).any()]
    if beyond:
        raise InputError(f"there are {n_atoms} atoms, so these bonds or angles cannot be: {', '.join(beyond)}")
    flat = [
        _named(atoms)
        for atoms in groups
        if (np.linalg.norm(np.diff(positions[atoms], axis=0), axis=1) == 0.0).any() or atoms[0] == atoms[-1]
    ]
    if flat:
        raise InputError(
            f"atoms coincide in these bonds or angles: {', '.join(flat)}; correct the geometry or the list"
        )


def _named(atoms: Int[np.ndarray, " order"]) -> str:
    """Return atoms as users count them, from 1."""
    return "-".join(str(atom + 1) for atom in atoms)
