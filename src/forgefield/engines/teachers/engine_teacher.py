"""Levels of theory of a QM program as teachers."""

from dataclasses import dataclass, replace

import numpy as np

from forgefield.engines.qm.engine import AbstractEngine, Evaluation
from forgefield.engines.teachers.teacher import (
    STEP,
    AbstractTeacher,
    Directions,
    Identity,
    bare_label,
    products_by_differences,
)
from forgefield.molecules.molecule import Molecule, Reference


@dataclass(frozen=True)
class EngineTeacher(AbstractTeacher):
    """A level of theory; products by central differences of its gradients."""

    engine: AbstractEngine
    step: float = STEP
    """Å that the atom which moves most is displaced by in a difference."""

    @property
    def identity(self) -> Identity:
        """Level, program, and the step of the differences."""
        return Identity(self.engine.level, self.engine.program, {"difference_step": self.step})

    @property
    def acts_on_bonds(self) -> bool:
        """No."""
        return False

    def check(self, molecule: Molecule) -> None:
        """Raise InputError where the molecule cannot be computed at this level."""
        self.engine.check(molecule)

    def label(self, molecule: Molecule, directions: Directions | None = None) -> Reference:
        """Return energy and gradient, and products along directions. Raises ConvergenceError."""
        if directions is None:
            return self._bare(molecule, self.engine.evaluate(molecule))
        found, gradient = self.engine.around(molecule)
        products = products_by_differences(gradient, np.asarray(molecule.positions), directions, self.step)
        return replace(self._bare(molecule, found), products=products)

    def _bare(self, molecule: Molecule, found: Evaluation) -> Reference:
        label = bare_label(molecule, self.identity, found.energy, found.gradient)
        return replace(label, charges=() if found.charges is None else (found.charges,))
