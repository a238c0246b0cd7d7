"""The calculator sees all of the atoms' state, and refuses what cannot be."""

import inspect
import warnings

import equinox as eqx
import jax.random as jr
import numpy as np
import pytest
from ase import Atoms
from ase.filters import FrechetCellFilter
from ase.optimize import FIRE

import forgefield as ff
from certain import known
from forgefield import units
from forgefield.assign.generated import generate
from forgefield.engines import laid
from forgefield.errors import IgnoredStateWarning
from forgefield.models.neural.painn import Design, Size, painn
from forgefield.models.neural.radial import QuinticEnvelope, SineBasis
from forgefield.molecules.molecule import Molecule
from forgefield.properties.stress import energy_gradient_and_stress
from forgefield.terms.bend import HARMONIC_BEND
from forgefield.terms.stretch import HARMONIC_STRETCH
from samples import AT_WATER, WATER

CELL = np.array([[3.1, 0.0, 0.0], [0.9, 2.8, 0.0], [-0.7, 0.5, 3.6]])
SLAB = (True, True, False)


@pytest.fixture(scope="module")
def assignment():
    return generate([WATER], (HARMONIC_STRETCH, HARMONIC_BEND))


def network(*, states=False):
    design = Design((1, 8), SineBasis(4, 4.0), QuinticEnvelope(), units.ELECTRONVOLT, 1.0)
    return painn(jr.key(3), design, Size(4, 1, 4), states=states)


@pytest.fixture(scope="module")
def neural():
    return network()


@pytest.fixture(scope="module")
def stateful():
    return network(states=True)


def water(**options):
    return Atoms("OH2", AT_WATER, **options)


def energy(model, atoms):
    """What a calculator gives that has seen nothing else."""
    atoms = atoms.copy()
    atoms.calc = ff.ForgeFieldCalculator(model)
    return atoms.get_potential_energy()


@pytest.mark.slow
def test_atoms_that_become_periodic_otherwise_are_computed_anew(neural):
    atoms = water(cell=CELL, pbc=True, calculator=ff.ForgeFieldCalculator(neural))
    slab, gas = water(cell=CELL, pbc=SLAB), water(cell=CELL)
    apart = [energy(neural, a) for a in (atoms, slab, gas)]
    assert min(abs(apart[0] - apart[1]), abs(apart[1] - apart[2])) > 1e-3

    found = [atoms.get_potential_energy()]
    for pbc in (SLAB, False, SLAB, True):
        atoms.pbc = pbc
        found.append(atoms.get_potential_energy())

    assert found == pytest.approx([apart[k] for k in (0, 1, 2, 1, 0)], abs=1e-6)
    many = known(atoms.calc).calculate_many([water(cell=CELL, pbc=True), slab, gas])
    assert [one["energy"] for one in many] == pytest.approx(apart, abs=1e-5)


@pytest.mark.slow
def test_a_direction_without_periodicity_needs_no_vector(neural):
    flat = CELL.copy()
    flat[2] = 0.0

    assert energy(neural, water(cell=flat, pbc=SLAB)) == pytest.approx(
        energy(neural, water(cell=CELL, pbc=SLAB)), abs=1e-6
    )


@pytest.mark.slow
def test_a_charge_or_multiplicity_that_changes_is_computed_anew(stateful):
    atoms = water(info={"charge": 0, "multiplicity": 1}, calculator=ff.ForgeFieldCalculator(stateful))
    found = []

    for charge, multiplicity in ((0, 1), (1, 2), (0, 3), (-1, 2), (0, 1)):
        atoms.info |= {"charge": charge, "multiplicity": multiplicity}
        found.append(atoms.get_potential_energy())
        assert found[-1] == pytest.approx(energy(stateful, atoms), abs=1e-6)

    assert len(set(np.round(found, 6))) == 4


def test_results_are_not_kept_when_the_state_changes(assignment, monkeypatch):
    atoms = water(calculator=ff.ForgeFieldCalculator(assignment))
    atoms.get_potential_energy()
    calls = []
    original = ff.ForgeFieldCalculator.calculate
    monkeypatch.setattr(ff.ForgeFieldCalculator, "calculate", lambda *a, **k: calls.append(1) or original(*a, **k))

    atoms.info["frame"] = 3
    atoms.get_potential_energy()
    assert calls == []

    atoms.info["charge"] = 2
    with pytest.warns(IgnoredStateWarning):
        atoms.get_potential_energy()
    for info in ({"charge": 1, "multiplicity": 2}, {"charge": 1, "multiplicity": 4}):
        atoms.info |= info
        atoms.get_potential_energy()
    assert len(calls) == 3
    atoms.info["spin"] = 5
    with pytest.raises(ff.InputError, match="'spin'"):
        atoms.get_potential_energy()


def test_a_force_field_without_states_says_once_that_it_ignores_them(assignment, neural):
    for force_field in (assignment, neural):
        calculator = ff.ForgeFieldCalculator(force_field)
        ions = [water(info={"charge": 1, "multiplicity": 2}), water(info={"charge": -2})]

        with pytest.warns(IgnoredStateWarning, match="does not depend on charge and multiplicity") as told:
            calculator.calculate_many(ions)

        assert len(told) == 1
        calculator.calculate_many(ions)


def test_a_neutral_singlet_is_no_reason_to_say_anything(assignment):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        ff.ForgeFieldCalculator(assignment).calculate_many([water(info={"charge": 0, "multiplicity": 1}), water()])


@pytest.mark.parametrize("knows", ["neural", "stateful"])
def test_a_cation_of_water_is_no_singlet(knows, request):
    calculator = ff.ForgeFieldCalculator(request.getfixturevalue(knows))

    with pytest.raises(ff.InputError, match=r"9 electrons \(charge 1\) cannot have multiplicity 1"):
        calculator.calculate_many([water(info={"charge": 1})])


def test_a_model_with_states_wants_to_be_told_of_a_radical(stateful):
    calculator = ff.ForgeFieldCalculator(stateful)
    radical = Atoms("OH", [[0, 0, 0], [0, 0, 0.97]])

    with pytest.raises(ff.InputError, match=r"9 electrons .* cannot have multiplicity 1"):
        calculator.calculate_many([radical])

    for moments, charges, message in (
        ([2.0, 0.0, 0.0], None, "initial magnetic moments add up to 2 unpaired electrons"),
        (None, [1.0, 0.5, 0.5], r"initial charges add up to \+2"),
    ):
        with pytest.raises(ff.InputError, match=message):
            calculator.calculate_many([water(magmoms=moments, charges=charges)])


def test_options_of_other_calculators_are_refused(neural):
    with pytest.raises(ff.InputError, match=r'no option charge, spin; .* atoms.info\["charge"\]'):
        ff.ForgeFieldCalculator(neural, charge=1, spin=1)
    with pytest.raises(ff.InputError, match="no option charge"):
        ff.ForgeFieldCalculator(neural).set(charge=1)


def moved(x):
    atoms = water()
    atoms.positions[1, 2] = x
    return atoms


@pytest.mark.parametrize(
    ("atoms", "message"),
    [
        (Atoms([8, 119], AT_WATER[:2]), "atom 2 has the atomic number 119, which is no element"),
        (Atoms([0, 8, -1], AT_WATER), r"atom 1 has the atomic number 0, .*\n.*atom 3 has the atomic number -1"),
        (moved(1e300), r"atom 2 is at \[0.0, 0.76, 1e\+300\], not within 1e\+06 Å"),
        (moved(np.nan), "atom 2 is at .*nan"),
        (moved(-np.inf), "atom 2 is at .*-inf"),
        (water(pbc=True), "periodic along a/b/c, where the cell has no vector"),
        (water(pbc=SLAB, cell=[3.0, 0.0, 3.0]), "periodic along b, where the cell has no vector"),
        (water(pbc=True, cell=np.full((3, 3), np.nan)), "lattice vectors must be finite"),
    ],
)
def test_atoms_that_cannot_be_are_refused(neural, atoms, message):
    atoms.calc = ff.ForgeFieldCalculator(neural)

    with pytest.raises(ff.InputError, match=message):
        atoms.get_potential_energy()


def test_a_structure_of_no_elements_is_refused(neural):
    with pytest.raises(ff.InputError, match="odd: atom 1 has the atomic number 119"):
        ff.ForgeFieldCalculator(neural, Molecule("odd", np.array([119]), np.zeros((1, 3))))


def test_results_that_are_no_numbers_are_refused(neural):
    spoilt = eqx.tree_at(lambda m: m.readout.second.bias, neural, neural.readout.second.bias + np.float32(np.inf))

    with pytest.raises(ff.InputError, match="energy or forces are not finite numbers; look for atoms"):
        energy(spoilt, water())


def test_images_at_fault_are_listed_by_their_index(assignment):
    calculator = ff.ForgeFieldCalculator(assignment)
    images = [water(), moved(1e300), water(), water(info={"charge": 0.5}), Atoms("HOH", AT_WATER)]

    with pytest.raises(ff.InputError) as caught:
        calculator.calculate_many(images)

    lines = str(caught.value).splitlines()
    assert [line[:10] for line in lines if line.startswith("images")] == ["images[1]:", "images[3]:", "images[4]:"]
    found = calculator.calculate_many(images, on_error="skip")
    assert [sorted(one) for one in found] == [
        ["energy", "forces", "free_energy"] if k in (0, 2) else ["error"] for k in range(5)
    ]
    assert "0.5" in found[3]["error"]
    with pytest.raises(ff.InputError, match='on_error is "stop" or "skip", not \'ignore\''):
        calculator.calculate_many(images, on_error="ignore")


def test_an_isomer_has_bonds_of_its_own(assignment):
    species = np.array([6, 8, 1, 1, 1, 1])
    methanol = np.array(
        [[0, 0, 0], [1.42, 0, 0], [1.75, 0.9, 0], [-0.36, 1.03, 0], [-0.36, -0.51, 0.89], [-0.36, -0.51, -0.89]]
    )
    ylide = methanol.copy()
    # The first hydrogen goes from oxygen to carbon's side.
    ylide[2] = [0.2, 0.6, -0.9]
    laid_over = laid.Laid.over(Molecule("", species, methanol), assignment.model, assignment.topology, assignment.model)

    assert laid_over.fits(Molecule("", species, methanol * 1.1), laid.Surroundings())
    assert not laid_over.fits(Molecule("", species, ylide), laid.Surroundings())


@pytest.mark.slow
@pytest.mark.parametrize("pressure", [0.2, -0.02])
def test_cell_that_changes_in_thirty_steps_is_compiled_at_most_three_times(neural, monkeypatch, generator, pressure):
    compiled = []

    def counted(*inputs):
        compiled.append(1)
        return inspect.unwrap(energy_gradient_and_stress)(*inputs)

    monkeypatch.setattr(laid, "energy_gradient_and_stress", eqx.filter_jit(counted))
    corners = np.stack(np.meshgrid([0, 1], [0, 1], [0, 1]), -1).reshape(-1, 3)
    atoms = Atoms("OHHOHHOH", 2.5 * corners + 0.1 * generator.normal(size=(8, 3)), cell=5.0 * np.eye(3), pbc=True)
    atoms.calc = ff.ForgeFieldCalculator(neural)

    changing = FrechetCellFilter(atoms, scalar_pressure=pressure)
    FIRE(changing, logfile=None).run(fmax=1e-9, steps=30)  # pyright: ignore[reportArgumentType]  # ASE's own types say less

    assert abs(np.log(atoms.get_volume() / 125.0)) > np.log(1.3)
    assert 1 <= len(compiled) <= 3
