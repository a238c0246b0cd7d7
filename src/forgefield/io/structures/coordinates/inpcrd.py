"""Coordinates of AMBER: formatted (.inpcrd, .rst7, .crd) and NetCDF restart files (.rst7, .ncrst)."""

import io
from pathlib import Path

import numpy as np
from scipy.io import netcdf_file

from forgefield.errors import InputError
from forgefield.io.sources import content
from forgefield.io.structures.coordinates.bare import Bare
from forgefield.io.text import integer, read_text, real

_NETCDF = b"CDF"
_WIDTH, _A_ROW = 12, 6


def read_inpcrd(path: Path) -> Bare:
    """Return the positions of a file; velocities and a box are not looked at. Raises InputError."""
    try:
        held = content(path)
    except FileNotFoundError:
        raise InputError(f"{path}: there is no such file") from None
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror})") from None
    return _netcdf(path, held) if held.startswith(_NETCDF) else _formatted(path)


def _netcdf(path: Path, held: bytes) -> Bare:
    try:
        with netcdf_file(io.BytesIO(held), mmap=False) as file:
            found = np.array(file.variables["coordinates"][:], dtype=np.float64)
    except (KeyError, ValueError, TypeError, IndexError, OSError) as error:
        raise InputError(f"{path}: is no NetCDF restart file of AMBER, or is damaged ({error})") from None
    if found.ndim != 2 or found.shape[1] != 3:
        raise InputError(f"{path}: holds positions of several frames, or none; give a restart file (.rst7, .ncrst)")
    return Bare(found)


def _formatted(path: Path) -> Bare:
    lines = read_text(path).splitlines()
    words = lines[1].split() if len(lines) > 1 else []
    if not words:
        raise InputError(f"{path}: its second line does not say how many atoms there are")
    n = integer(path, 2, words[0], "the number of atoms")
    n_rows = -(-3 * n // _A_ROW)
    numbers: list[float] = []
    for number, line in enumerate(lines[2 : 2 + n_rows], start=3):
        try:
            numbers += [real(line[at : at + _WIDTH].strip()) for at in range(0, len(line.rstrip()), _WIDTH)]
        except ValueError as error:
            raise InputError(f"{path}, line {number}: {error}") from None
    if len(numbers) != 3 * n or n < 1:
        raise InputError(f"{path}: holds {len(numbers)} coordinates, not three for each of {n} atoms; it is cut")
    return Bare(np.array(numbers).reshape(-1, 3))
