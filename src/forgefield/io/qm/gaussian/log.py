"""Reads the output of Gaussian, old and new."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float, Int

from forgefield import units
from forgefield.errors import InputError
from forgefield.io.assemble.parts import Part, hessian_from_triangle
from forgefield.io.qm.gaussian.charges import printed_charges
from forgefield.io.qm.gaussian.text import CHARGE_RECORD, Archive, archive_of, charge_of, printed_structure, scf_energy
from forgefield.io.text import floats, integer, read_text
from forgefield.molecules.elements import MASSES, atomic_number

_STEP_END = re.compile(r"^.*Normal termination of Gaussian.*$", re.MULTILINE)
_STEP_TRACE = re.compile(
    r"Entering Gaussian System|Proceeding to (?:next )?internal job step|Error termination|SCF Done:"
)
_FREQUENCIES = re.compile(r"^ Frequencies (---?)(.*)$", re.MULTILINE)
_MASS = re.compile(r"Atom\s+(\d+) has atomic number\s+(\d+) and mass\s+(\S+)")
_SADDLE = re.compile(r"Search for a saddle point of order\s+(\d+)")
_PROJECTED = re.compile(r"\bFREQ\w*=?\(?[^)\s]*\bPROJ", re.IGNORECASE)
_ATOM = re.compile(r"^([A-Za-z]{1,2})(?![A-Za-z])")
_CORRELATED = ("MP2", "MP3", "MP4D", "MP4DQ", "MP4SDQ", "MP4SDTQ", "CISD", "QCISD", "QCISD(T)", "CCSD", "CCSD(T)")
"""Names under which an archive holds energies beyond SCF."""


@dataclass(frozen=True)
class _Step:
    """One job step: its text, and its archive if it has one."""

    text: str
    archive: Archive | None


def read_gaussian_log(path: Path) -> Part:
    """Return what the last job step with a Hessian says, or the last of all where none has one.

    Geometry, Hessian and gradient are those of the archive, in the input orientation; the SCF energy, frequencies and
    masses those printed in the same step. Raises InputError where the job did not end, where frequencies were asked
    for and are not there, or where steps are of different molecules.
    """
    steps = _steps(path, read_text(path))
    structures = [_structure(path, step) for step in steps]
    if any(not np.array_equal(structures[0][0], species) for species, _ in structures):
        raise InputError(f"{path}: holds jobs of different molecules; give each its own file")
    with_hessian = [i for i, step in enumerate(steps) if step.archive and step.archive.hessian_field]
    chosen = with_hessian[-1] if with_hessian else len(steps) - 1
    step, (species, positions) = steps[chosen], structures[chosen]
    hessian, gradient = _derivatives(path, step.archive, len(species))
    charge, multiplicity = charge_of(path, step.text, step.archive)
    return Part(
        source=str(path),
        species=species,
        positions=positions,
        energy=_energy(path, step),
        gradient=gradient,
        hessian=hessian,
        frequencies=_frequencies(path, step.text),
        masses=_masses(path, step.text, species),
        level=step.archive.level if step.archive else "",
        program="Gaussian",
        stationary_order=_stationary_order(path, steps),
        charge=charge,
        multiplicity=multiplicity,
        name=path.stem,
        n_projected=int(step.archive is not None and _PROJECTED.search(step.archive.fields[1]) is not None),
        charges=printed_charges(path, step.text, len(species)),
    )


def _steps(path: Path, text: str) -> list[_Step]:
    ends = [match.end() for match in _STEP_END.finditer(text)]
    pieces = [text[a:b] for a, b in zip([0, *ends], [*ends, len(text)], strict=True)]
    steps = [_Step(piece, archive_of(piece)) for piece in pieces]
    # What follows the last normal termination counts only where another step began; it is whole if its archive is.
    if not _STEP_TRACE.search(pieces[-1]):
        steps = steps[:-1]
    elif steps[-1].archive is None:
        last = text.rstrip().rsplit("\n", 1)[-1].strip()
        raise InputError(
            f"{path}: the job did not end: there is no normal termination and no archive after its last step "
            f"(the file ends with {last!r}); repeat the job or give a complete file"
        )
    if not steps:
        raise InputError(f"{path}: holds no Gaussian job")
    asked = any(step.archive and re.search(r"\bFREQ", step.archive.fields[1].upper()) for step in steps)
    if asked and not any(_FREQUENCIES.search(step.text) for step in steps):
        raise InputError(f"{path}: the job asked for frequencies, but none are there; is the file truncated?")
    return steps


def _structure(path: Path, step: _Step) -> tuple[Int[np.ndarray, " atoms"], Float[np.ndarray, "atoms 3"]]:
    """Return atomic numbers and positions [Å]: of the archive, or as printed where that holds a Z-matrix."""
    if step.archive is not None:
        structure = _archived_structure(path, step.archive)
        if structure is not None:
            return structure
    return printed_structure(path, step.text)


def _archived_structure(
    path: Path, archive: Archive
) -> tuple[Int[np.ndarray, " atoms"], Float[np.ndarray, "atoms 3"]] | None:
    fields = [field for field in archive.fields[2:] if CHARGE_RECORD.match(field)]
    records = [record.split(",") for record in fields[0].split("\\")[1:]] if fields else []
    # A Cartesian record is symbol, x, y, z or symbol, frozen flag, x, y, z; the first of a Z-matrix is shorter.
    flagged = all(len(record) == 5 and record[1] in ("0", "-1") for record in records)
    if not records or not (flagged or all(len(record) == 4 for record in records)):
        return None
    symbols = [_ATOM.match(record[0]) for record in records]
    damaged = [record[0] for record, symbol in zip(records, symbols, strict=True) if symbol is None]
    if damaged:
        raise InputError(f"{path}: atoms {', '.join(map(repr, damaged))} of the archive have no element")
    try:
        species = np.array([atomic_number(symbol[1]) for symbol in symbols if symbol])
    except InputError as error:
        raise InputError(f"{path}: archive: {error}") from None
    positions = floats(path, None, [" ".join(record[-3:]) for record in records], "coordinates of the archive")
    if positions.size != 3 * species.size:
        raise InputError(f"{path}: the coordinates of the archive are damaged")
    return species, positions.reshape(-1, 3)


def _derivatives(
    path: Path, archive: Archive | None, n_atoms: int
) -> tuple[Float[np.ndarray, "coordinates coordinates"] | None, Float[np.ndarray, "atoms 3"] | None]:
    """Return Hessian [kcal/mol/Å²] and gradient [kcal/mol/Å] of the archive."""
    place = archive.hessian_field if archive else None
    if archive is None or place is None:
        return None, None
    triangle = floats(path, None, [archive.fields[place].replace(",", " ")], "Hessian of the archive")
    hessian = hessian_from_triangle(path, triangle, n_atoms)
    # The field behind the Hessian is the gradient: the forces in the same log have the opposite sign.
    rest = archive.fields[place + 1].strip("\\") if place + 1 < len(archive.fields) else ""
    if not rest or rest.startswith("@"):
        return hessian, None
    gradient = floats(path, None, [rest.replace(",", " ")], "gradient of the archive")
    if gradient.size != 3 * n_atoms:
        raise InputError(
            f"{path}: the gradient of the archive has {gradient.size} numbers, {n_atoms} atoms need three each"
        )
    return hessian, gradient.reshape(-1, 3) * units.HARTREE_PER_BOHR


def _energy(path: Path, step: _Step) -> float | None:
    """Return the energy [kcal/mol] of the method that the Hessian belongs to."""
    archived = {key: step.archive.value(key) for key in _CORRELATED} if step.archive else {}
    archived = {key: value for key, value in archived.items() if value is not None}
    if archived and step.archive:
        # Restricted or unrestricted stands before the method, frozen or full core behind it.
        method = re.sub(r"^(?:RO|R|U)|-(?:FC|FULL|FU)$", "", step.archive.head[4].upper())
        if method not in archived:
            raise InputError(
                f"{path}: the archive holds energies of {', '.join(archived)}, but none of {method}; "
                "give the formatted checkpoint, whose total energy is that of the method"
            )
        return float(floats(path, None, [archived[method]], f"{method} energy")[0]) * units.HARTREE
    return scf_energy(path, step.text)


def _frequencies(path: Path, text: str) -> Float[np.ndarray, " modes"] | None:
    rows = _FREQUENCIES.findall(text)
    # With HPModes each frequency is printed twice, first in rows of five after three dashes.
    dashes = "---" if any(mark == "---" for mark, _ in rows) else "--"
    values = [row for mark, row in rows if mark == dashes]
    return floats(path, None, values, "frequencies") if values else None


def _masses(path: Path, text: str, species: Int[np.ndarray, " atoms"]) -> Float[np.ndarray, " atoms"] | None:
    rows = _MASS.findall(text)[-len(species) :]
    if not rows:
        return None
    numbers = [integer(path, None, row[1], "atomic number") for row in rows]
    if numbers != species.tolist():
        raise InputError(f"{path}: the masses of the thermochemistry section are not those of the {len(species)} atoms")
    printed = floats(path, None, [row[2] for row in rows], "masses")
    usual = MASSES[species]
    # The five printed decimals of a hydrogen cost up to 0.01 cm⁻¹: the usual isotope gets all its digits.
    return np.where(np.abs(printed - usual) < 1e-5, usual, printed)


def _stationary_order(path: Path, steps: Sequence[_Step]) -> int | None:
    """Return what the last optimisation of the file looked for."""
    for step in reversed(steps):
        kind = step.archive.kind if step.archive else ""
        if kind in ("FOpt", "POpt", "FTS"):
            saddle = _SADDLE.search(step.text)
            return integer(path, None, saddle[1], "the order of the saddle point") if saddle else int(kind == "FTS")
    return None
