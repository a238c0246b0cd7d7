"""Relaxes structures of files under a force field, all at once, and writes those it finds."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

from forgefield.assign.rules import AbstractRules
from forgefield.errors import InputError
from forgefield.io.outputs import make_folder, owned, remove, require_free
from forgefield.io.sources import file_name
from forgefield.io.structures.xyz import write_xyz
from forgefield.jobs.laid import opened
from forgefield.molecules.molecule import Molecule, Reference
from forgefield.properties.relax import Failure, Limits, Relaxed, relax
from forgefield.report.numerals import fixed, significant
from forgefield.table import Column, Records, Table, table

TOLERANCE = 1e-4
"""kcal/mol/Å"""
MAX_ITERATIONS = 200
_LARGEST_BATCH = 2**25
"""Elements of the Hessians that are computed at once."""


@dataclass(frozen=True, eq=False, repr=False)
class RelaxedMolecule:
    """Where the relaxation of one molecule ended."""

    molecule: Molecule
    """In the geometry found."""
    energy: float
    """kcal/mol"""
    gradient: Float[np.ndarray, "atoms 3"]
    """kcal/mol/Å"""
    n_negative: int
    """Number of negative curvatures."""
    n_iterations: int
    rmsd: float
    """Root mean square deviation from the given structure after superposition [Å]."""
    converged: bool
    outcome: str
    """What went wrong, in words; empty where nothing did."""

    @property
    def gradient_max(self) -> float:
        """Largest component of the gradient that is left [kcal/mol/Å]."""
        return float(np.abs(self.gradient).max())

    def __repr__(self) -> str:
        ended = self.outcome or "converged"
        return f"RelaxedMolecule({self.molecule.name!r}, {self.energy:.4f} kcal/mol, {ended})"


def run_relaxation(
    force_field: Path,
    files: list[Path],
    *,
    saddle: bool = False,
    tolerance: float = TOLERANCE,
    max_iterations: int = MAX_ITERATIONS,
    output: Path | None = None,
    overwrite: bool = False,
) -> Records[RelaxedMolecule]:
    """Relax every structure to the minimum downhill from it, or to a first-order saddle.

    `tolerance` is the largest component of the gradient that may be left [kcal/mol/Å] before a last Newton step. In
    float64, whatever the model's own precision. Each is written into the folder `output`, where there is one, with
    energy and forces as extended xyz, `NAME.xyz` or `NAME.unconverged.xyz`; `overwrite` replaces those that are there.
    Raises InputError, or MissingParameters.
    """
    if not 0.0 < tolerance < np.inf:
        raise InputError(f"tolerance must be positive, not {tolerance} kcal/mol/Å")
    if max_iterations < 1:
        raise InputError(f"max-iterations must be 1 or more, not {max_iterations}")
    limits = Limits(rmsd=np.inf, tolerance=tolerance, max_iterations=max_iterations)
    rules, molecules = opened(force_field, files)
    molecules = _with_names_of_their_own(molecules)
    if output is None:
        found = _relaxed(rules, molecules, saddle, limits)
        return Records(found, relaxed_table(found))
    make_folder(output)
    with owned(output):
        names = [path for molecule in molecules for path in _files_of(output, molecule)]
        require_free(names, [force_field, *files], overwrite=overwrite)
        found = _relaxed(rules, molecules, saddle, limits)
        _write(output, found, level=force_field.name)
        return Records(found, relaxed_table(found))


def written_to(folder: Path, found: Sequence[RelaxedMolecule]) -> list[Path]:
    """Return the file of each structure in the folder it was written into."""
    return [_files_of(folder, one.molecule)[0 if one.converged else 1] for one in found]


def _files_of(folder: Path, molecule: Molecule) -> tuple[Path, Path]:
    """Return where a relaxed structure is written, and where one that did not get there."""
    return folder / f"{molecule.name}.xyz", folder / f"{molecule.name}.unconverged.xyz"


def _relaxed(rules: AbstractRules, molecules: list[Molecule], saddle: bool, limits: Limits) -> list[RelaxedMolecule]:
    found: list[RelaxedMolecule] = []
    for batch in _batches(molecules):
        model, topology = rules.lay(batch)
        positions = jnp.asarray(np.concatenate([m.positions for m in batch]))
        order = np.full(len(batch), int(saddle))
        ended = relax(model.with_precision(jnp.float64), topology, positions, order=order, limits=limits)
        found += _each(batch, ended)
    return found


def _write(folder: Path, found: Sequence[RelaxedMolecule], level: str) -> None:
    """Write each structure, in the place of what an earlier run left of it."""
    for one, path in zip(found, written_to(folder, found), strict=True):
        remove(other for other in _files_of(folder, one.molecule) if other != path)
        reference = Reference(
            species=one.molecule.species,
            positions=one.molecule.positions,
            energy=one.energy,
            gradient=one.gradient,
            level=level,
            charge=one.molecule.charge,
            multiplicity=one.molecule.multiplicity,
        )
        write_xyz(path, [reference])


def relaxed_table(found: Sequence[RelaxedMolecule]) -> Table:
    """Return where each molecule ended, for the terminal."""
    columns = (
        Column("structure", numeric=False),
        Column("energy", "kcal/mol"),
        Column("gradient left", "kcal/mol/Å"),
        Column("negative curvatures"),
        Column("iterations"),
        Column("moved", "Å"),
        Column("outcome", numeric=False),
    )
    rows = [
        (
            one.molecule.name,
            fixed(one.energy, 4),
            significant(one.gradient_max, 2),
            str(one.n_negative),
            str(one.n_iterations),
            fixed(one.rmsd, 3),
            one.outcome or "converged",
        )
        for one in found
    ]
    n = sum(one.converged for one in found)
    return table(f"{n} of {len(found)} structure(s) relaxed", columns, rows)


def summary(found: Sequence[RelaxedMolecule], files: list[Path]) -> dict[str, Any]:
    """Return what `forgefield relax --json` prints."""
    return {
        "structures": [
            {
                "name": one.molecule.name,
                "source": one.molecule.source,
                "file": str(path),
                "converged": one.converged,
                "outcome": one.outcome,
                "energy_kcal_mol": _finite(one.energy),
                "gradient_max_kcal_mol_a": _finite(one.gradient_max),
                "n_negative": one.n_negative,
                "iterations": one.n_iterations,
                "rmsd_a": _finite(one.rmsd),
            }
            for one, path in zip(found, files, strict=True)
        ]
    }


def _each(molecules: list[Molecule], ended: Relaxed) -> list[RelaxedMolecule]:
    """Return where each molecule of a batch ended."""
    starts = np.cumsum([m.n_atoms for m in molecules])[:-1]
    energies, gradients = np.asarray(ended.landscape.energy), np.asarray(ended.landscape.gradient)
    return [
        RelaxedMolecule(
            molecule=replace(molecule, positions=positions),
            energy=float(energies[k]),
            gradient=gradients[k, : 3 * molecule.n_atoms].reshape(-1, 3),
            n_negative=int(ended.n_negative[k]),
            n_iterations=int(ended.n_iterations[k]),
            rmsd=float(ended.rmsd[k]),
            converged=bool(ended.converged[k]),
            outcome=Failure(int(ended.failure[k])).sentence,
        )
        for k, (molecule, positions) in enumerate(
            zip(molecules, np.split(np.asarray(ended.positions), starts), strict=True)
        )
    ]


def _batches(molecules: list[Molecule]) -> Iterator[list[Molecule]]:
    """Yield consecutive molecules whose Hessians go into memory together."""
    batch: list[Molecule] = []
    for molecule in molecules:
        largest = max(m.n_atoms for m in (*batch, molecule))
        if batch and (len(batch) + 1) * (3 * largest) ** 2 > _LARGEST_BATCH:
            yield batch
            batch = []
        batch = [*batch, molecule]
    if batch:
        yield batch


def _with_names_of_their_own(molecules: list[Molecule]) -> list[Molecule]:
    """Return the molecules with names that can be those of files, a number behind those that several have."""
    names = [file_name(m.name) for m in molecules]
    count = Counter(names)
    seen: Counter[str] = Counter()
    renamed = []
    for molecule, name in zip(molecules, names, strict=True):
        seen[name] += 1
        renamed.append(replace(molecule, name=name if count[name] == 1 else f"{name}-{seen[name]}"))
    return renamed


def _finite(value: float) -> float | None:
    return value if np.isfinite(value) else None
