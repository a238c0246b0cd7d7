"""Neighbours of large and periodic systems, listed with a skin and renewed when atoms have moved."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int
from vesin import NeighborList

from forgefield.errors import InputError
from forgefield.molecules.neighbours import Neighbours

_SPARE = 1.25
"""Places that a list has for each neighbour of the atom with most of them."""


@dataclass(frozen=True, eq=False)
class NeighbourList:
    """All pairs within cut-off and skin at some positions, good until an atom has moved by half the skin."""

    neighbours: Neighbours
    positions: Float[np.ndarray, "atoms 3"]
    """Å, those the list was made at."""
    cell: Float[np.ndarray, "3 3"] | None
    """Rows are the lattice vectors [Å]."""
    periodic: tuple[bool, bool, bool]
    cutoff: float
    """Å"""
    skin: float
    """Å"""

    @property
    def places(self) -> int:
        """Neighbours that there is room for in each row."""
        return self.neighbours.atom.shape[1]

    def holds(self, positions: Float[np.ndarray, "atoms 3"], cell: Float[np.ndarray, "3 3"] | None = None) -> bool:
        """Say whether no pair within the cut-off can be missing at other positions in the same cell."""
        if cell is None or self.cell is None:
            if cell is not self.cell:
                return False
        elif not np.array_equal(cell, self.cell):
            return False
        moved = np.sum((np.asarray(positions) - self.positions) ** 2, axis=1).max(initial=0.0)
        return bool(moved <= (0.5 * self.skin) ** 2)

    def renewed(
        self, positions: Float[np.ndarray, "atoms 3"], cell: Float[np.ndarray, "3 3"] | None = None
    ) -> "NeighbourList":
        """Return the list at other positions with as many places, or with more where they no longer suffice.

        Only in that case do compiled programs have to be compiled again.
        """
        try:
            return neighbour_list(positions, self.cutoff, self.skin, cell, self.periodic, places=self.places)
        except CapacityError:
            return neighbour_list(positions, self.cutoff, self.skin, cell, self.periodic)


class CapacityError(InputError):
    """An atom has more neighbours than there are places for."""


def neighbour_list(
    positions: Float[np.ndarray, "atoms 3"],
    cutoff: float,
    skin: float,
    cell: Float[np.ndarray, "3 3"] | None = None,
    periodic: tuple[bool, bool, bool] = (False, False, False),
    *,
    places: int | None = None,
) -> NeighbourList:
    """Return the list at these positions [Å], images included, each row with `places` or as many as are needed.

    Raises CapacityError where `places` do not suffice, InputError where a periodic system has no volume.
    """
    positions = np.array(positions, np.float64)
    box = np.zeros((3, 3)) if cell is None else np.array(cell, np.float64)
    if any(periodic) and abs(np.linalg.det(box)) < 1e-6:
        raise InputError(
            "a periodic system needs three lattice vectors that span a volume; give those of directions without "
            "periodicity any length"
        )
    finder = NeighborList(cutoff=cutoff + skin, full_list=True, sorted=True)
    first, second, shift = finder.compute(points=positions, box=box, periodic=list(periodic), quantities="ijS")
    first, second = first.astype(np.int64), second.astype(np.int64)
    count = np.bincount(first, minlength=len(positions))
    most = int(count.max(initial=0))
    places = max(int(np.ceil(_SPARE * most)), 1) if places is None else places
    if most > places:
        raise CapacityError(
            f"atom {int(np.argmax(count)) + 1} has {most} neighbours within {cutoff + skin:g} Å, but the list has "
            f"{places} places; make a new list, or look for atoms that have come too close"
        )
    rows = _rows(first, second, shift @ box, count, places)
    if not any(periodic):
        rows = Neighbours(atom=rows.atom, shift=None, valid=rows.valid)
    kept = None if cell is None else box
    return NeighbourList(rows, positions, kept, periodic, cutoff, skin)


def _rows(
    first: Int[np.ndarray, " pairs"],
    second: Int[np.ndarray, " pairs"],
    shift: Float[np.ndarray, "pairs 3"],
    count: Int[np.ndarray, " atoms"],
    places: int,
) -> Neighbours:
    """Lay pairs, sorted by their first atom, out in one row for each atom."""
    n = len(count)
    place = np.arange(len(first)) - np.repeat(np.cumsum(count) - count, count)
    atom = np.repeat(np.arange(n)[:, None], places, axis=1)
    valid: Bool[np.ndarray, "atoms places"] = np.zeros((n, places), bool)
    shifts = np.zeros((n, places, 3))
    atom[first, place], valid[first, place], shifts[first, place] = second, True, shift
    return Neighbours(atom=atom, shift=shifts, valid=valid)
