"""Compiles the C++ kernels once for each machine and version, and registers them with JAX."""

import ctypes
import hashlib
import os
import platform
import shlex
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from functools import cache
from importlib.metadata import version
from pathlib import Path

import jax

from forgefield.cache import CacheError, Folder, folder
from forgefield.engines.native.processor import c_library, instructions
from forgefield.models.neural.messages import TARGET

FOLDER = Path(__file__).parent


@dataclass(frozen=True)
class Kernel:
    """A kernel, which is compiled to a library of its own."""

    name: str
    """Of its source, without `.cc`."""
    symbol: str
    """Of its handler in the library."""
    target: str
    """Name under which XLA knows it."""


PAINN = Kernel("painn", "ForgeFieldPainn", "forgefield_painn")
"""Energy and gradient."""
MESSAGES = Kernel("messages", "ForgeFieldMessages", TARGET)
"""What training differentiates further."""
KIND = "native"
"""The folder of the cache."""
_X86 = ("-march=native", "-mprefer-vector-width=512")
_ARM = ("-mcpu=native",)
_FOR_MACHINE = {"x86_64": _X86, "AMD64": _X86, "aarch64": _ARM, "arm64": _ARM}
_COMPILE = ("-std=c++17", "-O3", *_FOR_MACHINE.get(platform.machine(), ()), "-ffast-math", "-fPIC", "-w")
_LONGEST_S = 600.0
"""What the compiler may take, on the slowest machine."""


class NativeError(RuntimeError):
    """There is no kernel for this model or this machine; the message says why."""


class KernelError(NativeError):
    """There is no kernel on this machine, which could have one; the message says why."""


def register(kernel: Kernel) -> str:
    """Return the name under which JAX knows a kernel, compiling it where that has not been done before.

    Raises KernelError where there is no C++ compiler or no cache that may be used, or where one of them fails.
    """
    loaded(kernel)
    return kernel.target


def loaded(kernel: Kernel) -> Path:
    """Return the library of a kernel that JAX knows, as `register` does."""
    found = _loaded(kernel)
    if isinstance(found, str):
        raise KernelError(found)
    return found


@cache
def _loaded(kernel: Kernel) -> Path | str:
    """Return the library, registered, or what went wrong: it is tried once in a process."""
    try:
        library = compiled(kernel)
        load(library, kernel)
    except KernelError as error:
        return str(error)
    return library


def load(library: Path, kernel: Kernel) -> None:
    """Make the kernel of a library known to JAX by its name. Raises KernelError where that cannot be."""
    try:
        handler = getattr(ctypes.CDLL(str(library)), kernel.symbol)
    except (OSError, AttributeError) as error:
        raise KernelError(f"the kernel cannot be loaded ({error})") from error
    jax.ffi.register_ffi_target(kernel.target, jax.ffi.pycapsule(handler), platform="cpu")


def vector_bits_of(library: Path) -> int:
    """Return the bits of the vectors that the kernel of a library computes with."""
    return int(ctypes.CDLL(str(library)).ForgeFieldVectorBits())


def compiled(kernel: Kernel, *options: str) -> Path:
    """Return the shared library of a kernel, from the cache or compiled into it, with more options of the compiler.

    A library in the cache is used only with its checksum beside it; any other is compiled anew. Where there is no
    compiler (any more), one will do that another compiler has made of the same source for the same machine. Raises
    KernelError.
    """
    options = (*shlex.split(os.environ.get("FORGEFIELD_CXXFLAGS", "")), *options)
    facts = (version("jaxlib"), platform.machine(), instructions(), c_library(), *_COMPILE, *options)
    source = FOLDER / f"{kernel.name}.cc"
    machine = _digest(source.read_bytes(), *facts)
    try:
        kept = folder(KIND)
        try:
            compiler = _compiler()
        except KernelError as error:
            for path in sorted(kept.path.glob(f"{kernel.name}-{machine}-*.so")):
                if kept.verified(path.name):
                    return path
            raise error
        name = f"{kernel.name}-{machine}-{_digest(b'', *compiler, _version(compiler))}.so"
        return kept.verified(name) or _made(kept, source, name, compiler, options)
    except CacheError as error:
        raise KernelError(f"the kernel cannot be kept: {error}") from error


def _compiler() -> list[str]:
    """Return the command of the compiler: CXX where it is set, else the first that is found. Raises KernelError."""
    chosen = shlex.split(os.environ.get("CXX", ""))
    if chosen and shutil.which(chosen[0]) is None:
        raise KernelError(f"the compiler that CXX names ({chosen[0]}) is not installed")
    found = chosen or next(([name] for name in ("g++", "clang++") if shutil.which(name)), None)
    if found is None:
        raise KernelError("no C++ compiler (g++, clang++, or the one that CXX names) is installed")
    return found


def _version(compiler: list[str]) -> str:
    return _run([*compiler, "--version"]).stdout


def _made(kept: Folder, source: Path, name: str, compiler: list[str], options: tuple[str, ...]) -> Path:
    """Compile a library into the cache and return its path."""
    if not kept.writable:
        raise KernelError(f"{kept.path} has no kernel for this machine and may not be written to")
    try:
        with tempfile.TemporaryDirectory(dir=kept.path) as scratch:
            part, whole = Path(scratch) / "kernel.o", Path(scratch) / "kernel.so"
            # Linked apart: with -ffast-math the linker would add code that changes the rounding of the whole process.
            include = f"-I{jax.ffi.include_dir()}"
            _run([*compiler, *_COMPILE, *options, include, "-c", str(source), "-o", str(part)])
            _run([*compiler, "-shared", str(part), "-o", str(whole)])
            return kept.keep(whole, name)
    except OSError as error:
        raise KernelError(f"the kernel cannot be kept in {kept.path} ({error})") from error


def _run(command: list[str]) -> subprocess.CompletedProcess[str]:
    """Run the compiler. Raises KernelError that says how it failed."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=_LONGEST_S)
    except (OSError, UnicodeDecodeError, subprocess.TimeoutExpired) as error:
        raise KernelError(f"{command[0]} does not run ({error})") from error
    if done.returncode:
        told = " ".join(done.stderr.split())[-500:] or f"exit code {done.returncode}"
        raise KernelError(f"{command[0]} does not compile the kernel: {told}")
    return done


def _digest(content: bytes, *facts: str) -> str:
    return hashlib.sha256(content + "\n".join(facts).encode()).hexdigest()[:16]
