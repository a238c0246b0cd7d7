"""Torsion profiles: a curve for one dihedral, maps for two."""

import re
from xml.etree import ElementTree as ET

import numpy as np

from certain import known
from forgefield.report.figures.profiles import scan_figures


def scan(angles: list[list[float]], qm: list[float], start: list[float | None], mm: list[float | None]) -> dict:
    points = [
        {"molecule": "m", "angles": a, "qm": q, "start": s, "mm": m}
        for a, q, s, m in zip(angles, qm, start, mm, strict=True)
    ]
    quads = [[1, 2, 3, 4], [2, 3, 4, 5], [3, 4, 5, 6]][: len(angles[0])]
    return {"name": "butane", "dihedrals": quads, "relaxed": False, "points": points}


def drawn(svg: str, kind: str) -> str:
    return " ".join(known(p.get("d")) for p in ET.fromstring(svg).iter("path") if kind in known(p.get("class")).split())


def test_profile_draws_every_point_of_the_three_and_tells_their_deviations():
    angles = [[0.0], [60.0], [120.0], [180.0]]

    (figure,) = scan_figures(scan(angles, [3.0, 1.0, 2.0, 0.0], [1.0, 3.0, 0.0, 2.0], [3.0, 1.0, 2.2, None]))

    # Marks begin with M; a curve begins with one more, and there is one in the key.
    n = {kind: drawn(figure.svg, kind).count("M") for kind in ("reference", "start", "final")}
    assert n == {"reference": 5, "start": 6, "final": 5}
    assert figure.title == "butane, dihedral 1-2-3-4"
    assert figure.caption == "4 points. RMSD / kcal/mol: start 2.00, final 0.12."
    assert ">1-2-3-4 / °<" in figure.svg


def test_two_dihedrals_are_maps_of_one_scale():
    angles = [[a, b] for a in (0.0, 120.0, 240.0) for b in (0.0, 120.0)]
    qm = [0.0, 1.0, 2.0, 3.0, 4.0, 8.0]

    figures = scan_figures(scan(angles, qm, [0.0] * 6, [0.0, 1.0, 2.0, 3.0, 4.0, 4.0]))

    assert [figure.title for figure in figures] == ["butane, QM", "butane, start", "butane, final"]
    assert figures[0].caption == "6 points, highest 8.0 kcal/mol."
    assert figures[2].caption == "6 points, highest 4.0 kcal/mol. RMSD 1.63 kcal/mol."
    shades = [darkest(figure.svg) for figure in figures]
    np.testing.assert_allclose(shades, [1.0, 0.0, 0.5])


def darkest(svg: str) -> float:
    """The fullest shade of a cell of the map; those of the key are ten wide."""
    cells = [p for p in ET.fromstring(svg).iter("path") if p.get("class") == "cell"]
    wide = []
    for cell in cells:
        left, right = re.findall(r"^M([\d.]+) [\d.]+H([\d.]+)", known(cell.get("d")))[0]
        wide += [float(known(cell.get("fill-opacity")))] if float(right) - float(left) > 20.0 else []
    return max(wide)


def test_three_dihedrals_are_drawn_by_point_and_nothing_without_energies():
    angles = [[0.0, 0.0, 0.0], [0.0, 0.0, 60.0]]

    (figure,) = scan_figures(scan(angles, [0.0, 1.0], [0.0, 1.0], [0.0, 1.0]))

    assert ">point<" in figure.svg
    assert scan_figures(scan(angles, [np.nan, np.nan], [0.0, 1.0], [0.0, 1.0])) == ()
