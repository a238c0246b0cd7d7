"""Calculators that are copied and sent to other processes."""

import copy
import multiprocessing
import pickle
import pickletools
from operator import methodcaller

import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
import pytest
from ase import Atoms

import forgefield as ff
from certain import known
from forgefield import units
from forgefield.assign.generated import generate
from forgefield.io.forcefields.amber.frcmod import write_frcmod
from forgefield.io.forcefields.neural.painn_file import write_painn
from forgefield.models.neural.painn import Design, Size, painn
from forgefield.models.neural.radial import QuinticEnvelope, SineBasis
from forgefield.terms.bend import HARMONIC_BEND
from forgefield.terms.stretch import HARMONIC_STRETCH
from samples import AT_WATER, WATER

MOVED = AT_WATER + np.array([[0.02, 0.0, -0.05], [0.0, 0.1, 0.03], [0.0, 0.04, -0.1]])


def network(dtype=jnp.float32):
    design = Design((1, 8), SineBasis(4, 4.0), QuinticEnvelope(), units.ELECTRONVOLT, 1.0)
    return painn(jr.key(3), design, Size(4, 1, 4)).with_precision(dtype)


@pytest.fixture(params=["assignment", "frcmod", "single", "double", "safetensors"])
def force_field(request, tmp_path):
    """A force field of each kind, as the calculator takes it."""
    match request.param:
        case "assignment":
            return generate([WATER], (HARMONIC_STRETCH, HARMONIC_BEND))
        case "frcmod":
            write_frcmod(tmp_path / "water.frcmod", generate([WATER], (HARMONIC_STRETCH, HARMONIC_BEND)), [WATER])
            return tmp_path / "water.frcmod"
        case "safetensors":
            write_painn(tmp_path / "water.safetensors", network())
            return tmp_path / "water.safetensors"
    return network(jnp.float32 if request.param == "single" else jnp.float64)


def through_pickle(calculator):
    with jax.enable_x64(False):
        return pickle.loads(pickle.dumps(calculator))


@pytest.mark.slow
@pytest.mark.parametrize("copied", [through_pickle, copy.deepcopy])
@pytest.mark.parametrize("used", [False, True])
def test_a_copy_gives_the_same_numbers(force_field, copied, used, tmp_path):
    atoms = Atoms("OH2", MOVED, calculator=ff.ForgeFieldCalculator(force_field))
    if used:
        atoms.get_potential_energy()

    again = Atoms("OH2", MOVED, calculator=copied(atoms.calc))
    for path in tmp_path.iterdir():
        path.unlink()

    assert again.get_potential_energy() == atoms.get_potential_energy()
    again.positions = atoms.positions = AT_WATER
    assert np.array_equal(again.get_forces(), atoms.get_forces())


def test_a_copy_goes_its_own_way():
    atoms = Atoms("OH2", MOVED, calculator=ff.ForgeFieldCalculator(network()))
    before = atoms.get_potential_energy()

    again = copy.deepcopy(atoms)
    again.positions[0, 2] += 0.1

    assert again.calc is not atoms.calc
    assert again.get_potential_energy() != before
    assert known(atoms.calc).results["energy"] == before


def test_a_copy_knows_the_bonds_that_were_perceived(tmp_path):
    write_frcmod(tmp_path / "water.frcmod", generate([WATER], (HARMONIC_STRETCH, HARMONIC_BEND)), [WATER])
    atoms = Atoms("OH2", AT_WATER, calculator=ff.ForgeFieldCalculator(tmp_path / "water.frcmod"))
    atoms.get_potential_energy()
    # Too long for a bond to be seen, not for one that is known.
    atoms.positions = 1.6 * AT_WATER

    again = Atoms("OH2", 1.6 * AT_WATER, calculator=through_pickle(through_pickle(atoms.calc)))

    assert again.get_potential_energy() == atoms.get_potential_energy()


def test_what_travels_is_the_force_field_and_no_program():
    atoms = Atoms("OH2", MOVED, calculator=ff.ForgeFieldCalculator(network()))
    atoms.get_potential_energy()

    sent = pickle.dumps(atoms.calc)

    names = {argument for _, argument, _ in pickletools.genops(sent) if isinstance(argument, str)}
    assert not {
        name for name in names if name.startswith(("jax", "forgefield.engines.native", "forgefield.properties"))
    }
    assert len(sent) < 20_000


@pytest.mark.slow
def test_a_process_that_is_spawned_gives_the_same_numbers():
    calculators = [ff.ForgeFieldCalculator(network(dtype)) for dtype in (jnp.float32, jnp.float64)]
    crystal = {"cell": np.diag([3.0, 3.2, 3.4]), "pbc": True}
    images = [Atoms("OH2", MOVED, calculator=c, **place) for c in calculators for place in ({}, crystal)]

    with multiprocessing.get_context("spawn").Pool(1) as pool:
        found = pool.map(methodcaller("get_potential_energy"), images)

    assert found == [image.get_potential_energy() for image in images]


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:.*fork")
def test_a_process_that_is_forked_says_that_jax_cannot_run_there():
    atoms = Atoms("OH2", MOVED, calculator=ff.ForgeFieldCalculator(network()))

    with multiprocessing.get_context("fork").Pool(1) as pool:
        waiting = pool.map_async(methodcaller("get_potential_energy"), [atoms])
        with pytest.raises(ff.InputError, match="was forked from one that computes with JAX"):
            waiting.get(120)
