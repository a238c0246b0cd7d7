"""Trajectories in files that grow while a simulation runs: extended xyz, a file per replica, and H5MD."""

import abc
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from io import StringIO
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from ase import Atoms
from ase import units as ase_units
from ase.calculators.singlepoint import SinglePointCalculator
from ase.io import write
from jaxtyping import Float, Int

from forgefield import units
from forgefield.errors import InputError

_H5MD_VERSION = (1, 1)
_VECTORS = {"position": "Angstrom", "velocity": "Angstrom fs-1", "force": "kcal mol-1 Angstrom-1"}
_SCALARS = {"potential_energy": "kcal mol-1", "kinetic_energy": "kcal mol-1"}
_CHUNK_FRAMES = 16


@dataclass(frozen=True, eq=False)
class Stretch:
    """Some consecutive frames of one replica."""

    step: Int[np.ndarray, " frames"]
    time: Float[np.ndarray, " frames"]
    """Internal unit of time."""
    positions: Float[np.ndarray, "frames atoms 3"]
    """Å"""
    velocities: Float[np.ndarray, "frames atoms 3"]
    """Å per internal unit of time."""
    forces: Float[np.ndarray, "frames atoms 3"]
    """kcal/mol/Å"""
    potential: Float[np.ndarray, " frames"]
    """kcal/mol"""
    kinetic: Float[np.ndarray, " frames"]
    """kcal/mol"""


@dataclass(frozen=True, eq=False)
class AbstractTrajectories(abc.ABC):
    """The trajectories of replicas of one molecule in files."""

    path: Path
    species: Int[np.ndarray, " atoms"]
    masses: Float[np.ndarray, " atoms"]
    """amu"""
    n_replicas: int

    @property
    @abc.abstractmethod
    def files(self) -> list[Path]:
        """The files that hold them."""

    @abc.abstractmethod
    def begin(self) -> None:
        """Write files without frames in the place of whatever was there. Raises InputError."""

    @abc.abstractmethod
    def append(self, stretches: Sequence[Stretch]) -> None:
        """Write further frames of each replica. Raises InputError."""

    @abc.abstractmethod
    def marks(self) -> list[int]:
        """Return how far each replica's trajectory has come."""

    @abc.abstractmethod
    def cut(self, marks: Sequence[int]) -> None:
        """Remove what was written after these marks. Raises InputError where less than that is there."""


class XyzTrajectories(AbstractTrajectories):
    """Extended xyz as ASE reads it: energies [eV], forces [eV/Å], momenta, step and time [fs]."""

    @property
    def files(self) -> list[Path]:
        """One file for each replica, numbered from 1 where there are several."""
        if self.n_replicas == 1:
            return [self.path]
        return [self.path.with_stem(f"{self.path.stem}-{k + 1}") for k in range(self.n_replicas)]

    def begin(self) -> None:
        """Write empty files."""
        for path in self.files:
            with _writing(path):
                path.write_text("", encoding="utf-8")

    def append(self, stretches: Sequence[Stretch]) -> None:
        """Write further frames of each replica."""
        for path, stretch in zip(self.files, stretches, strict=True):
            text = StringIO()
            write(text, [self._atoms(stretch, k) for k in range(len(stretch.step))], format="extxyz")
            with _writing(path), path.open("a", encoding="utf-8") as file:
                file.write(text.getvalue())

    def marks(self) -> list[int]:
        """Return the length of each file in bytes."""
        return [path.stat().st_size for path in self.files]

    def cut(self, marks: Sequence[int]) -> None:
        """Shorten each file."""
        for path, mark in zip(self.files, marks, strict=True):
            if not path.is_file() or path.stat().st_size < mark:
                raise InputError(f"{path}: is shorter than when the checkpoint was written; begin anew")
            os.truncate(path, mark)

    def _atoms(self, stretch: Stretch, k: int) -> Atoms:
        info = {"step": int(stretch.step[k]), "time_fs": float(stretch.time[k] / units.FEMTOSECOND)}
        atoms = Atoms(self.species, stretch.positions[k], masses=self.masses, info=info)
        atoms.set_velocities(stretch.velocities[k] * (units.FEMTOSECOND / ase_units.fs))
        atoms.calc = SinglePointCalculator(
            atoms,
            energy=float(stretch.potential[k]) / units.ELECTRONVOLT,
            forces=stretch.forces[k] / units.ELECTRONVOLT,
        )
        return atoms


class H5mdTrajectories(AbstractTrajectories):
    """One HDF5 file in the layout of H5MD (P. de Buyl et al., Comput. Phys. Commun. 2014, 185, 1546).

    Replica k stands in `particles/replica-k` and `observables/replica-k`, numbered from 1; each data set states its
    unit.
    """

    @property
    def files(self) -> list[Path]:
        """The one file."""
        return [self.path]

    def begin(self) -> None:
        """Write the file with data sets of no frames."""
        with _writing(self.path), h5py.File(self.path, "w") as file:
            h5md = file.create_group("h5md")
            h5md.attrs["version"] = _H5MD_VERSION
            h5md.create_group("creator").attrs.update(name="ForgeField", version="0.1.0")
            h5md.create_group("author").attrs["name"] = "N/A"
            for k in range(self.n_replicas):
                self._begin_replica(file, k)

    def append(self, stretches: Sequence[Stretch]) -> None:
        """Write further frames of each replica."""
        with _writing(self.path), h5py.File(self.path, "r+") as file:
            for k, stretch in enumerate(stretches):
                arrays = {
                    "position": stretch.positions,
                    "velocity": stretch.velocities * units.FEMTOSECOND,
                    "force": stretch.forces,
                    "potential_energy": stretch.potential,
                    "kinetic_energy": stretch.kinetic,
                }
                for element in _elements(file, k):
                    times = {"step": stretch.step, "time": stretch.time / units.FEMTOSECOND}
                    for column, values in (times | {"value": arrays[Path(element.name).name]}).items():
                        n = element[column].shape[0]
                        element[column].resize(n + len(values), axis=0)
                        element[column][n:] = values

    def marks(self) -> list[int]:
        """Return the number of frames of each replica."""
        with h5py.File(self.path, "r") as file:
            return [min(e["step"].shape[0] for e in _elements(file, k)) for k in range(self.n_replicas)]

    def cut(self, marks: Sequence[int]) -> None:
        """Shorten each data set."""
        if not self.path.is_file():
            raise InputError(f"{self.path}: there is no such file, but a checkpoint of it; begin anew")
        with _writing(self.path), h5py.File(self.path, "r+") as file:
            for k, mark in enumerate(marks):
                for element in _elements(file, k):
                    if element["value"].shape[0] < mark:
                        raise InputError(f"{self.path}: holds fewer frames than when the checkpoint was written")
                    for dataset in element.values():
                        dataset.resize(mark, axis=0)

    def _begin_replica(self, file: h5py.File, k: int) -> None:
        particles = file.create_group(f"particles/replica-{k + 1}")
        particles.create_dataset("species", data=self.species)
        particles.create_dataset("mass", data=self.masses).attrs["unit"] = "u"
        box = particles.create_group("box")
        box.attrs["dimension"] = 3
        box.attrs["boundary"] = ["none"] * 3
        observables = file.create_group(f"observables/replica-{k + 1}")
        for name, unit in _VECTORS.items():
            _begin_element(particles, name, unit, (len(self.species), 3))
        for name, unit in _SCALARS.items():
            _begin_element(observables, name, unit, ())


def trajectories(
    path: Path, species: Int[np.ndarray, " atoms"], masses: Float[np.ndarray, " atoms"], n_replicas: int
) -> AbstractTrajectories:
    """Return the trajectories that a path means: .xyz and .extxyz, or .h5, .hdf5 and .h5md. Raises InputError."""
    match path.suffix.lower():
        case ".xyz" | ".extxyz":
            return XyzTrajectories(path, species, masses, n_replicas)
        case ".h5" | ".hdf5" | ".h5md":
            return H5mdTrajectories(path, species, masses, n_replicas)
        case other:
            raise InputError(f"{path}: trajectories are written as .xyz, .extxyz, .h5, .hdf5 or .h5md, not {other!r}")


def _begin_element(group: h5py.Group, name: str, unit: str, shape: tuple[int, ...]) -> None:
    element = group.create_group(name)
    chunk = (_CHUNK_FRAMES,)
    element.create_dataset("step", (0,), np.int64, maxshape=(None,), chunks=chunk)
    time = element.create_dataset("time", (0,), np.float64, maxshape=(None,), chunks=chunk)
    time.attrs["unit"] = "fs"
    value = element.create_dataset("value", (0, *shape), np.float64, maxshape=(None, *shape), chunks=(*chunk, *shape))
    value.attrs["unit"] = unit


def _elements(file: h5py.File, k: int) -> Iterator[Any]:
    """Yield what varies with time of a replica."""
    for name in _VECTORS:
        yield file[f"particles/replica-{k + 1}/{name}"]
    for name in _SCALARS:
        yield file[f"observables/replica-{k + 1}/{name}"]


@contextmanager
def _writing(path: Path) -> Iterator[None]:
    """Turn what the system says of a file into InputError."""
    try:
        yield
    except OSError as error:
        raise InputError(f"{path}: cannot be written ({error.strerror or error})") from None
