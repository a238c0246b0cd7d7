"""The tables of a comparison, and what it says in a sentence."""

from collections.abc import Callable
from dataclasses import dataclass

from forgefield.report.bench.results import Bench, Row
from forgefield.report.numerals import UNKNOWN, plural, significant, visible
from forgefield.table import Column, Table, table

SAME = 0.01
"""Costs that differ by less than this share are the same here."""


@dataclass(frozen=True)
class _Shown:
    """A column, and what it shows of a row."""

    column: Column
    cell: Callable[[Row], str]


def _whole(value: int | None) -> str:
    return UNKNOWN if value is None else str(value)


def _ended(row: Row) -> str:
    """Return how a fit ended, without the advice."""
    return "converged" if row.converged else row.ending.removeprefix("not converged: ").partition(";")[0]


_QUALITY = (
    _Shown(Column("Cost"), lambda row: significant(row.cost, 6)),
    _Shown(Column("Frequencies, RMSD", "cm⁻¹"), lambda row: visible(row.frequency_rmsd_cm1, 2)),
    _Shown(Column("Residual force", "kcal/mol/Å"), lambda row: visible(row.force_max_kcal_mol_a, 3)),
    _Shown(Column("Largest shift", "Å"), lambda row: "lost" if row.n_lost else visible(row.shift_max_a, 4)),
    _Shown(Column("Negative"), lambda row: _whole(row.n_negative)),
    _Shown(Column("Open"), lambda row: _whole(row.n_undetermined)),
)
_EFFORT = (
    _Shown(Column("Evaluations"), lambda row: _whole(row.evaluations)),
    _Shown(Column("with slopes"), lambda row: _whole(row.gradients)),
    _Shown(Column("Compile", "s"), lambda row: visible(row.compile_s, 2)),
    _Shown(Column("Run", "s"), lambda row: visible(row.run_s, 3)),
    _Shown(Column("Ended", numeric=False), _ended),
)
_PAIR = (
    _Shown(Column("Engine", numeric=False), lambda row: row.pair.engine),
    _Shown(Column("Starts"), lambda row: str(row.pair.starts)),
    _Shown(Column("Bits"), lambda row: str(row.pair.precision)),
)
_SOLVER = _Shown(Column("Solver", numeric=False), lambda row: row.pair.solver)
_QUALITY_IS = (
    "Cost to Open are in double precision by ForgeField's own kernel, whichever engine fitted. Frequencies are matched "
    "by the overlap of their modes. Largest shift: of an atom where the force field relaxes to, lost where a molecule "
    "has no relaxed structure. Negative: trained constants of stretches and bends below zero. Open: parameters that "
    "the data leave undetermined. Evaluations: points at which the cost was asked for, all starts together; with "
    "slopes: those of them with derivatives."
)
_ALONE = (
    "Each pair ran alone in a fresh process with all cores. Compile: tracing, lowering and compiling; nothing that was "
    "kept on the disk is used. Run: the rest of the fit from the estimate to the end, without reading and without the "
    "figures above; the shorter of two runs where it takes less than ten seconds."
)
_BESIDE = "Times are missing of pairs that ran beside others."


def notes(bench: Bench) -> tuple[str, ...]:
    """Say what the columns mean, and how the times were taken."""
    return _QUALITY_IS, _ALONE if all(row.has_times for row in bench.done) else _BESIDE


def ordered(bench: Bench) -> list[Row]:
    """Return the pairs that gave a force field, of lowest cost first; of the same cost, the fastest."""

    def key(row: Row) -> tuple[float, float]:
        cost = float("inf") if row.cost is None else row.cost
        return float(f"{cost:.3e}"), row.run_s or 0.0

    return sorted(bench.done, key=key)


def bench_table(bench: Bench) -> Table:
    """Return all pairs that gave a force field, and the estimate; engine, starts and bits where they differ."""
    rows = [*([bench.estimate] if bench.estimate else []), *ordered(bench)]
    varied = [one for one in _PAIR if len({one.cell(row) for row in bench.done}) > 1]
    shown = (_SOLVER, *varied, *_QUALITY, *_EFFORT)
    cells = [tuple(one.cell(row) for one in shown) for row in rows]
    return table("Solvers and engines", tuple(one.column for one in shown), cells)


def failed_table(bench: Bench) -> Table:
    """Return the pairs that gave no force field, with the reason."""
    shown = (_SOLVER, *_PAIR)
    columns = (*(Column(one.column.label, numeric=False) for one in shown), Column("Reason", numeric=False))
    rows = [(*(one.cell(row) for one in shown), row.failure) for row in bench.failed]
    return table("Pairs without a result", columns, rows)


def short_name(row: Row, bench: Bench) -> str:
    """Return the name of a pair by what differs in the comparison."""
    varied = [one for one in _PAIR if len({one.cell(other) for other in bench.done}) > 1]
    said = {"Engine": row.pair.engine, "Starts": plural(row.pair.starts, "start"), "Bits": f"float{row.pair.precision}"}
    return ", ".join([row.pair.solver, *(said[one.column.label] for one in varied)])


def alike(bench: Bench) -> list[Row]:
    """Return the pairs whose cost is the lowest or hardly above it."""
    costs = [row.cost for row in bench.done if row.cost is not None]
    if not costs:
        return []
    return [row for row in ordered(bench) if row.cost is not None and row.cost <= min(costs) * (1.0 + SAME)]


def verdict(bench: Bench) -> str:
    """Say which pair is best, and which of those that are as good is the fastest."""
    same = alike(bench)
    if not same:
        return "No pair gave a force field." if bench.failed else "Nothing has been compared yet."
    best = min(same, key=lambda row: row.cost or 0.0)
    said = f"Lowest cost: {significant(best.cost, 6)} by {short_name(best, bench)}"
    timed = [row for row in same if row.run_s is not None]
    if len(same) > 1:
        said += f"; {plural(len(same), 'pair')} of {len(bench.done)} come within 1 % of it"
    if timed:
        fastest = min(timed, key=lambda row: row.run_s or 0.0)
        said += f". The fastest of these: {short_name(fastest, bench)}, {visible(fastest.run_s, 3)} s"
    return f"{said}."


def extent(bench: Bench) -> str:
    """Say what was compared, and what is left."""
    said = [f"{plural(len(bench.done), 'pair')} of solver and engine on {bench.title}"]
    if bench.failed:
        said.append(f"{len(bench.failed)} without a result")
    if bench.waiting:
        said.append(f"{len(bench.waiting)} still to come (the same command goes on)")
    return f"{'; '.join(said)}."
