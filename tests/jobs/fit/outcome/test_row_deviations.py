"""Rows that make relaxed structures deviate: fluoromethane with a C-F length that is wrong and not trained."""

import shutil
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest

from certain import known
from forgefield.fitting.judge.relaxed_metrics import RelaxedJudge
from forgefield.jobs.fit.outcome.row_deviations import held_back, row_deviations
from forgefield.jobs.fit.plan.prepare import prepare
from forgefield.jobs.fit.plan.starting import with_values
from forgefield.report.structures import rows_table
from samples import HARMONIC, fit_toml, molecule

CH3F = Path(__file__).parents[4] / "examples/ch3f/ch3f.json"
TOO_LONG = 0.03


@pytest.fixture(scope="module")
def prepared(tmp_path_factory):
    folder = tmp_path_factory.mktemp("rows")
    shutil.copy(CH3F, folder)
    trained = f'{HARMONIC}train = ["stretch C1-H1", "bend*"]'
    text = fit_toml(molecule("ch3f"), forcefield=trained, targets="bond_length = { tolerance = 0.01 }")
    (folder / "FIT.toml").write_text(text)
    return prepare(folder / "FIT.toml")


@pytest.fixture(scope="module")
def found(prepared):
    values = np.array(prepared.start)
    (row,) = (row for row in prepared.assignment.rows if row.name == "stretch C1-F1")
    values[row.indices[1]] += TOO_LONG
    model = with_values(prepared.assignment, values).model
    return row_deviations(prepared, RelaxedJudge()(model, prepared.data, prepared.examples))


def test_the_row_that_is_wrong_comes_first_with_its_deviation(found):
    first = found[0]

    assert (first.row, first.unit, first.interactions, first.trained) == ("stretch C1-F1", "Å", 1, False)
    # Nothing holds the bond back, but for forces of angles that are not at rest.
    assert first.mean == pytest.approx(TOO_LONG, abs=1e-3)
    assert first.rmsd == pytest.approx(abs(first.mean))


def test_all_bonds_and_angles_are_counted_in_their_units(found):
    counts = {one.row: (one.interactions, one.unit, one.trained) for one in found}

    assert counts == {
        "stretch C1-F1": (1, "Å", False),
        "stretch C1-H1": (3, "Å", True),
        "bend F1-C1-H1": (3, "°", True),
        "bend H1-C1-H1": (3, "°", True),
    }
    assert [one.kind for one in found] == ["stretch", "stretch", "bend", "bend"]


def test_rows_that_are_not_trained_are_named_with_what_trains_them(prepared, found):
    (said,) = held_back(prepared, found)

    assert "squared deviations of bonds at relaxed structures is in rows that are not trained" in said
    assert "stretch C1-F1 (mean +0.030 Å)" in said
    assert 'add "stretch C1-F1" to [forcefield] train' in said


def test_nothing_is_said_where_little_deviates(prepared):
    start = RelaxedJudge()(prepared.assignment.model, prepared.data, prepared.examples)

    assert not held_back(prepared, row_deviations(prepared, start))


def test_the_report_lists_them(found):
    shown = rows_table({"row_deviations": [asdict(one) for one in found]})

    assert [group.title for group in known(shown).groups] == ["Bonds, Å", "Angles, °"]
    assert known(shown).groups[0].rows[0] == ("stretch C1-F1", "1", "0.0300", "0.0300", "kept")
    assert rows_table({"row_deviations": []}) is None
