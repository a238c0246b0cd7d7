"""Listings of what an MM3* file says of structures: every interaction in the units of the file, with its line."""

from collections.abc import Callable
from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from forgefield import units
from forgefield.assign.mm3.file import RowKind
from forgefield.assign.mm3.laid import Mm3Assignment
from forgefield.compiled import compiled
from forgefield.io.forcefields.mm3.fld_columns import column_scales
from forgefield.io.listings.listing import Interaction, Listing, interactions, totals
from forgefield.models.forcefield import ForceField
from forgefield.molecules.molecule import Molecule
from forgefield.molecules.topology import Topology
from forgefield.terms.bend import MM3_BEND
from forgefield.terms.cross import STRETCH_BEND, TORSION_STRETCH
from forgefield.terms.geometry import angle, dihedral, distance
from forgefield.terms.mm3 import BEND_BEND_PRODUCT
from forgefield.terms.nonbonded import COULOMB, EXP6, EXP6_PAIR
from forgefield.terms.out_of_plane import COSINE_OUT_OF_PLANE, ONE_FOLD_OUT_OF_PLANE
from forgefield.terms.stretch import MM3_STRETCH
from forgefield.terms.term import Term
from forgefield.terms.torsion import TORSION3, TORSION6

Columns = Float[np.ndarray, "interactions columns"]
Scales = dict[RowKind, tuple[float, ...]]


@dataclass(frozen=True)
class _Shown:
    """How the interactions of a term are listed."""

    term: Term
    parameters: Callable[[Columns, Scales], dict[str, Float[np.ndarray, " interactions"]]]
    """Its parameters [internal units] in the units of the file, by name."""
    coordinate: Callable[[Float[Array, "order 3"]], Float[Array, ""]] | None
    unit: float = 1.0
    between_centres: bool = True
    """Whether the value that MacroModel prints is between shifted centres, as its energy is; not so in stretches."""


def mm3_listings(molecules: list[Molecule], assigned: Mm3Assignment, model: ForceField | None = None) -> list[Listing]:
    """Return a listing of each molecule in its own geometry.

    `model` is the one that was assigned, with other values where given.
    """
    model = assigned.assignment.model if model is None else model
    topology = assigned.assignment.topology
    positions = np.concatenate([m.positions for m in molecules])
    energies = interaction_energies(model, topology, jnp.asarray(positions))
    listed: list[list[Interaction]] = [[] for _ in molecules]
    for place, energy in enumerate(energies):
        for molecule, found in _of_term(assigned, model, positions, place, np.asarray(energy) / units.KILOJOULE):
            listed[molecule].extend(found)
    charges = np.split(np.asarray(model.charges(topology)), np.cumsum([m.n_atoms for m in molecules])[:-1])
    return [
        Listing(
            name=molecule.name,
            file=molecule.source or molecule.name,
            types=types,
            charges=own_charges,
            totals_kj_mol=totals(found),
            interactions=tuple(found),
            positions=molecule.positions,
        )
        for molecule, types, own_charges, found in zip(
            molecules, assigned.assignment.types, charges, listed, strict=True
        )
    ]


@compiled
def interaction_energies(
    model: ForceField, topology: Topology, positions: Float[Array, "atoms 3"]
) -> tuple[Float[Array, " _"], ...]:
    """Return the energy of every interaction [kcal/mol], term by term."""
    return model.interaction_energies(topology, positions)


def _of_term(
    assigned: Mm3Assignment,
    model: ForceField,
    positions: Float[np.ndarray, "atoms 3"],
    place: int,
    energies_kj_mol: Float[np.ndarray, " interactions"],
) -> list[tuple[int, tuple[Interaction, ...]]]:
    """Return the interactions of one term, molecule by molecule."""
    topology, lines = assigned.assignment.topology, assigned.lines[place]
    term, group = model.terms[place], topology.interactions[place]
    shown = _SHOWN[term.name]
    known = np.concatenate([np.asarray(model.values), np.asarray(model.charges(topology))])
    atoms, parameters = np.asarray(group.atoms), known[np.asarray(group.parameters)]
    columns = shown.parameters(parameters, column_scales(assigned.file.factors))
    values = _values(shown, positions[atoms], parameters)
    molecule, slots = np.asarray(topology.molecule)[atoms[:, 0]], np.asarray(topology.slot)[atoms]
    found = []
    for number in np.unique(molecule).tolist():
        own = np.flatnonzero(molecule == number)
        listed = interactions(
            term.kind,
            slots[own, : shown.term.order],
            {name: column[own] for name, column in columns.items()},
            None if values is None else values[own],
            energies_kj_mol[own],
            [line or None for line in lines[own].tolist()],
        )
        found.append((number, listed))
    return found


def _values(
    shown: _Shown, x: Float[np.ndarray, "interactions order 3"], parameters: Columns
) -> Float[np.ndarray, " interactions"] | None:
    """Return the coordinate that is printed [Å or degrees]."""
    if shown.coordinate is None:
        return None
    order = shown.term.order
    own = x[:, :order].copy()
    moved = x.shape[1] - order
    if shown.between_centres and moved:
        # Atoms that may be shifted come first, parents behind the own atoms, offsets behind the own parameters.
        offsets = parameters[:, -moved:, None]
        own[:, :moved] += offsets * (x[:, :moved] - x[:, order:])
    return np.asarray(jax.vmap(shown.coordinate)(jnp.asarray(own))) / shown.unit


def _named(kind: RowKind, **places: int) -> Callable[[Columns, Scales], dict[str, Float[np.ndarray, " interactions"]]]:
    """Return a conversion in which the n-th named parameter of a term is a column (by place) of a kind of row."""

    def convert(p: Columns, scales: Scales) -> dict[str, Float[np.ndarray, " interactions"]]:
        return {name: p[:, n] / scales[kind][column] for n, (name, column) in enumerate(places.items())}

    return convert


def _bend_bend(p: Columns, scales: Scales) -> dict[str, Float[np.ndarray, " interactions"]]:
    degree, _, coupling = scales[RowKind.BEND]
    return {"k": p[:, 0] * p[:, 1] / coupling**2, "theta0_1": p[:, 2] / degree, "theta0_2": p[:, 3] / degree}


def _torsion(count: int) -> Callable[[Columns, Scales], dict[str, Float[np.ndarray, " interactions"]]]:
    """Return a conversion of so many constants, behind which stands the share of the row that one torsion has."""

    def convert(p: Columns, scales: Scales) -> dict[str, Float[np.ndarray, " interactions"]]:
        return {f"v{n + 1}": p[:, n] * p[:, count] / scales[RowKind.TORSION][0] for n in range(count)}

    return convert


def _combined(p: Columns, scales: Scales) -> dict[str, Float[np.ndarray, " interactions"]]:
    radius_i, depth_i, radius_j, depth_j, factor = p[:, :5].T
    depth = factor * np.sqrt(depth_i * depth_j)
    return {"radius": radius_i + radius_j, "epsilon": depth / scales[RowKind.VAN_DER_WAALS][1]}


def _pair(p: Columns, scales: Scales) -> dict[str, Float[np.ndarray, " interactions"]]:
    radius, depth, factor = p[:, :3].T
    return {"radius": radius, "epsilon": factor * depth / scales[RowKind.VAN_DER_WAALS][1]}


def _charge_product(p: Columns, _: Scales) -> dict[str, Float[np.ndarray, " interactions"]]:
    return {"charge_product": p[:, 0] * p[:, 1]}


_SHOWN = {
    shown.term.name: shown
    for shown in (
        _Shown(MM3_STRETCH, _named(RowKind.STRETCH, k=1, r0=0), distance, between_centres=False),
        _Shown(MM3_BEND, _named(RowKind.BEND, k=1, theta0=0), angle, units.DEGREE),
        _Shown(STRETCH_BEND, _named(RowKind.STRETCH_BEND, k=0), angle, units.DEGREE),
        _Shown(BEND_BEND_PRODUCT, _bend_bend, None),
        _Shown(TORSION3, _torsion(3), dihedral, units.DEGREE),
        _Shown(TORSION6, _torsion(6), dihedral, units.DEGREE),
        _Shown(COSINE_OUT_OF_PLANE, _named(RowKind.OUT_OF_PLANE, v2=1), dihedral, units.DEGREE),
        _Shown(ONE_FOLD_OUT_OF_PLANE, _named(RowKind.OUT_OF_PLANE, v1=0), dihedral, units.DEGREE),
        _Shown(TORSION_STRETCH, _named(RowKind.TORSION_STRETCH, k=0), dihedral, units.DEGREE),
        _Shown(EXP6, _combined, distance),
        _Shown(EXP6_PAIR, _pair, distance),
        _Shown(COULOMB, _charge_product, distance),
    )
}
