"""The tables of quality: tolerances, what is worse than at the start, and molecules that are left out."""

import pytest

from certain import known
from forgefield.report.quality import METRICS, metrics_table, molecules_table, targets_table

LABEL = METRICS["frequency_rmsd_cm1"].label


def shown(results: dict, name: str = LABEL) -> tuple[str, ...]:
    return next(row for row in metrics_table(results).groups[0].rows if row[0] == name)


@pytest.mark.parametrize(
    ("after", "cell"),
    [
        pytest.param(210.0, "210.0", id="better"),
        pytest.param(216.0, "216.0", id="worse by less than a tenth of the tolerance"),
        pytest.param(220.0, "▲ 220.0", id="worse by more"),
    ],
)
def test_metric_that_is_worse_by_a_tenth_of_its_tolerance_is_marked(record, after, cell):
    results = record.results
    results["targets"][0]["name"] = "frequencies, relaxed"
    results["metrics"]["final"] = results["metrics"]["final"] | {"frequency_rmsd_cm1": after}

    assert shown(results) == (LABEL, "214.4", cell, "50", "cm⁻¹")
    assert ("▲ worse than at the start." in metrics_table(results).note) == cell.startswith("▲")


def test_what_no_digit_shows_is_not_worse(record):
    results = record.results
    pair = {"start": {"force_max_kcal_mol_a": 0.0001}, "final": {"force_max_kcal_mol_a": 0.003}}

    table = metrics_table(results | {"metrics": pair, "targets": []})

    assert [row[1:3] for row in table.groups[0].rows] == [("0.00010", "0.0030")]


def test_less_overlap_is_worse(record):
    results = record.results
    results["metrics"]["final"] = results["metrics"]["final"] | {"mode_overlap_share": 0.5}

    assert shown(results, METRICS["mode_overlap_share"].label)[2] == "▲ 50.0 %"


def test_molecules_left_out_stand_apart_in_both_tables(record):
    results = record.results
    results["left_out"] = {"start": {"frequency_rmsd_cm1": 99.0}, "final": {"frequency_rmsd_cm1": 77.0}}
    results["molecules"][1]["weight"] = 0.0

    assert shown(results)[1:5] == ("214.4", "32.6", "99.0", "77.0")
    groups = known(molecules_table(results)).groups
    assert [(group.title, [row[0] for row in group.rows]) for group in groups] == [
        ("Fitted to", ["ch3f"]),
        ("Left out of the fit (weight 0)", ["sn2 <saddle> & co"]),
    ]


def test_targets_are_told_in_tolerances_and_marked_where_they_rise(record):
    targets = record.results["targets"]
    targets[2] |= {"rms_start": 1.0, "rms_final": 7.5}

    rows = {row[0]: row for row in known(targets_table(targets)).groups[0].rows}

    assert rows["forces"][1:6] == ("1.000", "▲ 7.500", "1.5", "5", "kcal/mol/Å")
    assert rows["eigenmatrix"][1:4] == ("436.9", "37.01", "0.74")
