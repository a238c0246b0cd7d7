"""The data set of a run with rounds: a copy of the one that it begins with, and what each round adds."""

from dataclasses import replace
from pathlib import Path

import numpy as np

from forgefield.errors import InputError
from forgefield.io.datasets.data_set import append, keys, overview, read_failures, read_records
from forgefield.io.datasets.splits import extend_split
from forgefield.io.outputs import write_copy
from forgefield.jobs.distil.labels import data_of
from forgefield.jobs.distil.plan import DistilPlan
from forgefield.molecules.bonds import perceive_bonds
from forgefield.molecules.molecule import Molecule


def begin_collected(plan: DistilPlan, collected: Path) -> None:
    """Copy the data set of a plan with its split, or find the copy begun with it. Raises InputError."""
    with data_of(plan):
        pass
    if not collected.exists():
        write_copy(collected, plan.data)
        return
    held, given = overview(collected).key, overview(plan.data).key
    if not np.array_equal(held[: len(given)], given):
        raise InputError(f"{plan.data}: has changed since the first round; --overwrite begins anew")


def add_round(collected: Path, split: str, found: Path) -> int:
    """Add the records and failures of a round for the training, and return the first of these records.

    They are added in the order of their keys, whatever the order in which they came, and once, however often this is
    asked for.
    """
    records = sorted(read_records(found), key=lambda record: record.key)
    if not is_added(collected, found):
        append(collected, records, sorted(read_failures(found), key=lambda failure: failure.key))
    extend_split(collected, split)
    return len(overview(collected)) - len(records)


def is_added(collected: Path, found: Path) -> bool:
    """Say whether a round has labels, or failures, and these have been added."""
    if not found.exists():
        return False
    (records, failures), (held, failed) = keys(found), keys(collected)
    return bool(records | failures) and records <= held and failures <= failed


def starts(plan: DistilPlan) -> list[Molecule]:
    """Return the lowest structure of each molecule of the training set, with its bonds."""
    with data_of(plan) as data:
        places, energy = data.training.places, data.overview.energy[data.training.places]
        order = np.argsort(energy, kind="stable")
        _, first = np.unique(data.training.molecules[order], return_index=True)
        return [_bonded(record.molecule) for record in read_records(plan.data, places[order][first])]


def _bonded(molecule: Molecule) -> Molecule:
    if len(molecule.bonds):
        return molecule
    bonds, orders = perceive_bonds(molecule.species, molecule.positions)
    return replace(molecule, bonds=bonds, orders=orders)
