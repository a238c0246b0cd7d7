"""From the files of a plan to molecules, references and Hessians after their policy."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from warnings import catch_warnings, simplefilter, warn_explicit

import numpy as np

from forgefield.assign.explicit.rules import AbstractStatedRules, systems_of
from forgefield.errors import ForgeFieldError, InputError, InputWarning
from forgefield.estimating.transition_state import NOISE, Policy, treat
from forgefield.fitting.data.training_set import Example
from forgefield.io.molecules import read_structures
from forgefield.io.references import pair, read_columns
from forgefield.io.sources import is_smiles, reading, stem
from forgefield.io.structures.laid_on import laid_on
from forgefield.jobs.fit.plan.plan import MoleculeFiles, Plan
from forgefield.jobs.fit.plan.scan_frames import laid_over, perceived, scan_of
from forgefield.molecules.bonds import bond_graph, perceive_bonds, perceive_transition_state_bonds
from forgefield.molecules.molecule import Molecule, Reference, standard_masses, symbol
from forgefield.report.results import Skipped

_GROUP = "all"
"""Of energies that are of no scan, where none is stated."""
_NAMED = 4
"""Isomers that a warning names."""


@dataclass(frozen=True, eq=False)
class Loaded:
    """What the files of a plan hold."""

    examples: tuple[Example, ...]
    warnings: tuple[str, ...]
    skipped: tuple[Skipped, ...]
    sources: Mapping[Path, bytes]
    """SHA-256 of what was read of each file."""


def load(plan: Plan) -> Loaded:
    """Return the examples of a plan.

    Raises InputError for what cannot be read or contradicts itself, unless such molecules are to be skipped.
    """
    examples: list[Example] = []
    warnings: list[str] = []
    skipped: list[Skipped] = []
    with reading() as sources:
        read = partial(_read, plan=plan)
        for files in plan.molecules:
            unusable: list[Skipped] = []
            with _noted(warnings):
                if plan.skips:
                    found, said, unusable = _usable(files, read)
                else:
                    found, said = read(files)
            warnings += [*said, *_idle_bands(files, found)]
            examples += found
            skipped += unusable
    return Loaded(tuple(_unambiguous(examples)), tuple(warnings), tuple(skipped), sources.digests)


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


def _read(files: MoleculeFiles, plan: Plan) -> tuple[list[Example], list[str]]:
    """Return the examples of files that are treated alike, and warnings."""
    examples, warnings = [], []
    references = read_columns(files.references, hessian_unit=files.hessian_unit, trust=files.trust)
    for molecule, reference in _paired(files.structures, references, plan):
        scaled = _scaled(reference, plan.hessian_scale)
        example, said = _example(molecule, scaled, files.policy, files.group)
        complex_ = replace(example.molecule, n_pieces=files.pieces)
        examples.append(replace(example, molecule=complex_, weights=files.weights))
        warnings.extend(said)
    return examples, warnings


def _usable(
    files: MoleculeFiles, read: Callable[[MoleculeFiles], tuple[list[Example], list[str]]]
) -> tuple[list[Example], list[str], list[Skipped]]:
    """Read files; where that fails, find the structures to blame and read the others."""
    try:
        examples, warnings = read(files)
    except ForgeFieldError as error:
        together = error
    else:
        return examples, warnings, []
    rows, wrong, skipped = files.rows(), [], []
    for row in rows:
        try:
            read(row)
        except ForgeFieldError as error:
            wrong.append(row)
            skipped.append(row.left_out(error))
    if not skipped:
        raise together
    if len(wrong) == len(rows):
        return [], [], skipped
    examples, warnings = read(files.without(wrong))
    return examples, warnings, skipped


def _idle_bands(files: MoleculeFiles, examples: list[Example]) -> list[str]:
    """Say which weights of modes apply to no mode."""
    treated = [example.treated for example in examples if example.treated is not None]
    return [
        f"mode_weights: no mode lies between {band.lowest:g} and {band.highest:g} cm⁻¹"
        for band in files.weights.bands
        if not any(band.holds(found.frequencies).any() for found in treated)
    ]


def examples_of(references: list[Reference], policy: Policy | None) -> list[Example]:
    """Return references as examples in their own geometry, with bonds perceived where the files have none."""
    molecules = perceived(references)
    return _unambiguous([_example(m, r, policy, None)[0] for m, r in zip(molecules, references, strict=True)])


def _paired(
    structures: tuple[Path, ...] | None, references: list[Reference], plan: Plan
) -> list[tuple[Molecule | None, Reference]]:
    """Return structures with their references, in sorted order of the files."""
    if structures is None:
        return list(zip(perceived(references), references, strict=True))
    molecules = _on_geometries([m for path in structures for m in _structures(path, plan)], references)
    frames = laid_over(molecules, references)
    if frames is not None:
        return list(zip(frames, references, strict=True))
    if len(molecules) == 1 and isinstance(plan.start, AbstractStatedRules):
        # All are of that one molecule, whose structure gives types alone, in geometries of their own.
        return list(zip(perceived(references), references, strict=True))
    if len(molecules) != len(references):
        raise InputError(
            f"{len(molecules)} structure(s) but {len(references)} reference(s):\n"
            + "\n".join(f"  structure {m.source or m.name}" for m in molecules)
            + "\n"
            + "\n".join(f"  reference {', '.join(r.sources)}" for r in references)
        )
    return [(m, pair(m, r)) for m, r in zip(molecules, references, strict=True)]


def _structures(path: Path, plan: Plan) -> list[Molecule]:
    """Return the structures of a file; of a SMILES without what is said of stereo and spin, which the reference has."""
    if not is_smiles(path):
        return read_structures(path, atom_types=plan.atom_types, system=systems_of(plan.start))
    with catch_warnings():
        simplefilter("ignore", InputWarning)
        return read_structures(path)


def _on_geometries(molecules: list[Molecule], references: list[Reference]) -> list[Molecule]:
    """Return molecules, those of SMILES with the geometry of their reference, or of the first frame of their scan."""
    firsts = list({scan_of(r) or str(k): r for k, r in reversed([*enumerate(references)])}.values())[::-1]
    if len(firsts) != len(molecules):
        return molecules
    return [laid_on(m, r) if is_smiles(Path(m.source)) else m for m, r in zip(molecules, firsts, strict=True)]


def _scaled(reference: Reference, scale: float) -> Reference:
    return reference if reference.hessian is None else replace(reference, hessian=reference.hessian * scale)


def _example(
    molecule: Molecule | None, reference: Reference, policy: Policy | None, group: str | None
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
    return Example(laid, reference, treated, group_of(laid, reference, group), policy), warnings


def group_of(molecule: Molecule, reference: Reference, stated: str | None) -> str:
    """Return within what energies are compared: those of different compositions, or bonds, have no common zero.

    Where a group is stated, molecules of one composition are compared in it whatever their bonds.
    """
    composition = "".join(sorted(symbol(z) for z in reference.species))
    if stated is not None:
        return f"{stated} {composition}"
    return f"{scan_of(reference) or _GROUP} {composition} {bond_graph(molecule.species, molecule.bonds)}"


def isomers_apart(examples: Sequence[Example]) -> list[str]:
    """Say which energies are not compared because the molecules, of one composition, differ in their bonds."""
    alike: dict[str, dict[str, str]] = {}
    for example in examples:
        group, _, graph = example.group.rpartition(" ")
        if example.reference.energy is not None and graph == bond_graph(
            example.molecule.species, example.molecule.bonds
        ):
            alike.setdefault(group, {}).setdefault(graph, example.molecule.name)
    return [
        f"the energies of {', '.join([*graphs.values()][:_NAMED])} are not compared: they have the same atoms, "
        "but not the same bonds, and a force field has no common zero for them; to compare them all the same, state "
        "one group under [[molecules]]"
        for graphs in alike.values()
        if len(graphs) > 1
    ]


def _bonded(molecule: Molecule | None, reference: Reference, saddle: bool, name: str) -> Molecule:
    """Return the molecule in the geometry of its reference, with bonds."""
    if molecule is None:
        stated = reference.bonds is not None and not saddle
        molecule = Molecule(
            name=stem(Path(name)),
            species=reference.species,
            positions=reference.positions,
            charge=reference.charge,
            multiplicity=reference.multiplicity,
            formal_charges=reference.formal_charges,
            source=name,
        )
        if stated and reference.bonds is not None and reference.orders is not None:
            molecule = replace(molecule, bonds=reference.bonds, orders=reference.orders)
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
