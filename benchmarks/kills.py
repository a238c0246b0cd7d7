"""Kills at random times: whether each command goes on from there, and ends as if nothing had happened.

Run as `python benchmarks/kills.py [--trials N] [--kills N]`; one JSON object on stdout, progress on stderr. Every
command runs undisturbed; then, in each trial, it is sent SIGKILL, SIGTERM or SIGINT at a random time of its run, is
continued as the documentation says, is killed again, and at last left alone. What it then has written is compared.
Commands are forked from one process that has imported the package, which takes longer than most of what they do.
"""

import argparse
import json
import os
import pickle
import shutil
import signal
import sys
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from forgefield import cli
from forgefield.engines.qm import reference as _engines  # noqa: F401 (imported once for all commands)
from forgefield.io.datasets.data_set import read_records
from forgefield.jobs import estimate, scan  # noqa: F401
from forgefield.jobs.distil import distil_file as _distil_file  # noqa: F401
from forgefield.jobs.label import label_file as _label_file  # noqa: F401
from forgefield.report import tables  # noqa: F401

EXAMPLES = Path(__file__).parents[1] / "examples"
SIGNALS = (signal.SIGKILL, signal.SIGTERM, signal.SIGINT)
SECONDS = 900.0
"""Longest run."""
CH3F = """
[forcefield]
form = "harmonic"
[[molecules]]
reference = "ch3f.json"
[targets]
frequencies = { tolerance = 20.0 }
forces = { tolerance = 1.0 }
"""
STARTS = CH3F + "[fit]\nstarts = 64\n"
RELAXED = """
[forcefield]
form = "harmonic"
terms = ["stretch", "bend"]
[[molecules]]
reference = "ch3f.json"
[targets]
frequencies = { tolerance = 20.0 }
bond_length = { tolerance = 0.01 }
bond_angle = { tolerance = 0.5 }
[fit]
starts = 2
"""
THREE = """
[forcefield]
form = "harmonic"
terms = ["stretch", "bend"]
[[molecules]]
reference = "ch3f.json"
[[molecules]]
reference = "staggered.json"
[[molecules]]
reference = "eclipsed.json"
transition_state = "C"
[targets]
frequencies = { tolerance = 20.0 }
"""
LABEL = """
[teacher]
calculator = "ase.calculators.lj:LennardJones"
arguments = { sigma = 1.2, epsilon = 0.05, rc = 20.0 }
[[structures]]
files = "../peroxide.xyz"
distortions = { number = 3000 }
dynamics = { number = 50, every = 10 }
[label]
data = "set.h5"
directions = 2
workers = 2
"""
DISTIL = """
[data]
file = "../taught/set.h5"
[student]
size = "tiny"
[training]
steps = 1500
check_every = 200
[output]
checkpoint_minutes = 0.02
[validation]
run = false
"""
PEROXIDE = "4\n\nO 0 0 0\nO 1.45 0 0\nH -0.2 0.95 0\nH 1.65 0 0.95\n"
FIELD = "ch3f.frcmod"

Result = dict[str, np.ndarray]


@dataclass(frozen=True)
class Case:
    """A command, how it is continued, and what it has to come to."""

    words: tuple[str, ...]
    output: str
    """In a folder of the trial, which replaces OUT among the words."""
    again: Callable[[Path], tuple[str, ...]]
    """More words, from what is there."""
    result: Callable[[Path], Result]
    tolerance: float = 0.0
    settings: str = ""
    """What is written as settings.toml into the folder of the trial."""


@dataclass
class Found:
    """What happened to one command."""

    kills: Counter = field(default_factory=Counter)
    unequal: int = 0
    orphans: int = 0
    tracebacks: int = 0
    leftovers: int = 0
    """Temporary files and locks after the end."""
    worst: float = 0.0
    """Largest deviation from the undisturbed run."""


def main() -> None:
    """Kill everything and print what came of it."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--trials", type=int, default=2, help="Runs of each command that are disturbed.")
    options.add_argument(
        "--kills", type=int, default=4, help="Kills of each of them; there are more runs where some ended before."
    )
    options.add_argument("--seed", type=int, default=0)
    options.add_argument("--signals", nargs="*", default=[number.name for number in SIGNALS])
    options.add_argument("--only", nargs="*", help="Names of commands.")
    options.add_argument("--at-once", type=int, default=1, help="Commands that are tried side by side.")
    chosen = options.parse_args()
    # Processes that are started listen to what the one that starts them does not ignore.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        every = {name: case for name, case in cases(place).items() if not chosen.only or name in chosen.only}

        def try_all(number: int, outcome: Path) -> int:
            name, case = list(every.items())[number]
            outcome.write_bytes(pickle.dumps(tried(name, case, place, chosen)))
            return 0

        waiting, running = list(range(len(every))), []
        while waiting or running:
            if waiting and len(running) < chosen.at_once:
                running.append(Forked(partial(try_all, waiting[0], place / f"{waiting.pop(0)}.pickle"), place))
                continue
            running = [one for one in running if one.code() is None]
            time.sleep(0.1)
        outcomes = {name: place / f"{k}.pickle" for k, name in enumerate(every)}
        found = {name: pickle.loads(path.read_bytes()) for name, path in outcomes.items() if path.is_file()}
        failed = [name for name in every if name not in found]
    kills = sum((one.kills for one in found.values()), Counter())
    print(
        json.dumps(
            {
                "kills": kills.total(),
                "kills_by_signal": dict(kills),
                "kills_by_command": {name: one.kills.total() for name, one in found.items()},
                "failed": failed,
                "unequal": sum(one.unequal for one in found.values()),
                "orphans": sum(one.orphans for one in found.values()),
                "tracebacks": sum(one.tracebacks for one in found.values()),
                "leftovers": sum(one.leftovers for one in found.values()),
                "worst_deviation": {name: one.worst for name, one in found.items()},
                "seed": chosen.seed,
                "load_average_end": os.getloadavg()[0],
            },
            indent=1,
        )
    )


def tried(name: str, case: Case, place: Path, chosen: argparse.Namespace) -> Found:
    """Kill one command as often as asked for; a run that ends before it is killed makes room for another one."""
    found, generator = Found(), np.random.default_rng([chosen.seed, *name.encode()])
    expected, seconds = undisturbed(case, place / f"{name}-whole")
    for trial in range(3 * chosen.trials):
        if found.kills.total() < chosen.trials * chosen.kills:
            told = seconds, [signal.Signals[name] for name in chosen.signals], chosen.kills, expected
            disturbed(case, place / f"{name}-{trial}", told, generator, found)
            print(f"{name}: {found}", file=sys.stderr, flush=True)
    return found


class Forked:
    """A process that has all that this one has, and ends with what a function returns."""

    def __init__(self, function: Callable[[], int], folder: Path, said: Path | None = None) -> None:
        sys.stdout.flush()
        sys.stderr.flush()
        self.ended: int | None = None
        self.pid = os.fork()
        if self.pid:
            return
        code = 1
        try:
            os.chdir(folder)
            if said is not None:
                os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
                os.dup2(os.open(said, os.O_WRONLY | os.O_CREAT | os.O_TRUNC), 2)
            code = function()
        except SystemExit as end:
            code = end.code if isinstance(end.code, int) else 1
        except BaseException:
            traceback.print_exc()
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(code)

    def code(self) -> int | None:
        """Return the exit code, negative that of a signal, or None while it runs."""
        if self.ended is None:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            self.ended = os.waitstatus_to_exitcode(status) if pid else None
        return self.ended

    def wait(self, seconds: float) -> int | None:
        """Return the exit code once it has ended, or None after so many seconds."""
        limit = time.monotonic() + seconds
        while self.code() is None and time.monotonic() < limit:
            time.sleep(0.01)
        return self.code()


def started(words: tuple[str, ...], folder: Path) -> tuple[Forked, Path]:
    """Start a command, and return it with the file of what it says."""

    def command() -> int:
        sys.argv = ["forgefield", *words]
        cli.main()
        return 0

    said = folder.with_name(f"{folder.name}.said")
    return Forked(command, folder, said), said


def cases(place: Path) -> dict[str, Case]:
    """Write the input files and return the commands."""
    for file in EXAMPLES.glob("*/*.json"):
        shutil.copy(file, place)
    for name, text in {"starts": STARTS, "relaxed": RELAXED, "three": THREE, "ch3f": CH3F}.items():
        (place / f"{name}.toml").write_text(text, encoding="utf-8")
    (place / "peroxide.xyz").write_text(PEROXIDE, encoding="utf-8")
    run(("estimate", "ch3f.json", "-o", FIELD), place)
    (place / "taught").mkdir()
    (place / "taught" / "settings.toml").write_text(LABEL, encoding="utf-8")
    run(("label", "settings.toml"), place / "taught")
    shaken = np.random.default_rng(1)
    for k in range(4):
        atoms = json.loads((place / "ch3f.json").read_text(encoding="utf-8"))
        geometry = np.array(atoms["molecule"]["geometry"])
        atoms["molecule"]["geometry"] = (geometry + 0.05 * shaken.normal(size=geometry.shape)).tolist()
        for key in ("driver", "return_result", "properties", "extras"):
            atoms.pop(key, None)
        rows = zip(atoms["molecule"]["symbols"], np.reshape(atoms["molecule"]["geometry"], (-1, 3)), strict=True)
        lines = [f"{symbol} {x * 0.529177:.6f} {y * 0.529177:.6f} {z * 0.529177:.6f}" for symbol, (x, y, z) in rows]
        (place / f"shaken-{k}.xyz").write_text("\n".join([str(len(lines)), "", *lines, ""]), encoding="utf-8")
    shaken_files = tuple(f"../shaken-{k}.xyz" for k in range(4))
    fit = ("--output", "OUT")
    md = ("md", f"../{FIELD}", "../ch3f.json", "--ensemble", "nvt", "--steps", "60000", "--every", "50", "-o", "OUT")
    return {
        "fit_many_starts": Case(("fit", "../starts.toml", *fit), "fit", resumed, parameters),
        "fit_relaxed_targets": Case(("fit", "../relaxed.toml", *fit), "fit", resumed, parameters),
        "fit_trade_off": Case(
            ("fit", "../ch3f.toml", *fit, "--trade-off", "forces", "--points", "3"), "fit", resumed, trade_offs
        ),
        "fit_validate": Case(
            ("fit", "../three.toml", *fit, "--validate", "--bootstrap", "4", "--workers", "2"),
            "fit",
            resumed,
            validation,
        ),
        # A point is reached again where an optimisation from another neighbour would end, to its own threshold.
        "reference_scan": Case(
            ("reference", "../peroxide.xyz", "--method", "gfn2", "--scan", "3-1-2-4", "--points", "6", "-o", "OUT"),
            "scan.json",
            lambda _: (),
            scanned,
            tolerance=0.01,
        ),
        "relax": Case(("relax", f"../{FIELD}", *shaken_files, "-o", "OUT"), "relaxed", overwritten, every_file),
        "label": Case(("label", "settings.toml"), "set.h5", lambda _: (), labelled, settings=LABEL),
        "distil": Case(("distil", "settings.toml", "-o", "OUT"), "run", resumed, student, settings=DISTIL),
        "md_xyz": Case((*md, "--replicas", "2"), "md.xyz", continued, every_frame),
        "md_h5": Case((*md, "--replicas", "2"), "md.h5", continued, every_frame),
    }


def begun(case: Case, folder: Path) -> None:
    """Make the folder of a trial."""
    folder.mkdir()
    if case.settings:
        (folder / "settings.toml").write_text(case.settings, encoding="utf-8")


def undisturbed(case: Case, folder: Path) -> tuple[Result, float]:
    """Return what a command comes to when nothing happens to it, and in how many seconds once it has been compiled."""
    began = 0.0
    for _ in range(2):
        shutil.rmtree(folder, ignore_errors=True)
        begun(case, folder)
        began = time.monotonic()
        run(words_of(case), folder)
    return case.result(folder / case.output), time.monotonic() - began


def disturbed(
    case: Case,
    folder: Path,
    told: tuple[float, list[signal.Signals], int, Result],
    generator: np.random.Generator,
    found: Found,
) -> None:
    """Kill a command again and again, let it end, and compare."""
    seconds, signals, kills, expected = told
    begun(case, folder)
    for _ in range(kills):
        number = signals[generator.integers(len(signals))]
        ended = killed(case, folder, number, generator.uniform(0.1, 0.8) * seconds, found)
        if ended:
            break
    else:
        run((*words_of(case), *case.again(folder / case.output)), folder)
    got = case.result(folder / case.output)
    deviation = difference(expected, got)
    found.worst = max(found.worst, deviation)
    found.unequal += not deviation <= case.tolerance
    found.leftovers += sum(1 for path in folder.rglob(".*") if path.suffix in (".new", ".lock"))


def killed(case: Case, folder: Path, number: signal.Signals, after: float, found: Found) -> bool:
    """Start or continue a command, send it a signal after some time, and say whether it had ended by itself."""
    process, said = started((*words_of(case), *case.again(folder / case.output)), folder)
    family: list[int] = []
    if process.wait(after) is None:
        family = descendants(process.pid)
        os.kill(process.pid, number)
    code = process.wait(SECONDS)
    if code == 0:
        return True
    found.kills[number.name] += 1
    text = said.read_text(encoding="utf-8", errors="replace")
    found.tracebacks += "Traceback" in text
    if "Traceback" in text or code not in (1, -number):
        print(f"{case.words[:2]}: {code} {text[-2000:]}", file=sys.stderr, flush=True)
    limit = time.monotonic() + 60.0
    while any(alive(pid) for pid in family) and time.monotonic() < limit:
        time.sleep(0.05)
    found.orphans += sum(alive(pid) for pid in family)
    return False


def words_of(case: Case) -> tuple[str, ...]:
    """Return the words of a command with its output."""
    return tuple(case.output if word == "OUT" else word for word in case.words)


def run(words: tuple[str, ...], folder: Path) -> None:
    """Run a command to its end, which must be a good one."""
    process, said = started(words, folder)
    if process.wait(SECONDS) != 0:
        raise RuntimeError(f"{' '.join(words)}: {process.code()}\n{said.read_text(encoding='utf-8', errors='replace')}")


def descendants(pid: int) -> list[int]:
    """Return the processes that a process has started, and those that they have."""
    try:
        children = [int(word) for word in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except FileNotFoundError:
        return []
    return [one for child in children for one in (child, *descendants(child))]


def alive(pid: int) -> bool:
    """Say whether a process runs."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def resumed(_: Path) -> tuple[str, ...]:
    """Continue a fit."""
    return ("--resume",)


def overwritten(_: Path) -> tuple[str, ...]:
    """Begin again what is not continued."""
    return ("--overwrite",)


def continued(output: Path) -> tuple[str, ...]:
    """Continue dynamics, or begin where there is no checkpoint yet."""
    there = output.with_name(f"{output.name}.checkpoint.safetensors").is_file()
    return ("--resume",) if there else ("--overwrite",)


def results(folder: Path) -> dict[str, Any]:
    """Return the results of a fit."""
    return json.loads((folder / "results.json").read_text(encoding="utf-8"))


def parameters(folder: Path) -> Result:
    """Return the values that a fit ends with."""
    told = results(folder)
    if not told["fit"]["converged"]:
        raise RuntimeError(told["fit"]["message"])
    files = {path.name: np.frombuffer(path.read_bytes(), np.uint8) for path in folder.glob("forcefield.*")}
    return {"values": np.array([one["value"] for one in told["parameters"]]), **files}


def trade_offs(folder: Path) -> Result:
    """Return where fits under other weights end."""
    points = [point for one in results(folder)["trade_off"] for point in one["points"]]
    rms = np.array([[point["factor"], *point["rms"].values()] for point in points])
    return parameters(folder) | {"points": rms}


def validation(folder: Path) -> Result:
    """Return what a validation says of the improvement."""
    told = results(folder)["validation"]
    if told["interrupted"]:
        raise RuntimeError(told["message"])
    three = [found for kinds in told["improvement"].values() for found in kinds.values()]
    values = [np.nan if found["value"] is None else found["value"] for found in three]
    return parameters(folder) | {"improvement": np.array(values)}


def scanned(path: Path) -> Result:
    """Return the energies of a scan [kcal/mol]."""
    told = json.loads(path.read_text(encoding="utf-8"))
    return {"energies": np.array([told["final_energies"][key] for key in sorted(told["final_energies"])]) * 627.5095}


def labelled(path: Path) -> Result:
    """Return the labels of a data set in the order of their keys, of which each must be there once."""
    records = sorted(read_records(path), key=lambda record: record.key)
    if len({record.key for record in records}) < len(records):
        raise RuntimeError("records are there twice")
    labels = [record.label for record in records]
    keys = np.frombuffer(b"".join(record.key for record in records), np.uint8)
    energies, gradients = (np.array([getattr(one, name) for one in labels]) for name in ("energy", "gradient"))
    return {"keys": keys, "energies": energies, "gradients": gradients}


def student(folder: Path) -> Result:
    """Return the bytes of a student."""
    return {"student": np.frombuffer((folder / "student.safetensors").read_bytes(), np.uint8)}


def every_file(folder: Path) -> Result:
    """Return the bytes of all files."""
    return {path.name: np.frombuffer(path.read_bytes(), np.uint8) for path in sorted(folder.iterdir())}


def every_frame(path: Path) -> Result:
    """Return trajectories: the bytes of text, the arrays of HDF5."""
    if path.suffix == ".xyz":
        files = sorted(path.parent.glob(f"{path.stem}-*.xyz"))
        return {file.name: np.frombuffer(file.read_bytes(), np.uint8) for file in files}
    arrays: Result = {}
    with h5py.File(path) as file:
        file.visititems(lambda name, one: arrays.update({name: one[()]}) if isinstance(one, h5py.Dataset) else None)
    return arrays


def difference(expected: Result, got: Result) -> float:
    """Return the largest deviation, infinite where something is missing."""
    if expected.keys() != got.keys() or any(expected[key].shape != got[key].shape for key in expected):
        return float("inf")
    deviations = [np.abs(np.asarray(expected[k], float) - np.asarray(got[k], float)) for k in expected]
    return float(max((np.nanmax(one, initial=0.0) for one in deviations), default=0.0))


if __name__ == "__main__":
    main()
