"""Reads Gaussian's formatted checkpoint files, old and new."""

import re
from dataclasses import dataclass
from pathlib import Path
from warnings import warn

import numpy as np
from jaxtyping import Float

from forgefield import units
from forgefield.errors import InputError, InputWarning
from forgefield.io.assemble.parts import Part, hessian_from_triangle
from forgefield.io.text import floats, integer, integers, read_text
from forgefield.molecules.molecule import AtomicCharges

_HEADER = re.compile(r"^([A-Z].{39})   ([IRCHL])   ([ N])")
_STATIONARY_ORDER = {"fopt": 0, "popt": 0, "fts": 1, "pts": 1}
"""By the kind of job on the second line, in small letters."""
_CONVERGED = 1
"""The job status of a job that did what it was meant to."""
_COMPUTED = {
    "freq": ("Cartesian Force Constants",),
    "force": ("Cartesian Gradient", "Cartesian Forces"),
    "sp": ("Total Energy", "SCF Energy"),
}
"""What the file of a kind of job must hold one of."""
_SHELLS = ("R", "U", "RO")
"""What Q-Chem writes for the method, where a functional is none of its words."""
_CHARGES = {
    "ESP Charges": "esp",
    "Mulliken Charges": "mulliken",
    "Hirshfeld Charges": "hirshfeld",
    "CM5 Charges": "cm5",
    "NPA Charges": "npa",
}


@dataclass(frozen=True)
class _Entry:
    line: int
    """0-based line of its head."""
    value: str
    """The value, or the count of the values that follow."""
    is_array: bool


def read_fchk(path: Path) -> Part:
    """Return geometry, energy, gradient, Hessian, frequencies, charges, state and level of an .fchk file.

    Masses are those of the frequencies where there are any. An optimisation that did not converge has found no
    stationary point, of which an InputWarning tells. Gaussian 94 heads the gradient `Cartesian Forces`; it is the
    gradient there as well (its log prints the opposite sign). Raises InputError where geometry is missing, an array is
    cut short or a number cannot be read.
    """
    lines = read_text(path).splitlines()
    entries = _entries(lines)
    _check_whole(path, lines, entries)
    if any(name.startswith("IRC point") for name in entries):
        what = "is of a reaction path (IRC), whose geometry, energy and Hessian are of different points"
        raise InputError(f"{path}: {what}; give a single point or a frequency job of one of them")
    species = integers(path, *_rows(path, lines, entries["Atomic numbers"]), "atomic numbers")
    positions = _array(path, lines, entries, "Current cartesian coordinates")
    gradient = _array(path, lines, entries, "Cartesian Gradient")
    if gradient is None:
        gradient = _array(path, lines, entries, "Cartesian Forces")
    triangle = _array(path, lines, entries, "Cartesian Force Constants")
    energy = _scalar(path, entries, "Total Energy")
    if energy is None:
        energy = _scalar(path, entries, "SCF Energy")
    frequencies = _frequencies(path, lines, entries)
    weights = "Real atomic weights" if frequencies is None or "Vib-AtMass" not in entries else "Vib-AtMass"
    _check_electrons(path, lines, entries)
    kind, method, basis = (lines[1][a:b].strip() for a, b in ((0, 10), (10, 40), (40, 110)))
    is_qchem = "Dipole_Data" in entries
    if is_qchem and method in _SHELLS:
        method = ""
    return Part(
        source=str(path),
        species=species,
        positions=None if positions is None else _triples(path, positions, "coordinates") * units.BOHR,
        energy=None if energy is None else energy * units.HARTREE,
        gradient=None if gradient is None else _triples(path, gradient, "gradient") * units.HARTREE_PER_BOHR,
        hessian=None if triangle is None else hessian_from_triangle(path, triangle, len(species)),
        frequencies=frequencies,
        masses=_array(path, lines, entries, weights),
        level="/".join(word for word in (method, basis) if word),
        program="Q-Chem" if is_qchem else "Gaussian",
        stationary_order=_stationary_order(path, entries, kind),
        charge=_integer(path, entries, "Charge"),
        multiplicity=_integer(path, entries, "Multiplicity"),
        charges=tuple(
            AtomicCharges(kind, values)
            for head, kind in _CHARGES.items()
            if (values := _array(path, lines, entries, head)) is not None
        ),
    )


def _frequencies(path: Path, lines: list[str], entries: dict[str, _Entry]) -> Float[np.ndarray, " modes"] | None:
    """Return the frequencies [cm⁻¹] that a job with `freq=savenormalmodes` or of Gaussian 16 keeps: first in Vib-E2."""
    kept, count = _array(path, lines, entries, "Vib-E2"), _integer(path, entries, "Number of Normal Modes")
    if kept is None or count is None:
        return None
    if len(kept) < count:
        raise InputError(f"{path}: Vib-E2 holds {len(kept)} numbers, fewer than the {count} normal modes")
    return kept[:count]


def _check_electrons(path: Path, lines: list[str], entries: dict[str, _Entry]) -> None:
    """Raise InputError where nuclei have no charge, or charge or multiplicity contradicts them and the electrons."""
    nuclei = _array(path, lines, entries, "Nuclear charges")
    names = ("Charge", "Multiplicity", "Number of electrons", "Number of alpha electrons", "Number of beta electrons")
    charge, multiplicity, n, alpha, beta = (_integer(path, entries, name) for name in names)
    if nuclei is not None and not nuclei.all():
        ghosts = ", ".join(map(str, np.flatnonzero(nuclei == 0.0) + 1))
        raise InputError(f"{path}: atoms {ghosts} are ghosts, without a charge; repeat the job without them")
    if nuclei is None or charge is None or n is None or multiplicity is None or alpha is None or beta is None:
        return
    # Parts of a molecule have electrons of their own.
    if "oniom" not in lines[1].lower() and (round(nuclei.sum()) - n, alpha - beta + 1) != (charge, multiplicity):
        raise InputError(
            f"{path}: charge {charge} and multiplicity {multiplicity} contradict {n} electrons, {alpha} alpha and "
            f"{beta} beta, and the nuclear charge {nuclei.sum():g}; the file is damaged"
        )


def _stationary_order(path: Path, entries: dict[str, _Entry], kind: str) -> int | None:
    order, status = _STATIONARY_ORDER.get(kind.lower()), _integer(path, entries, "Job Status")
    if order is None or status in (None, _CONVERGED):
        return order
    warn(
        InputWarning(f"{path}: the optimisation did not converge (Job Status {status}); it found no stationary point"),
        stacklevel=3,
    )
    return None


def _check_whole(path: Path, lines: list[str], entries: dict[str, _Entry]) -> None:
    """Raise InputError that names what is missing of the geometry, and of what the kind of job has computed."""
    needed = [("Atomic numbers",), ("Current cartesian coordinates",)]
    if len(lines) < 3 or not entries:
        raise InputError(f"{path}: no `Atomic numbers` and no other entry; is it a formatted checkpoint?")
    kind = lines[1][:10].strip().lower()
    # Q-Chem writes no energy; with Gaussian it stands before the orbitals.
    if kind in ("freq", "force") or "Alpha Orbital Energies" not in entries:
        needed += [_COMPUTED.get(kind, _COMPUTED["sp"])]
    missing = [" or ".join(f"`{head}`" for head in heads) for heads in needed if not entries.keys() & {*heads}]
    if missing:
        raise InputError(
            f"{path}: holds no {' and no '.join(missing)}; its last entry is `{[*entries][-1]}` on line "
            f"{[*entries.values()][-1].line + 1}: is it a formatted checkpoint, and is it cut there?"
        )


def _entries(lines: list[str]) -> dict[str, _Entry]:
    entries = {}
    for i, line in enumerate(lines):
        found = _HEADER.match(line)
        if found:
            is_array = found[3] == "N"
            value = line[49:].strip() if is_array else line[44:].strip()
            entries[found[1].strip()] = _Entry(i, value, is_array)
    return entries


def _rows(path: Path, lines: list[str], entry: _Entry) -> tuple[int, list[str]]:
    """Return the 1-based first line and the lines of an array."""
    head = lines[entry.line][:40].strip()
    if not entry.is_array:
        raise InputError(f"{path}, line {entry.line + 1}: {head!r} is not an array")
    count = integer(path, entry.line + 1, entry.value, f"length of {head!r}")
    first, last = entry.line + 1, entry.line + 1
    while last < len(lines) and not _HEADER.match(lines[last]):
        last += 1
    rows = lines[first:last]
    found = sum(len(row.split()) for row in rows)
    if found != count:
        raise InputError(
            f"{path}, line {first}: {head!r} has {found} numbers, its head says {count}; is the file truncated?"
        )
    return first + 1, rows


def _array(path: Path, lines: list[str], entries: dict[str, _Entry], head: str) -> Float[np.ndarray, " numbers"] | None:
    entry = entries.get(head)
    return None if entry is None else floats(path, *_rows(path, lines, entry), head)


def _triples(path: Path, numbers: Float[np.ndarray, " numbers"], what: str) -> Float[np.ndarray, "atoms 3"]:
    if len(numbers) % 3:
        raise InputError(f"{path}: {what} hold {len(numbers)} numbers, not three for each atom")
    return numbers.reshape(-1, 3)


def _scalar(path: Path, entries: dict[str, _Entry], head: str) -> float | None:
    entry = entries.get(head)
    if entry is None:
        return None
    numbers = floats(path, entry.line + 1, [entry.value], head)
    if len(numbers) != 1:
        raise InputError(f"{path}, line {entry.line + 1}: expected one number for {head!r}")
    return float(numbers[0])


def _integer(path: Path, entries: dict[str, _Entry], head: str) -> int | None:
    entry = entries.get(head)
    return None if entry is None else integer(path, entry.line + 1, entry.value, head)
