"""Any force field as one System: each interaction with all its values, and what acts between all pairs."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float, Int

from forgefield import units
from forgefield.assign.assignment import Assignment
from forgefield.assign.explicit.rules import SystemRules
from forgefield.assign.explicit.system import Stated, ThroughSpace
from forgefield.errors import InputError
from forgefield.molecules.elements import WEIGHTS
from forgefield.molecules.molecule import Molecule
from forgefield.terms.nonbonded import COULOMB, EXP6, LENNARD_JONES, LENNARD_JONES_GEOMETRIC

_BETWEEN_ALL = (LENNARD_JONES, LENNARD_JONES_GEOMETRIC, EXP6)
_NEARLY_ONE = 1e-3
"""Coulomb constants of programs differ by less."""


@dataclass(frozen=True, eq=False)
class FlatSystem:
    """One molecule, or several, with all that acts on the atoms."""

    masses: Float[np.ndarray, " atoms"]
    interactions: tuple[Stated, ...]
    """With the values of all parameters, those that a term borrows too."""
    through_space: ThroughSpace


def of_rules(rules: SystemRules) -> FlatSystem:
    """Return the System of a force field that states every interaction."""
    system = rules.system
    return FlatSystem(system.masses, system.interactions, system.through_space)


def of_assignment(assignment: Assignment, molecules: list[Molecule], what: str) -> FlatSystem:
    """Return the System of a force field that is laid over a molecule, of which there may be several structures.

    Raises InputError for several molecules.
    """
    first = molecules[0]
    for other, types in zip(molecules, assignment.types, strict=True):
        if types != assignment.types[0] or not np.array_equal(other.bonds, first.bonds):
            raise InputError(f"{what} is of one molecule, but {first.name} and {other.name} are two; give one of them")
    topology = assignment.topology
    known = np.concatenate([np.asarray(assignment.model.values), np.asarray(assignment.model.charges(topology))])
    groups = []
    for term, group in zip(assignment.model.terms, topology.interactions, strict=True):
        atoms = np.asarray(group.atoms)
        mine = np.asarray(topology.molecule)[atoms[:, 0]] == 0
        groups.append(Stated(term, atoms[mine], known[np.asarray(group.parameters)[mine]]))
    return of_interactions(first, groups)


def of_interactions(molecule: Molecule, stated: Sequence[Stated]) -> FlatSystem:
    """Return the System of all interactions of a molecule, among which are all pairs that act."""
    pairs = [one for one in stated if one.term in (*_BETWEEN_ALL, COULOMB)]
    space = _through_space(molecule.n_atoms, pairs)
    charged = [one.atoms for one in pairs if one.term is COULOMB]
    if charged:
        space = replace(space, charges=_completed(space.charges, np.concatenate(charged), molecule.charge))
    return FlatSystem(WEIGHTS[molecule.species], tuple(one for one in stated if one not in pairs), space)


def _completed(
    charges: Float[np.ndarray, " atoms"], acting: Int[np.ndarray, "pairs 2"], total: int
) -> Float[np.ndarray, " atoms"]:
    """Return charges that add up to the molecule's: what is left is spread over the atoms that act on no other.

    Programs spread it over all atoms, or refuse the molecule.
    """
    idle = np.setdiff1d(np.arange(len(charges)), acting)
    found = charges.copy()
    if len(acting) and len(idle):
        found[idle] = (total - charges.sum()) / len(idle)
    return found


def _through_space(n_atoms: int, pairs: list[Stated]) -> ThroughSpace:
    """Return what acts between all pairs from the list of them."""
    term, constant = LENNARD_JONES, 1.0
    parameters, charges = np.zeros((n_atoms, 2)), np.zeros(n_atoms)
    scales = np.ones((n_atoms, n_atoms, 2))
    for one in pairs:
        i, j = np.sort(one.atoms, axis=1).T
        kind = int(one.term is COULOMB)
        scales[:, :, kind] = 0.0
        scales[i, j, kind] = one.values[:, -1]
        if kind:
            charges[one.atoms] = one.values[:, :2]
            near = one.values[np.abs(one.values[:, -1] - 1.0) < _NEARLY_ONE, -1]
            constant = float(near[0]) if len(near) else 1.0
            scales[:, :, kind] /= constant
        else:
            term = one.term
            parameters[one.atoms] = one.values[:, :4].reshape(-1, 2, 2)
    special = np.argwhere(np.triu((scales != 1.0).any(axis=2), 1))
    found = scales[special[:, 0], special[:, 1]]
    return ThroughSpace(term, parameters, charges, constant * units.COULOMB, special, found)


def as_pairs(space: ThroughSpace) -> tuple[Int[np.ndarray, "pairs 2"], Float[np.ndarray, "pairs 2"]]:
    """Return the special pairs that have a van der Waals energy, with the distance of its minimum and its depth."""
    acts = space.scales[:, 0] != 0.0
    chosen, scale = space.special[acts], space.scales[acts, 0]
    (r1, e1), (r2, e2) = (space.parameters[chosen[:, end]].T for end in (0, 1))
    radius = 2.0 * np.sqrt(r1 * r2) if space.term is LENNARD_JONES_GEOMETRIC else r1 + r2
    depth = scale * np.sqrt(e1 * e2)
    some = depth != 0.0
    return chosen[some], np.stack([radius, depth], axis=1)[some]
