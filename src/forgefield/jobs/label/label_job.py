"""Labels structures by a teacher into a data set; killed at any moment, the same job goes on from there."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from time import perf_counter
from typing import Any, TypeVar

import numpy as np

from forgefield.distil.picking import broken
from forgefield.engines.teachers.soundness import Soundness, soundness
from forgefield.engines.teachers.teacher import AbstractTeacher, key_of, random_directions
from forgefield.errors import ForgeFieldError, InputError
from forgefield.io.checkpoint import read_arrays, read_facts, write_checkpoint
from forgefield.io.datasets.data_set import append, begin_data_set, keys, overview
from forgefield.io.datasets.records import Failure, Record
from forgefield.io.outputs import owned, remove, require_free
from forgefield.jobs.label.structures import Source
from forgefield.jobs.processes.pool import AbstractWorkers, Processes
from forgefield.molecules.molecule import Molecule, Reference

Item = TypeVar("Item")
_SAVE_S = 2.0
"""Seconds between additions to the file; a label that takes longer is added at once."""
_AT_ONCE = 8
"""Structures of a task."""
_BLOCK = 4096
"""Structures that are looked after at the same time."""
_SOURCES = 256
"""Sources whose structures are in memory at the same time."""


@dataclass(frozen=True, eq=False)
class LabelPlan:
    """What is to be labelled, and by whom."""

    teacher: AbstractTeacher
    sources: tuple[Source, ...]
    data: Path
    """The data set."""
    directions: int = 0
    """Hessian products of each structure."""
    workers: int = 1
    allow_nonconservative: bool = False
    inputs: tuple[Path, ...] = ()
    """Files that are read, and not to be written over."""
    by: AbstractWorkers | None = None
    """Who does the work; by default processes of its own."""


@dataclass(frozen=True)
class Labelled:
    """What a run came to."""

    data: Path
    n_before: int
    """Records that were there."""
    n_new: int
    failures: tuple[tuple[str, str], ...]
    """Structures without a label, in words, and why."""
    nonconservative: tuple[str, ...]
    """Molecules for which the forces of the teacher have no energy."""
    seconds: float


@dataclass(frozen=True, eq=False)
class Structure:
    """One structure to be labelled."""

    molecule: Molecule
    origin: str
    key: bytes


@dataclass(frozen=True, eq=False)
class Made:
    """The structures of the sources, and why some sources have none."""

    structures: list[tuple[Source, np.ndarray]]
    problems: list[tuple[str, str]]


Tell = Callable[[str, int, int], None]
"""Called with what is going on, how much of it is done, and of how much."""


def silent(stage: str, done: int, n: int) -> None:
    """Tell nothing."""


def run_label(plan: LabelPlan, *, overwrite: bool = False, tell: Tell = silent) -> Labelled:
    """Label what is not labelled yet, and return what came of it.

    A structure that cannot be labelled is kept with its reason and not tried again. Raises InputError where the
    teacher is unsound or unfit for a molecule, or the data set is of another teacher.
    """
    began = perf_counter()
    with owned(plan.data), Processes() if plan.by is None else nullcontext(plan.by) as by:
        require_free([], [*plan.inputs], overwrite=True)
        _begin(plan, overwrite=overwrite)
        known, failed = keys(plan.data)
        n_before = len(known)
        nonconservative = _checked(plan, by)
        failures: list[tuple[str, str]] = []
        n_new = n = 0
        seen = known | failed
        finished = _finished(plan)
        for group in _batches((source for source in plan.sources if source.digest not in finished), _SOURCES):
            made = _made(plan, by, group, finished, tell)
            failures += made.problems
            n += sum(len(geometries) for _, geometries in made.structures)
            for block in _batches(_structures(plan, made, seen), _BLOCK):
                new, without = _labelled(
                    plan, by, block, lambda done, so_far=n_new, of=n: tell("labels", so_far + done, of)
                )
                n_new += new
                failures += [(f"{one.molecule.name}, {one.origin}", one.reason) for one in without]
            finished |= {source.digest for source in group}
        remove([planned_of(plan.data)])
    return Labelled(plan.data, n_before, n_new, tuple(failures), nonconservative, perf_counter() - began)


def planned_of(data: Path) -> Path:
    """Return where the structures that are to be labelled wait."""
    return data.with_name(f"{data.name}.planned.safetensors")


def _begin(plan: LabelPlan, *, overwrite: bool) -> None:
    """Begin a data set, or find it fit to be continued. Raises InputError."""
    if overwrite:
        remove([plan.data])
    if not plan.data.exists():
        remove([planned_of(plan.data)])
        begin_data_set(plan.data)
        return
    others = [text for text in overview(plan.data).teachers if text != plan.teacher.identity.text]
    if others:
        raise InputError(
            f"{plan.data}: holds labels of another teacher ({others[0]}), not of {plan.teacher.identity.text}; name "
            "another data set, or replace it (--overwrite)"
        )


def _checked(plan: LabelPlan, by: AbstractWorkers) -> tuple[str, ...]:
    """Look at the teacher on each kind of molecule, and return those for which its forces have no energy.

    Raises InputError where its labels cannot be used.
    """
    kinds: dict[tuple[bytes, int, int], Molecule] = {}
    for molecule in (source.molecule for source in plan.sources):
        plan.teacher.check(molecule)
        kinds.setdefault((np.unique(molecule.species).tobytes(), molecule.charge, molecule.multiplicity), molecule)
    molecules = list(kinds.values())
    given = (plan.teacher, plan.allow_nonconservative)
    done = by.run(look, given, molecules, workers=plan.workers, tell=lambda _: None)
    if done.interrupted:
        raise KeyboardInterrupt
    wrong = [f"{molecules[k].name}: {reason}" for k, reason in done.failures.items()]
    wrong += [f"{molecules[k].name}: {problem}" for k, found in done.results.items() for problem in found.problems]
    if wrong:
        raise InputError(f"{plan.teacher.identity.name} cannot be the teacher:\n  " + "\n  ".join(wrong))
    return tuple(molecules[k].name for k, found in done.results.items() if not found.conservative)


def look(given: tuple[AbstractTeacher, bool], molecule: Molecule) -> Soundness:
    """Return what is wrong with a teacher near a molecule."""
    teacher, allow_nonconservative = given
    return soundness(teacher, molecule, allow_nonconservative=allow_nonconservative)


def _finished(plan: LabelPlan) -> set[bytes]:
    """Return the sources whose structures all have their labels since an earlier run of the same job, by digest."""
    told = _told(planned_of(plan.data), plan.teacher)
    return {bytes.fromhex(text) for text in told.get("finished", [])}


def _told(path: Path, teacher: AbstractTeacher) -> dict[str, Any]:
    """Return what an earlier run with the same teacher has noted."""
    told = read_facts(path) if path.is_file() else {}
    return told if told.get("teacher") == teacher.identity.text else {}


def _made(plan: LabelPlan, by: AbstractWorkers, sources: Sequence[Source], finished: set[bytes], tell: Tell) -> Made:
    """Return the structures of sources: those that an earlier run has made, and the others made now."""
    path = planned_of(plan.data)
    facts = {
        "teacher": plan.teacher.identity.text,
        "finished": sorted(digest.hex() for digest in finished),
        "sources": [source.digest.hex() for source in sources],
    }
    made, problems = _kept(path, plan.teacher, sources)
    waiting = [k for k in range(len(sources)) if k not in made and k not in problems]
    kept_at = 0.0

    def keep() -> None:
        arrays = [made[k] for k in sorted(made)]
        told = {"made": sorted(made), "problems": [[k, reason] for k, reason in problems.items()]}
        write_checkpoint(path, arrays, facts | told)

    def take(number: int, found: tuple[np.ndarray | None, str]) -> None:
        nonlocal kept_at
        geometries, reason = found
        if geometries is None:
            problems[waiting[number]] = reason
        else:
            made[waiting[number]] = geometries
        if perf_counter() - kept_at > _SAVE_S:
            keep()
            kept_at = perf_counter()

    done = by.run(
        make_structures,
        plan.teacher,
        [sources[k] for k in waiting],
        workers=plan.workers,
        tell=lambda n: tell("structures", n, len(waiting)),
        taken=take,
    )
    problems |= {waiting[number]: reason for number, reason in done.failures.items()}
    keep()
    if done.interrupted:
        raise KeyboardInterrupt
    return Made(
        [(sources[k], made[k]) for k in sorted(made)],
        [(f"{sources[k].molecule.name}, {sources[k].words}", reason) for k, reason in problems.items()],
    )


def _kept(
    path: Path, teacher: AbstractTeacher, sources: Sequence[Source]
) -> tuple[dict[int, np.ndarray], dict[int, str]]:
    """Return what an earlier run of the same job has made, by the number of the source, and what it could not make."""
    told = _told(path, teacher)
    if told.get("sources") != [source.digest.hex() for source in sources]:
        return {}, {}
    like = [np.zeros((0, sources[k].molecule.n_atoms, 3)) for k in told["made"]]
    return dict(zip(told["made"], read_arrays(path, like), strict=True)), dict(told["problems"])


def make_structures(teacher: AbstractTeacher, source: Source) -> tuple[np.ndarray | None, str]:
    """Return the structures of a source, or None with the reason."""
    try:
        return np.asarray(source.made(teacher), np.float64), ""
    except ForgeFieldError as error:
        return None, str(error)


def _structures(plan: LabelPlan, made: Made, seen: set[bytes]) -> Iterator[Structure]:
    """Yield what is not labelled yet, each structure once, and add it to what is seen."""
    for source, geometries in made.structures:
        for positions in geometries:
            molecule = replace(source.molecule, positions=positions)
            key = key_of(plan.teacher.identity, molecule)
            if key not in seen:
                seen.add(key)
                yield Structure(molecule, source.words, key)


def _batches(items: Iterable[Item], n: int) -> Iterator[list[Item]]:
    stream = iter(items)
    while batch := list(islice(stream, n)):
        yield batch


def _labelled(
    plan: LabelPlan, by: AbstractWorkers, block: Sequence[Structure], tell: Callable[[int], None]
) -> tuple[int, list[Failure]]:
    """Label structures and add what comes of it to the file every few seconds."""
    sink = _Sink(plan.data, plan.teacher.identity.text)
    given = (plan.teacher, plan.directions)
    chunks = [block[k : k + _AT_ONCE] for k in range(0, len(block), _AT_ONCE)]
    try:
        done = by.run(
            label_some, given, chunks, workers=plan.workers, tell=lambda _: tell(sink.n), taken=sink.take(chunks)
        )
        lost = [[structure] for k in done.failures for structure in chunks[k]]
        if lost and not done.interrupted:
            # Of a task that ended its process each structure is tried alone.
            again = by.run(
                label_some, given, lost, workers=plan.workers, tell=lambda _: tell(sink.n), taken=sink.take(lost)
            )
            done.interrupted = again.interrupted
            sink.fail([(lost[k][0], reason) for k, reason in again.failures.items()])
    finally:
        sink.save()
    if done.interrupted:
        raise KeyboardInterrupt
    return sink.n_new, sink.failures


def label_some(given: tuple[AbstractTeacher, int], structures: list[Structure]) -> list[tuple[Reference | None, str]]:
    """Return the label of each structure, or None with the reason."""
    teacher, n_directions = given
    found: list[tuple[Reference | None, str]] = []
    for structure in structures:
        n_atoms = structure.molecule.n_atoms
        if reason := broken(structure.molecule):
            found.append((None, reason))
            continue
        directions = random_directions(structure.key, n_directions, n_atoms) if n_directions else None
        try:
            label = teacher.label(structure.molecule, directions)
        except ForgeFieldError as error:
            found.append((None, str(error)))
        else:
            found.append((label, "") if _finite(label) else (None, "the label holds numbers that are not finite"))
    return found


def _finite(label: Reference) -> bool:
    values = [label.energy, label.gradient, *([] if label.products is None else [label.products.values])]
    return all(value is not None and np.isfinite(value).all() for value in values)


class _Sink:
    """Adds what is labelled to the file, in the order in which it comes."""

    def __init__(self, path: Path, teacher: str) -> None:
        self._path, self._teacher = path, teacher
        self._records: list[Record] = []
        self._failures: list[Failure] = []
        self._saved_at, self._adding = perf_counter(), False
        self.n_new = self.n = 0
        self.failures: list[Failure] = []

    def take(self, chunks: Sequence[Sequence[Structure]]) -> Callable[[int, list[tuple[Reference | None, str]]], None]:
        """Return what takes the labels of one of these chunks."""

        def taken(number: int, found: list[tuple[Reference | None, str]]) -> None:
            for structure, (label, reason) in zip(chunks[number], found, strict=True):
                if label is None:
                    self._failures.append(Failure(structure.molecule, structure.origin, structure.key, reason))
                else:
                    self._records.append(
                        Record(structure.molecule, label, self._teacher, structure.origin, structure.key)
                    )
            self.n += len(found)
            if perf_counter() - self._saved_at > _SAVE_S:
                self.save()

        return taken

    def fail(self, failed: Sequence[tuple[Structure, str]]) -> None:
        """Take structures that have no label."""
        self._failures += [Failure(s.molecule, s.origin, s.key, reason) for s, reason in failed]

    def save(self) -> None:
        """Add to the file what has come: once, also where an interruption has come into the middle of it."""
        held, failed = keys(self._path) if self._adding else (set(), set())
        self._adding = True
        new = [one for one in self._records if one.key not in held]
        append(self._path, new, [one for one in self._failures if one.key not in failed])
        self.n_new += len(self._records)
        self.failures += self._failures
        self._records, self._failures, self._saved_at, self._adding = [], [], perf_counter(), False
