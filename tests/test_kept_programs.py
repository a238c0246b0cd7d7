"""Programs that are found again without being traced."""

import os

import jax.numpy as jnp
import numpy as np
import pytest

from forgefield import compiled as compiling
from forgefield import kept_programs
from forgefield.cache import folder
from forgefield.compiled import Compiled, compiled
from forgefield.fitting.cost.cost import Quadratic, with_prior
from forgefield.fitting.targets.fixed import soft_frequencies
from forgefield.kept_programs import Kept

EIGENVALUES = np.array([-2.0, 0.01, 3.0])


@pytest.fixture
def kept(tmp_path, monkeypatch):
    """A folder of kept programs that is used, and how many have been compiled for it."""
    monkeypatch.setenv("FORGEFIELD_CACHE", str(tmp_path / "cache"))
    found = Kept(folder("programs"))
    monkeypatch.setattr(compiling, "kept_programs", lambda: found)
    return found


@pytest.fixture
def traced(monkeypatch):
    """The names of functions that programs were made of."""
    names = []
    lower = Compiled._program

    def program(self, name):
        names.append(name.rsplit("_", 1)[0])
        return lower(self, name)

    monkeypatch.setattr(Compiled, "_program", program)
    return names


def programs(kept: Kept) -> list[str]:
    return [path.name for path in kept.folder.path.glob("*-*") if path.suffix != ".sha256"]


def fresh(function) -> Compiled:
    """A function as in another process, which knows no program of it."""
    return compiled(function)


def test_another_process_finds_a_program_and_traces_nothing(kept, traced):
    fresh(soft_frequencies)(EIGENVALUES)
    traced.clear()

    again = fresh(soft_frequencies)(2.0 * EIGENVALUES)

    assert traced == []
    np.testing.assert_allclose(again[0], soft_frequencies(jnp.asarray(2.0 * EIGENVALUES))[0], rtol=1e-14)


@pytest.mark.parametrize("other", [EIGENVALUES[:2], EIGENVALUES.astype(np.float32)])
def test_other_shapes_and_precisions_have_programs_of_their_own(other, kept):
    soft = fresh(soft_frequencies)
    soft(EIGENVALUES)

    found = soft(other)

    assert len(programs(kept)) == 2
    assert found[0].shape == other.shape
    assert found[0].dtype == other.dtype


def test_a_float_is_no_part_of_a_program(kept):
    held, measured = fresh(with_prior), Quadratic(jnp.asarray(1.0), jnp.zeros(1), jnp.zeros((1, 1)))

    costs = [float(held(measured, strength, jnp.ones(1)).cost) for strength in (2.0, 4.0)]

    assert costs == [2.0, 3.0]
    assert len(programs(kept)) == 1


@pytest.mark.parametrize("damage", [b"", b"whatever", None])
def test_a_damaged_program_is_made_and_kept_anew(damage, kept):
    expected = fresh(soft_frequencies)(EIGENVALUES)
    (name,) = programs(kept)
    path = kept.folder.path / name
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2] if damage is None else damage)

    found = fresh(soft_frequencies)(EIGENVALUES)

    np.testing.assert_array_equal(found[0], expected[0])
    assert kept.folder.read(name) is not None


def test_a_program_that_is_whole_but_cannot_be_loaded_is_made_anew(kept, tmp_path):
    fresh(soft_frequencies)(EIGENVALUES)
    (name,) = programs(kept)
    (tmp_path / "made").write_bytes(b"no program")
    kept.folder.keep(tmp_path / "made", name)

    found = fresh(soft_frequencies)(EIGENVALUES)

    assert np.isfinite(found[0]).all()
    assert kept.folder.read(name) != b"no program"


def test_functions_of_unknown_packages_are_computed_and_not_kept(kept):
    twice = compiled(lambda values: 2.0 * values)

    assert twice(EIGENVALUES).tolist() == [-4.0, 0.02, 6.0]
    assert programs(kept) == []


def test_other_sources_have_other_names(kept, monkeypatch):
    known = kept.name(soft_frequencies, (), {})

    monkeypatch.setattr(kept_programs, "_installed", lambda: "another version")

    assert kept.name(soft_frequencies, (), {}) not in {known, None}


def test_programs_that_were_not_used_for_longest_make_room(kept, monkeypatch):
    fresh(soft_frequencies)(EIGENVALUES)
    (old,) = programs(kept)
    os.utime(kept.folder.path / old, (0, 0))
    monkeypatch.setattr(kept_programs, "_MOST", 1.5 * (kept.folder.path / old).stat().st_size)

    fresh(soft_frequencies)(EIGENVALUES[:2])

    assert old not in programs(kept)
    assert len(programs(kept)) == 1
    assert not (kept.folder.path / f"{old}.sha256").exists()
