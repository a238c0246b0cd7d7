"""MM3* on conformers that MacroModel minimised: no gradient is left, and the energy is the one it states."""

import gzip

import jax.numpy as jnp
import numpy as np
import pytest

from certain import instance
from forgefield import units
from forgefield.assign.mm3.laid import assign_mm3
from forgefield.io.forcefields.mm3.fld import read_fld
from forgefield.io.structures.atom_types import read_atom_types
from forgefield.io.structures.mae import read_mae
from forgefield.io.structures.mae_blocks import read_blocks
from forgefield.properties.derivatives import energies, forces

EXTENDED = 8.0
"""Å, where MacroModel cut van der Waals interactions off (EXNB)."""
FILES = [
    pytest.param("one/binap_s1_5s_1.mae", marks=pytest.mark.slow, id="one of binap"),
    pytest.param("one/binap-b_s1_5s_2.mae", marks=pytest.mark.slow, id="one of binap-b"),
    pytest.param("rh-hydrogenation-enamides_binap_s1_5s_cs.mae.gz", marks=pytest.mark.slow, id="all of binap"),
    pytest.param("rh-hydrogenation-enamides_binap-b_s1_5s_cs.mae.gz", marks=pytest.mark.slow, id="all of binap-b"),
]


@pytest.fixture(scope="module")
def folder(data):
    return data / "rh-binap-conformers"


def stated(path):
    """Energies [kJ/mol] and RMS gradients [kJ/mol/Å] of the conformers in a file, as MacroModel wrote them."""
    content = path.read_bytes()
    text = (gzip.decompress(content) if path.suffix == ".gz" else content).decode()
    blocks = [block.properties for block in read_blocks(path, text) if block.name == "f_m_ct"]
    keys = "r_mmod_Potential_Energy-MM3*", "r_mmod_RMS_Derivative-MM3*"
    return np.array([[float(instance(str, block[key])) for key in keys] for block in blocks]).T


@pytest.mark.parametrize("name", FILES)
def test_minimised_conformers_have_no_gradient_and_macromodels_energy(folder, name):
    molecules = read_mae(folder / name, atom_types=read_atom_types(folder / "atom.typ"))
    laid = assign_mm3(molecules, read_fld(folder / "mm3.fld"), vdw_cutoff=EXTENDED).assignment
    x = jnp.asarray(np.concatenate([m.positions for m in molecules]))

    found = np.asarray(energies(laid.model, laid.topology, x)) / units.KILOJOULE
    slopes = np.asarray(forces(laid.model, laid.topology, x)).reshape(len(molecules), -1) / units.KILOJOULE

    energy, gradient = stated(folder / name)
    assert (np.sqrt(np.mean(slopes**2, axis=1)) < gradient).all()
    np.testing.assert_allclose(found, energy, rtol=0, atol=0.07)
