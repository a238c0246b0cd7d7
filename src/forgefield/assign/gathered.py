"""The rows and values gathered while a force field is laid over molecules."""

from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Float, Int

from forgefield.assign.instances import Types
from forgefield.models.rows import Row
from forgefield.terms.term import Term


@dataclass
class Rows:
    """The rows and values gathered so far."""

    rows: list[Row] = field(default_factory=list)
    values: list[float] = field(default_factory=list)
    known: dict[tuple[str, Types], Row] = field(default_factory=dict)

    def add(self, term: Term, types: Types, values: tuple[float, ...]) -> Row:
        """Append a row with its values."""
        start = len(self.values)
        row = Row(term=term, types=types, indices=tuple(range(start, start + len(values))))
        self.values.extend(values)
        self.rows.append(row)
        self.known[term.kind, types] = row
        return row

    def constant(self, value: float) -> int:
        """Append a value that belongs to no row, and return where it stands."""
        self.values.append(value)
        return len(self.values) - 1

    def constants(self, values: Float[np.ndarray, " _"]) -> Int[np.ndarray, " _"]:
        """Append values that belong to no row, equal ones once, and return where each stands."""
        found, which = np.unique(values, return_inverse=True)
        return np.array([self.constant(float(value)) for value in found], dtype=np.int64)[which]
