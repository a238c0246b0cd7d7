"""Damaged files of every format that is read: how many end in anything but a result or a clear error, and at what cost.

Run as `python benchmarks/fuzz.py`; one JSON object on stdout, progress on stderr. FORGEFIELD_DATA names the folder
of reference data. `--format NAME` (repeatable) does some formats alone, `--variants N` sets how many of each sample,
`--seed` another series, `--keep FOLDER` keeps what went wrong and what was read as something else. Each format is read
in a process of its own, which may die; a variant is a real file with one to four damages. For each format: `variants`,
how many were `read` and `refused` (ForgeFieldError); `tracebacks` (any other exception, warnings of Python and NumPy
included), `slow` (over 2 s of processor time), `big` (over 500 MB more memory) and `died` (the process ended, or hung),
all meant to be 0; `worst_s`, `worst_mb`. Of structures and references: `changed`, how many were read with another value
than the whole file has and no word of it, of which `grave` by more than last digits (0.01 Å, 1 kcal/mol/Å² and the
like); `said`, how many with an InputWarning that the whole file does not give; `lost`, how many lack a quantity;
`values`, how often and by how much each quantity was changed at most. `not_damaged` lists formats without a sample.
"""

import argparse
import json
import os
import random
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import traceback
import warnings
from collections import Counter
from dataclasses import asdict, dataclass, field
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

from fuzz_case import Case
from fuzz_formats import BUILDERS
from fuzz_mutations import mutated
from fuzz_values import Differences, changes, listed, lost, matters

from forgefield.errors import ForgeFieldError, InputWarning
from forgefield.io.formats import FORMATS, format_of

SLOW, BIG, HUNG = 2.0, 500.0, 20.0
"""Seconds, MB, seconds."""
DIED_AFTER = 120.0
"""Seconds of silence after which a process is taken to hang where Python cannot interrupt it."""
SPARE = 6 * 2**30
"""Bytes of address space that a variant may ask for."""
SHOWN = 3
COUNTED = ("variants", "read", "refused", "tracebacks", "slow", "big", "died", "changed", "grave", "said", "lost")


class Hung(BaseException):
    """A variant took too long."""


@dataclass
class Tally:
    """What became of the variants of one format."""

    variants: int = 0
    read: int = 0
    refused: int = 0
    tracebacks: int = 0
    slow: int = 0
    big: int = 0
    died: int = 0
    changed: int = 0
    grave: int = 0
    said: int = 0
    lost: int = 0
    worst_s: float = 0.0
    worst_mb: float = 0.0
    examples: list[str] = field(default_factory=list)
    values: dict[str, dict[str, object]] = field(default_factory=dict)
    formats: list[str] = field(default_factory=list)


def main() -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(description="Reads damaged files of every format.")
    parser.add_argument("--format", action="append")
    parser.add_argument("--variants", type=int, default=300)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--keep", type=Path)
    parser.add_argument("--child", help=argparse.SUPPRESS)
    parser.add_argument("--report", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--first", type=int, default=0, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        _child(options)
        return
    found = {}
    for name in options.format or BUILDERS:
        found[name] = asdict(_parent(name, options))
        print(name, json.dumps(found[name]), file=sys.stderr, flush=True)
    total = Counter()
    for one in found.values():
        total.update({key: one[key] for key in COUNTED})
    read = {name for one in found.values() for name in one["formats"]}
    missing = [one.name for one in FORMATS if (one.part or one.frames or one.molecules) and one.name not in read]
    print(json.dumps({"total": total, "formats": found, "not_damaged": missing}, indent=1))


def _parent(name: str, options: argparse.Namespace) -> Tally:
    """Return what became of a format, whose process is started again behind a variant that it died of."""
    tally, first, wanted = Tally(), 0, options.variants
    changed: list[tuple[int, dict[str, float]]] = []
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report"
        while first < wanted:
            report.write_text("")
            command = [sys.executable, __file__, "--child", name, "--first", str(first), "--report", str(report)]
            command += ["--variants", str(options.variants), "--seed", str(options.seed)]
            command += ["--keep", str(options.keep)] if options.keep else []
            ended = _ended(subprocess.Popen(command, stdout=sys.stderr), report)
            lines = report.read_text().splitlines()
            if not lines:
                raise SystemExit(f"{name}: the process could not begin")
            ready = json.loads(lines[0])
            wanted, tally.formats = options.variants * ready["files"], ready["formats"]
            for told in map(json.loads, lines[1:]):
                first = _count(tally, told)
                changed += [(told["variant"], told["changes"])] if not told["said"] else []
            if first < wanted:
                tally.died += 1
                tally.variants += 1
                tally.examples.append(f"variant {first}: the process died ({ended})")
                first += 1
    tally.values = listed(changed)
    return tally


def _ended(process: subprocess.Popen, report: Path) -> int:
    """Wait for a process, or end it where it is silent for too long, and return its exit code."""
    size, heard = 0, time.monotonic()
    while process.poll() is None:
        time.sleep(0.1)
        if report.stat().st_size > size:
            size, heard = report.stat().st_size, time.monotonic()
        if time.monotonic() - heard > DIED_AFTER:
            process.kill()
    return process.returncode


def _count(tally: Tally, told: dict) -> int:
    """Enter one variant; return the number of the next."""
    tally.variants += 1
    seconds, mb = told["seconds"], told["mb"]
    tally.worst_s, tally.worst_mb = max(tally.worst_s, round(seconds, 3)), max(tally.worst_mb, round(mb, 1))
    problems = [told["outcome"]] if told["outcome"] == "tracebacks" else []
    problems += ["slow"] * (seconds > SLOW) + ["big"] * (mb > BIG)
    silent = ["lost"] * bool(told["lost"]) + ["changed"] * bool(told["changes"])
    silent += ["grave"] * matters(told["changes"])
    for what in {*problems, *(["said"] if told["said"] else silent), told["outcome"]}:
        setattr(tally, what, getattr(tally, what) + 1)
    if problems and len(tally.examples) < SHOWN:
        tally.examples.append(f"variant {told['variant']}: {', '.join(problems)}; {told['message']}")
    return told["variant"] + 1


def _child(options: argparse.Namespace) -> None:
    """Read the variants of one format, and tell of each on a line of its own."""
    warnings.simplefilter("error")
    warnings.simplefilter("ignore", InputWarning)
    sys.setrecursionlimit(1000)
    signal.signal(signal.SIGVTALRM, _interrupt)
    with tempfile.TemporaryDirectory() as folder, options.report.open("a") as report:
        case = BUILDERS[options.child](Path(folder))
        originals = [path.read_bytes() for path in case.files]
        whole = [_read(case, path) for path in case.files]
        size = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_AS, (size + SPARE, size + SPARE))
        names = sorted({name for path in case.files for name in _format(path)})
        print(json.dumps({"files": len(case.files), "formats": names}), file=report, flush=True)
        for k in range(options.first, options.variants * len(case.files)):
            source = random.Random(f"{options.seed} {options.child} {k}")
            path, original = case.files[k % len(case.files)], originals[k % len(case.files)]
            path.write_bytes(case.packed(mutated(case.unpacked(original), source, case.kind)))
            told = _measured(case, path, *whole[k % len(case.files)])
            bad = told["outcome"] == "tracebacks" or told["seconds"] > SLOW or told["mb"] > BIG
            if options.keep and (bad or (told["changes"] and not told["said"])):
                options.keep.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(path, options.keep / f"{options.child}-{k}-{path.name}")
            path.write_bytes(original)
            print(json.dumps({"variant": k, **told}), file=report, flush=True)


def _format(path: Path) -> list[str]:
    """Return the name of a file's format, none where it is of no structures, results or force fields."""
    try:
        return [format_of(path).name]
    except ForgeFieldError:
        return []


def _interrupt(*_: object) -> None:
    raise Hung


def _read(case: Case, path: Path) -> tuple[object, int]:
    """Read one file; return what it gives and how many warnings."""
    with warnings.catch_warnings(record=True) as given:
        warnings.simplefilter("error")
        warnings.simplefilter("always", InputWarning)
        return case.read(path), len(given)


def _measured(case: Case, path: Path, whole: object, n_warnings: int) -> dict:
    """Read one file and say how that ended, in how many seconds of processor time, and with how much memory."""
    before = _memory("VmRSS")
    # Begins the count of the largest memory anew.
    Path("/proc/self/clear_refs").write_text("5")
    signal.setitimer(signal.ITIMER_VIRTUAL, HUNG)
    began = time.process_time()
    outcome, message, differences = "read", "", Differences()
    try:
        found, n_given = _read(case, path)
        differences = Differences(changes(whole, found), lost(whole, found), n_given > n_warnings)
    except ForgeFieldError as error:
        outcome, message = "refused", str(error)[:200]
    except (Exception, Hung) as error:
        last = traceback.extract_tb(error.__traceback__)[-3:]
        outcome = "tracebacks"
        message = f"{type(error).__name__}: {error}"[:300] + "".join(f" < {t.filename}:{t.lineno}" for t in last[::-1])
    signal.setitimer(signal.ITIMER_VIRTUAL, 0.0)
    return {
        "outcome": outcome,
        "message": message,
        "seconds": time.process_time() - began,
        "mb": max(_memory("VmHWM") - before, 0.0),
        **asdict(differences),
    }


def _memory(what: str) -> float:
    """Return a size of this process [MB]."""
    row = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith(what))
    return int(row.split()[1]) / 1024


if __name__ == "__main__":
    main()
