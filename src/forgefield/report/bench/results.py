"""What a comparison of fits found: a row for each pair of solver and engine, as JSON and as CSV."""

import csv
import io
import json
import math
from dataclasses import asdict, dataclass, fields
from typing import Any

ESTIMATE = "estimate"
"""In the place of a solver: the values that all fits start from."""


@dataclass(frozen=True, order=True)
class Pair:
    """One fit of a comparison."""

    engine: str
    """What evaluates energies, gradients and Hessians."""
    solver: str
    """As FIT.toml has it."""
    starts: int
    precision: int
    """Bits of the numbers of the evaluation."""

    def __str__(self) -> str:
        return f"{self.solver} on {self.engine} from {self.starts} start(s) in float{self.precision}"


@dataclass(frozen=True)
class Row:
    """What came of a pair; None where it is not known. All of quality is in double precision by our own kernel."""

    pair: Pair
    failure: str = ""
    """Why there is no force field."""
    ending: str = ""
    """How the fit ended."""
    converged: bool = False
    stopped_s: float | None = None
    """The limit of time at which it was stopped [s], with the best parameters so far."""
    cost: float | None = None
    frequency_rmsd_cm1: float | None = None
    """Of frequencies matched by the overlap of their modes [cm⁻¹]."""
    force_max_kcal_mol_a: float | None = None
    """Largest deviation of a force at the reference geometries [kcal/mol/Å]."""
    shift_max_a: float | None = None
    """Largest displacement of an atom where the force field relaxes to, superposed on the reference [Å]."""
    n_lost: int | None = None
    """Molecules that have no relaxed structure."""
    n_negative: int | None = None
    """Trained constants of stretches and bends below zero."""
    n_undetermined: int | None = None
    """Trained parameters that the data leave open."""
    evaluations: int | None = None
    """Points at which the cost was asked for."""
    gradients: int | None = None
    """Those of them at which exact derivatives were."""
    compile_s: float | None = None
    run_s: float | None = None

    @property
    def has_times(self) -> bool:
        """Whether it was timed."""
        return self.run_s is not None


@dataclass(frozen=True)
class Bench:
    """A comparison."""

    title: str
    input_sha256: str
    """Of FIT.toml and all that it names."""
    version: str
    machine: dict[str, Any]
    """What stands beside times."""
    estimate: Row | None
    """Where all fits start."""
    rows: tuple[Row, ...]
    """Of the pairs that came to an end."""
    waiting: tuple[Pair, ...] = ()

    @property
    def done(self) -> list[Row]:
        """The pairs that gave a force field."""
        return [row for row in self.rows if not row.failure]

    @property
    def failed(self) -> list[Row]:
        """The pairs that gave none."""
        return [row for row in self.rows if row.failure]


def bench_text(bench: Bench) -> str:
    """Return JSON; numbers that are not known are null."""
    return json.dumps(_plain(asdict(bench)), ensure_ascii=False, indent=1, allow_nan=False) + "\n"


def read_bench(text: str) -> Bench:
    """Return what `bench_text` has written. Raises ValueError, KeyError or TypeError for anything else."""
    known = json.loads(text)
    rows = tuple(_row(one) for one in known.pop("rows"))
    waiting = tuple(Pair(**one) for one in known.pop("waiting"))
    estimate = known.pop("estimate")
    return Bench(**known, estimate=estimate and _row(estimate), rows=rows, waiting=waiting)


def _row(known: dict[str, Any]) -> Row:
    known["pair"] = Pair(**known["pair"])
    return Row(**known)


def csv_text(bench: Bench) -> str:
    """Return a line for each pair, and before them one for the estimate; what is not known is empty."""
    of_pair, of_row = [one.name for one in fields(Pair)], [one.name for one in fields(Row)][1:]
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow([*of_pair, *of_row])
    for row in (*([bench.estimate] if bench.estimate else []), *bench.rows):
        held = _plain(asdict(row))
        cells = [*(held["pair"][name] for name in of_pair), *(held[name] for name in of_row)]
        writer.writerow(["" if cell is None else cell for cell in cells])
    return text.getvalue()


def _plain(value: Any) -> Any:
    """Return what JSON can hold."""
    if isinstance(value, dict):
        return {name: _plain(one) for name, one in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(one) for one in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
