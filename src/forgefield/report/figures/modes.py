"""Frequencies of one molecule: deviations by frequency, and the spectra as sticks."""

from typing import Any
from xml.etree import ElementTree as ET

import numpy as np
from jaxtyping import Float

from forgefield.report.figures.axes import Scale, area, axes, drawing, label, line, marks, sticks, x_axis
from forgefield.report.figures.figure import Figure, drawn_text, room_for_labels
from forgefield.report.numerals import fixed, plural

_WIDTH = 360
_SIMILAR = 0.5
_SMALLEST_SPAN = 2.0
"""cm⁻¹ on either side that a figure of deviations shows at least."""
_STICK, _LANE, _LEFT = 16.0, 44.0, 40.0
"""Length of a stick, from one spectrum to the next, and room for their names."""


def modes_figure(molecule: dict[str, Any], tolerance: float = 0.0) -> Figure | None:
    """Return MM − QM by QM frequency of one molecule, without its reaction mode; None without frequencies.

    The axis holds at least the tolerance [cm⁻¹], which a band shows.
    """
    modes = _counted(molecule)
    qm, mm, overlap = (np.array([m[name] for m in modes], dtype=float) for name in ("qm", "mm", "overlap"))
    finite = np.isfinite(qm) & np.isfinite(mm)
    if not finite.any():
        return None
    qm, deviation, similar = qm[finite], (mm - qm)[finite], overlap[finite] > _SIMILAR
    reach = max(1.1 * max(float(np.abs(deviation).max()), _SMALLEST_SPAN), 2.0 * tolerance)
    margin = 0.04 * (float(np.ptp(qm)) or 100.0)
    x = Scale(float(qm.min()) - margin, float(qm.max()) + margin, room_for_labels(-reach, reach), _WIDTH - 8.0)
    y = Scale(-reach, reach, 146.0, 24.0)
    largest = fixed(float(np.abs(deviation).max()), 1)
    shared = f"{plural(len(qm), 'mode')}, {int(similar.sum())} overlap by more than {_SIMILAR}"
    description = f"Frequency deviations of {molecule['name']}: {shared}; the largest deviation is {largest} cm⁻¹."
    root = drawing(_WIDTH, 190, description)
    if tolerance > 0.0:
        up, down = y.at(tolerance), y.at(-tolerance)
        area(root, np.array([x.begin, x.end, x.end, x.begin]), np.array([up, up, down, down]), "band")
    axes(root, x, y, "QM / cm⁻¹", "MM − QM / cm⁻¹")
    line(root, (x.begin, y.at(0.0)), (x.end, y.at(0.0)), "diagonal")
    marks(root, x(qm[~similar]), y(deviation[~similar]), "ring", "final")
    marks(root, x(qm[similar]), y(deviation[similar]), "dot", "final")
    band = f" Band: ± {tolerance:g} cm⁻¹." if tolerance > 0.0 else ""
    return Figure(molecule["name"], drawn_text(root), f"{shared}; largest deviation {largest} cm⁻¹.{band}")


def spectrum_figure(molecule: dict[str, Any]) -> Figure | None:
    """Return the spectra of start, QM and final one above another, without the reaction mode; None without any.

    All sticks are equally long, as intensities are not known; a line leads from each mode to its partner.
    """
    modes = _counted(molecule)
    spectra = {
        name: np.array([m[key] for m in modes], dtype=float)
        for name, key in (("start", "start"), ("QM", "qm"), ("final", "mm"))
    }
    known = np.concatenate([values[np.isfinite(values)] for values in spectra.values()])
    if not known.size:
        return None
    margin = 0.03 * (float(np.ptp(known)) or 100.0)
    x = Scale(float(known.min()) - margin, float(known.max()) + margin, _LEFT, _WIDTH - 8.0)
    below = 14.0 + 2.0 * _LANE + _STICK + 6.0
    root = drawing(
        _WIDTH,
        int(below) + 42,
        f"Stick spectra of {molecule['name']}: {plural(len(modes), 'mode')} at the start, of the reference, and after.",
    )
    x_axis(root, x, (below, 10.0), "frequency / cm⁻¹")
    tops = [14.0 + _LANE * lane for lane in range(3)]
    for upper, lower, names in ((0, 1, ("start", "QM")), (1, 2, ("QM", "final"))):
        _partners(root, x, (tops[upper] + _STICK, tops[lower]), *(spectra[name] for name in names))
    for top, (name, values), kind in zip(tops, spectra.items(), ("start", "reference", "final"), strict=True):
        label(root, _LEFT - 8.0, top + 0.5 * _STICK + 4.0, name, **{"text-anchor": "end"})
        sticks(root, x(values[np.isfinite(values)]), (top + _STICK, top), f"stick {kind}")
    return Figure(f"{molecule['name']}, spectra", drawn_text(root), "Lines join the modes that are matched.")


def _partners(
    root: ET.Element,
    x: Scale,
    heights: tuple[float, float],
    above: Float[np.ndarray, " modes"],
    below: Float[np.ndarray, " modes"],
) -> None:
    both = np.isfinite(above) & np.isfinite(below)
    for one, other in zip(x(above[both]), x(below[both]), strict=True):
        line(root, (float(one), heights[0]), (float(other), heights[1]), "partner")


def _counted(molecule: dict[str, Any]) -> list[dict[str, Any]]:
    return [m for place, m in enumerate(molecule["frequencies"]) if place != molecule.get("reaction_mode")]
