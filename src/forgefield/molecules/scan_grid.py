"""A grid of dihedral angles that a relaxed scan visits."""

from dataclasses import dataclass
from itertools import product

from forgefield.errors import InputError

FULL_TURN = 360
Point = tuple[int, ...]
"""An angle for each dihedral [degrees], above -180 and up to 180."""


@dataclass(frozen=True)
class Turned:
    """One dihedral and the angles through which it is turned, in whole degrees.

    Raises InputError where the range is empty or longer than a turn, or not a whole number of steps.
    """

    atoms: tuple[int, int, int, int]
    """0-based."""
    step: int = 15
    """Degrees."""
    first: int = -165
    last: int = 180
    """Degrees; a full turn ends one step before it begins."""

    def __post_init__(self) -> None:
        span = self.last - self.first
        if self.step < 1 or span < 0 or span % self.step or span > FULL_TURN:
            raise InputError(
                f"a scan from {self.first}° to {self.last}° in steps of {self.step}°: the range must be a whole number "
                "of steps, of at most one turn"
            )

    @property
    def angles(self) -> list[int]:
        """The angles [degrees], each once."""
        found = [wrapped(angle) for angle in range(self.first, self.last + 1, self.step)]
        return list(dict.fromkeys(found))

    @property
    def is_closed(self) -> bool:
        """Whether the last angle is a neighbour of the first."""
        return (self.last + self.step - self.first) % FULL_TURN == 0 or self.last - self.first == FULL_TURN


@dataclass(frozen=True)
class Grid:
    """All combinations of the angles of one or more dihedrals."""

    turned: tuple[Turned, ...]

    @property
    def points(self) -> list[Point]:
        """Every point, in ascending order."""
        return sorted(product(*(one.angles for one in self.turned)))

    def neighbours(self, point: Point) -> list[Point]:
        """Return the points that differ from one by a single step of a single dihedral."""
        found = []
        for k, one in enumerate(self.turned):
            place = one.angles.index(point[k])
            for other in (place - 1, place + 1):
                if one.is_closed or 0 <= other < len(one.angles):
                    found.append((*point[:k], one.angles[other % len(one.angles)], *point[k + 1 :]))
        return list(dict.fromkeys(neighbour for neighbour in found if neighbour != point))


def full_turn(atoms: tuple[int, int, int, int], step: int) -> Turned:
    """Return a dihedral turned once around; raises InputError where a turn is no whole number of steps."""
    if step < 1 or FULL_TURN % step:
        raise InputError(f"a full turn is no whole number of steps of {step}°; take a divisor of 360, for example 15")
    return Turned(atoms, step, FULL_TURN // 2 - FULL_TURN + step, FULL_TURN // 2)


def wrapped(angle: int) -> int:
    """Return the angle above -180 and up to 180 [degrees] that is the same."""
    return -((-angle + FULL_TURN // 2) % FULL_TURN - FULL_TURN // 2)
