"""What commands print."""

from types import SimpleNamespace

import numpy as np

from forgefield.cli import console
from forgefield.cli.console import NowAndThen
from forgefield.cli.fits.fit import _followed


def test_progress_is_told_after_ten_seconds_and_then_once_a_minute():
    told, now = [], 0.0
    line = NowAndThen(told.append, lambda: now)

    for second in range(0, 200, 5):
        now = float(second)
        line(f"after {second} s")

    assert told == ["after 10 s", "after 70 s", "after 130 s", "after 190 s"]


def test_a_fit_whose_output_is_piped_says_how_far_it_is(capsys, monkeypatch):
    monkeypatch.setattr(console, "_FIRST_S", 0.0)
    stage, state = SimpleNamespace(number=0), SimpleNamespace(n_iterations=3, best_cost=np.array([2.5, 1.5]))

    def iterate(tell, **_):
        tell(stage, state)

    _followed(iterate, 200)

    assert capsys.readouterr().err == "iteration 3 of at most 200, pass 1: cost 1.5\n"
