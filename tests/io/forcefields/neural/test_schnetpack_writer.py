"""Weights back to SchNetPack: the tensors that came from it, and no model that it has not."""

import json
from dataclasses import replace
from pathlib import Path

import jax.numpy as jnp
import jax.random as jr
import numpy as np
import pytest

from forgefield.errors import InputError
from forgefield.io.forcefields.neural.schnetpack import import_painn
from forgefield.io.forcefields.neural.schnetpack_writer import tensors_of, write_schnetpack
from forgefield.jobs.convert_weights import convert_weights
from forgefield.models.neural.painn import Design, Size, painn
from forgefield.models.neural.radial import CosineEnvelope, QuinticEnvelope, SineBasis
from forgefield.molecules.topology import union
from forgefield.properties.derivatives import energies
from samples import AS_SCHNETPACK_HAS_IT

GOLDEN = Path(__file__).parent / "golden"
ELEMENTS = ["H", "C", "O"]
DESIGN = Design((1, 6, 8), SineBasis(6, 3.0), CosineEnvelope(), 1.0)


@pytest.mark.parametrize("basis", ["gaussian", "sine"])
def test_tensors_that_came_from_schnetpack_are_the_same_again(basis):
    source = GOLDEN / f"schnetpack_{basis}.npz"
    before = dict(np.load(source))

    found = tensors_of(import_painn(source, AS_SCHNETPACK_HAS_IT, elements=ELEMENTS))

    rows = [1, 6, 8]
    # Filters that blocks share are stored once in the one and for each block in the other.
    n = len(before["representation.filter_net.bias"])
    for name, value in before.items():
        if name.startswith("postprocessors."):
            continue
        now, there = found.pop(name), value
        if "filter_net" in name:
            now = now[:n]
        if "embedding" in name:
            now, there = now[rows], value[rows]
        np.testing.assert_allclose(now, there, rtol=1e-6, atol=1e-7, err_msg=name)
    assert {name for name in found if not name.startswith("postprocessors.")} == set()


def test_a_model_in_another_unit_comes_back_with_its_energies(tmp_path):
    model = painn(jr.key(0), DESIGN, Size(8, 2, 6), references=np.array([-3.0, -7.0, -11.0]))
    write_schnetpack(tmp_path / "spk.npz", model)

    again = convert_weights(tmp_path / "spk.npz", tmp_path / "again.safetensors", tmp_path / "spk.toml")

    said = json.loads((GOLDEN / "schnetpack_sine.json").read_text())
    topology, x = union([np.array(said["numbers"])]), jnp.asarray(said["positions"])
    np.testing.assert_allclose(energies(again, topology, x), energies(model, topology, x), rtol=1e-6)


def test_what_schnetpack_has_not_is_refused_all_at_once(tmp_path):
    model = painn(jr.key(0), replace(DESIGN, envelope=QuinticEnvelope(), core_cutoff=1.0), Size(8, 1, 6), states=True)

    with pytest.raises(InputError) as refusal:
        write_schnetpack(tmp_path / "spk.npz", model)

    told = str(refusal.value)
    assert all(what in told for what in ("CosineCutoff", "repulsion of atomic cores", "charges and multiplicities"))
    assert list(tmp_path.iterdir()) == []
