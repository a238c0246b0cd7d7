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
from forgefield.models.striped import Reach, StripedForceField
from forgefield.molecules.molecule import Molecule
from forgefield.molecules.topology import Interactions, Topology, union
from forgefield.terms.nonbonded import COULOMB
from forgefield.terms.term import Term

_MOST_PARTNERS = 50_000_000


def laid_in_stripes(
    system: System, molecules: Sequence[Molecule], reach: Reach | None = None
) -> tuple[StripedForceField, Topology]:
    """Return model and topology of structures of a system; special pairs act at any distance.

    Raises InputError for other molecules, and where so many pairs are special that memory does not hold them.
    """
    n, space = system.n_atoms, system.through_space
    orders = [order_of(system, molecule) for molecule in molecules]
    own, values, start = [], [], 0
    for _, atoms, numbers in (stated := [*_stated(system)]):
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
        reach or Reach(),
        jnp.asarray(np.concatenate([space.parameters[b] for b in back])),
        jnp.asarray(np.concatenate([charges[b] for b in back])),
        np.concatenate([np.append(o, n)[special[b]] for o, b in zip(orders, back, strict=True)]),
    )
    return model, union([m.species for m in molecules], tuple(own))


def _stated(system: System) -> Iterator[tuple[Term, Int[np.ndarray, "interactions order"], Float[np.ndarray, "_ _"]]]:
    """Yield the interactions of each term with the values of all its parameters, special pairs among them."""
    yield from ((one.term, one.atoms, one.values) for one in system.interactions if len(one.atoms))
    space = system.through_space
    atoms = space.special
    scales = space.scales * np.array([1.0, space.coulomb / units.COULOMB])
    of_pairs = space.parameters[atoms].reshape(-1, 4), space.charges[atoms]
    for term, values, scale in zip((space.term, COULOMB), of_pairs, scales.T, strict=True):
        if (acts := scale != 0.0).any():
            yield term, atoms[acts], np.column_stack([values, scale])[acts]


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
