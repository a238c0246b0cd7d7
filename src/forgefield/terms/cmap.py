"""Correction maps: an energy of two dihedral angles that share three atoms, from a grid."""

from functools import cache

import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

from forgefield.terms.composed import DIHEDRAL
from forgefield.terms.coordinates import Values, joined
from forgefield.terms.geometry import Scalar
from forgefield.terms.term import Parameter, Polynomial, Term

TWO_DIHEDRALS = joined((DIHEDRAL, (0, 1, 2, 3)), (DIHEDRAL, (1, 2, 3, 4)), order=5)
"""The dihedral angles [rad] of atoms 1-4 and 2-5 of five in a row."""
# Powers of t from the values and slopes at 0 and 1 of a cubic in t.
_HERMITE = np.array([[1.0, 0.0, 0.0, 0.0], [0.0, 0.0, 1.0, 0.0], [-3.0, 3.0, -2.0, -1.0], [2.0, -2.0, 1.0, 1.0]])

Grid = tuple[tuple[float, ...], ...]


@cache
def correction_map(grid: Grid) -> Term:
    """Return the term of a map: `grid[i][j]` [kcal/mol] is its energy at angles of i and j steps of 2π/n, from 0 on.

    Between them it is the bicubic periodic spline, as in OpenMM. The map is no parameter: its rows hold a factor.
    """
    n = len(grid)
    cells = _cells(np.array(grid))

    def profile(q: Values, factor: Scalar) -> Scalar:
        at = q * (n / (2.0 * np.pi))
        cell = jnp.floor(at)
        i, j = cell.astype(int) % n
        s, t = (jnp.stack([jnp.ones_like(part), part, part**2, part**3]) for part in at - cell)
        return factor * (s @ jnp.asarray(cells, q.dtype)[i, j] @ t)

    return Term(
        *("cmap", TWO_DIHEDRALS, profile, "cmap", 5, (Parameter("factor", "1"),), 1, Polynomial(1)),
        made=(correction_map, (grid,)),
    )


def _cells(grid: Float[np.ndarray, "n n"]) -> Float[np.ndarray, "n n 4 4"]:
    """Return the coefficients of the powers of both fractions in each cell of a grid."""
    to_slopes = _slopes_of_periodic_spline(len(grid))
    to_powers = np.stack([np.eye(len(grid)), np.roll(np.eye(len(grid)), 1, 1), to_slopes, np.roll(to_slopes, -1, 0)])
    one_way = np.einsum("pe,eia->ipa", _HERMITE, to_powers)
    return np.einsum("ipa,ab,jqb->ijpq", one_way, grid, one_way, optimize=True)


def _slopes_of_periodic_spline(n: int) -> Float[np.ndarray, "n n"]:
    """Return the matrix that makes slopes by steps of a periodic cubic spline of its values."""
    ahead = np.roll(np.eye(n), 1, 1)
    return np.linalg.solve(4.0 * np.eye(n) + ahead + ahead.T, 3.0 * (ahead - ahead.T))
