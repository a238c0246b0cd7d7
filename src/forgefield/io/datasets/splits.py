"""Which records of a data set a student learns from, is chosen by and is judged by: drawn once, kept in the file."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from jaxtyping import Int

from forgefield.errors import InputError
from forgefield.io.datasets.data_set import Overview, opened
from forgefield.io.hdf5_updates import updated

PARTS = ("training", "validation", "test")
WAYS = ("structure", "molecule", "scaffold", "time")


def drawn(
    found: Overview, way: str, shares: tuple[float, float], seed: int, scaffolds: Sequence[str]
) -> Int[np.ndarray, " records"]:
    """Return the part of each record, as a place in `PARTS`; `shares` are those of validation and test.

    By structure each record is drawn alone, by molecule and by scaffold all records of one together, and by time the
    last records are the test and those before them the validation. `scaffolds` is one for each molecule.
    """
    n = len(found)
    if way == "time":
        ends = np.floor(np.cumsum([1.0 - sum(shares), *shares])[:2] * n + 0.5)
        return np.searchsorted(ends, np.arange(n), side="right").astype(np.int8)
    match way:
        case "structure":
            groups = np.arange(n)
        case "molecule":
            groups = found.molecule
        case _:
            groups = np.unique(np.array(scaffolds), return_inverse=True)[1][found.molecule]
    kinds, sizes = np.unique(groups, return_counts=True)
    order = np.random.default_rng(seed).permutation(len(kinds))
    part = np.zeros(len(kinds), np.int8)
    wanted = [round(share * n) for share in shares]
    for k in order:
        # Test first, then validation, until each has its share; the rest is for training.
        for place, room in ((2, wanted[1]), (1, wanted[0])):
            taken = int(sizes[part == place].sum())
            if taken + sizes[k] // 2 < room:
                part[k] = place
                break
    return part[np.searchsorted(kinds, groups)]


def write_split(path: Path, name: str, parts: Int[np.ndarray, " records"], how: dict[str, Any]) -> None:
    """Keep a split under a name; one of that name is replaced. Raises InputError, or WriteError."""
    with opened(path):
        pass
    with updated(path) as file:
        if f"splits/{name}" in file:
            del file[f"splits/{name}"]
        made = file.create_dataset(f"splits/{name}", data=parts.astype(np.int8))
        made.attrs["how"] = json.dumps(how)


def extend_split(path: Path, name: str) -> None:
    """Give what has come since a split was made to the training. Raises InputError, or WriteError."""
    with opened(path) as file:
        n, found = len(np.asarray(file["records/energy"])), file[f"splits/{name}"]
        assert isinstance(found, h5py.Dataset)
        parts, how = np.asarray(found, np.int8), json.loads(str(found.attrs["how"]))
    if len(parts) < n:
        write_split(path, name, np.concatenate([parts, np.zeros(n - len(parts), np.int8)]), how)


def read_split(path: Path, name: str) -> tuple[Int[np.ndarray, " records"], dict[str, Any]]:
    """Return the part of each record and how they were drawn.

    Raises InputError where there is no such split, or records have come since.
    """
    with opened(path) as file:
        n = len(np.asarray(file["records/energy"]))
        found = file.get(f"splits/{name}")
        if not isinstance(found, h5py.Dataset):
            raise InputError(f"{path}: has no split {name!r}; make one with `forgefield dataset split {path}`")
        if len(found) != n:
            raise InputError(
                f"{path}: {n - len(found)} records have come since the split {name!r} was made; repeat "
                f"`forgefield dataset split {path}`"
            )
        return np.asarray(found, np.int64), json.loads(str(found.attrs["how"]))


def splits(path: Path) -> dict[str, dict[str, Any]]:
    """Return how each split of a data set was drawn, and how many records its parts have. Raises InputError."""
    with opened(path) as file:
        held = file.get("splits")
        if not isinstance(held, h5py.Group):
            return {}
        return {
            name: json.loads(str(split.attrs["how"]))
            | {part: int(np.sum(np.asarray(split) == k)) for k, part in enumerate(PARTS)}
            for name, split in held.items()
        }
