"""What is said of parameters by name."""

from types import SimpleNamespace

import numpy as np
import pytest

from forgefield.jobs.fit.outcome.identifiability import sensitivities


@pytest.fixture
def passed():
    """A pass of three variables whose derivatives are these."""

    def made(sensitivity):
        return SimpleNamespace(fit=SimpleNamespace(sensitivity=sensitivity), changes=SimpleNamespace(leaders="abc"))

    return made


def test_the_most_sensitive_parameter_stands_first_and_one_without_a_slope_last(passed):
    rows = sensitivities(passed(np.array([[0.0, 1.0, 0.0], [1.0, 4.0, 1.0], [2.0, -1.0, 2.0]])))

    assert [(row.name, row.ratio, row.chosen) for row in rows] == [("c", -0.25, 2), ("b", 4.0, 1), ("a", None, 0)]


def test_a_solver_that_chose_nothing_has_no_sensitivities(passed):
    assert sensitivities(passed(None)) == []
