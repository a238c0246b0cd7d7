"""Tells the format of a file from its suffix, and from its content where the suffix is shared."""

from enum import StrEnum
from pathlib import Path

from forgefield.errors import InputError
from forgefield.io.qm.gaussian_scan import is_gaussian_scan
from forgefield.io.qm.torsion_drive import MARK
from forgefield.io.text import read_text


class Format(StrEnum):
    """Formats that hold structures or QM results, by the name that messages use."""

    XYZ = "xyz"
    FCHK = "Gaussian formatted checkpoint"
    GAUSSIAN_LOG = "Gaussian output"
    GAUSSIAN_SCAN = "Gaussian relaxed scan"
    QCSCHEMA = "QCSchema JSON"
    TORSION_DRIVE = "torsion drive"
    JAGUAR_INPUT = "Jaguar input"
    JAGUAR_OUTPUT = "Jaguar output"
    NUMPY_HESSIAN = "NumPy Hessian"
    FREQUENCIES = "frequencies"
    ENERGY = "energy"
    MAESTRO = "Maestro"
    MOL2 = "mol2"


_BY_SUFFIX = {
    ".xyz": Format.XYZ,
    ".extxyz": Format.XYZ,
    ".fchk": Format.FCHK,
    ".fch": Format.FCHK,
    ".json": Format.QCSCHEMA,
    ".in": Format.JAGUAR_INPUT,
    ".npy": Format.NUMPY_HESSIAN,
    ".mae": Format.MAESTRO,
    ".maegz": Format.MAESTRO,
    ".mol2": Format.MOL2,
}
_PROGRAM_OUTPUT = (".log", ".out")
_TEXT = ".txt"


def format_of(path: Path) -> Format:
    """Return the format of a file; raises InputError where suffix and content leave it unknown."""
    suffix = path.suffix.lower()
    if suffix in _PROGRAM_OUTPUT:
        return _of_output(path)
    if suffix == _TEXT:
        return _of_text(path)
    if suffix not in _BY_SUFFIX:
        known = ", ".join((*_BY_SUFFIX, *_PROGRAM_OUTPUT, _TEXT))
        raise InputError(f"{path}: the suffix {suffix!r} is not known; known are {known}")
    if _BY_SUFFIX[suffix] == Format.QCSCHEMA and MARK.search(read_text(path)):
        return Format.TORSION_DRIVE
    return _BY_SUFFIX[suffix]


def _of_output(path: Path) -> Format:
    text = read_text(path)
    # Each program signs its output on the first page or, in a log that was cut, with its archive.
    if "Jaguar version" in text:
        return Format.JAGUAR_OUTPUT
    if "Gaussian, Inc" in text or "Entering Gaussian System" in text or "Normal termination of Gaussian" in text:
        return Format.GAUSSIAN_SCAN if is_gaussian_scan(text) else Format.GAUSSIAN_LOG
    raise InputError(f"{path}: is neither Gaussian nor Jaguar output, as far as its content tells")


def _of_text(path: Path) -> Format:
    """Return what a text file of numbers holds: its comment says so, else its name does."""
    comments = [line for line in read_text(path).splitlines() if line.lstrip().startswith("#")]
    for words in (" ".join(comments).lower(), path.stem.lower()):
        if "frequenc" in words:
            return Format.FREQUENCIES
        if "energy" in words:
            return Format.ENERGY
    raise InputError(f"{path}: neither its comment (# ...) nor its name says `frequencies` or `energy`")
