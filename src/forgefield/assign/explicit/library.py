"""Force fields that state every interaction of any molecule whose types or surroundings they know."""

import abc
from collections.abc import Hashable, Sequence
from dataclasses import replace

import jax.numpy as jnp
import numpy as np
from jaxtyping import Int

from forgefield.assign.assignment import Assignment
from forgefield.assign.explicit.rows import told_apart
from forgefield.assign.explicit.rules import SystemRules
from forgefield.assign.gathered import Rows
from forgefield.assign.rules import AbstractRowRules
from forgefield.errors import InputError
from forgefield.models.forcefield import ForceField
from forgefield.molecules.bonds import perceive_bonds
from forgefield.molecules.molecule import Molecule
from forgefield.molecules.topology import Interactions, union
from forgefield.terms.nonbonded import COULOMB
from forgefield.terms.term import Term


class AbstractLibrary(AbstractRowRules):
    """Parameters from which the system of any molecule follows."""

    @abc.abstractmethod
    def over(self, molecule: Molecule) -> SystemRules:
        """Return the force field of a molecule. Raises InputError, or MissingParameters that lists what has no row."""

    def assign(self, molecules: list[Molecule]) -> Assignment:
        """Return model, topology and rows; molecules share the rows of equal types and equal values.

        Raises InputError, or MissingParameters.
        """
        narrowed = self.narrowed(molecules)
        if isinstance(narrowed, SystemRules):
            return narrowed.assign(molecules)
        known: dict[Hashable, tuple[int, SystemRules]] = {}
        laid = []
        for molecule in molecules:
            key = _identity(molecule)
            if key not in known:
                known[key] = len(known), self.over(molecule)
            laid.append(known[key])
        return _joined([(k, rules.assign([m])) for (k, rules), m in zip(laid, molecules, strict=True)], molecules)

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
    bonds = molecule.bonds if len(molecule.bonds) else perceive_bonds(molecule.species, molecule.positions)[0]
    arrays = molecule.species, bonds, molecule.orders, molecule.charges, molecule.formal_charges
    return tuple(None if one is None else np.asarray(one).tobytes() for one in arrays), molecule.types, molecule.names


def _joined(laid: Sequence[tuple[int, Assignment]], molecules: Sequence[Molecule]) -> Assignment:
    """Return one assignment of several, each of one molecule with the number of its system."""
    gathered, places = Rows(), _Places()
    found: dict[Term, list[Interactions]] = {}
    start = 0
    for (number, one), molecule in zip(laid, molecules, strict=True):
        new = places.of(gathered, number, one)
        for term, group in zip(one.model.terms, one.topology.interactions, strict=True):
            moved = Interactions(np.asarray(group.atoms) + start, new[np.asarray(group.parameters)])
            found.setdefault(term, []).append(moved)
        start += molecule.n_atoms
    interactions = tuple(
        Interactions(
            np.concatenate([np.asarray(group.atoms) for group in groups]),
            np.concatenate([np.asarray(group.parameters) for group in groups]),
        )
        for groups in found.values()
    )
    return replace(
        laid[0][1],
        model=ForceField(tuple(found), jnp.asarray(gathered.values)),
        topology=union([m.species for m in molecules], interactions),
        rows=tuple(told_apart(gathered)),
        types=tuple(one.types[0] for _, one in laid),
        names=tuple(one.names[0] for _, one in laid),
    )


class _Places:
    """Where the values of rows, and constants that belong to none, stand among those of all molecules."""

    def __init__(self) -> None:
        self._entered: dict[Hashable, tuple[int, ...]] = {}

    def of(self, gathered: Rows, number: int, laid: Assignment) -> Int[np.ndarray, " values"]:
        """Return the new place of each value of an assignment."""
        values = np.asarray(laid.model.values).tolist()
        new = np.full(len(values), -1)
        for row in laid.rows:
            own = tuple(values[place] for place in row.indices)
            # Charges are those of the atoms of one system.
            key = row.term, row.types, own, number if row.term == COULOMB else None
            if key not in self._entered:
                self._entered[key] = gathered.add(row.term, row.types, own).indices
            new[list(row.indices)] = self._entered[key]
        for place in np.flatnonzero(new < 0).tolist():
            constant = ("constant", values[place])
            if constant not in self._entered:
                self._entered[constant] = (gathered.constant(values[place]),)
            new[place] = self._entered[constant][0]
        return new
