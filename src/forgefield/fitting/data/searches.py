"""What the relaxed structures of a training set are searched by, and the internal coordinates they are compared in."""

from collections.abc import Sequence

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int

from forgefield.estimating.transition_state import Treated
from forgefield.molecules import measure, paths
from forgefield.molecules.molecule import Molecule, Reference
from forgefield.molecules.topology import Topology
from forgefield.properties.constraints import FixedDihedrals

FloatArray = Array | np.ndarray
_STATIONARY = 5.0
"""kcal/mol/Å: a reference with a larger component of its gradient is no stationary point to be compared with."""
_NEARLY_STRAIGHT = np.radians(170.0)
"""A torsion about a bond with a wider angle at one of its ends says nothing."""


class Internals(eqx.Module):
    """Internal coordinates of one kind in each molecule; padding is marked as absent."""

    slots: Int[FloatArray, "molecules values order"]
    """Atoms of the molecule."""
    reference: Float[FloatArray, "molecules values"]
    """Å or rad."""
    present: Bool[FloatArray, "molecules values"]

    def atoms(self, topology: Topology) -> Int[Array, "all_values order"]:
        """Return the atoms of the batch, those of padding beyond the last."""
        found = atoms_of_slots(topology)[jnp.arange(topology.n_molecules)[:, None, None], self.slots]
        order = self.slots.shape[2]
        beyond = topology.n_atoms + jnp.arange(order)[None, None, :]
        return jnp.where(jnp.asarray(self.present)[:, :, None], found, beyond).reshape(-1, order)


class Relaxation(eqx.Module):
    """Which molecules are relaxed, to stationary points of which order, and what is known of them there."""

    wanted: Bool[FloatArray, " molecules"]
    """Whether the reference is a stationary point, or one under constraints."""
    order: Int[FloatArray, " molecules"]
    """Negative curvatures after the policy for transition states."""
    follow: Float[FloatArray, "molecules coordinates"]
    """The reaction mode of a saddle, displacements of any length."""
    bonds: Internals
    angles: Internals
    torsions: Internals
    fixed: Internals
    """Dihedral angles that are held."""

    def constraints(self, topology: Topology) -> FixedDihedrals | None:
        """Return the constraints of a batch; None where no molecule has any."""
        n_most = self.fixed.present.shape[1]
        if not n_most:
            return None
        place = jnp.where(jnp.asarray(self.fixed.present), jnp.arange(n_most)[None, :], n_most)
        quads = jnp.minimum(self.fixed.atoms(topology), topology.n_atoms - 1)
        values = jnp.asarray(self.fixed.reference)
        return FixedDihedrals(quads, values.reshape(-1), place.reshape(-1), n_most=n_most)


def atoms_of_slots(topology: Topology) -> Int[Array, "molecules slots"]:
    """Return the atom of the batch in each slot of each molecule, zero in empty ones."""
    empty = jnp.zeros((topology.n_molecules, topology.n_max), int)
    return empty.at[topology.molecule, topology.slot].set(jnp.arange(topology.n_atoms))


def relaxation(
    molecules: Sequence[Molecule], references: Sequence[Reference], treated: Sequence[Treated | None], n_max: int
) -> Relaxation:
    """Return how the molecules are relaxed and compared: their own bonds, and the angles and torsions these imply."""
    follow = np.zeros((len(molecules), 3 * n_max))
    order = np.zeros(len(molecules), dtype=int)
    for m, one in enumerate(treated):
        if one is not None and one.reaction_mode is not None and one.eigenvalues[one.reaction_mode] < 0.0:
            displacement = one.vectors[:, one.reaction_mode] / np.repeat(np.sqrt(one.masses), 3)
            order[m], follow[m, : len(displacement)] = 1, displacement
    geometry = [reference.positions for reference in references]
    bent = [paths.angles(m.n_atoms, m.bonds) for m in molecules]
    quads = [_turning(paths.torsions(m.n_atoms, m.bonds), x) for m, x in zip(molecules, geometry, strict=True)]
    held = [np.array([d.atoms for d in r.constraints], dtype=int).reshape(-1, 4) for r in references]
    return Relaxation(
        wanted=np.array([is_stationary(reference) for reference in references]),
        order=order,
        follow=follow,
        bonds=_internals([m.bonds for m in molecules], geometry, measure.lengths, 2),
        angles=_internals(bent, geometry, measure.angles, 3),
        torsions=_internals(quads, geometry, measure.dihedrals, 4),
        fixed=_internals(held, geometry, measure.dihedrals, 4),
    )


def is_stationary(reference: Reference) -> bool:
    """Say whether a reference is meant to be a stationary point, perhaps under constraints."""
    if len(reference.species) < 2:
        return False
    if reference.gradient is None or reference.constraints:
        return True
    return bool(np.abs(reference.gradient).max() < _STATIONARY)


def _turning(quads: Int[np.ndarray, "quads 4"], x: Float[np.ndarray, "atoms 3"]) -> Int[np.ndarray, "torsions 4"]:
    """Return the torsions that are defined: neither angle in them is nearly straight."""
    first, last = measure.angles(x[quads[:, :3]]), measure.angles(x[quads[:, 1:]])
    return quads[np.maximum(first, last) < _NEARLY_STRAIGHT]


def _internals(
    members: Sequence[Int[np.ndarray, "_ order"]], geometry: Sequence[np.ndarray], measured, order: int
) -> Internals:
    """Return internal coordinates with their values in these geometries."""
    n = max((len(own) for own in members), default=0)
    slots = np.zeros((len(members), n, order), dtype=int)
    reference = np.zeros((len(members), n))
    present = np.zeros((len(members), n), dtype=bool)
    for m, (own, x) in enumerate(zip(members, geometry, strict=True)):
        if len(own):
            slots[m, : len(own)], reference[m, : len(own)], present[m, : len(own)] = own, measured(x[own]), True
    return Internals(slots, reference, present)
