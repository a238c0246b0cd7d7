"""A force field whose rows go by types, not yet laid over molecules."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np

from forgefield.assign.assignment import Assignment
from forgefield.assign.charge_rule import CHARGING
from forgefield.assign.geometry_classes import GeometryClasses
from forgefield.assign.instances import Types
from forgefield.assign.rules import AbstractRowRules
from forgefield.assign.typed import Table, assign_typed_rows
from forgefield.assign.typing import Typing
from forgefield.models.model import AbstractModel
from forgefield.molecules.molecule import Molecule
from forgefield.molecules.topology import Topology
from forgefield.terms.nonbonded import CHARGE_INCREMENT
from forgefield.terms.term import Term


@dataclass(frozen=True, eq=False, repr=False)
class TypedRules(AbstractRowRules):
    """Rows by atom types, as AMBER has them, or by types that stand for surroundings, as generated ones do."""

    tables: Mapping[Term, Table]
    """Values [internal units], stretches and bends first; one of bond moments or increments where there are charges."""
    typing: Typing
    classes: GeometryClasses = field(default_factory=GeometryClasses)

    def assign(self, molecules: list[Molecule]) -> Assignment:
        """Return model, topology and rows.

        Raises InputError, and MissingParameters that lists stretches, bends and van der Waals types without a row.
        """
        typed = [self.typing(m) for m in molecules]
        laid = assign_typed_rows(typed, self.tables, f"add them to {self.typing.source}", self.classes)
        return replace(laid, descriptions={name: meaning for meaning, name in self.typing.meanings.items()})

    def lay(self, molecules: list[Molecule]) -> tuple[AbstractModel, Topology]:
        """Return model and topology. Raises InputError, or MissingParameters."""
        return self.assign(molecules).laid

    def unused(self, laid: Assignment) -> int:
        """Return how many of its rows act in none of the molecules that it was laid over."""
        return sum(map(len, self.tables.values())) - len(laid.rows)

    @property
    def heeded(self) -> frozenset[str]:
        """The charge, where those of the atoms add up to it."""
        return frozenset({"charge"}) if any(term.kind in CHARGING for term in self.tables) else frozenset()

    def __repr__(self) -> str:
        rows = ", ".join(f"{len(table)} {term.kind}" for term, table in self.tables.items() if table)
        return f"TypedRules({self.typing.source}: {rows} rows)"

    def restored(self) -> "TypedRules":
        """Return it as it is."""
        return self


def generated_rules(assignment: Assignment, source: str = "the force field") -> TypedRules:
    """Return the rows of a generated force field as rules for any molecules with the same surroundings of atoms.

    `source` is what messages call it.
    """
    values = np.asarray(assignment.model.values)
    tables: dict[Term, dict[Types, tuple[float, ...]]] = {}
    for row in assignment.rows:
        tables.setdefault(row.term, {})[row.types] = tuple(float(values[place]) for place in row.indices)
    if assignment.topology.charges is not None and not any(term.kind in CHARGING for term in tables):
        # Charges of ions of one type, which no bond moves.
        tables[CHARGE_INCREMENT] = {}
    meanings = {meaning: name for name, meaning in assignment.descriptions.items()}
    return TypedRules(tables, Typing(source, meanings, own=False), assignment.classes)
