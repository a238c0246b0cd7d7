"""What processor this is: its name, the width of its vectors, and what tells its kind apart."""

import os
import platform
from functools import cache
from hashlib import sha256
from pathlib import Path

_WIDTHS = {"avx512f": 512, "avx": 256, "sse2": 128, "asimd": 128, "neon": 128}
"""Bits of the registers that each set of instructions has, the widest first."""


@cache
def _described() -> dict[str, str]:
    """Return what the system says of the first processor."""
    info = Path("/proc/cpuinfo")
    first = info.read_text().partition("\n\n")[0] if info.exists() else ""
    pairs = (line.partition(":") for line in first.splitlines())
    return {name.strip(): value.strip() for name, _, value in pairs}


def instructions() -> str:
    """Return the sets of instructions of the processor as the system names them; its name where it names none."""
    found = _described()
    return found.get("flags") or found.get("Features") or platform.processor()


def processor_name() -> str:
    """Return the name of the processor, for people."""
    found = _described()
    parts = [found[key] for key in ("CPU implementer", "CPU part") if key in found]
    return found.get("model name") or platform.processor() or " ".join([platform.machine(), *parts])


def vector_bits() -> int:
    """Return the bits of the widest vectors of numbers that the processor has, as far as is known."""
    known = set(instructions().split())
    return next((bits for name, bits in _WIDTHS.items() if name in known), 128)


def machine() -> dict[str, str | int]:
    """Return what stands beside every figure of speed: the processor, the width of its vectors, and what XLA is told.

    XLA's flags may keep it from the widest vectors.
    """
    return {
        "processor": processor_name(),
        "vector_bits": vector_bits(),
        "xla_flags": os.environ.get("XLA_FLAGS", ""),
    }


@cache
def c_library() -> str:
    """Return the C library and its version: what was linked with one may not be loaded with another."""
    if known := " ".join(platform.libc_ver()).strip():
        return known
    # musl says its version to nobody but who runs it.
    loaders = sorted(Path("/lib").glob("ld-musl-*.so.1"))
    return " ".join(sha256(path.read_bytes()).hexdigest() for path in loaders) or platform.platform()
