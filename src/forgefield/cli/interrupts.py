"""Ctrl-C, the end of a job and the end of a terminal, none of which may be lost."""

import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager

_ENDS = (signal.SIGTERM, signal.SIGHUP)
"""The end of a job and of a terminal."""


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
    """Note each Ctrl-C as well as raising KeyboardInterrupt, which Python drops where it calls back from C.

    Jobs know KeyboardInterrupt alone: what they call after each step checks what is noted.
    """
    found = Interrupts()
    before = {number: handler for number in (signal.SIGINT, *_ENDS) if callable(handler := signal.getsignal(number))}
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


@contextmanager
def ended_like_by_ctrl_c() -> Iterator[None]:
    """Let the end of a job and of a terminal end a command as Ctrl-C does, unless they are ignored on purpose."""
    before = {}
    if threading.current_thread() is threading.main_thread():
        before = {n: signal.getsignal(n) for n in _ENDS if signal.getsignal(n) is signal.SIG_DFL}
    for number in before:
        signal.signal(number, signal.default_int_handler)
    tell = sys.unraisablehook
    # Python shows an interruption that it drops; who listens for it says so in a word.
    sys.unraisablehook = lambda told: None if told.exc_type is KeyboardInterrupt else tell(told)
    try:
        yield
    finally:
        sys.unraisablehook = tell
        for number, handler in before.items():
            signal.signal(number, handler)
