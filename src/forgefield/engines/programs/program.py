"""What every program offers: a force field laid over one molecule, whose values change without a new set-up."""

import abc
from collections.abc import Callable, Sequence

import numpy as np
from jaxtyping import Float

from forgefield.assign.explicit.system import Stated
from forgefield.molecules.molecule import Molecule

Positions = Float[np.ndarray, "atoms 3"]
Slopes = Callable[[Positions], tuple[float, Positions]]
"""Energy [kcal/mol] and gradient [kcal/mol/Å] at positions [Å]."""
Hessian = Float[np.ndarray, "coordinates coordinates"]
"""kcal/mol/Å²"""


class AbstractLaid(abc.ABC):
    """A force field laid over one molecule in another program."""

    @abc.abstractmethod
    def change(self, stated: Sequence[Stated]) -> None:
        """Take other values of the same interactions."""

    @abc.abstractmethod
    def energy_and_gradient(self, positions: Positions) -> tuple[float, Positions]:
        """Return the energy [kcal/mol] and its gradient [kcal/mol/Å] at positions [Å]."""

    @abc.abstractmethod
    def hessian(self, positions: Positions) -> Hessian:
        """Return the second derivatives of the energy [kcal/mol/Å²]."""


class AbstractProgram(abc.ABC):
    """A program that evaluates force fields in its own way."""

    @property
    @abc.abstractmethod
    def name(self) -> str:
        """What messages and tables call it."""

    @property
    @abc.abstractmethod
    def precision(self) -> str:
        """Of its numbers, and of what travels to it and back."""

    @property
    @abc.abstractmethod
    def step(self) -> float | None:
        """Of the differences of gradients that its Hessians are made of [Å]; None where they are exact."""

    @abc.abstractmethod
    def why_not(self) -> str:
        """Return why it cannot be used here, with what to do about it; nothing where it can."""

    @abc.abstractmethod
    def missing(self, molecule: Molecule, stated: Sequence[Stated]) -> list[str]:
        """Return in words what it cannot hold of the interactions of a molecule."""

    @abc.abstractmethod
    def laid(self, molecule: Molecule, stated: Sequence[Stated], types: tuple[str, ...]) -> AbstractLaid:
        """Lay interactions over a molecule whose atoms are of these types."""


def by_differences(slopes: Slopes, positions: Positions, step: float) -> Hessian:
    """Return the Hessian from central differences of gradients over steps [Å] to both sides."""
    rows = np.zeros((positions.size, positions.size))
    for k, along in enumerate(step * np.eye(positions.size)):
        there, back = (slopes(positions + sign * along.reshape(positions.shape))[1] for sign in (1.0, -1.0))
        rows[k] = (there - back).ravel() / (2.0 * step)
    return 0.5 * (rows + rows.T)
