"""The labels of a data set for training: in memory where there is room, else read when they are asked for."""

import hashlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int

from forgefield.assign.rules import AbstractRowRules
from forgefield.errors import InputError
from forgefield.io.datasets.data_set import Overview, overview, reading
from forgefield.io.datasets.records import Record
from forgefield.io.datasets.splits import PARTS, read_split, splits
from forgefield.io.forcefields.native import native_text
from forgefield.jobs.dataset.dataset_job import split as draw_split
from forgefield.jobs.distil.classical.baseline import without
from forgefield.jobs.distil.plan import DistilPlan, Draw
from forgefield.molecules.molecule import Reference

_HELD = 1e9
"""Bytes of labels that are held in memory."""
_RECORD, _ATOM, _PRODUCT = 2500.0, 80.0, 48.0
"""Bytes of each of them in memory."""
Places = Sequence[int] | Int[np.ndarray, " chosen"]


@dataclass(frozen=True, eq=False)
class Labels:
    """Some records of a data set, as training takes them."""

    places: Int[np.ndarray, " records"]
    """Which of the data set they are."""
    sizes: Int[np.ndarray, " records"]
    """Atoms of each."""
    molecules: Int[np.ndarray, " records"]
    """Of the overview."""
    read: Callable[[Places], list[Record]]
    held: tuple[Reference, ...] | None
    """All of them, where there is room."""

    def __len__(self) -> int:
        return len(self.places)

    def those(self, wanted: Bool[np.ndarray, " records"]) -> "Labels":
        """Return some of them."""
        held = None if self.held is None else tuple(self.held[k] for k in np.flatnonzero(wanted))
        return Labels(self.places[wanted], self.sizes[wanted], self.molecules[wanted], self.read, held)

    def fetch(self, chosen: Places) -> list[Reference]:
        """Return the labels of some of them."""
        if self.held is not None:
            return [self.held[k] for k in chosen]
        return [record.label for record in self.read(self.places[np.asarray(chosen, np.int64)])]

    def blocks(self, n: int = 1024) -> Iterator[tuple[Int[np.ndarray, " chosen"], list[Reference]]]:
        """Yield all of them, n at a time, with their numbers; those of one size follow each other."""
        order = np.argsort(self.sizes, kind="stable")
        for first in range(0, len(order), n):
            yield (chosen := order[first : first + n]), self.fetch(chosen)


@dataclass(frozen=True, eq=False)
class Data:
    """What a data set holds for a student."""

    overview: Overview
    training: Labels
    validation: Labels
    test: Labels
    how: dict[str, object]
    """How the split was drawn."""
    digest: str
    """Of the records, the split and the baseline."""
    is_rest: bool
    """Whether labels are what a baseline leaves."""

    def new(self, plan: DistilPlan) -> Bool[np.ndarray, " records"]:
        """Return which records of the training set a plan calls new."""
        n = len(self.overview)
        return self.training.places >= (n if plan.replay is None else plan.replay.first)

    def energies(self, labels: Labels) -> Float[np.ndarray, " records"]:
        """Return the energies of some records [kcal/mol], as labels have them."""
        if not self.is_rest:
            return self.overview.energy[labels.places]
        found = np.zeros(len(labels))
        for chosen, references in labels.blocks():
            found[chosen] = [reference.energy for reference in references]
        return found


@contextmanager
def data_of(plan: DistilPlan) -> Iterator[Data]:
    """Yield the data of a plan while their file is open. Raises InputError where they will not do."""
    found = overview(plan.data)
    if not len(found):
        raise InputError(f"{plan.data}: holds no labelled structure")
    require_molecules(plan, found)
    parts, how = _split(plan)
    with reading(plan.data) as whole:
        read = _reader(whole, plan.baseline)
        own = [np.flatnonzero(parts == k) for k in range(len(PARTS))]
        for name, places in zip(PARTS[:2], own, strict=False):
            if not len(places):
                raise InputError(f"{plan.data}: the split {plan.split.name!r} leaves nothing for {name}; draw another")
        training, validation, test = (_labels(found, places, read) for places in own)
        digest = _digest(found, parts, "" if plan.baseline is None else native_text(plan.data, plan.baseline))
        yield Data(found, training, validation, test, how, digest, plan.baseline is not None)


def require_molecules(plan: DistilPlan, found: Overview) -> None:
    """Raise InputError where something that knows molecules alone is asked for periodic systems."""
    asked = {
        "a classical student": plan.classical is not None,
        "a classical baseline": plan.baseline is not None,
        "[rounds]": plan.rounds is not None or plan.replay is not None,
    }
    wrong = [name for name, is_asked in asked.items() if is_asked]
    if wrong and found.periodic.any():
        n, names = int(found.periodic.sum()), " and ".join(wrong)
        raise InputError(
            f"{plan.data}: {n} of its structures are periodic, and {names} are for molecules; leave them out"
        )


def _reader(
    read: Callable[[Places], list[Record]], baseline: AbstractRowRules | None
) -> Callable[[Places], list[Record]]:
    """Return what reads records, less what a baseline says."""
    return read if baseline is None else lambda places: without(baseline, read(places))


def _split(plan: DistilPlan) -> tuple[Int[np.ndarray, " records"], dict[str, object]]:
    """Return the split, drawn where the data set does not hold it. Raises InputError where it was drawn otherwise."""
    name, wanted = plan.split.name, plan.split.draw
    if name not in splits(plan.data):
        draw = wanted or Draw()
        draw_split(plan.data, name, draw.by, (draw.validation, draw.test), draw.seed)
    parts, how = read_split(plan.data, name)
    known = Draw(*(how[key] for key in ("by", "validation", "test", "seed")))
    if wanted not in (None, known):
        raise InputError(
            f"{plan.data}: its split {name!r} was drawn by {known.words}, not by {wanted.words}; name another one in "
            "[data] split"
        )
    return parts, how


def _labels(found: Overview, places: Int[np.ndarray, " chosen"], read: Callable[[Places], list[Record]]) -> Labels:
    sizes = found.n_atoms[places]
    room = float(np.sum(_RECORD + sizes * (_ATOM + _PRODUCT * found.n_directions[places])))
    held = tuple(record.label for record in read(places)) if room <= _HELD else None
    return Labels(places, sizes, found.molecule[places], read, held)


def _digest(found: Overview, parts: Int[np.ndarray, " records"], baseline: str) -> str:
    digest = hashlib.sha256("\n".join([*found.teachers, baseline]).encode())
    for array in (found.key, found.energy, found.molecule, parts):
        digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()
