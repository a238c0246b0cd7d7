"""`forgefield convert` of weights that SchNetPack trained."""

import json
from pathlib import Path

import jax.numpy as jnp
import numpy as np
import pytest

from forgefield.io.forcefields.neural.painn_file import read_description, read_painn
from forgefield.molecules.topology import union
from forgefield.properties.derivatives import energies
from forgefield.units import ELECTRONVOLT

GOLDEN = Path(__file__).parents[1] / "io/forcefields/neural/golden"
STATED = """
elements = ["C", "H", "O"]
energy_unit = "eV"
length_unit = "Å"
cutoff_fn = "CosineCutoff"
activation = "silu"
aggregation_mode = "sum"
epsilon = 1e-8
offsets = "per atom"
"""


@pytest.fixture
def settings(tmp_path):
    (tmp_path / "painn.toml").write_text(STATED)
    return tmp_path / "painn.toml"


def test_weights_become_a_force_field_with_the_same_energies(forgefield, settings, tmp_path):
    target = tmp_path / "painn.safetensors"

    done = forgefield("convert", GOLDEN / "schnetpack_sine.npz", target, "--settings", settings, "--json")

    assert done.exit_code == 0, done.output
    assert json.loads(done.stdout) == {"file": str(target), "elements": ["H", "C", "O"]}
    said = json.loads((GOLDEN / "schnetpack_sine.json").read_text())
    topology, x = union([np.array(said["numbers"])]), jnp.asarray(said["positions"])
    energy = energies(read_painn(target), topology, x)[0] / ELECTRONVOLT
    np.testing.assert_allclose(energy, said["energy_ev"], atol=2e-5)
    assert read_description(target).origin["file"] == "schnetpack_sine.npz"


def test_what_weights_do_not_say_must_be_stated(forgefield, tmp_path):
    done = forgefield("convert", GOLDEN / "schnetpack_sine.npz", tmp_path / "painn.safetensors")

    assert done.exit_code == 2
    assert "state elements, energy_unit, length_unit, cutoff_fn" in done.stderr
    assert "--settings" in done.stderr


@pytest.mark.parametrize(
    ("text", "said"),
    [
        pytest.param(STATED.replace('energy_unit = "eV"', ""), "'energy_unit' is missing", id="missing"),
        pytest.param(STATED + 'mood = "good"', "unknown key 'mood'", id="unknown"),
        pytest.param(STATED.replace("1e-8", '"small"'), "epsilon = 'small' is not a number", id="kind"),
        pytest.param(
            STATED.replace('["C", "H", "O"]', '"C"'), "elements = 'C' is not a list of symbols", id="elements"
        ),
        pytest.param(STATED.replace('"eV"', '"Ry"'), "energy_unit = 'Ry': can be", id="choice"),
        pytest.param("elements = [", "not valid TOML", id="syntax"),
    ],
)
def test_wrong_settings_are_named(forgefield, settings, tmp_path, text, said):
    settings.write_text(text)

    done = forgefield("convert", GOLDEN / "schnetpack_sine.npz", tmp_path / "x.safetensors", "--settings", settings)

    assert done.exit_code == 2
    assert said in " ".join(done.stderr.split())
    assert not (tmp_path / "x.safetensors").exists()


def test_options_of_structures_and_of_weights_are_told_apart(forgefield, settings, tmp_path):
    weights = forgefield("convert", GOLDEN / "schnetpack_sine.npz", tmp_path / "x.safetensors", "--drop", "bonds")
    structure = forgefield("convert", tmp_path / "x.xyz", tmp_path / "y.json", "--settings", settings)

    assert (weights.exit_code, structure.exit_code) == (2, 2)
    assert "--drop belongs to structures" in weights.stderr
    assert "--settings belongs to weights" in structure.stderr
