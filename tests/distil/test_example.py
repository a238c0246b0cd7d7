from pathlib import Path

import jax.numpy as jnp
import numpy as np
import pytest
from typer.testing import CliRunner

from forgefield.cli.program import app
from forgefield.io.forcefields.neural.painn_file import read_description, read_painn
from forgefield.io.molecules import read_structures
from forgefield.molecules.molecule import Molecule
from forgefield.molecules.topology import union
from forgefield.properties.many import energies_and_gradient
from forgefield.units import ELECTRONVOLT

# Most of the time goes into compiling whole networks.
pytestmark = pytest.mark.slow

EXAMPLES = Path(__file__).parents[2] / "examples"
FILES = [EXAMPLES / "painn/ethanol.safetensors", EXAMPLES / "distil-ethanol/ethanol.safetensors"]

xtb = pytest.importorskip("forgefield.engines.qm.xtb", reason="tblite is not installed", exc_type=ImportError)


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.parent.name)
def test_a_shipped_model_has_the_forces_of_the_level_it_was_trained_on(generator, file):
    model = read_painn(file)
    (ethanol,) = read_structures(file.with_suffix(".xyz"))
    species = ethanol.species
    shaken = [ethanol.positions + 0.04 * generator.normal(size=(9, 3)) for _ in range(4)]

    energy, gradient = energies_and_gradient(model, union([species] * 4), jnp.asarray(np.concatenate(shaken)))

    exact = [xtb.XTB().evaluate(Molecule("ethanol", species, x)) for x in shaken]
    off = np.asarray(gradient).reshape(4, 9, 3) - np.stack([e.gradient for e in exact])
    assert np.mean(np.abs(off)) < 0.06 * ELECTRONVOLT
    assert np.abs(np.asarray(energy) - np.array([e.energy for e in exact])).max() < 0.06 * ELECTRONVOLT
    assert "GFN2-xTB" in str(read_description(file).origin)


@pytest.mark.slow
def test_dynamics_run_with_the_distilled_student_at_once(tmp_path):
    student, output = FILES[1], tmp_path / "ethanol.xyz"
    words = ["md", student, student.with_suffix(".xyz"), "--steps", "200", "-o", output]

    found = CliRunner().invoke(app, [str(word) for word in words])

    assert found.exit_code == 0, found.output
    assert len(read_structures(output)) > 5
