"""What each of many sets of parameters makes of energies, gradients and Hessian products at many structures.

The terms are evaluated by programs of one term each, which serve every molecule; what a column has of them is added up
by sparse matrices.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int
from scipy import sparse

from forgefield.compiled import compiled
from forgefield.fitting.frames.frames import Frames
from forgefield.models.blocks import derivatives_of_coordinates
from forgefield.molecules.topology import Topology
from forgefield.terms.term import Term

FloatArray = Array | np.ndarray
_ROWS = 1024
"""Interactions of one call of a program."""
_AT_ONCE = 48
"""Structures whose columns are held in memory."""


class Answers(NamedTuple):
    """What each column is at some structures of a molecule."""

    energy: Float[np.ndarray, "columns frames"]
    """kcal/mol"""
    gradient: Float[np.ndarray, "columns atoms frames 3"]
    """kcal/mol/Å"""
    products: Float[np.ndarray, "columns atoms directions frames 3"]
    """kcal/mol/Å²"""


@dataclass(frozen=True, eq=False)
class Part:
    """The interactions of one term in a molecule, each with several sets of parameters."""

    term: Term
    atoms: Int[np.ndarray, "interactions order"]
    """Of the molecule."""
    parameters: Float[np.ndarray, "interactions sets parameters"]
    column: Int[np.ndarray, "interactions sets"]
    """Which column each set is a part of; beyond the last where of none."""

    def sums(self, n_columns: int, n_atoms: int) -> tuple[sparse.csr_array, sparse.csr_array]:
        """Return what adds up energies of sets to those of columns, and rows of atoms in sets to those in columns."""
        counts = self.column.ravel() < n_columns
        place, own = np.flatnonzero(counts), self.column.ravel()[counts]
        energy = sparse.csr_array((np.ones(len(own)), (own, place)), shape=(n_columns, counts.size))
        order = self.atoms.shape[1]
        atom = np.repeat(self.atoms, self.column.shape[1], axis=0)[counts]
        rows, places = own[:, None] * n_atoms + atom, place[:, None] * order + np.arange(order)
        shape = n_columns * n_atoms, counts.size * order
        return energy, sparse.csr_array((np.ones(rows.size), (rows.ravel(), places.ravel())), shape=shape)


def parts_of(
    terms: Sequence[Term],
    topology: Topology,
    molecule: int,
    known: Float[np.ndarray, " values"],
    sets: Sequence[dict[tuple[int, ...], tuple[np.ndarray, np.ndarray]]] | None = None,
) -> tuple[list[Part], Int[np.ndarray, " own"]]:
    """Return the interactions of one molecule of a topology, and which columns it has beside the last.

    The last column is the force field itself with the `known` values, behind which stand the charges of all atoms.
    `sets` are for each term the columns of each row of parameters, by their places, and the parameters in these.
    """
    inside = np.asarray(topology.molecule) == molecule
    start = int(np.argmax(inside))
    found = []
    for t, (term, group) in enumerate(zip(terms, topology.interactions, strict=True)):
        here = inside[np.asarray(group.atoms)[:, 0]]
        atoms, places = np.asarray(group.atoms)[here] - start, np.asarray(group.parameters)[here]
        nothing = np.zeros(0, np.int64), np.zeros((0, len(term.parameters)))
        own = [nothing if sets is None else sets[t].get(tuple(row), nothing) for row in places.tolist()]
        if len(atoms):
            found.append((term, atoms, places, own))
    columns = np.unique(np.concatenate([np.zeros(0, np.int64), *(c for *_, own in found for c, _ in own)]))
    return [_part(one, known, columns) for one in found], columns


def _part(
    found: tuple[Term, np.ndarray, np.ndarray, list], known: Float[np.ndarray, " values"], columns: np.ndarray
) -> Part:
    term, atoms, places, own = found
    n = len(columns)
    n_sets = max(len(c) for c, _ in own) + 1
    column = np.full((len(atoms), n_sets), n + 1)
    parameters = np.repeat(known[places][:, None], n_sets, axis=1)
    for i, (own_columns, own_parameters) in enumerate(own):
        column[i, : len(own_columns)] = np.searchsorted(columns, own_columns)
        parameters[i, : len(own_columns)] = own_parameters
    column[:, -1] = n
    return Part(term, atoms, parameters, column)


def answers(parts: Sequence[Part], n_columns: int, frames: Frames) -> Iterator[tuple[Frames, Answers]]:
    """Yield some structures after others with what each column is there."""
    n_atoms = frames.positions.shape[1]
    sums = [part.sums(n_columns, n_atoms) for part in parts]
    for first in range(0, len(frames), _AT_ONCE):
        some = frames.of(slice(first, first + _AT_ONCE))
        n, n_along = len(some), 1 + some.directions.shape[1]
        energy = np.zeros((n_columns, n))
        slopes = np.zeros((n_columns * n_atoms, n_along * n * 3))
        for part, (of_energies, of_rows) in zip(parts, sums, strict=True):
            own, rows = _evaluated(part, some)
            energy += of_energies @ own
            slopes += of_rows @ rows
        apart = slopes.reshape(n_columns, n_atoms, n_along, n, 3)
        yield some, Answers(energy, apart[:, :, 0], apart[:, :, 1:])


def _evaluated(part: Part, frames: Frames) -> tuple[np.ndarray, np.ndarray]:
    """Return energies [sets, frames] of interactions, and the rows of their atoms in gradients and products."""
    n, n_along, order = len(frames), frames.directions.shape[1], part.atoms.shape[1]
    n_interactions, n_sets = part.column.shape
    x = frames.positions[:, part.atoms].reshape(-1, order, 3)
    v = np.moveaxis(frames.directions[:, :, part.atoms], 1, 2).reshape(len(x), n_along, 3 * order)
    p = np.broadcast_to(part.parameters, (n, *part.parameters.shape)).reshape(-1, *part.parameters.shape[1:])
    found = []
    for first in range(0, len(x), _ROWS):
        given = [one[first : first + _ROWS] for one in (x, v, p)]
        size = len(given[0])
        index = np.where(np.arange(_ROWS) < size, np.arange(_ROWS), 0)
        found.append([np.asarray(a)[:size] for a in _of_rows(part.term, *(one[index] for one in given))])
    energy, slopes = (np.concatenate(leaves) for leaves in zip(*found, strict=True))
    energy = energy.reshape(n, n_interactions, n_sets)
    slopes = slopes.reshape(n, n_interactions, 1 + n_along, n_sets, order, 3)
    return (
        np.moveaxis(energy, 0, 2).reshape(-1, n),
        slopes.transpose(1, 3, 4, 2, 0, 5).reshape(n_interactions * n_sets * order, -1),
    )


@compiled
def _of_rows(
    term: Term,
    x: Float[FloatArray, "rows order 3"],
    v: Float[FloatArray, "rows directions local"],
    p: Float[FloatArray, "rows sets parameters"],
) -> tuple[Float[Array, "rows sets"], Float[Array, "rows along sets local"]]:
    """Return the energies of each interaction with each set of parameters, its gradients and Hessian products."""
    x, v, p = jnp.asarray(x), jnp.asarray(v), jnp.asarray(p)
    # Coordinates read no parameters but those that no set changes.
    q, first, second = derivatives_of_coordinates(term, x, p[:, -1])

    def profile(q, p):
        return term.profile(q, *p)

    def each(function):
        return jax.vmap(jax.vmap(function, (None, 0)))(q, p)

    energy, slope = each(profile), each(jax.grad(profile))
    along = jnp.einsum("rqc,rkc->rkq", first, v)
    bent = jnp.einsum("rqcd,rkd->rkqc", second, v)
    # The change of the slope along each direction acts along the coordinates, the slope itself along their change.
    stiff = jnp.einsum("rsqw,rkw->rksq", each(jax.jacfwd(jax.grad(profile))), along)
    gradient = jnp.einsum("rsq,rqc->rsc", slope, first)
    products = jnp.einsum("rksq,rqc->rksc", stiff, first) + jnp.einsum("rsq,rkqc->rksc", slope, bent)
    return energy, jnp.concatenate([gradient[:, None], products], axis=1)
