"""What every quantum-chemistry engine offers: energy, gradient and Hessian of one molecule."""

import abc
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from forgefield.errors import InputError
from forgefield.molecules.electrons import electron_problem
from forgefield.molecules.molecule import AtomicCharges, Molecule

Positions = Float[np.ndarray, "atoms 3"]
_TOO_CLOSE = 0.3
"""Å; the shortest bond there is, in H₂, is 0.74 Å."""


class MissingExtraError(InputError, ImportError):
    """An optional program is not installed."""


@dataclass(frozen=True, eq=False)
class Evaluation:
    """Energy and gradient at one geometry."""

    energy: float
    """kcal/mol"""
    gradient: Float[np.ndarray, "atoms 3"]
    """kcal/mol/Å"""
    density: Float[np.ndarray, "*spins orbitals orbitals"] | None = None
    """Density matrix, from which the evaluation of a near geometry may start."""
    charges: AtomicCharges | None = None
    """Where they come with the energy."""


class AbstractEngine(abc.ABC):
    """A level of theory of one QM program. Units are internal: Å, kcal/mol, kcal/mol/Å, kcal/mol/Å²."""

    @property
    @abc.abstractmethod
    def level(self) -> str:
        """Level of theory, for example B3LYP/6-31+G(d)."""

    @property
    @abc.abstractmethod
    def program(self) -> str:
        """Program, version, and what the level leaves open."""

    @abc.abstractmethod
    def check(self, molecule: Molecule) -> None:
        """Raise InputError where the molecule cannot be computed at this level."""

    @abc.abstractmethod
    def evaluate(
        self, molecule: Molecule, density: Float[np.ndarray, "*spins orbitals orbitals"] | None = None
    ) -> Evaluation:
        """Return energy and gradient, starting from the density of a near geometry if there is one.

        Raises ConvergenceError.
        """

    @abc.abstractmethod
    def around(self, molecule: Molecule) -> tuple[Evaluation, Callable[[Positions], Positions]]:
        """Return energy and gradient, and what returns the gradient at positions near by in less time.

        Both raise ConvergenceError.
        """

    @abc.abstractmethod
    def hessian(
        self, molecule: Molecule, density: Float[np.ndarray, "*spins orbitals orbitals"] | None = None
    ) -> Float[np.ndarray, "coordinates coordinates"]:
        """Return the symmetric Hessian [kcal/mol/Å²], not mass-weighted. Raises ConvergenceError."""

    @abc.abstractmethod
    def charges(self, molecule: Molecule, found: Evaluation) -> AtomicCharges:
        """Return the charges of the atoms, of the kind that the level says best, from what was found there."""


def label(molecule: Molecule) -> str:
    """Return what a message calls a molecule."""
    return molecule.source or molecule.name


def missing_extra(package: str, error: ImportError, extra: str = "qm") -> MissingExtraError:
    """Return the error that says how to install an optional program, under its name as import errors have one."""
    missing = MissingExtraError(f"{package} cannot be imported ({error}); run: pip install 'forgefield[{extra}]'")
    missing.name = package
    return missing


def check_electrons(molecule: Molecule) -> None:
    """Raise InputError where charge and multiplicity contradict each other or atoms coincide."""
    wrong = [*_electron_problems(molecule), *_close_pairs(molecule)]
    if wrong:
        raise InputError(f"{label(molecule)}: " + "\n  ".join(wrong))


def _electron_problems(molecule: Molecule) -> list[str]:
    n_electrons = int(np.sum(molecule.species)) - molecule.charge
    if n_electrons > 0 and not electron_problem(molecule.species, molecule.charge, molecule.multiplicity):
        return []
    return [
        f"{n_electrons} electrons (charge {molecule.charge}) cannot have multiplicity {molecule.multiplicity}; "
        "state both in the comment line of the xyz file, for example: charge=-1 multiplicity=1"
    ]


def _close_pairs(molecule: Molecule) -> list[str]:
    distances = np.linalg.norm(molecule.positions[:, None] - molecule.positions[None], axis=-1)
    first, second = np.nonzero(np.triu(distances < _TOO_CLOSE, k=1))
    symbols = molecule.symbols
    return [
        f"atoms {symbols[a]}{a + 1} and {symbols[b]}{b + 1} are {distances[a, b]:.3f} Å apart; are the positions in Å?"
        for a, b in zip(first, second, strict=True)
    ]
