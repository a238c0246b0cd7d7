"""A system laid over structures with its pairs of atoms computed in stripes, which takes no memory for each pair."""

import math
from collections.abc import Iterator, Sequence

import jax.numpy as jnp
import numpy as np
from jaxtyping import Float, Int

from forgefield import units
from forgefield.assign.explicit.match import order_of
from forgefield.assign.explicit.system import System
from forgefield.errors import InputError
from forgefield.models.forcefield import ForceField
from forgefield.models.striped import Reach, StripedForceField, ended
from forgefield.molecules.molecule import Molecule
from forgefield.molecules.paths import neighbours
from forgefield.molecules.topology import Interactions, Topology, union
from forgefield.terms.coordinates import SQUARE
from forgefield.terms.nonbonded import COULOMB, LENNARD_JONES
from forgefield.terms.term import Term

_MOST_PARTNERS = 50_000_000
_NEAR = 3
"""Bonds up to which special pairs are those of a molecule's own, which act at any distance."""


def laid_in_stripes(
    system: System, molecules: Sequence[Molecule], reach: Reach | None = None
) -> tuple[StripedForceField, Topology]:
    """Return model and topology of structures of a system.

    Special pairs up to three bonds apart act at any distance; others, which have van der Waals values of their own
    (NBFIX), as far as all others do. Raises InputError for other molecules, for pairs whose centres lie elsewhere than
    their atoms and that end, and where so many pairs are special that memory does not hold them.
    """
    reach = reach or Reach()
    n, space = system.n_atoms, system.through_space
    orders = [order_of(system, molecule) for molecule in molecules]
    own, values, start = [], [], 0
    for _, atoms, numbers in (stated := [*_stated(system, reach)]):
        places = np.arange(start, start + numbers.size).reshape(numbers.shape)
        start += numbers.size
        values.append(numbers.ravel())
        laid = np.concatenate([order[atoms] + k * n for k, order in enumerate(orders)])
        own.append(Interactions(laid, np.tile(places, (len(orders), 1))))
    charges = space.charges * math.sqrt(space.coulomb / units.COULOMB)
    back, special = [np.argsort(order) for order in orders], _partners(system)
    model = StripedForceField(
        ForceField(tuple(term for term, _, _ in stated), jnp.asarray(np.concatenate([np.zeros(0), *values]))),
        space.term,
        reach,
        jnp.asarray(np.concatenate([space.parameters[b] for b in back])),
        jnp.asarray(np.concatenate([charges[b] for b in back])),
        np.concatenate([np.append(o, n)[special[b]] for o, b in zip(orders, back, strict=True)]),
    )
    return model, union([m.species for m in molecules], tuple(own))


Numbered = tuple[Term, Int[np.ndarray, "interactions order"], Float[np.ndarray, "interactions parameters"]]


def _stated(system: System, reach: Reach) -> Iterator[Numbered]:
    """Yield the interactions of each term with the values of all its parameters, special pairs among them."""
    far = _far(system) if math.isfinite(reach.cutoff) else set()
    for one in system.interactions:
        if len(one.atoms):
            yield from _divided((one.term, one.atoms, one.values), far, reach, system.source)
    space = system.through_space
    atoms = space.special
    scales = space.scales * np.array([1.0, space.coulomb / units.COULOMB])
    of_pairs = space.parameters[atoms].reshape(-1, 4), space.charges[atoms]
    for term, values, scale in zip((space.term, COULOMB), of_pairs, scales.T, strict=True):
        if (acts := scale != 0.0).any():
            numbers = np.column_stack([values, scale])[acts]
            yield from _divided((term, atoms[acts], numbers), far, reach, system.source)


def _divided(stated: Numbered, far: set[tuple[int, int]], reach: Reach, source: str) -> Iterator[Numbered]:
    """Yield interactions as they are, but for pairs that end, which have a term of their own."""
    term, atoms, numbers = stated
    if math.isinf(reach.cutoff) or term.kind not in (LENNARD_JONES.kind, COULOMB.kind):
        yield stated
        return
    ends = np.array([(min(i, j), max(i, j)) in far for i, j in atoms[:, :2].tolist()])
    if term.order > 2 or (ends.any() and term.coordinates is not SQUARE):
        raise InputError(f"{source}: {term.name} interactions are no pairs of atoms and have no cutoff; leave it out")
    for chosen, its in ((~ends, term), (ends, ended(term, reach))):
        if chosen.any():
            yield its, atoms[chosen], numbers[chosen]


def _far(system: System) -> set[tuple[int, int]]:
    """Return the special pairs more than three bonds apart."""
    around = neighbours(system.n_atoms, system.bonds)
    near: dict[int, set[int]] = {}
    found = set()
    for i, j in np.sort(system.through_space.special, axis=1).tolist():
        if i not in near:
            near[i] = {i}
            for _ in range(_NEAR):
                near[i] |= {b for a in near[i] for b in around[a]}
        if j not in near[i]:
            found.add((i, j))
    return found


def _partners(system: System) -> Int[np.ndarray, "atoms most"]:
    """Return the special pairs of each atom, filled up with the number of atoms. Raises InputError for too many."""
    n, special = system.n_atoms, system.through_space.special
    first, second = np.concatenate([special, special[:, ::-1]]).T
    count = np.bincount(first, minlength=n)
    if n * count.max(initial=0) > _MOST_PARTNERS:
        raise InputError(
            f"{system.source}: atom {int(count.argmax()) + 1} has its own values with {count.max()} others, which is "
            f"more than memory holds for {n} atoms; take a part of the system"
        )
    found = np.full((n, count.max(initial=0)), n)
    order = np.argsort(first, kind="stable")
    found[first[order], np.arange(len(order)) - (np.cumsum(count) - count)[first[order]]] = second[order]
    return found
