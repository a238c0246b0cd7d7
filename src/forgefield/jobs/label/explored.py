"""Structures that a committee of students comes to and disagrees about: a round of active learning."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from forgefield.distil.picking import broken, disagreement, picked
from forgefield.distil.sampling import Geometries
from forgefield.engines.teachers.model_teacher import ModelTeacher
from forgefield.engines.teachers.teacher import AbstractTeacher
from forgefield.jobs.label.structures import AbstractSampler, Dynamics
from forgefield.molecules.molecule import Molecule


@dataclass(frozen=True)
class Explored(AbstractSampler):
    """Snapshots of the dynamics of the first student, about which the students disagree most and which differ."""

    draws = True
    students: tuple[ModelTeacher, ...] = field(repr=False, compare=False)
    digests: tuple[str, ...]
    """Of the files of the students."""
    number: int
    """Structures that are picked."""
    dynamics: Dynamics
    """Of the first student; all of its snapshots are candidates."""

    @property
    def words(self) -> str:
        """Explored, and the temperature."""
        return f"explored by students at {self.dynamics.temperature:g} K"

    def geometries(self, molecule: Molecule, teacher: AbstractTeacher, generator: np.random.Generator) -> Geometries:
        """Return the picked structures, and after them the first in which the molecule has come to grief."""
        found = self.dynamics.geometries(molecule, self.students[0], generator)
        wrong = np.array([bool(broken(replace(molecule, positions=x))) for x in found], bool)
        sound = found[~wrong]
        gradients = np.array([[_gradient(student, molecule, x) for x in sound] for student in self.students])
        if not len(sound):
            return found[:1]
        return np.concatenate([sound[picked(sound, disagreement(gradients), self.number)], found[wrong][:1]])


def explored(students: Sequence[ModelTeacher], number: int, dynamics: Dynamics) -> Explored:
    """Return the sampler of a committee."""
    return Explored(tuple(students), tuple(student.digest for student in students), number, dynamics)


def _gradient(student: ModelTeacher, molecule: Molecule, positions: np.ndarray) -> np.ndarray:
    found = student.label(replace(molecule, positions=positions)).gradient
    assert found is not None
    return found
