"""Damaged force-field files end in a result or in one clear error, never in another exception."""

from contextlib import suppress
from pathlib import Path

import hypothesis.strategies as st
import jaxtyping
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings

from forgefield.assign.mm3.laid import assign_mm3
from forgefield.errors import ForgeFieldError
from forgefield.io.forcefields.mm3.fld import read_fld, write_fld
from forgefield.io.structures.atom_types import read_atom_types
from forgefield.io.structures.mae import read_mae

FILES = ["mm3", "rh_hyd_enamide_start", "rh_hyd_enamide_final", "rh_hyd_enamide_seminario"]
CHARACTERS = st.sampled_from(" -=%*.()0123456789ACHNOPRSXZabl\n\t\x00\xe9")


KINDS = ["delete", "insert", "replace", "cut", "drop line", "double line", "shorten"]


def damages(size):
    """A few deletions, insertions, replacements, cuts and swaps of lines: (kind, place, length, new characters)."""
    damage = st.tuples(
        st.sampled_from(KINDS),
        st.integers(0, size - 1),
        st.integers(1, 40),
        st.text(CHARACTERS, min_size=1, max_size=6),
    )
    return st.lists(damage, min_size=1, max_size=4)


def damaged(text, damages):
    """The text after the damages, one after the other."""
    for kind, where, length, new in damages:
        place = min(where, max(len(text) - 1, 0))
        start, end = text.rfind("\n", 0, place) + 1, text.find("\n", place) % (len(text) + 1)
        text = {
            "delete": text[:place] + text[place + length :],
            "insert": text[:place] + new + text[place:],
            "replace": text[:place] + new + text[place + len(new) :],
            "cut": text[:place],
            "drop line": text[:start] + text[end + 1 :],
            "double line": text[:end] + "\n" + text[start:end] + text[end:],
            "shorten": text[:place] + text[end:],
        }[kind]
    return text


@pytest.fixture(scope="module")
def molecule(data):
    folder = data / "rh-enamide"
    path = sorted((folder / "mae").glob("*.mae"))[0]
    return read_mae(path, atom_types=read_atom_types(folder / "forcefield/atom.typ"))[0]


@pytest.fixture(autouse=True)
def _unchecked():
    """Type checks triple the time, and what they guard is tested elsewhere."""
    jaxtyping.config.update("jaxtyping_disable", True)
    yield
    jaxtyping.config.update("jaxtyping_disable", False)


def check(examples, source: Path, target: Path, molecule):
    text = source.read_bytes().decode("latin-1")
    unchecked: list = list(HealthCheck)

    @settings(max_examples=examples, deadline=None, derandomize=True, suppress_health_check=unchecked)
    @given(damages(len(text)))
    def ends_in_a_result_or_a_clear_error(damages):
        content = damaged(text, damages)
        target.write_bytes(content.encode("latin-1"))
        with suppress(ForgeFieldError):
            file = read_fld(target)
            write_fld(target, file, {})
            assert target.read_bytes() == content.encode("latin-1")
            values = np.asarray(assign_mm3([molecule], file).assignment.model.values)
            assert np.isfinite(values).all()

    ends_in_a_result_or_a_clear_error()


@pytest.mark.slow
@pytest.mark.parametrize("name", FILES)
def test_damaged_file_ends_in_a_result_or_a_clear_error(data, tmp_path, molecule, name):
    check(20, data / f"rh-enamide/forcefield/{name}.fld", tmp_path / "damaged.fld", molecule)


@pytest.mark.slow
@pytest.mark.parametrize("name", FILES)
def test_much_damaged_file_ends_in_a_result_or_a_clear_error(data, tmp_path, molecule, name):
    check(60, data / f"rh-enamide/forcefield/{name}.fld", tmp_path / "damaged.fld", molecule)
