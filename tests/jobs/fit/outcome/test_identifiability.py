"""What is said of parameters by name."""

import numpy as np

from forgefield.jobs.fit.outcome.identifiability import sensitivities


def test_the_most_sensitive_parameter_stands_first_and_one_without_a_slope_last():
    rows = sensitivities(np.array([[0.0, 1.0, 0.0], [1.0, 4.0, 1.0], [2.0, -1.0, 2.0]]), ("a", "b", "c"))

    assert [(row.name, row.ratio, row.chosen) for row in rows] == [("c", -0.25, 2), ("b", 4.0, 1), ("a", None, 0)]


def test_a_solver_that_chose_nothing_has_no_sensitivities():
    assert sensitivities(None, ("a",)) == []
