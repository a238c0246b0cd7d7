"""Time against quality: which pairs no other pair beats in both."""

from xml.etree import ElementTree as ET

import numpy as np
from jaxtyping import Bool, Float

from forgefield.report.bench.bench_tables import short_name
from forgefield.report.bench.results import Bench, Row
from forgefield.report.figures.axes import LETTER, Scale, axes, curve, drawing, label
from forgefield.report.figures.figure import Figure, drawn_text
from forgefield.report.numerals import significant, visible

_WIDTH, _HEIGHT = 720, 380
_LEFT = 74.0
"""Where the axis of costs is."""
_WIDE = 5.0
"""Costs whose values differ by a larger factor are on a logarithmic axis."""
_LINE = 13.0
"""Between lines of text."""


def pareto_figure(bench: Bench) -> Figure | None:
    """Return cost against the time of a run; None where fewer than two pairs have both."""
    rows = [row for row in bench.done if _known(row)]
    if len(rows) < 2:
        return None
    time = np.array([max(row.run_s or 0.0, 1e-4) for row in rows])
    cost = np.array([row.cost for row in rows], dtype=float)
    best = front(time, cost)
    logarithmic = bool(cost.min() > 0.0 and cost.max() > _WIDE * cost.min())
    names = [short_name(row, bench) for row in rows]
    root = drawing(_WIDTH, _HEIGHT, "Cost against time of each pair of solver and engine.")
    x = Scale(time.min() / 1.6, time.max() * 1.6, _LEFT, _WIDTH - 150.0, logarithmic=True)
    y = Scale(*_limits(cost, logarithmic), _HEIGHT - 44.0, 24.0, logarithmic=logarithmic)
    axes(root, x, y, "run, s", "cost at the end")
    order = np.flatnonzero(best)[np.argsort(time[best])]
    curve(root, x(time[order]), y(cost[order]), "curve final")
    for row, across, up, on_front, name in zip(rows, x(time), y(cost), best, names, strict=True):
        _mark(
            root,
            float(across),
            float(up),
            bool(on_front),
            f"{name}: {significant(row.cost, 6)}, {visible(row.run_s, 3)} s",
        )
    _labels(root, x(time), y(cost), names, first=best)
    caption = (
        "Filled: no other pair is both faster and better. Time: the run without compiling; a pair's name and figures "
        "show where the pointer rests on its mark."
    )
    return Figure("Time against quality", drawn_text(root), caption)


def front(time: Float[np.ndarray, " pairs"], cost: Float[np.ndarray, " pairs"]) -> Bool[np.ndarray, " pairs"]:
    """Return which pairs no other one beats in time and cost both."""
    beaten = (time[None] <= time[:, None]) & (cost[None] <= cost[:, None])
    better = (time[None] < time[:, None]) | (cost[None] < cost[:, None])
    return np.logical_not(np.any(beaten & better, axis=1))


def _known(row: Row) -> bool:
    return row.run_s is not None and row.cost is not None and bool(np.isfinite(row.cost))


def _limits(values: Float[np.ndarray, " pairs"], logarithmic: bool) -> tuple[float, float]:
    low, high = float(values.min()), float(values.max())
    if logarithmic:
        factor = (high / low) ** 0.06
        return low / factor, high * factor
    margin = 0.06 * ((high - low) or abs(high) or 1.0)
    return low - margin, high + margin


def _mark(root: ET.Element, x: float, y: float, filled: bool, told: str) -> None:
    kind = "dot-of-front final" if filled else "ring start"
    point = ET.SubElement(root, "circle", {"class": kind, "cx": f"{x:.1f}", "cy": f"{y:.1f}", "r": "3.4"})
    ET.SubElement(point, "title").text = told


def _labels(
    root: ET.Element,
    x: Float[np.ndarray, " pairs"],
    y: Float[np.ndarray, " pairs"],
    names: list[str],
    *,
    first: Bool[np.ndarray, " pairs"],
) -> None:
    """Name the marks, those of the front first, wherever there is room for a name."""
    boxes = [(a - 4.0, b - 4.0, a + 4.0, b + 4.0) for a, b in zip(x.tolist(), y.tolist(), strict=True)]
    for k in np.argsort(~first, kind="stable"):
        own, width = boxes[k], LETTER * len(names[k])
        for right, down in ((7.0, 4.0), (7.0, -7.0), (7.0, 15.0), (-7.0 - width, 4.0), (-7.0 - width, -7.0)):
            left, base = float(x[k]) + right, float(y[k]) + down
            box = (left, base - _LINE + 3.0, left + width, base + 3.0)
            others = [one for one in boxes if one is not own]
            if (
                not any(_overlap(box, one) for one in others)
                and left > _LEFT
                and box[2] < _WIDTH
                and base < _HEIGHT - 46.0
            ):
                label(root, left, base, names[k])
                boxes.append(box)
                break


def _overlap(one: tuple[float, ...], other: tuple[float, ...]) -> bool:
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]
