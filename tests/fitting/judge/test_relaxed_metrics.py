"""Figures of relaxed structures leave out what did not relax, by hand."""

import jax.numpy as jnp
import numpy as np
import pytest

from certain import known
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
    found = Seen(
        positions=jnp.zeros((8, 3)),
        energy=jnp.array([0.0, 4.0, 9.0, 3.0]),
        there=jnp.array([False, True, True, True]),
        observation=None,
        vibrations=jnp.zeros((4, 6, 0)),
    )
    bonds = {"bond_rmsd_a": np.array([[0.5], [0.03], [0.0], [-0.04]])}
    deviations = {"angle_rmsd_deg": np.zeros((4, 0)), "torsion_rmsd_deg": np.zeros((4, 0)), **bonds}
    return judged(monkeypatch, examples, found, deviations)


def judged(monkeypatch, examples, found, deviations):
    """What is told of molecules that relaxed like this."""
    sizes = [one.molecule.n_atoms for one in examples]
    n, atoms, most = len(sizes), sum(sizes), 3 * max(sizes)
    nothing = Metrics(**dict.fromkeys(Metrics.__dataclass_fields__))
    seen = Observation(*map(jnp.zeros, ((n,), (atoms, 3), (n, most, most), (n, 1, 1), (n, 1), (n, 1, 1), (0,))))
    data = training_set(union([np.ones(size, int) for size in sizes]), examples)
    at_start = Judgement(nothing, (nothing,) * n, (None,) * n, Sights(at_reference(seen, data)))
    monkeypatch.setattr(relaxed_metrics, "_compared_on_rung", lambda *_: (found, deviations))
    monkeypatch.setattr(relaxed_metrics, "judge", lambda *_, **__: at_start)
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


CARBONS = np.array([[0.0, 0.0, 0.0], [1.45, 0.0, 0.0]])
BONDS = np.array([[0, 1], *([0, k] for k in (2, 3, 4)), *([1, k] for k in (5, 6, 7))])


LENGTH = np.hypot(0.36, 1.03)


def ethane(degrees, length=LENGTH):
    """Staggered, with its second methyl group turned and its last bond this long."""
    angle = np.radians([0.0, 120.0, 240.0, *(degrees + np.array([60.0, 180.0, 300.0]))])
    along = np.repeat([-0.36, 1.81], 3)
    ends = np.stack([along, 1.03 * np.cos(angle), 1.03 * np.sin(angle)], axis=1)
    ends[5] = CARBONS[1] + (ends[5] - CARBONS[1]) * length / np.linalg.norm(ends[5] - CARBONS[1])
    return np.concatenate([CARBONS, ends])


def test_a_methyl_group_past_a_third_of_a_turn_is_compared_with_its_atoms_exchanged(monkeypatch):
    species = np.array([6, 6, *[1] * 6])
    molecule = Molecule("ethane", species, ethane(0.0), BONDS, np.ones(7))
    found = Seen(
        positions=jnp.asarray(ethane(110.0, 1.19)),
        energy=jnp.zeros(1),
        there=jnp.array([True]),
        observation=None,
        vibrations=jnp.zeros((1, 24, 0)),
    )
    apart = {
        "bond_rmsd_a": np.zeros((1, 7)),
        "angle_rmsd_deg": np.zeros((1, 12)),
        "torsion_rmsd_deg": np.full((1, 9), 110.0),
    }

    told = judged(monkeypatch, [Example(molecule, Reference(species, ethane(0.0)), None)], found, apart)

    np.testing.assert_allclose(known(told.total.torsion_rmsd_deg), 10.0, atol=1e-6)
    # The bond that is too long is one of the group, whichever of its atoms ends it.
    np.testing.assert_allclose(known(told.total.bond_rmsd_a), (1.19 - LENGTH) / np.sqrt(7.0), atol=1e-6)
