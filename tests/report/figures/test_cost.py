"""The cost by iteration: of the best start, and of the estimate where that is another."""

from xml.etree import ElementTree as ET

import numpy as np

from certain import known
from forgefield.report.figures.cost import cost_figure


def test_estimate_is_drawn_beside_the_best_start():
    best, estimate = np.array([9.0, 3.0, 1.0]), np.array([8.0, 4.0, 3.0, 2.0])

    figure = known(cost_figure(best, estimate))

    marks = {p.get("class"): known(p.get("d")).count("M") for p in ET.fromstring(figure.svg).iter("path")}
    # One more of each in the key.
    assert {kind: marks[kind] for kind in ("curve final", "curve start")} == {"curve final": 1, "curve start": 1}
    assert figure.caption == (
        "Best start: 9.000 after the first iteration, 1.000 after the last. "
        "From the estimate, which tables call the start: 2.000."
    )


def test_one_curve_where_the_estimate_is_best_and_none_of_one_point():
    figure = known(cost_figure(np.array([9.0, 3.0, 1.0])))

    assert "curve start" not in figure.svg
    assert figure.caption == "9.000 after the first iteration, 1.000 after the last."
    assert cost_figure(np.array([np.nan, 1.0]), np.array([3.0, 2.0])) is None
