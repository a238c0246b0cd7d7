"""The values, rows and interactions gathered while an MM3* file is laid over molecules."""

from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Int

from forgefield.assign.mm3.file import Mm3File, Mm3Row, NonbondedRow
from forgefield.models.rows import Row
from forgefield.molecules.topology import Interactions
from forgefield.terms.term import Term

MAIN_TABLE = ""


@dataclass
class _Group:
    """The interactions of one term."""

    atoms: list[Int[np.ndarray, "some order"]] = field(default_factory=list)
    parameters: list[Int[np.ndarray, "some parameters"]] = field(default_factory=list)
    lines: list[Int[np.ndarray, " some"]] = field(default_factory=list)


@dataclass
class Ledger:
    """What has been gathered so far. A number that a row holds is entered once, when it is first used."""

    file: Mm3File
    values: list[float] = field(default_factory=list)
    rows: list[Row] = field(default_factory=list)
    groups: dict[Term, _Group] = field(default_factory=dict)
    entered: dict[int, tuple[int, ...]] = field(default_factory=dict)
    """Where the columns of the row on a line stand in the values."""
    _constants: dict[float, int] = field(default_factory=dict)

    def constant(self, value: float) -> int:
        """Return where a number stands that belongs to no row."""
        if value not in self._constants:
            self._constants[value] = self._enter((value,))[0]
        return self._constants[value]

    def columns(
        self,
        row: Mm3Row | NonbondedRow,
        columns: tuple[float, ...],
        terms: tuple[tuple[Term, tuple[int, ...]], ...],
        substructure: int | None = None,
    ) -> tuple[int, ...]:
        """Return where a row's columns stand; `terms` says which columns are a term's own parameters, in its order."""
        if row.line not in self.entered:
            places = self.entered[row.line] = self._enter(columns)
            self.rows += [
                Row(
                    term=term,
                    types=self._types(row, substructure),
                    indices=tuple(places[c] for c in own),
                    line=row.line,
                    section=MAIN_TABLE if substructure is None else self.file.substructures[substructure].title,
                )
                for term, own in terms
            ]
        return self.entered[row.line]

    def add(self, term: Term, atoms: tuple[int, ...], parameters: tuple[int, ...], line: int) -> None:
        """Append one interaction; line 0 where no single line supplied it."""
        self.add_all(term, np.array([atoms]), np.array([parameters]), np.array([line]))

    def add_all(
        self,
        term: Term,
        atoms: Int[np.ndarray, "some order"],
        parameters: Int[np.ndarray, "some parameters"],
        lines: Int[np.ndarray, " some"],
    ) -> None:
        """Append interactions of one term."""
        if len(atoms) == 0:
            return
        group = self.groups.setdefault(term, _Group())
        group.atoms.append(atoms)
        group.parameters.append(parameters)
        group.lines.append(lines)

    @staticmethod
    def charge(atom: Int[np.ndarray, "*some"]) -> Int[np.ndarray, "*some"]:
        """Return what stands for the charges of atoms of the batch among the parameters until all values are known."""
        return -1 - atom

    def interactions(self) -> tuple[tuple[Term, Interactions, Int[np.ndarray, " _"]], ...]:
        """Return the terms with their interactions and the lines that supplied these."""
        found = []
        for term, group in self.groups.items():
            parameters = np.concatenate(group.parameters)
            # Charges follow the values.
            parameters = np.where(parameters < 0, len(self.values) - 1 - parameters, parameters)
            interactions = Interactions(atoms=np.concatenate(group.atoms), parameters=parameters)
            found.append((term, interactions, np.concatenate(group.lines)))
        return tuple(found)

    def _enter(self, values: tuple[float, ...]) -> tuple[int, ...]:
        start = len(self.values)
        self.values.extend(values)
        return tuple(range(start, len(self.values)))

    def _types(self, row: Mm3Row | NonbondedRow, substructure: int | None) -> tuple[str, ...]:
        if isinstance(row, NonbondedRow):
            return (row.name,)
        if substructure is None:
            return tuple(str(name) for name in row.names)
        pattern = self.file.substructures[substructure].pattern
        return tuple(pattern.names[name - 1] if isinstance(name, int) else name for name in row.names)
