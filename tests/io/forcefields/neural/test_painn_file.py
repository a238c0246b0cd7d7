import json

import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
import pytest
from safetensors import safe_open
from safetensors.numpy import save_file

from forgefield.errors import InputError
from forgefield.io.forcefields.neural.painn_file import read_description, read_painn, write_painn
from forgefield.models.neural.painn import Design, Size, painn
from forgefield.models.neural.radial import CosineEnvelope, GaussianBasis, QuinticEnvelope, SineBasis
from forgefield.units import ELECTRONVOLT

SIZE = Size(4, 2, 5)


def model(basis=SineBasis, envelope=QuinticEnvelope, **options):
    design = Design((1, 6), basis(5, 3.5), envelope(), 0.7 * ELECTRONVOLT, 1.25)
    return painn(jr.key(0), design, SIZE, references=np.array([-313.123456789, -24000.987654321]), **options)


@pytest.mark.parametrize("basis", [SineBasis, GaussianBasis])
@pytest.mark.parametrize("envelope", [QuinticEnvelope, CosineEnvelope])
@pytest.mark.parametrize("states", [False, True])
def test_a_model_is_read_back_as_it_was_written(tmp_path, basis, envelope, states):
    written = model(basis, envelope, states=states)
    write_painn(tmp_path / "m.safetensors", written)

    found = read_painn(tmp_path / "m.safetensors")

    assert (found.design.basis, found.design.envelope) == (written.design.basis, written.design.envelope)
    assert found.design.elements == (1, 6)
    assert found.design.core_cutoff == 1.25
    assert found.design.unit == pytest.approx(0.7 * ELECTRONVOLT, rel=1e-15)
    np.testing.assert_allclose(found.references, written.references, rtol=1e-15)
    jax.tree.map(np.testing.assert_array_equal, found.blocks, written.blocks)
    jax.tree.map(np.testing.assert_array_equal, found.charge, written.charge)
    assert found.embedding.dtype == jnp.float32


def test_units_of_the_file_are_stated_and_converted(tmp_path):
    write_painn(tmp_path / "m.safetensors", model(), energy_unit="kJ/mol", origin={"level": "GFN2-xTB"})

    description = read_description(tmp_path / "m.safetensors")
    with safe_open(tmp_path / "m.safetensors", framework="numpy") as file:
        references = file.get_tensor("references")

    assert description.energy_unit == "kJ/mol"
    assert description.origin == {"level": "GFN2-xTB"}
    np.testing.assert_allclose(references, 4.184 * np.array([-313.123456789, -24000.987654321]))


def changed(tmp_path, tensors=None, **facts):
    """A written file with other tensors or another description."""
    path = tmp_path / "m.safetensors"
    write_painn(path, model())
    with safe_open(path, framework="numpy") as file:
        held = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        description = json.loads(file.metadata()["forgefield"])
    held = {k: v for k, v in (held | (tensors or {})).items() if v is not None}
    save_file(held, path, metadata={"forgefield": json.dumps(description | facts)})
    return path


def test_all_weights_that_do_not_fit_are_listed(tmp_path):
    path = changed(
        tmp_path,
        {
            "embedding": None,
            "blocks.1.mixing": np.zeros((4, 9), np.float32),
            "readout.second.bias": np.array([np.nan], np.float32),
            "extra": np.zeros(1),
        },
    )

    with pytest.raises(InputError) as caught:
        read_painn(path)

    for line in (
        "embedding: missing",
        "blocks.1.mixing: shape (4, 9), expected (4, 8)",
        "readout.second.bias: holds numbers that are not finite",
        "extra: not part of such a model",
    ):
        assert line in str(caught.value)


@pytest.mark.parametrize(
    ("facts", "message"),
    [
        ({"cutoff_angstrom": -1.0}, "cutoff_angstrom"),
        ({"envelope": "square"}, "envelope"),
        ({"colour": "red"}, "colour"),
        ({"elements": ["H", "Qq"]}, "'Qq' is not an element symbol"),
        ({"format": "forgefield-painn-2"}, "forgefield-painn-1"),
    ],
)
def test_a_wrong_description_is_refused_by_its_key(tmp_path, facts, message):
    with pytest.raises(InputError, match=message):
        read_painn(changed(tmp_path, **facts))


def test_other_files_are_refused(tmp_path):
    path = tmp_path / "m.safetensors"
    with pytest.raises(InputError, match="no such file"):
        read_painn(path)

    path.write_bytes(b"{}")
    with pytest.raises(InputError, match="not a neural model"):
        read_painn(path)
    save_file({"a": np.zeros(1)}, path)
    with pytest.raises(InputError, match="SchNetPack"):
        read_painn(path)
