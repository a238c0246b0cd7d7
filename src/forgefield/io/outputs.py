"""Files that are written: whole or not at all, never over what is read, and by one process at a time."""

import errno
import fcntl
import os
import re
import secrets
import shutil
import socket
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from forgefield.errors import InputError, WriteError
from forgefield.io.offenders import listed
from forgefield.io.sources import is_smiles

_WAITING = re.compile(r"\..+\.[0-9a-f]{16}\.new")
"""Temporary names of files that are being written."""
_LOCK_OF_FOLDER = ".forgefield.lock"
_LONGEST = 40
"""Characters of a name that stand in a temporary name, which must not grow longer than file systems allow."""
_NO_LOCKS = {errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP}
"""What file systems that know no locks say."""


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Turn what the system says of a file into WriteError."""
    try:
        yield
    except OSError as error:
        raise WriteError(f"{path}: cannot be written ({error.strerror or error})") from None


def write_bytes(path: Path, content: bytes) -> None:
    """Write a file under a temporary name beside it and rename it, so that a kill leaves the old file or the new one.

    Its mode is what the umask says. A link stays one, and what is no regular file, such as /dev/stdout, is written
    to as it is. Raises WriteError where it cannot be written; what was there before then stays.
    """
    with writing(path):
        target = path.resolve()
        if target.exists() and not target.is_file():
            target.write_bytes(content)
            return
        with _waiting(target) as (file, name):
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
            name.replace(target)


def write_copy(path: Path, source: Path) -> None:
    """Write a copy of a file as `write_bytes` does, little of it in memory at once."""
    with writing(path), source.open("rb") as held, _waiting(path.resolve()) as (file, name):
        shutil.copyfileobj(held, file)
        file.flush()
        os.fsync(file.fileno())
        name.replace(path.resolve())


def write_text(path: Path, text: str) -> None:
    """Write a file of text in UTF-8 as `write_bytes` does."""
    write_bytes(path, text.encode("utf-8"))


def require_free(outputs: Iterable[Path], inputs: Iterable[Path], *, overwrite: bool = False) -> None:
    """Raise InputError where an output is an input too, by whatever name, or is there already and must not be.

    Of a folder among the inputs all files are meant.
    """
    there = [path for path in outputs if path.is_symlink() or (path.exists() and not _is_special(path))]
    read = {_identity(path): path for path in _files_of(inputs)}
    both = [f"{path} (read as {read[_identity(path)]})" for path in there if path.exists() and _identity(path) in read]
    if both:
        raise InputError(f"would be written over, but is read too: {listed(both)}; name another output")
    if there and not overwrite:
        names = [str(path) for path in there]
        raise InputError(f"{listed(names)}: there already; name another output, or overwrite it (--overwrite)")


@contextmanager
def owned(path: Path) -> Iterator[None]:
    """Be the only process that writes an output, a file or an existing folder, until the end or death of this one.

    What killed processes left half-written in its folder is removed. Raises InputError where another process writes
    it, WriteError where its folder cannot be written to.
    """
    if _is_special(path):
        yield
        return
    with writing(path):
        target = path.resolve()
        folder = target if target.is_dir() else target.parent
        lock = target / _LOCK_OF_FOLDER if target.is_dir() else folder / f".{target.name[:_LONGEST]}.lock"
        held = _locked(path, lock)
        try:
            _discard_stale(folder)
        except BaseException:
            os.close(held)
            raise
    try:
        yield
    finally:
        with suppress(OSError):
            lock.unlink(missing_ok=True)
        os.close(held)


@contextmanager
def new_outputs(outputs: Iterable[Path], inputs: Iterable[Path], *, overwrite: bool = False) -> Iterator[None]:
    """Own files while they are made, after `require_free` has found nothing against it."""
    files = list(outputs)
    with ExitStack() as stack:
        for path in files:
            stack.enter_context(owned(path))
        require_free(files, inputs, overwrite=overwrite)
        yield


def make_folder(folder: Path) -> None:
    """Make a folder of results where there is none. Raises WriteError."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise WriteError(f"{folder}: cannot be the folder of results ({error.strerror}); name another") from error


def remove(paths: Iterable[Path]) -> None:
    """Remove files, as far as they are there. Raises WriteError."""
    for path in paths:
        with writing(path):
            path.unlink(missing_ok=True)


@contextmanager
def _waiting(target: Path) -> Iterator[tuple[BinaryIO, Path]]:
    """Yield a new file beside a target, which is gone at the end unless it has been renamed.

    It is locked as long as its process lives, so that others can tell whether it is left over.
    """
    while True:
        name = target.with_name(f".{target.name[:_LONGEST]}.{secrets.token_hex(8)}.new")
        with name.open("xb") as file:
            try:
                # Whoever clears away leftovers may have been quicker than the lock.
                if not _lock(file.fileno()) or not os.fstat(file.fileno()).st_nlink:
                    continue
                yield file, name
                return
            finally:
                name.unlink(missing_ok=True)


def _discard_stale(folder: Path) -> None:
    """Remove temporary files whose processes have died."""
    for name in folder.iterdir():
        if not _WAITING.fullmatch(name.name):
            continue
        # Another process may have removed it, or another user own it.
        with suppress(OSError), name.open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            name.unlink()


def _locked(path: Path, lock: Path) -> int:
    """Return the descriptor of a lock file that this process holds. Raises InputError where another one does."""
    while True:
        held = os.open(lock, os.O_RDWR | os.O_CREAT, 0o666)
        if not _lock(held):
            owner = os.read(held, 200).decode(errors="replace") or "another process"
            os.close(held)
            raise InputError(f"{path}: {owner} is writing there; let it end, or name another output")
        with suppress(FileNotFoundError):
            # Its last owner may have removed it meanwhile.
            if os.path.samestat(os.fstat(held), lock.stat()):
                break
        os.close(held)
    with suppress(OSError):
        os.ftruncate(held, 0)
        os.write(held, f"process {os.getpid()} on {socket.gethostname()}".encode())
    return held


def _lock(descriptor: int) -> bool:
    """Lock a file for this process, until it closes it or dies, and say whether none other has."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError as error:
        if error.errno not in _NO_LOCKS:
            raise
    return True


def _is_special(path: Path) -> bool:
    """Say whether a path is a device or a pipe."""
    return path.exists() and not path.is_file() and not path.is_dir()


def _identity(path: Path) -> tuple[int, int]:
    found = path.stat()
    return found.st_dev, found.st_ino


def _files_of(inputs: Iterable[Path]) -> Iterator[Path]:
    for path in inputs:
        if is_smiles(path):
            continue
        if path.is_dir():
            yield from (file for file in path.iterdir() if file.is_file())
        elif path.exists():
            yield path
