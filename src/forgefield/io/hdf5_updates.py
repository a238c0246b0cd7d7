"""Changes to HDF5 files that happen wholly or not at all, whatever ends the process or fills the disk.

HDF5 itself changes a file in many places, and between two of them the file cannot be read; where it cannot write it
may end the process.
"""

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from io import SEEK_CUR, SEEK_END, SEEK_SET, RawIOBase
from pathlib import Path
from typing import BinaryIO

import h5py
import numpy as np

from forgefield.errors import InputError
from forgefield.io.checkpoint import read_arrays, read_facts, write_checkpoint
from forgefield.io.outputs import remove, writing

_PAGE = 4096
"""Bytes that are replaced together."""


@contextmanager
def updated(path: Path) -> Iterator[h5py.File]:
    """Yield an HDF5 file whose changes are made at the end, unless an exception comes first.

    They are written to a journal beside the file, then to the file. Where the process dies between the two, they are
    made when the file is opened next. Raises WriteError where there is no room: the file is then as it was.
    """
    finish_update(path)
    with writing(path), path.open("rb") as base:
        pages = _Pages(base)
        with h5py.File(pages, "r+") as file:
            yield file
    _write_journal(path, pages)
    finish_update(path)


def finish_update(path: Path) -> None:
    """Make the changes that a process which died had begun to make. Raises InputError where they cannot be read."""
    journal = journal_of(path)
    if not journal.is_file():
        return
    places, pages = read_arrays(journal, (np.zeros(0, np.int64), np.zeros((0, _PAGE), np.uint8)))
    facts = read_facts(journal)
    before, length = facts["before"], facts["length"]
    with writing(path), path.open("r+b") as file:
        if os.fstat(file.fileno()).st_size < before:
            raise InputError(f"{path}: is shorter than when {journal} was written; remove both to begin anew")
        if length > before:
            _make_room(file, before, length, journal)
        for place, page in zip(places.tolist(), pages, strict=True):
            file.seek(place)
            file.write(page.tobytes()[: max(length - place, 0)])
        file.flush()
        file.truncate(length)
    remove([journal])


def _make_room(file: BinaryIO, before: int, length: int, journal: Path) -> None:
    """Make a file longer before anything in it is changed; where that cannot be, nothing is."""
    try:
        os.posix_fallocate(file.fileno(), before, length - before)
    except OSError as error:
        if error.errno in (errno.EOPNOTSUPP, errno.EINVAL):
            # The file system cannot say beforehand.
            return
        file.truncate(before)
        journal.unlink()
        raise


def journal_of(path: Path) -> Path:
    """Return where changes wait that are to be made to a file."""
    return path.with_name(f"{path.name}.journal")


def _write_journal(path: Path, pages: "_Pages") -> None:
    places = np.array(sorted(pages.changed), np.int64)
    content = np.array([np.frombuffer(pages.changed[k], np.uint8) for k in places.tolist()], np.uint8)
    facts = {"before": pages.before, "length": pages.length}
    write_checkpoint(journal_of(path), (places, content.reshape(len(places), _PAGE)), facts)


class _Pages(RawIOBase):
    """A file that keeps what is written to it in memory."""

    def __init__(self, base: BinaryIO) -> None:
        self._base = base
        self._at = 0
        self.before = self.length = os.fstat(base.fileno()).st_size
        self.changed: dict[int, bytearray] = {}
        """Pages by the place of their first byte."""

    def readable(self) -> bool:
        """Say that it can be read."""
        return True

    def writable(self) -> bool:
        """Say that it can be written."""
        return True

    def seekable(self) -> bool:
        """Say that any place can be read and written."""
        return True

    def seek(self, offset: int, whence: int = SEEK_SET) -> int:
        """Go to a place and return it."""
        self._at = offset + {SEEK_SET: 0, SEEK_CUR: self._at, SEEK_END: self.length}[whence]
        return self._at

    def tell(self) -> int:
        """Return the place."""
        return self._at

    def truncate(self, size: int | None = None) -> int:
        """Change the length."""
        self.length = self._at if size is None else size
        return self.length

    def readinto(self, buffer) -> int:
        """Read as many bytes as there are, as they are after the changes."""
        into = memoryview(buffer).cast("B")
        n = max(min(len(into), self.length - self._at), 0)
        for place, inside, part in self._parts(n):
            into[part] = self._page(place)[inside]
        self._at += n
        return n

    def write(self, content) -> int:
        """Keep what is written."""
        data = memoryview(content).cast("B")
        for place, inside, part in self._parts(len(data)):
            self.changed[place] = self._page(place)
            self.changed[place][inside] = data[part]
        self._at += len(data)
        self.length = max(self.length, self._at)
        return len(data)

    def _page(self, place: int) -> bytearray:
        if place in self.changed:
            return self.changed[place]
        self._base.seek(place)
        return bytearray(self._base.read(_PAGE).ljust(_PAGE, b"\0"))

    def _parts(self, n: int) -> Iterator[tuple[int, slice, slice]]:
        """Yield the pages of the next n bytes, and the places of these in the page and among the bytes."""
        done = 0
        while done < n:
            place, first = divmod(self._at + done, _PAGE)
            size = min(_PAGE - first, n - done)
            yield place * _PAGE, slice(first, first + size), slice(done, done + size)
            done += size
