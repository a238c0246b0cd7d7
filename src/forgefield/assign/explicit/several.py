"""Force fields of several systems, whose interactions of equal types and equal values share rows."""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import groupby

import jax.numpy as jnp
import numpy as np
from jaxtyping import Float, Int

from forgefield.assign.assignment import Assignment
from forgefield.assign.explicit.match import bonds_of, order_of
from forgefield.assign.explicit.rows import AbstractRowed, require_few, told_apart
from forgefield.assign.explicit.rules import AbstractStatedRules, SystemRules
from forgefield.assign.gathered import Rows
from forgefield.errors import InputError
from forgefield.models.forcefield import ForceField
from forgefield.models.model import AbstractModel
from forgefield.molecules.bonds import bond_graph
from forgefield.molecules.molecule import Molecule
from forgefield.molecules.topology import Interactions, Topology, union
from forgefield.terms.nonbonded import COULOMB
from forgefield.terms.term import Term


@dataclass(frozen=True, eq=False)
class SharedRows(AbstractRowed):
    """Several systems as rows."""

    places: tuple[Int[np.ndarray, " _"], ...]
    """Where each value of each system stands among them."""


@dataclass(frozen=True, eq=False, repr=False)
class SeveralSystemsRules(AbstractStatedRules):
    """Force fields of several systems, for structures of these alone."""

    systems: tuple[SystemRules, ...]

    @property
    def each(self) -> tuple[SystemRules, ...]:
        """One for each system."""
        return self.systems

    @property
    def rowed(self) -> SharedRows:
        """The rows that they have together. Raises InputError for a system that is too large."""
        return self._rowed

    @cached_property
    def _rowed(self) -> SharedRows:
        return shared(self.each)

    def assign(self, molecules: list[Molecule]) -> Assignment:
        """Return model, topology and rows. Raises InputError for molecules of which there is no system."""
        if not molecules:
            raise InputError("no structures are given")
        graphs = [bond_graph(one.system.species, one.system.bonds) for one in self.each]
        return laid_together(self.each, self.rowed, [self._place(m, graphs) for m in molecules], molecules)

    def lay(self, molecules: list[Molecule]) -> tuple[AbstractModel, Topology]:
        """Return model and topology. Raises InputError for molecules of which there is no system."""
        return self.assign(molecules).laid

    def of(self, molecule: Molecule) -> SystemRules:
        """Return the force field of the system that a molecule is. Raises InputError where it is none of them."""
        return self.each[self._place(molecule, [bond_graph(one.system.species, one.system.bonds) for one in self.each])]

    def with_values(self, values: Float[np.ndarray, " parameters"]) -> "SeveralSystemsRules":
        """Return them with other values in the rows."""
        own = zip(self.each, self.rowed.places, strict=True)
        return SeveralSystemsRules(tuple(one.with_values(values[places]) for one, places in own))

    def _place(self, molecule: Molecule, graphs: Sequence[str]) -> int:
        """Return which system a molecule is, by its bonds, else by its elements, and by its types where it has some."""
        systems = [one.system for one in self.each]
        graph = bond_graph(molecule.species, bonds_of(molecule))
        found = [k for k, own in enumerate(graphs) if own == graph]
        elements = sorted(molecule.species.tolist())
        found = found or [k for k, own in enumerate(systems) if sorted(own.species.tolist()) == elements]
        if molecule.types is not None:
            found = [k for k in found if sorted(systems[k].types) == sorted(molecule.types)] or found
        name = molecule.source or molecule.name
        if not found:
            known = "\n".join(f"  {own.source}: {own.formula}" for own in systems)
            raise InputError(f"{name}: its atoms are {molecule.formula}, which is none of\n{known}")
        if len(found) > 1:
            alike = " and ".join(systems[k].source for k in found)
            raise InputError(
                f"{name}: may be of {alike}, which are not told apart by bonds and types; give one of them"
            )
        return found[0]

    def __repr__(self) -> str:
        return f"SeveralSystemsRules({', '.join(repr(one.system) for one in self.each)})"


def together(systems: Sequence[SystemRules]) -> AbstractStatedRules:
    """Return the force field of one system or of several."""
    return systems[0] if len(systems) == 1 else SeveralSystemsRules(tuple(systems))


def shared(systems: Sequence[SystemRules]) -> SharedRows:
    """Return the rows of systems: those of equal types and equal values are one, but for charges and what is split."""
    gathered, entered = Rows(), {}
    places = tuple(_entered(gathered, entered, number, rules) for number, rules in enumerate(systems))
    return SharedRows(np.array(gathered.values), tuple(told_apart(gathered)), places)


def _entered(
    gathered: Rows, entered: dict[Hashable, tuple[int, ...]], number: int, rules: SystemRules
) -> Int[np.ndarray, " values"]:
    """Enter the rows of a system, and constants that belong to none, and return where its values stand."""
    values, system = rules.rowed.values.tolist(), rules.system
    split = {tuple(system.labels[a] for a in chain) for chain in system.split}
    new = np.full(len(values), -1)
    for row in rules.rowed.rows:
        held = tuple(values[place] for place in row.indices)
        # Charges, and rows that go by names of atoms, are those of one system.
        alone = row.term == COULOMB or row.types in split or row.types[::-1] in split
        key = row.term, row.types, held, number if alone else None
        if key not in entered:
            entered[key] = gathered.add(row.term, row.types, held).indices
        new[list(row.indices)] = entered[key]
    for place in np.flatnonzero(new < 0).tolist():
        constant = ("constant", values[place])
        if constant not in entered:
            entered[constant] = (gathered.constant(values[place]),)
        new[place] = entered[constant][0]
    return new


def laid_together(
    systems: Sequence[SystemRules], rows: SharedRows, which: Sequence[int], molecules: Sequence[Molecule]
) -> Assignment:
    """Return one assignment of molecules, each of the system of this number."""
    for number, own in groupby(sorted(which)):
        require_few(systems[number].system.source, systems[number].system.n_atoms, len([*own]))
    found: dict[Term, list[Interactions]] = {}
    types, names, start = [], [], 0
    for number, molecule in zip(which, molecules, strict=True):
        system, new = systems[number].system, rows.places[number]
        order = order_of(system, molecule)
        for group in systems[number].rowed.groups:
            placed = Interactions(order[group.atoms] + start, new[group.parameters])
            found.setdefault(group.term, []).append(placed)
        back = np.argsort(order)
        types.append(tuple(system.types[a] for a in back))
        names.append(tuple(system.labels[a] for a in back))
        start += molecule.n_atoms
    return Assignment(
        model=ForceField(tuple(found), jnp.asarray(rows.values)),
        topology=union([m.species for m in molecules], tuple(_concatenated(groups) for groups in found.values())),
        rows=rows.rows,
        types=tuple(types),
        names=tuple(names),
    )


def _concatenated(groups: Sequence[Interactions]) -> Interactions:
    return Interactions(
        np.concatenate([np.asarray(group.atoms) for group in groups]),
        np.concatenate([np.asarray(group.parameters) for group in groups]),
    )
