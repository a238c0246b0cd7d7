"""Force fields that state every interaction of any molecule whose types or surroundings they know."""

import abc
from collections.abc import Hashable, Sequence
from warnings import warn

import numpy as np

from forgefield.assign.assignment import Assignment
from forgefield.assign.explicit.match import bonds_of
from forgefield.assign.explicit.rules import AbstractStatedRules, SystemRules
from forgefield.assign.explicit.several import laid_together, shared, together
from forgefield.assign.rules import AbstractRowRules
from forgefield.errors import InputError, InputWarning
from forgefield.models.model import AbstractModel
from forgefield.molecules.bonds import equivalence
from forgefield.molecules.molecule import Molecule
from forgefield.molecules.topology import Topology


class AbstractLibrary(AbstractRowRules):
    """Parameters from which the system of any molecule follows."""

    @abc.abstractmethod
    def over(self, molecule: Molecule) -> SystemRules:
        """Return the force field of a molecule. Raises InputError, or MissingParameters that lists what has no row."""

    @property
    @abc.abstractmethod
    def holds(self) -> tuple[str, ...]:
        """What it has rows for, in words."""

    def assign(self, molecules: list[Molecule]) -> Assignment:
        """Return model, topology and rows; molecules share the rows of equal types and equal values.

        Raises InputError, or MissingParameters.
        """
        if not molecules:
            raise InputError("no structures are given")
        systems: list[SystemRules] = []
        known: dict[Hashable, int] = {}
        for molecule in molecules:
            if (key := _identity(molecule)) not in known:
                known[key] = len(systems)
                systems.append(self.over(molecule))
        if len(systems) == 1:
            return systems[0].assign(molecules)
        return laid_together(systems, shared(systems), [known[_identity(m)] for m in molecules], molecules)

    def lay(self, molecules: list[Molecule]) -> tuple[AbstractModel, Topology]:
        """Return model and topology. Raises InputError, or MissingParameters."""
        rules = self.narrowed(molecules)
        return self.assign(molecules).laid if rules is self else rules.lay(molecules)

    def stated(self, molecules: Sequence[Molecule]) -> AbstractStatedRules:
        """Return the force field of the systems that structures are of, in which conformers share their charges.

        Raises InputError, or MissingParameters.
        """
        firsts: dict[Hashable, Molecule] = {}
        for molecule in molecules:
            types = molecule.types or ()
            key = tuple(sorted(equivalence(molecule.species, bonds_of(molecule), types)))
            if _charges(first := firsts.setdefault(key, molecule)) != _charges(molecule):
                warn(
                    f"{molecule.source or molecule.name}: takes the charges of {first.source or first.name}, which has "
                    "the same types and bonds",
                    InputWarning,
                    stacklevel=2,
                )
        return together([self.over(molecule) for molecule in firsts.values()])

    def narrowed(self, molecules: list[Molecule]) -> AbstractRowRules:
        """Return the force field of the one system that structures are of; itself where they are of several.

        Raises InputError, or MissingParameters.
        """
        if not molecules:
            raise InputError("no structures are given")
        return self.over(molecules[0]) if len({_identity(molecule) for molecule in molecules}) == 1 else self

    @property
    def heeded(self) -> frozenset[str]:
        """Nothing: charges of atoms are those of the file, or of the structure."""
        return frozenset()


def _identity(molecule: Molecule) -> Hashable:
    """Return what is the same for structures of one system."""
    arrays = molecule.species, bonds_of(molecule), molecule.orders, molecule.charges, molecule.formal_charges
    return tuple(None if one is None else np.asarray(one).tobytes() for one in arrays), molecule.types, molecule.names


def _charges(molecule: Molecule) -> tuple[float, ...]:
    return () if molecule.charges is None else tuple(molecule.charges.tolist())
