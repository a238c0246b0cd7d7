import numpy as np
import pytest

from forgefield.errors import InputError
from forgefield.molecules.lattice import completed

EVERYWHERE = (True, True, True)


def test_vectors_of_periodic_directions_are_kept_and_the_others_replaced():
    cell = np.array([[3.0, 0.5, 0.0], [0.0, 4.0, 0.0], [3.0, 0.5, 0.0]])

    found = completed(cell, (True, True, False), 2)

    assert np.array_equal(found[:2], cell[:2])
    np.testing.assert_allclose(found[2], [0.0, 0.0, 1.0])


@pytest.mark.parametrize(
    ("cell", "periodic", "message"),
    [
        (np.zeros((3, 3)), EVERYWHERE, "periodic along a/b/c, where the cell has no vector"),
        (np.diag([4.0, 4.0, 0.0]), (False, True, True), "periodic along c, where the cell has no vector"),
        (np.diag([4.0, np.nan, 4.0]), EVERYWHERE, "finite numbers below 1e[+]06 Å"),
        (np.diag([4.0, 1e300, 4.0]), EVERYWHERE, "finite numbers below 1e[+]06 Å"),
        (np.array([[4.0, 0, 0], [8.0, 0, 0], [0, 0, 4.0]]), EVERYWHERE, "span a volume"),
        (np.array([[4.0, 0, 0], [4.0, 0, 0], [0, 0, 4.0]]), (True, True, False), "span a volume"),
        (np.diag([4.0, 1e-5, 4.0]), EVERYWHERE, "lattice planes along b are 1e-05 Å apart"),
        (np.array([[4.0, 0, 0], [8.0, 1e-3, 0], [0, 0, 4.0]]), EVERYWHERE, "hardly span a volume"),
        (np.diag([0.5, 0.5, 0.5]), EVERYWHERE, "2 atoms in 0.125 Å³ are denser than anything"),
    ],
)
def test_cells_that_cannot_be_are_refused(cell, periodic, message):
    with pytest.raises(InputError, match=message):
        completed(cell, periodic, 2)
