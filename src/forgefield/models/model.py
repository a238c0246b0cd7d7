"""The seam: what every force field, classical or neural, can be asked."""

import abc
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int, PyTree

from forgefield.errors import InputError
from forgefield.molecules.elements import SYMBOLS
from forgefield.molecules.neighbours import Neighbours
from forgefield.molecules.topology import IntArray, Topology

Found = TypeVar("Found", bound=PyTree)


class Selection(eqx.Module):
    """Which of a model's parameters derivatives are wanted for, each in a column of its own.

    A molecule has only some of the columns; derivatives are kept for those alone.
    """

    n: int = eqx.field(static=True)
    """Number of columns."""
    groups: tuple[bool, ...] = eqx.field(static=True)
    """Which groups of interactions hold a selected parameter; the others cost nothing."""
    columns: Int[IntArray, "molecules own"]
    """The columns that each molecule has, ascending; padding is `n`."""
    places: tuple[Int[IntArray, "_ _"], ...]
    """For each group and interaction, which of its molecule's columns each parameter has; beyond them if none."""
    members: tuple[Int[IntArray, "molecules _"], ...]
    """For each group, the interactions of each molecule; padding is beyond the last."""
    charges: tuple[Int[IntArray, " ends"], Int[IntArray, " ends"]] | None
    """Which columns the moment and the length of each end of a bond have; None where charges do not move."""

    def spread(self, slopes: Float[Array, "molecules own *window"]) -> Float[Array, "molecules columns *window"]:
        """Return derivatives by the columns that each molecule has as derivatives by all."""
        molecule = jnp.arange(slopes.shape[0])[:, None]
        total = jnp.zeros((slopes.shape[0], self.n, *slopes.shape[2:]), slopes.dtype)
        return total.at[molecule, jnp.asarray(self.columns)].add(slopes, mode="drop")


class AbstractSensitivities(eqx.Module):
    """How energy, gradient and Hessian of each molecule answer to the selected parameters that it has."""

    @abc.abstractmethod
    def energy(self) -> Float[Array | np.ndarray, "molecules own"]:
        """Derivative of the energies [kcal/mol]."""

    @abc.abstractmethod
    def gradient(self) -> Float[Array | np.ndarray, "molecules own coordinates"]:
        """Derivative of the gradient [kcal/mol/Å], zero-padded to the largest molecule."""

    @abc.abstractmethod
    def charges(self) -> Float[Array, "molecules own atoms"]:
        """Derivative of the charges [e], zero-padded to the largest molecule."""

    @abc.abstractmethod
    def displacements(self) -> Float[Array, "molecules own coordinates"]:
        """Derivative of the positions [Å], zero-padded to the largest molecule: zero unless they follow the model."""

    @abc.abstractmethod
    def curvatures(
        self, modes: Float[Array | np.ndarray, "molecules coordinates modes"]
    ) -> Float[Array | np.ndarray, "molecules own modes"]:
        """Derivative of qᵀ H q for each column q of `modes`, in Cartesian coordinates, zero-padded."""

    @abc.abstractmethod
    def each_hessian(
        self, modes: Float[Array, "molecules coordinates modes"], reduce: Callable[..., Found], *arguments: Array
    ) -> Found:
        """Return `reduce(dH V, *arguments)` of one molecule after another, stacked.

        dH V [own, coordinates, modes] is the derivative of a molecule's Hessian [kcal/mol/Å²] times its `modes`;
        what `reduce` makes of it is all that is kept. The arrays in `arguments` have an entry for each molecule.
        """


@dataclass(frozen=True)
class Traits:
    """What a model can be asked, and how it is asked best."""

    laid: bool
    """Whether it acts on interactions, which are laid over molecules by their bonds; else elements alone will do."""
    elements: tuple[int, ...] | None
    """Atomic numbers that it knows; None where it knows all, or where its interactions are laid for those it knows."""
    heeded: frozenset[str]
    """Which of a molecule's "charge" and "multiplicity" in the topology its energy depends on."""
    cutoff: float | None
    """Å, beyond which atoms do not see each other. Listed up to it, neighbours are all that it needs to know of a large
    molecule or a periodic system. None where it takes no listed neighbours, and thus no periodic system."""
    most_in_pairs: int | None
    """Atoms of the largest molecule that it computes as fast without listed neighbours; None where any."""
    in_turn: bool
    """Whether a CPU computes replicas faster one after another than together: the numbers of one fill its cache."""
    precision: np.dtype
    """Of its own numbers, float32 or float64, whatever that of the positions."""
    of_terms: bool = False
    """Whether it is nothing but a sum of terms, for which there are programs that many molecules share."""

    def wants_list(self, n_atoms: int) -> bool:
        """Say whether it is faster with listed neighbours for a molecule in vacuum."""
        return self.cutoff is not None and self.most_in_pairs is not None and n_atoms > self.most_in_pairs


class AbstractModel(eqx.Module):
    """Maps molecules in a geometry to their energies. Its array leaves are trainable."""

    @property
    @abc.abstractmethod
    def traits(self) -> Traits:
        """What it can be asked, and how it is asked best."""

    @abc.abstractmethod
    def with_precision(self, dtype: type) -> "AbstractModel":
        """Return the model with numbers of its own in float32 or float64."""

    @abc.abstractmethod
    def energy(self, topology: Topology, positions: Float[Array, "atoms 3"]) -> Float[Array, " molecules"]:
        """Potential energy of each molecule [kcal/mol] at positions [Å]."""

    @abc.abstractmethod
    def gradient(self, topology: Topology, positions: Float[Array, "atoms 3"]) -> Float[Array, "atoms 3"]:
        """Derivative of each molecule's energy by its positions [kcal/mol/Å]."""

    @abc.abstractmethod
    def energy_and_gradient(
        self, topology: Topology, positions: Float[Array, "atoms 3"]
    ) -> tuple[Float[Array, " molecules"], Float[Array, "atoms 3"]]:
        """Both, with what they share computed once."""

    @abc.abstractmethod
    def hessian(
        self, topology: Topology, positions: Float[Array, "atoms 3"]
    ) -> Float[Array, "molecules coordinates coordinates"]:
        """Second derivatives of each molecule's energy [kcal/mol/Å²], zero-padded to the largest molecule."""

    @abc.abstractmethod
    def charges(self, topology: Topology) -> Float[Array, " charges"]:
        """Charge of each atom [e]; none where the model gives atoms no charges."""


class AbstractParametrisedModel(AbstractModel):
    """A model of parameters with a meaning each, few enough for a derivative of everything by each of them."""

    @abc.abstractmethod
    def sensitivities(
        self, topology: Topology, positions: Float[Array, "atoms 3"], selection: Selection
    ) -> AbstractSensitivities:
        """Return the derivatives of energy, gradient and Hessian by the selected parameters."""


class AbstractNeighbourModel(AbstractModel):
    """A model whose atoms see vectors to their neighbours and nothing else."""

    @abc.abstractmethod
    def energy_of_displacements(
        self, topology: Topology, neighbours: Neighbours, d: Float[Array, "atoms places 3"]
    ) -> Float[Array, " molecules"]:
        """Potential energy of each molecule [kcal/mol] at vectors from each atom to its neighbours [Å]."""


def require_known(model: AbstractModel, species: Int[np.ndarray, " atoms"], name: str) -> None:
    """Raise InputError that lists the elements of a molecule which the model was not made for."""
    known = model.traits.elements
    unknown = set() if known is None else {int(z) for z in species} - set(known)
    if known is not None and unknown:
        found = ", ".join(f"{SYMBOLS[z]} (first at atom {int(np.argmax(species == z)) + 1})" for z in sorted(unknown))
        trained = ", ".join(SYMBOLS[z] for z in known)
        raise InputError(f"{name}: the model does not know {found}; it was trained on {trained}")
