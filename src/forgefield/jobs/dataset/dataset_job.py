"""Data sets made of other files, merged, split, and told of in a table."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path

import numpy as np
from rdkit import Chem
from rdkit.Chem.Scaffolds import MurckoScaffold

from forgefield.errors import InputError
from forgefield.io.datasets.data_set import append, begin_data_set, overview, read_failures, read_records
from forgefield.io.datasets.importers import imported
from forgefield.io.datasets.records import Record
from forgefield.io.datasets.splits import WAYS, drawn, splits, write_split
from forgefield.io.outputs import new_outputs
from forgefield.molecules.molecule import Molecule
from forgefield.table import Column, Table, table

_AT_ONCE = 1024
"""Records that are written together."""


def import_files(files: Sequence[Path], data: Path, *, overwrite: bool = False) -> tuple[int, int]:
    """Write the labelled structures of files as a data set; return how many, and how many were there twice.

    Raises InputError where a file holds none.
    """
    return _written((record for file in files for record in imported(file)), files, data, overwrite=overwrite)


def merge(sets: Sequence[Path], data: Path, *, overwrite: bool = False) -> tuple[int, int]:
    """Write the records of data sets, and their failures, as one; return how many, and how many were there twice.

    Raises InputError where their labels are of different teachers.
    """
    teachers = {text for path in sets for text in overview(path).teachers}
    if len(teachers) > 1:
        raise InputError(f"the data sets hold labels of {len(teachers)} teachers: {'; '.join(sorted(teachers))}")
    counts = _written((record for path in sets for record in read_records(path)), sets, data, overwrite=overwrite)
    append(data, [], [failure for path in sets for failure in read_failures(path)])
    return counts


def _written(records: Iterable[Record], inputs: Sequence[Path], data: Path, *, overwrite: bool) -> tuple[int, int]:
    waiting = data.with_name(f"{data.name}.part")
    known: set[bytes] = set()
    n_twice = 0

    def new() -> Iterator[Record]:
        nonlocal n_twice
        for record in records:
            if record.key in known:
                n_twice += 1
            else:
                known.add(record.key)
                yield record

    with new_outputs([data], inputs, overwrite=overwrite):
        try:
            begin_data_set(waiting)
            stream = new()
            while block := list(islice(stream, _AT_ONCE)):
                append(waiting, block)
            if not known:
                raise InputError(f"{', '.join(map(str, inputs))}: hold no labelled structure")
            waiting.replace(data)
        finally:
            waiting.unlink(missing_ok=True)
    return len(known), n_twice


def split(path: Path, name: str, way: str, shares: tuple[float, float], seed: int) -> dict[str, int]:
    """Draw a split, keep it in the data set, and return the number of records of its parts.

    Raises InputError where shares make no sense, or a part would be empty.
    """
    if way not in WAYS:
        raise InputError(f"a data set is split by {', '.join(WAYS)}, not by {way!r}")
    if min(shares) < 0.0 or sum(shares) >= 1.0:
        raise InputError(f"the shares of validation and test are {shares[0]:g} and {shares[1]:g}; they leave nothing")
    found = overview(path)
    scaffolds = [scaffold(molecule) for molecule in found.molecules] if way == "scaffold" else []
    parts = drawn(found, way, shares, seed, scaffolds)
    how = {"by": way, "seed": seed, "validation": shares[0], "test": shares[1]}
    sizes = {"training": 0, "validation": 0, "test": 0} | {
        part: int(np.sum(parts == k)) for k, part in enumerate(("training", "validation", "test"))
    }
    wanted = {"training": 1.0, "validation": shares[0], "test": shares[1]}
    if empty := [part for part, n in sizes.items() if n == 0 and wanted[part] > 0.0]:
        raise InputError(
            f"{path}: split by {way}, nothing is left for {' and '.join(empty)}; there are {len(found)} records of "
            f"{len(found.molecules)} molecules: split by structure, or ask for other shares"
        )
    write_split(path, name, parts, how)
    return sizes


def scaffold(molecule: Molecule) -> str:
    """Return the rings of a molecule with what links them (Bemis and Murcko 1996) as SMILES; its formula without."""
    editable = Chem.RWMol()
    for z in molecule.species.tolist():
        editable.AddAtom(Chem.Atom(int(z)))
    for i, j in molecule.bonds.tolist():
        editable.AddBond(int(i), int(j), Chem.BondType.SINGLE)
    Chem.GetSymmSSSR(editable)
    core = MurckoScaffold.MakeScaffoldGeneric(MurckoScaffold.GetScaffoldForMol(editable.GetMol()))
    return Chem.MolToSmiles(core) or molecule.formula


def described(path: Path) -> Table:
    """Return what a data set holds as a table. Raises InputError."""
    found = overview(path)
    columns = (
        Column("molecule", numeric=False),
        Column("atoms"),
        Column("charge"),
        Column("structures"),
        Column("lowest energy", "kcal/mol"),
        Column("range", "kcal/mol"),
        Column("Hessian products"),
    )
    rows = []
    for k, molecule in enumerate(found.molecules):
        own = found.molecule == k
        if own.any():
            energies = found.energy[own]
            cells = (str(molecule.n_atoms), f"{molecule.charge:+d}" if molecule.charge else "0", str(int(own.sum())))
            numbers = (f"{energies.min():.2f}", f"{np.ptp(energies):.1f}", str(int(found.n_directions[own].sum())))
            rows.append((molecule.name, *cells, *numbers))
    told = [f"{len(found)} structures of {len(rows)} molecules, {found.n_failures} failed"]
    if (periodic := found.periodic).any():
        volumes = np.abs(np.linalg.det(found.lattice[periodic]))
        told.append(
            f"{periodic.sum()} periodic, volumes of {volumes.min():.1f} to {volumes.max():.1f} Å³, "
            f"{found.stressed.sum()} with a stress"
        )
    told += [f"by {teacher}" for teacher in found.teachers if teacher]
    if any('"allow_nonconservative": true' in teacher for teacher in found.teachers):
        told.append("forces were allowed to be no slope of an energy")
    told += [
        f"split {name!r} by {how['by']}: {how['training']} training, {how['validation']} validation, {how['test']} test"
        for name, how in splits(path).items()
    ]
    return table(str(path), columns, rows, note="\n".join(told))
