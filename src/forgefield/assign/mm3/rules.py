"""An MM3* file as a force field that is not yet laid over molecules."""

import math
from collections.abc import Collection
from dataclasses import dataclass

from forgefield.assign.assignment import Assignment
from forgefield.assign.mm3.file import Mm3File
from forgefield.assign.mm3.laid import Mm3Assignment, assign_mm3
from forgefield.assign.rules import AbstractRowRules
from forgefield.assign.typing import Typing
from forgefield.models.model import AbstractModel
from forgefield.molecules.molecule import Molecule
from forgefield.molecules.topology import Topology


@dataclass(frozen=True, eq=False, repr=False)
class Mm3Rules(AbstractRowRules):
    """The rows of an MM3* file, which go by MacroModel atom types or by what the file says that its types stand for."""

    file: Mm3File
    typing: Typing

    def assign(self, molecules: list[Molecule]) -> Assignment:
        """Return model, topology and rows. Raises InputError, or MissingParameters."""
        return assign_mm3([self.typing(m) for m in molecules], self.file).assignment

    def lay(self, molecules: list[Molecule]) -> tuple[AbstractModel, Topology]:
        """Return model and topology. Raises InputError, or MissingParameters."""
        return self.assign(molecules).laid

    def assign_lines(
        self,
        molecules: list[Molecule],
        *,
        trained: Collection[int] = (),
        cutoff: float = math.inf,
        vdw_cutoff: float = math.inf,
    ) -> Mm3Assignment:
        """Return the same with the line of the file behind each interaction, as `assign_mm3` does.

        Raises InputError that names all molecules without types where the file does not say what its types stand for.
        """
        typed = [self.typing(m) for m in molecules] if self.typing.meanings else molecules
        return assign_mm3(typed, self.file, trained=trained, cutoff=cutoff, vdw_cutoff=vdw_cutoff)

    @property
    def heeded(self) -> frozenset[str]:
        """Nothing: charges of atoms are those of their types."""
        return frozenset()

    def __repr__(self) -> str:
        return f"Mm3Rules({self.file.path}: {len(self.file.lines)} lines)"

    def restored(self) -> "Mm3Rules":
        """Return it as it is."""
        return self
