"""Converts structures, and what QM said of them, from any format that is read to extended xyz or QCSchema."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from forgefield.errors import InputError
from forgefield.io.formats import Format, format_of
from forgefield.io.molecules import read_structures
from forgefield.io.outputs import new_outputs
from forgefield.io.qm.qcschema import write_qcschema
from forgefield.io.references import read_reference
from forgefield.io.structures.xyz import write_xyz
from forgefield.molecules.molecule import Molecule, Reference
from forgefield.report.numerals import fixed
from forgefield.table import Column, Records, Table, table

_STRUCTURES_ONLY = (Format.MAESTRO, Format.MOL2)
_LACKS = {
    ".xyz": ("bonds", "types", "formal charges", "Hessian", "frequencies"),
    ".json": ("types", "formal charges", "several structures"),
}
"""What the formats that are written cannot hold, of what a file may have."""
_SUFFIXES = {".xyz": ".xyz", ".extxyz": ".xyz", ".json": ".json"}


class Structure(NamedTuple):
    """A structure of a file, with what QM said of it as far as the file holds results."""

    molecule: Molecule
    reference: Reference

    def __repr__(self) -> str:
        return f"Structure({self.molecule!r}, {self.reference!r})"


Structures = Sequence[tuple[Molecule, Reference]]


def convert(source: Path, target: Path, *, drop: Iterable[str] = (), overwrite: bool = False) -> Records[Structure]:
    """Convert a file and return its structures; the suffix of `target` says the format.

    Raises InputError that names what the format cannot hold, such as bonds, unless `drop` names it too, and where
    `target` is the source, or there already and not to `overwrite`.
    """
    structures = read_with_results(source)
    write_structures(target, structures, drop=drop, overwrite=overwrite, read=[source])
    return structures


def read_with_results(path: Path) -> Records[Structure]:
    """Return the structures of a file with the QM results in it, each in the frame of its results."""
    molecules = read_structures(path)
    if format_of(path) in _STRUCTURES_ONLY:
        references = [_without_results(molecule) for molecule in molecules]
    else:
        references = read_reference([path])
    structures = [Structure(*both) for both in zip(molecules, references, strict=True)]
    return Records(structures, structures_table(structures, str(path)))


def structures_table(structures: Sequence[Structure], title: str) -> Table:
    """Return what is known of structures, a line each."""
    columns = (
        Column("structure", numeric=False),
        Column("formula", numeric=False),
        Column("atoms"),
        Column("bonds"),
        Column("charge"),
        Column("multiplicity"),
        Column("energy", "kcal/mol"),
        Column("results", numeric=False),
        Column("level", numeric=False),
    )
    rows = [
        (
            molecule.name,
            molecule.formula,
            str(molecule.n_atoms),
            str(len(molecule.bonds)),
            f"{molecule.charge:+d}" if molecule.charge else "0",
            str(molecule.multiplicity),
            fixed(reference.energy, 4),
            ", ".join(reference.contents) or "none",
            reference.level,
        )
        for molecule, reference in structures
    ]
    return table(title, columns, rows)


def write_structures(
    path: Path,
    structures: Structures,
    *,
    drop: Iterable[str] = (),
    overwrite: bool = False,
    read: Iterable[Path] = (),
) -> None:
    """Write structures as extended xyz (.xyz, .extxyz) or QCSchema (.json).

    Raises InputError that names what the format cannot hold, unless `drop` names it too; where the file is there
    already and not to `overwrite`; and where it is one that the structures were `read` from.
    """
    suffix = _SUFFIXES.get(path.suffix.lower())
    if suffix is None:
        raise InputError(f"{path}: structures are written as {', '.join(_SUFFIXES)}, not {path.suffix!r}")
    drop = tuple(drop)
    known = sorted({word for words in _LACKS.values() for word in words} - {"several structures"})
    unknown = [repr(word) for word in drop if word not in known]
    if unknown:
        raise InputError(f"{', '.join(unknown)} cannot be dropped, only {', '.join(known)}")
    lost = [what for what in _contents(structures) if what in _LACKS[suffix] and what not in drop]
    if lost:
        advice = "".join(f" --drop {what!r}" if " " in what else f" --drop {what}" for what in lost if what in known)
        leave = f"; leave out what can be with{advice}" if advice else ""
        raise InputError(f"{path}: a {suffix} file cannot hold {', '.join(lost)}{leave}")
    sources = (Path(name) for m, r in structures for name in (m.source, *r.sources) if name)
    with new_outputs([path], [*read, *sources], overwrite=overwrite):
        if suffix == ".xyz":
            write_xyz(path, [reference for _, reference in structures])
            return
        ((molecule, reference),) = structures
        write_qcschema(path, molecule, reference)


def _contents(structures: Structures) -> list[str]:
    """Return what structures have, of what a format may be unable to hold."""
    there = {
        "bonds": any(len(m.bonds) for m, _ in structures),
        "types": any(m.types is not None for m, _ in structures),
        "formal charges": any(m.formal_charges is not None and np.any(m.formal_charges) for m, _ in structures),
        "Hessian": any(r.hessian is not None for _, r in structures),
        "frequencies": any(r.frequencies is not None for _, r in structures),
        "several structures": len(structures) > 1,
    }
    return [what for what, is_there in there.items() if is_there]


def _without_results(molecule: Molecule) -> Reference:
    return Reference(
        species=molecule.species,
        positions=molecule.positions,
        charge=molecule.charge,
        multiplicity=molecule.multiplicity,
        sources=(molecule.source,) if molecule.source else (),
    )
