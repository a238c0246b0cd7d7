"""Coordinates of GROMACS (.gro), of any number of decimals."""

from pathlib import Path

import numpy as np

from forgefield import units
from forgefield.errors import InputError
from forgefield.io.structures.coordinates.bare import Bare
from forgefield.io.text import integer, read_text, real

_NAME, _FIRST = slice(10, 15), 20


def read_gro(path: Path) -> Bare:
    """Return names and positions of the first frame; velocities and box are not looked at. Raises InputError."""
    lines = read_text(path).splitlines()
    if len(lines) < 3:
        raise InputError(f"{path}: is cut: a .gro file has a title, the number of atoms, the atoms and a box")
    n = integer(path, 2, lines[1].strip(), "the number of atoms")
    rows = lines[2 : 2 + n]
    if len(rows) != n or n < 1:
        raise InputError(f"{path}: holds {len(rows)} atoms, not {n}; it is cut")
    # The distance of decimal points is the width of a column.
    points = [at for at, sign in enumerate(rows[0]) if sign == "." and at >= _FIRST]
    if len(points) < 3:
        raise InputError(f"{path}, line 3: {rows[0]!r} does not state three coordinates")
    width = points[1] - points[0]
    found = []
    for number, row in enumerate(rows, start=3):
        try:
            found.append([real(row[_FIRST + k * width : _FIRST + (k + 1) * width].strip()) for k in range(3)])
        except ValueError as error:
            raise InputError(f"{path}, line {number}: {error}") from None
    return Bare(np.array(found) * units.NANOMETRE, tuple(row[_NAME].strip() for row in rows))
