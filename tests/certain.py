"""What a test takes for granted where a type leaves it open: where it is not so, the test fails here."""

from typing import TypeVar

import h5py

T = TypeVar("T")


def known(value: T | None) -> T:
    """Return a value that is there."""
    assert value is not None
    return value


def instance(kind: type[T], value: object) -> T:
    """Return a value that is of this kind."""
    assert isinstance(value, kind)
    return value


def dataset(file: h5py.Group, name: str) -> h5py.Dataset:
    """Return the data set that a file holds under this name."""
    return instance(h5py.Dataset, file[name])
