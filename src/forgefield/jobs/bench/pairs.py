"""Which fits a comparison makes of a FIT.toml: solvers, engines, numbers of starts and precisions."""

from dataclasses import dataclass, replace
from itertools import product
from pathlib import Path

from pydantic import ValidationError

from forgefield.config import FitFile, FitSection
from forgefield.errors import InputError
from forgefield.jobs.fit.plan.choices import SOLVERS, solver
from forgefield.jobs.fit.plan.fit_toml import read_plan
from forgefield.jobs.fit.plan.plan import Plan
from forgefield.jobs.fit.plan.target_choices import read_fit_file
from forgefield.report.bench.results import ESTIMATE, Pair

ENGINES = ("forgefield",)
"""What can evaluate a force field."""
ALL = "all"
"""In the place of names: all there are."""


@dataclass(frozen=True)
class Asked:
    """What is to be compared."""

    engines: tuple[str, ...] = ENGINES[:1]
    solvers: tuple[str, ...] = (ALL,)
    starts: tuple[int, ...] = ()
    """Numbers of them; empty: that of the file."""
    precisions: tuple[int, ...] = (64,)


def pairs_of(path: Path, asked: Asked) -> list[Pair]:
    """Return all that is to be compared, each once. Raises InputError that lists the names that are not known."""
    file = read_fit_file(path)
    engines, solvers = _named(asked.engines, ENGINES), _named(asked.solvers, tuple(SOLVERS))
    wrong = [f"engine {name!r} (known: {', '.join(ENGINES)})" for name in engines if name not in ENGINES]
    wrong += [f"solver {name!r} (known: {', '.join(SOLVERS)})" for name in solvers if _section(file, name) is None]
    wrong += [f"precision {bits} (known: 64, 32)" for bits in asked.precisions if bits not in (64, 32)]
    if wrong:
        raise InputError(f"there is no such thing to compare: {'; '.join(wrong)}")
    starts = asked.starts or (file.fit.starts,)
    found = product(engines, solvers, starts, asked.precisions)
    return list(dict.fromkeys(Pair(*one) for one in found))


def _named(names: tuple[str, ...], known: tuple[str, ...]) -> tuple[str, ...]:
    return known if ALL in names else names


def pair_plan(path: Path, pair: Pair) -> Plan:
    """Return the plan of a FIT.toml with the solver and the starts of a pair. Raises InputError."""
    plan = read_plan(path, starts=pair.starts)
    if pair.solver == ESTIMATE:
        return plan
    section = _section(read_fit_file(path), pair.solver)
    assert section is not None
    return replace(plan, solver=solver(section, plan.targets))


def _section(file: FitFile, name: str) -> FitSection | None:
    """Return the settings of a file with another solver; None where there is none of this name."""
    try:
        return FitSection.model_validate(file.fit.model_dump() | {"solver": name})
    except ValidationError:
        return None
