"""Every solver on one small fit: what it ends at, what it asks for and how long it takes, as a table of Markdown.

Run as `python benchmarks/solvers.py [FIT.toml]`, by default on the example of fluoromethane from one start; progress on
stderr. Times are without what the first call of each program takes longer than later ones.
"""

import argparse
import sys
from pathlib import Path
from typing import get_args

import jax

from forgefield.config import FitSection, SolverName
from forgefield.engines.native.processor import machine
from forgefield.fitting.cost.gram import gram
from forgefield.fitting.solve.fit import Fit, fit, spread_starts, start
from forgefield.jobs.fit.plan.choices import solver
from forgefield.jobs.fit.plan.prepare import Prepared, prepare

EXAMPLE = Path(__file__).parents[1] / "examples" / "ch3f" / "FIT.toml"
CHAIN = "adam -> lm"


def fitted(prepared: Prepared, words: str) -> Fit:
    """Return a fit by a solver."""
    plan = prepared.plan
    chosen = solver(FitSection(solver=words, seed=plan.seed), plan.targets)
    problem = prepared.problem(prepared.changes(), prepared.start)
    form, points = gram(problem), spread_starts(problem, 1)
    return fit(problem, start(problem, points, chosen), chosen, form=form)


def row(words: str, end: Fit, lowest: float) -> str:
    """Return a row of the table."""
    effort = end.effort
    above = float(end.quadratic.cost) / lowest - 1.0
    cells = (
        f"`{words}`",
        f"{above:.0e}" if above > 1e-12 else "0",
        f"{end.promise:.0e}",
        str(end.n_iterations),
        str(int(effort.evaluations)),
        str(int(effort.gradients)),
        f"{float(effort.run_s):.2f}",
    )
    return f"| {' | '.join(cells)} |"


def main() -> None:
    """Fit by every solver and print the table."""
    parser = argparse.ArgumentParser(description="Every solver on one small fit")
    parser.add_argument("fit", nargs="?", type=Path, default=EXAMPLE)
    parser.add_argument("--solvers", nargs="*", default=[*get_args(SolverName), CHAIN])
    arguments = parser.parse_args()
    jax.config.update("jax_enable_x64", True)
    prepared = prepare(arguments.fit)
    ends = {}
    for words in arguments.solvers:
        print(words, file=sys.stderr)
        ends[words] = fitted(prepared, words)
    lowest = min(float(end.quadratic.cost) for end in ends.values())
    print("| solver | above the lowest cost | a Newton step promises | steps | evaluations | gradients | run [s] |")
    print("|---|---|---|---|---|---|---|")
    for words, end in ends.items():
        print(row(words, end, lowest))
    print(f"\n{machine()}")


if __name__ == "__main__":
    main()
