import json
from dataclasses import replace
from pathlib import Path

import jax.numpy as jnp
import numpy as np
import pytest

from forgefield.errors import InputError
from forgefield.io.forcefields.neural.schnetpack import Settings, import_painn
from forgefield.molecules.topology import union
from forgefield.properties.derivatives import energies, forces
from forgefield.units import BOHR, ELECTRONVOLT
from samples import AS_SCHNETPACK_HAS_IT

# Made by golden/make_schnetpack.py.
GOLDEN = Path(__file__).parent / "golden"
ELEMENTS = ["C", "H", "O"]


@pytest.mark.parametrize("basis", ["gaussian", "sine"])
def test_energy_and_forces_are_those_of_schnetpack(basis):
    model = import_painn(GOLDEN / f"schnetpack_{basis}.npz", AS_SCHNETPACK_HAS_IT, elements=ELEMENTS)
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
        import_painn(path, AS_SCHNETPACK_HAS_IT, elements=ELEMENTS)

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
        ("postprocessors.1.mean", np.ones(1), r"postprocessors\.0, postprocessors\.1 all have offsets"),
        ("postprocessors.0.mean", np.full(1, np.nan), "not finite"),
        ("representation.cutoff_fn.eps", np.full(1, 1e-7), "it is MollifierCutoff, not CosineCutoff"),
        ("representation.cutoff_fn.switch_on", np.ones(1), "it is another, not CosineCutoff"),
        ("representation.cutoff_fn.cutoff", np.zeros(1), "one positive number"),
        ("representation.radial_basis.freqs", np.ones(6), "two radial bases"),
        ("representation.embedding.scale", np.ones(1), "embedding.scale: not part"),
        ("representation.electronic_embeddings.0.weight", np.ones(1), "electronic_embeddings.0.weight: not part"),
    ],
)
def test_what_cannot_be_kept_is_refused(tmp_path, tensors, name, value, message):
    with pytest.raises(InputError, match=message):
        import_painn(damaged(tmp_path, tensors, **{name: value}), AS_SCHNETPACK_HAS_IT, elements=ELEMENTS)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("energy_unit", "eV/atom"),
        ("length_unit", "nm"),
        ("cutoff_fn", "MollifierCutoff"),
        ("activation", "shifted_softplus"),
        ("aggregation_mode", "avg"),
        ("epsilon", 1e-6),
        ("offsets", "per molecule"),
    ],
)
def test_settings_of_another_model_are_refused(name, value):
    settings = replace(AS_SCHNETPACK_HAS_IT, **{name: value})

    with pytest.raises(InputError, match=f"cannot be imported:\n  {name} = {value!r}: can be"):
        import_painn(GOLDEN / "schnetpack_gaussian.npz", settings, elements=ELEMENTS)


def test_every_setting_has_to_be_stated():
    with pytest.raises(TypeError, match="required"):
        Settings()  # pyright: ignore[reportCallIssue]  # nothing is stated


@pytest.mark.parametrize("basis", ["gaussian", "sine"])
def test_lengths_may_be_in_bohr(basis):
    path = GOLDEN / f"schnetpack_{basis}.npz"
    said = json.loads((GOLDEN / f"schnetpack_{basis}.json").read_text())
    topology, x = union([np.array(said["numbers"])]), jnp.asarray(said["positions"])
    in_bohr = import_painn(path, replace(AS_SCHNETPACK_HAS_IT, length_unit="Bohr"), elements=ELEMENTS)

    found = energies(in_bohr, topology, x * BOHR)

    np.testing.assert_allclose(found / ELECTRONVOLT, said["energy_ev"], atol=2e-5)


def test_offsets_can_be_left_out():
    path = GOLDEN / "schnetpack_gaussian.npz"

    without = import_painn(path, replace(AS_SCHNETPACK_HAS_IT, offsets="none"), elements=ELEMENTS)

    assert not without.references.any()
    assert import_painn(path, AS_SCHNETPACK_HAS_IT, elements=ELEMENTS).references.all()


def test_elements_without_a_row_are_refused():
    with pytest.raises(InputError, match="atomic numbers 1 to 99"):
        import_painn(GOLDEN / "schnetpack_gaussian.npz", AS_SCHNETPACK_HAS_IT, elements=["Fm"])


def test_a_file_that_holds_no_tensors_is_refused(tmp_path):
    path = tmp_path / "x.npz"
    path.write_bytes(b"PK nothing")

    with pytest.raises(InputError, match="cannot be read"):
        import_painn(path, AS_SCHNETPACK_HAS_IT, elements=ELEMENTS)


def test_archive_that_unpacks_to_far_more_than_weights_is_refused(tmp_path):
    np.savez_compressed(tmp_path / "bomb.npz", zeros=np.zeros(2**22))

    with pytest.raises(InputError, match=r"bomb\.npz: unpacks to 32 MiB, as no file of weights does"):
        import_painn(tmp_path / "bomb.npz", AS_SCHNETPACK_HAS_IT, elements=ELEMENTS)


def test_numbers_of_no_sane_size_are_refused(tmp_path):
    np.savez(tmp_path / "huge.npz", weight=np.array([1.0, 1e300]))

    with pytest.raises(InputError, match=r"huge\.npz: weight: numbers that are not finite, or of no sane size"):
        import_painn(tmp_path / "huge.npz", AS_SCHNETPACK_HAS_IT, elements=ELEMENTS)
