"""How long the first result takes: fits without settings of molecules of seven sizes, each in a process of its own.

Run as `python benchmarks/first_result.py`; one JSON object on stdout, progress on stderr. Of each size: the first fit
ever (an empty cache), the same again, another molecule of about the size, and another tolerance; then the fit of `make
fit` with all programs there, and how large one process becomes that makes a hundred fits. Seconds by the clock and of
the processor in the program's own code, programs compiled, and the largest size. `--case` chooses sizes.
"""

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path
from time import perf_counter
from typing import Any

from forgefield.engines.native.processor import machine

EXAMPLES = Path(__file__).parents[1] / "examples"
SIZES = {
    "3": ("water", "hydrogen-sulfide"),
    "5": ("fluoroform", "dichloromethane"),
    "9": ("ethanol", "propane"),
    "20": ("paracetamol", "aspirin"),
    "33": ("ibuprofen", None),
    "60": ("testosterone-isobutyrate", None),
    "100": ("peptide", None),
}
"""A molecule of each number of atoms, and another of the rung."""
FITS = 100
LARGEST = 24
"""Atoms of the largest molecule of those fits."""
COUNTED = """
import sys
from forgefield.cli.collecting import collect_seldom
collect_seldom()  # As each command begins.
import jax.monitoring
compiled = []
def count(event, duration, **facts):
    if event.endswith("backend_compile_duration"):
        compiled.append(facts.get("fun_name"))
jax.monitoring.register_event_duration_secs_listener(count)
from forgefield.cli.program import main
try:
    main()
finally:
    print(len(compiled), file=sys.stderr)
"""
MANY = """
import sys
from pathlib import Path
from forgefield.cli.process import configure
from forgefield.jobs.fit.fit_job import run_fit
from forgefield.jobs.fit.plan.asked import asked
from forgefield.jobs.fit.plan.prepare import prepare_plan
configure(verbose=False)
for number, file in enumerate(sys.argv[2:]):
    plan, folder = asked([Path(file)], Path(sys.argv[1]) / str(number))
    run_fit(prepare_plan(plan), folder)
print(0, file=sys.stderr)
"""

Figures = dict[str, Any]


def main() -> None:
    """Measure the sizes and print all figures."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--case", action="append", choices=[*SIZES, "make fit", "many"])
    cases = parser.parse_args().case or [*SIZES, "make fit", "many"]
    with tempfile.TemporaryDirectory() as scratch:
        found = {case: measured(case, Path(scratch) / case.replace(" ", "-")) for case in cases}
    print(json.dumps({**machine(), "cases": found}, indent=1))


def measured(case: str, folder: Path) -> Figures:
    """Return the figures of one case."""
    match case:
        case "make fit":
            words = ["fit", str(EXAMPLES / "ch3f" / "FIT.toml"), "-o", str(folder / "ch3f"), "--overwrite"]
            return {"first": run(folder, words), "again": run(folder, words)}
        case "many":
            files = [path for path in sorted((EXAMPLES / "molecules").glob("*.json")) if n_atoms(path) <= LARGEST]
            chosen = [str(files[k % len(files)]) for k in range(FITS)]
            return {"fits": FITS, "molecules": len(files), **run(folder, [str(folder), *chosen], MANY)}
        case _:
            name, other = SIZES[case]
            return of_size(name, other, folder)


def of_size(name: str, other: str | None, folder: Path) -> Figures:
    """Return the figures of a molecule, the first fit with an empty cache."""
    found = {"molecule": name, "first": run(folder, fitting(name, folder)), "again": run(folder, fitting(name, folder))}
    if other is not None:
        found |= {"other_molecule": other, "other": run(folder, fitting(other, folder))}
    settings = folder / name / "changed.toml"
    text = (folder / name / "FIT.toml").read_text(encoding="utf-8")
    changed, n = re.subn(r"^(eigenmatrix = \{ tolerance = )20\.0", r"\g<1>21.5", text, count=1, flags=re.MULTILINE)
    assert n == 1, f"{name}: no tolerance to change"
    settings.write_text(changed, encoding="utf-8")
    return found | {"other_tolerance": run(folder, ["fit", str(settings), "-o", str(folder / "changed")])}


def fitting(name: str, folder: Path) -> list[str]:
    """Return the command that fits a molecule without settings."""
    (file,) = (EXAMPLES / "molecules").glob(f"{name}.json*")
    return ["fit", str(file), "-o", str(folder / name), "--overwrite"]


def n_atoms(path: Path) -> int:
    """Return the number of atoms of an example."""
    return int(path.with_suffix(".xyz").read_text(encoding="utf-8").split()[0])


def run(folder: Path, words: list[str], program: str = COUNTED) -> Figures:
    """Run a program with the cache of this case and return what it took."""
    folder.mkdir(parents=True, exist_ok=True)
    began = perf_counter()
    with (folder / "said").open("w+") as said:
        process = subprocess.Popen(
            [sys.executable, "-c", program, *words],
            env={**os.environ, "FORGEFIELD_CACHE": str(folder / "cache")},
            stdout=subprocess.DEVNULL,
            stderr=said,
        )
        _, _, usage = os.wait4(process.pid, 0)
        wall = perf_counter() - began
        said.seek(0)
        *_, last = said.read().split()
    figures = {
        "wall_s": round(wall, 2),
        "user_s": round(usage.ru_utime, 2),
        "compiled": int(last),
        "peak_mb": round(usage.ru_maxrss / 1024.0),
    }
    print(folder.name, words[1], figures, file=sys.stderr, flush=True)
    return figures


if __name__ == "__main__":
    main()
