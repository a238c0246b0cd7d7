"""The seam: what every force field, classical or neural, can be asked."""

import abc

import equinox as eqx
from jaxtyping import Array, Float

from forgefield.molecules.topology import Topology


class AbstractSensitivities(eqx.Module):
    """How energy, gradient and Hessian of each molecule answer to the model's parameters."""

    @abc.abstractmethod
    def energy(self) -> Float[Array, "molecules parameters"]:
        """Derivative of the energies [kcal/mol]."""

    @abc.abstractmethod
    def gradient(self) -> Float[Array, "atoms 3 parameters"]:
        """Derivative of the gradient [kcal/mol/Å]."""

    @abc.abstractmethod
    def curvatures(
        self, modes: Float[Array, "molecules coordinates modes"]
    ) -> Float[Array, "molecules modes parameters"]:
        """Derivative of qᵀ H q for each mode q (a column, in unweighted Cartesian coordinates, zero-padded)."""

    @abc.abstractmethod
    def hessian(self, molecule: Float[Array, ""]) -> Float[Array, "coordinates coordinates parameters"]:
        """Derivative of the Hessian of one molecule [kcal/mol/Å²]."""


class AbstractModel(eqx.Module):
    """Maps molecules in a geometry to their energies. Its array leaves are trainable."""

    @abc.abstractmethod
    def energy(self, topology: Topology, positions: Float[Array, "atoms 3"]) -> Float[Array, " molecules"]:
        """Potential energy of each molecule [kcal/mol] at positions [Å]."""

    @abc.abstractmethod
    def hessian(
        self, topology: Topology, positions: Float[Array, "atoms 3"]
    ) -> Float[Array, "molecules coordinates coordinates"]:
        """Second derivatives of each molecule's energy [kcal/mol/Å²], zero-padded to the largest molecule."""

    @abc.abstractmethod
    def sensitivities(self, topology: Topology, positions: Float[Array, "atoms 3"]) -> AbstractSensitivities:
        """Return the derivatives of energy, gradient and Hessian by the parameters."""
