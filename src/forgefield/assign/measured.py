"""Lengths and angles of the interactions whose rows hold a reference value for them."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int

from forgefield.assign.assignment import Assignment
from forgefield.molecules.measure import angles, dihedrals, lengths

_MEASURES = {"stretch": (2, lengths), "bend": (3, angles), "urey_bradley": (2, lengths)}
"""Atoms and measure of the kinds of terms whose second parameter is a reference value."""
_IN_PLANE = float(np.sin(np.radians(20.0)))
"""Sine of a dihedral up to which a torsion counts as flat."""


@dataclass(frozen=True, eq=False)
class Measured:
    """The interactions of one term as some geometry has them."""

    kind: str
    first: Int[np.ndarray, " interactions"]
    """The first atom of each, in the batch."""
    parameters: Int[np.ndarray, "interactions parameters"]
    """Where each parameter stands in the model's values; the second is the reference value."""
    values: Float[np.ndarray, " interactions"]
    """Å or rad."""


def measured(assignment: Assignment, positions: Float[np.ndarray, "atoms 3"]) -> Iterator[Measured]:
    """Yield the lengths [Å] and angles [rad] that a force field has reference values for, term by term."""
    for term, group in zip(assignment.model.terms, assignment.topology.interactions, strict=True):
        if term.kind in _MEASURES and term.n_own > 1:
            order, measure = _MEASURES[term.kind]
            # Behind a term's own atoms may stand the parents of shifted centres.
            atoms = np.asarray(group.atoms)[:, :order]
            yield Measured(term.kind, atoms[:, 0], np.asarray(group.parameters), measure(positions[atoms]))


def twisted(assignment: Assignment, positions: Float[np.ndarray, "atoms 3"]) -> set[int]:
    """Return the places of the first constants of torsions that have an interaction out of its plane."""
    found: set[int] = set()
    for term, group in zip(assignment.model.terms, assignment.topology.interactions, strict=True):
        if term.kind == "torsion":
            out = np.abs(np.sin(dihedrals(positions[np.asarray(group.atoms)[:, :4]]))) > _IN_PLANE
            found |= set(np.asarray(group.parameters)[out, 0].tolist())
    return found


def mean_geometry(
    assignment: Assignment, positions: Float[np.ndarray, "atoms 3"], among: Bool[np.ndarray, " atoms"] | None = None
) -> Float[np.ndarray, " parameters"]:
    """Return the mean length [Å] or angle [rad] at the place of each reference value, NaN at all other places.

    `among` says the atoms of the molecules that count; all where None.
    """
    n = len(assignment.model.values)
    total, count = np.zeros(n), np.zeros(n)
    for one in measured(assignment, positions):
        used = np.ones(len(one.first), dtype=bool) if among is None else among[one.first]
        np.add.at(total, one.parameters[used, 1], one.values[used])
        np.add.at(count, one.parameters[used, 1], 1.0)
    return np.divide(total, count, out=np.full(n, np.nan), where=count > 0)
