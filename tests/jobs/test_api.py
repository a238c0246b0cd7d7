"""What the command line can do, ten lines of Python can do."""

import json
import subprocess
import sys
from importlib.metadata import version

import jax
import numpy as np
import pytest
from threadpoolctl import ThreadpoolController

import forgefield as ff
from forgefield import api
from samples import BONDED, CH3F, FORCES, FREQUENCIES, STAGGERED, fit_toml

FIT = fit_toml(CH3F, forcefield=BONDED, targets=FREQUENCIES + FORCES, fit="prior = { strength = 0.01 }")


def test_ten_lines_of_python_estimate_write_fit_and_convert(project):
    path = project(FIT)
    folder = path.parent

    ((molecule, reference),) = ff.read(folder / "ch3f.json")
    estimated = ff.estimate([folder / "ch3f.json"], form="harmonic")
    ff.write(folder / "estimated.frcmod", estimated)
    outcome = ff.fit(path, folder / "run", starts=2)
    ff.write(folder / "ch3f.xyz", [(molecule, reference)], drop=["Hessian", "frequencies", "bonds"])

    results = json.loads((folder / "run/results.json").read_text())
    assert outcome.record.results["fit"]["success"]
    assert results["metrics"]["final"]["frequency_rmsd_cm1"] < results["metrics"]["start"]["frequency_rmsd_cm1"]
    assert "C4-F1" in (folder / "estimated.frcmod").read_text()
    ((read_back, _),) = ff.read(folder / "ch3f.xyz")
    np.testing.assert_allclose(read_back.positions, reference.positions, atol=1e-8)


def test_every_name_is_there():
    assert dir(ff) == sorted([*api.__all__, "__version__"])
    assert all(getattr(ff, name) is getattr(api, name) for name in api.__all__)
    assert ff.__version__ == version("forgefield")
    with pytest.raises(AttributeError, match="module 'forgefield' has no attribute 'nothing'"):
        ff.nothing  # noqa: B018 - access is what is tested


def test_importing_the_package_imports_nothing_heavy():
    code = "import forgefield, sys; print(sorted({'jax', 'numpy', 'pydantic', 'rdkit'} & set(sys.modules)))"

    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert result.stdout.strip() == "[]"


def test_single_precision_is_refused(tmp_path):
    with jax.enable_x64(False), pytest.raises(ff.ForgeFieldError, match=r'jax_enable_x64", True'):
        ff.evaluate(tmp_path / "mm3.fld", [tmp_path / "one.mae"])


def test_calls_leave_the_threads_of_the_process_as_they_were(tmp_path):
    with ThreadpoolController().limit(limits=2):
        before = ThreadpoolController().info()
        with pytest.raises(ff.InputError, match="no such file"):
            ff.evaluate(tmp_path / "nowhere.fld", [tmp_path / "one.mae"])

        assert ThreadpoolController().info() == before


UNGUARDED = """
import jax

jax.config.update("jax_enable_x64", True)
import forgefield as ff

print("once")
outcome = ff.fit("FIT.toml", "out", validate=ff.Validation(samples=2, workers=2))
print(outcome.record.results["validation"]["message"])
"""


@pytest.mark.slow
def test_script_that_validates_is_not_run_again_by_its_processes(project):
    folder = project(FIT.replace("[targets]", f"{STAGGERED}{CH3F}[targets]")).parent
    (folder / "script.py").write_text(UNGUARDED)

    done = subprocess.run(
        [sys.executable, "script.py"], cwd=folder, check=False, capture_output=True, text=True, timeout=300
    )

    assert done.stdout.splitlines() == ["once", "5 of 5 refits came to an end."], done.stderr
