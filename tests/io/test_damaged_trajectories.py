"""Damaged trajectories are refused in one message before a run is continued."""

from dataclasses import asdict

import h5py
import numpy as np
import pytest

from certain import instance
from forgefield.errors import InputError
from forgefield.io.trajectories import Stretch, trajectories


@pytest.fixture
def begun(tmp_path):
    """Writes three frames; returns the trajectories and their marks."""

    def write(name):
        written = trajectories(tmp_path / name, np.array([1, 9]), np.ones(2), 1)
        written.begin()
        vectors, steps = np.ones((3, 2, 3)), np.arange(3)
        written.append([Stretch(steps, 0.1 * steps, vectors, vectors, vectors, *3 * [1.0 * steps])])
        return written, [asdict(mark) for mark in written.marks()]

    return write


@pytest.mark.parametrize("name", ["run.xyz", "run.h5"])
def test_truncated_trajectory_is_not_continued(begun, name):
    written, marks = begun(name)
    written.path.write_bytes(written.path.read_bytes()[:-50])

    with pytest.raises(InputError, match=rf"cannot be continued: .*{name}"):
        written.go_on(marks)


def test_data_set_that_is_none_is_named(begun):
    written, marks = begun("run.h5")
    with h5py.File(written.path, "r+") as file:
        element = instance(h5py.Group, file["particles/replica-1/position"])
        del element["time"]
        element.create_group("time")

    with pytest.raises(InputError, match=r"cannot be continued: .*run\.h5 is shorter than it was, or another file"):
        written.go_on(marks)
