"""The calculator inside ASE: its optimisers, vibrations, dynamics and paths."""

import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
import pytest
from ase import Atoms
from ase import units as ase_units
from ase.calculators.calculator import PropertyNotImplementedError
from ase.md.langevin import Langevin
from ase.md.verlet import VelocityVerlet
from ase.mep import NEB
from ase.optimize import BFGS, FIRE
from ase.stress import voigt_6_to_full_3x3_stress
from ase.vibrations import Vibrations

import forgefield as ff
from certain import known
from forgefield import units
from forgefield.assign.generated import generate
from forgefield.engines.ase import ForgeFieldCalculator
from forgefield.io.forcefields.amber.frcmod import write_frcmod
from forgefield.models.neural.painn import Design, Size, painn
from forgefield.models.neural.radial import QuinticEnvelope, SineBasis
from forgefield.molecules.molecule import standard_masses
from forgefield.properties.derivatives import energies, forces, hessians
from forgefield.properties.modes import vibrations
from forgefield.terms.bend import HARMONIC_BEND
from forgefield.terms.stretch import HARMONIC_STRETCH
from samples import AT_WATER, WATER

MOVED = AT_WATER + np.array([[0.02, 0.0, -0.05], [0.0, 0.1, 0.03], [0.0, 0.04, -0.1]])


@pytest.fixture(scope="module")
def assignment():
    return generate([WATER], (HARMONIC_STRETCH, HARMONIC_BEND))


@pytest.fixture(scope="module")
def neural():
    design = Design((1, 8), SineBasis(6, 4.0), QuinticEnvelope(), units.ELECTRONVOLT, 1.0)
    return painn(jr.key(3), design, Size(8, 2, 6))


@pytest.fixture
def water(assignment):
    """A displaced water molecule with its calculator."""
    return Atoms("OH2", MOVED, calculator=ForgeFieldCalculator(assignment))


def test_energy_forces_and_hessian_are_the_models_in_ase_units(water, assignment):
    where = assignment.model, assignment.topology, jnp.asarray(MOVED)

    assert water.get_potential_energy() == pytest.approx(float(energies(*where)[0]) / units.ELECTRONVOLT)
    np.testing.assert_allclose(water.get_forces(), forces(*where) / units.ELECTRONVOLT, atol=1e-12)
    hessian = water.calc.get_hessian(water)
    np.testing.assert_allclose(hessian, hessians(*where)[0] / units.ELECTRONVOLT, atol=1e-12)
    assert np.array_equal(water.calc.get_property("hessian", water), hessian)


def test_bfgs_finds_the_minimum(water):
    assert BFGS(water, logfile=None).run(fmax=1e-4, steps=50)

    np.testing.assert_allclose(water.get_distance(0, 1), np.linalg.norm(AT_WATER[1] - AT_WATER[0]), atol=1e-5)
    assert water.get_potential_energy() == pytest.approx(0.0, abs=1e-8)


def test_velocity_verlet_conserves_energy(water):
    water.set_velocities(0.01 * np.random.default_rng(1).normal(size=(3, 3)))
    first = water.get_total_energy()

    VelocityVerlet(water, 0.2 * ase_units.fs).run(200)

    assert water.get_total_energy() == pytest.approx(first, abs=2e-3)
    assert np.abs(water.positions - MOVED).max() > 0.05


def test_langevin_of_ase_warms_a_cold_molecule(water):
    water.positions[:] = AT_WATER
    options = {"temperature_K": 300, "friction": 0.05 / ase_units.fs, "fixcm": False}

    Langevin(water, 0.5 * ase_units.fs, rng=np.random.default_rng(2), **options).run(300)

    assert 20 < water.get_temperature() < 1500


def test_nudged_elastic_band_passes_the_barrier_of_an_inversion(water):
    # The molecule turned upside down through a straight one, where the bend costs ½ k (π - θ₀)².
    calculator = water.calc
    first, last = (Atoms("OH2", AT_WATER * [1, 1, sign]) for sign in (1, -1))
    images = [first.copy() for _ in range(5)] + [last]
    for image in images:
        image.calc = calculator
    band = NEB(images, method="improvedtangent", allow_shared_calculator=True)
    band.interpolate()

    FIRE(band, logfile=None).run(fmax=0.2, steps=5)  # pyright: ignore[reportArgumentType]  # ASE's own types say less

    heights = [image.get_potential_energy() for image in images]
    assert max(heights) > 0.5
    assert heights[0] == pytest.approx(heights[-1], abs=1e-10)
    assert heights == pytest.approx(heights[::-1], abs=1e-6)


def test_vibrations_of_ase_agree_with_the_exact_modes(assignment, tmp_path):
    water = Atoms("OH2", AT_WATER, masses=standard_masses(WATER.species), calculator=ForgeFieldCalculator(assignment))
    by_differences = Vibrations(water, name=str(tmp_path / "vib"), delta=1e-3)

    by_differences.run()

    hessian = known(water.calc).get_hessian(water) * units.ELECTRONVOLT
    exact = vibrations(hessian, AT_WATER, standard_masses(WATER.species)).frequencies
    np.testing.assert_allclose(np.real(by_differences.get_frequencies())[-3:], exact, rtol=1e-4)


def test_results_are_kept_until_the_atoms_change(water, monkeypatch):
    water.get_forces()
    calls = []
    original = ForgeFieldCalculator.calculate
    monkeypatch.setattr(ForgeFieldCalculator, "calculate", lambda *a, **k: calls.append(1) or original(*a, **k))

    water.get_potential_energy()
    water.get_forces()
    water.set_initial_charges([0.1, 0.0, -0.1])
    kept = water.get_forces()
    kept[:] = 0.0
    assert calls == []
    assert np.abs(water.get_forces()).max() > 0.0

    before = water.get_potential_energy()
    water.positions[0, 2] += 0.1
    assert water.get_potential_energy() != before
    assert len(calls) == 1


@pytest.mark.slow
def test_many_structures_at_once_are_as_one_by_one_in_their_order(neural, generator):
    calculator = ForgeFieldCalculator(neural)
    images = [Atoms("OH2", AT_WATER + 0.05 * generator.normal(size=(3, 3))) for _ in range(3)]
    images.insert(1, Atoms("OH", [[0, 0, 0], [0, 0, 0.97]]))
    images.append(images[0].copy())

    found = calculator.calculate_many(images)

    for image, result in zip(images, found, strict=True):
        image.calc = calculator
        assert result["energy"] == pytest.approx(image.get_potential_energy(), abs=1e-5)
        np.testing.assert_allclose(result["forces"], image.get_forces(), atol=1e-5)


@pytest.mark.slow
def test_neural_model_has_a_stress_in_a_crystal_and_none_in_vacuum(neural):
    crystal = Atoms("OH2", MOVED, cell=np.diag([3.0, 3.2, 3.4]), pbc=True, calculator=ForgeFieldCalculator(neural))
    strain = np.array([[0.01, 0.003, 0.0], [0.003, -0.01, 0.002], [0.0, 0.002, 0.02]])

    found = voigt_6_to_full_3x3_stress(crystal.get_stress())

    def energy(step):
        strained = crystal.copy()
        strained.calc = crystal.calc
        strained.set_cell(crystal.cell @ (np.eye(3) + step * strain), scale_atoms=True)
        return strained.get_potential_energy()

    # Weights in float32: a larger step loses less to rounding.
    slope = (energy(0.1) - energy(-0.1)) / 0.2 / crystal.get_volume()
    assert np.sum(found * strain) == pytest.approx(slope, rel=2e-2)
    alone = Atoms("OH2", MOVED, calculator=crystal.calc)
    with pytest.raises(PropertyNotImplementedError, match="periodic along all three axes"):
        alone.get_stress()


@pytest.mark.slow
def test_atoms_that_cross_the_boundary_of_a_cell_change_nothing(neural):
    crystal = Atoms("OH2", MOVED, cell=np.diag([4.0, 4.0, 4.0]), pbc=True, calculator=ForgeFieldCalculator(neural))
    energy, found = crystal.get_potential_energy(), crystal.get_forces()

    crystal.positions[1] += [4.0, -4.0, 0.0]

    assert crystal.get_potential_energy() == pytest.approx(energy, abs=1e-5)
    np.testing.assert_allclose(crystal.get_forces(), found, atol=1e-5)


def test_file_of_generated_types_needs_no_structure_and_gives_the_same(water, assignment, tmp_path):
    write_frcmod(tmp_path / "water.frcmod", assignment, [WATER])

    calculator = ff.ForgeFieldCalculator(tmp_path / "water.frcmod")

    again = Atoms("OH2", AT_WATER, calculator=calculator)
    assert again.get_potential_energy() == pytest.approx(0.0, abs=1e-6)
    again.positions = MOVED
    np.testing.assert_allclose(again.get_forces(), water.get_forces(), atol=1e-4)


def test_double_precision_does_not_depend_on_the_default(assignment, water):
    expected = water.get_potential_energy()

    with jax.enable_x64(False):
        again = Atoms("OH2", MOVED, calculator=ForgeFieldCalculator(assignment))
        found = again.get_potential_energy()

    assert found == expected


@pytest.mark.parametrize(
    ("atoms", "message"),
    [
        (Atoms("OH2", MOVED, cell=[9, 9, 9], pbc=[True, False, True]), "the atoms are periodic along a/c, which this"),
        (Atoms("HOH", MOVED), "over 1 molecule.s. with the atoms O H H, not 1 with H O H"),
        (Atoms(), "there are no atoms to compute"),
    ],
)
def test_what_does_not_go_together_is_one_clear_message(assignment, atoms, message):
    atoms.calc = ForgeFieldCalculator(assignment)

    with pytest.raises(ff.InputError, match=message):
        atoms.get_potential_energy()


def test_unknown_elements_and_models_without_bonds_are_refused(assignment, neural):
    with pytest.raises(ff.InputError, match="the model does not know C"):
        Atoms("CO", [[0, 0, 0], [0, 0, 1.1]], calculator=ForgeFieldCalculator(neural)).get_potential_energy()
    with pytest.raises(ff.InputError, match="a ForceField knows no bonds; give the assignment"):
        ForgeFieldCalculator(assignment.model)
    with pytest.raises(ff.InputError, match=r"no force field is read from '\.pt' files"):
        ForgeFieldCalculator("model.pt")
    with pytest.raises(ff.InputError, match="water has the atoms O H H, not H H"):
        Atoms("H2", [[0, 0, 0], [0, 0, 1]], calculator=ForgeFieldCalculator(neural, WATER)).get_potential_energy()


@pytest.mark.slow
def test_structure_gives_the_atom_types_that_an_mm3_file_goes_by(data):
    folder = data / "rh-enamide"
    field = folder / "forcefield/rh_hyd_enamide_final.fld"
    structure = sorted((folder / "mae").glob("*.mae"))[0]
    evaluated = ff.evaluate(field, [structure])
    (molecule,), (listing,) = evaluated.molecules, evaluated.listings
    atoms = Atoms(molecule.species, molecule.positions)

    atoms.calc = ForgeFieldCalculator(field, structure)

    expected = listing.totals_kj_mol["total"] * units.KILOJOULE / units.ELECTRONVOLT
    assert atoms.get_potential_energy() == pytest.approx(expected, abs=1e-6)
    atoms.calc = ForgeFieldCalculator(field)
    with pytest.raises(ff.InputError, match="goes by atom types, which the molecule does not have; give a structure"):
        atoms.get_potential_energy()
