"""What the readers of Gaussian output share: archives, tables of coordinates, charges."""

import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float, Int

from forgefield.errors import InputError
from forgefield.io.text import floats, integer

_ARCHIVE = re.compile(r"^ 1([\\|])1\1.*?\1\s*\1\s*@", re.MULTILINE | re.DOTALL)
_CHARGE = re.compile(r"Charge =\s*(\S+) Multiplicity =\s*(\S+)")
CHARGE_RECORD = re.compile(r"^(-?\d+),(\d+)\\")
SCF_ENERGY = re.compile(r"SCF Done:\s+E\([^)]*\)\s*=\s*(\S+)")
INPUT_ORIENTATION = re.compile(
    r"(?:Input|Z-Matrix) orientation: *\n *-+\n.*\n.*\n *-+\n((?: *\d+ +-?\d+ .*\n)+) *-", re.IGNORECASE
)
_STANDARD = re.compile(INPUT_ORIENTATION.pattern.replace("Input|Z-Matrix", "Standard"), re.IGNORECASE)


@dataclass(frozen=True)
class Archive:
    """The record that closes a job step: fields between double backslashes, each of parts between single ones."""

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
    def level(self) -> str:
        """Method and basis set, for example RB3LYP/6-31G(d)."""
        return "/".join(word for word in self.head[4:6] if word)

    @property
    def hessian_field(self) -> int | None:
        """Position of the Hessian, which follows the field that ends in the number of imaginary frequencies."""
        places = [i + 1 for i, field in enumerate(self.fields) if "\\NImag=" in field]
        return places[0] if places and places[0] < len(self.fields) else None

    def value(self, key: str) -> str | None:
        """Return the text after `key=`."""
        for field in self.fields[3:]:
            for word in field.split("\\"):
                if word.startswith(f"{key}="):
                    return word.removeprefix(f"{key}=")
        return None


def archive_of(text: str) -> Archive | None:
    """Return the last archive of a text; None where there is none."""
    records = list(_ARCHIVE.finditer(text))
    if not records:
        return None
    # Windows writes | where others write \. Every line is shifted by one blank.
    record = "".join(line[1:].rstrip("\r") for line in records[-1][0].split("\n")).replace("|", "\\")
    fields = tuple(record.split("\\\\"))
    return Archive(fields) if len(fields) > 4 else None


def printed_structure(path: Path, text: str) -> tuple[Int[np.ndarray, " atoms"], Float[np.ndarray, "atoms 3"]]:
    """Return atomic numbers and positions [Å] of the last table: in the input orientation where there is one."""
    tables = INPUT_ORIENTATION.findall(text) or _STANDARD.findall(text)
    if not tables:
        raise InputError(f"{path}: a job step holds no geometry; is the file truncated?")
    rows = floats(path, None, tables[-1].splitlines(), "coordinates")
    n_atoms = len(tables[-1].splitlines())
    if rows.size % n_atoms or rows.size // n_atoms not in (5, 6):
        raise InputError(f"{path}: the last table of coordinates is damaged")
    table = rows.reshape(n_atoms, -1)
    return table[:, 1].astype(np.int64), table[:, -3:]


def charge_of(path: Path, text: str, archive: Archive | None) -> tuple[int | None, int | None]:
    """Return charge and multiplicity: of the archive, else as first printed, None where neither is there."""
    fields = archive.fields[2:] if archive else ()
    found = next((match for field in fields if (match := CHARGE_RECORD.match(field))), _CHARGE.search(text))
    if found is None:
        return None, None
    return integer(path, None, found[1], "charge"), integer(path, None, found[2], "multiplicity")
