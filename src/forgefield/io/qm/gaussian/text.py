"""What the readers of Gaussian output share: archives, tables of coordinates, charges."""

import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float, Int

from forgefield import units
from forgefield.errors import InputError
from forgefield.io.text import floats, integer, integers

_ARCHIVE = re.compile(r"^ 1([\\|])1\1.*?\1\s*\1\s*@", re.MULTILINE | re.DOTALL)
_CHARGE = re.compile(r"Charge =\s*(\S+) Multiplicity =\s*(\S+)")
CHARGE_RECORD = re.compile(r"^(-?\d+),(\d+)\\")
_SCF_ENERGY = re.compile(r"SCF Done:\s+E\([^)]*\)\s*=\s*(\S+)")
_SCF_DONE = re.compile(r"^.*SCF Done:.*$", re.MULTILINE)
INPUT_ORIENTATION = re.compile(r"^ *(?:Input|Z-Matrix) orientation: *$", re.IGNORECASE | re.MULTILINE)
_STANDARD = re.compile(r"^ *Standard orientation: *$", re.IGNORECASE | re.MULTILINE)
_RULE = re.compile(r" *-{5,} *")


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
    """Return atomic numbers and positions [Å] of the last table: in the input orientation where there is one.

    Raises InputError where there is no table, or the last one is damaged.
    """
    heads = list(INPUT_ORIENTATION.finditer(text)) or list(_STANDARD.finditer(text))
    if not heads:
        raise InputError(f"{path}: a job step holds no geometry; is the file truncated?")
    rows = ruled_rows(path, text[heads[-1].end() :], 2, "coordinates")
    widths = {len(row.split()) for row in rows}
    if widths not in ({5}, {6}):
        raise InputError(f"{path}: the last table of coordinates is damaged: its rows are not all of 5 or 6 columns")
    species = integers(path, None, [row.split()[1] for row in rows], "atomic numbers")
    return species, floats(path, None, [" ".join(row.split()[-3:]) for row in rows], "coordinates").reshape(-1, 3)


def ruled_rows(path: Path, text: str, n_rules: int, what: str) -> list[str]:
    """Return the rows of the table that a text begins with: those behind `n_rules` ruled lines, up to the next.

    Raises InputError where the table is cut off.
    """
    lines = text.splitlines()
    rules = [-1]
    while len(rules) <= n_rules + 1:
        following = next((i for i in range(rules[-1] + 1, len(lines)) if _RULE.fullmatch(lines[i])), None)
        if following is None:
            raise InputError(f"{path}: the last table of {what} is damaged or cut off")
        rules.append(following)
    return lines[rules[-2] + 1 : rules[-1]]


def scf_energy(path: Path, text: str) -> float | None:
    """Return the last SCF energy [kcal/mol]; raises InputError where it cannot be read."""
    rows = _SCF_DONE.findall(text)
    if not rows:
        return None
    found = _SCF_ENERGY.search(rows[-1])
    if found is None:
        raise InputError(f"{path}: expected the SCF energy, found {rows[-1].strip()!r}")
    return float(floats(path, None, [found[1]], "SCF energy")[0]) * units.HARTREE


def charge_of(path: Path, text: str, archive: Archive | None) -> tuple[int | None, int | None]:
    """Return charge and multiplicity: of the archive, else as first printed, None where neither is there."""
    fields = archive.fields[2:] if archive else ()
    found = next((match for field in fields if (match := CHARGE_RECORD.match(field))), _CHARGE.search(text))
    if found is None:
        return None, None
    return integer(path, None, found[1], "charge"), integer(path, None, found[2], "multiplicity")
