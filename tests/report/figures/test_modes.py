"""What figures mark and say of a molecule's modes, by hand."""

from xml.etree import ElementTree as ET

import pytest

from certain import known
from forgefield.report.figures.modes import modes_figure


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
