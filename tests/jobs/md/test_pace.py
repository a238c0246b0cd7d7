"""What is said of the speed of a long run."""

from forgefield.jobs.md.pace import Pace


def told(seconds, steps, n_steps=10_000):
    """The lines of a run that does so many steps at a time, each in so many seconds."""
    lines, words, now = [], None, 0.0

    def clock():
        return now

    pace = Pace(n_steps, lines.append, clock)
    for step in range(steps, n_steps + 1, steps):
        now += seconds
        words = pace.words(step)
    return lines, words


def test_slow_run_says_at_once_how_long_it_will_take_and_again_each_minute():
    lines, last = told(20.0, 500)

    assert lines[0] == "step 1000 of 10000, 25 steps/s, 6 min 0 s left"
    assert lines[1] == "step 2500 of 10000, 25 steps/s, 5 min 0 s left"
    assert len(lines) == 6
    assert last == "step 10000 of 10000, 25 steps/s, 0 s left"


def test_short_run_says_nothing():
    assert told(0.1, 1000)[0] == []
