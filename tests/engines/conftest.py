"""Small molecules that quantum chemistry finishes in seconds."""

import numpy as np
import pytest

from forgefield.molecules.molecule import Molecule


@pytest.fixture
def water():
    """No stationary point: bonds of 1.0 and 0.95 Å."""
    positions = np.array([[0.0, 0.0, 0.1], [0.0, 0.8, -0.5], [0.1, -0.75, -0.45]])
    return Molecule(name="water", species=np.array([8, 1, 1]), positions=positions, source="water.xyz")


@pytest.fixture
def planar_ammonia():
    positions = np.array([[0.0, 0.0, 0.0], [1.0, 0.0, 0.0], [-0.5, 0.75**0.5, 0.0], [-0.5, -(0.75**0.5), 0.0]])
    return Molecule(name="ammonia", species=np.array([7, 1, 1, 1]), positions=positions, source="ammonia.xyz")


@pytest.fixture
def hydroxyl():
    """A radical."""
    positions = np.array([[0.0, 0.0, 0.0], [0.0, 0.0, 0.97]])
    return Molecule(name="hydroxyl", species=np.array([8, 1]), positions=positions, multiplicity=2)
