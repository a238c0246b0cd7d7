"""LABEL.toml: its schema, and the plan that it stands for."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from pydantic import Field, model_validator

from forgefield.config import Real, Section, Whole
from forgefield.engines.teachers.model_teacher import teacher_of_file
from forgefield.engines.teachers.teacher import STEP, AbstractTeacher
from forgefield.errors import InputError
from forgefield.io.molecules import read_structures
from forgefield.io.references import matching_files
from forgefield.io.structures.drawn import conformers
from forgefield.jobs.label.explored import explored
from forgefield.jobs.label.label_job import LabelPlan
from forgefield.jobs.label.structures import (
    AbstractSampler,
    AsGiven,
    AtMinimum,
    Distortions,
    Dynamics,
    Modes,
    Relaxed,
    Source,
    Stretches,
    Turns,
    sources_of,
)
from forgefield.molecules.bonds import perceive_bonds
from forgefield.molecules.molecule import Molecule
from forgefield.toml.read import read_toml


class TeacherSection(Section):
    """Who labels: one of `method`, `calculator` and `force_field`."""

    method: str | None = None
    """What is computed here: gfn1, gfn2, ani1x, hf or a density functional."""
    basis: str | None = None
    """Basis set of the method; none for gfn1, gfn2 and ani1x."""
    member: Whole | None = Field(default=None, ge=0, le=7)
    """One of the eight networks of ani1x, from 0; by default the mean of all."""
    calculator: str | None = None
    """`module:function` that makes a calculator of ASE, such as mace.calculators:mace_mp."""
    arguments: dict[str, Any] = Field(default_factory=dict)
    """What the function is given."""
    force_field: str | None = None
    """A force field of ours: a file, or the folder of a fit."""
    difference_step: Real = Field(default=STEP, gt=0.0, lt=0.5)
    """How far atoms are displaced for Hessian products, where the teacher has none of its own [Å]."""
    allow_nonconservative: bool = False
    """Whether the forces of a calculator may be no slope of an energy; the data set says so."""

    @model_validator(mode="after")
    def _one(self) -> "TeacherSection":
        given = [name for name in ("method", "calculator", "force_field") if getattr(self, name) is not None]
        if len(given) != 1:
            raise ValueError(f"name one of method, calculator and force_field, not {' and '.join(given) or 'none'}")
        if self.member is not None and self.method != "ani1x":
            raise ValueError('member is for method = "ani1x"')
        if self.allow_nonconservative and self.calculator is None:
            raise ValueError("allow_nonconservative is for a calculator; all others have an energy")
        return self


class ConformersSection(Section):
    """Conformers made from the bonds of a structure (ETKDG), which take its place."""

    number: Whole = Field(gt=0)
    """Conformers of each molecule, at most."""
    apart: Real = Field(default=0.5, ge=0.0)
    """How far their heavy atoms differ at least, as root mean square [Å]."""


class ModesSection(Section):
    """The harmonic ensemble about the teacher's minimum."""

    number: Whole = Field(gt=0)
    """Structures of each molecule."""
    temperature: Real = Field(default=500.0, gt=0.0)
    """Of the ensemble [K]."""


class DynamicsSection(Section):
    """Snapshots of the teacher's dynamics with a thermostat."""

    number: Whole = Field(gt=0)
    """Structures of each molecule."""
    temperature: Real = Field(default=500.0, gt=0.0)
    """Of the ensemble [K]."""
    every: Whole = Field(default=50, gt=0)
    """Steps between snapshots."""
    timestep: Real = Field(default=0.5, gt=0.0)
    """Of the dynamics [fs]."""


class ExploredSection(Section):
    """What students come to in their dynamics, and disagree about: a round of active learning."""

    students: tuple[str, ...] = Field(min_length=2)
    """Force fields of ours, files or folders; the first runs the dynamics."""
    number: Whole = Field(gt=0)
    """Structures of each molecule that are picked."""
    snapshots: Whole = Field(default=500, gt=0)
    """Snapshots that they are picked from."""
    temperature: Real = Field(default=500.0, gt=0.0)
    """Of the ensemble [K]."""
    every: Whole = Field(default=50, gt=0)
    """Steps between snapshots."""
    timestep: Real = Field(default=0.5, gt=0.0)
    """Of the dynamics [fs]."""


class TurnsSection(Section):
    """Rigid turns about each bond that turns."""

    points: Whole = Field(default=24, ge=2)
    """Angles of a full turn."""


class StretchesSection(Section):
    """Each bond at lengths from short to long."""

    points: Whole = Field(default=17, ge=2)
    """Lengths of each bond."""
    shortest: Real = Field(default=0.7, gt=0.0, lt=1.0)
    """Shortest length, as a share of its own."""
    longest: Real = Field(default=1.5, gt=1.0)
    """Longest length, as a share of its own."""


class DistortionsSection(Section):
    """Atoms displaced at random."""

    number: Whole = Field(gt=0)
    """Structures of each molecule."""
    scale: Real = Field(default=0.05, gt=0.0)
    """Standard deviation of each coordinate [Å]."""


class StructuresSection(Section):
    """Molecules, and which structures of them are labelled."""

    files: str | tuple[str, ...]
    """Structures: files and patterns."""
    conformers: ConformersSection | None = None
    """What all keys below begin from, instead of the structures of the files. Optional."""
    as_given: bool = True
    """Whether the structures themselves are labelled."""
    relaxed: bool = False
    """Whether the teacher's minima near them are labelled, and are what `turns` and `stretches` begin from."""
    modes: ModesSection | None = None
    """Optional."""
    dynamics: DynamicsSection | None = None
    """Optional."""
    explored: ExploredSection | None = None
    """Optional."""
    turns: TurnsSection | None = None
    """Optional."""
    stretches: StretchesSection | None = None
    """Optional."""
    distortions: DistortionsSection | None = None
    """Optional."""


class LabelSection(Section):
    """How the work is done."""

    data: str | None = None
    """The data set to write; by default the name of this file with the suffix .h5."""
    directions: Whole = Field(default=0, ge=0)
    """Hessian products of each structure, along random directions."""
    workers: Whole | None = Field(default=None, ge=1)
    """Processes; by default one for each core."""
    seed: Whole = 0
    """Of all that is drawn at random."""


class LabelFile(Section):
    """A whole LABEL.toml."""

    teacher: TeacherSection
    structures: tuple[StructuresSection, ...] = Field(min_length=1)
    """A table for each set of structures that is treated alike."""
    label: LabelSection = LabelSection()


def read_label_file(path: Path) -> LabelFile:
    """Return what a LABEL.toml says. Raises InputError that lists everything wrong with it."""
    return read_toml(path, LabelFile)


def label_plan(path: Path, said: LabelFile, teacher: AbstractTeacher, n_cores: int) -> LabelPlan:
    """Return what a LABEL.toml asks for; its paths are relative to it. Raises InputError."""
    sources: list[Source] = []
    inputs: list[Path] = [path]
    for section in said.structures:
        files = _files(path.parent, section.files)
        inputs += files
        molecules = [molecule for file in files for molecule in read_structures(file)]
        sources += sources_of(
            _starts(section, molecules, said.label.seed), _samplers(section, path.parent), said.label.seed
        )
    return LabelPlan(
        teacher=teacher,
        sources=tuple(sources),
        data=path.parent / (said.label.data or f"{path.stem}.h5"),
        directions=said.label.directions,
        workers=said.label.workers or n_cores,
        allow_nonconservative=said.teacher.allow_nonconservative,
        inputs=tuple(inputs),
    )


def _files(folder: Path, said: str | Sequence[str]) -> list[Path]:
    """Return the files of patterns, each once. Raises InputError for a pattern without any."""
    patterns = [said] if isinstance(said, str) else said
    return list(dict.fromkeys(path for pattern in patterns for path in matching_files(folder, pattern)))


def _starts(section: StructuresSection, molecules: Sequence[Molecule], seed: int) -> list[tuple[Molecule, str]]:
    """Return what structures are made from, and in words which of the conformers it is. Raises InputError."""
    asked = section.conformers
    if asked is None:
        return [(_bonded(molecule), "") for molecule in molecules]
    return [
        (conformer, f"conformer {number} (ETKDG, seed {seed}), ")
        for molecule in molecules
        for number, conformer in enumerate(conformers(molecule, asked.number, seed, asked.apart), start=1)
    ]


def _bonded(molecule: Molecule) -> Molecule:
    """Return a molecule with its bonds, which are perceived where its file has none."""
    if len(molecule.bonds):
        return molecule
    bonds, orders = perceive_bonds(molecule.species, molecule.positions)
    return replace(molecule, bonds=bonds, orders=orders)


def _samplers(section: StructuresSection, folder: Path) -> list[AbstractSampler]:
    made: list[AbstractSampler] = [
        *([AsGiven()] if section.as_given else []),
        *([Relaxed()] if section.relaxed else []),
    ]
    ways: list[tuple[Any, Callable[..., AbstractSampler]]] = [
        (section.modes, Modes),
        (section.dynamics, Dynamics),
        (section.turns, Turns),
        (section.stretches, Stretches),
        (section.distortions, Distortions),
    ]
    for asked, way in ways:
        if asked is not None:
            sampler = way(**asked.model_dump())
            moves_rigidly = way in (Turns, Stretches)
            made.append(AtMinimum(sampler) if section.relaxed and moves_rigidly else sampler)
    if (asked := section.explored) is not None:
        students = [teacher_of_file(folder / name) for name in asked.students]
        dynamics = Dynamics(asked.snapshots, asked.temperature, asked.every, asked.timestep)
        made.append(explored(students, asked.number, dynamics))
    if not made:
        raise InputError(f"[[structures]] {section.files}: nothing is asked for; leave as_given = false out")
    return made
