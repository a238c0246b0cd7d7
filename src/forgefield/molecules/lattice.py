"""Lattice vectors of systems that are periodic along one, two or three of them."""

from dataclasses import dataclass

import numpy as np
from ase.cell import Cell
from jaxtyping import Float

from forgefield.errors import InputError

_LONGEST = 1e6
"""Å"""
_NEAREST_PLANES = 0.3
"""Å between lattice planes; that of hydrogen under the highest pressures is twice as large."""
_DENSEST = 10.0
"""Atoms/Å³; diamond has 0.18."""
_AXES = "abc"


@dataclass(frozen=True, eq=False)
class Lattice:
    """The cell of a system that is periodic along some of its vectors."""

    vectors: Float[np.ndarray, "3 3"]
    """Rows are the lattice vectors [Å]."""
    periodic: tuple[bool, bool, bool]

    @property
    def volume(self) -> float:
        """Å³"""
        return abs(float(np.linalg.det(self.vectors)))


def completed(
    cell: Float[np.ndarray, "3 3"], periodic: tuple[bool, bool, bool], n_atoms: int
) -> Float[np.ndarray, "3 3"]:
    """Return the lattice vectors [Å, rows], those of directions without periodicity replaced by unit vectors.

    Raises InputError where a direction is periodic without a vector, and where the vectors are not finite, do not
    span anything, or hold more atoms than can be.
    """
    cell = np.asarray(cell, np.float64)
    along = np.array(periodic)
    if not (np.abs(cell[along]) <= _LONGEST).all():
        raise InputError(f"lattice vectors must be finite numbers below {_LONGEST:g} Å; they are {_shown(cell)}")
    without = [axis for axis, vector, p in zip(_AXES, cell, periodic, strict=True) if p and not vector.any()]
    if without:
        raise InputError(
            f"the atoms are periodic along {'/'.join(without)}, where the cell has no vector; "
            "give the cell, or set pbc = False along it"
        )
    if np.linalg.matrix_rank(cell[along]) < along.sum():
        raise InputError(f"the lattice vectors {_shown(cell)} do not span a volume: some of them are parallel")
    # What a direction without periodicity has for a vector is of no account.
    whole = np.asarray(Cell(np.where(along[:, None], cell, 0.0)).complete()) if along.any() else np.eye(3)
    require_volume(whole, periodic)
    volume = abs(float(np.linalg.det(whole)))
    if all(periodic) and n_atoms > _DENSEST * volume:
        raise InputError(
            f"{n_atoms} atoms in {volume:.3g} Å³ are denser than anything; check the cell {_shown(cell)}: is it in Å?"
        )
    return whole


def require_volume(cell: Float[np.ndarray, "3 3"], periodic: tuple[bool, bool, bool]) -> None:
    """Raise InputError where lattice vectors [Å] do not span a volume, or their planes lie too close together."""
    volume = abs(float(np.linalg.det(cell)))
    opposite = np.linalg.norm(np.cross(np.roll(cell, -1, axis=0), np.roll(cell, -2, axis=0)), axis=1)
    if not volume > 1e-6:
        raise InputError(
            f"a periodic system needs three lattice vectors that span a volume, not {_shown(cell)}; give those of "
            "directions without periodicity any length"
        )
    for axis, height, p in zip(_AXES, volume / opposite, periodic, strict=True):
        if p and height < _NEAREST_PLANES:
            raise InputError(
                f"lattice planes along {axis} are {height:.3g} Å apart in the cell {_shown(cell)}: the vectors hardly "
                "span a volume; check them, and choose short ones if they are right"
            )


def _shown(cell: Float[np.ndarray, "3 3"]) -> str:
    return " ".join("(" + " ".join(f"{x:g}" for x in vector) + ")" for vector in cell)
