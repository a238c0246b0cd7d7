"""What the page says of identifiability and of a validation."""

from dataclasses import fields

import numpy as np
import pytest

from certain import known
from forgefield.fitting.judge.metrics import Metrics
from forgefield.fitting.judge.resampling import improvement
from forgefield.report import statistics
from forgefield.report.fit_report import fit_report

METRICS = tuple(field.name for field in fields(Metrics))


def metrics(value):
    return dict.fromkeys(METRICS) | {"frequency_rmsd_cm1": value}


def told(value, samples):
    found = improvement(value, np.array(samples))
    fields = {name: getattr(found, name) for name in ("value", "low", "high", "n", "verdict", "significance")}
    return dict.fromkeys(("fitted", "left_out", "out_of_bag"), fields)


@pytest.fixture
def validated(record):
    """The record with what a validation of three molecules and an open direction add to it."""
    molecule = {
        "name": "a <b>",
        "converged": False,
        "message": "",
        "unseen": ["stretch C1-F1"],
        "cost": {"start": 2.0, "left_out": 1.25, "fitted": 0.5},
        "start": metrics(80.0),
        "left_out": metrics(40.44),
        "fitted": metrics(20.0),
    }
    interval = {"mean": 41.0, "low": 38.0, "high": 47.0}
    record.results["validation"] = {
        "possible": True,
        "message": "5 of 5 refits came to an end.",
        "verdict": "44.7 ± 0.3 % better: significant",
        "level": 0.95,
        "improvement": {"cost": told(0.447, [0.444, 0.447, 0.45])},
        "leave_one_out": {"molecules": [molecule], **{k: metrics(1.0) for k in ("start", "left_out", "fitted")}},
        "bootstrap": {
            "samples": 2,
            "finished": 2,
            "converged": 2,
            **dict.fromkeys(("fitted", "out_of_bag"), metrics(interval)),
        },
        "jackknife": {
            "message": "",
            "molecules": 5,
            "parameters": [{"name": "x", "unit": "rad", "sigma": np.pi / 180}],
        },
    }
    record.results["identifiability"] = {
        "n_free": 3,
        "n_at_bound": 0,
        "n_values": 9,
        "n_effective": 1.5,
        "singular_values": [2.0, 0.0],
        "condition": None,
        "n_undetermined": 1,
        "n_ruled_by_prior": 0,
        "undetermined": ["u"],
        "n_correlated": 1,
        "directions": [
            {
                "singular_value": 0.0,
                "determined_by": "nothing",
                "combination": [{"name": "u", "coefficient": 0.894}, {"name": "w", "coefficient": -0.447}],
            }
        ],
        "correlation_threshold": 0.95,
        "correlated": [{"first": "u", "second": "w", "correlation": -0.981}],
    }
    return record


def cells(table):
    return [row for group in table.groups for row in group.rows]


def test_open_directions_are_combinations_of_names(validated):
    counts, directions, correlated = statistics.identifiability_tables(validated.results)

    assert ("Condition number", "∞") in cells(counts)
    assert ("0", "nothing", "0.89 u − 0.45 w") in cells(directions)
    assert ("u", "w", "−0.981") in cells(correlated)


def test_what_a_simplex_was_chosen_by_is_a_table_of_its_own(validated):
    rows = [
        {"name": "u", "first": -2.0, "second": 1.0, "ratio": 0.25, "chosen": 4},
        {"name": "w", "first": 0.0, "second": 3.0, "ratio": None, "chosen": 0},
    ]

    *_, table = statistics.identifiability_tables(validated.results | {"sensitivities": rows})

    assert table.title == "Sensitivities"
    assert cells(table) == [("u", "−2.00", "1.00", "0.250", "4"), ("w", "0", "3.00", "—", "0")]


def test_molecules_left_out_stand_beside_the_fit_of_all(validated):
    improvements, left_out, samples = statistics.validation_tables(validated.results)

    assert cells(improvements) == [("Cost", *3 * ("44.7 ± 0.3 % better: significant",))]
    assert cells(left_out)[0] == ("a <b>", "2.000", "1.250", "0.5000", "40.4", "20.0", "1", "not converged")
    assert cells(samples) == [("Frequency RMSD", "cm⁻¹", *2 * ("41.0 (38.0 to 47.0)",))]


def test_jackknife_is_in_degrees_for_angles_and_labelled(validated):
    table = statistics.jackknife_table(validated.results)

    assert known(table).title == "Standard deviations by the delete-one-molecule jackknife"
    assert cells(table) == [("x", "°", "1.0", "—")]


def test_page_shows_the_verdict_and_escapes_names(validated):
    page = fit_report(validated)

    assert '<h2 id="validation">Validation</h2>' in page
    assert "44.7 ± 0.3 % better: significant" in page
    assert "a &lt;b&gt;" in page
    assert "Combinations of parameters that the data leave open" in page


def test_page_of_a_fit_without_validation_has_no_such_section(record):
    assert 'id="validation"' not in fit_report(record)
