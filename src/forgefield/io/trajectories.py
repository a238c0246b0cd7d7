"""Trajectories in files that grow while a simulation runs: extended xyz, a file per replica, and H5MD."""

import abc
import hashlib
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from io import BytesIO, StringIO
from pathlib import Path
from typing import Any, BinaryIO

import h5py
import numpy as np
from ase import Atoms
from ase import units as ase_units
from ase.calculators.singlepoint import SinglePointCalculator
from ase.io import write
from jaxtyping import Float, Int

from forgefield import units
from forgefield.errors import InputError
from forgefield.io.hdf5_updates import finish_update, journal_of, updated
from forgefield.io.offenders import listed
from forgefield.io.outputs import remove, write_bytes, write_text, writing

_H5MD_VERSION = (1, 1)
_VECTORS = {"position": "Angstrom", "velocity": "Angstrom fs-1", "force": "kcal mol-1 Angstrom-1"}
_SCALARS = {"potential_energy": "kcal mol-1", "kinetic_energy": "kcal mol-1", "temperature": "K"}
_CHUNK_FRAMES = 16
_TAIL, _LAST_STEPS = 2**16, 64
"""Bytes by which a file of text is known again, and numbers of steps."""


@dataclass(frozen=True)
class Mark:
    """How far the trajectory of one replica has come, and what it is known by."""

    file: str
    """Name of the file, without its folder."""
    length: int
    """Bytes, or frames in an HDF5 file."""
    digest: str
    """Of what stands before that place."""


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
    """kcal/mol, of the velocities."""
    temperature: Float[np.ndarray, " frames"]
    """K; not that of the kinetic energy where the velocities at full steps are not thermal."""


@dataclass(frozen=True, eq=False)
class AbstractTrajectories(abc.ABC):
    """The trajectories of replicas of one molecule in files."""

    path: Path
    species: Int[np.ndarray, " atoms"]
    masses: Float[np.ndarray, " atoms"]
    """amu"""
    n_replicas: int
    separate: bool = True
    """Whether each replica has a file of its own."""

    @property
    def files(self) -> list[Path]:
        """The files that hold them: one, or one for each replica, numbered from 1."""
        if self.n_replicas == 1 or not self.separate:
            return [self.path]
        return [self.path.with_stem(f"{self.path.stem}-{k + 1}") for k in range(self.n_replicas)]

    @abc.abstractmethod
    def begin(self) -> None:
        """Write files without frames in the place of whatever was there. Raises InputError."""

    @abc.abstractmethod
    def append(self, stretches: Sequence[Stretch]) -> None:
        """Write further frames of each replica. Raises InputError."""

    @abc.abstractmethod
    def marks(self) -> list[Mark]:
        """Return how far each replica's trajectory has come, after seeing to it that it is on the disk."""

    @abc.abstractmethod
    def changes(self, marks: Sequence[Mark]) -> list[str]:
        """Return a sentence for each trajectory that is not what it was at these marks; changes nothing."""

    @abc.abstractmethod
    def cut(self, marks: Sequence[Mark]) -> None:
        """Remove what was written after these marks."""

    def go_on(self, marks: Sequence[dict[str, Any]]) -> None:
        """Go back to marks that JSON has held.

        Raises InputError that lists what is missing, shorter than it was, or something else, before anything is
        touched.
        """
        known = [Mark(**mark) for mark in marks]
        wrong = self.changes(known)
        if wrong:
            raise InputError(
                f"cannot be continued: {listed(wrong)}; put back what was there, or begin anew with --overwrite"
            )
        self.cut(known)


class XyzTrajectories(AbstractTrajectories):
    """Extended xyz as ASE reads it: energies [eV], forces [eV/Å], momenta, step, time [fs] and temperature [K]."""

    def begin(self) -> None:
        """Write empty files."""
        for path in self.files:
            write_text(path, "")

    def append(self, stretches: Sequence[Stretch]) -> None:
        """Write further frames of each replica."""
        for path, stretch in zip(self.files, stretches, strict=True):
            text = StringIO()
            write(text, [self._atoms(stretch, k) for k in range(len(stretch.step))], format="extxyz")
            _append(path, text.getvalue().encode("utf-8"))

    def marks(self) -> list[Mark]:
        """Return the length of each file in bytes, known by its last bytes."""
        found = []
        for path in self.files:
            with writing(path), path.open("rb") as file:
                os.fsync(file.fileno())
                length = file.seek(0, os.SEEK_END)
                found.append(Mark(path.name, length, _digest_before(file, length)))
        return found

    def changes(self, marks: Sequence[Mark]) -> list[str]:
        """Return which files are missing, shorter than they were, or others."""
        return [said for path, mark in zip(self.files, marks, strict=True) if (said := _change(path, mark))]

    def cut(self, marks: Sequence[Mark]) -> None:
        """Shorten each file."""
        for path, mark in zip(self.files, marks, strict=True):
            with writing(path):
                os.truncate(path, mark.length)

    def _atoms(self, stretch: Stretch, k: int) -> Atoms:
        info = {
            "step": int(stretch.step[k]),
            "time_fs": float(stretch.time[k] / units.FEMTOSECOND),
            "temperature_k": float(stretch.temperature[k]),
        }
        atoms = Atoms(self.species, stretch.positions[k], masses=self.masses, info=info)
        atoms.set_velocities(stretch.velocities[k] * (units.FEMTOSECOND / ase_units.fs))
        atoms.calc = SinglePointCalculator(
            atoms,
            energy=float(stretch.potential[k]) / units.ELECTRONVOLT,
            forces=stretch.forces[k] / units.ELECTRONVOLT,
        )
        return atoms


class H5mdTrajectories(AbstractTrajectories):
    """HDF5 in the layout of H5MD (P. de Buyl et al., Comput. Phys. Commun. 2014, 185, 1546).

    Replica k stands in `particles/replica-k` and `observables/replica-k`, numbered from 1, of one file for all or of a
    file of its own; each data set states its unit.
    """

    def begin(self) -> None:
        """Write the files with data sets of no frames."""
        for path, replicas in self._replicas():
            made = BytesIO()
            with h5py.File(made, "w") as file:
                h5md = file.create_group("h5md")
                h5md.attrs["version"] = _H5MD_VERSION
                h5md.create_group("creator").attrs.update(name="ForgeField", version=version("forgefield"))
                h5md.create_group("author").attrs["name"] = "N/A"
                for k in replicas:
                    self._begin_replica(file, k)
            remove([journal_of(path)])
            write_bytes(path, made.getvalue())

    def append(self, stretches: Sequence[Stretch]) -> None:
        """Write further frames of each replica."""
        for path, replicas in self._replicas():
            with updated(path) as file:
                for k in replicas:
                    _append_frames(file, k, stretches[k])

    def marks(self) -> list[Mark]:
        """Return the number of frames of each replica, known by its atoms and its last frames."""
        found = []
        for path, replicas in self._replicas():
            with writing(path), path.open("rb") as file:
                os.fsync(file.fileno())
            with h5py.File(path, "r") as file:
                for k in replicas:
                    n = min(e["step"].shape[0] for e in _elements(file, k))
                    found.append(Mark(path.name, n, _digest_of(file, k, n)))
        return found

    def changes(self, marks: Sequence[Mark]) -> list[str]:
        """Return which files are missing, and which replicas have fewer frames than they had, or others."""
        return [said for path, replicas in self._replicas() for said in _changes(path, {k: marks[k] for k in replicas})]

    def cut(self, marks: Sequence[Mark]) -> None:
        """Shorten each data set."""
        for path, replicas in self._replicas():
            with updated(path) as file:
                for k in replicas:
                    for element in _elements(file, k):
                        for dataset in element.values():
                            dataset.resize(marks[k].length, axis=0)

    def _replicas(self) -> list[tuple[Path, range]]:
        """Return each file with the replicas that stand in it."""
        files = self.files
        if len(files) == 1:
            return [(files[0], range(self.n_replicas))]
        return [(path, range(k, k + 1)) for k, path in enumerate(files)]

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
    path: Path,
    species: Int[np.ndarray, " atoms"],
    masses: Float[np.ndarray, " atoms"],
    n_replicas: int,
    *,
    separate: bool = False,
) -> AbstractTrajectories:
    """Return the trajectories that a path means: .xyz and .extxyz, or .h5, .hdf5 and .h5md.

    Replicas have a file each in extended xyz, and in H5MD where they are `separate`. Raises InputError.
    """
    match path.suffix.lower():
        case ".xyz" | ".extxyz":
            return XyzTrajectories(path, species, masses, n_replicas)
        case ".h5" | ".hdf5" | ".h5md":
            return H5mdTrajectories(path, species, masses, n_replicas, separate)
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


def _append_frames(file: h5py.File, k: int, stretch: Stretch) -> None:
    """Write further frames of a replica."""
    arrays = {
        "position": stretch.positions,
        "velocity": stretch.velocities * units.FEMTOSECOND,
        "force": stretch.forces,
        "potential_energy": stretch.potential,
        "kinetic_energy": stretch.kinetic,
        "temperature": stretch.temperature,
    }
    for element in _elements(file, k):
        times = {"step": stretch.step, "time": stretch.time / units.FEMTOSECOND}
        for column, values in (times | {"value": arrays[Path(element.name).name]}).items():
            n = element[column].shape[0]
            element[column].resize(n + len(values), axis=0)
            element[column][n:] = values


def _changes(path: Path, marks: dict[int, Mark]) -> list[str]:
    """Return what is wrong with an HDF5 file that these marks of replicas were taken of."""
    if not path.is_file():
        return [f"{path} is missing"]
    finish_update(path)
    try:
        with h5py.File(path, "r") as file:
            found = {k: _digest_of(file, k, mark.length) for k, mark in marks.items()}
    except Exception as error:  # A damaged file fails wherever the library, or what it gives, stumbles.
        return [f"{path} is shorter than it was, or another file ({error})"]
    return [f"{path} holds another replica {k + 1}" for k, mark in marks.items() if mark.digest != found[k]]


def _append(path: Path, content: bytes) -> None:
    """Write to the end of a file, or nothing where there is no room for all. Raises WriteError."""
    with writing(path), path.open("r+b", buffering=0) as file:
        length = file.seek(0, os.SEEK_END)
        try:
            left = memoryview(content)
            while left:
                left = left[file.write(left) :]
        except OSError:
            file.truncate(length)
            raise


def _change(path: Path, mark: Mark) -> str:
    """Say what is wrong with a file that a mark was taken of; nothing where nothing is."""
    if not path.is_file():
        return f"{path} is missing"
    if path.name != mark.file:
        return f"{path} was named {mark.file}"
    with path.open("rb") as file:
        if file.seek(0, os.SEEK_END) < mark.length:
            return f"{path} is shorter than it was"
        return "" if _digest_before(file, mark.length) == mark.digest else f"{path} is another file than it was"


def _digest_before(file: BinaryIO, length: int) -> str:
    """Return the digest of the bytes before a place."""
    begin = max(length - _TAIL, 0)
    file.seek(begin)
    return hashlib.sha256(file.read(length - begin)).hexdigest()


def _digest_of(file: h5py.File, k: int, n: int) -> str:
    """Return the digest of the atoms of a replica and of the last of its first n frames."""
    digest = hashlib.sha256()
    particles: Any = file[f"particles/replica-{k + 1}"]
    for name in ("species", "mass"):
        digest.update(np.ascontiguousarray(particles[name][:]).tobytes())
    for element in _elements(file, k):
        for dataset in element.values():
            if dataset.shape[0] < n:
                raise ValueError(f"{dataset.name} has {dataset.shape[0]} frames instead of {n}")
        digest.update(np.ascontiguousarray(element["step"][max(n - _LAST_STEPS, 0) : n]).tobytes())
        digest.update(np.ascontiguousarray(element["value"][max(n - 1, 0) : n]).tobytes())
    return digest.hexdigest()
