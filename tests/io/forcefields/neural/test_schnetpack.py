import json
from pathlib import Path

import jax.numpy as jnp
import numpy as np
import pytest

from forgefield.errors import InputError
from forgefield.io.forcefields.neural.schnetpack import import_painn
from forgefield.molecules.topology import union
from forgefield.properties.derivatives import energies, forces
from forgefield.units import ELECTRONVOLT

# Made by golden/make_schnetpack.py.
GOLDEN = Path(__file__).parent / "golden"


@pytest.mark.parametrize("basis", ["gaussian", "sine"])
def test_energy_and_forces_are_those_of_schnetpack(basis):
    model = import_painn(GOLDEN / f"schnetpack_{basis}.npz", elements=["C", "H", "O"])
    said = json.loads((GOLDEN / f"schnetpack_{basis}.json").read_text())
    topology, x = union([np.array(said["numbers"])]), jnp.asarray(said["positions"])

    np.testing.assert_allclose(energies(model, topology, x)[0] / ELECTRONVOLT, said["energy_ev"], atol=2e-5)
    np.testing.assert_allclose(forces(model, topology, x) / ELECTRONVOLT, said["forces_ev_a"], atol=1e-5)


@pytest.fixture
def tensors():
    with np.load(GOLDEN / "schnetpack_gaussian.npz") as file:
        return dict(file)


def damaged(tmp_path, tensors, **changes):
    path = tmp_path / "damaged.npz"
    np.savez(path, **{k: v for k, v in (tensors | changes).items() if v is not None})
    return path


def test_all_tensors_that_do_not_fit_are_listed(tmp_path, tensors):
    path = damaged(
        tmp_path,
        tensors,
        **{
            "representation.mixing.1.mu_channel_mix.weight": np.zeros((3, 3), np.float32),
            "representation.filter_net.bias": None,
            "output_modules.1.charge": np.zeros(1),
        },
    )

    with pytest.raises(InputError) as caught:
        import_painn(path)

    text = str(caught.value)
    assert "representation.mixing.1.mu_channel_mix.weight: shape (3, 3), expected (16, 8)" in text
    assert "representation.filter_net.bias: missing" in text
    assert "output_modules.1.charge: not part of such a model" in text


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("representation.radial_basis.offsets", np.linspace(0.3, 4.0, 6), "trained or shifted bases"),
        ("representation.radial_basis.offsets", None, "no radial basis"),
        ("representation.cutoff_fn.cutoff", None, "not a PaiNN of SchNetPack"),
        ("postprocessors.1.stddev", np.ones(1), "not one of AddOffsets"),
    ],
)
def test_what_cannot_be_kept_is_refused(tmp_path, tensors, name, value, message):
    with pytest.raises(InputError, match=message):
        import_painn(damaged(tmp_path, tensors, **{name: value}))


def test_elements_without_a_row_are_refused():
    with pytest.raises(InputError, match="atomic numbers 1 to 99"):
        import_painn(GOLDEN / "schnetpack_gaussian.npz", elements=["Fm"])


def test_a_file_that_holds_no_tensors_is_refused(tmp_path):
    path = tmp_path / "x.npz"
    path.write_bytes(b"PK nothing")

    with pytest.raises(InputError, match="cannot be read"):
        import_painn(path)
