"""Cutoff, switching and reaction field, held against OpenMM."""

import re

import numpy as np
import pytest

from forgefield.io.forcefields.openmm.system.reader import read_system
from forgefield.io.molecules import read_structures
from forgefield.jobs.evaluate import evaluate, forces_of

pytestmark = [pytest.mark.slow, pytest.mark.openmm]
NANOMETRE = 10.0


@pytest.mark.filterwarnings("ignore:.*states no charges")
@pytest.mark.parametrize(("cutoff", "switch", "dielectric"), [(6.0, None, 78.3), (5.0, 4.0, 4.0), (4.0, None, 1.0)])
def test_energies_and_forces_with_a_cutoff_are_those_of_openmm(data, in_openmm, tmp_path, cutoff, switch, dielectric):
    folder = data / "programs" / "openmm"
    xml = (folder / "aladip_amber14.system.xml").read_text()
    path = tmp_path / "aladip.system.xml"
    path.write_text(xml)
    (molecule,) = read_structures(folder / "aladip_amber14.pdb", system=read_system(path).system)
    stated = {
        "method": "1",
        "cutoff": f"{cutoff / NANOMETRE}",
        "rfDielectric": f"{dielectric}",
        "dispersionCorrection": "0",
    }
    if switch is not None:
        stated |= {"useSwitchingFunction": "1", "switchingDistance": f"{switch / NANOMETRE}"}
    (head,) = re.findall(r'<Force [^>]*type="NonbondedForce"[^>]*>', xml)
    changed = head
    for name, value in stated.items():
        changed = re.sub(rf' {name}="[^"]*"', f' {name}="{value}"', changed)

    energy, forces = in_openmm(xml.replace(head, changed), molecule.positions)

    found = evaluate(
        path, [folder / "aladip_amber14.pdb"], cutoff=cutoff, switch=switch or np.inf, dielectric=dielectric
    )
    np.testing.assert_allclose(found.energies, energy, atol=1e-6)
    np.testing.assert_allclose(forces_of(found)[0], forces, atol=1e-5)
    assert f"pairs end at {cutoff:g} Å, with a reaction field of ε = {dielectric:g}" in found.note
