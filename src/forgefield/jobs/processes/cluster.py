"""Tasks on the workers of a Dask scheduler, or on those of jobs of Slurm, as `pool` has them done by processes."""

import pickle
import threading
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import CancelledError
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from dask.config import get as setting
from dask_jobqueue.slurm import SLURMCluster
from distributed import Client, Future, wait
from distributed.scheduler import KilledWorker

from forgefield.errors import InputError
from forgefield.jobs.processes.pool import DIED, HOPELESS, AbstractWorkers, Done
from forgefield.jobs.processes.worker import reason

_AHEAD = 2
"""Tasks of each worker that the scheduler has at once; all others wait here, however many there are."""
_LOOK_S = 0.5
"""Seconds between looks at whether Ctrl-C was pressed and whether workers have come."""
_CONNECT_S = 30
_ONE = threading.Lock()
"""What tasks call is not made for threads: a worker that has several does one task at a time."""


@dataclass(frozen=True, eq=False)
class Cluster(AbstractWorkers):
    """The workers of a scheduler, all that there are. One that dies takes no task with it.

    `run` raises InputError where the scheduler ends.
    """

    client: Client

    def _run(
        self, work: tuple[Callable, Any], tasks: dict[int, Any], workers: int, done: Done, tell: Callable[[int], None]
    ) -> None:
        opened, hopeless = pickle.dumps(work), 0
        for number in self._run_some(opened, tasks, done, tell):
            # Only now is it alone with whom it may have killed.
            before = len(done.results)
            if hopeless == HOPELESS or self._run_some(opened, {number: tasks[number]}, done, tell):
                done.failures[number] = DIED
            hopeless = 0 if len(done.results) > before else min(hopeless + 1, HOPELESS)
            tell(done.n)

    def _threads(self) -> dict[str, int]:
        """Return how many threads each worker has."""
        return self.client.nthreads()  # pyright: ignore[reportReturnType] (no coroutine, as this client is synchronous)

    def _run_some(self, work: bytes, tasks: dict[int, Any], done: Done, tell: Callable[[int], None]) -> list[int]:
        """Run tasks by number, and return those whose workers died one after another."""
        waiting, running, lost = deque(tasks), dict[Future, int](), []
        try:
            while waiting or running:
                # What it had would look as if its workers had died.
                if self.client.status != "running":
                    raise InputError("the Dask scheduler is gone; start one again, and the same command goes on")
                room = _AHEAD * max(1, len(self._threads())) - len(running)
                for number in [waiting.popleft() for _ in range(min(room, len(waiting)))]:
                    running[self.client.submit(_done, work, tasks[number], pure=False)] = number
                for future in _ended(list(running)):
                    number = running.pop(future)
                    try:
                        result, failure = future.result()
                    except (KilledWorker, CancelledError):
                        lost.append(number)
                        continue
                    done.enter(number, result, failure)
                tell(done.n)
        finally:
            if self.client.status == "running":
                self.client.cancel(list(running))
        return lost


@contextmanager
def cluster(said: str, workers: int) -> Iterator[Cluster]:
    """Yield the workers of the scheduler at an address, or for `slurm` those of so many jobs of our own.

    Raises InputError where there is no scheduler, or where Dask's settings do not say what a job of Slurm is given.
    """
    if said != "slurm":
        try:
            client = Client(said, timeout=_CONNECT_S)
        except (OSError, ValueError) as error:
            raise InputError(
                f"no Dask scheduler answers at {said!r} ({error}); write tcp://HOST:PORT, or slurm"
            ) from None
        with client:
            yield Cluster(client)
        return
    if missing := [name for name in ("cores", "memory") if setting(f"jobqueue.slurm.{name}", None) is None]:
        raise InputError(f"slurm: state {' and '.join(missing)} of a job in ~/.config/dask/jobqueue.yaml, under slurm")
    # Any port for the dashboard: that of another scheduler may be taken.
    jobs: Any = SLURMCluster(processes=1, scheduler_options={"dashboard_address": ":0"})
    with jobs, Client(jobs) as client:
        # Jobs that end, as their time is up or their machine fails, are followed by others.
        jobs.adapt(minimum_jobs=workers, maximum_jobs=workers)
        yield Cluster(client)


def _ended(running: list[Future]) -> list[Future]:
    """Return the tasks that have come to an end, once there are any or the next look is due."""
    try:
        found: Any = wait(running, timeout=_LOOK_S, return_when="FIRST_COMPLETED")
    except TimeoutError:
        return []
    return list(found.done)


def _done(work: bytes, task: Any) -> tuple[Any, str | None]:
    """Return, on a worker, the result of a task and None, or None and the reason of its failure."""
    with _ONE:
        try:
            function, given = _opened(work)
            return function(given, task), None
        except Exception as error:
            return None, reason(error)


@lru_cache(maxsize=1)
def _opened(work: bytes) -> tuple[Callable[[Any, Any], Any], Any]:
    """Return the function and what it is given for all tasks, opened once in each worker."""
    return pickle.loads(work)
