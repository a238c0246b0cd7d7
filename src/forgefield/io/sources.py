"""The bytes of files; what a job reads can be recorded, so that each file is read once and known by its digest."""

import gzip
import io
import re
import zlib
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path

from forgefield.errors import InputError

SMILES = "smiles:"
"""Begins a path that is no file, but a structure itself: `smiles:CCO`, or `smiles:CCO ethanol` with a name."""
_GZIP = b"\x1f\x8b"
_NO_NAME = re.compile(r"[^\w.+-]+")
_LONGEST_NAME = 80
MOST_UNPACKED = 64 * 2**20
"""Bytes that a compressed file may hold."""
_MOST_PACKED = 100
"""How many times its own size a compressed file may unpack to; text of molecules shrinks to a fifth or a tenth."""
_ALWAYS_UNPACKED = _PIECE = 2**20
"""Bytes"""
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


def is_smiles(path: Path) -> bool:
    """Return whether a path is no file, but a structure itself."""
    return str(path).startswith(SMILES)


def content(path: Path) -> bytes:
    """Return the bytes of a file, unpacked where it is compressed by gzip. Raises OSError where it cannot be read.

    Those of a structure that is itself the path are its text.
    Raises InputError where what is compressed is damaged, and where it unpacks to more than 64 MiB, or to more than a
    hundred times its own size and 1 MiB.
    """
    if is_smiles(path):
        return str(path)[len(SMILES) :].encode()
    record = _RECORD.get()
    found = path.read_bytes() if record is None else record.read(path)
    return _unpacked(path, found) if found.startswith(_GZIP) else found


def plain_name(path: Path) -> Path:
    """Return a path without the suffix .gz."""
    return path.with_suffix("") if path.suffix.lower() == ".gz" else path


def stem(path: Path) -> str:
    """Return the name of a file without its suffixes; of a SMILES its name, else what of it can be a file's name."""
    if is_smiles(path):
        smiles, _, name = str(path)[len(SMILES) :].partition(" ")
        return file_name(name or smiles)
    return plain_name(path).stem


def file_name(name: str) -> str:
    """Return a name that a file can have."""
    return _NO_NAME.sub("_", name)[:_LONGEST_NAME] or "molecule"


def _unpacked(path: Path, packed: bytes) -> bytes:
    """Return what is compressed, which is unpacked piece by piece."""
    pieces, size = [], 0
    allowed = min(MOST_UNPACKED, max(_ALWAYS_UNPACKED, _MOST_PACKED * len(packed)))
    try:
        with gzip.open(io.BytesIO(packed)) as file:
            while piece := file.read(_PIECE):
                size += len(piece)
                if size > allowed:
                    raise InputError(
                        f"{path}: unpacks to more than {allowed / 2**20:.3g} MiB, as no such file of molecules does; "
                        "if it is one, unpack or split it"
                    )
                pieces.append(piece)
    except (OSError, EOFError, zlib.error) as error:
        raise InputError(f"{path}: cannot be decompressed ({error})") from None
    return b"".join(pieces)
