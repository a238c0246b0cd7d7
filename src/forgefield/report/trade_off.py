"""What pulls against what in a fit: a curve and a table for each target whose weight was varied."""

from itertools import combinations
from typing import Any

import numpy as np
from jaxtyping import Float

from forgefield.report.figures.axes import LETTER, Scale, axes, curve, drawing, label, marks
from forgefield.report.figures.figure import Figure, drawn_text, room_for_labels
from forgefield.report.numerals import fixed, significant
from forgefield.table import Column, Table, table

_WIDTH, _HEIGHT = 440, 320
_OPPOSED = -0.5
"""Gradients whose cosine is below this are said to oppose each other."""
_WIDE = 5.0
"""Axes whose values differ by a larger factor are logarithmic."""


def opposition_table(results: dict[str, Any]) -> Table | None:
    """Return how the gradients of each two targets lie to each other at the end, those that oppose most first."""
    found = results.get("opposition")
    if not found:
        return None
    names, cosines = found["targets"], found["cosines"]
    pairs = [(cosines[i][j], names[i], names[j]) for i, j in combinations(range(len(names)), 2)]
    known = sorted((pair for pair in pairs if _finite(pair[0])), key=lambda pair: pair[0])
    rows = [(first, second, fixed(cosine, 2), _said(cosine)) for cosine, first, second in known]
    note = (
        "Cosine between the gradients of two targets by the free variables, in units of their prior widths and without "
        "those at a bound. All gradients add up to zero at the optimum, so that two targets alone always oppose each "
        "other there; a gradient that is small beside the others weighs little."
    )
    columns = (
        Column("Target", numeric=False),
        Column("With", numeric=False),
        Column("Cosine"),
        Column("", numeric=False),
    )
    return table("What pulls against what", columns, rows, note) if rows else None


def _said(cosine: float) -> str:
    if cosine < _OPPOSED:
        return "oppose each other"
    return "pull together" if cosine > -_OPPOSED else ""


def gradients_table(results: dict[str, Any]) -> Table | None:
    """Return the size of the gradient of each target at the end."""
    found = results.get("opposition")
    if not found:
        return None
    rows = [(name, significant(n, 3)) for name, n in zip(found["targets"], found["gradient_norms"], strict=True)]
    return table("Gradients at the optimum", (Column("Target", numeric=False), Column("Length")), rows)


def trade_off_sections(results: dict[str, Any]) -> list[tuple[Figure | None, Table]]:
    """Return a curve and a table for each target whose weight was varied."""
    return [(trade_off_figure(one), trade_off_table(one)) for one in results.get("trade_off") or []]


def _factor(value: float) -> str:
    """Return a factor, powers of ten without zeros behind them."""
    return significant(value, 1 if abs(value - float(f"{value:.0e}")) < 1e-6 * value else 2)


def trade_off_table(found: dict[str, Any]) -> Table:
    """Return the deviations of all targets by the factor on the weight of one."""
    own = [name for name in found["units"] if name != found["target"]]
    names = [found["target"], *own]
    columns = [Column("Weight times")]
    columns += [Column(f"{name}, RMS", found["units"][name]) for name in names]
    columns += [Column("All others, RMS", "tolerances"), Column("", numeric=False)]
    rows = [
        (
            _factor(point["factor"]),
            *(significant(point["rms"][name], 4) for name in names),
            significant(point["others"], 4),
            "" if point["converged"] else "not converged",
        )
        for point in found["points"]
    ]
    note = "Each row is a fit of its own, begun where that of its neighbour ended; all other weights stay."
    return table(f"Weight of the target {found['target']}", tuple(columns), rows, note)


def trade_off_figure(found: dict[str, Any]) -> Figure | None:
    """Return the L-curve: the deviation of one target against that of all others, by the factor on its weight."""
    points = [p for p in found["points"] if _finite(p["others"]) and _finite(p["rms"][found["target"]])]
    if len(points) < 2:
        return None
    others = np.array([p["others"] for p in points])
    own = np.array([p["rms"][found["target"]] for p in points])
    name = found["target"]
    root = drawing(
        _WIDTH,
        _HEIGHT,
        f"Trade-off of the target {name}: its deviation against that of all other targets, for weights from "
        f"{_factor(points[0]['factor'])} to {_factor(points[-1]['factor'])} times its own.",
    )
    x_log, y_log = _logarithmic(others), _logarithmic(own)
    low, high = _limits(own, y_log)
    y = Scale(low, high, _HEIGHT - 44.0, 24.0, logarithmic=y_log)
    left = 12.0 + LETTER * max((len(text) for _, text in y.ticks), default=0) if y_log else room_for_labels(low, high)
    x = Scale(*_limits(others, x_log), max(52.0, left), _WIDTH - 46.0, logarithmic=x_log)
    axes(root, x, y, "RMS of all other targets / tolerances", f"RMS of {name} / {found['unit']}")
    curve(root, x(others), y(own), "curve final")
    at_own = np.array([p["factor"] == 1.0 for p in points])
    marks(root, x(others[~at_own]), y(own[~at_own]), "ring", "final")
    marks(root, x(others[at_own]), y(own[at_own]), "dot", "final")
    for point, across, up in zip(points, x(others), y(own), strict=True):
        label(root, float(across) + 6.0, float(up) - 5.0, f"×{_factor(point['factor'])}")
    caption = (
        f"Each point is a fit with the weight of {name} times the factor beside it; filled: the fit of this report. "
        "Near the bend, one target improves as far as it can before the others pay for it."
    )
    return Figure(f"Weight of the target {name}", drawn_text(root), caption)


def _finite(value: float | None) -> bool:
    return value is not None and bool(np.isfinite(value))


def _logarithmic(values: Float[np.ndarray, " points"]) -> bool:
    return bool(values.min() > 0.0 and values.max() > _WIDE * values.min())


def _limits(values: Float[np.ndarray, " points"], logarithmic: bool) -> tuple[float, float]:
    low, high = float(values.min()), float(values.max())
    if logarithmic:
        factor = (high / low) ** 0.08
        return low / factor, high * factor
    margin = 0.08 * ((high - low) or abs(high) or 1.0)
    return low - margin, high + margin
