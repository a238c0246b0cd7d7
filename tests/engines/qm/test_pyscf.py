from dataclasses import replace

import numpy as np
import pytest

from forgefield import units
from forgefield.errors import ConvergenceError, InputError
from forgefield.molecules.molecule import Molecule

pyscf = pytest.importorskip("forgefield.engines.qm.pyscf", reason="PySCF is not installed", exc_type=ImportError)

STEP = 1e-3 * units.BOHR
HARTREE_FOCK = pyscf.PySCF("hf", "sto-3g")
ENGINES = [HARTREE_FOCK, pyscf.PySCF("b3lyp", "sto-3g")]
NAMES = [engine.level for engine in ENGINES]


def hydrogen(distance):
    return Molecule(name="H2", species=np.array([1, 1]), positions=np.array([[0.0, 0.0, 0.0], [0.0, 0.0, distance]]))


def shifted(molecule, coordinate, step):
    shift = np.zeros(3 * molecule.n_atoms)
    shift[coordinate] = step
    return replace(molecule, positions=molecule.positions + shift.reshape(-1, 3))


def test_energy_of_hydrogen_is_that_of_the_textbook():
    # Szabo and Ostlund, Modern Quantum Chemistry, section 3.5.2: R = 1.4 Bohr, STO-3G with ζ = 1.24.
    energy = HARTREE_FOCK.evaluate(hydrogen(1.4 * units.BOHR)).energy

    np.testing.assert_allclose(energy / units.HARTREE, -1.1167, atol=5e-5)


@pytest.mark.parametrize("engine", ENGINES, ids=NAMES)
def test_gradient_is_the_slope_of_the_energy(engine):
    molecule, step = hydrogen(0.8), 1e-3 * units.BOHR

    ahead, behind = (engine.evaluate(shifted(molecule, 5, s)).energy for s in (step, -step))

    gradient = engine.evaluate(molecule).gradient
    tolerance = 1e-6 * units.HARTREE_PER_BOHR
    np.testing.assert_allclose(gradient[1, 2], (ahead - behind) / (2 * step), atol=tolerance)
    np.testing.assert_allclose(gradient.sum(axis=0), 0.0, atol=1e-9 * units.HARTREE_PER_BOHR)


@pytest.mark.parametrize(("shells", "charge"), [("closed", 0), ("open", 1)])
def test_hessian_is_the_slope_of_the_gradient(water, shells, charge):
    molecule = replace(water, charge=charge, multiplicity=1 + charge)
    columns = []
    for coordinate in range(9):
        ahead, behind = (HARTREE_FOCK.evaluate(shifted(molecule, coordinate, s)).gradient for s in (STEP, -STEP))
        columns.append((ahead - behind).ravel() / (2 * STEP))

    hessian = HARTREE_FOCK.hessian(molecule)

    np.testing.assert_array_equal(hessian, hessian.T)
    np.testing.assert_allclose(hessian, np.stack(columns), atol=1e-5 * units.HARTREE_PER_BOHR2)


def test_hessian_of_a_functional_is_the_slope_of_the_gradient_but_for_the_grid():
    engine, molecule = pyscf.PySCF("b3lyp", "sto-3g"), hydrogen(0.8)

    ahead, behind = (engine.evaluate(shifted(molecule, 5, s)).gradient for s in (STEP, -STEP))
    hessian = engine.hessian(molecule)

    slope = (ahead - behind)[1, 2] / (2 * STEP)
    np.testing.assert_allclose(hessian[5, 5], slope, atol=1e-4 * units.HARTREE_PER_BOHR2)
    np.testing.assert_allclose(hessian.reshape(6, 2, 3).sum(axis=1), 0.0, atol=1e-9)


@pytest.mark.parametrize(("charge", "engine"), [(0, HARTREE_FOCK), (1, HARTREE_FOCK)], ids=["water", "its cation"])
def test_charges_have_the_moments_of_the_density(water, charge, engine):
    molecule = replace(water, charge=charge, multiplicity=1 + charge)

    found = engine.evaluate(molecule)
    charges = engine.charges(molecule, found)

    field = engine._field(molecule, found.density)
    dipole = field.dip_moment(unit="au", verbose=0) * units.BOHR
    assert charges.kind == "esp"
    np.testing.assert_allclose(charges.values.sum(), charge, rtol=0, atol=1e-10)
    np.testing.assert_allclose(charges.values @ molecule.positions, dipole, rtol=0, atol=0.02)


def test_density_of_a_near_geometry_does_not_change_the_result():
    near = HARTREE_FOCK.evaluate(hydrogen(0.75))

    afresh, continued = (HARTREE_FOCK.evaluate(hydrogen(0.8), density) for density in (None, near.density))

    np.testing.assert_allclose(continued.energy, afresh.energy, rtol=1e-10)
    np.testing.assert_allclose(continued.gradient, afresh.gradient, atol=1e-5)


def test_radical_with_degenerate_orbitals_converges(hydroxyl):
    energy = pyscf.PySCF("hf", "6-31G").evaluate(hydroxyl).energy

    assert energy < -75.3 * units.HARTREE


@pytest.mark.parametrize(
    ("basis", "kind"),
    [
        ("6-31+G(d)", "Cartesian"),
        ("6-31g*", "Cartesian"),
        ("631+g*", "Cartesian"),
        ("6_31G*", "Cartesian"),
        ("3-21G", "Cartesian"),
        ("6-311G(d,p)", "pure"),
    ],
)
def test_d_functions_are_those_of_the_published_set(basis, kind):
    assert f"({kind} d functions" in pyscf.PySCF("hf", basis).program


def test_core_potential_comes_with_its_basis_set():
    silver = Molecule(name="AgH", species=np.array([47, 1]), positions=np.array([[0.0, 0.0, 0.0], [0.0, 0.0, 1.62]]))

    energy = pyscf.PySCF("hf", "lanl2dz").evaluate(silver).energy

    # The 28 electrons of the core would add thousands of Hartree.
    assert -160.0 < energy / units.HARTREE < -130.0


@pytest.mark.parametrize("method", ["foo", "", "mp2", "0", "0.5*b3lyp", "b3lyp,,"])
def test_unknown_method_is_refused(method):
    with pytest.raises(InputError) as caught:
        pyscf.PySCF(method, "sto-3g")

    assert f"{method!r} is neither hf, gfn1, gfn2 nor a functional that PySCF knows" in str(caught.value)


@pytest.mark.parametrize("method", ["b3lyp-d3bj", "wb97x-v", "b97-d", "wb97x-d", "pbe0-3c"])
def test_method_that_would_lose_a_part_is_refused(method):
    with pytest.raises(InputError, match=f"'{method}' has a dispersion or non-local correlation energy"):
        pyscf.PySCF(method, "sto-3g")


def test_missing_basis_is_refused():
    with pytest.raises(InputError, match="pbe0 needs a basis set, for example"):
        pyscf.PySCF("pbe0", "")


def test_elements_that_the_basis_lacks_are_listed(water):
    with pytest.raises(InputError, match=r"water\.xyz: PySCF has no basis set '6-31G\(d\)' for Rh, U; name one"):
        pyscf.PySCF("hf", "6-31G(d)").check(replace(water, species=np.array([92, 45, 1])))


def test_hessian_of_electrons_of_one_spin_is_refused():
    triplet = replace(hydrogen(1.0), multiplicity=3)

    with pytest.raises(InputError, match="H2: all electrons have one spin; PySCF has no analytic Hessian"):
        HARTREE_FOCK.hessian(triplet)


def test_field_that_does_not_converge_is_refused(water, monkeypatch):
    monkeypatch.setattr(pyscf, "_MAX_CYCLES", 1)

    with pytest.raises(ConvergenceError, match=r"water\.xyz: the HF/sto-3g SCF did not converge in 1 cycles; check"):
        HARTREE_FOCK.evaluate(water)
