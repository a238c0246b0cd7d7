"""Torsion profiles: the energies of relaxed scans by the angles that were held."""

from itertools import pairwise
from typing import Any
from xml.etree import ElementTree as ET

import numpy as np
from jaxtyping import Float

from forgefield.report.figures.axes import LETTER, Scale, axes, cells, curve, drawing, label, legend, marks
from forgefield.report.figures.figure import Figure, drawn_text, room_for_labels
from forgefield.report.numerals import fixed, plural

_WIDTH, _HEIGHT = 440, 300
_TURN = 60.0
"""Degrees between ticks of a wide scan."""
_MAP = 300
_KEY = 34.0
"""Room for the key beside a map."""
_LEVELS = 16
"""Shades of a map."""
_CURVES = ("qm", "QM", "reference"), ("start", "start", "start"), ("mm", "final", "final")
"""Key, name and style of the energies of a scan."""


def scan_figures(scan: dict[str, Any]) -> tuple[Figure, ...]:
    """Return energy against angle for one dihedral, a map of each of QM, start and final for two.

    More dihedrals are shown by the number of the point. Nothing is drawn where no energy is known.
    """
    angles, energies = _points(scan)
    if not np.isfinite(energies["qm"]).any():
        return ()
    if len(scan["dihedrals"]) == 2:
        return tuple(
            _map(scan, name, angles, energies, key) for key, name, _ in _CURVES if np.isfinite(energies[key]).any()
        )
    across = angles[:, 0] if len(scan["dihedrals"]) == 1 else np.arange(1.0, len(angles) + 1.0)
    x_label = f"{_named(scan)[0]} / °" if len(scan["dihedrals"]) == 1 else "point"
    return (_profile(scan, across, x_label, energies),)


def _named(scan: dict[str, Any]) -> list[str]:
    return ["-".join(map(str, atoms)) for atoms in scan["dihedrals"]]


def _points(
    scan: dict[str, Any],
) -> tuple[Float[np.ndarray, "points dihedrals"], dict[str, Float[np.ndarray, " points"]]]:
    points = scan["points"]
    energies = {key: np.array([p[key] for p in points], dtype=float) for key, _, _ in _CURVES}
    return np.array([p["angles"] for p in points], dtype=float), energies


def _highest(energies: dict[str, Float[np.ndarray, " points"]]) -> float:
    return max(float(np.nanmax(energies["qm"])), float(np.nanmax(energies["mm"], initial=0.0)), 1e-6)


def _deviation(energies: dict[str, Float[np.ndarray, " points"]]) -> str:
    """Say how far the model is from the reference, before and after."""
    said = []
    for key, name, _ in _CURVES[1:]:
        if np.isfinite(energies[key]).any():
            said.append(f"{name} {_rmsd(energies[key], energies['qm'])}")
    return f"RMSD / kcal/mol: {', '.join(said)}." if said else ""


def _rmsd(energy: Float[np.ndarray, " points"], qm: Float[np.ndarray, " points"]) -> str:
    return fixed(float(np.sqrt(np.nanmean((energy - qm) ** 2))), 2)


def _profile(
    scan: dict[str, Any],
    across: Float[np.ndarray, " points"],
    x_label: str,
    energies: dict[str, Float[np.ndarray, " points"]],
) -> Figure:
    shown = np.concatenate([e[np.isfinite(e)] for e in energies.values()])
    margin = 0.05 * (float(np.ptp(shown)) or 1.0)
    low, high = float(shown.min()) - margin, float(shown.max()) + margin
    wide = 0.02 * (float(np.ptp(across)) or 1.0)
    step = _TURN if x_label.endswith("°") and np.ptp(across) > 2.0 * _TURN else None
    x = Scale(across.min() - wide, across.max() + wide, room_for_labels(low, high), _WIDTH - 10.0, step=step)
    y = Scale(low, high, _HEIGHT - 44.0, 26.0)
    title = f"{scan['name']}, dihedral {', '.join(_named(scan))}"
    root = drawing(_WIDTH, _HEIGHT, f"Energy of the scan {title}: reference, and the model before and after the fit.")
    axes(root, x, y, x_label, "energy / kcal/mol")
    for key, _, kind in reversed(_CURVES):
        known = np.isfinite(energies[key])
        if kind != "reference":
            curve(root, x(across[known]), y(energies[key][known]), f"curve {kind}")
        marks(root, x(across[known]), y(energies[key][known]), "ring" if kind == "start" else "dot", kind)
    legend(root, x.end, 12.0, [(name, "ring" if kind == "start" else "dot", kind) for _, name, kind in _CURVES])
    return Figure(title, drawn_text(root), f"{plural(len(across), 'point')}. {_deviation(energies)}".strip())


def _map(
    scan: dict[str, Any],
    name: str,
    angles: Float[np.ndarray, "points 2"],
    energies: dict[str, Float[np.ndarray, " points"]],
    key: str,
) -> Figure:
    """Return the energy over two angles as shades, from none at zero to full at the highest."""
    energy, highest = energies[key], _highest(energies)
    first, second = _named(scan)
    left = 52.0
    sides = [_edges(np.unique(angles[:, k])) for k in (0, 1)]
    steps = [2.0 * _TURN if edges[-1] - edges[0] > 4.0 * _TURN else None for edges in sides]
    x = Scale(sides[0][0], sides[0][-1], left, _MAP - _KEY - 24.0, step=steps[0])
    y = Scale(sides[1][0], sides[1][-1], _MAP - 58.0, 26.0, step=steps[1])
    title = f"{scan['name']}, {name}"
    root = drawing(_MAP, _MAP - 14, f"Energy of the scan {title} over two dihedrals.")
    level = np.clip(np.round(energy / highest * _LEVELS), 0, _LEVELS)
    corners = [np.searchsorted(np.unique(angles[:, k]), angles[:, k]) for k in (0, 1)]
    boxes = np.stack(
        [x(sides[0][corners[0]]), y(sides[1][corners[1] + 1]), x(sides[0][corners[0] + 1]), y(sides[1][corners[1]])], 1
    )
    for shade in range(_LEVELS + 1):
        cells(root, boxes[level == shade], shade / _LEVELS)
    axes(root, x, y, f"{first} / °", f"{second} / °")
    _shades(root, x.end + 14.0, (y.begin, y.end), highest)
    known = np.isfinite(energy)
    caption = f"{plural(int(known.sum()), 'point')}, highest {fixed(float(energy[known].max()), 1)} kcal/mol."
    if key != "qm":
        caption += f" RMSD {_rmsd(energy, energies['qm'])} kcal/mol."
    return Figure(title, drawn_text(root), caption)


def _edges(values: Float[np.ndarray, " values"]) -> Float[np.ndarray, " edges"]:
    """Return the borders of cells about values."""
    if len(values) == 1:
        return np.array([values[0] - 1.0, values[0] + 1.0])
    inner = np.array([0.5 * (a + b) for a, b in pairwise(values)])
    return np.concatenate([[2.0 * values[0] - inner[0]], inner, [2.0 * values[-1] - inner[-1]]])


def _shades(root: ET.Element, at: float, heights: tuple[float, float], highest: float) -> None:
    """Draw the key of a map's shades."""
    scale = Scale(0.0, highest, *heights)
    step = (heights[0] - heights[1]) / (_LEVELS + 1)
    for shade in range(_LEVELS + 1):
        top = heights[0] - (shade + 1) * step
        cells(root, np.array([[at, top, at + 10.0, top + step]]), shade / _LEVELS)
    for value, text in scale.ticks:
        label(root, at + 13.0, scale.at(value) + 4.0, text)
    label(root, at + 13.0 + LETTER, heights[1] - 10.0, "kcal/mol", **{"text-anchor": "middle"})
