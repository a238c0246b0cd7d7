from pathlib import Path

import jax.numpy as jnp
import numpy as np
import pytest

from forgefield.io.forcefields.neural.painn_file import read_description, read_painn
from forgefield.io.molecules import read_structures
from forgefield.molecules.molecule import Molecule
from forgefield.molecules.topology import union
from forgefield.properties.many import energies_and_gradient
from forgefield.units import ELECTRONVOLT

FOLDER = Path(__file__).parents[2] / "examples" / "painn"

xtb = pytest.importorskip("forgefield.engines.qm.xtb", reason="tblite is not installed", exc_type=ImportError)


def test_the_shipped_model_has_the_forces_of_the_level_it_was_trained_on(generator):
    model = read_painn(FOLDER / "ethanol.safetensors")
    (ethanol,) = read_structures(FOLDER / "ethanol.xyz")
    species = ethanol.species
    shaken = [ethanol.positions + 0.04 * generator.normal(size=(9, 3)) for _ in range(4)]

    energy, gradient = energies_and_gradient(model, union([species] * 4), jnp.asarray(np.concatenate(shaken)))

    exact = [xtb.XTB().evaluate(Molecule("ethanol", species, x)) for x in shaken]
    off = np.asarray(gradient).reshape(4, 9, 3) - np.stack([e.gradient for e in exact])
    assert np.mean(np.abs(off)) < 0.06 * ELECTRONVOLT
    assert np.abs(np.asarray(energy) - np.array([e.energy for e in exact])).max() < 0.06 * ELECTRONVOLT
    assert read_description(FOLDER / "ethanol.safetensors").origin["level"] == "GFN2-xTB"
