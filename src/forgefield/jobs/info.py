"""What files are and hold, and what they lack for which command."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from warnings import catch_warnings, simplefilter

import numpy as np
from jaxtyping import Float

from forgefield.assign.explicit.library import AbstractLibrary
from forgefield.assign.explicit.rules import AbstractStatedRules
from forgefield.assign.explicit.system import System
from forgefield.assign.mm3.rules import Mm3Rules
from forgefield.assign.rules import AbstractRowRules, AbstractRules
from forgefield.assign.typed_rules import TypedRules
from forgefield.errors import ForgeFieldError, InputError, InputWarning, UnfinishedJob
from forgefield.io.assemble.consistency import checked
from forgefield.io.assemble.merge import merged
from forgefield.io.assemble.parts import Part
from forgefield.io.format import Format
from forgefield.io.formats import force_fields, format_of
from forgefield.io.molecules import read_structures
from forgefield.io.rules import file_of, load
from forgefield.io.sources import is_smiles, reading
from forgefield.jobs.own_files import own_file
from forgefield.molecules.molecule import Molecule
from forgefield.report.numerals import fixed
from forgefield.table import Column, Records, Table, table

_NEEDS = {
    "Hessian": "estimate; fit to eigenmatrix, frequencies, hessian",
    "gradient": "fit to forces",
    "energy": "fit to energy, of several structures",
    "charges": "fit to charges",
}
"""What is needed of QM results, and for what."""
_SUFFICES = {
    "geometry": "reference, label, and with a force field evaluate, relax, md",
    "Hessian": "estimate, fit to eigenmatrix, frequencies, hessian",
    "gradient": "fit to forces",
    "charges": "fit to charges",
    "frequencies": "check of a Hessian",
}
_FORCE_FIELD = "evaluate, modes, relax, md, convert"
_ROWS = "fit on top of it, diff"
_GEOMETRY = "geometry (any command alone: give it with the output or an .xyz of the job)"
_ELEMENTS = "elements (any command: give it with its topology, .prmtop or .top)"
_RESULTS = "QM results (fit, estimate: run forgefield reference on it)"


@dataclass(frozen=True)
class FileInfo:
    """What is known of one file."""

    file: str
    kind: str = ""
    """Format or program; empty where it is unknown."""
    program: str = ""
    """With its version, where the file says so."""
    structures: tuple[str, ...] = ()
    """Name and formula of each."""
    atoms: int | None = None
    """Of the first structure, as what follows."""
    formula: str = ""
    charge: int | None = None
    multiplicity: int | None = None
    energy_kcal_mol: float | None = None
    level: str = ""
    finished: bool | None = None
    """Whether the job ended as it should; None where the file is no job's, or does not tell."""
    frequencies_cm1: tuple[float, ...] = ()
    """As printed, imaginary ones negative."""
    holds: tuple[str, ...] = ()
    suffices: tuple[str, ...] = ()
    """For which commands."""
    lacks: tuple[str, ...] = ()
    """What is missing, and for what."""
    warnings: tuple[str, ...] = ()
    problem: str = ""
    """Why it cannot be used; empty where it can."""


def info(paths: Sequence[str | Path]) -> Records[FileInfo]:
    """Return what each file is, holds, suffices for and lacks; what cannot be read has its reason as `problem`."""
    found = [_told(Path(path)) for path in paths]
    return Records(found, info_table(found))


def info_table(found: Sequence[FileInfo]) -> Table:
    """Return what is known of files, a line each."""
    columns = (
        Column("file", numeric=False),
        Column("is", numeric=False),
        Column("structures", numeric=False),
        Column("charge", numeric=False),
        Column("multiplicity", numeric=False),
        Column("energy / kcal/mol", numeric=False),
        Column("level", numeric=False),
        Column("holds", numeric=False),
        Column("suffices for", numeric=False),
        Column("lacks (for)", numeric=False),
    )
    rows = [
        (
            one.file,
            ", ".join(filter(None, (one.kind or "unknown", one.program.partition(" (")[0], _ended(one)))),
            f"{len(one.structures)} of {one.formula}" if len(one.structures) > 1 else one.formula,
            "" if one.charge is None else f"{one.charge:+d}" if one.charge else "0",
            "" if one.multiplicity is None else str(one.multiplicity),
            "" if one.energy_kcal_mol is None else fixed(one.energy_kcal_mol, 4),
            one.level,
            "; ".join(
                [
                    *([", ".join(one.holds)] if one.holds else []),
                    *([f"not usable: {one.problem}"] if one.problem else []),
                ]
            ),
            "" if one.problem else "; ".join(one.suffices),
            ", ".join(one.lacks),
        )
        for one in found
    ]
    return table("Files", columns, rows).filled


def _ended(one: FileInfo) -> str:
    return {True: "finished", False: "not finished", None: ""}[one.finished]


def _told(path: Path) -> FileInfo:
    with catch_warnings(record=True) as raised, reading():
        simplefilter("always")
        found = _of(path)
    said = tuple(dict.fromkeys(str(one.message) for one in raised if issubclass(one.category, InputWarning)))
    return replace(found, warnings=said)


def _of(path: Path) -> FileInfo:
    """Return what is known of a file, with the reason where it cannot be read."""
    known = FileInfo(str(path))
    try:
        if not is_smiles(path) and path.is_dir():
            return replace(_force_field(file_of(path)), file=str(path), kind="folder of a fit")
        own = None if is_smiles(path) else own_file(path)
        if own is not None:
            known = replace(known, kind=own.name)
            return replace(known, holds=tuple(own.tell(path)))
        form = format_of(path)
        known = replace(known, kind=form.name)
        if form in force_fields():
            return replace(_force_field(path), kind=form.name)
        return _of_structures(path, form, known)
    except ForgeFieldError as error:
        finished = False if isinstance(error, UnfinishedJob) else None
        return replace(known, finished=finished, problem=_reason(path, error))


def _reason(path: Path, error: Exception) -> str:
    """Return the message of an error in one line, without the file at its head."""
    return " ".join(str(error).split()).removeprefix(f"{path}: ").removeprefix(str(path)).lstrip(", ")


def _force_field(path: Path) -> FileInfo:
    rules = load(path)
    suffices = (_FORCE_FIELD, *((_ROWS,) if isinstance(rules, AbstractRowRules) else ()))
    return FileInfo(str(path), holds=tuple(_rows(rules)), suffices=suffices)


def _rows(rules: AbstractRules) -> list[str]:
    match rules:
        case TypedRules():
            rows = [f"{len(held)} {term.kind}" for term, held in rules.tables.items() if held]
            types = [f"{len(rules.typing.meanings)} kinds of atoms"] if rules.typing.meanings else []
            return [*types, *rows]
        case Mm3Rules():
            return [f"{len(rules.file.lines)} lines"]
        case AbstractStatedRules():
            return [said for one in rules.each for said in _of_system(one.system)]
        case AbstractLibrary():
            return [*rules.holds]
        case _:
            return [repr(rules)]


def _of_system(system: System) -> list[str]:
    counts = [f"{len(one.atoms)} {one.term.kind}" for one in system.interactions if len(one.atoms)]
    return [f"{system.n_atoms} atoms of {system.program}", *counts]


def _of_structures(path: Path, form: Format, known: FileInfo) -> FileInfo:
    if form.positions is not None:
        n = len(form.positions(path).positions)
        return replace(known, atoms=n, holds=(f"positions of {n} atoms",), lacks=(_ELEMENTS,))
    if form.molecules is not None:
        molecules = read_structures(path)
        known = _with_structures(known, molecules)
        untyped = [] if any(m.types for m in molecules) else ["atom types (an MM3* .fld, a foreign .frcmod)"]
        holds = ("geometry", *_drawn(molecules))
        return replace(known, holds=holds, suffices=(_SUFFICES["geometry"],), lacks=(_RESULTS, *untyped))
    parts = form.parts(path) or []
    held = list(dict.fromkeys(what for part in parts for what in _results(part)))
    program = next((part.program for part in parts if part.program), "")
    known = replace(
        known,
        program=program,
        level=next((part.level for part in parts if part.level), ""),
        energy_kcal_mol=parts[0].energy if parts else None,
        frequencies_cm1=_frequencies(parts),
        finished=True if program and held and form.name != "QCSchema JSON" else None,
        holds=(*_scanned(parts), *held),
    )
    words = {what.split(" (")[0] for what in held}
    known = replace(known, suffices=tuple(use for what, use in _SUFFICES.items() if what in words))
    if not form.has_geometry or any(part.positions is None for part in parts):
        return replace(known, lacks=(_GEOMETRY,))
    molecules = read_structures(path)
    known = _with_structures(replace(known, holds=("geometry", *_drawn(molecules), *known.holds)), molecules)
    energies = ["fit to energy"] if sum(part.energy is not None for part in parts) > 1 else []
    known = replace(known, suffices=(_SUFFICES["geometry"], *known.suffices, *energies))
    lacks = [f"{what} ({use})" for what, use in _NEEDS.items() if what not in words]
    known = replace(known, lacks=tuple(lacks) if held else (_RESULTS,))
    try:
        for part in parts:
            checked(merged([part]))
    except InputError as error:
        return replace(known, problem=_reason(path, error))
    return known


def _with_structures(known: FileInfo, molecules: Sequence[Molecule]) -> FileInfo:
    first = molecules[0]
    return replace(
        known,
        structures=tuple(f"{m.name} {m.formula}" for m in molecules),
        atoms=first.n_atoms,
        formula=", ".join(dict.fromkeys(m.formula for m in molecules)),
        charge=first.charge,
        multiplicity=first.multiplicity,
    )


def _drawn(molecules: Sequence[Molecule]) -> list[str]:
    """Return what structures have beside their atoms."""
    there = {
        "bonds": any(len(m.bonds) for m in molecules),
        "bond orders": any(len(m.orders) and (m.orders != 1.0).any() for m in molecules),
        "types": any(m.types is not None for m in molecules),
        "formal charges": any(m.formal_charges is not None and m.formal_charges.any() for m in molecules),
        "masses": any(m.masses is not None for m in molecules),
    }
    return [what for what, is_there in there.items() if is_there]


def _results(part: Part) -> list[str]:
    """Return which QM results a file has of a structure."""
    shown = "" if part.frequencies is None else _shown(part.frequencies)
    n_modes = 0 if part.hessian is None else len(part.hessian)
    there = {
        "energy": part.energy is not None,
        "gradient": part.gradient is not None,
        f"Hessian ({n_modes} modes with those of the molecule as a whole)": part.hessian is not None,
        f"frequencies ({shown})": part.frequencies is not None,
        f"charges ({', '.join(one.kind for one in part.charges)})": bool(part.charges),
    }
    return [what for what, is_there in there.items() if is_there]


def _shown(frequencies: Float[np.ndarray, " modes"]) -> str:
    """Return how many frequencies there are, between which values, and how many are imaginary."""
    if not len(frequencies):
        return "none"
    imaginary = int((frequencies < 0.0).sum())
    said = f", {imaginary} imaginary" if imaginary else ""
    return f"{len(frequencies)} from {frequencies.min():.1f} to {frequencies.max():.1f} cm⁻¹{said}"


def _frequencies(parts: Sequence[Part]) -> tuple[float, ...]:
    """Return the frequencies of the first structure that has any."""
    found = next((part.frequencies for part in parts if part.frequencies is not None), None)
    return () if found is None else tuple(found.tolist())


def _scanned(parts: Sequence[Part]) -> list[str]:
    """Return of which dihedrals a file holds a relaxed scan."""
    chains = dict.fromkeys("-".join(str(a + 1) for a in one.atoms) for part in parts for one in part.constraints)
    n_points = sum(bool(part.constraints) for part in parts)
    return [f"relaxed scan of {', '.join(chains)} ({n_points} points)"] if chains else []
