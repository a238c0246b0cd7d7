"""Listings of what a classical force field says of structures: every interaction, its parameters in stated units."""

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

from forgefield import units
from forgefield.assign.assignment import Assignment
from forgefield.io.forcefields.generated import charges_of
from forgefield.io.listings.listing import Interaction, Listing, interactions, totals
from forgefield.io.listings.mm3_listing import interaction_energies
from forgefield.molecules.molecule import Molecule
from forgefield.terms.geometry import angle, dihedral, distance

_COORDINATES = {
    "stretch": (distance, 2, 1.0),
    "urey_bradley": (distance, 2, 1.0),
    "vdw": (distance, 2, 1.0),
    "electrostatic": (distance, 2, 1.0),
    "bend": (angle, 3, units.DEGREE),
    "stretch_bend": (angle, 3, units.DEGREE),
    "torsion": (dihedral, 4, units.DEGREE),
    "torsion_stretch": (dihedral, 4, units.DEGREE),
    "bend_torsion_bend": (dihedral, 4, units.DEGREE),
    "out_of_plane": (dihedral, 4, units.DEGREE),
    "improper": (dihedral, 4, units.DEGREE),
}
"""What is listed as the value of an interaction: a function of its first atoms, in Å or degrees."""

_MOST_LISTED = 100_000
"""Interactions of one term in one structure; each takes a kilobyte."""


def row_listings(molecules: list[Molecule], assignment: Assignment) -> list[Listing]:
    """Return a listing of each molecule in its own geometry, with the units of all parameters."""
    model, topology = assignment.model, assignment.topology
    positions = np.concatenate([m.positions for m in molecules])
    energies = interaction_energies(model, topology, jnp.asarray(positions))
    charges = charges_of(assignment)
    known = np.concatenate([np.asarray(model.values), np.asarray(model.charges(topology))])
    of_atom, slot = np.asarray(topology.molecule), np.asarray(topology.slot)
    listed: list[list[Interaction]] = [[] for _ in molecules]
    omitted: list[dict[str, float]] = [{} for _ in molecules]
    for term, group, energy in zip(model.terms, topology.interactions, energies, strict=True):
        atoms, parameters = np.asarray(group.atoms), known[np.asarray(group.parameters)]
        values, energy_kj_mol = _values(term.kind, positions[atoms]), np.asarray(energy) / units.KILOJOULE
        for number in np.unique(of_atom[atoms[:, 0]]).tolist():
            own = np.flatnonzero(of_atom[atoms[:, 0]] == number)
            if len(own) > _MOST_LISTED:
                omitted[number][term.kind] = omitted[number].get(term.kind, 0.0) + float(energy_kj_mol[own].sum())
                continue
            named = {parameter.name: parameters[own, p] for p, parameter in enumerate(term.parameters)}
            shown = None if values is None else values[own]
            listed[number] += interactions(
                term.kind, slot[atoms[own]], named, shown, energy_kj_mol[own], [None] * len(own)
            )
    stated = {term.kind: {p.name: p.unit for p in term.parameters} for term in model.terms}
    return [
        Listing(
            name=molecule.name,
            file=molecule.source or molecule.name,
            types=assignment.types[number],
            charges=charges[of_atom == number],
            totals_kj_mol=totals(found, omitted[number]),
            interactions=tuple(found),
            positions=molecule.positions,
            units=stated,
            omitted=frozenset(omitted[number]),
        )
        for number, (molecule, found) in enumerate(zip(molecules, listed, strict=True))
    ]


def _values(kind: str, x: Float[np.ndarray, "interactions order 3"]) -> Float[np.ndarray, " interactions"] | None:
    """Return the coordinate that is listed [Å or degrees], None where no single one belongs to the kind."""
    if kind not in _COORDINATES:
        return None
    coordinate, order, unit = _COORDINATES[kind]
    return np.asarray(jax.vmap(coordinate)(jnp.asarray(x[:, :order]))) / unit
