"""Neighbours of large and periodic systems, listed with a skin and renewed when atoms have moved."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int
from vesin import NeighborList

from forgefield.errors import InputError
from forgefield.molecules.lattice import require_volume
from forgefield.molecules.neighbours import Neighbours

_SPARE = 1.1
"""Places that a list has at least for each neighbour of the atom with most of them."""
_SMALL = 20_000
"""Places in all rows together, up to which computing takes less time than compiling again."""
_JUMP = 4
"""A small list whose places run out has this many times as many afterwards."""
_FAR_TOO_MANY, _TOO_MANY = 8, 2
"""A list with so many times the places that it needs becomes smaller, at once or when it has long been so."""
_LONG = 100
"""Renewals."""


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
    renewals: int = 0
    """How often it has been renewed since its number of places changed."""

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
        """Return the list at other positions with as many places where they suffice and are not far too many.

        Otherwise compiled programs have to be compiled again. Numbers of places are therefore few, and the list of a
        small system grows in long steps: the cell may be shrinking. It becomes smaller when it no longer does.
        """
        found = _pairs(positions, self.cutoff, self.skin, cell, self.periodic)
        places = self._places_for(found.most)
        renewals = self.renewals + 1 if places == self.places else 0
        return _listed(found, self.cutoff, self.skin, self.periodic, places, renewals)

    def _places_for(self, most: int) -> int:
        """Return the places of the next list, whose atoms have at most this many neighbours."""
        wanted = rung(most)
        if most > self.places:
            return max(_JUMP * self.places, wanted) if self.neighbours.atom.size <= _SMALL else wanted
        if _FAR_TOO_MANY * wanted <= self.places:
            return rung(2 * most)
        return wanted if self.renewals >= _LONG and _TOO_MANY * wanted <= self.places else self.places


class CapacityError(InputError):
    """An atom has more neighbours than there are places for."""


def rung(most: int) -> int:
    """Return the places of a list whose atoms have at most this many neighbours: 4, 6, 8, 12, 16, 24, …"""
    wanted = max(int(np.ceil(_SPARE * most)), 4)
    power = 1 << (wanted - 1).bit_length()
    return power if wanted > 3 * power // 4 else 3 * power // 4


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
    found = _pairs(positions, cutoff, skin, cell, periodic)
    places = rung(found.most) if places is None else places
    if found.most > places:
        raise CapacityError(
            f"atom {int(np.argmax(found.count)) + 1} has {found.most} neighbours within {cutoff + skin:g} Å, but the "
            f"list has {places} places; make a new list, or look for atoms that have come too close"
        )
    return _listed(found, cutoff, skin, periodic, places)


@dataclass(frozen=True, eq=False)
class _Pairs:
    """All pairs within cut-off and skin, sorted by their first atom, and where they were found."""

    positions: Float[np.ndarray, "atoms 3"]
    cell: Float[np.ndarray, "3 3"] | None
    first: Int[np.ndarray, " pairs"]
    second: Int[np.ndarray, " pairs"]
    shift: Float[np.ndarray, "pairs 3"]
    count: Int[np.ndarray, " atoms"]

    @property
    def most(self) -> int:
        """Neighbours of the atom with most of them."""
        return int(self.count.max(initial=0))


def _pairs(
    positions: Float[np.ndarray, "atoms 3"],
    cutoff: float,
    skin: float,
    cell: Float[np.ndarray, "3 3"] | None,
    periodic: tuple[bool, bool, bool],
) -> _Pairs:
    positions = np.array(positions, np.float64)
    box = np.zeros((3, 3)) if cell is None else np.array(cell, np.float64)
    if any(periodic):
        require_volume(box, periodic)
    finder = NeighborList(cutoff=cutoff + skin, full_list=True, sorted=True)
    first, second, shift = finder.compute(points=positions, box=box, periodic=list(periodic), quantities="ijS")
    first, second = first.astype(np.int64), second.astype(np.int64)
    count = np.bincount(first, minlength=len(positions))
    return _Pairs(positions, None if cell is None else box, first, second, shift @ box, count)


def _listed(
    found: _Pairs, cutoff: float, skin: float, periodic: tuple[bool, bool, bool], places: int, renewals: int = 0
) -> NeighbourList:
    rows = _rows(found.first, found.second, found.shift, found.count, places)
    if not any(periodic):
        rows = Neighbours(atom=rows.atom, shift=None, valid=rows.valid)
    return NeighbourList(rows, found.positions, found.cell, periodic, cutoff, skin, renewals)


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
