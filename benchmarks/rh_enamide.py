"""Nine transition states of 36 to 62 atoms: what each part of a fit costs, and how far whole fits come.

Run as `python benchmarks/rh_enamide.py`; one JSON object on stdout, progress on stderr. FORGEFIELD_DATA names the
folder of reference data, of which `rh-enamide/` is used. `--part NAME` measures one part alone: kernels, start, fits,
forces, mm3, starts, scale.
"""

import argparse
import json
import os
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from time import perf_counter
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from forgefield.assign.generated import generate
from forgefield.assign.mm3.laid import assign_mm3
from forgefield.cli.process import collect_seldom
from forgefield.compiled import compiled
from forgefield.engines.native.processor import machine
from forgefield.fitting.cost.cost import Problem, linearise, quadratic, total_counts
from forgefield.fitting.cost.gram import Gram, gram
from forgefield.fitting.data.observation import observe
from forgefield.fitting.data.training_set import training_set
from forgefield.fitting.solve.fit import fit, spread_starts, start
from forgefield.fitting.solve.levenberg_marquardt import LevenbergMarquardt
from forgefield.fitting.targets.fixed import Diagonal, Frequencies, OffDiagonal
from forgefield.fitting.targets.target import at_reference
from forgefield.io.forcefields.mm3.fld import read_fld
from forgefield.jobs.fit.plan.plan import Generated
from forgefield.jobs.fit.plan.prepare import Prepared, prepare
from forgefield.jobs.fit.plan.starting import with_values
from forgefield.jobs.threads import one_thread_a_matrix

DATA = Path(os.environ.get("FORGEFIELD_DATA", Path(__file__).parents[2] / "shared" / "data")) / "rh-enamide"
REPEATS = 7
STARTS = 64
COPIES = (1, 10, 100)
PARTS = ("kernels", "start", "fits", "forces", "mm3", "starts", "scale")
FULL = "eigenmatrix = { tolerance = 50.0, off_diagonal = 5.7 }"
"""Every element of the Hessian between modes counts the same: 50 / 5.7 is √(105,039 / 1,350)."""

Figures = dict[str, Any]


def fit_file(folder: Path, targets: str, *, depth: int = 1, strength: float = 0.3, force_field: str = "") -> Path:
    """Write a FIT.toml for all nine structures with their types and bonds; environment types unless told otherwise."""
    (folder / "mae").mkdir(exist_ok=True)
    for file in (*(DATA / "mae").glob("*.mae"), *(DATA / "forcefield").iterdir()):
        shutil.copy(file, folder / "mae")
    section = force_field or f'nonbonded = "uff"\ndepth = {depth}\n'
    path = folder / "FIT.toml"
    path.write_text(
        f"[forcefield]\n{section}"
        f'[[molecules]]\nstructures = "mae/*.mae"\ntransition_state = "C"\n'
        f"reference = {json.dumps([f'{DATA}/jaguar/*.in', f'{DATA}/jaguar/*.out'])}\n"
        f"[targets]\n{targets}\n[fit]\nprior = {{ strength = {strength} }}\n",
        encoding="utf-8",
    )
    return path


def median_ms(call: Callable[[], Any]) -> tuple[float, float]:
    """Return the first time [s] and the median of further ones [ms]."""
    began = perf_counter()
    jax.block_until_ready(call())
    first = perf_counter() - began
    times = []
    for _ in range(REPEATS):
        began = perf_counter()
        jax.block_until_ready(call())
        times.append(perf_counter() - began)
    return first, 1e3 * statistics.median(times)


def with_targets(prepared: Prepared, problem: Problem, *targets) -> Problem:
    """Return a problem with other targets."""
    counts = total_counts(targets, prepared.data)
    return eqx.tree_at(lambda p: (p.targets, p.counts), problem, (targets, counts))


def kernels(folder: Path) -> Figures:
    """Measure each part of an evaluation, with types by element (about 200 parameters)."""
    prepared = prepare(fit_file(folder, FULL, depth=0))
    changes = prepared.changes()
    problem = prepared.problem(changes, prepared.start)
    diagonal, pairs = Diagonal(50.0), OffDiagonal(5.7)
    topology, positions = prepared.data.topology, jnp.asarray(prepared.data.positions)
    at = jnp.zeros(changes.variables.n_free)
    hessians = compiled(lambda model: model.hessian(topology, positions))

    def seen(model):
        return at_reference(observe(model, prepared.data), prepared.data)

    frequencies = compiled(lambda model: Frequencies(20.0).deviations(seen(model), prepared.data))

    def objective(free):
        deviations = diagonal.deviations(seen(problem.model_at(free)), prepared.data)
        return 0.5 * jnp.mean((deviations / diagonal.tolerance) ** 2)

    both = with_targets(prepared, problem, diagonal, pairs)
    form = gram(both)
    assert isinstance(form, Gram)
    one, free = with_targets(prepared, problem, diagonal), jnp.asarray(problem.prior.centre)
    value_and_grad, jacobian, normal = compiled(jax.value_and_grad(objective)), compiled(linearise), compiled(quadratic)
    figures: Figures = {"n_parameters": changes.variables.n_free}
    for name, call in {
        "hessians": lambda: hessians(problem.model),
        "objective": lambda: frequencies(problem.model),
        "value_and_grad": lambda: value_and_grad(free),
        "residual_jacobian": lambda: jacobian(one, at).jacobians[0],
        "normal_equations": lambda: normal(both, at),
        "normal_equations_by_form": lambda: form.quadratic(both, at),
    }.items():
        figures[f"{name}_first_s"], figures[f"{name}_ms"] = median_ms(call)
        tell(f"{name}: {figures[f'{name}_ms']:.1f} ms")
    began = perf_counter()
    gram(both)
    return figures | {"form_again_s": perf_counter() - began}


def first_value(folder: Path) -> Figures:
    """Time a new process until it knows the first value of the objective, without and with compiled programs."""
    path = fit_file(folder, FULL, depth=0)
    script = (
        "import sys, pathlib, forgefield.cli.process as c; c.configure(verbose=False)\n"
        "from forgefield.jobs.fit.plan.prepare import prepare\n"
        "from forgefield.fitting.data.observation import observed\n"
        "p = prepare(pathlib.Path(sys.argv[1])); observed(p.assignment.model, p.data)"
    )
    figures: Figures = {}
    environment = {**os.environ, "FORGEFIELD_CACHE": str(folder / "cache")}
    for name, repeats in (("cold", 1), ("cached", 5)):
        times = []
        for _ in range(repeats):
            began = perf_counter()
            subprocess.run([sys.executable, "-c", script, str(path)], check=True, env=environment)
            times.append(perf_counter() - began)
        figures[f"{name}_first_value_s"] = statistics.median(times)
    return figures


def whole_fit(folder: Path, targets: str, **options: Any) -> Figures:
    """Run `forgefield fit` as users do, without any compiled program, and return what it says of itself."""
    path = fit_file(folder, targets, **options)
    output = folder / "out"
    shutil.rmtree(output, ignore_errors=True)
    environment = {**os.environ, "FORGEFIELD_CACHE": str(Path(tempfile.mkdtemp(dir=folder)))}
    command = [sys.executable, "-m", "forgefield", "fit", str(path), "--output", str(output)]
    began = perf_counter()
    ended = subprocess.run(command, check=False, env=environment, capture_output=True, text=True)
    wall = perf_counter() - began
    if not (output / "results.json").is_file():
        raise SystemExit(ended.stderr)
    results = json.loads((output / "results.json").read_text())
    final = results["metrics"]["final"]
    constants = [p["value"] for p in results["parameters"] if p["name"].endswith(" k") and p["unit"].startswith("kcal")]
    figures = {
        "fit_s": wall,
        "fit_iterations": results["fit"]["iterations"],
        "converged": results["fit"]["converged"],
        "n_negative_constants": sum(value < 0.0 for value in constants),
        **{name: final[name] for name in final if final[name] is not None},
    }
    tell(f"{targets}: {json.dumps(figures)}")
    return figures


def trade_off(folder: Path) -> Figures:
    """Add forces at the QM geometry, from loose to tight."""
    found = {}
    for tolerance in (10.0, 3.0, 1.0, 0.3):
        fitted = whole_fit(folder, f"{FULL}\nforces = {{ tolerance = {tolerance} }}")
        kept = ("frequency_rmsd_cm1", "frequency_rmsd_sorted_cm1", "eigenmatrix_r2", "force_max_kcal_mol_a", "fit_s")
        found[f"tolerance_{tolerance}"] = {name: fitted[name] for name in kept} | {
            "iterations": fitted["fit_iterations"]
        }
    return {"forces": found}


def mm3(folder: Path) -> Figures:
    """Train the substructure rows of the MM3* file that is the published fit's start, and judge the published one."""
    section = 'start = "mae/{}"\nestimate = "none"\ntrain = ["substructure:*"]\n'
    fitted = whole_fit(folder, FULL, force_field=section.format("rh_hyd_enamide_start.fld"))
    path = fit_file(folder, FULL, force_field=section.format("rh_hyd_enamide_final.fld"))
    published = whole_fit_start(path, folder)
    parsed = read_fld(folder / "mae" / "rh_hyd_enamide_final.fld")
    molecules = [example.molecule for example in prepare(path).examples]
    _, assignment = median_ms(lambda: assign_mm3(molecules, parsed).assignment.model.values)
    return {"mm3": {"trained": fitted, "published": published, "assignment_ms": assignment}}


def whole_fit_start(path: Path, folder: Path) -> Figures:
    """Return the metrics of the force field that a fit starts from."""
    text = path.read_text().replace("[fit]\n", "[fit]\nmax_steps = 1\n")
    path.write_text(text, encoding="utf-8")
    subprocess.run(
        [sys.executable, "-m", "forgefield", "fit", str(path), "--output", str(folder / "published")],
        check=False,
        capture_output=True,
    )
    start = json.loads((folder / "published" / "results.json").read_text())["metrics"]["start"]
    return {name: value for name, value in start.items() if value is not None}


def many_starts(folder: Path) -> Figures:
    """Compare the time of 64 starts in one kernel with that of one, compilation apart."""
    prepared = prepare(fit_file(folder, FULL, depth=0))
    changes = prepared.changes()
    problem, solver = prepared.problem(changes, prepared.start), LevenbergMarquardt(max_steps=40)
    began = perf_counter()
    form = gram(problem)
    formed = perf_counter() - began
    figures: Figures = {"form_first_s": formed}
    for n in (1, STARTS):
        points = spread_starts(problem, n)
        fit(problem, start(problem, points, solver), replace(solver, max_steps=2), form=form)
        began = perf_counter()
        ended = fit(problem, start(problem, points, solver), solver, form=form)
        figures |= {f"starts{n}_s": perf_counter() - began, f"starts{n}_converged": int(ended.starts_converged.sum())}
    began = perf_counter()
    gram(problem)
    again = perf_counter() - began
    return figures | {
        "form_again_s": again,
        "starts64_ratio_with_form": (figures["starts64_s"] + again) / (figures["starts1_s"] + again),
    }


def scale(_: Path) -> Figures:
    """Evaluate and step 1, 10 and 100 copies of the nine, each in a process of its own; memory is that process's."""
    curve = {}
    for copies in COPIES:
        command = [sys.executable, __file__, "--copies", str(copies)]
        ended = subprocess.run(command, check=True, capture_output=True, text=True)
        curve[str(9 * copies)] = json.loads(ended.stdout)
        tell(f"{9 * copies} structures: {ended.stdout.strip()}")
    return {"scale": curve}


def copied(folder: Path, copies: int) -> Figures:
    """Evaluate, and take five steps of a fit of the diagonal, for copies of the nine in one problem."""
    prepared = prepare(fit_file(folder, "eigenmatrix = { tolerance = 50.0 }", depth=0))
    examples = prepared.examples * copies
    molecules = [example.molecule for example in examples]
    kind = prepared.plan.start
    assert isinstance(kind, Generated)
    laid = generate(molecules, kind.terms, depth=kind.depth, van_der_waals=kind.van_der_waals)
    assignment = with_values(laid, prepared.start)
    many = replace(prepared, assignment=assignment, data=training_set(assignment.topology, examples))
    problem = many.problem(prepared.changes(), prepared.start)
    at, step = jnp.zeros(problem.n_free), compiled(quadratic)
    first, evaluation = median_ms(lambda: step(problem, at))
    solver = LevenbergMarquardt(max_steps=5)
    began = perf_counter()
    ended = fit(problem, start(problem, spread_starts(problem, 1), solver), solver)
    return {
        "n_atoms": int(many.data.topology.n_atoms),
        "first_s": first,
        "cost_and_normal_equations_ms_per_structure": evaluation / len(examples),
        "five_steps_s": perf_counter() - began,
        "cost_after": float(np.min(ended.starts_cost)),
        "peak_gib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20,
    }


def tell(line: str) -> None:
    """Say how far it is."""
    print(line, file=sys.stderr, flush=True)


def main() -> None:
    """Measure what is asked for and print it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--part", choices=PARTS, action="append")
    parser.add_argument("--copies", type=int)
    arguments = parser.parse_args()
    jax.config.update("jax_enable_x64", True)
    collect_seldom()
    one_thread_a_matrix()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        if arguments.copies:
            print(json.dumps(machine() | copied(folder, arguments.copies)))
            return
        figures: Figures = machine() | {"load_average_start": os.getloadavg()[0]}
        measures: dict[str, Callable[[Path], Figures]] = {
            "kernels": kernels,
            "start": first_value,
            "fits": lambda folder: whole_fit(folder, FULL),
            "forces": trade_off,
            "mm3": mm3,
            "starts": many_starts,
            "scale": scale,
        }
        for part in arguments.part or PARTS:
            figures |= measures[part](folder)
        print(json.dumps(figures | {"load_average_end": os.getloadavg()[0]}))


if __name__ == "__main__":
    main()
