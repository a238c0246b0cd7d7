"""Reference against model, target by target."""

import numpy as np
from jaxtyping import Bool, Float

from forgefield.report.figures.axes import Scale, area, axes, drawing, line, marks
from forgefield.report.figures.figure import Figure, drawn_text, room_for_labels
from forgefield.report.numerals import plural
from forgefield.report.record import Parity

_WIDTH = 360
_TOLERANCES = 4.0
"""Axes span at least so many tolerances, so that what is within them looks like it."""


def parity_figure(parity: Parity) -> Figure | None:
    """Return reference against model, before and after the fit; None without finite values.

    The axes hold all reference and final values. Values of the start far outside are left out and counted. A band
    shows the tolerance.
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
    area(root, *_band(x, y, parity.tolerance), "band")
    axes(root, x, y, f"QM / {parity.unit}", f"MM / {parity.unit}")
    line(root, (x.begin, y.begin), (x.end, y.end), "diagonal")
    inside = np.isfinite(parity.reference) & (parity.start >= low) & (parity.start <= high)
    marks(root, x(parity.reference[inside]), y(parity.start[inside]), "ring", "start")
    for of, kind in ((parity.fitted, "final"), (~parity.fitted, "left-out")):
        shown = finite & of
        marks(root, x(parity.reference[shown]), y(parity.final[shown]), "dot", kind)
    return Figure(parity.target, drawn_text(root), _caption(parity, finite, inside))


def _limits(parity: Parity, finite: Bool[np.ndarray, " values"]) -> tuple[float, float]:
    """Return limits around all reference and final values, widened for the start by half their range at most.

    They are some tolerances apart, at least.
    """
    shown = np.concatenate([parity.reference[finite], parity.final[finite]])
    low, high = float(shown.min()), float(shown.max())
    span = max(high - low, _TOLERANCES * parity.tolerance)
    before = parity.start[np.isfinite(parity.start)]
    near = before[(before > low - 0.5 * span) & (before < high + 0.5 * span)]
    low, high = float(near.min(initial=low)), float(near.max(initial=high))
    margin = max(0.04 * span, 0.5 * (span - (high - low)))
    return low - margin, high + margin


def _band(x: Scale, y: Scale, width: float) -> tuple[Float[np.ndarray, " corners"], Float[np.ndarray, " corners"]]:
    """Return the corners of what is within `width` of the diagonal, inside the axes."""
    low, high = x.low, x.high
    at = np.array([low, low, high - width, high, high, low + width])
    return x(at), y(np.array([low, low + width, high, high, high - width, low]))


def _caption(parity: Parity, finite: Bool[np.ndarray, " values"], inside: Bool[np.ndarray, " values"]) -> str:
    said = [plural(int(finite.sum()), "value")]
    if left_out := int((finite & ~parity.fitted).sum()):
        said.append(f"{left_out} of molecules left out of the fit")
    outside = int(np.sum(~inside))
    if outside:
        said.append(f"{plural(outside, 'value')} of the start outside the axes")
    if not finite.all():
        said.append(f"{plural(int(np.sum(~finite)), 'value')} not finite")
    whose = "its tolerance" if parity.is_target else "the usual tolerance, as it was not fitted to"
    return f"{'; '.join(said)}. Band: ± {parity.tolerance:g} {parity.unit}, {whose}."
