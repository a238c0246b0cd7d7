"""Reference values beside the geometry of their rows: rows that hold different geometries, values that drift."""

from collections.abc import Mapping, Sequence

import numpy as np
from jaxtyping import Float

from forgefield import units
from forgefield.assign.assignment import Assignment
from forgefield.assign.measured import measured
from forgefield.estimating.row_statistics import RowStatistics, estimate_rows
from forgefield.report.numerals import fixed, with_unit
from forgefield.report.results import RowGeometry

_UNITS = {"stretch": ("Å", 1.0, "r0", 3), "bend": ("°", units.DEGREE, "theta0", 1)}
"""How values are told: unit, its size, the name of the reference value, and decimals."""
_APART = {"Å": 0.05, "°": 10.0}
"""Spread within a row from which its interactions are of different geometries."""
_DRIFT = {"Å": 0.03, "°": 6.0}
"""Distance from the mean of its row from which a reference value is no length or angle of the molecules."""
_WIDTHS = 2.0
"""Prior widths from the start from which a reference value has drifted, however small they are."""


def geometries(assignment: Assignment, positions: Float[np.ndarray, "atoms 3"]) -> RowStatistics:
    """Return how lengths [Å] and angles [rad] vary within each row, at the place of its reference value."""
    found = list(measured(assignment, positions))
    values = np.concatenate([np.zeros(0), *(one.values for one in found)])
    places = np.concatenate([np.zeros(0, dtype=np.int64), *(one.parameters[:, 1] for one in found)])
    return estimate_rows(values, places, len(assignment.model.values))


def row_geometry(
    assignment: Assignment,
    values: Float[np.ndarray, " parameters"],
    statistics: RowStatistics,
    trained: frozenset[str],
) -> tuple[RowGeometry, ...]:
    """Return the reference value of each row of stretches and bends in use beside the lengths or angles it covers.

    `trained` are the names of rows that a fit changes.
    """
    told = []
    for row in assignment.rows:
        if row.term.kind not in _UNITS or not statistics.count[row.indices[1]]:
            continue
        unit, size, _, _ = _UNITS[row.term.kind]
        place = row.indices[1]
        measures = values, statistics.mean, statistics.minimum, statistics.maximum
        reference, mean, minimum, maximum = (float(one[place]) / size for one in measures)
        count = int(statistics.count[place])
        told.append(
            RowGeometry(row.name, row.term.kind, unit, count, reference, mean, minimum, maximum, row.name in trained)
        )
    return tuple(told)


def apart(found: Sequence[RowGeometry]) -> list[str]:
    """Say which trained rows hold geometries that one reference value cannot stand for."""
    wide = sorted(
        (one for one in found if one.trained and one.spread >= _APART[one.unit]),
        key=lambda one: -one.spread / _APART[one.unit],
    )
    if not wide:
        return []
    named = [
        f"{one.row} {_shown(one.minimum, one)} to {_shown(one.maximum, one)} (mean {_shown(one.mean, one)}, "
        f"{one.interactions} of them)"
        for one in wide
    ]
    return [
        f"{len(wide)} row(s) hold different geometries (10° or 0.05 Å apart, or more), and their mean is none of them: "
        f"{'; '.join(named)}. Split them by types that tell the places apart: a larger depth under [forcefield] where "
        "further neighbours differ; where they do not, a start that has atom types of its own (a .frcmod, or .fld) and "
        "structures with these types (mol2, mae)."
    ]


def drifted(found: Sequence[RowGeometry], starts: Mapping[str, tuple[float, float | None]]) -> list[str]:
    """Say which reference values ended far from the lengths and angles of the molecules.

    `starts` holds, by the name of each reference value that changes, its start and the width of its prior, if any, in
    internal units.
    """
    far = []
    for one in found:
        unit, size, name, _ = _UNITS[one.kind]
        start, width = starts.get(f"{one.row} {name}", (None, None))
        if start is None:
            continue
        moved = abs(one.reference - start / size)
        if abs(one.drift) >= _DRIFT[unit] or (width is not None and moved >= _WIDTHS * width / size):
            far.append(one)
    if not far:
        return []
    far.sort(key=lambda one: -abs(one.drift) / _DRIFT[one.unit])
    named = [
        f"{one.row} {_UNITS[one.kind][2]} = {_shown(one.reference, one)} (molecules {_shown(one.mean, one)})"
        for one in far
    ]
    names = sorted({(one.kind, _UNITS[one.kind][2]) for one in far})
    patterns = ", ".join(f'"{kind} * {name}"' for kind, name in names)
    both = " and ".join(name for _, name in names)
    return [
        f"{len(far)} reference value(s) ended 6°, 0.03 Å or two prior widths, or more, from the molecules and serve as "
        f"spare curvature: {'; '.join(named)}. A stronger or narrower prior on {both} holds them near, "
        f"freeze = [{patterns}] where they are; cross terms may replace what they do."
    ]


def _shown(value: float, one: RowGeometry) -> str:
    unit, _, _, decimals = _UNITS[one.kind]
    return with_unit(fixed(value, decimals), unit)
