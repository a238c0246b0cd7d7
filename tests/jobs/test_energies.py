"""Energies of one group are compared with each other, whatever the structures are."""

import numpy as np
import pytest

from certain import known
from forgefield.fitting.judge.metrics import judge
from forgefield.jobs.fit.plan.prepare import prepare
from forgefield.units import ELECTRONVOLT

WATER = np.array([[0.0, 0.0, 0.0], [0.757, 0.586, 0.0], [-0.757, 0.586, 0.0]])
INTERACTION = -0.2
"""eV"""


def frame(distance, energy):
    """Two water molecules this far apart as a frame of extended xyz."""
    positions = np.concatenate([WATER, WATER - np.array([0.0, distance, 0.0])])
    lines = "\n".join(f"{s} {x:.6f} {y:.6f} {z:.6f}" for s, (x, y, z) in zip("OHHOHH", positions, strict=True))
    return f"6\nProperties=species:S:1:pos:R:3 energy={energy}\n{lines}\n"


@pytest.fixture
def prepared(tmp_path):
    (tmp_path / "dimer.xyz").write_text(frame(3.2, INTERACTION) + frame(40.0, 0.0))
    (tmp_path / "FIT.toml").write_text(
        '[forcefield]\nform = "mm3"\nestimate = "none"\n[[molecules]]\nreference = "dimer.xyz"\n'
        'group = "dimer"\npieces = 2\n'
        "[targets]\nenergy = { tolerance = 0.5 }\n"
    )
    return prepare(tmp_path / "FIT.toml")


def test_interaction_energy_is_that_of_a_complex_relative_to_its_parts_far_apart(prepared):
    model, data = prepared.assignment.model, prepared.data

    judged = judge(model, data, prepared.examples)

    near, far = np.asarray(judged.observation.energy)
    assert near - far != 0.0
    deviation = (near - far) - INTERACTION * ELECTRONVOLT
    np.testing.assert_allclose(known(judged.total.energy_rmsd_kcal_mol), abs(deviation) / 2.0, rtol=1e-9)
