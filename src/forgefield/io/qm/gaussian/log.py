"""Reads the output of Gaussian, old and new."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple
from warnings import warn

import numpy as np
from jaxtyping import Float, Int

from forgefield import units
from forgefield.errors import InputError, InputWarning, UnfinishedJob
from forgefield.io.assemble.parts import Part, hessian_from_triangle
from forgefield.io.assemble.superposition import SAME_FRAME, same_geometry, superpose
from forgefield.io.qm.gaussian.archive import (
    Archive,
    Structure,
    archive_of,
    archived_structure,
    charge_of,
    freq_coordinates,
    surroundings,
)
from forgefield.io.qm.gaussian.charges import printed_charges
from forgefield.io.qm.gaussian.energy import COUNTERPOISE, method_energy
from forgefield.io.qm.gaussian.text import printed_gradient, printed_structure
from forgefield.io.sources import stem
from forgefield.io.text import floats, integer, read_text
from forgefield.molecules.elements import GHOST, MASSES

_STEP_END = re.compile(r"Normal termination of Gaussian.*")
_STEP_TRACE = re.compile(
    r"Entering Gaussian System|Proceeding to (?:next )?internal job step|Error termination|SCF Done:"
)
_ARCHIVE_HEADS = ("\n 1\\1\\", "\n 1|1|")
_FREQUENCIES = re.compile(r"^ Frequencies (---?)(.*)$", re.MULTILINE)
_MASS = re.compile(r"Atom\s+(\d+) has atomic number\s+(\d+) and mass\s+(\S+)")
_SADDLE = re.compile(r"Search for a saddle point of order\s+(\d+)")
_STOPPED = ("-- Number of steps exceeded", "-- Optimization stopped", "Non-Optimized Parameters")
_PROJECTED = re.compile(r"\bFREQ\w*=?\(?[^)\s]*\bPROJ")
_GOES_ON = re.compile(r"\bGEOM\w*=?\(?[^)\s]*CHECK")
_GHOST = re.compile(r"^ *([A-Z][a-z]?[^\s,]*-Bq\d*)[\s,]+[-\d]", re.MULTILINE | re.IGNORECASE)
_OPTIMISATIONS = {"fopt": 0, "popt": 0, "fts": 1, "pts": 1, "fsaddle": 2, "psaddle": 2}
"""Kinds of job that look for a stationary point, and its order where the output does not say it."""
_KINDS = ("sp", "freq", "force", "scan", "mixed", *_OPTIMISATIONS)
_SAME_FORCES = 1e-3
"""Share by which the root mean square of the printed forces may differ from that of the archive (four digits)."""


_SAME_NORM = 5e-7
"""Hartree/Bohr; archives hold eight decimals."""
_FEWEST = 4
"""Atoms from which on one that is off stands out."""
_SAME_PLACES = 5e-4
"""Å by which atoms of the archive may be off those of the tables."""


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


class _Group(NamedTuple):
    """Of one geometry: the step that is read, its structure, and all steps."""

    step: _Step
    structure: Structure
    steps: list[_Step]


def read_gaussian_log(path: Path) -> list[Part]:
    """Return what the jobs of each geometry say: their last step with a Hessian, or the last where none has one.

    Geometry and Hessian are those of the archive, in the input orientation; energy (see `method_energy`), forces,
    frequencies and masses those of the same step, of a composite method those of its step of frequencies. Raises
    InputError where the job did not end, all are of kinds that are not read, or frequencies were asked for and are not
    there.
    """
    groups = _of_one_geometry(path, _steps(path, read_text(path)))
    if len(groups) == 1:
        _check_kind(path, groups[0].step)
    else:
        groups = _known(path, groups)
    names = [stem(path) if len(groups) == 1 else f"{stem(path)}-{k}" for k in range(1, len(groups) + 1)]
    return [_part(path, *group, name) for group, name in zip(groups, names, strict=True)]


def _of_one_geometry(path: Path, steps: Sequence[_Step]) -> list[_Group]:
    """Return the step to be read of each geometry, its structure and all steps that led to it or began with it."""
    steps = [step for step in steps if step.archive or " orientation:" in step.text] or steps
    atoms = [_structure(path, step)[0] for step in steps]
    others = [i for i in range(1, len(steps)) if not np.array_equal(atoms[i], atoms[i - 1])]
    starts = [i for i in range(len(steps)) if i == 0 or i in others or _begins(steps, i)]
    groups: list[_Group] = []
    for a, b in zip(starts, [*starts[1:], len(steps)], strict=True):
        chain = list(steps[a:b])
        chosen = _chosen(chain)
        structure = _structure(path, chosen)
        same = next((k for k, one in enumerate(groups) if same_geometry(*one.structure, *structure)), None)
        if same is None:
            groups.append(_Group(chosen, structure, chain))
        else:
            chain = [*groups[same].steps, *chain]
            chosen = _chosen(chain)
            groups[same] = _Group(chosen, _structure(path, chosen), chain)
    return groups


def _begins(steps: Sequence[_Step], number: int) -> bool:
    """Say whether a step has a geometry of its own, and not that of the step before or of its composite method."""
    if _GOES_ON.search(steps[number].route):
        return False
    before = steps[number - 1].archive
    first = next((step.archive for step in steps[number:] if step.archive), None)
    closing = first is not None and first.is_composite and (first is steps[number].archive or before is None)
    return not closing or (before is not None and before.is_composite)


def _chosen(steps: Sequence[_Step]) -> _Step:
    with_hessian = [step for step in steps if step.archive and step.archive.hessian_field]
    return (with_hessian or steps)[-1]


def _known(path: Path, groups: Sequence[_Group]) -> list[_Group]:
    """Return the groups of kinds that are read; of others an InputWarning tells. Raises InputError where all are."""
    known = [group for group in groups if not group.step.archive or group.step.kind in _KINDS]
    if not known:
        _check_kind(path, groups[-1].step)
    if len(known) < len(groups):
        kinds = ", ".join(sorted({group.step.kind for group in groups if not any(group is one for one in known)}))
        warn(InputWarning(f"{path}: jobs of the kinds {kinds} are not read"), stacklevel=3)
    return known


def _part(path: Path, step: _Step, structure: Structure, steps: Sequence[_Step], name: str) -> Part:
    """Return what a step says, of the steps of one geometry."""
    species, positions = structure
    if step.kind == "scan":
        warn(
            InputWarning(f"{path}: is a rigid scan that did not print all its points; only the last is read"),
            stacklevel=3,
        )
    printing = _printing_frequencies(path, step, steps, len(species))
    energy, level = method_energy(path, step.text, step.archive), step.level
    if step.archive and step.archive.is_composite:
        energy, level = _of_composite(path, step.archive, energy, printing.level, structure)
        moved = freq_coordinates(path, step.archive, len(species))
        positions = positions if moved is None else moved
    routes = [one.route for one in steps[: next(i for i, one in enumerate(steps) if one is step) + 1]]
    level = level + surroundings(routes) if level else ""
    fragments = COUNTERPOISE.search(step.text) is not None
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
        level=f"{level} counterpoise" if fragments else level,
        program=step.archive.program if step.archive else "Gaussian",
        stationary_order=_stationary_order(path, steps),
        charge=charge,
        multiplicity=multiplicity,
        name=name,
        n_projected=int(_PROJECTED.search(printing.route) is not None),
        # The last ones that are printed are those of a fragment.
        charges=() if fragments else printed_charges(path, step.text, len(species)),
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
    n_archives = sum(text.count(head) for head in _ARCHIVE_HEADS)
    # Composite methods archive their last step twice.
    if n_archives > len(steps) and not any(step.archive and step.archive.is_composite for step in steps):
        said = f"{n_archives} archives, but {len(steps)} ends of jobs; what is said between them is of the later job"
        warn(InputWarning(f"{path}: holds {said}"), stacklevel=4)
    return steps


def _structure(path: Path, step: _Step) -> Structure:
    """Return atomic numbers and positions [Å]: of the archive, or as printed where that holds another geometry.

    Raises InputError for ghosts, which have the numbers of elements in tables of coordinates.
    """
    ghost = _GHOST.search(step.text)
    if ghost:
        raise InputError(f"{path}: {ghost[1]!r} {GHOST}")
    if step.archive is not None and step.kind != "scan":
        structure = archived_structure(path, step.archive)
        if structure is not None:
            _check_tables(path, step, structure)
            return structure
    return printed_structure(path, step.text)


def _check_tables(path: Path, step: _Step, structure: Structure) -> None:
    """Raise InputError where one atom alone is elsewhere in the archive than in the last table of coordinates."""
    try:
        species, positions = printed_structure(path, step.text)
    except InputError:
        # A step need not print its geometry.
        return
    if not np.array_equal(species, structure[0]) or len(species) < _FEWEST:
        return
    apart = [np.linalg.norm(one[:, None] - one[None], axis=2) for one in (positions, structure[1])]
    off = np.abs(apart[0] - apart[1])
    worst = int(off.max(axis=1).argmax())
    others = np.delete(np.delete(off, worst, 0), worst, 1)
    if off.max() > _SAME_PLACES and others.max() < _SAME_PLACES / 5.0:
        raise InputError(
            f"{path}: atom {worst + 1} is {off[worst].max():.4f} Å off in the archive from where the last table of "
            "coordinates has it, and all others are not; the file is damaged"
        )


def _check_kind(path: Path, step: _Step) -> None:
    """Raise InputError for a job that goes along a path, or does what is not known here."""
    if step.archive and step.kind not in _KINDS:
        raise InputError(
            f"{path}: is a job of the kind {step.archive.kind}, which is not read: what its archive holds need not be "
            "of one geometry; give the points that you want as an extended xyz file"
        )


def _printing_frequencies(path: Path, chosen: _Step, steps: Sequence[_Step], n_atoms: int) -> _Step:
    """Return the step that printed the frequencies: that of the Hessian, of a composite method one before it."""
    asked = n_atoms > 1 and any(re.search(r"\bFREQ", step.route) for step in steps)
    if asked and not any(_FREQUENCIES.search(step.text) for step in steps):
        raise InputError(f"{path}: the job asked for frequencies, but none are there; is the file truncated?")
    if chosen.kind == "mixed":
        before = steps[next(k for k, step in enumerate(steps) if step is chosen) :: -1]
        return next((step for step in before if _FREQUENCIES.search(step.text)), chosen)
    return chosen


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
    gradient = gradient.reshape(-1, 3) * units.HARTREE_PER_BOHR
    _check_printed_forces(path, step, gradient)
    return hessian, gradient


def _check_printed_forces(path: Path, step: _Step, gradient: Float[np.ndarray, "atoms 3"]) -> None:
    """Raise InputError where the gradient of the archive is not that of the last table of forces.

    Norms are compared: the table is in another orientation where the molecule has symmetry.
    """
    printed = None if step.kind == "mixed" else printed_gradient(path, step.text, len(gradient))
    if printed is None:
        return
    archived, found = (np.linalg.norm(one, axis=1) / units.HARTREE_PER_BOHR for one in (gradient, printed))
    worst = int(np.abs(archived - found).argmax())
    if abs(archived[worst] - found[worst]) > _SAME_NORM:
        raise InputError(
            f"{path}: the gradient of atom {worst + 1} has a norm of {archived[worst]:.7f} Hartree/Bohr in the archive "
            f"and of {found[worst]:.7f} in the table of forces; the file is damaged"
        )


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
