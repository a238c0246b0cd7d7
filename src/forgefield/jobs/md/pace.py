"""Says how fast a long run goes."""

from collections.abc import Callable
from time import perf_counter

_EVERY_S = 60.0
"""Seconds between lines."""
_SHORT_S = 10.0
"""A run that ends within as many seconds needs no line."""


class Pace:
    """Turns the steps that are done into words, and tells them in lines a minute apart, the first as soon as known."""

    def __init__(self, n_steps: int, tell: Callable[[str], object], clock: Callable[[], float] = perf_counter) -> None:
        self._n_steps, self._tell, self._clock = n_steps, tell, clock
        self._first: tuple[float, int] | None = None
        self._told_at: float | None = None

    def words(self, step: int) -> str:
        """Return what is to be said after a step; what it took to come to the first is no part of the speed."""
        now = self._clock()
        if self._first is None:
            self._first = now, step
        began, first = self._first
        if step <= first or now <= began:
            return f"step {step} of {self._n_steps}"
        speed = (step - first) / (now - began)
        left = (self._n_steps - step) / speed
        text = f"step {step} of {self._n_steps}, {speed:.3g} steps/s, {_duration(left)} left"
        if left > _SHORT_S and (self._told_at is None or now - self._told_at >= _EVERY_S):
            self._told_at = now
            self._tell(text)
        return text


def _duration(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes} min"
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"
