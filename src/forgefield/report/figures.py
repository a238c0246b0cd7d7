"""The figures of a fit's report, as inline SVG."""

import math
from dataclasses import dataclass
from typing import Any
from xml.etree import ElementTree as ET

import numpy as np
from jaxtyping import Bool, Float

from forgefield.report.axes import Scale, axes, curve, drawing, label, line, linear_ticks, marks, x_axis
from forgefield.report.numerals import fixed, plural, significant
from forgefield.report.record import Parity

_WIDTH = 360
_WIDE = 440
_SIMILAR = 0.5
LETTER = 6.6
"""Mean width of a letter in the figures' text."""
_SMALLEST_SPAN = 2.0
"""cm⁻¹ on either side that a figure of deviations shows at least."""


@dataclass(frozen=True)
class Figure:
    """A drawing and the sentence under it."""

    title: str
    svg: str
    caption: str


def parity_figure(parity: Parity) -> Figure | None:
    """Return reference against model, before and after the fit; None without finite values.

    The axes hold all reference and final values. Values of the start far outside are left out and counted.
    """
    finite = np.isfinite(parity.reference) & np.isfinite(parity.final)
    if not finite.any():
        return None
    low, high = _limits(parity, finite)
    x = Scale(low, high, room_for_labels(low, high), _WIDTH - 12.0)
    y = Scale(low, high, _WIDTH - 44.0, 24.0)
    root = drawing(
        _WIDTH,
        _WIDTH,
        f"Parity plot of {parity.target}: {plural(int(finite.sum()), 'value')} of the reference against the model "
        "before and after the fit; points on the diagonal agree.",
    )
    axes(root, x, y, f"QM / {parity.unit}", f"MM / {parity.unit}")
    line(root, (x.begin, y.begin), (x.end, y.end), "diagonal")
    inside = np.isfinite(parity.reference) & (parity.start >= low) & (parity.start <= high)
    marks(root, x(parity.reference[inside]), y(parity.start[inside]), "ring", "start")
    marks(root, x(parity.reference[finite]), y(parity.final[finite]), "dot", "final")
    return Figure(parity.target, drawn_text(root), _parity_caption(finite, inside))


def _limits(parity: Parity, finite: Bool[np.ndarray, " values"]) -> tuple[float, float]:
    """Return limits around all reference and final values, widened for the start by half their range at most."""
    shown = np.concatenate([parity.reference[finite], parity.final[finite]])
    low, high = float(shown.min()), float(shown.max())
    span = high - low or abs(high) or 1.0
    before = parity.start[np.isfinite(parity.start)]
    near = before[(before > low - 0.5 * span) & (before < high + 0.5 * span)]
    low, high = float(near.min(initial=low)), float(near.max(initial=high))
    margin = 0.04 * ((high - low) or span)
    return low - margin, high + margin


def room_for_labels(low: float, high: float) -> float:
    """Return how much room the labels of a vertical axis need."""
    return max(52.0, 12.0 + LETTER * max((len(text) for _, text in linear_ticks(low, high)), default=0))


def _parity_caption(finite: Bool[np.ndarray, " values"], inside: Bool[np.ndarray, " values"]) -> str:
    said = [plural(int(finite.sum()), "value")]
    outside = int(np.sum(~inside))
    if outside:
        said.append(f"{plural(outside, 'value')} of the start outside the axes")
    if not finite.all():
        said.append(f"{plural(int(np.sum(~finite)), 'value')} not finite")
    return "; ".join(said) + "."


def cost_figure(costs: Float[np.ndarray, " iterations"]) -> Figure | None:
    """Return the cost by iteration on a logarithmic scale; None with fewer than two positive values."""
    iterations = np.arange(1, len(costs) + 1)
    known = np.isfinite(costs) & (costs > 0.0)
    if known.sum() < 2:
        return None
    shown, at = costs[known], iterations[known].astype(float)
    spread = max(math.log10(shown.max() / shown.min()), 0.1)
    low, high = shown.min() * 10.0 ** (-0.06 * spread), shown.max() * 10.0 ** (0.06 * spread)
    margin = min(0.5, 0.03 * (at[-1] - at[0]))
    x = Scale(at[0] - margin, at[-1] + margin, 62.0, _WIDE - 12.0)
    y = Scale(float(low), float(high), 216.0, 24.0, logarithmic=True)
    first, last = significant(float(shown[0]), 4), significant(float(shown[-1]), 4)
    description = f"Cost by iteration on a logarithmic scale: {first} after the first, {last} after the last."
    root = drawing(_WIDE, 260, description)
    axes(root, x, y, "iteration", "cost")
    curve(root, x(at), y(shown), "curve final")
    if len(at) <= 100:
        marks(root, x(at), y(shown), "dot", "final")
    dropped = int(np.sum(~known))
    tail = f" {plural(dropped, 'iteration')} with a cost of zero or none left out." if dropped else ""
    return Figure(
        "Cost by iteration", drawn_text(root), f"{first} after the first iteration, {last} after the last.{tail}"
    )


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


def modes_figure(molecule: dict[str, Any]) -> Figure | None:
    """Return MM − QM by QM frequency of one molecule, without its reaction mode; None without frequencies."""
    modes = [m for place, m in enumerate(molecule["frequencies"]) if place != molecule.get("reaction_mode")]
    qm, mm, overlap = (np.array([m[name] for m in modes], dtype=float) for name in ("qm", "mm", "overlap"))
    finite = np.isfinite(qm) & np.isfinite(mm)
    if not finite.any():
        return None
    qm, deviation, similar = qm[finite], (mm - qm)[finite], overlap[finite] > _SIMILAR
    reach = 1.1 * max(float(np.abs(deviation).max()), _SMALLEST_SPAN)
    margin = 0.04 * (float(np.ptp(qm)) or 100.0)
    x = Scale(float(qm.min()) - margin, float(qm.max()) + margin, room_for_labels(-reach, reach), _WIDTH - 8.0)
    y = Scale(-reach, reach, 146.0, 24.0)
    largest = fixed(float(np.abs(deviation).max()), 1)
    shared = f"{plural(len(qm), 'mode')}, {int(similar.sum())} overlap by more than {_SIMILAR}"
    description = f"Frequency deviations of {molecule['name']}: {shared}; the largest deviation is {largest} cm⁻¹."
    root = drawing(_WIDTH, 190, description)
    axes(root, x, y, "QM / cm⁻¹", "MM − QM / cm⁻¹")
    line(root, (x.begin, y.at(0.0)), (x.end, y.at(0.0)), "diagonal")
    marks(root, x(qm[~similar]), y(deviation[~similar]), "ring", "final")
    marks(root, x(qm[similar]), y(deviation[similar]), "dot", "final")
    return Figure(molecule["name"], drawn_text(root), f"{shared}; largest deviation {largest} cm⁻¹.")


def drawn_text(root: ET.Element) -> str:
    """Return a drawing as text."""
    return ET.tostring(root, encoding="unicode")
