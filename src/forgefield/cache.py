"""Where things are kept that can be made again, compiled programs above all, and whether what lies there may be used.

What is loaded from a cache is run. So a cache is used only where nobody but its owner (and root) can put files into it
or exchange a folder above it, and a file only where it has its owner and its checksum.
"""

import hashlib
import json
import os
import stat
import tempfile
import zlib
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

_OTHERS_WRITE = stat.S_IWGRP | stat.S_IWOTH
_SEALS = "verified.json"
_ENTRY = "-cache"
"""How the names of JAX's compiled programs end."""
_ZSTD = b"\x28\xb5\x2f\xfd"
"""How what Zstandard compressed begins."""


class CacheError(RuntimeError):
    """There is no cache that may be used; the message says why, and what to do."""


@dataclass(frozen=True)
class Folder:
    """A folder that may be used."""

    path: Path
    writable: bool

    def verified(self, name: str) -> Path | None:
        """Return a file that is as `keep` left it, its owner's and of the checksum beside it, or None."""
        return None if self.read(name) is None else self.path / name

    def read(self, name: str) -> bytes | None:
        """Return what is in a file that is as `keep` left it, or None."""
        path, beside = self.path / name, self.path / f"{name}.sha256"
        try:
            if not (_ours_alone(path.lstat()) and _ours_alone(beside.lstat())):
                return None
            wanted, content = beside.read_text().split()[:1], path.read_bytes()
            return content if wanted == [hashlib.sha256(content).hexdigest()] else None
        except (OSError, UnicodeDecodeError):
            return None

    def keep(self, made: Path, name: str) -> Path:
        """Move a file of the same file system here under a name, with its checksum beside it, and return its path.

        Raises OSError.
        """
        digest = hashlib.sha256(made.read_bytes()).hexdigest()
        self.write(f"{name}.sha256", f"{digest}  {name}\n")
        made.chmod(0o600)
        return made.replace(self.path / name)

    def write(self, name: str, text: str) -> None:
        """Write a file that is there whole or not at all. Raises OSError."""
        with tempfile.TemporaryDirectory(dir=self.path) as scratch:
            made = Path(scratch) / name
            made.write_text(text)
            made.chmod(0o600)
            made.replace(self.path / name)


def place() -> Path:
    """Return where the cache is.

    That is the folder that FORGEFIELD_CACHE names, else `forgefield` in XDG_CACHE_HOME (which counts where it is
    absolute) or in ~/.cache, else a folder of the user beside other temporary files. Variables that are empty count as
    not set.
    """
    if chosen := os.environ.get("FORGEFIELD_CACHE"):
        return Path(chosen).absolute()
    shared = Path(os.environ.get("XDG_CACHE_HOME", ""))
    if shared.is_absolute():
        return shared / "forgefield"
    home = _home()
    if home is not None:
        return home / ".cache" / "forgefield"
    return Path(tempfile.gettempdir()).absolute() / f"forgefield-{_user()}"


def folder(kind: str) -> Folder:
    """Return the folder of the cache for one kind of things, made where it is missing, for its owner alone.

    Raises CacheError where it cannot be made, or where others may write to it or exchange it.
    """
    path = place() / kind
    try:
        for missing in reversed([p for p in (path, *path.parents) if not p.exists()]):
            missing.mkdir(mode=0o700, exist_ok=True)
        _refuse_shared(path)
        writable = os.access(path, os.W_OK | os.X_OK)
        if writable and path.stat().st_uid == _user() and path.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO):
            path.chmod(0o700)
    except OSError as error:
        raise CacheError(
            f"{path} cannot be used ({error.strerror or error}); FORGEFIELD_CACHE names another"
        ) from error
    return Folder(path, writable)


def mended(kept: Folder) -> Folder:
    """Return a folder of JAX's compiled programs without those that are cut off, damaged or another user's.

    JAX writes them in place, so that an interruption leaves half of one, and never replaces one that it cannot read.
    Those seen whole are listed with size and time, and not read again. Raises CacheError where there are some that
    cannot be removed.
    """
    seals = _seals(kept)
    found = {}
    for path in sorted(kept.path.glob(f"*{_ENTRY}")):
        try:
            facts = path.lstat()
            seal = [facts.st_size, facts.st_mtime_ns]
            if _ours(facts) and (seals.get(path.name) == seal or _whole(path.read_bytes())):
                found[path.name] = seal
            else:
                path.unlink()
        except FileNotFoundError:
            continue
        except OSError as error:
            raise CacheError(f"{path} is damaged or not yours and cannot be removed ({error.strerror})") from error
    if kept.writable and found != seals:
        # Without the list they are read again next time.
        with suppress(OSError):
            kept.write(_SEALS, json.dumps(found))
    return kept


def _seals(kept: Folder) -> dict[str, list[int]]:
    try:
        found = json.loads((kept.path / _SEALS).read_bytes())
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _whole(content: bytes) -> bool:
    """Say whether a compressed program is whole, as far as the standard library can tell."""
    if content.startswith(_ZSTD):
        return True
    try:
        return bool(zlib.decompress(content))
    except zlib.error:
        return False


def _home() -> Path | None:
    """Return the user's home where there is one that holds a cache or may hold one."""
    try:
        home = Path.home()
    except RuntimeError:
        return None
    if os.environ.get("HOME") == "" or not home.is_absolute():
        return None
    return home if (home / ".cache").is_dir() or os.access(home, os.W_OK | os.X_OK) else None


def _user() -> int:
    """Return the number of the user; 0 where users have none."""
    return os.getuid() if os.name == "posix" else 0


def _ours(facts: os.stat_result) -> bool:
    """Say whether something is the user's or root's."""
    return os.name != "posix" or facts.st_uid in {0, _user()}


def _ours_alone(facts: os.stat_result) -> bool:
    """Say whether a file is the user's or root's and nobody else may write to it."""
    alone = os.name != "posix" or not facts.st_mode & _OTHERS_WRITE
    return stat.S_ISREG(facts.st_mode) and _ours(facts) and alone


def _refuse_shared(path: Path) -> None:
    """Raise CacheError where others may write to a folder, or put another in its place.

    Above the folder itself, one like /tmp will do, in which everybody may make files but not exchange those of others.
    """
    true = path.resolve()
    for part in (*reversed(path.parents), *reversed(true.parents), path, true):
        facts = part.stat()
        owners = [f.st_uid for f in (facts, part.lstat()) if not _ours(f)]
        if owners:
            raise CacheError(
                f"{part} belongs to another user ({owners[0]}), who could put files into {path}; "
                "name a folder of your own in FORGEFIELD_CACHE"
            )
        sticky = facts.st_mode & stat.S_ISVTX and part not in {path, true}
        if os.name == "posix" and facts.st_mode & _OTHERS_WRITE and not sticky:
            raise CacheError(
                f"others may write to {part} (mode {stat.S_IMODE(facts.st_mode):04o}), and so exchange what is in "
                f"{path}; run chmod go-w {part}, or name another folder in FORGEFIELD_CACHE"
            )
