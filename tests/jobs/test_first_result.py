"""What a fit compiles: everything once, and nothing again for other numbers in a FIT.toml."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

CH3F = Path(__file__).parents[2] / "examples/ch3f/ch3f.json"
FLUOROFORM = CH3F.parents[1] / "molecules/fluoroform.json"
COUNTED = """
import sys
import jax.monitoring
compiled = []
def count(event, duration, **facts):
    if event.endswith("backend_compile_duration"):
        compiled.append(facts.get("fun_name"))
jax.monitoring.register_event_duration_secs_listener(count)
from forgefield.cli.program import main
try:
    main()
finally:
    print(*compiled, sep="\\n", file=open(sys.argv[sys.argv.index("-o") + 1] + ".compiled", "w"))
"""
SETTINGS = """
[forcefield]
start = "environments"
estimate = "{estimate}"
allow_negative = {free}
[[molecules]]
reference = "{reference}"
weight = {weight}
[targets]
eigenmatrix = {{ tolerance = {tolerance}, weight = {weight}, off_diagonal = {tolerance} }}
forces = {{ tolerance = {tolerance} }}
[fit]
tolerance = {precision}
seed = {seed}
starts = 2
prior = {{ strength = {strength}, k = {strength} }}
"""
FIRST = {
    "estimate": "qfuerza",
    "reference": CH3F.as_posix(),
    "weight": 1.0,
    "tolerance": 20.0,
    "precision": 1e-9,
    "seed": 0,
    "strength": 1.0,
    "free": "[]",
}
OTHERS = {
    "weight": 2,
    "tolerance": 21.5,
    "precision": 1e-7,
    "seed": 3,
    "strength": 0.5,
    "free": '["*"]',
    "estimate": "seminario",
}


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """Fits with some settings in a process of its own; returns what was compiled there, and results.json."""
    place = tmp_path_factory.mktemp("first_result")

    def fitted(name: str, **changed):
        settings = place / f"{name}.toml"
        settings.write_text(SETTINGS.format(**{**FIRST, **changed}))
        arguments = ["fit", str(settings), "-o", str(place / name)]
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("FORGEFIELD_CACHE", str(place / "cache"))
            done = subprocess.run(
                [sys.executable, "-c", COUNTED, *arguments], capture_output=True, text=True, check=False
            )
        assert done.returncode in {0, 1}, done.stderr
        compiled = (place / f"{name}.compiled").read_text().split()
        return compiled, json.loads((place / name / "results.json").read_text())

    return fitted


@pytest.fixture(scope="module")
def first(run):
    return run("first")


@pytest.mark.slow
def test_only_programs_of_whole_functions_are_compiled(first):
    compiled, _ = first

    eager = [name for name in compiled if name.rsplit("_", 1)[0] in {"jit(add", "jit(multiply", "jit(stage"}]
    assert eager == []
    assert all(len(name.rsplit("_", 1)[1]) == len("0123456789abcdef)") for name in compiled)


@pytest.mark.slow
def test_the_same_again_compiles_nothing_and_gives_the_same(first, run):
    compiled, results = run("again")

    assert compiled == []
    assert results["parameters"] == first[1]["parameters"]
    assert results["metrics"] == first[1]["metrics"]


@pytest.mark.slow
def test_another_molecule_of_about_the_size_compiles_nothing(first, run):
    compiled, results = run("fluoroform", reference=FLUOROFORM.as_posix())

    assert compiled == []
    assert results["molecules"] != first[1]["molecules"]


@pytest.mark.slow
def test_other_numbers_compile_nothing(first, run):
    compiled, results = run("others", **OTHERS)

    assert compiled == []
    assert results["parameters"] != first[1]["parameters"]
