"""Any calculator of ASE as a teacher."""

import importlib
import importlib.metadata
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from ase import Atoms
from ase.calculators.calculator import Calculator

from forgefield import units
from forgefield.engines.teachers.teacher import (
    STEP,
    AbstractTeacher,
    Directions,
    Identity,
    Positions,
    bare_label,
    products_by_differences,
)
from forgefield.errors import ConvergenceError, InputError
from forgefield.molecules.molecule import Molecule, Reference


@dataclass(frozen=True, eq=False)
class AseTeacher(AbstractTeacher):
    """A calculator that a function makes, such as `mace.calculators:mace_mp` with its arguments.

    Atoms state their charge and multiplicity as `info["charge"]` and `info["spin"]`, as MACE, FAIR-chem and Orb read
    them, and as `info["multiplicity"]`. Products are central differences of its forces.
    """

    factory: str
    """module:function"""
    arguments: Mapping[str, Any] = field(default_factory=dict)
    step: float = STEP
    """Å that the atom which moves most is displaced by in a difference."""
    allow_nonconservative: bool = False
    """Whether its forces may be no slope of an energy, which its labels then say."""
    _made: list[Calculator] = field(default_factory=list, repr=False)

    @property
    def identity(self) -> Identity:
        """The function, the version of its package, its arguments, and the step of the differences."""
        package = self.factory.partition(":")[0].partition(".")[0]
        options = {"arguments": dict(self.arguments), "difference_step": self.step}
        allowed = {"allow_nonconservative": True} if self.allow_nonconservative else {}
        return Identity(self.factory, _version(package), options | allowed)

    @property
    def acts_on_bonds(self) -> bool:
        """No."""
        return False

    def check(self, molecule: Molecule) -> None:
        """Raise InputError where the calculator cannot be made."""
        self._calculator()

    def label(self, molecule: Molecule, directions: Directions | None = None) -> Reference:
        """Return energy and gradient, and products along directions. Raises ConvergenceError where it gives none."""
        energy, gradient = self._evaluated(molecule, molecule.positions)
        label = bare_label(molecule, self.identity, energy, gradient)
        if directions is None:
            return label
        products = products_by_differences(
            lambda x: self._evaluated(molecule, x)[1], np.asarray(molecule.positions), directions, self.step
        )
        return replace(label, products=products)

    def __reduce__(self) -> tuple[type["AseTeacher"], tuple[str, Mapping[str, Any], float, bool]]:
        """Travel without the calculator, which is made anew."""
        return AseTeacher, (self.factory, self.arguments, self.step, self.allow_nonconservative)

    def _evaluated(self, molecule: Molecule, positions: Positions) -> tuple[float, Positions]:
        state = {"charge": molecule.charge, "spin": molecule.multiplicity, "multiplicity": molecule.multiplicity}
        atoms = Atoms(molecule.species, positions, info=state)
        atoms.calc = self._calculator()
        # It would give what it has where only `info` has changed.
        atoms.calc.reset()
        try:
            energy, forces = atoms.get_potential_energy(), atoms.get_forces()
        except Exception as error:
            raise ConvergenceError(f"{molecule.name}: {self.factory} failed: {error}") from error
        gradient = -np.asarray(forces, np.float64) * units.ELECTRONVOLT
        if gradient.shape != (molecule.n_atoms, 3):
            raise InputError(f"{self.factory}: forces have the shape {gradient.shape} for {molecule.n_atoms} atoms")
        found = float(np.asarray(energy)) * units.ELECTRONVOLT
        if not (np.isfinite(found) and np.isfinite(gradient).all()):
            raise ConvergenceError(f"{molecule.name}: {self.factory} gives no finite energy and forces")
        return found, gradient

    def _calculator(self) -> Calculator:
        """Return the calculator, made when it is first needed. Raises InputError where it cannot be."""
        if not self._made:
            self._made.append(_made(_function(self.factory), self.factory, dict(self.arguments)))
        return self._made[0]


def _function(factory: str) -> Callable[..., Any]:
    module, _, name = factory.partition(":")
    if not module or not name:
        raise InputError(f"factory {factory!r}: write module:function, such as mace.calculators:mace_mp")
    try:
        found = getattr(importlib.import_module(module), name, None)
    except ImportError as error:
        raise InputError(
            f"factory {factory!r}: {module} cannot be imported ({error}); is it installed here?"
        ) from error
    if not callable(found):
        raise InputError(f"factory {factory!r}: {module} has no function {name}")
    return found


def _made(function: Callable[..., Any], factory: str, arguments: dict[str, Any]) -> Calculator:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            found = function(**arguments)
    except Exception as error:
        told = ", ".join(f"{name} = {value!r}" for name, value in arguments.items())
        raise InputError(f"factory {factory!r} with ({told}) failed: {error}") from error
    if not hasattr(found, "get_property"):
        raise InputError(f"factory {factory!r} returns a {type(found).__name__}, which is no calculator of ASE")
    return found


def _version(package: str) -> str:
    try:
        return f"{package} {importlib.metadata.version(package)}"
    except importlib.metadata.PackageNotFoundError:
        return package
