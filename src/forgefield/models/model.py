"""The seam: what every force field, classical or neural, can be asked."""

import abc

import equinox as eqx
import numpy as np
from jaxtyping import Array, Float, Int

from forgefield.molecules.topology import Topology


class Selection(eqx.Module):
    """Which of a model's parameters derivatives are wanted for, and in which column each one goes."""

    column: Int[Array | np.ndarray, " parameters"]
    """`n` where no derivative is wanted."""
    n: int = eqx.field(static=True)
    """Number of columns."""
    groups: tuple[bool, ...] = eqx.field(static=True)
    """Which groups of interactions hold a selected parameter; the others cost nothing."""


class AbstractSensitivities(eqx.Module):
    """How energy, gradient and Hessian of each molecule answer to the selected parameters."""

    @abc.abstractmethod
    def energy(self) -> Float[Array, "molecules columns"]:
        """Derivative of the energies [kcal/mol]."""

    @abc.abstractmethod
    def gradient(self) -> Float[Array, "atoms 3 columns"]:
        """Derivative of the gradient [kcal/mol/Å]."""

    @abc.abstractmethod
    def curvatures(self, modes: Float[Array, "molecules coordinates modes"]) -> Float[Array, "molecules modes columns"]:
        """Derivative of qᵀ H q for each column q of `modes`, in Cartesian coordinates, zero-padded."""

    @abc.abstractmethod
    def hessian(self) -> Float[Array, "molecules coordinates coordinates columns"]:
        """Derivative of the Hessians [kcal/mol/Å²]."""


class AbstractModel(eqx.Module):
    """Maps molecules in a geometry to their energies. Its array leaves are trainable."""

    @abc.abstractmethod
    def energy(self, topology: Topology, positions: Float[Array, "atoms 3"]) -> Float[Array, " molecules"]:
        """Potential energy of each molecule [kcal/mol] at positions [Å]."""

    @abc.abstractmethod
    def gradient(self, topology: Topology, positions: Float[Array, "atoms 3"]) -> Float[Array, "atoms 3"]:
        """Derivative of each molecule's energy by its positions [kcal/mol/Å]."""

    @abc.abstractmethod
    def hessian(
        self, topology: Topology, positions: Float[Array, "atoms 3"]
    ) -> Float[Array, "molecules coordinates coordinates"]:
        """Second derivatives of each molecule's energy [kcal/mol/Å²], zero-padded to the largest molecule."""

    @abc.abstractmethod
    def sensitivities(
        self, topology: Topology, positions: Float[Array, "atoms 3"], selection: Selection
    ) -> AbstractSensitivities:
        """Return the derivatives of energy, gradient and Hessian by the selected parameters."""
