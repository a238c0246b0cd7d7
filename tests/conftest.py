"""Fixtures and settings that all tests share."""

import os
import signal
import zlib
from collections.abc import Iterator
from pathlib import Path

# Each worker has a core of its own: threads of tight-binding and SCF programs would only wait for each other.
os.environ.setdefault("OMP_NUM_THREADS", "1")
# What is tested does not depend on which way of computing happens to be faster.
os.environ.setdefault("FORGEFIELD_KERNEL", "native")

import jax
import jax.random as jr
import numpy as np
import pytest

from forgefield.console import collect_seldom

collect_seldom()
jax.config.update("jax_enable_x64", True)
jax.config.update("jax_numpy_rank_promotion", "raise")
jax.config.update("jax_numpy_dtype_promotion", "strict")


@pytest.fixture(scope="session")
def data() -> Path:
    """Real QM data and reference listings, not part of the repository."""
    path = Path(os.environ.get("FORGEFIELD_DATA", Path(__file__).parents[2] / "shared" / "data"))
    if not path.is_dir():
        pytest.skip(f"no reference data at {path} (set FORGEFIELD_DATA)")
    return path.resolve()


@pytest.fixture
def listening() -> Iterator[None]:
    """Hear Ctrl-C, and let processes hear it that are started, even where the tests run in the background."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.fixture
def key(request) -> jax.Array:
    """A JAX key seeded from the name of the test."""
    return jr.key(zlib.crc32(request.node.name.encode()))


@pytest.fixture
def generator(request) -> np.random.Generator:
    """A NumPy generator seeded from the name of the test."""
    return np.random.default_rng(zlib.crc32(request.node.name.encode()))
