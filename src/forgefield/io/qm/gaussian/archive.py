"""The record that closes each step of a Gaussian job."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float, Int

from forgefield import units
from forgefield.errors import InputError
from forgefield.io.text import floats, integer
from forgefield.molecules.elements import atomic_number, is_ghost

_ARCHIVE = re.compile(r"^ 1([\\|])1\1.*?\1\s*\1\s*@", re.MULTILINE | re.DOTALL)
CHARGE_RECORD = re.compile(r"^(-?\d+),(\d+)\\")
_CHARGE = re.compile(r"Charge =\s*(\S+) Multiplicity =\s*(\S+)")
_LABELS = re.compile(r"\(.*\)")
"""What stands behind an element: C(Iso=13), C(Fragment=1), C(PDBName=CA,ResName=ALA,ResNum=1)."""
_ATOM = re.compile(r"^([A-Za-z]{1,2})(?![A-Za-z])")
_VERSION = re.compile(r"G(\d\d)Rev([A-Z]\.\d+)")
_DISPERSION = re.compile(r"\bEM\w*\s*=\s*\(?((?:GD|PFD)\w*)")
_SOLVENT = re.compile(r"\bSCRF\b\s*=?\s*\(?([\w=,.-]*)")
_MODELS = ("SMD", "CPCM", "IEFPCM", "PCM", "COSMORS", "IPCM", "SCIPCM", "DIPOLE")
_LAYERS = ("H", "M", "L")

Structure = tuple[Int[np.ndarray, " atoms"], Float[np.ndarray, "atoms 3"]]
"""Atomic numbers and positions [Å]."""


@dataclass(frozen=True)
class Archive:
    """Fields between double backslashes, each of parts between single ones."""

    fields: tuple[str, ...]

    @property
    def head(self) -> list[str]:
        """1, 1, host, kind of job, method, basis, formula, user, date, flag."""
        return self.fields[0].split("\\")

    @property
    def kind(self) -> str:
        """What was done: SP, FOpt, Freq, Scan, …"""
        return self.head[3] if len(self.head) > 3 else ""

    @property
    def method(self) -> str:
        """What was computed, for example RB3LYP, UMP2-FC, CBS-QB3."""
        return self.head[4] if len(self.head) > 4 else ""

    @property
    def level(self) -> str:
        """Method and basis set, for example RB3LYP/6-31G(d)."""
        return "/".join(word for word in self.head[4:6] if word)

    @property
    def route(self) -> str:
        """The keywords of the step, in capitals."""
        return self.fields[1].upper()

    @property
    def is_composite(self) -> bool:
        """Whether an energy was put together from those of the steps before, such as CBS-QB3."""
        return self.kind == "Mixed"

    @property
    def hessian_field(self) -> int | None:
        """Position of the Hessian, which follows the field that ends in the number of imaginary frequencies."""
        places = [i + 1 for i, field in enumerate(self.fields) if "\\NImag=" in field]
        return places[0] if places and places[0] < len(self.fields) else None

    @property
    def program(self) -> str:
        """Gaussian with its version, such as Gaussian 16 C.01."""
        found = _VERSION.search(self.values.get("Version", ""))
        return f"Gaussian {found[1]} {found[2]}" if found else "Gaussian"

    @property
    def values(self) -> dict[str, str]:
        """What stands behind `key=`."""
        words = [word.partition("=") for field in self.fields[3:] for word in field.split("\\")]
        return {key: value for key, _, value in reversed(words) if value}


def surroundings(routes: Sequence[str]) -> str:
    """Return dispersion and solvent of the last of the routes of a job, which may say that they are as before."""
    before = routes[-2::-1] if routes and "ALLCHECK" in routes[-1] else ()
    dispersion = next((found[1] for route in (*routes[-1:], *before) if (found := _DISPERSION.search(route))), "")
    medium = ""
    stated = [found[1] for route in routes[::-1] if (found := _SOLVENT.search(route))] if routes else []
    asked = bool(routes) and _SOLVENT.search(routes[-1]) is not None
    # The step of frequencies that follows an optimisation says CHECK without a solvent too.
    words = next((one.split(",") for one in stated if one != "CHECK"), None) if asked else None
    if words is not None:
        model = next((word for word in words if word in _MODELS), "PCM")
        solvent = next((word.partition("=")[2] for word in words if word.startswith("SOLVENT=")), "water").lower()
        medium = f"{model}({solvent})"
    return "".join(f" {word}" for word in (dispersion, medium) if word)


def archive_of(text: str) -> Archive | None:
    """Return the last archive of a text; None where there is none."""
    last = max(text.rfind("\n 1\\1\\"), text.rfind("\n 1|1|"))
    found = _ARCHIVE.search(text, last + 1)
    records = [found] if found else list(_ARCHIVE.finditer(text))
    if not records:
        return None
    # Windows writes | where others write \. Every line is shifted by one blank.
    record = "".join(line[1:].rstrip("\r") for line in records[-1][0].split("\n")).replace("|", "\\")
    fields = tuple(record.split("\\\\"))
    return Archive(fields) if len(fields) > 4 else None


def archived_structure(path: Path, archive: Archive) -> Structure | None:
    """Return the atoms of an archive; None where it holds a Z-matrix."""
    fields = [field for field in archive.fields[2:] if CHARGE_RECORD.match(field)]
    records = [_LABELS.sub("", record).split(",") for record in fields[0].split("\\")[1:]] if fields else []
    places = [_coordinates(record) for record in records]
    if not records or any(place is None for place in places):
        return None
    symbols = [None if is_ghost(record[0]) else _ATOM.match(record[0]) for record in records]
    damaged = [record[0] for record, symbol in zip(records, symbols, strict=True) if symbol is None]
    if damaged:
        raise InputError(
            f"{path}: atoms {', '.join(map(repr, damaged))} of the archive are no elements; are they ghosts?"
        )
    try:
        species = np.array([atomic_number(symbol[1]) for symbol in symbols if symbol])
    except InputError as error:
        raise InputError(f"{path}: archive: {error}") from None
    words = [" ".join(place) for place in places if place]
    positions = floats(path, None, words, "coordinates of the archive")
    if positions.size != 3 * species.size:
        raise InputError(f"{path}: the coordinates of the archive are damaged")
    return species, positions.reshape(-1, 3)


def freq_coordinates(path: Path, archive: Archive, n_atoms: int) -> Float[np.ndarray, "atoms 3"] | None:
    """Return where [Å] a composite method took its Hessian; None where its archive does not say it."""
    stated = archive.values.get("FreqCoord")
    if stated is None:
        return None
    positions = floats(path, None, [stated.replace(",", " ")], "FreqCoord of the archive") * units.BOHR
    if positions.size != 3 * n_atoms:
        raise InputError(f"{path}: FreqCoord of the archive are not three numbers for each of {n_atoms} atoms")
    return positions.reshape(-1, 3)


def _coordinates(record: list[str]) -> list[str] | None:
    """Return the three words of a Cartesian record: symbol, a flag where there is one, x, y, z, layers of ONIOM."""
    first = 2 if len(record) > 4 and record[1] in ("0", "-1") else 1
    rest = record[first + 3 :]
    is_cartesian = len(record) >= first + 3 and (not rest or rest[0][:1] in _LAYERS)
    return record[first : first + 3] if is_cartesian else None


def charge_of(path: Path, text: str, archive: Archive | None) -> tuple[int | None, int | None]:
    """Return charge and multiplicity: of the archive, else as first printed, None where neither is there."""
    fields = archive.fields[2:] if archive else ()
    found = next((match for field in fields if (match := CHARGE_RECORD.match(field))), _CHARGE.search(text))
    if found is None:
        return None, None
    return integer(path, None, found[1], "charge"), integer(path, None, found[2], "multiplicity")
