"""Compiles the C++ kernels once for each machine and version, and registers them with JAX."""

import ctypes
import hashlib
import os
import platform
import shutil
import subprocess
import tempfile
from functools import cache
from importlib.metadata import version
from pathlib import Path

import jax

SOURCE = Path(__file__).parent / "painn.cc"
TARGET = "forgefield_painn"
_WIDE = ("-mprefer-vector-width=512",) if platform.machine() == "x86_64" else ()
_COMPILE = ("-std=c++17", "-O3", "-march=native", *_WIDE, "-ffast-math", "-fPIC", "-w")


class NativeError(RuntimeError):
    """There is no kernel for this machine; the message says why."""


@cache
def register() -> str:
    """Return the name under which JAX knows the kernel, compiling it where that has not been done before.

    Raises NativeError where there is no C++ compiler or it fails.
    """
    library = ctypes.cdll.LoadLibrary(str(compiled()))
    jax.ffi.register_ffi_target(TARGET, jax.ffi.pycapsule(library.ForgeFieldPainn), platform="cpu")
    return TARGET


def compiled() -> Path:
    """Return the shared library, from the cache folder of the user (FORGEFIELD_CACHE) or compiled into it."""
    folder = Path(os.environ.get("FORGEFIELD_CACHE", Path.home() / ".cache" / "forgefield"))
    facts = (version("jaxlib"), platform.machine(), _processor(), *_COMPILE)
    key = hashlib.sha256(SOURCE.read_bytes() + "\n".join(facts).encode()).hexdigest()[:16]
    library = folder / f"painn-{key}.so"
    if library.exists():
        return library
    compiler = shutil.which(os.environ.get("CXX", "")) or shutil.which("g++") or shutil.which("clang++")
    if compiler is None:
        raise NativeError("no C++ compiler (g++, clang++, or the one that CXX names) is installed")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder) as scratch:
            made = _compile(compiler, Path(scratch))
            made.replace(library)
    except OSError as error:
        raise NativeError(f"the kernel cannot be kept in {folder} ({error})") from error
    return library


def _compile(compiler: str, scratch: Path) -> Path:
    part, whole = scratch / "painn.o", scratch / "painn.so"
    # Linked apart: with -ffast-math the linker would add code that changes the rounding of the whole process.
    for command in (
        [compiler, *_COMPILE, f"-I{jax.ffi.include_dir()}", "-c", str(SOURCE), "-o", str(part)],
        [compiler, "-shared", str(part), "-o", str(whole)],
    ):
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            raise NativeError(f"{compiler} does not compile the kernel: {done.stderr.strip()[-500:]}")
    return whole


def _processor() -> str:
    """Return what tells processors apart whose instructions differ."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    return next((line for line in lines if line.startswith(("flags", "Features"))), platform.processor())
