from contextlib import nullcontext
from dataclasses import replace

import numpy as np
import pytest

from forgefield import units
from forgefield.errors import ConvergenceError, InputError
from forgefield.molecules.molecule import Molecule

xtb = pytest.importorskip("forgefield.engines.qm.xtb", reason="tblite is not installed", exc_type=ImportError)

ENGINES = [xtb.XTB(method) for method in xtb.METHODS]


@pytest.fixture
def fluoromethane():
    positions = [[0.0, 0.0, 0.0], [0.0, 0.0, 1.39], [1.03, 0.0, -0.36], [-0.51, 0.89, -0.36], [-0.51, -0.89, -0.4]]
    return Molecule(name="CH3F", species=np.array([6, 9, 1, 1, 1]), positions=np.array(positions))


@pytest.fixture
def direction(generator):
    vector = generator.normal(size=(5, 3))
    return vector / np.linalg.norm(vector)


def energies(engine, molecule, direction, step):
    """Energies at -step, 0 and +step."""
    ways = (replace(molecule, positions=molecule.positions + s * direction) for s in (-step, 0.0, step))
    return [engine.evaluate(way).energy for way in ways]


def extrapolated(difference, step):
    """Richardson: what central differences tend to, from two steps whose errors are 4 : 1."""
    return (4.0 * difference(0.5 * step) - difference(step)) / 3.0


@pytest.mark.parametrize("engine", ENGINES, ids=xtb.METHODS)
def test_gradient_is_the_slope_of_the_energy(engine, fluoromethane, direction):
    def slope(step):
        behind, _, ahead = energies(engine, fluoromethane, direction, step)
        return (ahead - behind) / (2.0 * step)

    gradient = np.sum(engine.evaluate(fluoromethane).gradient * direction)

    np.testing.assert_allclose(extrapolated(slope, 0.01), gradient, atol=1e-5)
    np.testing.assert_allclose((slope(0.02) - gradient) / (slope(0.01) - gradient), 4.0, rtol=0.01)


def test_gradients_around_a_geometry_are_those_that_start_afresh(fluoromethane, direction):
    engine = ENGINES[1]
    there = fluoromethane.positions + 0.01 * direction

    found, gradient = engine.around(fluoromethane)

    assert found.energy == pytest.approx(engine.evaluate(fluoromethane).energy, abs=1e-9)
    expected = engine.evaluate(replace(fluoromethane, positions=there)).gradient
    # Twice: the second does not start from the first.
    for _ in range(2):
        np.testing.assert_allclose(gradient(there), expected, atol=1e-4)


def test_hessian_is_symmetric_and_does_not_change_under_translation(fluoromethane):
    hessian = xtb.XTB().hessian(fluoromethane)

    np.testing.assert_array_equal(hessian, hessian.T)
    np.testing.assert_allclose(hessian.reshape(15, 5, 3).sum(axis=1), 0.0, atol=2e-6 * units.HARTREE_PER_BOHR2)


@pytest.mark.parametrize("engine", ENGINES, ids=xtb.METHODS)
def test_hessian_is_the_curvature_of_the_energy(engine, fluoromethane, direction):
    def curvature(step):
        behind, here, ahead = energies(engine, fluoromethane, direction, step)
        return (ahead - 2.0 * here + behind) / step**2

    hessian = engine.hessian(fluoromethane)

    np.testing.assert_allclose(
        extrapolated(curvature, 0.02), direction.ravel() @ hessian @ direction.ravel(), rtol=1e-5
    )


def test_charge_and_unpaired_electrons_reach_the_program(water, hydroxyl):
    cation = replace(water, charge=1, multiplicity=2)
    quartet = replace(hydroxyl, multiplicity=4)

    ionisation = xtb.XTB().evaluate(cation).energy - xtb.XTB().evaluate(water).energy
    excitation = xtb.XTB().evaluate(quartet).energy - xtb.XTB().evaluate(hydroxyl).energy

    assert ionisation > 0.3 * units.HARTREE
    assert excitation > 0.1 * units.HARTREE


def test_unknown_method_is_refused():
    with pytest.raises(InputError, match="'GFN3-xTB' is no method of tblite here; use GFN1-xTB or GFN2-xTB"):
        xtb.XTB("GFN3-xTB")


def test_elements_without_parameters_are_listed(water):
    with pytest.raises(InputError, match=r"water\.xyz: GFN2-xTB has no parameters for Pu, U"):
        xtb.XTB().check(replace(water, species=np.array([92, 94, 2])))


def test_failure_of_the_program_is_told_with_its_words(water):
    coincident = replace(water, positions=np.zeros((3, 3)))

    with pytest.raises(ConvergenceError, match=r"water\.xyz: the GFN2-xTB computation failed \(Too close interatomic"):
        xtb.XTB().evaluate(coincident)


@pytest.mark.parametrize(("most", "wanted"), [(8, 1 + 200 // 40), (2, 2)])
def test_threads_are_as_many_as_a_molecule_has_work_for(most, wanted, fluoromethane, monkeypatch):
    class Threads:
        given = ()

        def limit(self, limits):
            self.given = (*self.given, limits)
            return nullcontext()

    threads, engine = Threads(), ENGINES[1]
    monkeypatch.setattr(xtb, "_threads", lambda: (threads, most))
    one = engine._calculator(fluoromethane)
    monkeypatch.setattr(one, "singlepoint", lambda *_, **__: xtb.Result())
    forty = Molecule(name="many", species=np.tile(fluoromethane.species, 40), positions=np.zeros((200, 3)))

    for molecule in (fluoromethane, forty):
        engine._computed(molecule, one)

    assert threads.given == (1, wanted)
