"""Checkpoints come back as they were written, or are refused."""

import jax.numpy as jnp
import numpy as np
import pytest

from forgefield.errors import InputError
from forgefield.io.checkpoint import read_arrays, read_facts, write_checkpoint

ARRAYS = {"at": jnp.array([1.0, jnp.nan, jnp.inf]), "done": np.array([True, False]), "costs": np.ones((4, 2))}
LIKE = {"at": np.zeros(3), "done": np.zeros(2, dtype=bool), "costs": np.zeros((0, 2))}


@pytest.fixture
def written(tmp_path):
    path = tmp_path / "checkpoint.safetensors"
    write_checkpoint(path, ARRAYS, {"input": "abc", "stage": [1, ["k"], [["k", 0.1]]]})
    return path


def test_arrays_and_facts_come_back_bit_by_bit(written):
    found = read_arrays(written, LIKE)

    for name, array in ARRAYS.items():
        np.testing.assert_array_equal(found[name], array)
    assert read_facts(written) == {"input": "abc", "stage": [1, ["k"], [["k", 0.1]]]}


def test_only_the_last_one_is_left_in_the_folder(written):
    write_checkpoint(written, ARRAYS, {"input": "later"})

    assert [file.name for file in written.parent.iterdir()] == [written.name]
    assert read_facts(written) == {"input": "later"}


@pytest.mark.parametrize(
    "like",
    [
        {"at": np.zeros(3), "done": np.zeros(2)},
        {**LIKE, "at": np.zeros(4)},
        {**LIKE, "costs": np.zeros((0, 3))},
        {**LIKE, "at": np.zeros((3, 1))},
    ],
)
def test_checkpoint_of_another_fit_is_refused(written, like):
    with pytest.raises(
        InputError, match=r"checkpoint\.safetensors: the checkpoint is of another fit or another version; remove it"
    ):
        read_arrays(written, like)


def test_damaged_checkpoint_is_refused_by_name(written):
    written.write_bytes(written.read_bytes()[:-5])

    with pytest.raises(InputError, match=r"checkpoint\.safetensors: not a checkpoint of a fit .* remove it"):
        read_facts(written)


def test_file_without_facts_is_refused(tmp_path):
    path = tmp_path / "other.safetensors"
    path.write_bytes((2).to_bytes(8, "little") + b"{}")

    with pytest.raises(InputError, match="not a checkpoint of a fit"):
        read_facts(path)


@pytest.mark.parametrize("place", [-3, -40, 60])
def test_single_wrong_byte_is_found(written, place):
    content = bytearray(written.read_bytes())
    content[place] ^= 1
    written.write_bytes(content)

    for read in (read_facts, lambda path: read_arrays(path, LIKE)):
        with pytest.raises(InputError, match=r"checkpoint\.safetensors: .* remove it to begin anew"):
            read(written)
