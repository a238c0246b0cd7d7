"""The velocities that replicas start with."""

import numpy as np

from forgefield import units
from forgefield.molecules.topology import union
from forgefield.simulate.dynamics import start

N_REPLICAS, N_EACH = 2500, 100


def test_velocities_at_the_start_have_the_variance_of_the_temperature():
    masses = np.repeat([1.0, 16.0], N_EACH)
    topology = union([np.ones(2 * N_EACH, np.int64)])
    positions = np.zeros((N_REPLICAS, 2 * N_EACH, 3), np.float32)

    velocities = np.asarray(start(topology, positions, masses, temperature=300.0, seed=1).velocities, np.float64)

    # Without momentum an atom keeps the share 1 - m/M of its variance.
    expected = units.BOLTZMANN * 300.0 / masses * (1.0 - masses / masses.sum())
    for kind in (slice(N_EACH), slice(N_EACH, None)):
        found = np.mean(velocities[:, kind] ** 2)
        # Six standard deviations of a variance of so many numbers are 1 %; two per cent are twelve.
        n = N_REPLICAS * N_EACH * 3
        np.testing.assert_allclose(found, expected[kind].mean(), rtol=6.0 * np.sqrt(2.0 / n))
    np.testing.assert_allclose(np.einsum("a,raj->rj", masses, velocities), 0.0, atol=1e-3)
