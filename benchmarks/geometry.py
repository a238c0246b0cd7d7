"""Fits to relaxed structures: how far bonds, angles and relative energies come, and what their derivatives cost.

Run as `python benchmarks/geometry.py`; one JSON object on stdout, progress on stderr. FORGEFIELD_DATA names the folder
of reference data, of which `rh-enamide/` is used. `--part NAME` does one part alone: trained, wider, published,
objective, left_out, gradient. Keys of a part end in their unit.
"""

import argparse
import json
import os
import shutil
import statistics
import sys
import tempfile
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from time import perf_counter
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from forgefield.cli.process import collect_seldom
from forgefield.compiled import compiled
from forgefield.engines.native.processor import machine
from forgefield.fitting.cost.cost import Problem, add_relaxed, quadratic
from forgefield.fitting.judge.metrics import Judgement
from forgefield.fitting.judge.relaxed_metrics import RelaxedJudge
from forgefield.fitting.solve.solver import Progress
from forgefield.jobs.fit.fit_job import run_fit
from forgefield.jobs.fit.plan.prepare import Prepared, prepare
from forgefield.jobs.fit.run.passes import Stage
from forgefield.jobs.fit.run.relaxed_results import lost
from forgefield.jobs.fit.run.validation import Validation
from forgefield.jobs.threads import one_thread_a_matrix

DATA = Path(os.environ.get("FORGEFIELD_DATA", Path(__file__).parents[2] / "shared" / "data")) / "rh-enamide"
CH3F = Path(__file__).parents[1] / "examples" / "ch3f" / "ch3f.json"
REPEATS = 5
STEP = 1e-5
TARGETS = """eigenmatrix = { tolerance = 40.0 }
forces = { tolerance = 3.0 }
bond_length = { tolerance = 0.01 }
bond_angle = { tolerance = 1.0 }
torsion = { tolerance = 5.0 }
energy = { tolerance = 0.5, at = "relaxed" }
"""
MIXED = """frequencies = { tolerance = 20.0 }
bond_length = { tolerance = 0.01 }
bond_angle = { tolerance = 0.5 }
"""
ROWS = '"substructure:*"'
WIDER = ", ".join(
    f'"line:{n}"' for n in (81, 82, 83, 95, 105, 112, 113, 225, 228, 294, 330, 332, 335, 336, 413, 414, 425)
)
"""Rows of the main table that deviate most where only the substructures are trained."""
KEYS = ("bond_rmsd_a", "angle_rmsd_deg", "torsion_rmsd_deg", "energy_rmsd_kcal_mol", "eigenmatrix_r2")

Figures = dict[str, Any]


def nine(folder: Path, force_field: str, estimate: str, max_steps: int, rows: str = ROWS) -> Path:
    """Write a FIT.toml for the nine transition states under policy C and these rows, the rhodium substructures'."""
    for file in (*(DATA / "mae").glob("*.mae"), *(DATA / "forcefield").iterdir()):
        shutil.copy(file, folder)
    path = folder / "FIT.toml"
    path.write_text(
        f'[forcefield]\nstart = "{force_field}"\nestimate = "{estimate}"\ntrain = [{rows}]\n'
        f'[[molecules]]\nstructures = "*.mae"\ntransition_state = "C"\n'
        f"reference = {json.dumps([f'{DATA}/jaguar/*.in', f'{DATA}/jaguar/*.out'])}\n"
        f"[targets]\n{TARGETS}[fit]\ntolerance = 1e-6\nmax_steps = {max_steps}\n",
        encoding="utf-8",
    )
    return path


def figures_of(prepared: Prepared, judged: Judgement) -> Figures:
    """Return the figures of all structures, and which of them did not relax to their order."""
    assert judged.relaxed is not None
    total = asdict(judged.total)
    return {key: total[key] for key in KEYS} | {
        "relaxed": int(np.sum(np.asarray(judged.relaxed.there))),
        "structures": len(prepared.examples),
        "lost": lost(prepared, judged),
    }


def trained(folder: Path, max_steps: int, validation: Validation | None = None, rows: str = ROWS) -> Figures:
    """Fit rows, the substructures', from QFUERZA, and say how start and end do, and what is left in other rows."""
    prepared = prepare(nine(folder, "rh_hyd_enamide_start.fld", "qfuerza", max_steps, rows))
    began = perf_counter()
    outcome = run_fit(prepared, folder / "out", validation=validation, tell=told)
    results = outcome.record.results
    kept = {key: results["metrics"]["final"][key] for key in KEYS}
    lines = [line for line in results["warnings"] if "no relaxed structure" in line]
    figures = kept | {
        "start": {key: results["metrics"]["start"][key] for key in KEYS},
        "fit_s": results["fit"]["wall_s"],
        "compile_s": results["fit"]["compile_s"],
        "with_report_s": perf_counter() - began,
        "iterations": results["fit"]["iterations"],
        "converged": results["fit"]["converged"],
        "message": results["fit"]["message"],
        "lost": lines,
        "rows": {
            f"{kind}_{'trained' if changed else 'kept'}_rmsd_{unit}": _pooled(results["row_deviations"], kind, changed)
            for kind, unit in (("stretch", "a"), ("bend", "deg"))
            for changed in (True, False)
        },
        "molecules": [{key: one[key] for key in ("name", *KEYS)} for one in results["molecules"]],
    }
    return figures if validation is None else figures | {"left_out": results["validation"]}


def _pooled(rows: list[dict[str, Any]], kind: str, changed: bool) -> float:
    """Return the root mean square deviation of all bonds, or angles, whose rows are trained, or are not."""
    chosen = [one for one in rows if one["kind"] == kind and one["trained"] == changed]
    squares = sum(one["interactions"] * one["rmsd"] ** 2 for one in chosen)
    return float(np.sqrt(squares / sum(one["interactions"] for one in chosen)))


def told(_: Stage, progress: Progress) -> None:
    """Say how far a fit is."""
    print(f"iteration {progress.n_iterations}: {progress.best_cost.min():.6g}", file=sys.stderr, flush=True)


def published(folder: Path) -> Figures:
    """Judge the published force field by the same measure."""
    prepared = prepare(nine(folder, "rh_hyd_enamide_final.fld", "none", 1))
    return figures_of(prepared, RelaxedJudge()(prepared.assignment.model, prepared.data, prepared.examples))


def evaluation(problem: Problem) -> Callable:
    """Return the compiled objective with its gradient and Gauss-Newton matrix, which also returns the structures."""
    return compiled(lambda at, x: add_relaxed(problem, at, quadratic(problem, at), x))


def timed(problem: Problem) -> Figures:
    """Time the objective with its Jacobian at a point near the one whose structures are known, and from the QM ones."""
    evaluate, rng = evaluation(problem), np.random.default_rng(0)
    reference = jnp.asarray(problem.chunks.data.positions)
    began = perf_counter()
    _, relaxed = jax.block_until_ready(evaluate(jnp.zeros(problem.n_free), reference))
    first, warm, cold = perf_counter() - began, [], []
    for _ in range(REPEATS):
        at = jnp.asarray(0.02 * rng.normal(size=problem.n_free))
        for start, times in ((relaxed, warm), (reference, cold)):
            began = perf_counter()
            jax.block_until_ready(evaluate(at, start))
            times.append(perf_counter() - began)
    return {
        "objective_jacobian_s": statistics.median(warm),
        "objective_jacobian_from_qm_s": statistics.median(cold),
        "objective_first_s": first,
    }


def objective(folder: Path) -> Figures:
    """Time the objective of the nine structures with its Jacobian at the published force field."""
    prepared = prepare(nine(folder, "rh_hyd_enamide_final.fld", "none", 1))
    problem = prepared.problem(prepared.changes(), prepared.start)
    return timed(problem) | {"variables": problem.n_free}


def gradient(folder: Path) -> Figures:
    """Hold the gradient of a mixed fit of fluoromethane against central differences of the whole pipeline."""
    shutil.copy(CH3F, folder)
    path = folder / "FIT.toml"
    path.write_text(
        f'[forcefield]\nform = "harmonic"\n[[molecules]]\nreference = "ch3f.json"\n[targets]\n{MIXED}',
        encoding="utf-8",
    )
    prepared = prepare(path)
    problem = prepared.problem(prepared.changes(), prepared.start)
    evaluate, rng = evaluation(problem), np.random.default_rng(0)
    at = jnp.asarray(0.3 * rng.normal(size=problem.n_free))
    found, relaxed = evaluate(at, jnp.asarray(problem.chunks.data.positions))
    errors = []
    for _ in range(REPEATS):
        direction = jnp.asarray(rng.normal(size=problem.n_free))
        up, down = (evaluate(at + step * direction, relaxed)[0].cost for step in (STEP, -STEP))
        exact = float(found.gradient @ direction)
        errors.append(abs(float(up - down) / (2.0 * STEP) / exact - 1.0))
    return {"ch3f_gradient_relative_error": max(errors)} | {f"ch3f_{k}": v for k, v in timed(problem).items()}


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--part", choices=("trained", "wider", "published", "objective", "left_out", "gradient"))
    parser.add_argument("--max-steps", type=int, default=40)
    arguments = parser.parse_args()
    jax.config.update("jax_enable_x64", True)
    collect_seldom()
    one_thread_a_matrix()
    parts: dict[str, Callable[[Path], Figures]] = {
        "gradient": gradient,
        "published": lambda folder: {"published": published(folder)},
        "objective": objective,
        "trained": lambda folder: trained(folder, arguments.max_steps),
        "wider": lambda folder: {"wider": trained(folder, arguments.max_steps, rows=f"{ROWS}, {WIDER}")},
        "left_out": lambda folder: trained(folder, arguments.max_steps, Validation(samples=2)),
    }
    chosen = [arguments.part] if arguments.part else ["gradient", "published", "objective", "wider", "left_out"]
    figures: Figures = {**machine()}
    for name in chosen:
        with tempfile.TemporaryDirectory() as folder:
            figures |= parts[name](Path(folder))
        print(f"{name}: {json.dumps(figures)}", file=sys.stderr, flush=True)
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
