"""Fixtures and settings that all tests share, and what the run as a whole watches over.

Memory: what a module compiled is thrown away after it. Skips: where continuous integration has the reference data, a
skipped test is a failed one.
"""

import cProfile
import gc
import inspect
import os
import resource
import signal
import sys
import zlib
from collections import Counter
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any, ForwardRef, get_args

# Each worker has a core of its own: threads of tight-binding and SCF programs would only wait for each other.
os.environ.setdefault("OMP_NUM_THREADS", "1")
# What the program asks of XLA for its force fields, here for all that tests compile (see `compiled`).
os.environ["XLA_FLAGS"] = f"--xla_cpu_use_fusion_emitters=false {os.environ.get('XLA_FLAGS', '')}"
# What is tested does not depend on which way of computing happens to be faster.
os.environ.setdefault("FORGEFIELD_KERNEL", "native")

import equinox as eqx
import jax
import jax.random as jr
import jaxtyping
import numpy as np
import pytest
from hypothesis import settings


def _checked(function: Any, *, typechecker: Callable) -> Any:
    """Check the types of what a function is given and returns; keep track of shapes only where there are arrays.

    That makes a call of a plain function, and its definition, several times as long.
    """
    if inspect.isfunction(function) and not any(map(_tells_shapes, function.__annotations__.values())):
        return typechecker(function)
    return _SHAPED(function, typechecker=typechecker)


def _tells_shapes(annotation: Any) -> bool:
    """Say whether an annotation has or may have a type of jaxtyping in it."""
    parts = annotation if isinstance(annotation, list) else get_args(annotation)
    known = getattr(annotation, "__module__", "").startswith("jaxtyping")
    return known or isinstance(annotation, str | ForwardRef) or any(map(_tells_shapes, parts))


_SHAPED = jaxtyping.jaxtyped
# What --jaxtyping-packages decorates functions and classes with, as their modules are imported below.
jaxtyping.jaxtyped = partial(partial, _checked)

from forgefield.cli.collecting import collect_seldom  # noqa: E402 - decorated so from here on
from forgefield.compiled import forget  # noqa: E402

collect_seldom()
jax.config.update("jax_enable_x64", True)
jax.config.update("jax_numpy_rank_promotion", "raise")
jax.config.update("jax_numpy_dtype_promotion", "strict")
# No example of Hypothesis fails for being slow on a busy machine.
settings.register_profile("unhurried", deadline=None)
settings.load_profile("unhurried")


DATA = Path(os.environ.get("FORGEFIELD_DATA", Path(__file__).parents[2] / "shared" / "data"))
IN_CI = bool(os.environ.get("CI"))
NOT_PYTHONS = "no Chromium", "no GROMACS", "no sander", "no LAMMPS", "no jax-md", "no OpenFF"
"""What begins the reason of a test that is skipped for want of a program which `make test` does not install."""
LONG_TO_RUN = {"distil", "engines", "simulate", "terms"}
"""Folders of tests whose programs are compiled as users' are: they run for long, or are told by their last digits."""
MUCH = 800e6
"""Bytes: a process larger than this is made small before the next module, which may need a gigabyte of its own."""
TOO_MUCH = 1.0e9
"""Bytes: one larger than this is made small before the next test."""
GROWN = 100e6
"""Bytes by which it must have grown since it last was: the rest is in use, and to look for more takes seconds."""
SHRUNK = {"size": 0.0}
"""How large it was when it was made small last."""
PEAKS = pytest.StashKey[dict[str, float]]()
"""The largest size of each process that ran tests [GB]."""


def pytest_configure(config):
    config.stash[PEAKS] = {}
    if "FORGEFIELD_DATA" in os.environ and not DATA.is_dir():
        raise pytest.UsageError(f"FORGEFIELD_DATA={DATA} is not a folder")


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items):
    """Begin with the modules that take long, so that at the end no worker has much left while others have nothing."""
    slow = Counter(item.path for item in items if item.get_closest_marker("slow"))
    items.sort(key=lambda item: -slow[item.path])


@pytest.hookimpl(trylast=True)
def pytest_collection_finish(session):
    """Keep what is there before the first test out of the search for unreachable objects, and only that.

    Commands of the program freeze what there is too. Here, where they run in a process with all else, their garbage
    would stay, and to thaw all there is makes every search a hundred times as long.
    """
    gc.collect()
    gc.freeze()
    patch = pytest.MonkeyPatch()
    patch.setattr(gc, "freeze", lambda: None)
    session.config.add_cleanup(patch.undo)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item, call):
    return _counted((yield), allowed=item.get_closest_marker("gpu") is not None)


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report(collector):
    return _counted((yield), allowed=False)


def _counted(report, *, allowed):
    """Return the report, as a failure where a test was skipped that continuous integration must run."""
    if not (IN_CI and DATA.is_dir() and report.skipped) or allowed or hasattr(report, "wasxfail"):
        return report
    reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
    if not reason.removeprefix("Skipped: ").startswith(NOT_PYTHONS):
        report.outcome, report.longrepr = "failed", f"{report.nodeid}: a skip is a failure in CI. {reason}"
    return report


@pytest.fixture(scope="module", autouse=True)
def _quick_compilation(request) -> Iterator[None]:
    """Compile in two thirds of the time what is small enough to run slowly."""
    quick = request.path.relative_to(Path(__file__).parent).parts[0] not in LONG_TO_RUN
    jax.config.update("jax_disable_most_optimizations", quick)
    yield
    jax.config.update("jax_disable_most_optimizations", False)


@pytest.fixture(scope="module", autouse=True)
def _small_again() -> Iterator[None]:
    """Make the process small before the next module."""
    yield
    _shrink(MUCH)


@pytest.fixture(autouse=True)
def _never_large() -> Iterator[None]:
    """Make the process small in the middle of a module that compiles more than there should be room for."""
    yield
    _shrink(TOO_MUCH)


def _shrink(limit: float) -> None:
    """Forget what was compiled and traced, unless the process has hardly grown since it last did."""
    if not sys.platform.startswith("linux") or _resident() < max(limit, SHRUNK["size"] + GROWN):
        return
    eqx.clear_caches()
    forget()
    SHRUNK["size"] = _resident()


def _resident() -> int:
    """Return the size of this process [bytes]."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()


def pytest_sessionfinish(session):
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e9
    # Only a worker of xdist has this dictionary.
    getattr(session.config, "workeroutput", {})["peak"] = peak
    if not session.config.stash[PEAKS]:
        session.config.stash[PEAKS]["this process"] = peak


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node, error):
    node.config.stash[PEAKS][node.gateway.id] = getattr(node, "workeroutput", {}).get("peak", float("nan"))


def pytest_terminal_summary(terminalreporter, config):
    peaks = ", ".join(f"{name} {peak:.2f} GB" for name, peak in sorted(config.stash[PEAKS].items()))
    terminalreporter.write_line(f"largest size of each process that ran tests: {peaks}")
    if IN_CI and not DATA.is_dir():
        said = f"NOT TESTED ON REAL DATA: there is no folder {DATA}; every test that compares with it was skipped"
        terminalreporter.write_sep("!", said, red=True, bold=True)


@pytest.fixture(scope="session")
def data() -> Path:
    """Real QM data and reference listings, not part of the repository."""
    if not DATA.is_dir():
        pytest.skip(f"no reference data at {DATA} (set FORGEFIELD_DATA)")
    return DATA.resolve()


@pytest.fixture(scope="session")
def calls_of():
    """Counts the calls of functions that a call leads to: its work, whatever the machine's speed."""

    def count(function, *arguments):
        profile = cProfile.Profile()
        profile.runcall(function, *arguments)
        return sum(entry.callcount for entry in profile.getstats())

    return count


@pytest.fixture
def listening() -> Iterator[None]:
    """Hear Ctrl-C and the end of a terminal, as processes that are started do, wherever the tests themselves run."""
    heard = {signal.SIGINT: signal.default_int_handler, signal.SIGTERM: signal.SIG_DFL, signal.SIGHUP: signal.SIG_DFL}
    before = {number: signal.signal(number, handler) for number, handler in heard.items()}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.fixture
def key(request) -> jax.Array:
    """A JAX key seeded from the name of the test."""
    return jr.key(zlib.crc32(request.node.name.encode()))


@pytest.fixture
def generator(request) -> np.random.Generator:
    """A NumPy generator seeded from the name of the test."""
    return np.random.default_rng(zlib.crc32(request.node.name.encode()))
