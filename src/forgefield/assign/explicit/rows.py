"""The rows of a system: interactions of equal types and equal values share one."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float, Int

from forgefield import units
from forgefield.assign.explicit.system import Stated, System
from forgefield.assign.gathered import Rows
from forgefield.assign.instances import Types
from forgefield.errors import InputError
from forgefield.models.rows import Row
from forgefield.molecules.bonds import equivalence
from forgefield.terms.nonbonded import COULOMB
from forgefield.terms.term import Term

_EITHER_WAY = ("stretch", "bend", "torsion", "urey_bradley")
"""Kinds of interactions that are the same from either end."""
MOST_PAIRS = 5_000_000
"""Of atoms; each takes half a kilobyte."""


@dataclass(frozen=True, eq=False)
class Group:
    """The interactions of one term in a system, and where their parameters stand among the values."""

    term: Term
    atoms: Int[np.ndarray, "interactions order"]
    parameters: Int[np.ndarray, "interactions parameters"]


@dataclass(frozen=True, eq=False)
class AbstractRowed:
    """Systems as rows."""

    values: Float[np.ndarray, " parameters"]
    rows: tuple[Row, ...]


@dataclass(frozen=True, eq=False)
class Rowed(AbstractRowed):
    """A system as rows."""

    stated: tuple[Group, ...]
    """One for each entry of the system's own interactions."""
    pairs: tuple[Group, ...]
    """Van der Waals and electrostatic interactions."""
    atoms: Int[np.ndarray, "atoms 3"]
    """Where the van der Waals values and the charge of each atom stand."""

    @property
    def groups(self) -> tuple[Group, ...]:
        """All that have interactions."""
        return tuple(group for group in (*self.stated, *self.pairs) if len(group.atoms))

    def system(self, system: System, values: Float[np.ndarray, " parameters"]) -> System:
        """Return the system with other values."""
        own = [values[group.parameters] for group in self.stated]
        space = replace(system.through_space, parameters=values[self.atoms[:, :2]], charges=values[self.atoms[:, 2]])
        return system.with_values(own, space)


def rowed(system: System) -> Rowed:
    """Return the rows of a system. Raises InputError for one with more pairs of atoms than memory takes."""
    gathered = Rows()
    kinds = _Kinds(system)
    stated = tuple(_group(gathered, kinds, one) for one in system.interactions)
    atoms = _atoms(gathered, system)
    pairs = tuple(_pairs(gathered, system, atoms))
    return Rowed(np.array(gathered.values), tuple(told_apart(gathered)), stated, pairs, atoms)


class _Kinds:
    """What rows of a system go by."""

    def __init__(self, system: System) -> None:
        self._types, self._labels = system.bonded or system.types, system.labels
        self._alike = equivalence(system.species, system.bonds, system.types) if system.split else ()
        self._split = {self._classes(chain) for chain in system.split}

    def key(self, kind: str, chain: tuple[int, ...], name: str) -> tuple[tuple, Types]:
        """Return what is the same for interactions that may share a row, and the names that the row has."""
        if self._split and (classes := self._classes(chain)) in self._split:
            return ("split", classes), tuple(self._labels[a] for a in chain)
        if name:
            return ("named", name), (name,)
        orders = (chain, chain[::-1]) if kind in _EITHER_WAY else (chain,)
        types = min(tuple(self._types[a] for a in one) for one in orders)
        return types, types

    def _classes(self, chain: tuple[int, ...]) -> tuple[str, ...]:
        """Return which atoms of the molecule are, by its symmetry, as those of a chain, from either end."""
        return min(tuple(self._alike[a] for a in one) for one in (chain, chain[::-1]))


def _group(gathered: Rows, kinds: _Kinds, stated: Stated) -> Group:
    entered: dict[tuple, tuple[int, ...]] = {}
    parameters = []
    named = stated.rows or ("",) * len(stated.atoms)
    for *both, name in zip(map(tuple, stated.atoms.tolist()), map(tuple, stated.values.tolist()), named, strict=True):
        chain, values = both
        key, names = kinds.key(stated.term.kind, chain, name)
        if (key, values) not in entered:
            entered[key, values] = gathered.add(stated.term, names, values).indices
        parameters.append(entered[key, values])
    shape = -1, stated.term.n_own
    return Group(stated.term, stated.atoms, np.array(parameters, dtype=np.int64).reshape(shape))


def _atoms(gathered: Rows, system: System) -> Int[np.ndarray, "atoms 3"]:
    """Enter the van der Waals rows, by type, and the charges, by atom."""
    space, entered, found = system.through_space, {}, []
    for name, values in zip(system.types, map(tuple, space.parameters.tolist()), strict=True):
        if (name, values) not in entered:
            entered[name, values] = gathered.add(space.term, (name,), values).indices
        found.append(entered[name, values])
    for atom, (label, charge) in enumerate(zip(system.labels, space.charges.tolist(), strict=True)):
        found[atom] += gathered.add(COULOMB, (label,), (charge,)).indices
    return np.array(found, dtype=np.int64).reshape(-1, 3)


def _pairs(gathered: Rows, system: System, atoms: Int[np.ndarray, "atoms 3"]) -> Iterator[Group]:
    """Yield van der Waals and electrostatic interactions of all pairs, but for those whose scale is zero."""
    require_few(system.source, system.n_atoms)
    n, space = system.n_atoms, system.through_space
    i, j = np.triu_indices(n, 1)
    scales = np.ones((len(i), 2))
    first, second = np.sort(space.special, axis=1).T
    # Where a pair stands in the upper triangle, row by row.
    scales[first * (2 * n - first - 1) // 2 + second - first - 1] = space.scales
    scales[:, 1] *= space.coulomb / units.COULOMB
    acting = space.parameters[:, 1] != 0.0, space.charges != 0.0
    for k, (term, own) in enumerate(((space.term, atoms[:, :2]), (COULOMB, atoms[:, 2:]))):
        kept = scales[:, k] != 0.0
        if not acting[k].any():
            kept[:] = False
        of_pair, which = np.unique(scales[kept, k], return_inverse=True)
        places = np.array([gathered.constant(float(scale)) for scale in of_pair], dtype=np.int64)
        pair = np.stack([i[kept], j[kept]], axis=1)
        parameters = np.concatenate([own[pair[:, 0]], own[pair[:, 1]], places[which][:, None]], axis=1)
        yield Group(term, pair, parameters)


def require_few(source: str, n_atoms: int, n_structures: int = 1) -> None:
    """Raise InputError where the pairs of atoms of structures are more than memory takes."""
    if too_many_pairs(n_atoms, n_structures):
        n_pairs = n_structures * _pairs_of(n_atoms)
        raise InputError(
            f"{source}: {n_atoms} atoms in {n_structures} structure(s) make {n_pairs:,} pairs, and rows are laid over "
            f"at most {MOST_PAIRS:,} of them; take the solute, or fewer structures, alone"
        )


def too_many_pairs(n_atoms: int, n_structures: int = 1) -> bool:
    """Say whether the pairs of atoms of structures are more than memory takes as interactions of rows."""
    return n_structures * _pairs_of(n_atoms) > MOST_PAIRS


def _pairs_of(n_atoms: int) -> int:
    return n_atoms * (n_atoms - 1) // 2


def told_apart(gathered: Rows) -> Iterator[Row]:
    """Yield rows with a mark where others may have the same types: the periodicity of a series, else a number."""
    count: Counter[str] = Counter()
    for row in gathered.rows:
        own = [parameter.name for parameter in row.term.own]
        fold = f"n{gathered.values[row.indices[own.index('n')]]:g}" if "n" in own else ""
        named = replace(row, mark=fold)
        count[named.name] += 1
        number = f"#{count[named.name]}" if count[named.name] > 1 else ""
        yield replace(row, mark=" ".join(filter(None, (fold, number))))
