"""Which way of fitting pays where: starts, parameters, atoms, kept programs, precision and other engines.

Run as `python benchmarks/which_path.py [--only PART ...] [--limit SECONDS]`; one JSON object on stdout, the tables of
docs/which-path.md on stderr. Every fit runs alone in a process of its own with all cores, and compiles all it needs;
`run_s` is what is left without compiling.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from time import perf_counter
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from forgefield.assign.generated import generate
from forgefield.cores import n_cores
from forgefield.engines.native.processor import machine
from forgefield.fitting.data.observation import observed
from forgefield.io.structures.xyz import write_xyz
from forgefield.jobs.bench.attempt import Conditions, attempt, in_single_precision
from forgefield.jobs.fit.plan.choices import FORMS
from forgefield.jobs.fit.plan.prepare import Prepared, prepare
from forgefield.jobs.fit.plan.starting import with_values
from forgefield.jobs.processes.pool import Processes
from forgefield.molecules.bonds import perceive_bonds
from forgefield.molecules.molecule import Molecule, Reference, standard_masses
from forgefield.properties.derivatives import hessians
from forgefield.properties.modes import frequencies, signed_frequencies
from forgefield.report.bench.results import Pair, Row

EXAMPLES = Path(__file__).parents[1] / "examples"
REPEATS = 5
STARTS = (1, 5, 10, 100, 1000)
OTHER_STARTS = (1, 10)
"""Those that SciPy on OpenMM is given."""
MOLECULES = (
    ("water",),
    ("ethanol",),
    ("ethanol", "acetone", "acetamide", "toluene"),
    (
        *("ethanol", "acetone", "acetamide", "toluene", "dimethylether", "dimethylsulfone", "methylazide", "thiophene"),
        *("methylformate", "nitromethane", "propyne", "pyridine", "urea", "trimethylphosphate", "imidazole", "styrene"),
        *("phenylboronic-acid", "methanesulfonamide", "tetramethylsilane", "fluoroform", "bromoethane", "paracetamol"),
    ),
)
SOLVERS_BY_PARAMETERS = ("lm", "lbfgsb", "adam", "nelder-mead")
CARBONS = (1, 6, 16, 33, 66, 166)
"""Of alkanes of 5 to 500 atoms."""
SIZES = ("water", "ethanol", "paracetamol", "ibuprofen")
"""Molecules whose frequencies are compared in two precisions, besides fluoromethane."""
BANDS = ((0.0, 200.0), (200.0, 1000.0), (1000.0, 2000.0), (2000.0, 5000.0))
"""cm⁻¹"""
TARGETS = "eigenmatrix = { tolerance = 20.0, off_diagonal = 20.0 }\nforces = { tolerance = 5.0 }\n"

Figures = dict[str, Any]


@dataclass(frozen=True)
class Measured:
    """A fit, and what it was of."""

    row: Row
    n_atoms: int = 0
    n_parameters: int = 0

    @property
    def told(self) -> Figures:
        """What the JSON holds."""
        found = asdict(self.row)
        return {**found.pop("pair"), "atoms": self.n_atoms, "parameters": self.n_parameters, **found}


def main() -> None:
    """Measure what is asked for and print it."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--only", nargs="+", choices=[*PARTS], default=[*PARTS])
    parser.add_argument("--limit", type=float, default=60.0, help="seconds after which a fit is stopped")
    parser.add_argument("--most", type=int, default=10**6, help="largest number of starts, or of atoms")
    arguments = parser.parse_args()
    jax.config.update("jax_enable_x64", True)
    figures: Figures = machine() | {"cores": n_cores(), "load_average_start": os.getloadavg()[0]}
    for name in arguments.only:
        figures[name] = PARTS[name](arguments.limit, arguments.most)
    figures["load_average_end"] = os.getloadavg()[0]
    print(json.dumps(figures, indent=1, ensure_ascii=False))


def tell(text: str) -> None:
    """Write a line to stderr."""
    print(text, file=sys.stderr, flush=True)


def markdown(heads: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """Write a table of Markdown to stderr."""
    lines = [heads, ["---"] * len(heads), *rows]
    tell("\n".join(f"| {' | '.join(map(str, line))} |" for line in lines))


def fitted(path: Path, pair: Pair, limit_s: float) -> Row:
    """Return a fit that ran alone in a process of its own."""
    with Processes(n_cores()) as by:
        done = by.run(attempt, Conditions(path, limit_s), [pair], tell=lambda _: None)
    row = done.results.get(0) or Row(pair, failure=done.failures.get(0, "interrupted"))
    tell(f"{pair}: {row.failure or row.ending}; cost {row.cost}, compile {row.compile_s} s, run {row.run_s} s")
    return row


def shown(value: float | None, digits: int = 3) -> str:
    """Return a number for a table."""
    return "" if value is None else f"{value:.{digits}g}"


def by_starts(limit_s: float, most: int) -> list[Figures]:
    """Fit fluoromethane from many starts in one kernel, and by SciPy's L-BFGS-B on OpenMM."""
    path = EXAMPLES / "ch3f" / "FIT.toml"
    pairs = [Pair("forgefield", "lm", n, 64) for n in STARTS if n <= most]
    pairs += [Pair("openmm", "lbfgsb-fd", n, 64) for n in OTHER_STARTS if n <= most]
    rows = [fitted(path, pair, limit_s) for pair in pairs]
    heads = ("engine and solver", "starts", "run, s", "a start, ms", "compile, s", "evaluations", "cost", "")
    cells = [
        (
            f"{row.pair.engine}, {row.pair.solver}",
            row.pair.starts,
            shown(row.run_s),
            shown(row.run_s and 1e3 * row.run_s / row.pair.starts),
            shown(row.compile_s),
            row.evaluations,
            shown(row.cost, 6),
            row.failure or ("" if row.stopped_s is None else row.ending),
        )
        for row in rows
    ]
    markdown(heads, cells)
    return [Measured(row, 5, 8).told for row in rows]


def by_parameters(limit_s: float, most: int) -> list[Figures]:
    """Fit ever more molecules, and so ever more parameters, by solvers that ask for residuals, slopes or costs."""
    found = []
    with tempfile.TemporaryDirectory() as folder:
        for number, names in enumerate(MOLECULES):
            path = Path(folder) / f"set{number}.toml"
            path.write_text(toml([[str(EXAMPLES / "molecules" / f"{name}.json")] for name in names]), encoding="utf-8")
            prepared = prepare(path)
            size = prepared.data.topology.n_atoms, prepared.changes().variables.n_free
            if size[1] <= most:
                solvers = SOLVERS_BY_PARAMETERS
                found += [Measured(fitted(path, Pair("forgefield", one, 1, 64), limit_s), *size) for one in solvers]
    lowest = {
        m.n_parameters: min(o.row.cost or np.inf for o in found if o.n_parameters == m.n_parameters) for m in found
    }
    cells = [
        (
            m.n_parameters,
            m.row.pair.solver,
            shown(m.row.run_s),
            shown(m.row.compile_s),
            m.row.evaluations,
            "" if m.row.cost is None else f"{m.row.cost / lowest[m.n_parameters] - 1.0:.1e}",
            m.row.ending.partition(":")[0],
        )
        for m in found
    ]
    markdown(("parameters", "solver", "run, s", "compile, s", "evaluations", "cost above the lowest", ""), cells)
    return [m.told for m in found]


def by_atoms(limit_s: float, most: int) -> list[Figures]:
    """Fit alkanes of 5 to 500 atoms to the Hessian of a force field of other constants."""
    found = []
    with tempfile.TemporaryDirectory() as folder:
        for n in CARBONS:
            molecule = alkane(n)
            if molecule.n_atoms > most:
                continue
            xyz, npy = Path(folder) / f"c{n}.xyz", Path(folder) / f"c{n}.npy"
            write_xyz(xyz, [Reference(molecule.species, molecule.positions)])
            np.save(npy, made_hessian(molecule))
            path = Path(folder) / f"c{n}.toml"
            path.write_text(
                toml([[str(xyz), str(npy)]], 'hessian_unit = "kcal/mol/Å^2"\n', forces=False), encoding="utf-8"
            )
            n_free = prepare(path).changes().variables.n_free
            for name in ("lm", "lbfgsb"):
                row = fitted(path, Pair("forgefield", name, 1, 64), limit_s)
                found.append(Measured(row, molecule.n_atoms, n_free))
    cells = [
        (
            m.n_atoms,
            m.n_parameters,
            m.row.pair.solver,
            shown(m.row.run_s),
            shown(m.row.compile_s),
            m.row.evaluations,
            m.row.ending.partition(":")[0],
        )
        for m in found
    ]
    markdown(("atoms", "parameters", "solver", "run, s", "compile, s", "evaluations", ""), cells)
    return [m.told for m in found]


def toml(references: Sequence[Sequence[str]], more: str = "", *, forces: bool = True) -> str:
    """Return a FIT.toml that fits a generated harmonic force field to the files of each molecule."""
    targets = TARGETS if forces else TARGETS.splitlines()[0] + "\n"
    tables = "".join(
        f"[[molecules]]\nreference = {json.dumps(list(files), ensure_ascii=False)}\n{more}" for files in references
    )
    return f'[forcefield]\nform = "harmonic"\n{tables}[targets]\n{targets}[fit]\nprior = {{ strength = 0.01 }}\n'


def alkane(n: int) -> Molecule:
    """Return a stretched alkane of n carbons with ideal angles."""
    half = 0.5 * np.arccos(-1.0 / 3.0)
    along, up = 1.53 * np.sin(half), 0.5 * 1.53 * np.cos(half)
    k = np.arange(-1, n + 1)
    chain = np.stack([k * along, np.where(k % 2, -up, up), np.zeros(n + 2)], axis=1)
    carbons = chain[1:-1]
    hydrogens = []
    for place, carbon in enumerate(carbons):
        out = np.array([0.0, np.cos(half) if place % 2 == 0 else -np.cos(half), 0.0])
        hydrogens += [carbon + 1.09 * (out + side * np.array([0.0, 0.0, np.sin(half)])) for side in (1.0, -1.0)]
    for inner, outer in ((1, 0), (-2, -1)):
        hydrogens.append(chain[inner] + 1.09 / 1.53 * (chain[outer] - chain[inner]))
    positions = np.array([*carbons, *hydrogens])
    species = np.array([6] * n + [1] * len(hydrogens))
    return Molecule(f"C{n}", species, positions, *perceive_bonds(species, positions))


def made_hessian(molecule: Molecule) -> np.ndarray:
    """Return a Hessian [kcal/mol/Å²] of a generated force field whose constants lie up to 20 % about customary ones."""
    terms = tuple(FORMS["harmonic"][name] for name in ("stretch", "bend", "torsion"))
    assignment = generate([molecule], terms)
    values = np.array(assignment.model.values)
    for number, row in enumerate(assignment.rows):
        if row.term.kind == "torsion":
            values[row.indices[2]] = 0.3
        else:
            values[row.indices[0]] *= 1.0 + 0.2 * np.sin(1.0 + number)
    laid = with_values(assignment, values)
    return np.asarray(hessians(laid.model, laid.topology, jnp.asarray(molecule.positions)))[0]


def by_cache(limit_s: float, most: int) -> Figures:
    """Time the command line with an empty cache of compiled programs and with a filled one."""
    del limit_s, most
    cold, kept = [], []
    with tempfile.TemporaryDirectory() as folder:
        for k in range(REPEATS):
            cache = Path(folder) / f"cache{k}"
            cold.append(command_s(cache, Path(folder) / "out"))
            kept.append(command_s(cache, Path(folder) / "out"))
    figures = {"cold_s": statistics.median(cold), "kept_s": statistics.median(kept)}
    markdown(
        ("`forgefield fit examples/ch3f/FIT.toml`", "s"),
        [("cold", shown(figures["cold_s"])), ("programs kept", shown(figures["kept_s"]))],
    )
    return figures


def command_s(cache: Path, output: Path) -> float:
    """Return how long `forgefield fit` takes with this cache folder."""
    words = ("fit", str(EXAMPLES / "ch3f" / "FIT.toml"), "--output", str(output), "--overwrite")
    began = perf_counter()
    environment = {**os.environ, "FORGEFIELD_CACHE": str(cache)}
    subprocess.run([sys.executable, "-m", "forgefield", *words], env=environment, check=True, capture_output=True)
    return perf_counter() - began


def by_precision(limit_s: float, most: int) -> list[Figures]:
    """Compare frequencies at the estimate in float32 with those in float64, mode by mode."""
    del limit_s, most
    found = []
    with tempfile.TemporaryDirectory() as folder:
        for file in (EXAMPLES / "ch3f" / "ch3f.json", *(EXAMPLES / "molecules" / f"{name}.json" for name in SIZES)):
            path = Path(folder) / f"{file.stem}.toml"
            path.write_text(toml([[str(file)]]), encoding="utf-8")
            found.append({"molecule": file.stem, **compared(prepare(path))})
    first = found[0]
    cells = zip(*(map(shown, first[name], [7] * 99) for name in ("float64_cm1", "float32_cm1")), strict=True)
    errors = [np.subtract(first[name], first["float64_cm1"]) for name in ("float32_cm1", "hessian_float32_cm1")]
    markdown(
        ("mode", "float64, cm⁻¹", "float32, cm⁻¹", "difference", "Hessian alone in float32"),
        [
            (k, *cell, f"{a:.1e}", f"{b:.1e}")
            for k, (cell, a, b) in enumerate(zip(cells, *errors, strict=True), start=1)
        ],
    )
    heads = ("molecule", "atoms", *(f"{low:g} to {high:g} cm⁻¹" for low, high in BANDS), "relative, Hessian")
    markdown(
        heads,
        [
            (one["molecule"], one["atoms"], *map(worst_by_band(one), BANDS), f"{one['hessian_relative']:.1e}")
            for one in found
        ],
    )
    return found


def compared(prepared: Prepared) -> Figures:
    """Return the frequencies of a molecule [cm⁻¹] in both precisions, and how far its Hessian is off."""
    (example,) = prepared.examples
    double = observed(prepared.assignment.model, prepared.data)
    single = in_single_precision(prepared)
    with jax.enable_x64(False):
        rough = jax.tree.map(np.asarray, observed(single.assignment.model, single.data))
    n = len(example.treated.eigenvalues) if example.treated is not None else 0
    molecule, exact = example.molecule, np.asarray(double.hessian)[0]
    masses = standard_masses(molecule.species)
    alone = frequencies(rough.hessian[0].astype(float), molecule.positions, masses)
    return {
        "atoms": molecule.n_atoms,
        "float64_cm1": signed_frequencies(np.asarray(double.eigenvalues)[0, :n]).tolist(),
        "float32_cm1": signed_frequencies(rough.eigenvalues[0, :n].astype(float)).tolist(),
        "hessian_float32_cm1": alone.tolist(),
        "hessian_relative": float(np.abs(rough.hessian[0] - exact).max() / np.abs(exact).max()),
    }


def worst_by_band(one: Figures) -> Callable[[tuple[float, float]], str]:
    """Return what tells the largest error of a molecule's frequencies in a band [cm⁻¹]."""
    exact, rough = np.array(one["float64_cm1"]), np.array(one["float32_cm1"])

    def worst(band: tuple[float, float]) -> str:
        inside = (np.abs(exact) >= band[0]) & (np.abs(exact) < band[1])
        return f"{np.abs(rough - exact)[inside].max():.1e}" if inside.any() else ""

    return worst


PARTS: dict[str, Callable[[float, int], Any]] = {
    "starts": by_starts,
    "parameters": by_parameters,
    "atoms": by_atoms,
    "cache": by_cache,
    "precision": by_precision,
}

if __name__ == "__main__":
    main()
