import jax.numpy as jnp
import jax.random as jr
import numpy as np
import pytest

from forgefield.models.model import AbstractModel
from forgefield.models.neural.painn import Design, Painn, Size, painn
from forgefield.models.neural.radial import CosineEnvelope, QuinticEnvelope, SineBasis
from forgefield.molecules.topology import union
from forgefield.properties.checks import (
    approach,
    finite_differences,
    hessian_asymmetry,
    hessian_differences,
    jumps,
    net_forces,
    net_torques,
    rigid_motion,
)

TOPOLOGY = union([np.array([6, 1, 8, 1]), np.array([8, 1])])
CUTOFF = 3.0


def network(envelope) -> Painn:
    design = Design((1, 6, 8), SineBasis(5, CUTOFF), envelope, 23.06)
    return painn(jr.key(2), design, Size(8, 2, 5)).with_precision(jnp.float64)


@pytest.fixture(scope="module")
def model():
    return network(QuinticEnvelope())


@pytest.fixture
def positions(generator):
    rows = [[0, 0, 0], [1.1, 0, 0], [-0.4, 1.2, 0], [-0.5, -0.4, 0.9], [0, 0, 0], [0, 0.8, 0.6]]
    return np.array(rows, float) + 0.05 * generator.normal(size=(6, 3))


class Leaning(AbstractModel):
    """A model with a wrong gradient and Hessian: a constant push is missing in its energy, and one in its gradient."""

    model: Painn
    push: float

    @property
    def traits(self):
        return self.model.traits

    def with_precision(self, dtype):
        return Leaning(self.model.with_precision(dtype), self.push)

    def energy(self, topology, positions):
        return self.model.energy(topology, positions)

    def gradient(self, topology, positions):
        return self.model.gradient(topology, positions).at[0, 1].add(self.push)

    def energy_and_gradient(self, topology, positions):
        return self.energy(topology, positions), self.gradient(topology, positions)

    def hessian(self, topology, positions):
        return self.model.hessian(topology, positions).at[0, 0, 1].add(self.push)

    def charges(self, topology):
        return self.model.charges(topology)


def test_the_deviation_of_forces_falls_with_the_square_of_the_step(model, positions):
    study = finite_differences(model, TOPOLOGY, positions)

    assert study.best < 1e-6 * study.scale
    assert 1.8 < study.order < 2.2


def test_wrong_forces_are_found_by_differences_sum_and_torque(model, positions):
    wrong = Leaning(model, 0.1)

    assert finite_differences(wrong, TOPOLOGY, positions, steps=(1e-3, 1e-4)).best > 1e-3
    np.testing.assert_allclose(net_forces(wrong, TOPOLOGY, positions)[0], [0.0, -0.1, 0.0], atol=1e-9)
    assert np.abs(net_torques(wrong, TOPOLOGY, positions)[0]).max() > 1e-3


def test_hessian_is_the_slope_of_the_gradient_unless_it_is_wrong(model, positions):
    deviation, scale = hessian_differences(model, TOPOLOGY, positions)
    wrong, _ = hessian_differences(Leaning(model, 0.1), TOPOLOGY, positions)

    assert deviation < 1e-6 * scale
    assert 1e-3 < wrong < 0.1
    assert hessian_asymmetry(model, TOPOLOGY, positions) < 1e-9 * scale
    np.testing.assert_allclose(hessian_asymmetry(Leaning(model, 0.1), TOPOLOGY, positions), 0.1, rtol=1e-6)


def test_moving_and_turning_a_molecule_changes_nothing_unless_it_is_pushed(model, positions):
    energy, slope = rigid_motion(model, TOPOLOGY, positions)
    still, pushed = rigid_motion(Leaning(model, 0.1), TOPOLOGY, positions)

    np.testing.assert_allclose([energy, slope, still], 0.0, atol=1e-9)
    assert pushed > 1e-3


def test_forces_and_torques_of_each_molecule_balance(model, positions):
    np.testing.assert_allclose(net_forces(model, TOPOLOGY, positions), 0.0, atol=1e-10)
    np.testing.assert_allclose(net_torques(model, TOPOLOGY, positions), 0.0, atol=1e-10)


def test_energy_slope_and_curvature_stay_finite_from_contact_to_beyond_the_cutoff(model, positions):
    far = np.array([0.0, 1e-9, 1e-4, 0.3, 2.9, CUTOFF, CUTOFF + 1e-9, 4.0, 9.0])

    found = approach(model, union([np.array([6, 1])]), positions[:2], (0, 1), far)

    assert all(np.isfinite(part).all() for part in found)
    np.testing.assert_allclose(found.slopes[5:], 0.0, atol=1e-30)
    np.testing.assert_allclose(found.energies[5:], found.energies[-1], rtol=1e-15)


def test_slopes_of_an_approach_are_those_of_its_energies(model, positions):
    r = np.array([1.5, 1.5001, 1.5002])

    found = approach(model, TOPOLOGY, positions, (1, 2), r)

    np.testing.assert_allclose(found.slopes[1], (found.energies[2] - found.energies[0]) / 2e-4, rtol=1e-5)
    np.testing.assert_allclose(found.curvatures[1], (found.slopes[2] - found.slopes[0]) / 2e-4, rtol=1e-5)


@pytest.mark.slow
def test_a_curvature_that_jumps_at_the_cutoff_is_seen(model, positions):
    smooth = jumps(model, TOPOLOGY, positions, (0, 2), CUTOFF)
    bent = jumps(network(CosineEnvelope()), TOPOLOGY, positions, (0, 2), CUTOFF)

    np.testing.assert_allclose(smooth[:2], 0.0, atol=1e-7)
    assert abs(smooth.curvature) < 0.05 * abs(bent.curvature)
    assert abs(bent.curvature) > 1e-3
    np.testing.assert_allclose(bent.energy, 0.0, atol=1e-7)
