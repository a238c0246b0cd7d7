"""Labelled structures from the files in which others keep them: docs/data-sets.md has the table."""

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import ase.db
import h5py
import numpy as np
from jaxtyping import Float, Int

from forgefield import units
from forgefield.errors import InputError
from forgefield.io.assemble.consistency import checked
from forgefield.io.assemble.merge import merged
from forgefield.io.datasets.records import Record, record_key
from forgefield.io.formats import format_of
from forgefield.io.qm.qcschema import read_qcschema, read_qcschema_records
from forgefield.io.qm.qcschema_records import load_value
from forgefield.io.references import read_files
from forgefield.molecules.electrons import lowest_multiplicity
from forgefield.molecules.molecule import Molecule, Reference

Frames = Iterator[Record]
_MD17 = (("nuclear_charges", "z"), ("coords", "R"), ("energies", "E"), ("forces", "F"))
"""Names of the arrays, in rMD17 and in MD17."""


def imported(path: Path) -> Frames:
    """Yield the labelled structures of a file. Raises InputError where it holds none."""
    if not path.is_file():
        raise InputError(f"{path}: there is no such file")
    suffix = path.suffix.lower()
    readers: dict[str, Callable[[Path], Frames]] = {
        ".npz": _npz,
        ".db": _database,
        ".json": _json,
        ".h5": _hdf5,
        ".hdf5": _hdf5,
    }
    return readers.get(suffix, _results)(path)


def _results(path: Path) -> Frames:
    """Yield what QM said in a file of any format."""
    yield from _labelled(path, read_files([path]))


def _json(path: Path) -> Frames:
    """Yield the computations of a file of QCSchema or QCArchive, of optimisations all steps; or what others keep so."""
    if isinstance(load_value(path), list) or format_of(path).part is read_qcschema:
        yield from _labelled(path, [checked(merged([part])) for part in read_qcschema_records(path)])
    else:
        yield from _results(path)


def _labelled(path: Path, references: Iterable[Reference]) -> Frames:
    for reference in references:
        if reference.energy is None or reference.gradient is None:
            raise InputError(f"{path}: holds no energy with forces")
        molecule = Molecule(
            reference.sources[0] if reference.sources else path.stem,
            reference.species,
            reference.positions,
            charge=reference.charge,
            multiplicity=reference.multiplicity,
        )
        yield _record(molecule, reference.energy, reference.gradient, reference.level, path)


def _npz(path: Path) -> Frames:
    """Yield the structures of one molecule as MD17 and rMD17 keep them."""
    try:
        with np.load(path, allow_pickle=False) as held:
            names = [next((name for name in known if name in held.files), None) for known in _MD17]
            found = [np.asarray(held[name]) for name in names if name is not None]
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: cannot be read as .npz ({error})") from None
    if len(found) < len(_MD17):
        raise InputError(
            f"{path}: is no MD17 file: it needs nuclear_charges (z), coords (R), energies (E) and forces (F)"
        )
    species, positions, energies, forces = found
    yield from _frames(path, species.astype(np.int64), positions, energies.ravel(), -forces, "")


def _database(path: Path) -> Frames:
    """Yield the rows of a database of ASE."""
    for row in ase.db.connect(path).select():
        if "energy" not in row or "forces" not in row:
            raise InputError(f"{path}: row {row.id} has no energy with forces")
        if np.asarray(row.pbc).any():
            raise InputError(f"{path}: row {row.id} is periodic, and data sets hold molecules")
        species = np.asarray(row.numbers, np.int64)
        charge = int(row.get("charge", 0))
        multiplicity = int(row.get("multiplicity", row.get("spin", lowest_multiplicity(species, charge))))
        molecule = Molecule(
            row.get("name", row.formula), species, np.asarray(row.positions), charge=charge, multiplicity=multiplicity
        )
        energy, gradient = row.energy * units.ELECTRONVOLT, -np.asarray(row.forces) * units.ELECTRONVOLT
        yield _record(molecule, float(energy), gradient, "", path)


def _hdf5(path: Path) -> Frames:
    """Yield the structures of SPICE and ANI files."""
    try:
        file = h5py.File(path, "r")
    except OSError as error:
        raise InputError(f"{path}: cannot be read as HDF5 ({error})") from None
    with file:
        groups = [group for group in file.values() if isinstance(group, h5py.Group) and "atomic_numbers" in group]
        if not groups:
            raise InputError(f"{path}: has no groups with atomic_numbers, as the files of SPICE and ANI have")
        for group in groups:
            yield from _group(path, group)


def _group(path: Path, group: h5py.Group) -> Frames:
    species = np.asarray(group["atomic_numbers"], np.int64)
    if "conformations" in group and "dft_total_gradient" in group:
        positions = np.asarray(group["conformations"], np.float64) * units.BOHR
        energies = np.asarray(group["dft_total_energy"], np.float64) * units.HARTREE
        gradients = np.asarray(group["dft_total_gradient"], np.float64) * units.HARTREE_PER_BOHR
        level = "wB97M-D3(BJ)/def2-TZVPPD"
    elif "coordinates" in group and "wb97x_dz.forces" in group:
        positions = np.asarray(group["coordinates"], np.float64)
        energies = np.asarray(group["wb97x_dz.energy"], np.float64) * units.HARTREE
        gradients = -np.asarray(group["wb97x_dz.forces"], np.float64) * units.HARTREE
        level = "wB97X/6-31G(d)"
    else:
        raise InputError(f"{path}: the group {group.name} has no energies with forces under the names of SPICE or ANI")
    name = (group.name or "").strip("/")
    whole = np.isfinite(energies) & np.isfinite(gradients).all(axis=(1, 2))
    yield from _frames(path, species, positions[whole], energies[whole], gradients[whole], level, name)


def _frames(
    path: Path,
    species: Int[np.ndarray, " atoms"],
    positions: Float[np.ndarray, "_ _ 3"],
    energies: Float[np.ndarray, " _"],
    gradients: Float[np.ndarray, "_ _ 3"],
    level: str,
    name: str = "",
) -> Frames:
    """Yield structures of one molecule. Raises InputError where sizes contradict each other."""
    n, shape = len(energies), (len(energies), len(species), 3)
    if positions.shape != shape or gradients.shape != shape:
        raise InputError(
            f"{path}: {len(species)} atoms and {n} energies, but coordinates {positions.shape} and forces "
            f"{gradients.shape}"
        )
    multiplicity = lowest_multiplicity(species, 0)
    for x, energy, gradient in zip(positions, energies, gradients, strict=True):
        molecule = Molecule(name or path.stem, species, np.asarray(x, np.float64), multiplicity=multiplicity)
        yield _record(molecule, float(energy), np.asarray(gradient, np.float64), level, path)


def _record(molecule: Molecule, energy: float, gradient: Any, level: str, path: Path) -> Record:
    label = Reference(
        species=molecule.species,
        positions=molecule.positions,
        energy=energy,
        gradient=gradient,
        level=level,
        charge=molecule.charge,
        multiplicity=molecule.multiplicity,
    )
    return Record(molecule, label, level, path.name, record_key(level, molecule))
