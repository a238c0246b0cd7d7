"""What monomials of the parameters make of the energy, gradient and Hessian of each molecule at a fixed geometry.

A local Hessian is Σ h w wᵀ over vectors w that the geometry alone gives: the gradients of the internal
coordinates, with weights f'', and the eigenvectors of their second derivatives, with weights f'.
"""

from collections.abc import Callable
from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int
from scipy import sparse

from forgefield.fitting.data.training_set import FloatArray, TrainingSet
from forgefield.models.model import AbstractSensitivities, Found
from forgefield.molecules.topology import Topology

_NOTHING = 1e-13
"""Vectors and weights below this share of the largest are rounding errors."""
_TINY = 1e-300
HELD = 4_000_000
"""Numbers of large matrices that are held at a time: products of vectors, in a molecule of many atoms."""


@dataclass(frozen=True, eq=False)
class Rows:
    """What one term contributes at a fixed geometry: derivatives by its coordinates, a row for each monomial."""

    interaction: Int[np.ndarray, " rows"]
    monomial: Int[np.ndarray, " rows"]
    energy: Float[np.ndarray, " rows"]
    slope: Float[np.ndarray, "rows coordinates"]
    curvature: Float[np.ndarray, "rows coordinates coordinates"]
    first: Float[np.ndarray, "interactions coordinates local"]
    second: Float[np.ndarray, "interactions coordinates local local"]
    place: Int[np.ndarray, "interactions local"]
    """Rows of a molecule's Hessian."""
    members: Int[np.ndarray, "molecules members"]


@dataclass(frozen=True, eq=False)
class MoleculeForm:
    """What the monomials make of one molecule's energy, gradient and Hessian."""

    own: Int[np.ndarray, " own"]
    """The monomials that it has."""
    parts: list[Rows]
    vectors: sparse.csr_array
    weights: sparse.csr_array
    """The Hessian is Σ h w wᵀ over the vectors w, with the weights h of each monomial [own, vectors]."""

    def curvatures(self, modes: Float[np.ndarray, "coordinates modes"]) -> Float[np.ndarray, "own modes"]:
        """Return what each monomial multiplies in qᵀ H q for each column q of `modes`."""
        total, weights = np.zeros((len(self.own), modes.shape[1])), self.weights.tocsc()
        for those in self.blocks(len(modes)):
            total += weights[:, those] @ np.asarray(self.vectors[those] @ modes) ** 2
        return total

    def blocks(self, n_coordinates: int) -> list[slice]:
        """Return the vectors in parts, of which the products with all vectors and all coordinates can be held."""
        n = len(self.vectors.indptr) - 1
        size = max(1, HELD // max(n, n_coordinates, 1))
        return [slice(first, min(first + size, n)) for first in range(0, n, size)]


def by_molecule(rows: list[Rows], inside: list[int], data: TrainingSet) -> list[MoleculeForm]:
    """Return what terms contribute to each molecule of a chunk."""
    found = []
    for slot in inside:
        parts = [part for part in (_of_molecule(one, slot) for one in rows) if len(part.monomial)]
        own = np.unique(np.concatenate([np.zeros(0, dtype=int), *(part.monomial for part in parts)]))
        found.append(MoleculeForm(own, parts, *_vectors(parts, own, 3 * data.topology.n_max)))
    return found


class MonomialSensitivities(AbstractSensitivities):
    """Derivatives by the monomials that each molecule of a chunk has."""

    molecules: list[MoleculeForm]
    topology: Topology

    def energy(self) -> Float[FloatArray, "molecules own"]:
        """Derivative of the energies [kcal/mol]."""

        def of_one(one: MoleculeForm) -> np.ndarray:
            energies = np.zeros(len(one.own))
            for part in one.parts:
                np.add.at(energies, np.searchsorted(one.own, part.monomial), part.energy)
            return energies

        return self._stacked(of_one, ())

    def gradient(self) -> Float[FloatArray, "molecules own coordinates"]:
        """Derivative of the gradient [kcal/mol/Å]."""
        n = 3 * self.topology.n_max
        return self._stacked(lambda one: _gradients(one.parts, one.own, n), (n,))

    def charges(self) -> Float[Array, "molecules own atoms"]:
        """Derivative of the charges [e], which do not change."""
        n = self.topology.n_max
        return jax.device_put(self._stacked(lambda one: np.zeros((len(one.own), n)), (n,)))

    def displacements(self) -> Float[Array, "molecules own coordinates"]:
        """Derivative of the positions [Å], which are fixed."""
        n = 3 * self.topology.n_max
        return jax.device_put(self._stacked(lambda one: np.zeros((len(one.own), n)), (n,)))

    def curvatures(
        self, modes: Float[FloatArray, "molecules coordinates modes"]
    ) -> Float[FloatArray, "molecules own modes"]:
        """Derivative of qᵀ H q for each column q of `modes`."""
        given = iter(np.asarray(modes))
        return self._stacked(lambda one: one.curvatures(next(given)), modes.shape[2:])

    def each_hessian(
        self, modes: Float[FloatArray, "molecules coordinates modes"], reduce: Callable[..., Found], *arguments: Array
    ) -> Found:
        """Return `reduce(dH V, *arguments)` of one molecule after another, stacked."""
        given = iter(np.asarray(modes))

        def of_one(one: MoleculeForm) -> np.ndarray:
            along = np.asarray(one.vectors @ next(given))
            products = [one.vectors.T @ (row[:, None] * along) for row in one.weights.toarray()]
            return np.array(products).reshape(len(one.own), *modes.shape[1:])

        found = [reduce(*one) for one in zip(self._stacked(of_one, modes.shape[1:]), *arguments, strict=True)]
        return jax.tree.map(lambda *leaves: jnp.stack(leaves), *found)

    def _stacked(self, of_one: Callable[[MoleculeForm], np.ndarray], window: tuple[int, ...]) -> np.ndarray:
        """Return what is found for each molecule, padded to the most monomials of one."""
        total = np.zeros((self.topology.n_molecules, max((len(m.own) for m in self.molecules), default=0), *window))
        for slot, one in enumerate(self.molecules):
            total[slot, : len(one.own)] = of_one(one)
        return total


def _of_molecule(rows: Rows, slot: int) -> Rows:
    """Return what a term contributes to one molecule, its interactions numbered anew."""
    members = rows.members[slot]
    members = members[members < len(rows.place)]
    number = np.full(len(rows.place), -1)
    number[members] = np.arange(len(members))
    own = np.flatnonzero(number[rows.interaction] >= 0)
    return Rows(
        interaction=number[rows.interaction[own]],
        monomial=rows.monomial[own],
        energy=rows.energy[own],
        slope=rows.slope[own],
        curvature=rows.curvature[own],
        first=rows.first[members],
        second=rows.second[members],
        place=rows.place[members],
        members=rows.members[slot : slot + 1],
    )


def _vectors(parts: list[Rows], own: Int[np.ndarray, " own"], n: int) -> tuple[sparse.csr_array, sparse.csr_array]:
    """Return vectors w [vectors, coordinates] and weights h [own, vectors]: a molecule's Hessian is Σ φ h w wᵀ."""
    found, weights = [], []
    for part in parts:
        n_q = part.first.shape[1]
        # b_q b_rᵀ + b_r b_qᵀ = (b_q + b_r)(b_q + b_r)ᵀ - b_q b_qᵀ - b_r b_rᵀ
        pure = 2.0 * np.einsum("iqq->iq", part.curvature) - part.curvature.sum(axis=2)
        for q in range(n_q):
            found.append((part.first[:, q], part.place))
            weights.append((part, pure[:, q]))
            for r in range(q + 1, n_q):
                found.append((part.first[:, q] + part.first[:, r], part.place))
                weights.append((part, part.curvature[:, q, r]))
            eigenvalues, eigenvectors = np.linalg.eigh(part.second[:, q])
            for e in np.flatnonzero(np.abs(eigenvalues).max(axis=0, initial=0.0) > _NOTHING):
                found.append((eigenvectors[:, :, e], part.place))
                weights.append((part, part.slope[:, q] * eigenvalues[part.interaction, e]))
    return _assembled(found, weights, own, n)


def _assembled(found: list, weights: list, own: Int[np.ndarray, " own"], n: int):
    """Return vectors and weights as sparse matrices, without the vectors that nothing depends on."""
    if not found:
        return sparse.csr_array((0, n)), sparse.csr_array((0, 0))
    counts = [len(place) for _, place in found]
    offsets = np.cumsum([0, *counts])
    values = np.concatenate([vector.ravel() for vector, _ in found])
    rows = np.concatenate(
        [np.repeat(o + np.arange(len(p)), p.shape[1]) for o, (_, p) in zip(offsets, found, strict=False)]
    )
    columns = np.concatenate([place.ravel() for _, place in found])
    vectors = sparse.csr_array(sparse.coo_array((values, (rows, columns)), shape=(offsets[-1], n)))
    values = np.concatenate([weight for _, weight in weights])
    rows = np.concatenate([np.searchsorted(own, part.monomial) for part, _ in weights])
    columns = np.concatenate([o + part.interaction for o, (part, _) in zip(offsets, weights, strict=False)])
    kept = np.abs(values) > _NOTHING * np.abs(values).max(initial=_TINY)
    shape = len(own), offsets[-1]
    summed = sparse.csr_array(sparse.coo_array((values[kept], (rows[kept], columns[kept])), shape=shape))
    used = np.flatnonzero(np.diff(summed.tocsc().indptr) > 0)
    return vectors[used], summed[:, used]


def _gradients(parts: list[Rows], own: Int[np.ndarray, " own"], n: int) -> Float[np.ndarray, "own coordinates"]:
    """Return the gradient of a molecule's energy that each monomial multiplies."""
    design = np.zeros((len(own), n))
    for part in parts:
        local_rows = np.einsum("jq,jqc->jc", part.slope, part.first[part.interaction])
        np.add.at(design, (np.searchsorted(own, part.monomial)[:, None], part.place[part.interaction]), local_rows)
    return design
