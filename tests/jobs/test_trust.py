"""Results that contradict their job are refused unless they are trusted, which is said and recorded."""

import json
from pathlib import Path
from warnings import catch_warnings, simplefilter

import pytest

from forgefield.errors import InputWarning

CH3F = Path(__file__).parents[2] / "examples/ch3f/ch3f.json"


@pytest.fixture
def contradicting(tmp_path) -> Path:
    """A molecule whose printed frequencies are 30 cm⁻¹ above those of its Hessian."""
    content = json.loads(CH3F.read_text())
    stated = content["extras"]["forgefield"]
    stated["frequencies_cm1"] = [value + 30.0 for value in stated["frequencies_cm1"]]
    path = tmp_path / "ch3f.json"
    path.write_text(json.dumps(content))
    return path


@pytest.fixture(autouse=True)
def shown():
    """Show warnings as the command line does."""
    with catch_warnings():
        simplefilter("default", InputWarning)
        yield


def test_a_conversion_wants_to_be_told(forgefield, contradicting, tmp_path):
    target = tmp_path / "written.json"

    refused = forgefield("convert", contradicting, target)
    trusted = forgefield("convert", contradicting, target, "--trust")

    assert refused.exit_code == 2
    assert "the Hessian contradicts the printed frequencies, by up to 30.00 cm⁻¹" in " ".join(refused.output.split())
    assert trusted.exit_code == 0
    assert "trusted all the same, as asked for" in " ".join(trusted.output.split())
    assert target.is_file()


def test_a_fit_records_what_it_trusted(forgefield, contradicting, tmp_path):
    folder = tmp_path / "fit"

    done = forgefield("fit", contradicting, "-o", folder, "--trust")

    assert done.exit_code == 0, done.output
    warnings = json.loads((folder / "results.json").read_text())["warnings"]
    assert any("trusted all the same, as asked for" in one for one in warnings)
    assert "\ntrust = true" in (folder / "FIT.toml").read_text()


def test_settings_state_for_themselves_what_is_trusted(forgefield):
    refused = forgefield("fit", CH3F.parent / "FIT.toml", "--check", "--trust")

    assert refused.exit_code == 2
    assert "state trust = true there, under the [[molecules]]" in " ".join(refused.output.split())
