"""How much a validation looks at, which bounds what it costs."""

from collections.abc import Callable
from dataclasses import dataclass

from forgefield.errors import InputError


@dataclass(frozen=True)
class Settings:
    """Raises InputError that lists all that makes no sense."""

    records: int = 300
    """Whose labels are compared, drawn at random."""
    molecules: int = 2
    """Whose surface and dynamics are looked at, those with the most records."""
    nve: float = 5.0
    """ps at constant energy."""
    md: float = 5.0
    """ps at each temperature."""
    temperatures: tuple[float, ...] = (300.0, 500.0)
    """K"""
    replicas: int = 2
    teacher_seconds: float = 20.0
    """What one thing that is asked of the teacher may take, by the time of one label; what takes longer is left out."""
    seed: int = 0

    def __post_init__(self) -> None:
        counts = {name: getattr(self, name) for name in ("records", "molecules", "replicas")}
        times = {name: getattr(self, name) for name in ("nve", "md")}
        wrong = [f"{name} must be 1 or more, not {n}" for name, n in counts.items() if n < 1]
        # Written so that a NaN is wrong too.
        wrong += [f"{name} must be from 0.1 to 100000 ps, not {t}" for name, t in times.items() if not 0.1 <= t <= 1e5]
        wrong += [f"a temperature must be positive, not {t} K" for t in self.temperatures if not 0.0 < t < 1e5]
        if not self.teacher_seconds >= 0.0:
            wrong.append(f"teacher-seconds must be 0 or more, not {self.teacher_seconds}")
        if wrong:
            raise InputError("; ".join(wrong))


USUALLY = Settings()
Stages = Callable[[str, int, int], None]
"""Called with what is going on, how much of it is done, and of how much."""


def silent(stage: str, done: int, n: int) -> None:
    """Tell nothing."""
