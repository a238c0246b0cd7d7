"""Dynamics of two thousand atoms: neighbours are listed where pairs would not do, and the energy is the same."""

from pathlib import Path

import jax.random as jr
import numpy as np
import pytest
from ase import Atoms

import forgefield as ff
from forgefield import units
from forgefield.io.forcefields.neural.painn_file import write_painn
from forgefield.jobs.md.dynamics import run_dynamics
from forgefield.jobs.md.dynamics_settings import DynamicsSettings
from forgefield.models.neural.painn import Design, Size, painn
from forgefield.models.neural.radial import QuinticEnvelope, SineBasis

ETHANE = Path(__file__).parents[2] / "examples/ethane"


def crystal(path, n_side):
    """Write n³ hydrogen atoms on a lattice, an odd number."""
    places = 1.7 * np.stack(np.meshgrid(*[np.arange(float(n_side))] * 3), axis=-1).reshape(-1, 3)
    Atoms(f"H{n_side**3}", places).write(path, plain=True, comment="charge=0 multiplicity=2")
    return path


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    """A network with charge and spin, for which there is no kernel with pairs of its own."""
    path = tmp_path_factory.mktemp("model") / "model.safetensors"
    design = Design((1,), SineBasis(4, 2.5), QuinticEnvelope(), 0.01 * units.ELECTRONVOLT)
    write_painn(path, painn(jr.key(0), design, Size(8, 1, 4)))
    return path


@pytest.mark.slow
@pytest.mark.parametrize(("n_side", "is_listed"), [(3, False), (13, True)])
def test_neighbours_of_large_molecules_are_listed(model, tmp_path, n_side, is_listed):
    structure = crystal(tmp_path / "crystal.xyz", n_side)

    found = run_dynamics(model, structure, tmp_path / "md.h5", DynamicsSettings(4, every=2, equilibration=0.0))

    assert int(found.motion.step) == 4
    assert (found.motion.listing is not None) == is_listed
    atoms = Atoms(f"H{n_side**3}", np.asarray(found.motion.positions)[0], calculator=ff.ForgeFieldCalculator(model))
    gradient = -atoms.get_forces() * units.ELECTRONVOLT
    np.testing.assert_allclose(np.asarray(found.motion.gradient)[0], gradient, atol=1e-4)
