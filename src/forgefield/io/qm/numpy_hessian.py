"""Reads Hessians in .npy files and the frequencies and energies that lie in .txt files beside them."""

import re
from io import BytesIO
from pathlib import Path

import numpy as np

from forgefield import units
from forgefield.errors import InputError
from forgefield.io.assemble.damage import check_halves
from forgefield.io.assemble.parts import Part
from forgefield.io.sources import content
from forgefield.io.text import LARGEST, floats, read_text

_SYMMETRY = 1e-3
"""Largest asymmetry, as a share of the largest element, that is numerical noise."""
_LEVEL = re.compile(r"\bat\s+(\S+/\S+)")


def read_numpy_hessian(path: Path) -> Part:
    """Return a Hessian [Hartree/Bohr², not mass-weighted] from an .npy file, in the frame of the xyz beside it.

    It may have the shape of (N, 3, N, 3) or (N, N, 3, 3) too. Raises InputError where the array is not a finite,
    symmetric matrix of 3N rows.
    """
    try:
        hessian = np.load(BytesIO(content(path)), allow_pickle=False)
    except FileNotFoundError:
        raise InputError(f"{path}: there is no such file") from None
    except Exception:  # A damaged header fails wherever the library's parser stumbles, which then advises pickle.
        raise InputError(f"{path}: is not a NumPy array file, or is truncated") from None
    if not isinstance(hessian, np.ndarray) or hessian.dtype.kind not in "fi":
        raise InputError(f"{path}: holds no array of real numbers")
    hessian = _matrix(hessian)
    if hessian.ndim != 2 or hessian.shape[0] != hessian.shape[1] or hessian.shape[0] % 3 or not hessian.size:
        raise InputError(f"{path}: shape {hessian.shape}; a Hessian is a square matrix of three rows for each atom")
    hessian = hessian.astype(np.float64)
    sane = np.abs(hessian) < LARGEST
    if not sane.all():
        raise InputError(f"{path}: {np.sum(~sane)} of the force constants are not finite numbers of a sane size")
    asymmetry = np.abs(hessian - hessian.T).max()
    if asymmetry > _SYMMETRY * np.abs(hessian).max():
        raise InputError(
            f"{path}: the matrix is not symmetric (by up to {asymmetry:.3g} Hartree/Bohr²), so it is no Hessian"
        )
    check_halves(str(path), hessian)
    return Part(source=str(path), hessian=0.5 * (hessian + hessian.T) * units.HARTREE_PER_BOHR2)


def _matrix(array: np.ndarray) -> np.ndarray:
    """Return an array with the indices atom, axis, atom, axis or atom, atom, axis, axis as a matrix; others as is."""
    n_atoms = array.shape[0] if array.ndim == 4 else 0
    ways = [array] if array.shape == (n_atoms, 3, n_atoms, 3) else []
    ways += [array.transpose(0, 2, 1, 3)] if array.shape == (n_atoms, n_atoms, 3, 3) else []
    matrices = [way.reshape(3 * n_atoms, -1) for way in ways]
    # Of three atoms both are possible; moved as a whole, they feel no force.
    return min(matrices, key=_net_forces) if matrices else array


def _net_forces(matrix: np.ndarray) -> float:
    """Return how far a matrix is from symmetric and from free of force where all atoms are moved alike."""
    moved = matrix.reshape(len(matrix), -1, 3).sum(axis=1)
    return float(np.abs(matrix - matrix.T).max() + np.abs(moved).max())


def read_frequencies_text(path: Path) -> Part:
    """Return the frequencies [cm⁻¹, imaginary ones negative] of a text file with comments after #."""
    numbers, level = _numbers(path, "frequencies")
    return Part(source=str(path), frequencies=numbers, level=level)


def read_energy_text(path: Path) -> Part:
    """Return the energy [Hartree] that is the one number of a text file with comments after #."""
    numbers, level = _numbers(path, "energy")
    if len(numbers) != 1:
        raise InputError(f"{path}: expected one energy, found {len(numbers)} numbers")
    return Part(source=str(path), energy=float(numbers[0]) * units.HARTREE, level=level)


def _numbers(path: Path, what: str) -> tuple[np.ndarray, str]:
    lines = read_text(path).splitlines()
    numbers = floats(path, 1, [line.split("#")[0] for line in lines], what)
    if not len(numbers):
        raise InputError(f"{path}: holds no numbers")
    found = _LEVEL.search("\n".join(line for line in lines if line.lstrip().startswith("#")))
    return numbers, found[1] if found else ""
