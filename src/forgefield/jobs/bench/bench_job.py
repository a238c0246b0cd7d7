"""Compares solvers and engines on a FIT.toml: each pair is a fit in a process of its own, kept as soon as it ended."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from importlib.metadata import version
from pathlib import Path

from forgefield.cores import n_cores
from forgefield.engines.native.processor import machine
from forgefield.errors import InputError
from forgefield.io.outputs import make_folder, owned, remove, require_free, write_text
from forgefield.jobs.bench.attempt import Conditions, attempt
from forgefield.jobs.bench.pairs import Asked, pairs_of, refusal
from forgefield.jobs.fit.plan.fit_toml import read_plan
from forgefield.jobs.fit.plan.prepare import prepare_plan
from forgefield.jobs.fit.plan.soundness import evaluable
from forgefield.jobs.processes.pool import AbstractWorkers, Processes
from forgefield.report.bench.bench_report import bench_report
from forgefield.report.bench.results import ESTIMATE, Bench, Pair, Row, bench_text, csv_text, read_bench

FILES = ("bench.json", "bench.csv", "bench.html")


@dataclass(frozen=True)
class How:
    """How the fits of a comparison are run."""

    limit_s: float | None = None
    """Seconds after which a fit is stopped with the best so far."""
    workers: int | None = None
    """Processes side by side, for quality alone; None: one fit after another, each with all cores, and timed."""


def untold(bench: Bench) -> None:
    """Tell nothing."""


def run_bench(
    file: Path,
    asked: Asked,
    output: Path,
    how: How | None = None,
    *,
    overwrite: bool = False,
    tell: Callable[[Bench], None] = untold,
) -> Bench:
    """Compare all pairs that are asked for, and write bench.json, bench.csv and bench.html into `output`.

    Pairs that stand there already are kept, those that failed, were stopped at a shorter limit or lack times tried
    again; `tell` hears after each pair. Ctrl-C ends it with what there is. Raises InputError where the folder holds a
    comparison of other input or by another version or processor.
    """
    how = how or How()
    pairs = pairs_of(file, asked)
    prepared = evaluable(prepare_plan(read_plan(file)))
    new = Bench(
        prepared.plan.name,
        prepared.input_sha256,
        version("forgefield"),
        {**machine(), "cores": n_cores()},
        None,
        (),
        tuple(pairs),
    )
    make_folder(output)
    with owned(output):
        known = None if overwrite else _earlier(output, new)
        require_free([output / name for name in FILES], prepared.files, overwrite=overwrite or known is not None)
        if overwrite:
            remove(output / name for name in FILES)
        return _Comparison(known or new, pairs, Conditions(file, how.limit_s, how.workers is None), output, tell).run(
            how
        )


def _earlier(output: Path, new: Bench) -> Bench | None:
    """Return what stands in a folder. Raises InputError where it does not belong to the same comparison."""
    path = output / FILES[0]
    if not path.is_file():
        return None
    try:
        found = read_bench(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, KeyError, TypeError):
        raise InputError(f"{path}: holds no comparison; name another folder, or --overwrite it") from None
    if found.input_sha256 != new.input_sha256:
        raise InputError(
            f"{path}: the comparison is of other input (FIT.toml or a file it names has changed); "
            "--overwrite begins anew"
        )
    if (found.version, found.machine) != (new.version, new.machine):
        raise InputError(
            f"{path}: its times are of another processor, setting or version; name another folder, or --overwrite it"
        )
    return found


class _Comparison:
    """A comparison on its way; what is known is on the disk after each pair."""

    def __init__(
        self, known: Bench, pairs: list[Pair], conditions: Conditions, output: Path, tell: Callable[[Bench], None]
    ) -> None:
        self._conditions, self._output, self._tell = conditions, output, tell
        self._kept = {row.pair: row for row in known.rows}
        self._pairs = pairs
        todo = [pair for pair in pairs if not self._has(pair)]
        self.bench = replace(known, waiting=tuple(todo))

    def _has(self, pair: Pair) -> bool:
        """Say whether there is nothing more to learn of a pair."""
        row, limit = self._kept.get(pair), self._conditions.limit_s
        if row is None or row.failure or (self._conditions.is_timed and not row.has_times):
            return False
        return row.stopped_s is None or (limit is not None and limit <= row.stopped_s)

    def run(self, how: How) -> Bench:
        """Run what is left."""
        self._tell(self.bench)
        if self.bench.estimate is None and not self._estimated():
            return self.bench
        for pair in self.bench.waiting:
            if said := refusal(self._conditions.file, pair):
                self._take(pair, Row(pair, failure=said))
        todo = self.bench.waiting
        if how.workers is None:
            for pair in todo:
                if self._with(Processes(n_cores()), [pair], 1):
                    break
        elif todo:
            self._with(Processes(), list(todo), how.workers)
        self._write()
        return self.bench

    def _estimated(self) -> bool:
        """Judge the estimate, and say whether that was not interrupted. Raises InputError where it fails."""
        pair = Pair("forgefield", ESTIMATE, 1, 64)
        with Processes(n_cores()) as by:
            done = by.run(attempt, self._conditions, [pair], tell=_uncounted)
        if done.failures:
            raise InputError(f"the estimate cannot be judged: {done.failures[0]}")
        if done.results:
            self.bench = replace(self.bench, estimate=done.results[0])
            self._write()
        return bool(done.results)

    def _with(self, by_whom: AbstractContextManager[AbstractWorkers], pairs: list[Pair], workers: int) -> bool:
        """Have pairs done, and say whether that was interrupted."""
        with by_whom as by:
            done = by.run(
                attempt,
                self._conditions,
                pairs,
                workers=workers,
                tell=_uncounted,
                taken=lambda number, row: self._take(pairs[number], row),
            )
        for number, said in done.failures.items():
            self._take(pairs[number], Row(pairs[number], failure=said))
        return done.interrupted

    def _take(self, pair: Pair, row: Row) -> None:
        self._kept[pair] = row
        waiting = tuple(one for one in self.bench.waiting if one != pair)
        self.bench = replace(self.bench, rows=tuple(self._kept.values()), waiting=waiting)
        self._write()
        self._tell(self.bench)

    def _write(self) -> None:
        for name, text in zip(FILES, (bench_text, csv_text, bench_report), strict=True):
            write_text(self._output / name, text(self.bench))


def _uncounted(_: int) -> None:
    """Count nothing."""
