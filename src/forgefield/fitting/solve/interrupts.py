"""Ctrl-C in the middle of a fit, which must not be lost."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
"""What ends a run early: Ctrl-C, and where they are heard like it, the end of a job and of a terminal."""


class Interrupts:
    """Whether Ctrl-C was pressed."""

    def __init__(self) -> None:
        self.came = False

    def check(self) -> None:
        """Raise KeyboardInterrupt where Ctrl-C was pressed, though nobody heard of it."""
        if self.came:
            raise KeyboardInterrupt


@contextmanager
def heard() -> Iterator[Interrupts]:
    """Note each Ctrl-C as well as raising KeyboardInterrupt, which Python drops where it calls back from C."""
    found = Interrupts()
    before = {number: handler for number in SIGNALS if callable(handler := signal.getsignal(number))}
    if threading.current_thread() is not threading.main_thread():
        before = {}

    def note(number, frame) -> None:
        found.came = True
        before[number](number, frame)

    for number in before:
        signal.signal(number, note)
    try:
        yield found
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
