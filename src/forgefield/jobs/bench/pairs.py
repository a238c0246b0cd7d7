"""Which fits a comparison makes of a FIT.toml: solvers, engines, numbers of starts and precisions."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import product
from pathlib import Path

from pydantic import ValidationError

from forgefield.config import FitFile, FitSection
from forgefield.engines.programs.choices import PROGRAMS
from forgefield.errors import InputError
from forgefield.io.outputs import make_folder, require_free, write_text
from forgefield.jobs.fit.plan.asked import SETTINGS, asked
from forgefield.jobs.fit.plan.choices import SOLVERS, engine, solver
from forgefield.jobs.fit.plan.fit_toml import read_plan
from forgefield.jobs.fit.plan.plan import Plan
from forgefield.jobs.fit.plan.target_choices import read_fit_file
from forgefield.report.bench.results import ESTIMATE, Pair

ENGINES = ("forgefield", *PROGRAMS)
"""What can evaluate a force field, our own kernel first."""
ALL = "all"
"""In the place of names: all solvers, and all engines that are there."""
_BITS = (64, 32)


@dataclass(frozen=True)
class Asked:
    """What is to be compared."""

    engines: tuple[str, ...] = ENGINES[:1]
    solvers: tuple[str, ...] = (ALL,)
    starts: tuple[int, ...] = ()
    """Numbers of them; empty: that of the file."""
    precisions: tuple[int, ...] = (64,)


def settings_of(files: Sequence[Path], output: Path, *, overwrite: bool = False) -> Path:
    """Return a FIT.toml: the one that is given, or for QM results one with settings that suit them, in `output`.

    Raises InputError for what cannot be fitted to, and where another FIT.toml stands in `output`.
    """
    if len(files) == 1 and files[0].suffix.lower() == ".toml":
        return files[0]
    plan, _ = asked(files, output)
    path = output / SETTINGS
    if not path.is_file() or path.read_bytes() != plan.text.encode():
        require_free([path], files, overwrite=overwrite)
        make_folder(output)
        write_text(path, plan.text)
    return path


def pairs_of(path: Path, asked: Asked) -> list[Pair]:
    """Return all that is to be compared, each once. Raises InputError that lists the names that are not known."""
    file = read_fit_file(path)
    there = (ENGINES[0], *(name for name, program in PROGRAMS.items() if not program.why_not()))
    engines, solvers = _named(asked.engines, there), _named(asked.solvers, tuple(SOLVERS))
    wrong = [f"engine {name!r} (known: {', '.join(ENGINES)})" for name in engines if name not in ENGINES]
    wrong += [f"solver {name!r} (known: {', '.join(SOLVERS)})" for name in solvers if not _is_solver(file, name)]
    wrong += [f"precision {bits} (known: 64, 32)" for bits in asked.precisions if bits not in _BITS]
    if wrong:
        raise InputError(f"there is no such thing to compare: {'; '.join(wrong)}")
    starts = asked.starts or (file.fit.starts,)
    found = product(engines, solvers, starts, asked.precisions)
    return list(dict.fromkeys(Pair(*one) for one in found))


def _named(names: tuple[str, ...], known: tuple[str, ...]) -> tuple[str, ...]:
    return known if ALL in names else names


def pair_plan(path: Path, pair: Pair) -> Plan:
    """Return the plan of a FIT.toml with what a pair says. Raises InputError where the pair is impossible."""
    plan = read_plan(path, starts=pair.starts)
    if pair.solver == ESTIMATE:
        return plan
    if pair.precision != _BITS[0] and pair.engine != ENGINES[0]:
        raise InputError(f"{pair.engine} has a precision of its own; float32 is a choice of ForgeField's kernel alone")
    section = _section(read_fit_file(path), pair.solver, pair.engine, pair.starts)
    return replace(plan, solver=solver(section, plan.targets), engine=engine(section))


def refusal(path: Path, pair: Pair) -> str:
    """Say why a pair is impossible; nothing where it is not."""
    try:
        pair_plan(path, pair)
    except InputError as error:
        return str(error)
    return ""


def _section(file: FitFile, solver: str, engine: str, starts: int) -> FitSection:
    """Return the settings of a file with another solver, which takes the steps that suit it unless it is the file's."""
    own = file.fit.model_dump() | {"solver": solver, "engine": engine, "starts": starts}
    if solver != file.fit.solver:
        own["max_steps"] = None
    return FitSection.model_validate(own)


def _is_solver(file: FitFile, name: str) -> bool:
    try:
        _section(file, name, ENGINES[0], 1)
    except ValidationError:
        return False
    return True
