"""The bytes of files; what a job reads can be recorded, so that each file is read once and known by its digest."""

from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path

from forgefield.errors import InputError

_MOST_HELD = 2**28
"""Bytes of files that are remembered; what was read first is forgotten first."""


@dataclass
class Sources:
    """What was read meanwhile, in the order of reading."""

    digests: dict[Path, bytes] = field(default_factory=dict)
    """SHA-256 of what was read of each file."""
    held: OrderedDict[Path, bytes] = field(default_factory=OrderedDict, repr=False)

    def read(self, path: Path) -> bytes:
        """Return what a file held when it was first read. Raises InputError where it is forgotten and has changed."""
        if path not in self.held:
            content = path.read_bytes()
            digest = sha256(content).digest()
            if self.digests.setdefault(path, digest) != digest:
                raise InputError(f"{path}: changed while it was read; repeat the command")
            self.held[path] = content
            while len(self.held) > 1 and sum(map(len, self.held.values())) > _MOST_HELD:
                self.held.popitem(last=False)
        return self.held[path]


_RECORD: ContextVar[Sources | None] = ContextVar("record of what is read", default=None)


@contextmanager
def reading() -> Iterator[Sources]:
    """Read each file once meanwhile, and yield the record of what was read."""
    sources = Sources()
    outer = _RECORD.set(sources)
    try:
        yield sources
    finally:
        _RECORD.reset(outer)
        sources.held.clear()


def content(path: Path) -> bytes:
    """Return the bytes of a file. Raises OSError where it cannot be read."""
    record = _RECORD.get()
    return path.read_bytes() if record is None else record.read(path)
