"""Changes to HDF5 files happen wholly or not at all."""

import resource
import signal

import h5py
import numpy as np
import pytest

from certain import dataset
from forgefield.errors import InputError, WriteError
from forgefield.io import hdf5_updates
from forgefield.io.hdf5_updates import finish_update, journal_of, updated


@pytest.fixture
def file(tmp_path):
    """A file with a data set that grows, of five rows."""
    path = tmp_path / "grows.h5"
    with h5py.File(path, "w") as made:
        made.create_dataset("x", (0, 40), np.float64, maxshape=(None, 40), chunks=(16, 40))
    grow(path, 5)
    return path


def grow(path, n):
    with updated(path) as made:
        x = dataset(made, "x")
        old = x.shape[0]
        x.resize(old + n, axis=0)
        x[old:] = np.arange(old, old + n)[:, None]


def shorten(dataset):
    dataset.resize(1, axis=0)
    raise KeyError


def rows(path):
    with h5py.File(path) as made:
        x = dataset(made, "x")
        np.testing.assert_array_equal(x[:], np.arange(len(x))[:, None] + np.zeros(40))
        return len(x)


def test_many_changes_are_read_as_they_were_made(file, generator):
    total = 5
    for n in generator.integers(0, 40, 50).tolist():
        grow(file, n)
        total += n

    assert rows(file) == total
    assert list(file.parent.iterdir()) == [file]


def test_a_shorter_data_set_stays_readable(file):
    grow(file, 200)

    with updated(file) as made:
        dataset(made, "x").resize(7, axis=0)

    assert rows(file) == 7
    grow(file, 3)
    assert rows(file) == 10


def test_an_exception_leaves_the_file_as_it_was(file):
    before = file.read_bytes()

    with pytest.raises(KeyError), updated(file) as made:
        shorten(made["x"])

    assert file.read_bytes() == before


@pytest.mark.parametrize("share", [0.0, 0.3, 0.7, 1.0])
def test_a_kill_between_two_writes_is_made_good_at_the_next_opening(file, monkeypatch, share):
    before = file.read_bytes()
    monkeypatch.setattr(hdf5_updates, "finish_update", lambda _: None)
    grow(file, 300)
    monkeypatch.undo()
    kept = journal_of(file).read_bytes()
    finish_update(file)
    after = file.read_bytes()
    # Some of the new bytes are there, and others not.
    cut = int(share * len(before))
    file.write_bytes(after[:cut] + before[cut:])
    journal_of(file).write_bytes(kept)

    grow(file, 1)

    assert rows(file) == 306
    assert not journal_of(file).exists()


@pytest.mark.parametrize("more", [2000, 200_000], ids=["for the journal", "for the file"])
def test_without_room_the_file_is_as_it_was(file, more, monkeypatch):
    grow(file, 1000)
    before = file.read_bytes()
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (len(before) + more, limits[1]))
    try:
        with pytest.raises(WriteError, match="cannot be written"):
            grow(file, 1000)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, handler)

    assert file.read_bytes() == before
    assert list(file.parent.iterdir()) == [file]
    grow(file, 3)
    assert rows(file) == 1008


def test_a_journal_of_a_longer_file_is_refused(file, monkeypatch):
    monkeypatch.setattr(hdf5_updates, "finish_update", lambda _: None)
    grow(file, 3)
    monkeypatch.undo()
    file.write_bytes(b"short")

    with pytest.raises(InputError, match=r"grows\.h5: is shorter than when .*journal was written"):
        finish_update(file)

    assert file.read_bytes() == b"short"
