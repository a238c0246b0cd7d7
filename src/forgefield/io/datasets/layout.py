"""The layout of a data set in its HDF5 file, version 2; version 1 has neither lattices nor stresses.

| place | holds |
|---|---|
| `/` | attributes `format`, `schema` |
| `/molecules` | JSON: name, species, charge, multiplicity, bonds, orders, formal charges |
| `/teachers`, `/origins` | text, each once |
| `/records/*` | a row each: `key`, `molecule`, `teacher`, `origin`, `energy`, `directions` (how many) |
| `/records/lattice`, `/records/periodic` | lattice vectors, NaN of molecules; along which of them it is periodic |
| `/records/stress` | (1/V) ∂E/∂ε, tension positive; NaN where not known |
| `/records/atoms`, `/records/products` | which of the rows below are its first |
| `/atoms/*` | a row for each atom of each record: `positions`, `gradient`; `energy`, `charge`, NaN where not known |
| `/products/*` | a row for each atom and direction of each record: `directions`, `values` |
| `/failures/*` | a row each: `key`, `molecule`, `origin`, `atoms`, `reason` |
| `/failed_atoms/positions` | a row for each atom of each failure |

Numbers are in kcal/mol, Å and e; each data set says so in its attribute `unit`.
"""

import json
from dataclasses import dataclass
from typing import Any

import h5py
import numpy as np

from forgefield.molecules.molecule import Molecule

FORMAT, SCHEMA = "ForgeField data set", 2
_ROWS, _ATOM_ROWS = 512, 8192
"""Rows of a chunk."""
TEXT = h5py.string_dtype("utf-8")


@dataclass(frozen=True)
class Column:
    """One array of the file, that grows by rows."""

    place: str
    dtype: Any
    width: tuple[int, ...] = ()
    unit: str = ""
    fill: float = 0.0


PERIODIC = (
    Column("records/lattice", np.float64, (3, 3), "Å", np.nan),
    Column("records/periodic", np.uint8, (3,)),
    Column("records/stress", np.float64, (3, 3), "kcal/mol/Å³", np.nan),
)
"""Which version 1 lacks."""
COLUMNS = (
    Column("molecules", TEXT),
    Column("teachers", TEXT),
    Column("origins", TEXT),
    Column("records/key", np.uint8, (32,)),
    Column("records/molecule", np.int32),
    Column("records/teacher", np.int32),
    Column("records/origin", np.int32),
    Column("records/energy", np.float64, (), "kcal/mol"),
    Column("records/atoms", np.int64),
    Column("records/products", np.int64),
    Column("records/directions", np.int32),
    *PERIODIC,
    Column("atoms/positions", np.float64, (3,), "Å"),
    Column("atoms/gradient", np.float64, (3,), "kcal/mol/Å"),
    Column("atoms/energy", np.float64, (), "kcal/mol"),
    Column("atoms/charge", np.float64, (), "e"),
    Column("products/directions", np.float64, (3,)),
    Column("products/values", np.float64, (3,), "kcal/mol/Å²"),
    Column("failures/key", np.uint8, (32,)),
    Column("failures/molecule", np.int32),
    Column("failures/origin", np.int32),
    Column("failures/atoms", np.int64),
    Column("failures/reason", TEXT),
    Column("failed_atoms/positions", np.float64, (3,), "Å"),
)


def begin(file: h5py.File) -> None:
    """Lay out an empty data set."""
    file.attrs["format"], file.attrs["schema"] = FORMAT, SCHEMA
    for column in COLUMNS:
        _lay_out(file, column, 0)


def bring_up_to_date(file: h5py.File) -> None:
    """Add what an earlier version lacks."""
    if file.attrs["schema"] == SCHEMA:
        return
    energies = file["records/energy"]
    assert isinstance(energies, h5py.Dataset)
    for column in PERIODIC:
        _lay_out(file, column, energies.shape[0])
    file.attrs["schema"] = SCHEMA


def _lay_out(file: h5py.File, column: Column, n: int) -> None:
    """Begin a column of so many rows."""
    rows = _ATOM_ROWS if column.place.partition("/")[0] in ("atoms", "products", "failed_atoms") else _ROWS
    filling = {"fillvalue": column.fill} if column.fill else {}
    made = file.create_dataset(
        column.place,
        (n, *column.width),
        column.dtype,
        maxshape=(None, *column.width),
        chunks=(rows, *column.width),
        **filling,
    )
    if column.unit:
        made.attrs["unit"] = column.unit


def add(file: h5py.File, place: str, rows: Any) -> int:
    """Add rows to an array of the file and return the place of the first."""
    array = file[place]
    assert isinstance(array, h5py.Dataset)
    before = array.shape[0]
    if len(rows):
        array.resize(before + len(rows), axis=0)
        array[before:] = rows
    return before


def described(molecule: Molecule) -> str:
    """Return what a molecule is, but for its positions, as one line of JSON."""
    formal = molecule.formal_charges
    return json.dumps(
        {
            "name": molecule.name,
            "species": np.asarray(molecule.species).tolist(),
            "charge": int(molecule.charge),
            "multiplicity": int(molecule.multiplicity),
            "bonds": np.asarray(molecule.bonds).tolist(),
            "orders": np.asarray(molecule.orders).tolist(),
            "formal_charges": None if formal is None else np.asarray(formal).tolist(),
            "n_pieces": molecule.n_pieces,
        },
        ensure_ascii=False,
    )


def molecule_of(text: str) -> Molecule:
    """Return the molecule of a description, all atoms at the origin."""
    said = json.loads(text)
    species = np.array(said["species"], np.int64)
    formal = said["formal_charges"]
    return Molecule(
        name=said["name"],
        species=species,
        positions=np.zeros((len(species), 3)),
        bonds=np.array(said["bonds"], np.int64).reshape(-1, 2),
        orders=np.array(said["orders"], np.float64),
        charge=said["charge"],
        multiplicity=said["multiplicity"],
        formal_charges=None if formal is None else np.array(formal, np.int64),
        n_pieces=said["n_pieces"],
    )
