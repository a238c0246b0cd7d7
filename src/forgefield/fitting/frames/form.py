"""The cost of many structures as a quadratic form: they are looked at once, whatever number of steps a fit takes.

cost = ½ (energy · mean of (ΔE/atoms)² + force · mean of ΔF² + product · mean of Δ(Hv)²) in kcal/mol and Å, where the
energies of molecules of one group have a common zero that is free.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from forgefield.errors import InputError
from forgefield.fitting.cost.cost import Problem
from forgefield.fitting.cost.gram import Gram, centre_of, changing, distinct_rows, form_of
from forgefield.fitting.cost.monomials import Monomial, is_polynomial, listed
from forgefield.fitting.frames.columns import Answers, answers, parts_of
from forgefield.fitting.frames.frames import Frames
from forgefield.molecules.topology import Topology


@dataclass(frozen=True)
class FrameWeights:
    """What squared errors weigh, each in its mean."""

    energy: float = 1.0
    """Of energies per atom [kcal/mol]."""
    force: float = 1.0
    """Of components of forces [kcal/mol/Å]."""
    product: float = 1.0
    """Of components of Hessian products along directions of the length of one for each coordinate [kcal/mol/Å²]."""


def frame_form(
    problem: Problem,
    topology: Topology,
    charges: Float[np.ndarray, " charges"],
    labelled: Sequence[tuple[Frames, int]],
    weights: FrameWeights,
) -> Gram:
    """Return the quadratic form of what structures of the molecules of a topology say of a force field.

    For each molecule its structures and the number of its group. `charges` of the atoms stay as they are. Raises
    InputError where the energy of a term is no polynomial in what changes.
    """
    values, changes = centre_of(problem), changing(problem)
    terms, rows = problem.model.terms, [distinct_rows(group) for group in topology.interactions]
    for term, places in zip(terms, rows, strict=True):
        if not is_polynomial(term, changes[np.minimum(places, len(values))]):
            raise InputError(f"many structures cannot be fitted to by parameters of {term.name}: keep them out")
    monomials, of_row = listed(terms, rows, values, changes)
    sets = [{row: (own, _parameters(monomials, own)) for row, own in known.items() if len(own)} for known in of_row]
    known = np.concatenate([values, charges])
    total = _Total(len(monomials), labelled, weights)
    for m, (frames, group) in enumerate(labelled):
        parts, own = parts_of(terms, topology, m, known, sets)
        for some, said in answers(parts, len(own) + 1, frames):
            total.add(some, said, np.append(own, len(monomials)), group)
    matrix = total.matrix()
    slope, cost = matrix[-1, :-1], np.asarray(0.5 * matrix[-1, -1])
    return form_of(problem, monomials, cost, slope, matrix[:-1, :-1])


def _parameters(monomials: list[Monomial], own: Int[np.ndarray, " own"]) -> Float[np.ndarray, "own parameters"]:
    return np.array([monomials[j].parameters for j in own])


class _Total:
    """Sums of products of columns, the last of which are the deviations of the force field itself."""

    def __init__(self, n: int, labelled: Sequence[tuple[Frames, int]], weights: FrameWeights) -> None:
        self._matrix = np.zeros((n + 1, n + 1))
        self._zero: dict[int, np.ndarray] = {}
        self._sums: dict[int, tuple[int, np.ndarray]] = {}
        n_energies = sum(len(frames) for frames, _ in labelled)
        n_forces = sum(frames.gradient.size for frames, _ in labelled)
        n_products = sum(3 * frames.n_products * frames.positions.shape[1] for frames, _ in labelled)
        self._energy = weights.energy / max(n_energies, 1)
        self._force = weights.force / max(n_forces, 1)
        self._product = weights.product / max(n_products, 1)

    def add(self, frames: Frames, said: Answers, own: Int[np.ndarray, " own"], group: int) -> None:
        """Add some structures, in which the columns `own` are."""
        energy, n_atoms = said.energy, frames.positions.shape[1]
        energy[-1] -= frames.energy
        said.gradient[-1] -= frames.gradient.transpose(1, 0, 2)
        if said.products.size:
            said.products[-1] -= frames.products.transpose(2, 1, 0, 3)
        self._add_energies(energy / n_atoms, own, group)
        for weight, columns in ((self._force, said.gradient), (self._product, said.products)):
            if columns.size and weight:
                flat = columns.reshape(len(own), -1)
                self._matrix[np.ix_(own, own)] += weight * (flat @ flat.T)

    def _add_energies(self, energy: Float[np.ndarray, "own frames"], own: Int[np.ndarray, " own"], group: int) -> None:
        # All are measured from one of them: what is common to a group cancels later, to its last digits.
        zero = self._zero.setdefault(group, np.zeros(len(self._matrix)))
        if group not in self._sums:
            zero[own] = energy[:, 0]
        whole = -np.repeat(zero[:, None], energy.shape[1], axis=1)
        whole[own] += energy
        n, total = self._sums.get(group, (0, np.zeros(len(zero))))
        self._sums[group] = n + energy.shape[1], total + whole.sum(axis=1)
        self._matrix += self._energy * (whole @ whole.T)

    def matrix(self) -> Float[np.ndarray, "columns columns"]:
        """Return the sums, energies less the mean of their group."""
        total = self._matrix.copy()
        for n, summed in self._sums.values():
            total -= self._energy / n * np.outer(summed, summed)
        return total
