"""A force field that states every interaction of one system, laid over structures of it."""

import abc
from dataclasses import dataclass
from functools import cached_property

import jax.numpy as jnp
import numpy as np
from jaxtyping import Float, Int

from forgefield.assign.assignment import Assignment
from forgefield.assign.explicit.match import order_of
from forgefield.assign.explicit.rows import AbstractRowed, Group, Rowed, require_few, rowed, too_many_pairs
from forgefield.assign.explicit.striped import laid_in_stripes
from forgefield.assign.explicit.system import System
from forgefield.assign.rules import AbstractRowRules
from forgefield.errors import InputError
from forgefield.models.forcefield import ForceField
from forgefield.models.model import AbstractModel
from forgefield.molecules.molecule import Molecule
from forgefield.molecules.topology import Interactions, Topology, union


class AbstractStatedRules(AbstractRowRules):
    """Force fields that state every interaction of one system or several, for structures of these alone."""

    @property
    @abc.abstractmethod
    def each(self) -> tuple["SystemRules", ...]:
        """One for each system."""

    @property
    @abc.abstractmethod
    def rowed(self) -> AbstractRowed:
        """The systems as rows. Raises InputError for one that is too large."""

    @abc.abstractmethod
    def of(self, molecule: Molecule) -> "SystemRules":
        """Return the force field of the system that a molecule is. Raises InputError where it is none."""

    @abc.abstractmethod
    def with_values(self, values: Float[np.ndarray, " parameters"]) -> "AbstractStatedRules":
        """Return it with other values in the rows."""

    @property
    def heeded(self) -> frozenset[str]:
        """Nothing: charges of atoms are those of the system."""
        return frozenset()

    def restored(self) -> "AbstractStatedRules":
        """Return it as it is."""
        return self


@dataclass(frozen=True, eq=False, repr=False)
class SystemRules(AbstractStatedRules):
    """A force field of one system, for its structures alone: rows are what interactions of equal types share."""

    system: System

    @property
    def each(self) -> tuple["SystemRules", ...]:
        """Itself."""
        return (self,)

    def of(self, molecule: Molecule) -> "SystemRules":
        """Return itself: whether a molecule is of the system shows where it is laid over it."""
        del molecule
        return self

    @property
    def rowed(self) -> Rowed:
        """The system as rows. Raises InputError for one that is too large."""
        return self._rowed

    @cached_property
    def _rowed(self) -> Rowed:
        return rowed(self.system)

    def assign(self, molecules: list[Molecule]) -> Assignment:
        """Return model, topology and rows; atoms that are in another order are matched by the bonds.

        Raises InputError for other molecules.
        """
        if not molecules:
            raise InputError("no structures are given")
        system = self.system
        require_few(system.source, system.n_atoms, len(molecules))
        orders = [order_of(system, molecule) for molecule in molecules]
        places = [order + k * system.n_atoms for k, order in enumerate(orders)]
        groups = self.rowed.groups
        interactions = tuple(_laid(group, places) for group in groups)
        backward = [np.argsort(order) for order in orders]
        return Assignment(
            model=ForceField(tuple(group.term for group in groups), jnp.asarray(self.rowed.values)),
            topology=union([m.species for m in molecules], interactions),
            rows=self.rowed.rows,
            types=tuple(tuple(system.types[a] for a in back) for back in backward),
            names=tuple(tuple(system.labels[a] for a in back) for back in backward),
        )

    def lay(self, molecules: list[Molecule]) -> tuple[AbstractModel, Topology]:
        """Return model and topology, of many pairs of atoms as `laid_in_stripes` does. Raises InputError."""
        if too_many_pairs(self.system.n_atoms, len(molecules)):
            return laid_in_stripes(self.system, molecules)
        return self.assign(molecules).laid

    def with_values(self, values: Float[np.ndarray, " parameters"]) -> "SystemRules":
        """Return it with other values in the rows."""
        return SystemRules(self.rowed.system(self.system, values))

    def __repr__(self) -> str:
        return f"SystemRules({self.system!r})"


def _laid(group: Group, places: list[Int[np.ndarray, " atoms"]]) -> Interactions:
    """Return the interactions of a group in all structures."""
    return Interactions(
        atoms=np.concatenate([place[group.atoms] for place in places]),
        parameters=np.tile(group.parameters, (len(places), 1)),
    )


def systems_of(rules: object) -> tuple[System, ...]:
    """Return the systems whose force field it is; none of one that is for any molecules."""
    return tuple(one.system for one in rules.each) if isinstance(rules, AbstractStatedRules) else ()
