"""Ordinary molecules of every kind, each fitted by `forgefield fit FILES` without settings: how right the defaults are.

Run as `python benchmarks/molecules.py OUTPUT`; one JSON object on stdout, progress on stderr. The references are those
of `examples/molecules`. What a case gave is kept in OUTPUT as soon as it is known, and a later run with the same folder
and options goes on from there. `--case` chooses cases, `--terms` adds kinds of interaction, `--starts` asks for more
starts, `--leave-one-out` for a validation of the sets, `--warm` leaves out the run with an empty cache of compiled
programs, and `--table` prints a table of Markdown instead.
"""

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter
from typing import Any

from forgefield.engines.native.processor import machine
from forgefield.fitting.judge.turns import Turn
from forgefield.io.sources import stem
from forgefield.jobs.fit.plan.asked import asked

EXAMPLES = Path(__file__).parents[1] / "examples" / "molecules"
KINDS = {
    "alkanes": "methane propane hexane",
    "rings": "cyclopropane oxirane cyclobutane cyclopentane cyclohexane",
    "cages": "cubane adamantane",
    "aromatics": "benzene naphthalene styrene pyridine imidazole thiophene",
    "alcohols": "ethanol",
    "amides": "formamide n-methylacetamide urea",
    "sulfur": "dimethylsulfone methanesulfonamide",
    "phosphates": "trimethylphosphate dimethylphosphate",
    "nitrogen": "nitromethane acetonitrile methylazide methylamine",
    "unsaturated": "propyne allene butadiene",
    "carbonyls": "acetone methylformate",
    "ions": "acetate methylammonium guanidinium glycine-sodium",
    "boron": "phenylboronic-acid trimethylborane",
    "silicon": "tetramethylsilane disiloxane",
    "halides": "fluoroform dichloromethane bromoethane iodomethane",
    "hypervalent": "phosphorus-pentafluoride sulfur-tetrafluoride sulfur-hexafluoride",
    "complexes": "cisplatin palladium-trans chromium-hexacarbonyl hexaamminecobalt ferrocene",
    "dimers": "water-dimer formic-acid-dimer",
    "drugs": "paracetamol ibuprofen caffeine aspirin",
    "large": "peptide",
    "saddles": "ammonia-planar sn2-chloride diels-alder malonaldehyde-transfer",
}
SETS = {
    "set-alkanes": "propane butane isobutane neopentane hexane cyclohexane",
    "set-conformers": "butane butane-gauche",
    "set-rotation": "ethane ethane-eclipsed",
    "set-alcohols": "methanol ethanol 2-propanol",
    "set-ethers": "dimethylether diethylether tetrahydrofuran",
    "set-amines": "methylamine dimethylamine trimethylamine ethylamine",
    "set-amides": "formamide acetamide n-methylacetamide dimethylformamide",
    "set-carbonyls": "acetaldehyde acetone butanone",
    "set-aromatics": "benzene toluene styrene naphthalene",
    "set-sulfones": "dimethylsulfone methanesulfonamide n-methylmethanesulfonamide",
    "set-chlorides": "chloroethane 1-chloropropane 2-chloropropane dichloromethane",
    "set-thousand": "paracetamol ibuprofen caffeine aspirin trimethylphosphate methanesulfonamide phenylboronic-acid "
    "adamantane n-methylacetamide styrene imidazole thiophene tetramethylsilane dimethylformamide butanone "
    "n-methylmethanesulfonamide 1-chloropropane diethylether ethylamine nitromethane",
}
CASES = {name: (name,) for said in KINDS.values() for name in said.split()}
CASES |= {name: tuple(said.split()) for name, said in SETS.items()}
LIMITS = {
    "matched_cm1": 50.0,
    "sorted_cm1": 35.0,
    "bonds_a": 0.006,
    "angles_deg": 0.7,
    "torsions_deg": 2.0,
    "drift_deg": 6.0,
    "strain_kcal_mol": 2.0,
}
"""What the medians should be at most, with the usual terms."""
TRANSFER = 1.5
"""How many times the error of the fit a molecule that was left out may have."""
ONE_OPTIMUM = "led to one optimum"
"""What the report says where all starts ended in one place."""
SHOWN = {
    "converged": "converged",
    "physical": "physical",
    "matched_cm1": "matched",
    "sorted_cm1": "sorted",
    "force_kcal_mol_a": "force",
    "bonds_a": "bonds",
    "angles_deg": "angles",
    "torsions_deg": "torsions",
    "drift_deg": "θ₀ off by",
    "strain_kcal_mol": "strain",
    "iterations": "iterations",
    "warm_s": "warm",
    "peak_mb": "memory",
}
"""Columns of the table."""

Figures = dict[str, Any]


@dataclass(frozen=True)
class Options:
    """What is measured."""

    output: Path
    terms: tuple[str, ...] = ()
    starts: int | None = None
    leave_one_out: bool = False
    warm: bool = False

    @property
    def described(self) -> Figures:
        """What must be the same for a result to be kept."""
        return {"terms": list(self.terms), "starts": self.starts, "leave_one_out": self.leave_one_out}


def main() -> None:
    """Measure the cases that are not done, and print all figures or their table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("output", type=Path)
    parser.add_argument("--case", action="append", choices=[*CASES], metavar="NAME")
    parser.add_argument("--terms", nargs="+", default=(), metavar="TERM")
    parser.add_argument("--starts", type=int)
    parser.add_argument("--leave-one-out", action="store_true")
    parser.add_argument("--warm", action="store_true")
    parser.add_argument("--table", action="store_true")
    given = parser.parse_args()
    options = Options(given.output, tuple(given.terms), given.starts, given.leave_one_out, given.warm)
    cases = given.case or [case for case in CASES if case in SETS or not given.leave_one_out]
    given.output.mkdir(parents=True, exist_ok=True)
    found = {case: figures for case in cases if (figures := measured(case, options)) is not None}
    print(table(found) if given.table else json.dumps({**machine(), **summary(found), "cases": found}, indent=1))


def measured(case: str, options: Options) -> Figures | None:
    """Return the figures of a case, kept or new; None where a molecule has no reference."""
    kept = options.output / f"{case}.json"
    if kept.is_file():
        figures = json.loads(kept.read_text(encoding="utf-8"))
        if figures["options"] == options.described:
            return figures
    files = [path for name in CASES[case] for path in EXAMPLES.glob(f"{name}.json*")]
    if lacking := {*CASES[case]} - {stem(path) for path in files}:
        tell(f"{case}: no reference of {', '.join(sorted(lacking))}")
        return None
    figures = {"options": options.described, **run(case, files, options)}
    new = kept.with_suffix(".new")
    new.write_text(json.dumps(figures, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    new.replace(kept)
    tell(f"{case}: {figures['matched_cm1']}, {figures['verdict']}")
    return figures


def run(case: str, files: list[Path], options: Options) -> Figures:
    """Fit a case, with an empty cache first unless that is left out, and return what came of it."""
    folder, cache = options.output / case, options.output / "cache"
    given = [str(path) for path in files]
    if options.terms:
        given = [str(with_terms(files, folder / "settings", options.terms))]
    words = ["fit", *given, "-o", str(folder), "--overwrite"]
    words += [] if options.starts is None else ["--starts", str(options.starts)]
    words += ["--validate", "--bootstrap", "2", "--workers", "1"] if options.leave_one_out else []
    times: Figures = {}
    if not options.warm:
        shutil.rmtree(cache, ignore_errors=True)
        times["cold_s"], times["cold_user_s"], _ = timed(words, {"FORGEFIELD_CACHE": str(cache)})
    variables = {} if options.warm else {"FORGEFIELD_CACHE": str(cache)}
    times["warm_s"], times["user_s"], times["peak_mb"] = timed(words, variables)
    results = folder / "results.json"
    if not results.is_file():
        return {"converged": False, "physical": False, "verdict": "no result", "matched_cm1": None, **times}
    figures = outcome(json.loads(results.read_text(encoding="utf-8"))) | times
    if (options.starts or 1) > 1:
        figures["one_optimum"] = ONE_OPTIMUM in (folder / "report.html").read_text(encoding="utf-8")
    return figures


def with_terms(files: list[Path], folder: Path, terms: Iterable[str]) -> Path:
    """Write the settings of these files with more kinds of interaction."""
    plan, _ = asked(files, folder)
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "FIT.toml"
    usual = '"out_of_plane"]\n'
    if usual not in plan.text:
        raise ValueError(f"the settings of {files[0].name} hold no list of terms that ends in {usual!r}")
    more = ", ".join(f'"{term}"' for term in terms)
    path.write_text(plan.text.replace(usual, f'"out_of_plane", {more}]\n', 1), encoding="utf-8")
    return path


def timed(words: list[str], variables: dict[str, str]) -> tuple[float, float, float]:
    """Run the program and return its time, that of the processor in its own code [s], and its largest size [MB]."""
    began = perf_counter()
    # What it says stands in its log.
    process = subprocess.Popen(
        [sys.executable, "-m", "forgefield", *words],
        env={**os.environ, **variables},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    _, _, usage = os.wait4(process.pid, 0)
    return round(perf_counter() - began, 2), round(usage.ru_utime, 2), round(usage.ru_maxrss / 1024.0, 0)


def outcome(results: Figures) -> Figures:
    """Return what the results of a fit say of it."""
    fit, final = results["fit"], results["metrics"]["final"]
    drifts = {row["row"]: row["reference"] - row["mean"] for row in results["row_geometry"] if row["kind"] == "bend"}
    worst = max(drifts, key=lambda row: abs(drifts[row]), default=None)
    validation = results["validation"]
    turned = [Turn(**turn) for one in results["molecules"] for turn in one["turns"]]
    return {
        "converged": fit["converged"],
        "success": fit["success"],
        "physical": not any("unphysical" in said for said in results["warnings"]),
        "verdict": fit["reason"] or fit["message"],
        "matched_cm1": final["frequency_rmsd_cm1"],
        "sorted_cm1": final["frequency_rmsd_sorted_cm1"],
        "force_kcal_mol_a": final["force_max_kcal_mol_a"],
        "bonds_a": final["bond_rmsd_a"],
        "angles_deg": final["angle_rmsd_deg"],
        "torsions_deg": final["torsion_rmsd_deg"],
        "turned_softly": [turn.bond for turn in turned if turn.is_soft],
        "turned": [turn.bond for turn in turned if not turn.is_soft],
        "drift_deg": None if worst is None else abs(drifts[worst]),
        "drifts_most": worst,
        "strain_kcal_mol": max(one["strain"]["energy"] for one in results["molecules"]),
        "relaxed": all(one["strain"]["relaxed"] for one in results["molecules"]),
        "parameters": len(results["parameters"]),
        "undetermined": sum(one["determined"] is False for one in results["parameters"]),
        "iterations": fit["iterations"],
        "starts": fit["starts"],
        "warnings": results["warnings"],
        **({"left_out": left_out(validation)} if validation else {}),
    }


def left_out(validation: Figures) -> list[Figures]:
    """Return how far frequencies of each molecule are off in the fit of the others, and in that of all."""
    found = validation["leave_one_out"]
    return [
        {
            "name": one["name"],
            "left_out_cm1": one["left_out"]["frequency_rmsd_cm1"],
            "fitted_cm1": one["fitted"]["frequency_rmsd_cm1"],
            "unseen": len(one["unseen"]),
        }
        for one in (found["molecules"] if found else [])
    ]


def summary(found: dict[str, Figures]) -> Figures:
    """Return the medians of the molecules and how many of them keep within each limit, and what came of all cases."""
    molecules = [figures for case, figures in found.items() if case not in SETS]
    values = {key: [one[key] for one in molecules if one.get(key) is not None] for key in LIMITS}
    outside = [one for case in found.values() for one in case.get("left_out", []) if not one["unseen"]]
    return {
        "cases_done": len(found),
        "converged": sum(one["converged"] for one in found.values()),
        "converged_and_physical": sum(one["converged"] and one["physical"] for one in found.values()),
        "success": sum(one.get("success", False) for one in found.values()),
        "medians": {key: statistics.median(known) for key, known in values.items() if known},
        "within": {key: f"{sum(v <= LIMITS[key] for v in known)} of {len(known)}" for key, known in values.items()},
        "one_optimum": sum(one.get("one_optimum", False) for one in found.values()),
        "transferred": f"{sum(transfers(one) for one in outside)} of {len(outside)}",
        "turned": [case for case, one in found.items() if one.get("turned")],
        "only_turned_softly": [c for c, one in found.items() if one.get("turned_softly") and not one["turned"]],
        "not_converged_or_unphysical": [c for c, one in found.items() if not (one["converged"] and one["physical"])],
    }


def transfers(one: Figures) -> bool:
    """Say whether a molecule that was left out is described about as well as in the fit of all."""
    return one["left_out_cm1"] <= TRANSFER * one["fitted_cm1"]


def table(found: dict[str, Figures]) -> str:
    """Return the figures that were measured as a table of Markdown, medians of the molecules last."""
    rows = {**found, "median of the molecules": summary(found)["medians"]}
    keys = [key for key in SHOWN if any(figures.get(key) is not None for figures in rows.values())]
    cells = [["", *(SHOWN[key] for key in keys)], ["---", *("---:" for _ in keys)]]
    cells += [[case, *(shown(figures.get(key)) for key in keys)] for case, figures in rows.items()]
    return "\n".join(f"| {' | '.join(row)} |" for row in cells)


def shown(value: Any) -> str:
    """Return a figure as the table shows it."""
    match value:
        case None:
            return ""
        case bool():
            return "yes" if value else "no"
        case int():
            return str(value)
        case _:
            return f"{value:.3g}" if abs(value) < 100.0 else f"{value:.0f}"


def tell(text: str) -> None:
    """Write a line of progress to stderr."""
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
