"""Reads the output of Gaussian, old and new."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from warnings import warn

import numpy as np
from jaxtyping import Float, Int

from forgefield import units
from forgefield.errors import InputError, InputWarning, UnfinishedJob
from forgefield.io.assemble.parts import Part, hessian_from_triangle
from forgefield.io.assemble.superposition import SAME_FRAME, SAME_GEOMETRY, superpose
from forgefield.io.qm.gaussian.archive import (
    Archive,
    Structure,
    archive_of,
    archived_structure,
    charge_of,
    freq_coordinates,
)
from forgefield.io.qm.gaussian.charges import printed_charges
from forgefield.io.qm.gaussian.energy import method_energy
from forgefield.io.qm.gaussian.text import printed_gradient, printed_structure
from forgefield.io.text import floats, integer, read_text
from forgefield.molecules.elements import MASSES

_STEP_END = re.compile(r"Normal termination of Gaussian.*")
_STEP_TRACE = re.compile(
    r"Entering Gaussian System|Proceeding to (?:next )?internal job step|Error termination|SCF Done:"
)
_FREQUENCIES = re.compile(r"^ Frequencies (---?)(.*)$", re.MULTILINE)
_MASS = re.compile(r"Atom\s+(\d+) has atomic number\s+(\d+) and mass\s+(\S+)")
_SADDLE = re.compile(r"Search for a saddle point of order\s+(\d+)")
_STOPPED = ("-- Number of steps exceeded", "-- Optimization stopped", "Non-Optimized Parameters")
_PROJECTED = re.compile(r"\bFREQ\w*=?\(?[^)\s]*\bPROJ")
_GOES_ON = re.compile(r"\bGEOM\w*=?\(?[^)\s]*CHECK")
_OPTIMISATIONS = {"fopt": 0, "popt": 0, "fts": 1, "pts": 1, "fsaddle": 2, "psaddle": 2}
"""Kinds of job that look for a stationary point, and its order where the output does not say it."""
_KINDS = ("sp", "freq", "force", "scan", "mixed", *_OPTIMISATIONS)
_SAME_FORCES = 1e-3
"""Share by which the root mean square of the printed forces may differ from that of the archive (four digits)."""


@dataclass(frozen=True)
class _Step:
    """One job step: its text, and its archive if it has one."""

    text: str
    archive: Archive | None

    @property
    def kind(self) -> str:
        """What was done, in small letters; nothing where no archive says it."""
        return self.archive.kind.lower() if self.archive else ""

    @property
    def route(self) -> str:
        """The keywords, in capitals."""
        return self.archive.route if self.archive else ""

    @property
    def level(self) -> str:
        """Method and basis set."""
        return self.archive.level if self.archive else ""


def read_gaussian_log(path: Path) -> Part:
    """Return what the last job step with a Hessian says, or the last of all where none has one.

    Geometry and Hessian are those of the archive, in the input orientation; energy (see `method_energy`), forces,
    frequencies and masses those of the same step, of a composite method those of its step of frequencies. Raises
    InputError where the job did not end or is of a kind that is not read, where frequencies were asked for and are not
    there, or where steps are of different molecules.
    """
    steps = _steps(path, read_text(path))
    structures = [_structure(path, step) for step in steps]
    if any(not np.array_equal(structures[0][0], species) for species, _ in structures):
        raise InputError(f"{path}: holds jobs of different molecules; give each its own file")
    with_hessian = [i for i, step in enumerate(steps) if step.archive and step.archive.hessian_field]
    chosen = with_hessian[-1] if with_hessian else len(steps) - 1
    step, (species, positions) = steps[chosen], structures[chosen]
    _check_kind(path, step)
    _tell_of_others(path, steps, [structure[1] for structure in structures], chosen)
    printing = _printing_frequencies(path, steps, chosen, len(species))
    energy, level = method_energy(path, step.text, step.archive), step.level
    if step.archive and step.archive.is_composite:
        energy, level = _of_composite(path, step.archive, energy, printing.level, structures[chosen])
        moved = freq_coordinates(path, step.archive, len(species))
        positions = positions if moved is None else moved
    hessian, gradient = _derivatives(path, step, len(species))
    charge, multiplicity = charge_of(path, step.text, step.archive)
    return Part(
        source=str(path),
        species=species,
        positions=positions,
        energy=energy,
        gradient=gradient,
        hessian=hessian,
        frequencies=_frequencies(path, printing.text),
        masses=_masses(path, printing.text, species),
        level=level,
        program="Gaussian",
        stationary_order=_stationary_order(path, steps),
        charge=charge,
        multiplicity=multiplicity,
        n_projected=int(_PROJECTED.search(printing.route) is not None),
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
        raise UnfinishedJob(
            f"{path}: the job did not end: there is no normal termination and no archive after its last step "
            f"(the file ends with {last!r}); repeat the job or give a complete file"
        )
    if not steps:
        raise InputError(f"{path}: holds no Gaussian job")
    return steps


def _structure(path: Path, step: _Step) -> Structure:
    """Return atomic numbers and positions [Å]: of the archive, or as printed where that holds another geometry."""
    if step.archive is not None and step.kind != "scan":
        structure = archived_structure(path, step.archive)
        if structure is not None:
            return structure
    return printed_structure(path, step.text)


def _check_kind(path: Path, step: _Step) -> None:
    """Raise InputError for a job that goes along a path, or does what is not known here."""
    if step.archive and step.kind not in _KINDS:
        raise InputError(
            f"{path}: is a job of the kind {step.archive.kind}, which is not read: what its archive holds need not be "
            "of one geometry; give the points that you want as an extended xyz file"
        )


def _tell_of_others(path: Path, steps: Sequence[_Step], positions: Sequence[np.ndarray], chosen: int) -> None:
    """Give an InputWarning of geometries that are not read: of points of a scan, and of jobs that began anew."""
    if steps[chosen].kind == "scan":
        warn(
            InputWarning(f"{path}: is a rigid scan that did not print all its points; only the last is read"),
            stacklevel=3,
        )
    # A step that goes on with a geometry is of the same structure as that before.
    starts = [i for i, step in enumerate(steps) if i == 0 or not _GOES_ON.search(step.route)]
    chains = [range(a, b) for a, b in zip(starts, [*starts[1:], len(steps)], strict=True)]
    ends = [chain[-1] for chain in chains if chosen not in chain]
    others = sum((superpose(positions[i], positions[chosen]).deviations > SAME_GEOMETRY).any() for i in ends)
    if others:
        warn(
            InputWarning(
                f"{path}: holds jobs of {others} more geometr{'y' if others == 1 else 'ies'}; only that of job step "
                f"{chosen + 1} of {len(steps)} is read; give each its own file"
            ),
            stacklevel=3,
        )


def _printing_frequencies(path: Path, steps: Sequence[_Step], chosen: int, n_atoms: int) -> _Step:
    """Return the step that printed the frequencies: that of the Hessian, of a composite method one before it."""
    asked = n_atoms > 1 and any(re.search(r"\bFREQ", step.route) for step in steps)
    if asked and not any(_FREQUENCIES.search(step.text) for step in steps):
        raise InputError(f"{path}: the job asked for frequencies, but none are there; is the file truncated?")
    if steps[chosen].archive and steps[chosen].kind == "mixed":
        return next((step for step in steps[chosen::-1] if _FREQUENCIES.search(step.text)), steps[chosen])
    return steps[chosen]


def _of_composite(
    path: Path, archive: Archive, energy: float | None, level: str, structure: Structure
) -> tuple[float | None, str]:
    """Return energy and level of a composite method; no energy where that is of another geometry than the Hessian."""
    moved = freq_coordinates(path, archive, len(structure[0]))
    apart = 0.0 if moved is None else float(superpose(moved, structure[1]).deviations.max())
    if energy is None:
        return None, level
    if apart > SAME_FRAME:
        said = f"is left out: its geometry and that of the Hessian are {apart:.3f} Å apart"
    else:
        said = "includes the zero-point energy"
    warn(InputWarning(f"{path}: the energy of {archive.method} {said}"), stacklevel=3)
    return (None, level) if apart > SAME_FRAME else (energy, f"{archive.method}//{level}".rstrip("/"))


def _derivatives(
    path: Path, step: _Step, n_atoms: int
) -> tuple[Float[np.ndarray, "coordinates coordinates"] | None, Float[np.ndarray, "atoms 3"] | None]:
    """Return Hessian [kcal/mol/Å²] and gradient [kcal/mol/Å]: of the archive, else the gradient that was printed."""
    archive = step.archive
    place = archive.hessian_field if archive else None
    if archive is None or place is None:
        return None, _printed_gradient(path, step, n_atoms)
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


def _printed_gradient(path: Path, step: _Step, n_atoms: int) -> Float[np.ndarray, "atoms 3"] | None:
    """Return the gradient of the last table of forces where it is that of the archive, by its root mean square."""
    archived = step.archive.values.get("RMSF") if step.archive else None
    gradient = None if archived is None else printed_gradient(path, step.text, n_atoms)
    if archived is None or gradient is None:
        return None
    stated = float(floats(path, None, [archived], "RMSF of the archive")[0])
    found = float(np.sqrt((gradient**2).mean())) / units.HARTREE_PER_BOHR
    # Forces are printed with nine decimals.
    if abs(found - stated) <= _SAME_FORCES * stated + 1e-9:
        return gradient
    warn(
        InputWarning(
            f"{path}: the forces are not read: their root mean square is {found:.3e} Hartree/Bohr in the last table, "
            f"{stated:.3e} in the archive"
        ),
        stacklevel=3,
    )
    return None


def _frequencies(path: Path, text: str) -> Float[np.ndarray, " modes"] | None:
    if " Frequencies --" not in text:
        return None
    rows = _FREQUENCIES.findall(text)
    # With HPModes each frequency is printed twice, first in rows of five after three dashes.
    dashes = "---" if any(mark == "---" for mark, _ in rows) else "--"
    values = [row for mark, row in rows if mark == dashes]
    return floats(path, None, values, "frequencies")


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
    """Return what the last optimisation of the file looked for; None where it did not find it."""
    for step in reversed(steps):
        order = _OPTIMISATIONS.get(step.kind)
        if order is None:
            continue
        if any(mark in step.text for mark in _STOPPED):
            warn(InputWarning(f"{path}: the optimisation did not converge; it found no stationary point"), stacklevel=3)
            return None
        saddle = _SADDLE.search(step.text)
        return integer(path, None, saddle[1], "the order of the saddle point") if saddle else order
    return None
