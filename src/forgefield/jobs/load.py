"""From the files that FIT.toml names to molecules, references and Hessians after their policy."""

from dataclasses import replace
from pathlib import Path

import numpy as np

from forgefield.config import FitFile, MoleculesSection
from forgefield.errors import InputError
from forgefield.estimate.transition_state import NOISE, Policy, treat
from forgefield.fit.training import Example
from forgefield.io.atom_types import FILE_NAME, AtomTypes, read_atom_types
from forgefield.io.references import matching_files, pair, read_references
from forgefield.io.structures import read_structures
from forgefield.jobs.choices import policy
from forgefield.molecules.bonds import perceive_bonds, perceive_transition_state_bonds
from forgefield.molecules.molecule import Molecule, Reference, standard_masses, symbol


def load(file: FitFile, folder: Path) -> tuple[list[Example], list[str]]:
    """Return the examples that a file names, patterns being relative to `folder`, and warnings."""
    examples: list[Example] = []
    warnings: list[str] = []
    types = atom_types(file, folder)
    for section in file.molecules:
        references = read_references(_patterns(section.reference), root=folder)
        for molecule, reference in _paired(section, references, folder, types):
            scaled = _scaled(reference, file.forcefield.hessian_scale)
            example, said = _example(molecule, scaled, policy(section), section.group)
            examples.append(example)
            warnings.extend(said)
    return _unambiguous(examples), warnings


def examples_of(references: list[Reference], policy: Policy | None) -> list[Example]:
    """Return references as examples in their own geometry, with bonds perceived where the files have none."""
    return _unambiguous([_example(None, reference, policy, "all")[0] for reference in references])


def force_field_file(file: FitFile, folder: Path) -> Path | None:
    """Return the force-field file that a fit starts from; None where types are made from the molecules."""
    return None if file.forcefield.start == "environments" else folder / file.forcefield.start


def atom_types(file: FitFile, folder: Path) -> AtomTypes | None:
    """Return the atom types of an atom.typ beside the force field; None where there is none."""
    path = force_field_file(file, folder)
    beside = None if path is None else path.parent / FILE_NAME
    return read_atom_types(beside) if beside is not None and beside.is_file() else None


def _patterns(value: str | tuple[str, ...]) -> tuple[str, ...]:
    return (value,) if isinstance(value, str) else value


def _paired(
    section: MoleculesSection, references: list[Reference], folder: Path, types: AtomTypes | None
) -> list[tuple[Molecule | None, Reference]]:
    """Return structures with their references, in sorted order of the files."""
    if section.structures is None:
        return [(None, reference) for reference in references]
    files = [path for pattern in _patterns(section.structures) for path in matching_files(folder, pattern)]
    molecules = [molecule for path in files for molecule in read_structures(path, atom_types=types)]
    if len(molecules) != len(references):
        raise InputError(
            f"{len(molecules)} structure(s) but {len(references)} reference(s):\n"
            + "\n".join(f"  structure {m.source or m.name}" for m in molecules)
            + "\n"
            + "\n".join(f"  reference {', '.join(r.sources)}" for r in references)
        )
    return [(m, pair(m, r)) for m, r in zip(molecules, references, strict=True)]


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
