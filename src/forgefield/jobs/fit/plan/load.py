"""From the files that FIT.toml names to molecules, references and Hessians after their policy."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from warnings import catch_warnings, simplefilter, warn_explicit

import numpy as np

from forgefield.config import FitFile, MoleculesSection
from forgefield.errors import ForgeFieldError, InputError, InputWarning
from forgefield.estimating.transition_state import NOISE, Policy, treat
from forgefield.fitting.data.training_set import Example
from forgefield.io.molecules import read_structures
from forgefield.io.references import matching_files, pair, read_columns
from forgefield.io.rules import file_of
from forgefield.io.structures.atom_types import FILE_NAME, AtomTypes, read_atom_types
from forgefield.jobs.fit.plan.choices import policy, weights
from forgefield.jobs.fit.plan.scan_frames import laid_over, perceived, scan_of
from forgefield.molecules.bonds import perceive_bonds, perceive_transition_state_bonds
from forgefield.molecules.molecule import Molecule, Reference, standard_masses, symbol
from forgefield.report.results import Skipped


@dataclass(frozen=True, eq=False)
class Loaded:
    """What the files of a FIT.toml hold."""

    examples: tuple[Example, ...]
    warnings: tuple[str, ...]
    skipped: tuple[Skipped, ...]
    files: tuple[Path, ...]
    """All that were looked at, and the force field."""


@dataclass(frozen=True)
class _Files:
    """The files of one [[molecules]] table."""

    structures: tuple[Path, ...] | None
    references: tuple[tuple[Path, ...], ...]
    """Columns whose rows are merged."""

    def rows(self) -> list["_Files"]:
        """Return the files of each structure; all files where it cannot be told which belong together."""
        lists = (*self.references, *(() if self.structures is None else (self.structures,)))
        if len({len(files) for files in lists}) > 1:
            return [self]
        return [
            _Files(
                None if self.structures is None else self.structures[k : k + 1],
                tuple(column[k : k + 1] for column in self.references),
            )
            for k in range(len(self.references[0]))
        ]

    @property
    def all(self) -> tuple[Path, ...]:
        """Every file."""
        return (*(self.structures or ()), *(path for column in self.references for path in column))

    def left_out(self, error: ForgeFieldError) -> Skipped:
        """Return the files as a structure that cannot be used."""
        names = ", ".join(map(str, self.all))
        first = (self.structures or self.references[0])[0]
        return Skipped(first.stem, names, str(error))


def load(file: FitFile, folder: Path) -> Loaded:
    """Return the examples that a file names, patterns being relative to `folder`.

    Raises InputError for what cannot be read or contradicts itself, unless the file asks for it to be skipped.
    """
    examples: list[Example] = []
    warnings: list[str] = []
    skipped: list[Skipped] = []
    types = atom_types(file, folder)
    start = force_field_file(file, folder)
    read_from = [] if start is None else [start, *((beside,) if (beside := start.parent / FILE_NAME).is_file() else ())]
    for section in file.molecules:
        files = _files(section, folder)
        read_from += files.all

        def read(files: _Files, section: MoleculesSection = section) -> tuple[list[Example], list[str]]:
            return _read(section, files, types, file.forcefield.hessian_scale)

        unusable: list[Skipped] = []
        with _noted(warnings):
            if file.fit.on_error == "skip":
                found, said, unusable = _usable(files, read)
            else:
                found, said = read(files)
        warnings += [*said, *_idle_bands(section, found)]
        examples += found
        skipped += unusable
    return Loaded(tuple(_unambiguous(examples)), tuple(warnings), tuple(skipped), tuple(read_from))


@contextmanager
def _noted(warnings: list[str]) -> Iterator[None]:
    """Add what readers warn of to a list, each sentence once, in the place of showing it."""
    with catch_warnings(record=True) as raised:
        simplefilter("always", InputWarning)
        yield
    for one in raised:
        if not issubclass(one.category, InputWarning):
            warn_explicit(one.message, one.category, one.filename, one.lineno)
        elif str(one.message) not in warnings:
            warnings.append(str(one.message))


def _files(section: MoleculesSection, folder: Path) -> _Files:
    structures = None
    if section.structures is not None:
        found = [path for pattern in _patterns(section.structures) for path in matching_files(folder, pattern)]
        structures = tuple(found)
    return _Files(structures, tuple(tuple(matching_files(folder, p)) for p in _patterns(section.reference)))


def _read(
    section: MoleculesSection, files: _Files, types: AtomTypes | None, hessian_scale: float
) -> tuple[list[Example], list[str]]:
    """Return the examples of one [[molecules]] table, and warnings."""
    examples, warnings = [], []
    for molecule, reference in _paired(files.structures, read_columns(files.references), types):
        scaled = _scaled(reference, hessian_scale)
        example, said = _example(molecule, scaled, policy(section), _group(section, reference))
        complex_ = replace(example.molecule, n_pieces=section.pieces)
        examples.append(replace(example, molecule=complex_, weights=weights(section)))
        warnings.extend(said)
    return examples, warnings


def _usable(
    files: _Files, read: Callable[[_Files], tuple[list[Example], list[str]]]
) -> tuple[list[Example], list[str], list[Skipped]]:
    """Read files; where that fails, find the structures to blame and read the others."""
    try:
        examples, warnings = read(files)
    except ForgeFieldError as error:
        together = error
    else:
        return examples, warnings, []
    rows, skipped = [], []
    for row in files.rows():
        try:
            read(row)
        except ForgeFieldError as error:
            skipped.append(row.left_out(error))
        else:
            rows.append(row)
    if not skipped:
        raise together
    if not rows:
        return [], [], skipped
    structures = None if files.structures is None else tuple(path for row in rows for path in row.structures or ())
    columns = tuple(tuple(row.references[k][0] for row in rows) for k in range(len(files.references)))
    examples, warnings = read(_Files(structures, columns))
    return examples, warnings, skipped


def _idle_bands(section: MoleculesSection, examples: list[Example]) -> list[str]:
    """Say which weights of modes apply to no mode."""
    treated = [example.treated for example in examples if example.treated is not None]
    return [
        f"mode_weights: no mode lies between {band.lowest:g} and {band.highest:g} cm⁻¹"
        for band in weights(section).bands
        if not any(band.holds(found.frequencies).any() for found in treated)
    ]


def examples_of(references: list[Reference], policy: Policy | None) -> list[Example]:
    """Return references as examples in their own geometry, with bonds perceived where the files have none."""
    molecules = perceived(references)
    return _unambiguous([_example(m, r, policy, "all")[0] for m, r in zip(molecules, references, strict=True)])


def force_field_file(file: FitFile, folder: Path) -> Path | None:
    """Return the force-field file that a fit starts from; None where types are made from the molecules.

    Raises InputError for the folder of a fit that holds none.
    """
    return None if file.forcefield.start == "environments" else file_of(folder / file.forcefield.start)


def atom_types(file: FitFile, folder: Path) -> AtomTypes | None:
    """Return the atom types of an atom.typ beside the force field; None where there is none."""
    path = force_field_file(file, folder)
    beside = None if path is None else path.parent / FILE_NAME
    return read_atom_types(beside) if beside is not None and beside.is_file() else None


def _patterns(value: str | tuple[str, ...]) -> tuple[str, ...]:
    return (value,) if isinstance(value, str) else value


def _paired(
    structures: tuple[Path, ...] | None, references: list[Reference], types: AtomTypes | None
) -> list[tuple[Molecule | None, Reference]]:
    """Return structures with their references, in sorted order of the files."""
    if structures is None:
        return list(zip(perceived(references), references, strict=True))
    molecules = [molecule for path in structures for molecule in read_structures(path, atom_types=types)]
    frames = laid_over(molecules, references)
    if frames is not None:
        return list(zip(frames, references, strict=True))
    if len(molecules) != len(references):
        raise InputError(
            f"{len(molecules)} structure(s) but {len(references)} reference(s):\n"
            + "\n".join(f"  structure {m.source or m.name}" for m in molecules)
            + "\n"
            + "\n".join(f"  reference {', '.join(r.sources)}" for r in references)
        )
    return [(m, pair(m, r)) for m, r in zip(molecules, references, strict=True)]


def _group(section: MoleculesSection, reference: Reference) -> str:
    """Return the group that the file states, else that of the scan: each has a zero of energy of its own."""
    return section.group if "group" in section.model_fields_set else scan_of(reference) or section.group


def _scaled(reference: Reference, scale: float) -> Reference:
    return reference if reference.hessian is None else replace(reference, hessian=reference.hessian * scale)


def _example(
    molecule: Molecule | None, reference: Reference, policy: Policy | None, group: str
) -> tuple[Example, list[str]]:
    """Treat the Hessian, perceive bonds where the file has none, and say what was assumed."""
    warnings = []
    name = reference.sources[0] if reference.sources else "reference"
    treated = None
    if reference.hessian is not None:
        masses = standard_masses(reference.species) if reference.masses is None else reference.masses
        treated = treat(reference.hessian, reference.positions, masses, policy, name=name)
        if reference.gradient is None:
            warnings.append(f"{name}: no gradient in the file; the structure is taken to be stationary (zero forces)")
            reference = replace(reference, gradient=np.zeros_like(reference.positions))
    saddle = treated is not None and bool((treated.before.frequencies < -NOISE).any())
    laid = _bonded(molecule, reference, saddle, name)
    return Example(laid, reference, treated, f"{group} {group_of(reference)}", policy), warnings


def group_of(reference: Reference) -> str:
    """Return the composition: energies of different compositions have no common zero."""
    return "".join(sorted(symbol(z) for z in reference.species))


def _bonded(molecule: Molecule | None, reference: Reference, saddle: bool, name: str) -> Molecule:
    """Return the molecule in the geometry of its reference, with bonds."""
    if molecule is None:
        molecule = Molecule(
            name=Path(name).stem,
            species=reference.species,
            positions=reference.positions,
            charge=reference.charge,
            multiplicity=reference.multiplicity,
            source=name,
        )
    if len(molecule.bonds):
        return replace(molecule, positions=reference.positions)
    perceive = perceive_transition_state_bonds if saddle else perceive_bonds
    try:
        bonds, orders = perceive(reference.species, reference.positions)
    except InputError as error:
        raise InputError(f"{name}: {error}") from error
    return replace(molecule, positions=reference.positions, bonds=bonds, orders=orders)


def _unambiguous(examples: list[Example]) -> list[Example]:
    """Give structures of the same name a number."""
    names = [e.molecule.name for e in examples]
    renamed = []
    for k, example in enumerate(examples):
        name = names[k] if names.count(names[k]) == 1 else f"{names[k]}-{names[: k + 1].count(names[k])}"
        renamed.append(replace(example, molecule=replace(example.molecule, name=name)))
    return renamed
