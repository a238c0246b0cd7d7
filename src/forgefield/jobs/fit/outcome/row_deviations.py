"""Which rows of a force field make bonds and angles of relaxed structures deviate, and whether they are trained."""

from collections.abc import Sequence

import numpy as np

from forgefield import units
from forgefield.assign.measured import measured
from forgefield.fitting.judge.metrics import Judgement
from forgefield.fitting.targets.target import View
from forgefield.jobs.fit.plan.prepare import Prepared
from forgefield.models.rows import Row
from forgefield.report.results import RowDeviation

_KINDS = {"stretch": ("bonds", "Å", 1.0), "bend": ("angles", "°", units.DEGREE)}
"""What they are called, and the unit that they are told in."""
_NAMED = 4
"""Rows that a warning names."""
_MOST = 0.5
"""Share of the squared deviations in rows that are not trained from which that is said."""
_SMALL = {"Å": 0.01, "°": 1.0}
"""Root mean square deviations that nobody needs to be told of."""


def row_deviations(prepared: Prepared, judgement: Judgement) -> tuple[RowDeviation, ...]:
    """Return the deviations of all rows of stretches and bends that act, largest sums of squares first by kind."""
    if judgement.relaxed is None:
        return ()
    topology = prepared.assignment.topology
    relaxed = np.asarray(judgement.relaxed.there)[np.asarray(topology.molecule)]
    reference, model = np.asarray(prepared.data.positions), np.asarray(judgement.relaxed.positions)
    trained = {row.name for row in prepared.rows}
    rows = {(row.term.kind, row.indices[0]): row for row in prepared.assignment.rows}
    gathered: dict[Row, list[np.ndarray]] = {}
    for before, after in zip(
        measured(prepared.assignment, reference), measured(prepared.assignment, model), strict=True
    ):
        if before.kind in _KINDS:
            there, (_, _, size) = relaxed[before.first], _KINDS[before.kind]
            deviations, places = (after.values - before.values)[there] / size, before.parameters[there, 0]
            # A column that a file leaves blank is of no row.
            for place in (place for place in np.unique(places).tolist() if (before.kind, place) in rows):
                gathered.setdefault(rows[before.kind, place], []).append(deviations[places == place])
    found = [_of_row(row, np.concatenate(parts), row.name in trained) for row, parts in gathered.items()]
    return tuple(sorted(found, key=lambda one: (list(_KINDS).index(one.kind), -one.square)))


def _of_row(row: Row, deviations: np.ndarray, trained: bool) -> RowDeviation:
    return RowDeviation(
        row=row.name,
        kind=row.term.kind,
        unit=_KINDS[row.term.kind][1],
        interactions=len(deviations),
        mean=float(deviations.mean()),
        rmsd=float(np.sqrt(np.mean(deviations**2))),
        trained=trained,
        pattern=row.name if row.line is None else f"line:{row.line}",
    )


def held_back(prepared: Prepared, found: Sequence[RowDeviation]) -> list[str]:
    """Say where most of what is left of the deviations of relaxed structures is in rows that are not trained."""
    traits = [target.traits for target in prepared.plan.targets]
    if not any(t.view is View.RELAXED and not t.observes and not t.is_relative for t in traits):
        return []
    said = []
    for kind, (name, unit, _) in _KINDS.items():
        own = [one for one in found if one.kind == kind]
        kept = [one for one in own if not one.trained]
        total = sum(one.square for one in own)
        count = sum(one.interactions for one in own)
        if not kept or np.sqrt(total / count) < _SMALL[unit] or sum(one.square for one in kept) < _MOST * total:
            continue
        share, places = sum(one.square for one in kept) / total, 3 if unit == "Å" else 1
        listed = ", ".join(f"{one.row} (mean {one.mean:+.{places}f} {unit})" for one in kept[:_NAMED])
        patterns = ", ".join(f'"{one.pattern}"' for one in kept[:_NAMED])
        said.append(
            f"{share:.0%} of the squared deviations of {name} at relaxed structures is in rows that are not trained, "
            f"most in {listed}. To train these too, add {patterns} to [forcefield] train."
        )
    return said
