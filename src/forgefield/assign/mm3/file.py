"""What an MM3* force-field file holds: rows, equivalent names, non-bonded types and substructures."""

from dataclasses import dataclass
from enum import IntEnum

from forgefield.assign.mm3.patterns import Pattern


class RowKind(IntEnum):
    """What a row is about; the value is the number by which the file calls it."""

    STRETCH = 1
    BEND = 2
    STRETCH_BEND = 3
    TORSION = 4
    OUT_OF_PLANE = 5
    VAN_DER_WAALS = 6
    HYDROGEN_BOND = 7
    TORSION_STRETCH = 8


N_ATOMS = {
    RowKind.STRETCH: 2,
    RowKind.BEND: 3,
    RowKind.STRETCH_BEND: 3,
    RowKind.TORSION: 4,
    RowKind.OUT_OF_PLANE: 4,
    RowKind.VAN_DER_WAALS: 2,
    RowKind.HYDROGEN_BOND: 2,
    RowKind.TORSION_STRETCH: 4,
}
"""Number of atoms of each kind of interaction."""


THROUGH_SPACE = (RowKind.VAN_DER_WAALS, RowKind.HYDROGEN_BOND)
_ON_ONE_LINE = 3
"""Number of columns."""


@dataclass(frozen=True)
class Neighbour:
    """A neighbour that an atom must have besides those of the interaction, and what that one must bear."""

    name: str
    beyond: tuple[str, ...] = ()


@dataclass(frozen=True)
class Mm3Row:
    """One interaction row.

    `names` are type names, or, in a substructure, positions of its pattern (1-based integers).
    `columns` are its three columns in internal units, None where blank; those of a torsion that a row 54 continues
    are six.
    """

    kind: RowKind
    names: tuple[str | int, ...]
    bonds: tuple[str, ...]
    """Bond symbols between the names; empty in substructures, where any bond will do."""
    columns: tuple[float | None, ...]
    neighbours: tuple[tuple[Neighbour, ...], ...]
    """What each atom must also be bonded to."""
    line: int
    """The last physical line, 1-based, which MacroModel reports."""
    first_line: int
    """The physical line that holds the columns."""
    alternate: str = ""
    """The letter of the alternate it belongs to."""
    origin: str = ""
    quality: str = ""
    comment: str = ""

    @property
    def is_continued(self) -> bool:
        """Whether a row 54 continues it, whose columns stand on its last line."""
        return len(self.columns) > _ON_ONE_LINE


@dataclass(frozen=True)
class Condition:
    """When the rows of an alternate apply: an angle, or a dihedral angle, lies within a tolerance [rad].

    Dihedral angles are meant without their sign, as a force field does not tell a molecule from its mirror image.
    """

    positions: tuple[int, ...]
    """Three positions of the pattern, or four for a dihedral angle."""
    angle: float
    tolerance: float
    line: int


@dataclass(frozen=True)
class NonbondedRow:
    """Van der Waals parameters of a type: radius [Å], depth [kcal/mol], offset (a fraction), formal charge [e]."""

    name: str
    radius: float
    depth: float
    offset: float
    charge: float | None
    neighbours: tuple[Neighbour, ...]
    line: int
    origin: str = ""
    quality: str = ""


@dataclass(frozen=True)
class Substructure:
    """A pattern and the rows that apply where it is found; rows address its atoms by position."""

    title: str
    pattern: Pattern
    rows: tuple[Mm3Row, ...]
    conditions: dict[str, Condition]
    line: int
    """Where its pattern stands."""
    stops: bool = False
    """Whether atoms that it covers take no later substructure (a title that begins with S)."""


@dataclass(frozen=True, eq=False)
class Mm3File:
    """A force-field file, read whole."""

    path: str
    lines: tuple[str, ...]
    """The physical lines as read, ends included."""
    factors: dict[str, float]
    """The header's conversion factors by name, in its own units."""
    equivalences: dict[str, tuple[str, ...]]
    rows: tuple[Mm3Row, ...]
    nonbonded: tuple[NonbondedRow, ...]
    substructures: tuple[Substructure, ...]

    def row_on(self, line: int) -> Mm3Row | NonbondedRow | None:
        """Return the row that a physical line belongs to."""
        for row in (*self.rows, *(r for s in self.substructures for r in s.rows)):
            if row.first_line <= line <= row.line:
                return row
        return next((row for row in self.nonbonded if row.line == line), None)
