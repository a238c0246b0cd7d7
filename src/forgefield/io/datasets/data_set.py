"""A data set in its file: begun, added to wholly or not at all, and read."""

import io
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from jaxtyping import Bool, Float, Int, UInt8

from forgefield.errors import InputError
from forgefield.io.datasets.layout import FORMAT, PERIODIC, SCHEMA, add, begin, bring_up_to_date, described, molecule_of
from forgefield.io.datasets.records import Failure, Record
from forgefield.io.hdf5_updates import finish_update, updated
from forgefield.io.outputs import write_bytes
from forgefield.molecules.lattice import Lattice
from forgefield.molecules.molecule import AtomicCharges, HessianProducts, Molecule, Reference

_UNKNOWN = np.full((3, 3), np.nan)


def begin_data_set(path: Path) -> None:
    """Write an empty data set. Raises WriteError."""
    buffer = io.BytesIO()
    with h5py.File(buffer, "w") as file:
        begin(file)
    write_bytes(path, buffer.getvalue())


def append(path: Path, records: Sequence[Record], failures: Sequence[Failure] = ()) -> None:
    """Add records and failures; a kill leaves all of them in the file or none. Raises InputError, or WriteError."""
    if not records and not failures:
        return
    with opened(path):
        pass
    with updated(path) as file:
        bring_up_to_date(file)
        known = {place: _texts(file, place) for place in ("molecules", "teachers", "origins")}
        _add_records(file, records, known)
        _add_failures(file, failures, known)


@contextmanager
def opened(path: Path) -> Iterator[h5py.File]:
    """Yield the file of a data set to read from. Raises InputError where it is none, or of a later version."""
    if not path.is_file():
        raise InputError(f"{path}: there is no such file")
    finish_update(path)
    try:
        file = h5py.File(path, "r")
    except OSError as error:
        if h5py.is_hdf5(path):
            raise InputError(f"{path}: cannot be read as HDF5 ({error}); is it cut?") from None
        makes = "`forgefield label` and `forgefield dataset import` make one"
        raise InputError(f"{path}: is no data set, which is a file of HDF5 (.h5); {makes}") from None
    with file:
        if file.attrs.get("format") != FORMAT:
            raise InputError(f"{path}: is no ForgeField data set; `forgefield dataset import` makes one of other files")
        if file.attrs["schema"] not in range(1, SCHEMA + 1):
            raise InputError(f"{path}: is a data set of version {file.attrs['schema']}; this program reads {SCHEMA}")
        yield file


def keys(path: Path) -> tuple[set[bytes], set[bytes]]:
    """Return the keys of the records of a data set and those of its failures. Raises InputError."""
    with opened(path) as file:
        records, failures = (
            {row.tobytes() for row in np.asarray(file[place])} for place in ("records/key", "failures/key")
        )
    return records, failures


@dataclass(frozen=True, eq=False)
class Overview:
    """The columns of a data set with a row for each record, and what they refer to."""

    molecules: tuple[Molecule, ...]
    """All atoms at the origin."""
    teachers: tuple[str, ...]
    origins: tuple[str, ...]
    key: UInt8[np.ndarray, "records 32"]
    molecule: Int[np.ndarray, " records"]
    teacher: Int[np.ndarray, " records"]
    origin: Int[np.ndarray, " records"]
    energy: Float[np.ndarray, " records"]
    """kcal/mol"""
    n_atoms: Int[np.ndarray, " records"]
    n_directions: Int[np.ndarray, " records"]
    lattice: Float[np.ndarray, "records 3 3"]
    """Å; NaN of molecules."""
    stressed: Bool[np.ndarray, " records"]
    """Which have a stress."""
    n_failures: int

    @property
    def periodic(self) -> Bool[np.ndarray, " records"]:
        """Which are periodic."""
        return ~np.isnan(self.lattice[:, 0, 0])

    def __len__(self) -> int:
        return len(self.energy)


def overview(path: Path) -> Overview:
    """Return what a data set holds, but for its rows of atoms. Raises InputError."""
    with opened(path) as file:
        molecules = tuple(molecule_of(text) for text in _texts(file, "molecules"))
        sizes = np.array([m.n_atoms for m in molecules], np.int64)
        molecule = _rows(file, "records/molecule")
        return Overview(
            molecules=molecules,
            teachers=tuple(_texts(file, "teachers")),
            origins=tuple(_texts(file, "origins")),
            key=_rows(file, "records/key"),
            molecule=molecule,
            teacher=_rows(file, "records/teacher"),
            origin=_rows(file, "records/origin"),
            energy=_rows(file, "records/energy"),
            n_atoms=sizes[molecule] if len(molecule) else sizes[:0],
            n_directions=_rows(file, "records/directions"),
            lattice=_rows(file, "records/lattice"),
            stressed=~np.isnan(_rows(file, "records/stress")[:, 0, 0]),
            n_failures=len(_rows(file, "failures/molecule")),
        )


def read_records(path: Path, chosen: Sequence[int] | Int[np.ndarray, " chosen"] | None = None) -> Iterator[Record]:
    """Yield records, all or the chosen ones in the order given, one in memory at once. Raises InputError."""
    with opened(path) as file:
        n = len(_rows(file, "records/molecule"))
        wanted = np.arange(n) if chosen is None else np.asarray(chosen, np.int64)
        if len(wanted) and (wanted.min() < 0 or wanted.max() >= n):
            raise InputError(f"{path}: has {n} records; there is no record {int(wanted.max()) + 1}")
        yield from _read(_Told.of(file), wanted)


@contextmanager
def reading(path: Path) -> Iterator[Callable[[Sequence[int] | Int[np.ndarray, " chosen"]], list[Record]]]:
    """Yield what returns chosen records of a data set that stays open. Raises InputError."""
    with opened(path) as file:
        told = _Told.of(file)
        yield lambda chosen: list(_read(told, np.asarray(chosen, np.int64)))


def read_failures(path: Path) -> list[Failure]:
    """Return the structures without a label. Raises InputError."""
    with opened(path) as file:
        told = _Told.of(file)
        start, keys_, reasons = (
            _rows(file, "failures/atoms"),
            _rows(file, "failures/key"),
            _texts(file, "failures/reason"),
        )
        of, origin = _rows(file, "failures/molecule"), _rows(file, "failures/origin")
        found = []
        for k, reason in enumerate(reasons):
            molecule = told.molecules[of[k]]
            positions = np.asarray(_array(file, "failed_atoms/positions")[start[k] : start[k] + molecule.n_atoms])
            found.append(
                Failure(replace(molecule, positions=positions), told.origins[origin[k]], keys_[k].tobytes(), reason)
            )
    return found


@dataclass(frozen=True, eq=False)
class _Told:
    """What rows of records refer to, and the rows."""

    molecules: tuple[Molecule, ...]
    teachers: tuple[str, ...]
    origins: tuple[str, ...]
    rows: dict[str, np.ndarray]
    atoms: tuple[h5py.Dataset, ...]
    """Positions, gradients, energies and charges."""
    products: tuple[h5py.Dataset, ...]
    """Directions and values."""

    @staticmethod
    def of(file: h5py.File) -> "_Told":
        names = ("key", "molecule", "teacher", "origin", "energy", "atoms", "products", "directions")
        names += ("lattice", "periodic", "stress")
        return _Told(
            tuple(molecule_of(text) for text in _texts(file, "molecules")),
            tuple(_texts(file, "teachers")),
            tuple(_texts(file, "origins")),
            {name: _rows(file, f"records/{name}") for name in names},
            tuple(_array(file, f"atoms/{name}") for name in ("positions", "gradient", "energy", "charge")),
            tuple(_array(file, f"products/{name}") for name in ("directions", "values")),
        )


def _read(told: _Told, chosen: Int[np.ndarray, " chosen"]) -> Iterator[Record]:
    """Yield chosen records."""
    rows = told.rows
    for k in chosen.tolist():
        molecule = told.molecules[rows["molecule"][k]]
        atoms = slice(rows["atoms"][k], rows["atoms"][k] + molecule.n_atoms)
        positions, gradient, each, charge = (np.asarray(array[atoms]) for array in told.atoms)
        here = replace(molecule, positions=positions)
        teacher = told.teachers[rows["teacher"][k]]
        label = Reference(
            species=molecule.species,
            positions=positions,
            energy=float(rows["energy"][k]),
            gradient=gradient,
            charge=molecule.charge,
            multiplicity=molecule.multiplicity,
            charges=() if np.isnan(charge).any() else (AtomicCharges("mulliken", charge),),
            products=_products(told, k, molecule.n_atoms),
            atomic_energies=None if np.isnan(each).any() else each,
            lattice=_lattice(rows, k),
            stress=None if np.isnan(rows["stress"][k]).any() else rows["stress"][k],
        )
        yield Record(here, label, teacher, told.origins[rows["origin"][k]], rows["key"][k].tobytes())


def _lattice(rows: dict[str, np.ndarray], k: int) -> Lattice | None:
    if np.isnan(rows["lattice"][k]).any():
        return None
    a, b, c = (bool(along) for along in rows["periodic"][k])
    return Lattice(rows["lattice"][k], (a, b, c))


def _products(told: _Told, k: int, n_atoms: int) -> HessianProducts | None:
    n = int(told.rows["directions"][k])
    if n == 0:
        return None
    first = told.rows["products"][k]
    part = slice(first, first + n * n_atoms)
    return HessianProducts(*(np.asarray(array[part]).reshape(n, n_atoms, 3) for array in told.products))


def _add_records(file: h5py.File, records: Sequence[Record], known: dict[str, list[str]]) -> None:
    if not records:
        return
    labels = [record.label for record in records]
    sizes = [record.molecule.n_atoms for record in records]
    n_directions = [0 if label.products is None else len(label.products.directions) for label in labels]
    first = add(file, "atoms/positions", np.concatenate([record.molecule.positions for record in records]))
    add(file, "atoms/gradient", np.concatenate([_given(label.gradient) for label in labels]))
    add(
        file,
        "atoms/energy",
        np.concatenate([_or_nan(r.label.atomic_energies, n) for r, n in zip(records, sizes, strict=True)]),
    )
    charges = [label.charges[0].values if label.charges else None for label in labels]
    add(file, "atoms/charge", np.concatenate([_or_nan(c, n) for c, n in zip(charges, sizes, strict=True)]))
    products = [label.products for label in labels if label.products is not None]
    rows = [
        np.concatenate([getattr(p, name).reshape(-1, 3) for p in products]) if products else np.zeros((0, 3))
        for name in ("directions", "values")
    ]
    first_product = add(file, "products/directions", rows[0])
    add(file, "products/values", rows[1])
    n_rows = [n * size for n, size in zip(n_directions, sizes, strict=True)]
    columns = {
        "key": np.array([np.frombuffer(record.key, np.uint8) for record in records]),
        "molecule": _places(file, known, "molecules", [described(record.molecule) for record in records]),
        "teacher": _places(file, known, "teachers", [record.teacher for record in records]),
        "origin": _places(file, known, "origins", [record.origin for record in records]),
        "energy": np.array([_given(label.energy) for label in labels]),
        "atoms": first + _starts(sizes),
        "products": first_product + _starts(n_rows),
        "directions": np.array(n_directions),
        "lattice": np.array([_UNKNOWN if (cell := label.lattice) is None else cell.vectors for label in labels]),
        "periodic": np.array([(0, 0, 0) if (cell := label.lattice) is None else cell.periodic for label in labels]),
        "stress": np.array([_UNKNOWN if label.stress is None else label.stress for label in labels]),
    }
    for name, values in columns.items():
        add(file, f"records/{name}", values)


def _add_failures(file: h5py.File, failures: Sequence[Failure], known: dict[str, list[str]]) -> None:
    if not failures:
        return
    sizes = [failure.molecule.n_atoms for failure in failures]
    first = add(file, "failed_atoms/positions", np.concatenate([failure.molecule.positions for failure in failures]))
    columns = {
        "key": np.array([np.frombuffer(failure.key, np.uint8) for failure in failures]),
        "molecule": _places(file, known, "molecules", [described(failure.molecule) for failure in failures]),
        "origin": _places(file, known, "origins", [failure.origin for failure in failures]),
        "atoms": first + _starts(sizes),
        "reason": [failure.reason for failure in failures],
    }
    for name, values in columns.items():
        add(file, f"failures/{name}", values)


def _places(file: h5py.File, known: dict[str, list[str]], place: str, texts: Sequence[str]) -> Int[np.ndarray, " _"]:
    """Return where texts stand in a column, to which new ones are added."""
    where = {text: k for k, text in enumerate(known[place])}
    new = [text for text in dict.fromkeys(texts) if text not in where]
    add(file, place, new)
    known[place] += new
    where |= {text: len(where) + k for k, text in enumerate(new)}
    return np.array([where[text] for text in texts])


def _starts(sizes: Sequence[int]) -> Int[np.ndarray, " _"]:
    return np.cumsum([0, *sizes[:-1]])


def _given(value: Any) -> Any:
    if value is None:
        raise InputError("a record of a data set has an energy and a gradient")
    return value


def _or_nan(values: Float[np.ndarray, " atoms"] | None, n: int) -> Float[np.ndarray, " atoms"]:
    return np.full(n, np.nan) if values is None else values


def _array(file: h5py.File, place: str) -> h5py.Dataset:
    found = file[place]
    assert isinstance(found, h5py.Dataset)
    return found


def _rows(file: h5py.File, place: str) -> np.ndarray:
    """Return a column; of an earlier version that lacks it, what is not known."""
    lacking = next((column for column in PERIODIC if column.place == place and place not in file), None)
    if lacking is None:
        return np.asarray(_array(file, place))
    n = _array(file, "records/energy").shape[0]
    return np.full((n, *lacking.width), lacking.fill, lacking.dtype)


def _texts(file: h5py.File, place: str) -> list[str]:
    return [text.decode() for text in _rows(file, place).tolist()]
