"""The nine rhodium complexes relax under the published MM3* file, on the surface on which they are minima."""

import jax.numpy as jnp
import numpy as np
import pytest

from forgefield.assign.mm3.laid import assign_mm3
from forgefield.io.forcefields.mm3.fld import read_fld
from forgefield.io.references import matching_files, read_columns
from forgefield.jobs.laid import opened
from forgefield.molecules.measure import lengths
from forgefield.properties.relax import Failure, Limits, relax

# Most of the time goes into compiling whole force fields.
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def nine(data):
    """Their force field, topology, bonds, and positions in QM."""
    folder = data / "rh-enamide"
    fld = folder / "forcefield/mm3.fld"
    _, molecules = opened(fld, sorted((folder / "mae").glob("*.mae")))
    references = read_columns([matching_files(folder, f"jaguar/*.{suffix}") for suffix in ("in", "out")])
    starts = np.cumsum([0, *(m.n_atoms for m in molecules)])[:-1]
    bonds = np.concatenate([m.bonds + start for m, start in zip(molecules, starts, strict=True)])
    assignment = assign_mm3(molecules, read_fld(fld)).assignment
    return assignment, bonds, np.concatenate([r.positions for r in references])


@pytest.fixture(scope="module")
def relaxed(nine):
    assignment, bonds, positions = nine
    # Under policy C the curvature along the reaction is fitted as a large positive one.
    order = np.zeros(assignment.topology.n_molecules, dtype=np.int64)
    model, topology = assignment.model, assignment.topology
    return relax(model, topology, jnp.asarray(positions), order=order, limits=Limits(bonds=bonds))


def test_all_nine_reach_minima(relaxed):
    assert [Failure(int(f)) for f in relaxed.failure] == [Failure.NONE] * 9
    assert float(relaxed.gradient_max.max()) < 1e-6
    np.testing.assert_array_equal(relaxed.n_negative, 0)


def test_bonds_are_as_long_as_in_the_reference(relaxed, nine):
    _, bonds, positions = nine

    deviation = lengths(np.asarray(relaxed.positions)[bonds]) - lengths(positions[bonds])

    assert np.sqrt(np.mean(deviation**2)) < 0.03
