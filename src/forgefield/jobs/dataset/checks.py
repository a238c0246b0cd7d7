"""What may be wrong with a data set: records that are there twice, outliers, energies that forces do not belong to."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float, Int

from forgefield.io.datasets.data_set import Overview, overview, read_records
from forgefield.io.datasets.records import Record
from forgefield.molecules.bonds import perceive_bonds
from forgefield.molecules.electrons import electron_problem
from forgefield.molecules.molecule import symbol

_ALIKE = 1e-4
"""Å; positions that differ by less are the same structure."""
_OUTLYING = 8.0
"""Times the median deviation from the median."""
_LARGEST_FORCE = 1000.0
"""kcal/mol/Å on one atom."""
_SAMPLE = 400
"""Structures of a molecule whose energies and forces are compared."""
_NEAR = 0.6
"""Å that all atoms together may have moved between two structures that are compared."""
_FEWEST = 8
_SHARE = 0.1
"""By which energies may rise otherwise than forces say."""
_SHOWN = 5


@dataclass(frozen=True)
class Finding:
    """One kind of thing that was found."""

    what: str
    """As a sentence."""
    records: tuple[int, ...] = ()
    """The records it is about, from 0."""
    wrong: bool = True
    """Whether it is a fault, or only worth knowing."""

    @property
    def text(self) -> str:
        """The sentence with the first records, counted from 1."""
        named = ", ".join(str(k + 1) for k in self.records[:_SHOWN])
        more = f", … and {len(self.records) - _SHOWN} more" if len(self.records) > _SHOWN else ""
        return f"{self.what} (records {named}{more})" if self.records else self.what


def check_data_set(path: Path) -> list[Finding]:
    """Return what is found in a data set. Raises InputError where it cannot be read."""
    found = overview(path)
    findings = [*_states(found), *_teachers(found), *_energies(found), *_stresses(found)]
    for k, molecule in enumerate(found.molecules):
        rows = np.flatnonzero(found.molecule == k)
        if not len(rows):
            continue
        sample = rows if len(rows) <= _SAMPLE else np.sort(np.random.default_rng(0).permutation(rows)[:_SAMPLE])
        records = list(read_records(path, sample))
        findings += _twice(records, sample, molecule.name)
        findings += _forces(records, sample, molecule.name)
        for cell in _cells(records):
            findings += _slopes(cell, molecule.name)
        findings += _hydrogens(records[0], int(sample[0]), molecule.name)
    return findings


def _states(found: Overview) -> list[Finding]:
    problems = [(m.name, electron_problem(m.species, m.charge, m.multiplicity)) for m in found.molecules]
    return [Finding(f"{name}: {problem}") for name, problem in problems if problem][:_SHOWN]


def _teachers(found: Overview) -> list[Finding]:
    if len(found.teachers) < 2:
        return []
    return [Finding(f"labels of {len(found.teachers)} teachers, whose energies have no common zero")]


def _energies(found: Overview) -> list[Finding]:
    """Find energies per atom far from what the composition says, by least squares over all records."""
    if len(found) < _FEWEST:
        return []
    elements = np.unique(np.concatenate([m.species for m in found.molecules]))
    counts = np.array([[np.sum(m.species == z) for z in elements] for m in found.molecules], np.float64)[found.molecule]
    atomic = np.linalg.lstsq(counts, found.energy, rcond=None)[0]
    left = (found.energy - counts @ atomic) / found.n_atoms
    off = np.abs(left - np.median(left))
    far = np.flatnonzero(off > np.maximum(_OUTLYING * np.median(off), 1.0))
    if not len(far):
        return []
    worst = far[np.argsort(-off[far])]
    what = f"energies that lie up to {off.max():.3g} kcal/mol per atom off the others"
    return [Finding(what, tuple(worst.tolist()), wrong=False)]


def _stresses(found: Overview) -> list[Finding]:
    """Tell of periodic structures without a stress, where others have one."""
    lacking = np.flatnonzero(found.periodic & ~found.stressed)
    if not found.stressed.any() or not len(lacking):
        return []
    return [Finding("periodic structures without a stress", tuple(lacking.tolist()), wrong=False)]


def _twice(records: Sequence[Record], rows: Int[np.ndarray, " _"], name: str) -> list[Finding]:
    """Find structures that are there more than once."""
    rounded = [
        np.round(record.molecule.positions / _ALIKE).astype(np.int64).tobytes() + _cell(record) for record in records
    ]
    first: dict[bytes, int] = {}
    again = [int(row) for row, key in zip(rows, rounded, strict=True) if first.setdefault(key, int(row)) != int(row)]
    return [Finding(f"{name}: structures that are there already", tuple(again))] if again else []


def _cell(record: Record) -> bytes:
    """Return what is the same in the same cell."""
    lattice = record.label.lattice
    return b"" if lattice is None else np.round(lattice.vectors / _ALIKE).astype(np.int64).tobytes()


def _cells(records: Sequence[Record]) -> list[list[Record]]:
    """Return the records of each cell whose energies rise by forces alone; of cells that differ all the time none."""
    found: dict[bytes, list[Record]] = {}
    for record in records:
        found.setdefault(_cell(record), []).append(record)
    return [own for own in found.values() if own[0].label.lattice is None or len(own) >= _FEWEST]


def _forces(records: Sequence[Record], rows: Int[np.ndarray, " _"], name: str) -> list[Finding]:
    """Find forces that no structure near a molecule has, and net forces, which none has."""
    largest = np.array([np.abs(_gradient(record)).max() for record in records])
    net = np.array([np.abs(_gradient(record).sum(axis=0)).max() for record in records])
    found = []
    if len(far := np.flatnonzero(largest > _LARGEST_FORCE)):
        what = f"{name}: forces up to {largest.max():.3g} kcal/mol/Å on one atom"
        found.append(Finding(what, tuple(rows[far].tolist()), wrong=False))
    if len(far := np.flatnonzero(net > 0.01 * np.maximum(largest, 10.0))):
        what = f"{name}: forces that do not add up to zero but to {net.max():.3g} kcal/mol/Å"
        found.append(Finding(what, tuple(rows[far].tolist())))
    return found


def _slopes(records: Sequence[Record], name: str) -> list[Finding]:
    """Find whether energies rise between near structures as the mean of their gradients says.

    Of each structure the nearest other one is looked at; the error of the trapezium is of the third order in their
    distance. What comes out is the slope of all rises by what gradients say: 1 where all is well, -1 where forces have
    the wrong sign, 23.06 where one of them is in eV.
    """
    if len(records) < _FEWEST:
        return []
    positions = np.array([record.molecule.positions.ravel() for record in records])
    energies = np.array([record.label.energy for record in records], np.float64)
    gradients = np.array([_gradient(record).ravel() for record in records])
    here, there = _nearest(positions)
    moved = positions[there] - positions[here]
    near = np.linalg.norm(moved, axis=1) < _NEAR
    if near.sum() < _FEWEST:
        return [Finding(f"{name}: no structures are near enough to compare energies with forces", wrong=False)]
    said = 0.5 * np.sum((gradients[here] + gradients[there]) * moved, axis=1)[near]
    rise = (energies[there] - energies[here])[near]
    slope, off = _line(said, rise)
    if abs(slope - 1.0) <= _SHARE:
        return []
    return [
        Finding(f"{name}: energies rise by {slope:.4g} times what the forces say (± {off:.2g}): wrong units or sign?")
    ]


def _nearest(positions: Float[np.ndarray, "structures coordinates"]) -> tuple[np.ndarray, np.ndarray]:
    """Return pairs of places: each structure and the one nearest to it."""
    square = np.sum(positions**2, axis=1)
    apart = square[:, None] + square[None] - 2.0 * positions @ positions.T
    np.fill_diagonal(apart, np.inf)
    return np.arange(len(positions)), np.argmin(apart, axis=1)


def _line(said: Float[np.ndarray, " pairs"], rise: Float[np.ndarray, " pairs"]) -> tuple[float, float]:
    """Return the slope of a line through the origin, and its standard error."""
    total = float(np.sum(said**2))
    if total == 0.0:
        return 1.0, 0.0
    slope = float(np.sum(said * rise) / total)
    left = float(np.sum((rise - slope * said) ** 2) / max(len(said) - 1, 1))
    return slope, float(np.sqrt(left / total))


def _hydrogens(record: Record, row: int, name: str) -> list[Finding]:
    """Find carbon with fewer neighbours than any has that lacks no hydrogen: one, or two at a bend of single bonds."""
    molecule = record.molecule
    if record.label.lattice is not None:
        return []
    bonds, _ = perceive_bonds(molecule.species, molecule.positions)
    n_bonds = np.bincount(bonds.ravel(), minlength=molecule.n_atoms)
    lonely = np.flatnonzero((molecule.species == 6) & (n_bonds == 0))
    if not len(lonely) or molecule.n_atoms == 1:
        return []
    atoms = ", ".join(f"{symbol(int(molecule.species[k]))}{k + 1}" for k in lonely[:_SHOWN])
    return [Finding(f"{name}: nothing is bonded to {atoms}; are hydrogens missing?", (row,))]


def _gradient(record: Record) -> Float[np.ndarray, "atoms 3"]:
    assert record.label.gradient is not None
    return record.label.gradient
