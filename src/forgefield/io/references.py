"""Reads QM references: finds their files, merges those of one structure, checks them, pairs them with molecules."""

from collections.abc import Sequence
from dataclasses import replace
from glob import glob
from pathlib import Path
from warnings import warn

from forgefield import units
from forgefield.errors import InputError, InputWarning
from forgefield.io.assemble.consistency import checked
from forgefield.io.assemble.merge import merged
from forgefield.io.assemble.parts import Part, alike, part_of
from forgefield.io.assemble.superposition import same_structure
from forgefield.io.format import Format
from forgefield.io.formats import format_of
from forgefield.io.sources import is_smiles
from forgefield.io.structures.coordinates.bare import WITHOUT_ELEMENTS
from forgefield.molecules.molecule import Molecule, Reference


def read_files(paths: Sequence[Path], *, trust: bool = False) -> list[Reference]:
    """Return the references of listed files: those of one format in sorted order, those of different formats merged.

    Raises InputError where the formats have different numbers of files, and whatever `read_reference` raises.
    """
    columns: dict[Format, list[Path]] = {}
    for path in sorted(paths):
        columns.setdefault(format_of(path), []).append(path)
    if not columns:
        raise InputError("no reference files are given")
    return read_columns(list(columns.values()), trust=trust)


def read_columns(
    columns: Sequence[Sequence[Path]], *, hessian_unit: float | None = None, trust: bool = False
) -> list[Reference]:
    """Return the references of files in columns: the files of a row are of one structure, or of one list of frames.

    `hessian_unit` is as in `read_reference`. Raises InputError where columns have different numbers of files, and
    whatever `read_reference` raises.
    """
    if len({len(files) for files in columns}) > 1:
        lists = "\n".join(f"  {len(files)}: " + ", ".join(map(str, files)) for files in columns)
        raise InputError(f"files to be merged must be as many of each kind; found\n{lists}")
    return [
        reference
        for group in zip(*columns, strict=True)
        for reference in read_reference(group, hessian_unit=hessian_unit, trust=trust)
    ]


def read_reference(paths: Sequence[Path], *, hessian_unit: float | None = None, trust: bool = False) -> list[Reference]:
    """Return the references of files that describe one structure, or of the frames of an xyz file or a relaxed scan.

    Gradient and Hessian are checked against the geometry, what the job says of it, the printed frequencies and what
    molecules can have. `hessian_unit` is that [kcal/mol/Å²] of Hessians whose format states none, by default
    Hartree/Bohr². Raises InputError where files cannot be read or merged, where all formats state a unit that is given,
    and where results contradict their job; with `trust` the latter are warnings.
    """
    parts = [read_parts(path) for path in paths]
    if hessian_unit is not None:
        parts = _in_unit(paths, parts, hessian_unit)
    parts = _of_one_structure(paths, parts)
    if len({len(frames) for frames in parts}) > 1:
        counts = ", ".join(f"{len(frames)} in {path}" for path, frames in zip(paths, parts, strict=True))
        raise InputError(f"files of different numbers of structures cannot be merged: {counts}")
    return [checked(merged(frame), trust=trust) for frame in zip(*parts, strict=True)]


def _of_one_structure(paths: Sequence[Path], parts: Sequence[list[Part]]) -> list[list[Part]]:
    """Return parts, of a file of several structures the only one that is that of the others, where these have one."""
    alone = next((found[0] for found in parts if len(found) == 1 and found[0].positions is not None), None)
    chosen = []
    for path, found in zip(paths, parts, strict=True):
        same = [] if alone is None or len(found) == 1 else [one for one in found if alike(one, alone)]
        if len(same) == 1:
            said = f"{path}: of its {len(found)} structures only {same[0].name} is that of the other files, and read"
            warn(InputWarning(said), stacklevel=3)
        chosen.append(same if len(same) == 1 else found)
    return chosen


def _in_unit(paths: Sequence[Path], parts: Sequence[list[Part]], unit: float) -> list[list[Part]]:
    """Return parts with Hessians in another unit than Hartree/Bohr² where the format leaves it open."""
    is_open = [not format_of(path).states_unit for path in paths]
    if not any(is_open):
        files = ", ".join(map(str, paths))
        raise InputError(f"{files}: state the unit of their Hessians themselves; leave hessian_unit out")
    factors = [unit / units.HARTREE_PER_BOHR2 if open_ else 1.0 for open_ in is_open]
    return [
        [replace(one, hessian=None if one.hessian is None else one.hessian * factor) for one in found]
        for found, factor in zip(parts, factors, strict=True)
    ]


def pair(molecule: Molecule, reference: Reference) -> Reference:
    """Return the reference after checking that it is of the molecule's atoms, order and geometry.

    The frame stays that of the reference. Raises InputError that lists the atoms that differ.
    """
    names = (molecule.source or molecule.name, ", ".join(reference.sources) or "the reference")
    same_structure(molecule, reference, names)
    return reference


def read_parts(path: Path) -> list[Part]:
    """Return what a file says of its structures. Raises InputError where its format holds neither these nor results."""
    kind = format_of(path)
    structures = kind.structures(path, None)
    if structures is not None:
        return [part_of(molecule) for molecule in structures]
    parts = kind.parts(path)
    if parts is None and kind.positions is not None:
        raise InputError(f"{path}: {WITHOUT_ELEMENTS}")
    if parts is None:
        raise InputError(f"{path}: a file in {kind.name} format holds no QM results; give the file of a QM job")
    return parts


def matching_files(root: Path, pattern: str) -> list[Path]:
    """Return the files of a pattern in sorted order; a file's own name stands for itself, and so does a SMILES."""
    if is_smiles(Path(pattern)):
        return [Path(pattern)]
    if (root / pattern).is_file():
        return [root / pattern]
    found = glob(pattern, root_dir=root, recursive=True)  # noqa: PTH207 (Path.glob fails on ".", "**b" and "//a")
    files = sorted(root / name for name in found if (root / name).is_file())
    if not files:
        raise InputError(f"{pattern!r} matches no file in {root.resolve()}")
    return files
