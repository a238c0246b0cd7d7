"""Compiled programs in the cache, found by what they are made from, without tracing them again.

The name of a program is a digest of all that decides what it computes. Whatever cannot be written down strictly has no
name, and its program is not kept here: a program that computes something else must never be found.
"""

import functools
import hashlib
import io
import os
import pickle
import platform
import sys
import tempfile
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import jax
import numpy as np
from jax.experimental.serialize_executable import deserialize_and_load, serialize
from jaxlib.lapack import prepare_lapack_call

from forgefield.cache import CacheError, Folder, folder
from forgefield.description import Indescribable, constant, described

_MOST = 500_000_000
"""Bytes of programs that are kept; those not used for longest go first."""
_UNWRITABLE = (ValueError, NotImplementedError, TypeError, AttributeError, pickle.PicklingError)
"""What JAX and pickle raise for programs that call back into Python or hold large constants."""
_ELSEWHERE = ("cache", "log", "dump", "traceback", "profiler")
"""Settings of JAX with such words in their names do not change what is computed."""


@dataclass(frozen=True)
class Kept:
    """The programs in a folder of the cache."""

    folder: Folder

    def name(self, function: Callable, made_for: Any, options: dict[str, Any]) -> str | None:
        """Return the name of a function's program; None where what it is made from has no strict description."""
        try:
            told = "\n".join((described(function), described(made_for), described(options), _surroundings()))
        except Indescribable:
            return None
        return f"{function.__name__}-{hashlib.sha256(told.encode()).hexdigest()}"

    def load(self, name: str, structure: Any) -> Callable | None:
        """Return a program that was kept for arguments of this structure, None where there is none that is whole."""
        content = self.folder.read(name)
        if content is None:
            return None
        try:
            program, results, n_devices = pickle.loads(content)
            devices = jax.devices()[:n_devices]
            loaded = deserialize_and_load(program, structure, results, execution_devices=devices)
        # Whatever is wrong with it, another one can be made.
        except Exception:
            return None
        with suppress(OSError):
            os.utime(self.folder.path / name)
        return loaded

    def keep(self, name: str, program: jax.stages.Compiled, label: str) -> jax.stages.Compiled:
        """Keep a program, where that is possible, instead of JAX, which knows it by its label, and return it."""
        if not self.folder.writable:
            return program
        # What cannot be written, or finds no room on the disk, is made again in another run.
        with suppress(OSError, *_UNWRITABLE):
            payload, _, results = serialize(program)
            n_devices = len(program.runtime_executable().local_devices())
            content = io.BytesIO()
            _Pickler(content).dump((payload, results, n_devices))
            with tempfile.TemporaryDirectory(dir=self.folder.path) as scratch:
                made = Path(scratch) / name
                made.write_bytes(content.getvalue())
                self.folder.keep(made, name)
            for path in Path(jax.config.values["jax_compilation_cache_dir"] or self.folder.path).glob(f"jit_{label}-*"):
                path.unlink()
            self._make_room()
        return program

    def _make_room(self) -> None:
        """Remove the programs that were not used for longest, where there are too many."""
        known = [(path, path.stat()) for path in self.folder.path.glob("*-*") if path.suffix != ".sha256"]
        room = _MOST
        for path, facts in sorted(known, key=lambda one: -one[1].st_mtime):
            room -= facts.st_size
            if room < 0:
                path.unlink(missing_ok=True)
                path.with_name(f"{path.name}.sha256").unlink(missing_ok=True)


def kept_programs() -> Kept | None:
    """Return the kept programs; None where JAX keeps none, or for other devices than processors."""
    return _kept() if jax.config.values["jax_compilation_cache_dir"] else None


@functools.cache
def _kept() -> Kept | None:
    if jax.default_backend() != "cpu":
        return None
    # JAX readies LAPACK where it lowers a program that calls it; without, a program that is only loaded would crash.
    prepare_lapack_call("syevd_ffi", np.dtype(np.float64))
    try:
        return Kept(folder("programs"))
    except CacheError:
        return None


class _Pickler(pickle.Pickler):
    """Writes what there is one of by its name: Equinox tells a missing field by identity."""

    def reducer_override(self, obj: Any) -> Any:
        """Return how a value is written."""
        ours = type(obj).__module__.split(".")[0] in {"equinox", "forgefield"}
        return (constant(obj) if ours else None) or NotImplemented


def _surroundings() -> str:
    """Return what decides besides the arguments what a program is: sources, versions, settings, the processor."""
    settings = {name: getattr(jax.config, name, None) for name in sorted(jax.config.values)}
    told = [f"{name}={value}" for name, value in settings.items() if not any(word in name for word in _ELSEWHERE)]
    return "\n".join((_installed(), *told, os.environ.get("XLA_FLAGS", "")))


@functools.cache
def _installed() -> str:
    """Return a digest of the package's sources, with the versions of those it computes by and the processor."""
    sources = hashlib.sha256()
    root = Path(__file__).parent
    for path in sorted(root.rglob("*.py")):
        content = path.read_bytes()
        sources.update(f"{path.relative_to(root)} {len(content)}\n".encode() + content)
    versions = [f"{one} {version(one)}" for one in ("jax", "jaxlib", "numpy", "equinox", "optax")]
    return "\n".join((sources.hexdigest(), sys.version, platform.machine(), _processor(), *versions))


def _processor() -> str:
    """Return the kind and the instructions of the processor, where the system tells."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    told = {line for line in lines if line.startswith(("model name", "flags", "Features", "CPU part"))}
    return "\n".join((*sorted(told), str(os.cpu_count())))
