"""What figures mark and say of a molecule's modes, by hand."""

import re
from xml.etree import ElementTree as ET

import pytest

from certain import known
from forgefield.report.figures.modes import modes_figure, spectrum_figure


@pytest.fixture
def figure():
    """Five modes, of which three overlap by more than a half; the reaction mode is left out."""
    overlaps = (0.99, 0.51, 0.5, 0.1, 0.8, 0.9)
    modes = [
        {"qm": 500.0 * k, "mm": 500.0 * k + 4.0 * k, "overlap": o, "start": 500.0 * k} for k, o in enumerate(overlaps)
    ]
    return modes_figure({"name": "m", "frequencies": modes, "reaction_mode": 0})


def test_modes_that_overlap_by_more_than_a_half_are_dots_and_the_others_rings(figure):
    marks = {path.get("class"): known(path.get("d")).count("M") for path in ET.fromstring(figure.svg).iter("path")}

    assert (marks.get("dot final"), marks.get("ring final")) == (3, 2)
    assert figure.caption == "5 modes, 3 overlap by more than 0.5; largest deviation 20.0 cm⁻¹."


def test_axis_of_deviations_holds_twice_the_tolerance_with_a_band_of_it():
    modes = [{"qm": 500.0 * k, "mm": 500.0 * k + 0.5, "overlap": 1.0, "start": 500.0 * k} for k in range(3)]

    figure = known(modes_figure({"name": "m", "frequencies": modes}, 20.0))

    labels = [text.text for text in ET.fromstring(figure.svg).iter("text")]
    assert "40" in labels
    assert figure.caption.endswith("Band: ± 20 cm⁻¹.")
    band = next(p for p in ET.fromstring(figure.svg).iter("path") if p.get("class") == "band")
    # The drawing holds ± 40 cm⁻¹ from a height of 24 down to 146.
    assert {float(y) for y in re.findall(r" ([\d.]+)", known(band.get("d")))} == {54.5, 115.5}


def test_spectrum_has_a_stick_for_each_mode_of_the_three_without_the_reaction_mode():
    modes = [{"qm": 100.0 * k, "mm": 110.0 * k, "start": 90.0 * k, "overlap": 1.0} for k in range(1, 6)]

    figure = known(spectrum_figure({"name": "m", "frequencies": modes, "reaction_mode": 4}))

    sticks = {p.get("class"): p.get("d") for p in ET.fromstring(figure.svg).iter("path") if p.get("d")}
    assert {kind: known(sticks[f"stick {kind}"]).count("M") for kind in ("start", "reference", "final")} == {
        "start": 4,
        "reference": 4,
        "final": 4,
    }
    assert spectrum_figure({"name": "m", "frequencies": []}) is None
