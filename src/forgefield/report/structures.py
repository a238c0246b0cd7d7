"""Structures in 3D: those that the model relaxes to on those of the reference, worst deviations, and vibrations."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float, Int

from forgefield import units
from forgefield.io.assemble.superposition import superpose
from forgefield.molecules import measure, paths
from forgefield.molecules.molecule import Molecule, symbol
from forgefield.report.numerals import fixed, with_unit
from forgefield.report.record import Deviation, RelaxedStructure, Vibrations
from forgefield.table import Column, Group, Table

_WORST = 5
"""Bonds, and angles, that are named."""
_ROWS = 8
"""Rows of bonds, and of angles, that are listed."""
_PLACES = 4
"""Decimals of positions [Å]: one more than they are known to."""
_DECIMALS = {"Å": 4, "°": 2}
_SHARES = 100
"""Displacements are told in whole hundredths of the largest."""
_APART = "MM\N{NO-BREAK SPACE}−\N{NO-BREAK SPACE}QM"
_COLUMNS = (Column("", numeric=False), Column("QM"), Column("MM, relaxed"), Column(_APART))


@dataclass(frozen=True)
class Shown:
    """What the page holds of one molecule."""

    name: str
    summary: str
    """Empty where it was not relaxed."""
    table: Table | None
    drawing: dict
    """Elements, bonds (0-based), positions [Å] of reference and model, the worst bonds, and modes."""


def relaxed_structure(
    molecule: Molecule, relaxed: Float[np.ndarray, "atoms 3"], *, n_worst: int = _WORST
) -> RelaxedStructure:
    """Return the relaxed positions [Å] of a model superposed on those of a molecule, the reference, and what is worst.

    The molecule's own bonds, and the angles that they imply, are compared.
    """
    lying = superpose(relaxed, molecule.positions)
    moved = (relaxed - relaxed.mean(axis=0)) @ lying.rotation + molecule.positions.mean(axis=0)
    triples = paths.angles(molecule.n_atoms, molecule.bonds)
    return RelaxedStructure(
        name=molecule.name,
        species=molecule.species,
        bonds=molecule.bonds,
        reference=molecule.positions,
        model=relaxed if lying.is_same_frame else moved,
        worst_bonds=_worst(molecule, moved, molecule.bonds, measure.lengths, ("Å", 1.0), n_worst),
        worst_angles=_worst(molecule, moved, triples, measure.angles, ("°", units.DEGREE), n_worst),
    )


def _worst(
    molecule: Molecule,
    relaxed: Float[np.ndarray, "atoms 3"],
    members: Int[np.ndarray, "members order"],
    measured,
    unit: tuple[str, float],
    n_worst: int,
) -> tuple[Deviation, ...]:
    """Return the coordinates that are furthest from the reference, worst first."""
    if not len(members):
        return ()
    name, size = unit
    reference = measured(molecule.positions[members]) / size
    model = measured(relaxed[members]) / size
    order = np.argsort(-np.abs(model - reference), kind="stable")[:n_worst]
    return tuple(
        Deviation(tuple(int(a) for a in members[k]), name, float(reference[k]), float(model[k])) for k in order
    )


def shown_structures(
    entries: Sequence[RelaxedStructure], moving: Sequence[Vibrations] = (), molecules: Sequence[dict[str, Any]] = ()
) -> tuple[Shown, ...]:
    """Return what the page shows of each molecule that was relaxed or has vibrations, in the order of `molecules`.

    `molecules` are those of results.json.
    """
    relaxed, vibrating = {one.name: one for one in entries}, {one.name: one for one in moving}
    known = {one["name"]: one for one in molecules}
    names = dict.fromkeys([*known, *relaxed, *vibrating])
    return tuple(
        _shown(relaxed.get(name), vibrating.get(name), known.get(name, {}))
        for name in names
        if name in relaxed or name in vibrating
    )


def rows_table(results: dict[str, Any]) -> Table | None:
    """Return the rows whose bonds and angles deviate most, all interactions together; None where nothing is relaxed."""
    found = results.get("row_deviations", ())
    groups = [
        Group(title, tuple(map(_of_row, [one for one in found if one["kind"] == kind][:_ROWS])))
        for title, kind in (("Bonds, Å", "stretch"), ("Angles, °", "bend"))
    ]
    if not found:
        return None
    heads = ("Interactions", f"Mean {_APART}", "RMSD")
    columns = (Column("", numeric=False), *map(Column, heads), Column("", numeric=False))
    note = "A mean that is nearly the RMSD is a deviation of the same kind everywhere: the row's own reference value."
    return Table(
        "Rows of the force field that deviate most",
        columns,
        tuple(group for group in groups if group.rows),
        note,
    )


def _of_row(one: dict[str, Any]) -> tuple[str, ...]:
    places = _DECIMALS[one["unit"]]
    state = "trained" if one["trained"] else "kept"
    return one["row"], str(one["interactions"]), fixed(one["mean"], places), fixed(one["rmsd"], places), state


def _shown(entry: RelaxedStructure | None, moving: Vibrations | None, molecule: dict[str, Any]) -> Shown:
    modes = [] if moving is None else _modes(moving, molecule)
    if entry is None:
        assert moving is not None
        drawing = _drawing(moving.species, moving.bonds, moving.positions)
        return Shown(moving.name, "", None, drawing | {"modes": modes})
    away = np.linalg.norm(entry.model - entry.reference, axis=1)
    furthest = int(away.argmax())
    told = [f"atoms RMSD {fixed(float(np.sqrt((away**2).mean())), 3)} Å"]
    told.append(f"furthest {_label(entry, (furthest,))} {fixed(float(away[furthest]), 3)} Å")
    for worst in (*entry.worst_bonds[:1], *entry.worst_angles[:1]):
        told.append(f"{_label(entry, worst.atoms)} off by {with_unit(_signed(worst), worst.unit)}")
    groups = [
        Group(title, tuple(_row(entry, one) for one in deviations))
        for title, deviations in (("Worst bonds, Å", entry.worst_bonds), ("Worst angles, °", entry.worst_angles))
        if deviations
    ]
    drawing = _drawing(entry.species, entry.bonds, entry.reference) | {
        "model": _rounded(entry.model),
        "worst": [list(one.atoms) for one in entry.worst_bonds[:1]],
        "modes": modes,
    }
    title = f"Worst bonds and angles of {entry.name}"
    return Shown(entry.name, "; ".join(told), Table(title, _COLUMNS, tuple(groups)), drawing)


def _drawing(
    species: Int[np.ndarray, " atoms"], bonds: Int[np.ndarray, "bonds 2"], positions: Float[np.ndarray, "atoms 3"]
) -> dict[str, Any]:
    return {
        "elements": [symbol(z) for z in species],
        "bonds": bonds.tolist(),
        "reference": _rounded(positions),
        "model": None,
        "worst": [],
    }


def _modes(moving: Vibrations, molecule: dict[str, Any]) -> list[dict[str, Any]]:
    """Return what each mode is called, and how its atoms move, in whole hundredths."""
    found = []
    for place, moved in zip(moving.places.tolist(), moving.displacements, strict=True):
        mode = molecule["frequencies"][place]
        name = "reaction mode, " if place == molecule.get("reaction_mode") else ""
        told = f"{name}QM {fixed(mode['qm'], 0)}, MM {fixed(mode['mm'], 0)} cm⁻¹, overlap {fixed(mode['overlap'], 2)}"
        found.append({"name": f"{place + 1}: {told}", "moved": np.rint(_SHARES * moved).astype(int).tolist()})
    return found


def _row(entry: RelaxedStructure, one: Deviation) -> tuple[str, ...]:
    places = _DECIMALS[one.unit]
    return _label(entry, one.atoms), fixed(one.reference, places), fixed(one.model, places), _signed(one)


def _signed(one: Deviation) -> str:
    return fixed(one.model - one.reference, _DECIMALS[one.unit])


def _label(entry: RelaxedStructure, atoms: Sequence[int]) -> str:
    """Return what atoms are called, for example C1-H2, counted from 1."""
    return "-".join(f"{symbol(entry.species[a])}{a + 1}" for a in atoms)


def _rounded(positions: Float[np.ndarray, "atoms 3"]) -> list[list[float]]:
    return positions.round(_PLACES).tolist()
