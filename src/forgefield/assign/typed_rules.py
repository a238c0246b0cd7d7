"""A force field whose rows go by types, not yet laid over molecules."""

from collections.abc import Mapping
from dataclasses import dataclass

from forgefield.assign.assignment import Assignment
from forgefield.assign.rules import AbstractRowRules
from forgefield.assign.typed import Table, assign_typed_rows
from forgefield.assign.typing import Typing
from forgefield.molecules.molecule import Molecule
from forgefield.terms.term import Term


@dataclass(frozen=True, eq=False)
class TypedRules(AbstractRowRules):
    """Rows by atom types, as AMBER has them, or by types whose meaning is their surroundings, as generated ones have.

    Values are in internal units.
    """

    tables: Mapping[Term, Table]
    increments: Table
    """Bond charge increments [e]; none where there are no charges."""
    typing: Typing

    def assign(self, molecules: list[Molecule]) -> Assignment:
        """Return model, topology and rows.

        Raises InputError, and MissingParameters that lists stretches, bends and van der Waals types without a row.
        """
        typed = [self.typing(m) for m in molecules]
        return assign_typed_rows(typed, self.tables, self.increments, f"add them to {self.typing.source}")

    @property
    def heeded(self) -> frozenset[str]:
        """The charge, where those of the atoms add up to it."""
        return frozenset({"charge"}) if self.increments else frozenset()

    def restored(self) -> "TypedRules":
        """Return it as it is."""
        return self
