"""Where a substructure lies in a molecule, which alternates of its rows hold there, and which rows fit nowhere."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from forgefield.assign.mm3.file import THROUGH_SPACE, Condition, Mm3Row, RowKind, Substructure
from forgefield.assign.mm3.graph import Graph
from forgefield.assign.mm3.patterns import embeddings

_BEND = 3
"""Number of positions in a condition on an angle; one on a dihedral angle has four."""


@dataclass(frozen=True)
class Place:
    """One place where a substructure's pattern lies."""

    image: tuple[int | None, ...]
    """The atom at each position; None where an optional branch is left out."""
    position: dict[int, int]
    """Position (1-based) of each atom."""
    alternates: frozenset[str]
    """Those whose conditions hold here."""


def places(substructure: Substructure, graph: Graph) -> list[Place]:
    """Return where a substructure lies in a molecule, in the order found: first atom, then the order of the bonds."""
    found = []
    members = {name: graph.atoms_called(name) for name in set(substructure.pattern.names)}
    for image in embeddings(substructure.pattern, graph.around, lambda name, atom: atom in members[name]):
        holds = frozenset(
            label for label, condition in substructure.conditions.items() if _holds(condition, image, graph)
        )
        position = {atom: place for place, atom in enumerate(image, 1) if atom is not None}
        found.append(Place(image, position, holds))
    return found


def rows_placed(rows: Iterable[Mm3Row], found: list[Place], graph: Graph) -> dict[int, bool]:
    """Return the lines of a substructure's rows whose positions are all there in some place.

    The values say whether these atoms are somewhere bonded as the row's kind asks, without which it is no row of any
    interaction.
    """
    placed: dict[int, bool] = {}
    for row in rows:
        for place in found:
            atoms = [place.image[name - 1] if isinstance(name, int) else None for name in row.names]
            if all(atom is not None for atom, name in zip(atoms, row.names, strict=True) if isinstance(name, int)):
                placed[row.line] = _are_bonded(row.kind, atoms, graph)
                if placed[row.line]:
                    break
    return placed


def _are_bonded(kind: RowKind, atoms: list[int | None], graph: Graph) -> bool:
    """Whether atoms are bonded to the one before, or to the centre; None is any atom outside."""
    if kind in THROUGH_SPACE:
        return True
    known = [atom for atom in atoms if atom is not None]
    befores = atoms[:1] * (len(atoms) - 1) if kind == RowKind.OUT_OF_PLANE else atoms[:-1]
    return len(set(known)) == len(known) and all(
        after in graph.around[before]
        for before, after in zip(befores, atoms[1:], strict=True)
        if before is not None and after is not None
    )


def _holds(condition: Condition, image: tuple[int | None, ...], graph: Graph) -> bool:
    """Whether the angle of the atoms in a place lies within the condition's tolerance; not where one is absent."""
    atoms = [atom for p in condition.positions if (atom := image[p - 1]) is not None]
    if len(atoms) < len(condition.positions):
        return False
    x = graph.positions[atoms]
    if len(atoms) == _BEND:
        arms = x[0] - x[1], x[2] - x[1]
    else:
        axis = x[2] - x[1]
        arms = np.cross(x[0] - x[1], axis), np.cross(x[3] - x[2], axis)
    angle = np.arctan2(np.linalg.norm(np.cross(*arms)), arms[0] @ arms[1])
    # Signs do not matter, nor do full turns: 300° is the angle 60°.
    wanted = abs((condition.angle + np.pi) % (2.0 * np.pi) - np.pi)
    return bool(abs(angle - wanted) <= condition.tolerance)
