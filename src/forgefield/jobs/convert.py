"""Converts structures with what QM said of them, and force fields, from any format that is read to any written."""

from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np

from forgefield.assign.explicit.library import AbstractLibrary
from forgefield.assign.explicit.rules import AbstractStatedRules
from forgefield.assign.mm3.rules import Mm3Rules
from forgefield.assign.rules import AbstractRules
from forgefield.assign.typed_rules import TypedRules
from forgefield.errors import InputError
from forgefield.io.assemble.consistency import checked
from forgefield.io.assemble.merge import merged
from forgefield.io.assemble.parts import molecule as molecule_of
from forgefield.io.format import Format, LaidWriter, Structure, Structures
from forgefield.io.formats import NATIVE, force_fields, format_of, suffixes, written_force_field, written_structures
from forgefield.io.molecules import read_structures
from forgefield.io.outputs import new_outputs
from forgefield.io.references import read_parts
from forgefield.io.rules import load, parts_of, write_laid
from forgefield.io.sources import is_smiles
from forgefield.io.structures.atom_types import find_atom_types
from forgefield.jobs.convert_systems import Converted, convert_to_engine
from forgefield.molecules.molecule import Molecule, Reference
from forgefield.report.numerals import fixed
from forgefield.table import Column, Records, Table, table

_SEVERAL = "several structures"


def convert(
    source: Path, target: Path, *, drop: Iterable[str] = (), overwrite: bool = False, trust: bool = False
) -> Records[Structure]:
    """Convert a file and return its structures; the suffix of `target` says the format.

    With `trust` results that contradict their job are warnings.
    Raises InputError that names what the format cannot hold, such as bonds, unless `drop` names it too, and where
    `target` is the source, or there already and not to `overwrite`.
    """
    structures = read_with_results(source, trust=trust)
    write_structures(target, structures, drop=drop, overwrite=overwrite, read=[source])
    return structures


def read_with_results(path: Path, *, trust: bool = False) -> Records[Structure]:
    """Return the structures of a file with the QM results in it, each in the frame of its results."""
    kind = format_of(path)
    if kind.molecules is None and kind.has_geometry:
        parts = read_parts(path)
        references = [checked(merged([part]), trust=trust) for part in parts]
        molecules = [molecule_of(part) for part in parts]
    else:
        molecules = read_structures(path)
        references = [_without_results(molecule) for molecule in molecules]
    structures = [Structure(*both) for both in zip(molecules, references, strict=True)]
    return Records(structures, structures_table(structures, f"{path} ({kind.name})"))


def held(structures: Structures) -> list[str]:
    """Return what a file held, each thing once: bonds, types, energy, Hessian, … and the levels of theory."""
    levels = [f"at {reference.level}" for _, reference in structures if reference.level]
    return list(dict.fromkeys([*_contents(structures), *levels]))


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
    form = next((one for one in written_structures() if path.suffix.lower() in one.suffixes), None)
    if form is None or form.write_structures is None:
        known = ", ".join(suffixes(written_structures()))
        raise InputError(f"{path}: structures are written as {known}, not {path.suffix!r}")
    drop = tuple(drop)
    lost = _lost(form, structures, drop)
    if lost:
        known = _droppable()
        advice = "".join(f" --drop {what!r}" if " " in what else f" --drop {what}" for what in lost if what in known)
        leave = f"; leave out what can be with{advice}" if advice else ""
        raise InputError(f"{path}: a {form.suffixes[0]} file cannot hold {', '.join(lost)}{leave}")
    sources = (Path(name) for m, r in structures for name in (m.source, *r.sources) if name)
    with new_outputs([path], [*read, *sources], overwrite=overwrite):
        form.write_structures(path, structures)


def is_force_field(path: Path) -> bool:
    """Return whether a path is a force field, or the folder of a fit. Raises InputError for unknown formats."""
    if (not is_smiles(path) and path.is_dir()) or len(files := parts_of(path)) > 1:
        return True
    return format_of(files[0]) in force_fields()


def convert_force_field(
    source: Path, target: Path, *, over: Iterable[Path] = (), approximate: bool = False, overwrite: bool = False
) -> Converted:
    """Convert a force field and return the files with what is worth saying; the suffix of `target` says the format.

    The native format (.json), and .fld where it comes from an MM3* file, hold it as it is; others as it is laid `over`
    structures. With `approximate` files of engines leave out what they cannot hold, and what is returned names it.
    Raises InputError for what the format cannot hold, and where `target` is an input, or there already and
    not to `overwrite`.
    """
    rules, files = load(source), list(over)
    form = written_force_field(target)
    if form is None or not (form.write_rules or form.write_laid):
        known = ", ".join(suffixes(one for one in force_fields() if one.write_rules or one.write_laid))
        raise InputError(f"{target}: force fields are written as {known}, not {target.suffix!r}")
    _require_possible(rules, form, source, target, files)
    if isinstance(rules, AbstractLibrary):
        rules, files = rules.over(read_structures(files[0])[0]), files[1:]
    if form.system is not None and (form.of_one or isinstance(rules, AbstractStatedRules)):
        read = [source, *(over if isinstance(rules, AbstractStatedRules) else files)]
        return convert_to_engine(rules, form.system, target, read, approximate=approximate, overwrite=overwrite)
    if approximate:
        raise InputError(f"{target}: {form.name} is not written approximately (--approximate); files of engines are")
    laid = form.lays_mm3 if isinstance(rules, Mm3Rules) else form is not NATIVE
    if isinstance(rules, TypedRules | Mm3Rules) and laid and form.write_laid is not None:
        return _converted_over(rules, form.write_laid, target, [source, *files], overwrite)
    if form.write_rules is None or form.system is not None:
        raise InputError(f"{target}: {form.name} holds rows by types, which {source} does not have; write it as .json")
    if files:
        raise InputError(f"{target}: {form.name} holds the force field as it is, without structures; name none")
    with new_outputs([target], [source], overwrite=overwrite):
        form.write_rules(target, rules)
    return Converted([target], [])


def _require_possible(rules: AbstractRules, form: Format, source: Path, target: Path, files: list[Path]) -> None:
    """Raise InputError where a library has no structure, or the format does not hold what states every interaction."""
    if isinstance(rules, AbstractLibrary) and not files:
        raise InputError(
            f"{target}: {source} has rows for any molecule; name a structure that it is laid over (--over)"
        )
    if isinstance(rules, AbstractLibrary | AbstractStatedRules) and form is not NATIVE and not form.holds_systems:
        known = ", ".join(suffixes(one for one in force_fields() if one.holds_systems))
        raise InputError(f"{target}: {form.name} holds no such force field as {source}; write it as .json, {known}")


def _converted_over(
    rules: TypedRules | Mm3Rules, write: LaidWriter, target: Path, read: list[Path], overwrite: bool
) -> Converted:
    """Write a force field as it is laid over the structures of the files that follow its own."""
    source, *files = read
    if not files:
        raise InputError(
            f"{target}: such a file says of which molecules its types are; name structures that {source} is laid over "
            "(--over)"
        )
    known = find_atom_types([*files, source])
    molecules = [rules.typing(molecule) for path in files for molecule in read_structures(path, atom_types=known)]
    laid = rules.assign(molecules)
    written = write_laid(target, write, laid, molecules, read, overwrite=overwrite)
    n = rules.unused(laid) if isinstance(rules, TypedRules) else 0
    unused = f"{n} row(s) of {source} are used by none of the structures and are left out"
    return Converted(written, [unused] if n > 0 else [])


def _lost(form: Format, structures: Structures, drop: tuple[str, ...]) -> list[str]:
    """Return what of structures a format would lose that is not to be dropped. Raises InputError for unknown words."""
    known = _droppable()
    unknown = [repr(word) for word in drop if word not in known]
    if unknown:
        raise InputError(f"{', '.join(unknown)} cannot be dropped, only {', '.join(known)}")
    return [what for what in _contents(structures) if what in form.lacks and what not in drop]


def _droppable() -> list[str]:
    return sorted({word for one in written_structures() for word in one.lacks} - {_SEVERAL})


def _contents(structures: Structures) -> list[str]:
    """Return what structures have, of what a format may be unable to hold."""
    there = {
        "bonds": any(len(m.bonds) for m, _ in structures),
        "types": any(m.types is not None for m, _ in structures),
        "formal charges": any(m.formal_charges is not None and np.any(m.formal_charges) for m, _ in structures),
        _SEVERAL: len(structures) > 1,
    }
    results = [what for _, reference in structures for what in reference.contents]
    return list(dict.fromkeys([*(what for what, is_there in there.items() if is_there), *results]))


def _without_results(molecule: Molecule) -> Reference:
    return Reference(
        species=molecule.species,
        positions=molecule.positions,
        charge=molecule.charge,
        multiplicity=molecule.multiplicity,
        masses=molecule.masses,
        sources=(molecule.source,) if molecule.source else (),
    )
