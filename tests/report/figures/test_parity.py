"""Parity plots: how wide the axes are, the band of the tolerance, and molecules that are left out."""

from xml.etree import ElementTree as ET

import numpy as np

from certain import known
from forgefield.report.figures.parity import parity_figure
from forgefield.report.record import Parity


def forces(**changed) -> Parity:
    """Forces that agree within thousandths of their tolerance."""
    values = np.array([-0.002, 0.0, 0.001])
    told = {"fitted": np.ones(3, dtype=bool), "tolerance": 1.0} | changed
    return Parity("forces", "kcal/mol/Å", values, 2.0 * values, values[::-1], **told)


def texts(svg: str) -> list[float]:
    labels = [known(text.text).replace("−", "-") for text in ET.fromstring(svg).iter("text")]
    return [float(label) for label in labels if label.lstrip("-").replace(".", "").isdigit()]


def test_axes_span_four_tolerances_at_least():
    figure = known(parity_figure(forces()))

    assert (min(texts(figure.svg)), max(texts(figure.svg))) in {(-2.0, 1.0), (-2.0, 2.0), (-1.0, 1.0)}
    assert figure.caption == "3 values. Band: ± 1 kcal/mol/Å, its tolerance."


def test_axes_hold_values_that_are_wider_than_the_tolerance():
    figure = known(parity_figure(forces(tolerance=1e-4)))

    assert max(texts(figure.svg)) < 0.01


def test_band_is_a_tolerance_wide_on_either_side():
    (path,) = [p for p in ET.fromstring(known(parity_figure(forces())).svg).iter("path") if p.get("class") == "band"]

    corners = np.array([[float(a) for a in c.split()] for c in known(path.get("d")).strip("MZ").split("L")])
    # A tolerance is a quarter of the axes, which lie between the first corner and the fourth.
    side = corners[3] - corners[0]
    np.testing.assert_allclose(corners[1] - corners[0], [0.0, side[1] / 4.0], atol=4.0)
    np.testing.assert_allclose(corners[5] - corners[0], [side[0] / 4.0, 0.0], atol=4.0)


def test_molecules_left_out_are_marked_apart_and_counted():
    figure = known(parity_figure(forces(fitted=np.array([True, False, True]), is_target=False)))

    marks = {p.get("class"): known(p.get("d")).count("M") for p in ET.fromstring(figure.svg).iter("path")}
    assert (marks["dot final"], marks["dot left-out"]) == (2, 1)
    assert "1 of molecules left out of the fit" in figure.caption
    assert figure.caption.endswith("the usual tolerance, as it was not fitted to.")
