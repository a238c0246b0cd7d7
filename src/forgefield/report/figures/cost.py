"""Figures of the cost: by iteration, and by target."""

import math
from xml.etree import ElementTree as ET

import numpy as np
from jaxtyping import Float

from forgefield.report.figures.axes import LETTER, Scale, axes, curve, drawing, label, legend, line, marks, x_axis
from forgefield.report.figures.figure import Figure, drawn_text
from forgefield.report.numerals import plural, significant

_WIDE = 440
_MARKED = 100
"""Longer curves have no marks."""


def cost_figure(
    costs: Float[np.ndarray, " iterations"], estimate: Float[np.ndarray, " others"] | None = None
) -> Figure | None:
    """Return the cost by iteration on a logarithmic scale; None with fewer than two positive values.

    `costs` are those of the start that ended lowest, `estimate` those of the estimate where that is another.
    """
    curves = [_positive(one) for one in ([costs] if estimate is None else [costs, estimate])]
    if len(curves[0][0]) < 2:
        return None
    curves = [one for one in curves if len(one[0])]
    every, at = np.concatenate([c for _, c in curves]), np.concatenate([i for i, _ in curves])
    spread = max(math.log10(every.max() / every.min()), 0.1)
    low, high = every.min() * 10.0 ** (-0.06 * spread), every.max() * 10.0 ** (0.06 * spread)
    margin = min(0.5, 0.03 * float(np.ptp(at)))
    x = Scale(float(at.min()) - margin, float(at.max()) + margin, 62.0, _WIDE - 12.0)
    y = Scale(float(low), float(high), 216.0, 24.0, logarithmic=True)
    shown = curves[0][1]
    first, last = significant(float(shown[0]), 4), significant(float(shown[-1]), 4)
    description = f"Cost by iteration on a logarithmic scale: {first} after the first, {last} after the last."
    root = drawing(_WIDE, 260, description)
    axes(root, x, y, "iteration", "cost")
    for (iterations, cost), kind, mark in list(zip(curves, ("final", "start"), ("dot", "ring"), strict=False))[::-1]:
        curve(root, x(iterations), y(cost), f"curve {kind}")
        if len(iterations) <= _MARKED:
            marks(root, x(iterations), y(cost), mark, kind)
    said = f"{first} after the first iteration, {last} after the last."
    if len(curves) > 1:
        legend(root, x.end, 12.0, [("from the estimate", "ring", "start"), ("from the best start", "dot", "final")])
        other = significant(float(curves[1][1][-1]), 4)
        said = f"Best start: {said} From the estimate, which tables call the start: {other}."
    dropped = len(costs) - len(shown)
    tail = f" {plural(dropped, 'iteration')} with a cost of zero or none left out." if dropped else ""
    return Figure("Cost by iteration", drawn_text(root), f"{said}{tail}")


def _positive(
    costs: Float[np.ndarray, " iterations"],
) -> tuple[Float[np.ndarray, " known"], Float[np.ndarray, " known"]]:
    """Return the iterations whose costs are positive numbers, counted from 1, and these costs."""
    known = np.isfinite(costs) & (costs > 0.0)
    return np.arange(1.0, len(costs) + 1.0)[known], costs[known]


def contributions_figure(contributions: dict[str, tuple[float, float]]) -> Figure | None:
    """Return each target's contribution to the cost, from start to end, on a logarithmic scale."""
    positive = [value for pair in contributions.values() for value in pair if value > 0.0 and math.isfinite(value)]
    if not positive:
        return None
    left = 16.0 + LETTER * max(len(name) for name in contributions)
    below = 30.0 + 30.0 * len(contributions)
    low, high = min(positive), max(positive)
    factor = 10.0 ** (0.06 * max(math.log10(high / low), 0.5))
    x = Scale(low / factor, high * factor, left, _WIDE - 12.0, logarithmic=True)
    root = drawing(_WIDE, int(below) + 42, "Contribution of each target to the cost before and after the fit.")
    x_axis(root, x, (below, 14.0), "contribution to the cost")
    for row, (name, pair) in enumerate(contributions.items()):
        _contribution(root, x, 32.0 + 30.0 * row, name, pair)
    return Figure("Contributions to the cost", drawn_text(root), "Each target from start to final; zero is not drawn.")


def _contribution(root: ET.Element, x: Scale, height: float, name: str, pair: tuple[float, float]) -> None:
    label(root, x.begin - 8, height + 4, name, **{"text-anchor": "end"})
    places = [x(np.array([v])) if v > 0.0 and math.isfinite(v) else np.empty(0) for v in pair]
    if all(place.size for place in places):
        line(root, (float(places[0][0]), height), (float(places[1][0]), height), "change")
    for place, mark, kind in zip(places, ("ring", "dot"), ("start", "final"), strict=True):
        marks(root, place, np.full(place.shape, height), mark, kind)
