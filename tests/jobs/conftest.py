"""The command line in this process, and folders with a FIT.toml and the references of the examples."""

import resource
import shutil
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import jax
import pytest
from typer.testing import CliRunner

from forgefield.cli import app

EXAMPLES = Path(__file__).parents[2] / "examples"


@pytest.fixture(scope="session", autouse=True)
def _cache_of_compiled_programs(tmp_path_factory) -> Iterator[None]:
    """Keep compiled programs out of the user's own cache."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FORGEFIELD_CACHE", str(tmp_path_factory.mktemp("xla")))
        yield


@pytest.fixture(scope="module", autouse=True)
def _quick_compilation() -> Iterator[None]:
    """Compile in two thirds of the time; the programs are small enough to run slowly."""
    jax.config.update("jax_disable_most_optimizations", True)
    yield
    jax.config.update("jax_disable_most_optimizations", False)


@pytest.fixture(scope="session")
def forgefield() -> Callable[..., Any]:
    """Runs a command from its words."""
    return lambda *words: CliRunner().invoke(app, [str(word) for word in words])


@pytest.fixture(scope="session")
def project(tmp_path_factory):
    """Writes a FIT.toml beside the examples' references and returns its path."""

    def written(text):
        folder = tmp_path_factory.mktemp("project")
        for file in EXAMPLES.glob("*/*.json"):
            shutil.copy(file, folder)
        (folder / "FIT.toml").write_text(text)
        return folder / "FIT.toml"

    return written


@pytest.fixture
def file_size_limit():
    """Lets no file grow beyond so many bytes, as a full disk does."""

    @contextmanager
    def limited(n_bytes):
        before, handler = resource.getrlimit(resource.RLIMIT_FSIZE), signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (n_bytes, before[1]))
        try:
            yield
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, before)
            signal.signal(signal.SIGXFSZ, handler)

    return limited
