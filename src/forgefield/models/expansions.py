"""What a force field says at fixed geometries, by NumPy from programs of one term each.

Such a program serves all molecules with about as many interactions of the term, whatever the force field.
"""

from dataclasses import dataclass, replace

import jax
import numpy as np
from jaxtyping import Array, Float, Int

from forgefield.compiled import Compiled, compiled, compiled_quickly
from forgefield.models.blocks import derivatives_of_coordinates
from forgefield.molecules.topology import IntArray, Topology
from forgefield.terms.term import Term

_STEPS = 64, 256, 1024
"""Numbers of interactions to which fewer are filled up; more are to a multiple of the last."""
FloatArray = Array | np.ndarray


@dataclass(frozen=True, eq=False)
class Expansion:
    """One term's interactions at a geometry: internal coordinates with their derivatives by the atoms' positions."""

    number: int
    """Of the term."""
    term: Term
    parameters: Int[IntArray, "interactions parameters"]
    molecule: Int[np.ndarray, " interactions"]
    place: Int[np.ndarray, "interactions local"]
    """Rows of the molecule's Hessian."""
    q: Float[np.ndarray, "interactions coordinates"]
    first: Float[np.ndarray, "interactions coordinates local"]
    second: Float[np.ndarray, "interactions coordinates local local"]

    def of(self, interactions: Int[np.ndarray, " _"]) -> "Expansion":
        """Return some of the interactions."""
        leaves = ("parameters", "molecule", "place", "q", "first", "second")
        return replace(self, **{name: getattr(self, name)[interactions] for name in leaves})

    def blocks(
        self, slope: Float[np.ndarray, "interactions coordinates"], curvature: Float[np.ndarray, "interactions _ _"]
    ) -> Float[np.ndarray, "interactions local local"]:
        """Return the local Hessians of energies with these derivatives by the internal coordinates."""
        bent = np.einsum("iq,iqcd->icd", slope, self.second)
        return bent + np.swapaxes(self.first, 1, 2) @ curvature @ self.first


@dataclass(frozen=True, eq=False)
class Evaluated:
    """Energies, gradients and Hessians of all molecules."""

    energy: Float[np.ndarray, " molecules"]
    gradient: Float[np.ndarray, "atoms 3"]
    hessian: Float[np.ndarray, "molecules coordinates coordinates"]


def expansions(
    terms: tuple[Term, ...], values: Float[FloatArray, " parameters"], topology: Topology, positions: FloatArray
) -> list[Expansion]:
    """Return the interactions of each term that has any, at positions [Å]."""
    known, x = with_charges(values, topology), np.asarray(positions)
    molecule, slot = np.asarray(topology.molecule), np.asarray(topology.slot)
    found = []
    for number, (term, group) in enumerate(zip(terms, topology.interactions, strict=True)):
        atoms, parameters = np.asarray(group.atoms), np.asarray(group.parameters)
        if not len(atoms):
            continue
        q, first, second = _by_rows(_EXPANSIONS, term, x[atoms], known[parameters])
        place = (3 * slot[atoms][:, :, None] + np.arange(3)).reshape(len(atoms), 3 * atoms.shape[1])
        found.append(Expansion(number, term, parameters, molecule[atoms[:, 0]], place, q, first, second))
    return found


def profiles(
    term: Term, q: Float[np.ndarray, "rows coordinates"], p: Float[np.ndarray, "rows parameters"]
) -> tuple[
    Float[np.ndarray, " rows"], Float[np.ndarray, "rows coordinates"], Float[np.ndarray, "rows coordinates coordinates"]
]:
    """Return energies with their first and second derivatives by the internal coordinates."""
    energy, slope, curvature = _by_rows(_PROFILES, term, q, p)
    return energy, slope, curvature


def with_charges(values: Float[FloatArray, " parameters"], topology: Topology) -> Float[np.ndarray, " known"]:
    """Return the values of a model, and behind them the charge of each atom [e] where it follows from them."""
    known, rule = np.asarray(values), topology.charges
    if rule is None:
        return known
    charges = np.array(rule.formal, dtype=known.dtype)
    np.add.at(charges, rule.atom, np.asarray(rule.sign) * known[rule.moment] / known[rule.length])
    return np.concatenate([known, charges])


def evaluated(expanded: list[Expansion], values: Float[FloatArray, " parameters"], topology: Topology) -> Evaluated:
    """Return what a force field with these values says where it was expanded."""
    known, n = with_charges(values, topology), 3 * topology.n_max
    energy = np.zeros(topology.n_molecules)
    slopes = np.zeros((topology.n_molecules, n))
    hessian = np.zeros((topology.n_molecules, n, n))
    for one in expanded:
        own, slope, curvature = profiles(one.term, one.q, known[one.parameters])
        m = one.molecule[:, None]
        energy += np.bincount(one.molecule, own, topology.n_molecules)
        np.add.at(slopes, (m, one.place), np.einsum("iq,iqc->ic", slope, one.first))
        np.add.at(hessian, (m[:, None], one.place[:, :, None], one.place[:, None, :]), one.blocks(slope, curvature))
    gradient = slopes.reshape(topology.n_molecules, -1, 3)[topology.molecule, topology.slot]
    return Evaluated(energy, gradient, hessian)


def _by_rows(programs: tuple[Compiled, Compiled], term: Term, *rows: np.ndarray) -> tuple[np.ndarray, ...]:
    """Return what a program finds for each row, which is given them filled up with the first: one for few, or many."""
    n = len(rows[0])
    few = n <= _STEPS[-1]
    size = next(step for step in _STEPS if n <= step) if few else -(-n // _STEPS[-1]) * _STEPS[-1]
    index = np.where(np.arange(size) < n, np.arange(size), 0)
    return tuple(np.asarray(found)[:n] for found in programs[not few](term, *(one[index] for one in rows)))


def _expansion(term: Term, x: Float[Array, "interactions order 3"], p: Float[Array, "interactions parameters"]):
    return derivatives_of_coordinates(term, x, p)


def _profile(term: Term, q: Float[FloatArray, "rows coordinates"], p: Float[FloatArray, "rows parameters"]):
    def energy(q, p):
        return term.profile(q, *p)

    return tuple(jax.vmap(f)(q, p) for f in (energy, jax.grad(energy), jax.jacfwd(jax.grad(energy))))


_EXPANSIONS = compiled_quickly(_expansion), compiled(_expansion)
_PROFILES = compiled_quickly(_profile), compiled(_profile)
