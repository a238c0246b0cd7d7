"""Figures of relaxed structures leave out what did not relax, by hand."""

import jax.numpy as jnp
import numpy as np
import pytest

from forgefield.fitting.cost.cost import Sights
from forgefield.fitting.data.observation import Observation
from forgefield.fitting.data.training_set import Example, training_set
from forgefield.fitting.judge import relaxed_metrics
from forgefield.fitting.judge.metrics import Judgement, Metrics
from forgefield.fitting.judge.relaxed_metrics import RelaxedJudge
from forgefield.fitting.targets.target import Seen, at_reference
from forgefield.models.forcefield import ForceField
from forgefield.molecules.molecule import Molecule, Reference
from forgefield.molecules.topology import union

HYDROGEN = np.array([[0.0, 0.0, 0.0], [0.74, 0.0, 0.0]])
ENERGIES = (5.0, 1.0, 3.0, 2.0)
"""kcal/mol of the references; the third has none."""


@pytest.fixture
def told(monkeypatch):
    """What is told of four hydrogen molecules, of which the first did not relax."""
    examples = [
        Example(
            Molecule(f"h2-{m}", np.array([1, 1]), HYDROGEN, np.array([[0, 1]]), np.ones(1)),
            Reference(np.array([1, 1]), HYDROGEN, energy=None if m == 2 else energy),
            None,
        )
        for m, energy in enumerate(ENERGIES)
    ]
    topology = union([np.array([1, 1])] * 4)
    nothing = Metrics(**dict.fromkeys(Metrics.__dataclass_fields__))
    found = Seen(
        positions=jnp.zeros((8, 3)),
        energy=jnp.array([0.0, 4.0, 9.0, 3.0]),
        there=jnp.array([False, True, True, True]),
        observation=None,
        vibrations=jnp.zeros((4, 6, 0)),
    )
    shapes = (4,), (8, 3), (4, 6, 6), (4, 1, 1), (4, 1), (4, 1, 1), (0,)
    seen = Observation(*map(jnp.zeros, shapes))
    bonds = {"bond_rmsd_a": np.array([[0.5], [0.03], [0.0], [-0.04]])}
    deviations = {"angle_rmsd_deg": np.zeros((4, 0)), "torsion_rmsd_deg": np.zeros((4, 0)), **bonds}
    monkeypatch.setattr(relaxed_metrics, "_compared_on_rung", lambda *_: (found, deviations))
    data = training_set(topology, examples)
    judged = Judgement(nothing, (nothing,) * 4, (None,) * 4, Sights(at_reference(seen, data)))
    monkeypatch.setattr(relaxed_metrics, "judge", lambda *_, **__: judged)
    return RelaxedJudge()(ForceField((), jnp.zeros(0)), data, examples)


def test_energies_are_those_of_the_molecules_that_relaxed_and_have_one(told):
    # The second and the fourth: 4 - 1 = 3 and 3 - 2 = 1 are 1 off their mean of 2.
    energies = [metrics.energy_rmsd_kcal_mol for metrics in told.each]

    np.testing.assert_allclose(told.total.energy_rmsd_kcal_mol, 1.0)
    assert energies[0] is energies[2] is None
    np.testing.assert_allclose([energies[1], energies[3]], 1.0)


def test_geometries_are_those_of_the_molecules_that_relaxed(told):
    np.testing.assert_allclose(told.total.bond_rmsd_a, np.sqrt((0.03**2 + 0.04**2) / 3.0))
    assert told.each[0].bond_rmsd_a is None
    assert told.total.angle_rmsd_deg is None
