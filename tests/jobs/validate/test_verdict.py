"""Thresholds: what is not known meets none, and files that ask for nonsense are refused."""

from dataclasses import replace

import pytest

from forgefield.errors import InputError
from forgefield.jobs.validate.thresholds_file import read_thresholds
from forgefield.jobs.validate.verdict import Thresholds
from forgefield.report.student.findings import Criterion


@pytest.mark.parametrize(
    ("value", "limit", "upwards", "met"),
    [
        (1.0, 1.0, False, True),
        (1.1, 1.0, False, False),
        (1.0, 1.0, True, True),
        (0.9, 1.0, True, False),
        (float("nan"), 1.0, False, False),
        (float("nan"), 1.0, True, False),
    ],
)
def test_a_threshold_is_met_by_what_is_known(value, limit, upwards, met):
    assert Criterion("energy", "", limit, value, "meV", upwards).met is met


def test_thresholds_come_in_other_units_too(tmp_path):
    file = tmp_path / "thresholds.toml"
    file.write_text('[thresholds]\nforce = "1 kcal/mol/Å"\nkinks = 0\nstability = 1.0\n')

    found = read_thresholds(file)

    assert found.force == pytest.approx(43.364, rel=1e-4)
    assert replace(found, force=None) == Thresholds(kinks=0, stability=1.0)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[thresholds]\n", "asks for nothing"),
        ("[thresholds]\nforces = 10.0\n", "forces"),
        ("[thresholds]\nforce = -1.0\n", "force"),
        ("[thresholds]\nstability = 2.0\n", "stability"),
    ],
)
def test_thresholds_that_make_no_sense_are_refused(tmp_path, text, said):
    (tmp_path / "thresholds.toml").write_text(text)

    with pytest.raises(InputError, match=said):
        read_thresholds(tmp_path / "thresholds.toml")
