"""What the command line can do, ten lines of Python can do."""

import json
import shutil
import subprocess
import sys
from contextlib import ExitStack
from importlib.metadata import version
from pathlib import Path

import numpy as np
import pytest
from threadpoolctl import ThreadpoolController

import forgefield as ff
from forgefield import api
from forgefield.jobs.threads import ONE_THREAD_A_MATRIX
from samples import BONDED, CH3F, FORCES, FREQUENCIES, STAGGERED, fit_toml

SOURCE = Path(ff.__file__).parents[1]

FIT = fit_toml(CH3F, forcefield=BONDED, targets=FREQUENCIES + FORCES, fit="prior = { strength = 0.01 }")


@pytest.mark.slow
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
    assert "1c-1f" in (folder / "estimated.frcmod").read_text()
    ((read_back, _),) = ff.read(folder / "ch3f.xyz")
    np.testing.assert_allclose(read_back.positions, reference.positions, atol=1e-8)


@pytest.mark.slow
def test_script_of_a_user_has_types_and_runs(project):
    folder = project(FIT).parent
    shutil.copy(Path(__file__).parent / "user_script.py", folder)
    strict = {"typeCheckingMode": "strict", "include": ["user_script.py"], "extraPaths": [str(SOURCE)]}
    (folder / "pyrightconfig.json").write_text(json.dumps(strict))
    pyright = Path(sys.executable).with_name("pyright")
    if pyright.exists():
        checked = subprocess.run(
            [pyright, "--pythonpath", sys.executable, "-p", folder], check=False, capture_output=True, text=True
        )
        assert checked.returncode == 0, checked.stdout

    done = subprocess.run([sys.executable, "user_script.py"], cwd=folder, check=False, capture_output=True, text=True)

    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("EstimatedForceField(harmonic, 8 parameters from ch3f)\nOutcome(converged, ")
    assert (folder / "fitted.frcmod").read_text() == (folder / "run/forcefield.frcmod").read_text()


def test_every_name_is_there():
    assert dir(ff) == sorted([*api.__all__, "__version__"])
    assert all(getattr(ff, name) is getattr(api, name) for name in api.__all__)
    assert ff.__version__ == version("forgefield")
    assert ff.__all__ == api.__all__
    with pytest.raises(AttributeError, match="module 'forgefield' has no attribute 'nothing'"):
        ff.nothing  # noqa: B018 - access is what is tested


WRONG = [
    ("ff.load(3)", "path is the path of a file (str or pathlib.Path), not the int 3"),
    ("ff.read(None)", "path is the path of a file (str or pathlib.Path), not None"),
    ("ff.read(['a.xyz', 'b.xyz'])", "path is the path of a file (str or pathlib.Path), not the list"),
    ("ff.estimate(3.5)", "files are the paths of one or more files (str or pathlib.Path), not the float 3.5"),
    ("ff.estimate([])", "files are empty; give the path of at least one file"),
    ("ff.estimate(['a.fchk', None])", "each of files is the path of a file"),
    ("ff.evaluate(ff.Molecule, 'a.xyz')", "force_field is the path of a file"),
    ("ff.evaluate('a.fld', 'a.xyz', cutoff='far')", "cutoff is a number, not the str 'far'"),
    ("ff.relax('a.fld', 'a.xyz', max_iterations=0.5)", "max_iterations is a whole number from 1 on, not 0.5"),
    ("ff.relax('a.fld', 'a.xyz', tolerance=None)", "tolerance is a number, not None"),
    ("ff.modes('a.fld', 1)", "file is the path of a file"),
    ("ff.fit({})", "files are empty; give the path of at least one file"),
    ("ff.fit('FIT.toml', starts='many')", "starts is a number, not the str 'many'"),
    ("ff.fit('FIT.toml', validate=5)", "validate is True, False or a Validation, not the int 5"),
    ("ff.fit('FIT.toml', trade_off=[1])", "trade_off is a word or words, not the int 1"),
    ("ff.md('a.fld', 'a.xyz', 'b.xyz', 100)", "settings are DynamicsSettings, not the int 100"),
    ("ff.diff('a.fld', 2)", "new is the path of a file"),
    ("ff.write(1, [])", "path is the path of a file"),
    ("ff.write('a.xml', 'b.xml')", "what is written is what `estimate` or `fit` returned, or structures as"),
    ("ff.write('a.xyz', [1])", "what is written is what `estimate` or `fit` returned, or structures as"),
    ("ff.ForgeFieldCalculator(None)", "a force field is a file, the folder of a fit, "),
]
TRY = """
import json, sys
import forgefield as ff

for call in json.loads(sys.argv[1]):
    try:
        eval(call)
    except ff.InputError as error:
        print(json.dumps(str(error)))
"""


@pytest.fixture(scope="module")
def complaints():
    """What calls with arguments of the wrong kind say, in a process whose functions are not checked by the tests."""
    calls = json.dumps([call for call, _ in WRONG])

    done = subprocess.run([sys.executable, "-c", TRY, calls], check=False, capture_output=True, text=True)

    assert done.returncode == 0, done.stderr
    return dict(zip((call for call, _ in WRONG), map(json.loads, done.stdout.splitlines()), strict=True))


@pytest.mark.parametrize(("call", "said"), WRONG)
def test_argument_of_the_wrong_kind_is_named(complaints, call, said):
    assert said in complaints[call]
    assert "\n" not in complaints[call]


def test_one_path_stands_for_a_list_of_one(project):
    path = project(FIT).parent / "ch3f.json"

    one, same = ff.estimate(str(path)), ff.estimate([path])

    assert [p.value for p in one.parameters] == [p.value for p in same.parameters]
    assert [molecule.name for molecule in one.molecules] == ["ch3f"]


def test_what_is_read_has_names_and_a_table(project):
    structures = ff.read(project(FIT).parent / "ch3f.json")

    assert repr(structures[0].molecule) == "Molecule('ch3f', CH3F, charge 0, multiplicity 1)"
    assert repr(structures[0].reference) == (
        "Reference(5 atoms, energy, gradient, Hessian, frequencies at B3LYP/6-31+G(d))"
    )
    assert "ch3f       CH3F         5      0       0             1        −87695.1295" in str(structures)
    assert '<td style="text-align: left">CH3F</td>' in structures._repr_html_()


def test_importing_the_package_imports_nothing_heavy():
    code = "import forgefield, sys; print(sorted({'jax', 'numpy', 'pydantic', 'rdkit'} & set(sys.modules)))"

    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert result.stdout.strip() == "[]"


def test_calls_leave_the_threads_of_the_process_as_they_were(tmp_path):
    with ThreadpoolController().limit(limits=2):
        before = ThreadpoolController().info()
        with pytest.raises(ff.InputError, match="no such file"):
            ff.evaluate(tmp_path / "nowhere.fld", [tmp_path / "one.mae"])

        assert ThreadpoolController().info() == before


def test_threads_are_shared_until_the_last_of_overlapping_calls_is_over():
    with ThreadpoolController().limit(limits=2):
        before = ThreadpoolController().info()
        first, second = ExitStack(), ExitStack()

        first.enter_context(ONE_THREAD_A_MATRIX)
        second.enter_context(ONE_THREAD_A_MATRIX)
        first.close()
        meanwhile = ThreadpoolController().info()
        second.close()

        assert {library["num_threads"] for library in meanwhile if library["user_api"] == "blas"} == {1}
        assert ThreadpoolController().info() == before


def test_force_fields_say_in_one_line_what_they_are(project):
    folder = project(FIT).parent
    estimated = ff.estimate(folder / "ch3f.json")
    for name in ("ch3f.fld", "ch3f.frcmod"):
        ff.write(
            folder / name, estimated if name.endswith("fld") else ff.estimate(folder / "ch3f.json", form="harmonic")
        )

    assert repr(estimated) == "EstimatedForceField(mm3, 8 parameters from ch3f)"
    assert repr(estimated.assignment) == "Assignment(4 rows over 1 molecule(s) of 5 atoms)"
    assert repr(estimated.force_field) == "TypedRules(the force field: 2 stretch, 2 bend rows)"
    assert repr(ff.load(folder / "ch3f.frcmod")) == f"TypedRules({folder / 'ch3f.frcmod'}: 2 stretch, 2 bend rows)"
    assert repr(ff.load(folder / "ch3f.fld")).startswith(f"Mm3Rules({folder / 'ch3f.fld'}: ")
    evaluated = ff.evaluate(folder / "ch3f.fld", folder / "ch3f.json")
    assert repr(evaluated) == f"Evaluated(ch3f {evaluated.energies[0]:.4f}; energies in kcal/mol)"
    assert repr(ff.modes(folder / "ch3f.fld", folder / "ch3f.json")).startswith("Vibrations(9 modes, ")


UNGUARDED = """
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
