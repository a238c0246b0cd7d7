"""Ctrl-C where Python drops the exception that it raises."""

import signal
from contextlib import suppress

import pytest

from forgefield.fitting.solve.interrupts import heard

pytestmark = pytest.mark.usefixtures("listening")


def test_an_interrupt_that_is_dropped_is_raised_at_the_next_check():
    with heard() as interrupts:
        # As Python does with what is raised while it deletes an object or is called back.
        with suppress(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)

        with pytest.raises(KeyboardInterrupt):
            interrupts.check()


def test_an_interrupt_is_raised_at_once_as_well():
    with heard(), pytest.raises(KeyboardInterrupt):
        signal.raise_signal(signal.SIGINT)


def test_nothing_is_raised_without_one():
    before = signal.getsignal(signal.SIGINT)

    with heard() as interrupts:
        interrupts.check()

    assert signal.getsignal(signal.SIGINT) is before
