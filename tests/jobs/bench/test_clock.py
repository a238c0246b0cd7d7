"""Times of a fit: compiling apart from running, whatever is kept."""

import jax
import pytest

from forgefield.compiled import compiled
from forgefield.jobs.bench.clock import covered, timed


def test_intervals_that_overlap_count_once():
    assert covered([(1.0, 4.0), (2.0, 3.0), (3.5, 5.0), (7.0, 8.0)]) == pytest.approx(5.0)
    assert covered([]) == 0.0


def test_compiling_is_told_apart_from_running():
    @compiled
    def cubed(x):
        return x**3

    result, compile_s, run_s = timed(lambda: float(cubed(2.0)))

    assert result == 8.0
    assert compile_s > run_s > 0.0


def test_nothing_that_is_kept_is_used(tmp_path, monkeypatch):
    monkeypatch.setattr("forgefield.jobs.bench.clock._SHORT", 0.0)
    seen = []
    before = jax.config.values["jax_compilation_cache_dir"]
    jax.config.update("jax_compilation_cache_dir", str(tmp_path))
    try:
        timed(lambda: seen.append(jax.config.values["jax_compilation_cache_dir"]))
        after = jax.config.values["jax_compilation_cache_dir"]
    finally:
        jax.config.update("jax_compilation_cache_dir", before)

    assert seen == [None]
    assert after == str(tmp_path)
