"""Labelled structures from the files in which others keep them: docs/data-sets.md has the table."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import ase
import ase.db
import ase.io
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
from forgefield.io.structures.xyz_keys import energy_of, gradient_of, state_of, stress_of
from forgefield.io.text import read_text
from forgefield.molecules.electrons import lowest_multiplicity
from forgefield.molecules.lattice import Lattice, completed
from forgefield.molecules.molecule import Molecule, Reference

Frames = Iterator[Record]
_MD17 = (("nuclear_charges", "z"), ("coords", "R"), ("energies", "E"), ("forces", "F"))
"""Names of the arrays, in rMD17 and in MD17."""
_CELL = "Lattice="
"""In the comment of a frame that has one."""


def imported(path: Path) -> Frames:
    """Yield the labelled structures of a file. Raises InputError where it holds none."""
    if not path.is_file():
        raise InputError(f"{path}: there is no such file")
    suffix = path.suffix.lower()
    readers: dict[str, Callable[[Path], Frames]] = {
        ".npz": _npz,
        ".db": _database,
        ".json": _json,
        ".xyz": _xyz,
        ".extxyz": _xyz,
        ".h5": _hdf5,
        ".hdf5": _hdf5,
    }
    return readers.get(suffix, _results)(path)


def _results(path: Path) -> Frames:
    """Yield what QM said in a file of any format."""
    yield from _labelled(path, read_files([path]))


def _xyz(path: Path) -> Frames:
    """Yield the frames of an xyz file; of one with periodic frames by the names of ASE, MACE and SPICE."""
    if _CELL not in read_text(path):
        yield from _results(path)
        return
    try:
        frames = ase.io.iread(path, format="extxyz")
        given = [one for one in frames if isinstance(one, ase.Atoms)]
    except (ValueError, KeyError, IndexError, OSError) as error:
        raise InputError(f"{path}: cannot be read as extended xyz ({error})") from None
    if not any(one.pbc.any() for one in given):
        yield from _results(path)
        return
    for number, atoms in enumerate(given, start=1):
        yield _atoms(path, atoms, f"{path.stem}-{number}", "")


def _atoms(path: Path, atoms: ase.Atoms, name: str, level: str) -> Record:
    """Return a structure of ASE with its label."""
    results = {} if atoms.calc is None else atoms.calc.results
    told = {**atoms.info, **{key: results[key] for key in ("energy", "stress") if results.get(key) is not None}}
    energy = energy_of(path, name, told)
    gradient = gradient_of(path, name, {**atoms.arrays, "forces": results.get("forces")})
    if energy is None or gradient is None:
        raise InputError(f"{path}: {name} has no energy with forces")
    species, state = np.asarray(atoms.numbers, np.int64), state_of(path, None, atoms.info)
    charge = state.charge or 0
    multiplicity = state.multiplicity or lowest_multiplicity(species, charge)
    molecule = Molecule(
        str(atoms.info.get("name", atoms.get_chemical_formula())),
        species,
        np.asarray(atoms.positions, np.float64),
        charge=charge,
        multiplicity=multiplicity,
    )
    record = _record(molecule, energy, gradient, level, path)
    if not atoms.pbc.any():
        return record
    a, b, c = (bool(along) for along in atoms.pbc)
    try:
        lattice = Lattice(completed(np.asarray(atoms.cell), (a, b, c), len(atoms)), (a, b, c))
    except InputError as error:
        raise InputError(f"{path}: {name}: {error}") from None
    # A slab, or a wire, has no volume of its own.
    stress = stress_of(path, name, told, lattice.volume) if all(lattice.periodic) else None
    label = replace(record.label, lattice=lattice, stress=stress)
    return replace(record, label=label, key=record_key(level, molecule, lattice))


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
        atoms = row.toatoms()
        atoms.info = {**row.key_value_pairs, **atoms.info}
        yield _atoms(path, atoms, f"row {row.id}", "")


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
