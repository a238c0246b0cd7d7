"""The QM data that are shipped with the examples; `make_data.sh` beside them makes them."""

import runpy
from pathlib import Path

import numpy as np
import pytest

from certain import known
from forgefield import units
from forgefield.io.qm.qcschema import read_qcschema
from forgefield.io.sources import stem
from forgefield.io.structures.xyz import read_xyz
from forgefield.properties.modes import vibrations

EXAMPLES = Path(__file__).parents[2] / "examples"
ORDERS = {
    "ch3f/ch3f": 0,
    "butane/butane": 0,
    "ethane/staggered": 0,
    "ethane/eclipsed": 1,
    "sn2/ch3f": 0,
    "sn2/saddle": 1,
}


@pytest.mark.parametrize(("name", "order"), ORDERS.items())
def test_shipped_reference_is_a_stationary_point_of_its_order(name, order):
    part = read_qcschema(EXAMPLES / f"{name}.json")

    frequencies = vibrations(known(part.hessian), known(part.positions), known(part.masses)).frequencies
    assert np.abs(known(part.gradient)).max() < 5e-6 * units.HARTREE_PER_BOHR
    assert (part.stationary_order, int((frequencies < 0.0).sum())) == (order, order)
    np.testing.assert_allclose(frequencies, known(part.frequencies), atol=1e-6)


@pytest.mark.parametrize("name", ORDERS)
def test_shipped_reference_is_of_the_starting_structure_beside_it(name):
    part = read_qcschema(EXAMPLES / f"{name}.json")
    (start,) = read_xyz(EXAMPLES / f"{name}.xyz")

    assert part.level == ("GFN2-xTB" if name.startswith("butane") else "B3LYP/6-31+G(d)")
    assert (part.charge, part.multiplicity) == (start.charge, start.multiplicity)
    np.testing.assert_array_equal(part.species, start.species)
    np.testing.assert_allclose(known(part.positions), known(start.positions), atol=0.05)


@pytest.fixture(scope="module")
def benchmark():
    return runpy.run_path(str(EXAMPLES.parent / "benchmarks/molecules.py"))


def test_the_benchmark_of_molecules_has_its_cases_and_a_structure_and_a_reference_for_each(benchmark):
    cases, sets = benchmark["CASES"], benchmark["SETS"]
    timed = runpy.run_path(str(EXAMPLES.parent / "benchmarks/first_result.py"))["SIZES"]

    used = {name for names in cases.values() for name in names}
    used |= {name for names in timed.values() for name in names if name is not None}
    assert (len(cases) - len(sets), len(sets), min(len(cases[name]) for name in sets)) == (64, 12, 2)
    assert {path.stem for path in benchmark["EXAMPLES"].glob("*.xyz")} == used
    assert sorted(stem(path) for path in benchmark["EXAMPLES"].glob("*.json*")) == sorted(used)


def test_the_molecules_of_the_benchmark_are_stationary_points_of_their_order(benchmark):
    saddles = {*benchmark["KINDS"]["saddles"].split(), "ethane-eclipsed"}

    for path in benchmark["EXAMPLES"].glob("*.json*"):
        part = read_qcschema(path)
        frequencies = vibrations(known(part.hessian), known(part.positions), known(part.masses)).frequencies
        assert part.level == "GFN2-xTB"
        assert (frequencies < 0.0).sum() == part.stationary_order == (stem(path) in saddles), path.name
        assert np.abs(known(part.gradient)).max() < 5e-5 * units.HARTREE_PER_BOHR, path.name


def test_the_benchmark_counts_what_keeps_within_its_limits(benchmark):
    figures = dict.fromkeys(benchmark["LIMITS"], 1e-3) | {"converged": True, "physical": True}
    worse = figures | {"matched_cm1": 90.0, "physical": False, "left_out": []}
    left_out = {"unseen": 0, "left_out_cm1": 30.0, "fitted_cm1": 20.0}
    found = {"a": figures, "b": worse, "c": figures | {"left_out": [left_out, left_out | {"left_out_cm1": 31.0}]}}

    told = benchmark["summary"](found)

    assert (told["converged"], told["converged_and_physical"], told["transferred"]) == (3, 2, "1 of 2")
    assert (told["within"]["matched_cm1"], told["not_converged_or_unphysical"]) == ("2 of 3", ["b"])
    assert benchmark["table"](found).splitlines()[3].startswith("| b | yes | no | 90 |")


def test_shipped_fluoromethane_agrees_with_another_program(data):
    part = read_qcschema(EXAMPLES / "ch3f/ch3f.json")

    # Psi4 with a fitted density and another grid.
    np.testing.assert_allclose(known(part.energy) / units.HARTREE, -139.751112913417, atol=5e-5)
    np.testing.assert_allclose(known(part.frequencies), np.loadtxt(data / "ch3f/ch3f-frequencies.txt"), atol=0.5)
