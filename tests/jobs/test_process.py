"""The library asks nothing of its process, changes nothing in it, and computes as the command line does."""

import json
import subprocess
import sys

import numpy as np
import pytest

from forgefield import units
from samples import BONDED, CH3F, FORCES, FREQUENCIES, fit_toml

FIT = fit_toml(CH3F, forcefield=BONDED, targets=FREQUENCIES + FORCES)
SCRIPT = """
import gc, json, os, signal, sys, warnings
import ase.io
import jax
import scipy.linalg
from threadpoolctl import ThreadpoolController

def state():
    return {
        "signals": {n: str(signal.getsignal(n)) for n in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)},
        "collector": (gc.isenabled(), *gc.get_threshold(), gc.get_freeze_count()),
        "environment": dict(os.environ),
        "folder": os.getcwd(),
        "jax": {name: str(value) for name, value in jax.config.values.items()},
        "precision": jax.config.jax_enable_x64,
        "hooks": [str(hook) for hook in (sys.excepthook, sys.unraisablehook, warnings.showwarning)],
        "main": id(sys.modules["__main__"]),
        "threads": [(one["filepath"], one["num_threads"]) for one in ThreadpoolController().info()],
    }

before = state()
import forgefield as ff

outcome = ff.fit("FIT.toml", "run")
atoms = ase.io.read("displaced.xyz")
atoms.calc = ff.ForgeFieldCalculator("run")
found = {
    "parameters": [p.value for p in outcome.parameters],
    "energies": ff.evaluate("run", "displaced.xyz").energies.tolist(),
    "modes": ff.modes("run", "displaced.xyz").frequencies.tolist(),
    "relaxed": [one.energy for one in ff.relax("run", "displaced.xyz")],
    "calculator": [atoms.get_potential_energy(), *atoms.get_forces().ravel().tolist()],
}
after = state()
print(json.dumps([found, {name: (before[name], after[name]) for name in before if before[name] != after[name]}]))
"""
MOVED = """5

C 0.00 0.00 0.02
F 0.00 0.05 1.40
H 1.03 0.00 -0.35
H -0.52 0.90 -0.33
H -0.50 -0.91 -0.36
"""


@pytest.fixture(scope="module")
def used(project):
    """What a script found that used the library in single precision, what it changed, and where."""
    folder = project(FIT).parent
    (folder / "displaced.xyz").write_text(MOVED)

    done = subprocess.run([sys.executable, "-c", SCRIPT], cwd=folder, check=False, capture_output=True, text=True)

    assert done.returncode == 0, done.stderr
    found, changed = json.loads(done.stdout.splitlines()[-1])
    return folder, found, changed


@pytest.mark.slow
def test_using_the_library_changes_nothing_in_the_process(used):
    _, _, changed = used

    assert changed == {}


@pytest.mark.slow
def test_a_fit_without_double_precision_is_that_of_the_command_line(used):
    folder, found, _ = used
    words = ["fit", "FIT.toml", "--output", "again", "--json"]

    done = subprocess.run(
        [sys.executable, "-m", "forgefield", *words], cwd=folder, check=True, capture_output=True, text=True
    )

    values = [parameter["value"] for parameter in json.loads(done.stdout)["parameters"]]
    np.testing.assert_allclose(found["parameters"], values, rtol=1e-10)


@pytest.mark.slow
def test_calls_without_double_precision_find_what_the_command_line_finds(used, forgefield):
    folder, found, _ = used
    given = folder / "run", folder / "displaced.xyz"

    def run(*words):
        done = forgefield(*words, "--json")
        assert done.exit_code == 0, done.output
        return json.loads(done.stdout)

    total = run("evaluate", *given)["structures"][0]["total"]
    np.testing.assert_allclose(found["energies"], total * units.KILOJOULE, rtol=1e-10)
    np.testing.assert_allclose(found["modes"], run("modes", *given)["frequencies_cm1"], rtol=1e-10)
    relaxed = run("relax", *given, "--output", folder / "relaxed")["structures"][0]["energy_kcal_mol"]
    np.testing.assert_allclose(found["relaxed"], relaxed, rtol=1e-10)
    forces = np.ravel(run("evaluate", *given, "--forces")["forces_kcal_mol_a"])
    np.testing.assert_allclose(np.array(found["calculator"][1:]) * units.ELECTRONVOLT, forces, rtol=1e-10, atol=1e-10)
