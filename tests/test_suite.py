"""What a run of the tests watches over: nothing is skipped where it can be run."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

# Each starts pytest anew.
pytestmark = pytest.mark.slow

TESTS = """
import pytest

def test_that_runs():
    pass

def test_of_real_data(data):
    pass

def test_skipped():
    pytest.skip("for no good reason")

@pytest.mark.gpu
def test_of_a_gpu():
    pytest.skip("there is none")

def test_of_a_browser():
    pytest.skip("no Chromium to show the page with")
"""
OF_AN_EXTRA = """
import pytest

pytest.importorskip("a_module_that_nobody_has")
"""


@pytest.fixture
def run(tmp_path):
    """Runs these tests under the settings of all tests, with these variables, and returns what is printed."""
    (tmp_path / "tests").mkdir()
    (tmp_path / "tests/test_some.py").write_text(TESTS)
    (tmp_path / "tests/test_extra.py").write_text(OF_AN_EXTRA)
    shutil.copy(Path(__file__).with_name("conftest.py"), tmp_path / "tests")

    def run(**variables):
        clean = {k: v for k, v in os.environ.items() if k not in ("CI", "FORGEFIELD_DATA") and "PYTEST" not in k}
        command = [sys.executable, "-m", "pytest", "-rA", "-p", "no:cacheprovider", "-o", "markers=gpu: needs a GPU"]
        command.append("--continue-on-collection-errors")
        ended = subprocess.run(
            command, cwd=tmp_path, env=clean | variables, check=False, capture_output=True, text=True, timeout=300
        )
        return ended.stdout + ended.stderr

    return run


def test_skips_are_failures_in_ci_where_the_data_are(run, tmp_path):
    said = run(CI="true", FORGEFIELD_DATA=str(tmp_path))

    assert "ERROR tests/test_extra.py" in said
    assert "FAILED tests/test_some.py::test_skipped" in said
    assert "a skip is a failure in CI. Skipped: for no good reason" in said
    assert "1 failed, 2 passed, 2 skipped, 1 error" in said


def test_ci_without_the_data_says_so_loudly(run):
    said = run(CI="true")

    assert "NOT TESTED ON REAL DATA" in said
    assert "1 passed, 5 skipped" in said


def test_a_skip_is_none_of_a_developers_failures(run, tmp_path):
    said = run(FORGEFIELD_DATA=str(tmp_path))

    assert "NOT TESTED" not in said
    assert "2 passed, 4 skipped" in said


def test_data_that_are_not_where_they_are_said_to_be_are_an_error(run, tmp_path):
    assert "FORGEFIELD_DATA=" in run(FORGEFIELD_DATA=str(tmp_path / "nowhere"))
