"""Ctrl-C in the middle of a fit, which must not be lost."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager


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
    found, before = Interrupts(), signal.getsignal(signal.SIGINT)
    if not callable(before) or threading.current_thread() is not threading.main_thread():
        yield found
        return

    def note(number, frame) -> None:
        found.came = True
        before(number, frame)

    signal.signal(signal.SIGINT, note)
    try:
        yield found
    finally:
        signal.signal(signal.SIGINT, before)
