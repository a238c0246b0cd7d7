"""A figure of a report: a drawing with a title and a caption."""

from dataclasses import dataclass
from xml.etree import ElementTree as ET

from forgefield.report.figures.axes import LETTER, linear_ticks


@dataclass(frozen=True)
class Figure:
    """A drawing and the sentence under it."""

    title: str
    svg: str
    caption: str


def room_for_labels(low: float, high: float) -> float:
    """Return how much room the labels of a vertical axis need."""
    return max(52.0, 12.0 + LETTER * max((len(text) for _, text in linear_ticks(low, high)), default=0))


def drawn_text(root: ET.Element) -> str:
    """Return a drawing as text."""
    return ET.tostring(root, encoding="unicode")
