"""Tasks in processes of their own: one that fails is named, the others go on."""

import abc
import os
import pickle
import subprocess
import sys
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from multiprocessing import Pipe
from multiprocessing.connection import Connection, wait
from typing import Any

import jax

from forgefield.jobs.processes.worker import reason

_PRECISION = "jax_enable_x64"
"""May be set for a call alone, which the values of all settings do not show."""
_SETTINGS = (
    "jax_disable_most_optimizations",
    "jax_compilation_cache_dir",
    "jax_persistent_cache_min_compile_time_secs",
    "jax_persistent_cache_min_entry_size_bytes",
)
"""A process of ours computes and caches as the one that started it."""
_THREADS = ("NPROC", "PJRT_NPROC", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
DIED = "its process ended without a result (killed, or out of memory)"
HOPELESS = 3
"""Processes that died one after another without any result, after which no more are started."""


@dataclass(eq=False)
class Done:
    """What came of tasks: results and reasons of failure, by the number of the task; some have neither."""

    results: dict[int, Any] = field(default_factory=dict)
    failures: dict[int, str] = field(default_factory=dict)
    interrupted: bool = False
    taken: Callable[[int, Any], None] | None = None
    """Gets the results where they are not to be kept."""

    def note(self, number: int, result: Any) -> None:
        """Keep the result of a task, or pass it on."""
        if self.taken is not None:
            self.taken(number, result)
            result = None
        self.results[number] = result

    def enter(self, number: int, result: Any, failure: str | None) -> None:
        """Note how a task ended: with its result, or with the reason of its failure."""
        if failure is None:
            self.note(number, result)
        else:
            self.failures[number] = failure

    @property
    def n(self) -> int:
        """Number of tasks that came to an end."""
        return len(self.results) + len(self.failures)


class AbstractWorkers(abc.ABC):
    """Who has tasks done."""

    def run(
        self,
        function: Callable[[Any, Any], Any],
        given: Any,
        tasks: Sequence[Any],
        *,
        workers: int = 1,
        tell: Callable[[int], None],
        taken: Callable[[int, Any], None] | None = None,
    ) -> Done:
        """Return what `function(given, task)` returns for each task, by this many workers where they are ours.

        `tell` is called with the number of tasks that came to an end. A task that raises or whose process dies fails
        alone; a KeyboardInterrupt ends all and keeps what there is. Where `taken` is given, it gets each result with
        the number of its task, and no result is kept.
        """
        done = Done(taken=taken)
        try:
            self._run((function, given), dict(enumerate(tasks)), workers, done, tell)
        except KeyboardInterrupt:
            done.interrupted = True
        return done

    @abc.abstractmethod
    def _run(
        self, work: tuple[Callable, Any], tasks: dict[int, Any], workers: int, done: Done, tell: Callable[[int], None]
    ) -> None:
        """Have tasks done by their number, and note what comes of them; `work` is the function and what it is given."""


class ThisProcess(AbstractWorkers):
    """This process itself, one task after another."""

    def _run(
        self, work: tuple[Callable, Any], tasks: dict[int, Any], workers: int, done: Done, tell: Callable[[int], None]
    ) -> None:
        function, given = work
        for number, task in tasks.items():
            try:
                result = function(given, task)
            except Exception as error:
                done.failures[number] = reason(error)
            else:
                done.note(number, result)
            tell(done.n)


class Processes(AbstractWorkers):
    """Other processes of so many threads, even if it is one, so that no task can end this one; they go on until the
    end of a `with`, from one call to the next."""

    def __init__(self, n_threads: int = 1) -> None:
        self._n_threads = n_threads
        self._idle: list[_Worker] = []

    def __enter__(self) -> "Processes":
        return self

    def __exit__(self, *_: object) -> None:
        for worker in self._idle:
            worker.end()

    def _run(
        self, work: tuple[Callable, Any], tasks: dict[int, Any], workers: int, done: Done, tell: Callable[[int], None]
    ) -> None:
        opened, hopeless = pickle.dumps(work), 0
        pending = self._run_some(opened, tasks, workers, done, tell)
        while pending and hopeless < HOPELESS:
            before = len(done.results)
            pending = self._run_some(opened, pending, 1, done, tell)
            if pending:
                # Alone in its process, the first task without a result is the one that ended it.
                culprit = min(pending)
                del pending[culprit]
                done.failures[culprit] = DIED
                hopeless = 0 if len(done.results) > before else hopeless + 1
        done.failures |= dict.fromkeys(pending, DIED)

    def _run_some(
        self, opened: bytes, tasks: dict[int, Any], workers: int, done: Done, tell: Callable[[int], None]
    ) -> dict[int, Any]:
        """Run tasks by number in processes, and return those that are without an end because processes died."""
        waiting = deque(sorted(tasks))
        busy: dict[Connection, int] = {}
        dead: set[Connection] = set()
        started: list[_Worker] = []

        def hand_out(pipe: Connection) -> None:
            busy[pipe] = waiting.popleft()
            with suppress(OSError):
                pipe.send_bytes(pickle.dumps((None, tasks[busy[pipe]])))

        try:
            started += (
                self._idle.pop() if self._idle else _Worker(self._n_threads) for _ in range(min(workers, len(tasks)))
            )
            for worker in started:
                worker.begin(opened)
                hand_out(worker.pipe)
            while busy:
                for pipe in wait(list(busy)):
                    assert isinstance(pipe, Connection)
                    number = busy.pop(pipe)
                    try:
                        result, failure = pickle.loads(pipe.recv_bytes())
                    except (EOFError, OSError):
                        dead.add(pipe)
                        continue
                    done.enter(number, result, failure)
                    tell(done.n)
                    if waiting:
                        hand_out(pipe)
        finally:
            for worker in started:
                if worker.pipe in dead or worker.pipe in busy:
                    worker.end()
                else:
                    self._idle.append(worker)
        return {number: task for number, task in tasks.items() if number not in done.results | done.failures}


class _Worker:
    """A process with so many threads, which gets none of this one's Ctrl-C and nothing of the user's script."""

    def __init__(self, n_threads: int) -> None:
        self.pipe, theirs = Pipe()
        environment = {**os.environ, **dict.fromkeys(_THREADS, str(n_threads)), "PYTHONPATH": os.pathsep.join(sys.path)}
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-P", "-m", "forgefield.jobs.processes.worker", str(theirs.fileno())],
                env=environment,
                stdin=subprocess.DEVNULL,
                pass_fds=[theirs.fileno()],
                process_group=0,
            )

    def begin(self, work: bytes) -> None:
        """Let it compute as this process does, and give it what it needs for all of its tasks."""
        settings = {name: jax.config.values[name] for name in _SETTINGS} | {_PRECISION: jax.config.read(_PRECISION)}
        with suppress(OSError):
            self.pipe.send_bytes(pickle.dumps((settings, work)))

    def end(self) -> None:
        """End it, whatever it does."""
        self.pipe.close()
        self._process.terminate()
        self._process.wait()
