"""Validates a student on a data set, and writes what it finds as a page and as results.json."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from time import perf_counter

import jax
import numpy as np
from jaxtyping import Int

from forgefield.engines.teachers.teacher import AbstractTeacher
from forgefield.errors import ForgeFieldError, InputError
from forgefield.io.datasets.data_set import Overview, overview, read_records
from forgefield.io.datasets.records import Record
from forgefield.io.datasets.splits import PARTS, read_split, splits
from forgefield.io.outputs import make_folder, owned, require_free, write_text
from forgefield.jobs.validate.accuracy import accuracy, committee
from forgefield.jobs.validate.answers import answers
from forgefield.jobs.validate.members import Students
from forgefield.jobs.validate.molecule_checks import checked_molecule
from forgefield.jobs.validate.settings import USUALLY, Settings, Stages, silent
from forgefield.jobs.validate.verdict import USUAL, USUAL_IN_CELLS, Thresholds, criteria
from forgefield.report.student.findings import Findings, Round
from forgefield.report.student.results import results_text
from forgefield.report.student.student_report import student_report

_SAME = 0.01
"""kcal/mol by which a label may differ when the teacher repeats it."""


@dataclass(frozen=True, eq=False)
class Task:
    """What is validated, against what."""

    students: Students
    data: Path
    split: str = ""
    """NAME or NAME:PART of the data set; all records where empty."""
    teacher: AbstractTeacher | None = None
    """Who labelled the data set, if it can be run here."""
    thresholds: Thresholds | None = None
    """What is asked of the students; None: the usual."""
    settings: Settings = USUALLY
    inputs: tuple[Path, ...] = ()
    """Further files that are read."""
    rounds: tuple[Round, ...] = ()
    """In which the students learned, if in several."""


def run_validation(task: Task, output: Path, *, overwrite: bool = False, tell: Stages = silent) -> Findings:
    """Validate, and write report.html and results.json into a folder. Raises InputError."""
    make_folder(output)
    files = [output / name for name in ("report.html", "results.json")]
    with owned(output):
        require_free(files, [task.data, *task.students.files, *task.inputs], overwrite=overwrite)
        # Whoever calls may compute in single precision.
        with jax.enable_x64(True):
            found = validated(task, tell)
        write_text(files[1], results_text(found))
        write_text(files[0], student_report(found))
    return found


def validated(task: Task, tell: Stages = silent) -> Findings:
    """Return what is found out about a student. Raises InputError where it does not suit the data set."""
    began = perf_counter()
    held = overview(task.data)
    rows, part, notes = _chosen(task, held)
    tell("labels", 0, 1)
    records = list(read_records(task.data, rows))
    molecules, labels = [record.molecule for record in records], [record.label for record in records]
    said = [answers(member.rules, molecules, labels) for member in task.students.members]
    teacher, told = _sound(task.teacher, [record for record in records if record.label.lattice is None])
    notes += told
    if held.periodic[rows].any():
        notes.append(
            "Of periodic structures energies, forces and stresses are compared; minima, frequencies, bonds, dynamics "
            "and speed are those of molecules alone."
        )
    if len(task.students.members) > 1:
        notes.append(
            f"Minima, scans, dynamics and speed are those of {task.students.files[0].name}, the first student."
        )
    checked = [
        checked_molecule(task.students.first, teacher, records_of, task.settings, tell)
        for records_of in _most_frequent(task, held, rows)
    ]
    found = Findings(
        student=task.students.name,
        n_members=len(task.students.members),
        data=task.data.name,
        part=part,
        teacher=", ".join(name for name in held.teachers if name),
        teacher_runs=teacher is not None,
        accuracy=accuracy(records, said),
        committee=committee(records, said),
        minima=tuple(one.minimum for one in checked),
        scans=tuple(scan for one in checked for scan in one.scans),
        drifts=tuple(one.drift for one in checked),
        stabilities=tuple(run for one in checked for run in one.stabilities),
        distributions=tuple(d for one in checked for d in one.distributions),
        speeds=tuple(one.speed for one in checked),
        criteria=(),
        notes=(*notes, *(note for one in checked for note in one.notes)),
        provenance=_provenance(task, held, began),
        rounds=task.rounds,
    )
    return replace(found, criteria=criteria(found, task.thresholds or (USUAL if checked else USUAL_IN_CELLS)))


def _chosen(task: Task, held: Overview) -> tuple[Int[np.ndarray, " records"], str, list[str]]:
    """Return the records that are looked at, which they are in words, and what must be said of that."""
    notes = []
    if task.split:
        name, _, wanted = task.split.partition(":")
        wanted = wanted or "test"
        if wanted not in PARTS:
            raise InputError(f"--split {task.split}: {wanted!r} is not one of {', '.join(PARTS)}")
        parts, _ = read_split(task.data, name)
        rows, part = np.flatnonzero(parts == PARTS.index(wanted)), f"the {wanted} part of the split {name!r}"
    else:
        rows, part = np.arange(len(held)), "the whole data set"
        known = ", ".join(f"--split {name}:test" for name in splits(task.data))
        notes.append(
            "Errors are those of the whole data set: of records that the student was trained on they say little"
            + (f" ({known} takes those held back)." if known else ".")
        )
    if not len(rows):
        raise InputError(f"{task.data}: {part} has no records")
    n = task.settings.records
    if len(rows) > n:
        drawn = np.random.default_rng(task.settings.seed).permutation(rows)[:n]
        return np.sort(drawn), f"{n} of the {len(rows)} records of {part}, drawn at random", notes
    return rows, f"{part}, {len(rows)} record{'s' if len(rows) > 1 else ''}", notes


def _sound(teacher: AbstractTeacher | None, records: Sequence[Record]) -> tuple[AbstractTeacher | None, list[str]]:
    """Return the teacher if it says again what the data set says, and what must be said of it."""
    if teacher is None:
        return None, ["The teacher was not run: minima, frequencies, scans and speed stand alone."]
    if not records:
        return None, ["The teacher was not run: none of the structures is a molecule."]
    record = records[0]
    try:
        teacher.check(record.molecule)
        again = teacher.label(record.molecule).energy
    except ForgeFieldError as error:
        return None, [f"The teacher was not run: {error}"]
    assert again is not None
    assert record.label.energy is not None
    off = again - record.label.energy
    if abs(off) > _SAME:
        return None, [
            f"The teacher was not run: {teacher.identity.name} gives an energy {off:+.3g} kcal/mol off a label of the "
            "data set, so that it is not the one which labelled it."
        ]
    return teacher, []


def _most_frequent(task: Task, held: Overview, rows: Int[np.ndarray, " records"]) -> list[list[Record]]:
    """Return records of the molecules that most of the chosen ones are of, that of the lowest energy first.

    They may be any of the data set: a minimum need not be held back, nor the dynamics of a teacher.
    """
    rows = rows[~held.periodic[rows]]
    counts = np.bincount(held.molecule[rows], minlength=len(held.molecules))
    found = []
    for kind in np.argsort(-counts, kind="stable")[: task.settings.molecules].tolist():
        own = np.flatnonzero((held.molecule == kind) & ~held.periodic)
        if not counts[kind] or held.molecules[kind].n_atoms < 2:
            continue
        own = own[np.argsort(held.energy[own], kind="stable")]
        ordered = own.tolist()
        dynamic = [k for k in ordered if held.origins[held.origin[k]].startswith("dynamics")]
        kept = [ordered[0], *_spaced(sorted(dynamic)), *_spaced(ordered[1:])]
        found.append(list(read_records(task.data, list(dict.fromkeys(kept)))))
    return found


def _spaced(rows: Sequence[int], most: int = 400) -> list[int]:
    """Return so many rows at most, evenly spaced."""
    return [rows[k] for k in np.unique(np.linspace(0, len(rows) - 1, min(len(rows), most)).astype(int))] if rows else []


def _provenance(task: Task, held: Overview, began: float) -> tuple[tuple[str, str], ...]:
    return (
        (
            "student",
            ", ".join(
                f"{file} ({m.identity.version})"
                for file, m in zip(task.students.files, task.students.members, strict=True)
            ),
        ),
        ("data set", f"{task.data}, {len(held)} records"),
        ("labelled by", "; ".join(name for name in held.teachers if name) or "not stated"),
        ("program", f"ForgeField {version('forgefield')}"),
        ("seed", str(task.settings.seed)),
        ("date", datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC")),
        ("time", f"{perf_counter() - began:.0f} s"),
    )
