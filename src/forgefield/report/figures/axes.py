"""A small plot in scalable vector graphics: scales, ticks, axes and marks, styled by the page's style sheet."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal
from xml.etree import ElementTree as ET

import numpy as np
from jaxtyping import Float

from forgefield.report.numerals import fixed, power_of_ten, significant

Mark = Literal["dot", "ring"]
LETTER = 6.6
"""Mean width of a letter in the figures' text."""
_ENLARGED = 1.1
"""Where there is room."""
_RADIUS = 2.5
_TICK = 4
_SMALL, _LARGE = 1e-4, 1e5
_FEW_DECADES, _MANY_DECADES = 2.5, 7.0


@dataclass(frozen=True)
class Scale:
    """Maps an interval of values, or of their logarithms, onto an interval of the drawing."""

    low: float
    high: float
    begin: float
    end: float
    logarithmic: bool = False
    step: float | None = None
    """Between ticks, where it is not to be chosen."""

    def __call__(self, values: Float[np.ndarray, "*values"]) -> Float[np.ndarray, "*values"]:
        """Return places in the drawing."""
        low, high, at = self.low, self.high, values
        if self.logarithmic:
            low, high, at = math.log10(low), math.log10(high), np.log10(at)
        return self.begin + (self.end - self.begin) * (at - low) / (high - low)

    def at(self, value: float) -> float:
        """Return the place of one value."""
        return float(self(np.array([value]))[0])

    @property
    def ticks(self) -> list[tuple[float, str]]:
        """Round values inside the interval and their labels."""
        return log_ticks(self.low, self.high) if self.logarithmic else linear_ticks(self.low, self.high, step=self.step)


def linear_ticks(low: float, high: float, n: int = 5, step: float | None = None) -> list[tuple[float, str]]:
    """Return about n multiples of 1, 2 or 5 times a power of ten in an interval, or those of `step`."""
    rough = (high - low) / n
    power = math.floor(math.log10(rough))
    step = step or next(s * 10.0**power for s in (1, 2, 5, 10) if s * 10.0**power >= rough * 0.999)
    places = step * np.arange(math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9) + 1)
    decimals = max(0, -math.floor(math.log10(step) + 1e-9))
    return [(float(place), fixed(round(float(place), decimals), decimals)) for place in places]


def log_ticks(low: float, high: float) -> list[tuple[float, str]]:
    """Return powers of ten in an interval, with 2 and 5 times each where there are few, else round values."""
    powers = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    decades = math.log10(high / low)
    stride = max(1, math.ceil(decades / _MANY_DECADES))
    factors = (1.0, 2.0, 5.0) if decades < _FEW_DECADES else (1.0,)
    places = [f * 10.0**p for p in powers if p % stride == 0 for f in factors]
    inside = [place for place in places if low <= place <= high]
    if len(inside) < 2:
        return linear_ticks(low, high)
    if len(factors) > 1 or (low > _SMALL and high < _LARGE):
        return [(place, significant(place, 1)) for place in inside]
    return [(place, power_of_ten(round(math.log10(place)))) for place in inside]


def drawing(width: int, height: int, description: str) -> ET.Element:
    """Return an empty drawing with what a screen reader says of it."""
    size = {"viewBox": f"0 0 {width} {height}", "width": _at(_ENLARGED * width), "height": _at(_ENLARGED * height)}
    return ET.Element("svg", {"role": "img", "aria-label": description, **size})


def label(parent: ET.Element, x: float, y: float, text: str, **attributes: str) -> None:
    """Write text at a place of the drawing."""
    ET.SubElement(parent, "text", {"x": _at(x), "y": _at(y), **attributes}).text = text


def line(parent: ET.Element, start: tuple[float, float], end: tuple[float, float], kind: str) -> None:
    """Draw a straight line of a kind that the style sheet knows."""
    (x1, y1), (x2, y2) = start, end
    ET.SubElement(parent, "path", {"class": kind, "d": f"M{_at(x1)} {_at(y1)}L{_at(x2)} {_at(y2)}"})


def axes(parent: ET.Element, x: Scale, y: Scale, x_label: str, y_label: str) -> None:
    """Draw a frame, grid lines, tick labels and axis labels."""
    x_axis(parent, x, (y.begin, y.end), x_label)
    for value, text in y.ticks:
        at = y.at(value)
        line(parent, (x.begin, at), (x.end, at), "grid")
        label(parent, x.begin - _TICK - 2, at + 4, text, **{"text-anchor": "end"})
    line(parent, (x.begin, y.begin), (x.begin, y.end), "axis")
    label(parent, 2.0, y.end - 10, y_label, **{"class": "axis-label"})


def x_axis(parent: ET.Element, x: Scale, height: tuple[float, float], text: str) -> None:
    """Draw a horizontal axis at the bottom of (bottom, top), with grid lines up to the top."""
    bottom, top = height
    for value, tick in x.ticks:
        at = x.at(value)
        line(parent, (at, bottom), (at, top), "grid")
        label(parent, at, bottom + _TICK + 11, tick, **{"text-anchor": "middle"})
    line(parent, (x.begin, bottom), (x.end, bottom), "axis")
    label(parent, (x.begin + x.end) / 2, bottom + 34, text, **{"text-anchor": "middle", "class": "axis-label"})


def marks(
    parent: ET.Element, x: Float[np.ndarray, " points"], y: Float[np.ndarray, " points"], mark: Mark, kind: str
) -> None:
    """Draw points in drawing coordinates as one path: dots by round line ends, rings by arcs."""
    r = _RADIUS
    shape = "h0" if mark == "dot" else f"m{-r} 0a{r} {r} 0 1 0 {2 * r} 0a{r} {r} 0 1 0 {-2 * r} 0"
    path = "".join(f"M{_at(a)} {_at(b)}{shape}" for a, b in zip(x.tolist(), y.tolist(), strict=True))
    if path:
        ET.SubElement(parent, "path", {"class": f"{mark} {kind}", "d": path})


def curve(parent: ET.Element, x: Float[np.ndarray, " points"], y: Float[np.ndarray, " points"], kind: str) -> None:
    """Draw a line through points in drawing coordinates."""
    path = "L".join(f"{_at(a)} {_at(b)}" for a, b in zip(x.tolist(), y.tolist(), strict=True))
    ET.SubElement(parent, "path", {"class": kind, "d": f"M{path}"})


def area(parent: ET.Element, x: Float[np.ndarray, " corners"], y: Float[np.ndarray, " corners"], kind: str) -> None:
    """Fill a polygon in drawing coordinates."""
    path = "L".join(f"{_at(a)} {_at(b)}" for a, b in zip(x.tolist(), y.tolist(), strict=True))
    ET.SubElement(parent, "path", {"class": kind, "d": f"M{path}Z"})


def sticks(parent: ET.Element, x: Float[np.ndarray, " sticks"], heights: tuple[float, float], kind: str) -> None:
    """Draw vertical lines between two heights as one path."""
    bottom, top = heights
    if path := "".join(f"M{_at(a)} {_at(bottom)}V{_at(top)}" for a in x.tolist()):
        ET.SubElement(parent, "path", {"class": kind, "d": path})


def cells(parent: ET.Element, boxes: Float[np.ndarray, "boxes 4"], opacity: float) -> None:
    """Fill boxes (left, top, right, bottom) with one shade."""
    path = "".join(f"M{_at(a)} {_at(b)}H{_at(c)}V{_at(d)}H{_at(a)}Z" for a, b, c, d in boxes.tolist())
    if path:
        ET.SubElement(parent, "path", {"class": "cell", "fill-opacity": f"{opacity:.3g}", "d": path})


def legend(parent: ET.Element, right: float, height: float, entries: Sequence[tuple[str, Mark, str]]) -> None:
    """Draw the key of names, marks and kinds, about flush right."""
    at = right
    for text, mark, kind in reversed(entries):
        at -= LETTER * len(text)
        label(parent, at, height, text)
        marks(parent, np.array([at - 9.0]), np.array([height - 4.0]), mark, kind)
        at -= 30.0


def _at(place: float) -> str:
    return f"{place:.1f}".removesuffix(".0")
