"""Tasks in processes of their own: one that fails is named, the others go on."""

import multiprocessing
import os
import pickle
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import ModuleType
from typing import Any

import jax

_SETTINGS = (
    "jax_enable_x64",
    "jax_disable_most_optimizations",
    "jax_compilation_cache_dir",
    "jax_persistent_cache_min_compile_time_secs",
    "jax_persistent_cache_min_entry_size_bytes",
)
"""A process of ours computes and caches as the one that started it."""
_THREADS = ("NPROC", "PJRT_NPROC", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
_DIED = "its process ended without a result (killed, or out of memory)"
_HOPELESS = 3
"""Processes that died one after another without any result, after which no more are started."""
_GIVEN: list[Any] = []
"""What a process was given once for all of its tasks."""


@dataclass(eq=False)
class Done:
    """What came of tasks: results and reasons of failure, by the number of the task; some have neither."""

    results: dict[int, Any] = field(default_factory=dict)
    failures: dict[int, str] = field(default_factory=dict)
    interrupted: bool = False

    @property
    def n(self) -> int:
        """Number of tasks that came to an end."""
        return len(self.results) + len(self.failures)


def run_tasks(
    function: Callable[[Any, Any], Any],
    given: Any,
    tasks: Sequence[Any],
    *,
    workers: int,
    tell: Callable[[int], None],
) -> Done:
    """Return what `function(given, task)` returns for each task, computed by this many processes of one thread each.

    One worker is this process itself. `tell` is called with the number of tasks that came to an end. A task that
    raises or whose process dies fails alone; a KeyboardInterrupt ends all and keeps what there is.
    """
    done = Done()
    try:
        if workers == 1:
            _run_here(function, given, tasks, done, tell)
        else:
            _run_in_processes(function, given, tasks, workers, (done, tell))
    except KeyboardInterrupt:
        done.interrupted = True
    return done


def _run_here(
    function: Callable[[Any, Any], Any], given: Any, tasks: Sequence[Any], done: Done, tell: Callable[[int], None]
) -> None:
    for number, task in enumerate(tasks):
        try:
            done.results[number] = function(given, task)
        except Exception as error:
            done.failures[number] = _reason(error)
        tell(done.n)


def _run_in_processes(
    function: Callable[[Any, Any], Any],
    given: Any,
    tasks: Sequence[Any],
    workers: int,
    noted: tuple[Done, Callable[[int], None]],
) -> None:
    done, hopeless = noted[0], 0
    while hopeless < _HOPELESS:
        pending = [k for k in range(len(tasks)) if k not in done.results and k not in done.failures]
        if not pending:
            return
        before = len(done.results)
        if not _run_pool(function, given, {k: tasks[k] for k in pending}, workers, noted):
            return
        if workers == 1:
            # Alone in its process, the first task without a result is the one that ended it.
            culprit = next(k for k in pending if k not in done.results and k not in done.failures)
            done.failures[culprit] = _DIED
        hopeless = 0 if len(done.results) > before else hopeless + 1
        workers = 1
    for k in range(len(tasks)):
        if k not in done.results:
            done.failures.setdefault(k, _DIED)


def _run_pool(
    function: Callable[[Any, Any], Any],
    given: Any,
    pending: dict[int, Any],
    workers: int,
    noted: tuple[Done, Callable[[int], None]],
) -> bool:
    """Run tasks by number in a pool of processes and say whether one of these died."""
    done, tell = noted
    settings = {name: jax.config.values[name] for name in _SETTINGS}
    others = set(multiprocessing.active_children())
    pool = ProcessPoolExecutor(
        max_workers=min(workers, len(pending)),
        mp_context=multiprocessing.get_context("spawn"),
        initializer=_begin,
        # Opened only after the settings are made: in single precision its arrays would lose half of their digits.
        initargs=(settings, function, pickle.dumps(given)),
    )
    finished = False
    try:
        with _starting_processes():
            numbers: dict[Future, int] = {pool.submit(_run, task): k for k, task in pending.items()}
        died = False
        for future in as_completed(numbers):
            error = future.exception()
            if isinstance(error, BrokenProcessPool):
                died = True
                continue
            if error is None:
                done.results[numbers[future]] = future.result()
            else:
                done.failures[numbers[future]] = _reason(error)
            tell(done.n)
        finished = True
        return died
    finally:
        pool.shutdown(wait=finished, cancel_futures=True)
        if not finished:
            for process in set(multiprocessing.active_children()) - others:
                process.terminate()


@contextmanager
def _starting_processes() -> Iterator[None]:
    """Let processes that are started inherit one thread, deafness to Ctrl-C, and no main module.

    Ctrl-C is for the process that started them. Without a main module they do not import the user's script again,
    which would run it a second time where it is not guarded.
    """
    saved = {name: os.environ.get(name) for name in _THREADS}
    main = sys.modules["__main__"]
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        os.environ.update(dict.fromkeys(_THREADS, "1"))
        sys.modules["__main__"] = ModuleType("__main__")
        yield
    finally:
        sys.modules["__main__"] = main
        for name, value in saved.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)


def _begin(settings: dict[str, Any], function: Callable[[Any, Any], Any], given: bytes) -> None:
    """Prepare a process for its tasks."""
    threading.Thread(target=_end_with_parent, daemon=True).start()
    for name, value in settings.items():
        jax.config.update(name, value)
    _GIVEN[:] = [function, pickle.loads(given)]


def _end_with_parent() -> None:
    """End this process when the one that started it has died, which can no longer do it."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def _run(task: Any) -> Any:
    function, given = _GIVEN
    return function(given, task)


def _reason(error: BaseException) -> str:
    return str(error) or type(error).__name__
