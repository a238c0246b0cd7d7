"""A system as a force field by types: the fewest types of atoms whose interactions of equal types are equal."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import TypeVar

import numpy as np

from forgefield.assign.explicit.system import System
from forgefield.errors import InputError
from forgefield.io.offenders import listed
from forgefield.molecules.bonds import equivalence, pieces
from forgefield.molecules.paths import angles, neighbours, torsions
from forgefield.terms.bend import HARMONIC_BEND
from forgefield.terms.cmap import Grid
from forgefield.terms.cross import UREY_BRADLEY
from forgefield.terms.nonbonded import LENNARD_JONES_PAIR
from forgefield.terms.periodic import HARMONIC_IMPROPER, PERIODIC_IMPROPER, PERIODIC_TORSION
from forgefield.terms.stretch import HARMONIC_STRETCH
from forgefield.terms.term import Term

Chain = tuple[int, ...]
Values = tuple[float, ...]
Series = tuple[Values, ...]
"""The interactions of one chain; nothing where it has none."""
Types = tuple[int, ...]
Content = TypeVar("Content")


@dataclass(frozen=True)
class Improper:
    """Interactions of a centre with three neighbours, in the dihedral angle of the four in one order or several."""

    term: Term
    parts: tuple[tuple[Chain, Series], ...]
    """By the order, in which the centre stands first or third."""

    @property
    def chain(self) -> Chain:
        """The first order."""
        return self.parts[0][0]

    @property
    def series(self) -> Series:
        """The interactions in the first order."""
        return self.parts[0][1]


@dataclass(frozen=True, eq=False)
class Bonded:
    """Interactions by the chains of bonds that they act along, from one end; all such chains are there."""

    stretches: dict[Chain, Series]
    bends: dict[Chain, Series]
    ureys: dict[Chain, Series]
    torsions: dict[Chain, Series]
    impropers: dict[Chain, Improper | None]
    """By centre and three of its neighbours in ascending order."""
    stray: dict[tuple[Term, Chain], Series]
    """What acts on atoms that are neither a chain nor a centre with neighbours."""

    def require_no_stray(self, what: str, allowed: Collection[Term] = ()) -> None:
        """Raise InputError that lists what is not along the bonds, but for some terms."""
        found = [f"{term.name} {named(chain)}" for term, chain in self.stray if term not in allowed]
        if found:
            raise InputError(
                f"{what} cannot hold interactions that its bonds and centres do not imply: {listed(found)}"
            )

    def require_one_each(self, what: str) -> None:
        """Raise InputError that lists chains with several stretches, bends or Urey-Bradley terms."""
        found = [
            named(chain)
            for table in (self.stretches, self.bends, self.ureys)
            for chain, series in table.items()
            if len(series) > 1
        ]
        if found:
            raise InputError(f"{what} cannot hold several interactions of one kind of the same atoms: {listed(found)}")

    def tables(self) -> Iterator[dict[Chain, Series]]:
        """Yield what goes by the types of a chain."""
        yield from (self.stretches, self.bends, self.ureys, self.torsions)


def named(chain: Chain) -> str:
    """Return the numbers of atoms as messages have them."""
    return "-".join(str(atom + 1) for atom in chain)


def bonded(system: System) -> Bonded:
    """Return the interactions of a system, but for those of pairs and correction maps."""
    n, bonds = system.n_atoms, np.asarray(system.bonds)
    bends = [_forward(chain) for chain in angles(n, bonds).tolist()]
    found = Bonded(
        stretches={_forward(pair): () for pair in bonds.tolist()},
        bends=dict.fromkeys(bends, ()),
        ureys=dict.fromkeys(bends, ()),
        torsions={_forward(chain): () for chain in torsions(n, bonds).tolist()},
        impropers={
            (centre, *ends): None
            for centre, around in enumerate(neighbours(n, bonds))
            for ends in combinations(sorted(around), 3)
        },
        stray={},
    )
    for one in system.interactions:
        if one.term is LENNARD_JONES_PAIR or one.term.kind == "cmap":
            continue
        for chain, values in zip(map(tuple, one.atoms.tolist()), map(tuple, one.values.tolist()), strict=True):
            if not _enter(found, one.term, chain, values):
                key = one.term, chain
                found.stray[key] = (*found.stray.get(key, ()), values)
    return found


def correction_maps(system: System) -> dict[Chain, tuple[Grid, ...]]:
    """Return the correction maps [kcal/mol] of five atoms in a row, with their factors."""
    found: dict[Chain, tuple[Grid, ...]] = {}
    for one in system.interactions:
        if one.term.name == "cmap" and one.term.made is not None:
            for chain, (factor,) in zip(map(tuple, one.atoms.tolist()), one.values.tolist(), strict=True):
                grid = factor * np.array(one.term.made[1][0])
                found[chain] = (*found.get(chain, ()), tuple(map(tuple, grid.tolist())))
    return found


def _forward(chain: Sequence[int]) -> Chain:
    return min(tuple(chain), tuple(reversed(chain)))


def _enter(found: Bonded, term: Term, chain: Chain, values: Values) -> bool:
    """Enter one interaction, unless nothing implies it."""
    ends = {UREY_BRADLEY: found.ureys, HARMONIC_STRETCH: found.stretches, HARMONIC_BEND: found.bends}
    if term in ends:
        table = ends[term]
        key = _forward(chain)
        if term is UREY_BRADLEY:
            key = next((one for one in table if (one[0], one[2]) == key and not table[one]), key)
        if key not in table:
            return False
        table[key] += (values,)
        return True
    either = (_enter_improper, _enter_torsion)
    if term is PERIODIC_TORSION:
        either = either[::-1]
    return any(enter(found, term, chain, values) for enter in either)


def _enter_torsion(found: Bonded, term: Term, chain: Chain, values: Values) -> bool:
    key = _forward(chain)
    if term not in (PERIODIC_TORSION, PERIODIC_IMPROPER) or key not in found.torsions:
        return False
    found.torsions[key] += (values,)
    return True


def _enter_improper(found: Bonded, term: Term, chain: Chain, values: Values) -> bool:
    star = next((key for key in ((atom, *sorted({*chain} - {atom})) for atom in chain) if key in found.impropers), None)
    if star is None or term not in (PERIODIC_TORSION, PERIODIC_IMPROPER, HARMONIC_IMPROPER):
        return False
    ordered = chain if chain.index(star[0]) in (0, 2) else chain[::-1]
    kind = HARMONIC_IMPROPER if term is HARMONIC_IMPROPER else PERIODIC_IMPROPER
    before = found.impropers[star] or Improper(kind, ())
    if before.term is not kind:
        return False
    parts = dict(before.parts)
    found.impropers[star] = Improper(kind, tuple((parts | {ordered: (*parts.get(ordered, ()), values)}).items()))
    return True


def types_of(system: System, held: Bonded, *, further: Sequence[Mapping[Chain, object]] = ()) -> Types:
    """Return a number for each atom, the same for atoms that no interaction tells apart.

    Atoms of equal types in the system and equal masses and van der Waals values are of one type where all that goes by
    types, and what is in `further` tables, is then equal; otherwise those that differ by the symmetry of the molecule
    are told apart, then those of each kind of molecules, and last each atom. The neighbours in an improper are all told
    apart, since programs order equal ones by rules of their own.
    """
    space = system.through_space.parameters.tolist()
    of_atom = zip(system.types, system.species.tolist(), system.masses.tolist(), map(tuple, space), strict=True)
    labels = _numbered(list(of_atom))
    by_symmetry = equivalence(system.species, system.bonds, system.types)
    for finer in (by_symmetry, _places(system), range(system.n_atoms)):
        while wrong := _contradicting(labels, held, further):
            refined = _numbered([(own, finer[a] if a in wrong else "") for a, own in enumerate(labels)])
            if len(set(refined)) == len(set(labels)):
                break
            labels = refined
    return labels


def _places(system: System) -> list[tuple[int, int]]:
    """Return the kind of the molecule of each atom, and its place in it: those of equal molecules are the same."""
    kinds: dict[tuple, int] = {}
    found = [(0, 0)] * system.n_atoms
    for piece in pieces(system.n_atoms, system.bonds):
        place = {atom: k for k, atom in enumerate(piece.tolist())}
        bonds = sorted((place[i], place[j]) for i, j in np.sort(system.bonds, axis=1).tolist() if i in place)
        atoms = tuple((int(system.species[a]), system.types[a]) for a in place)
        kind = kinds.setdefault((atoms, tuple(bonds)), len(kinds))
        for atom, k in place.items():
            found[atom] = kind, k
    return found


def _numbered(labels: Sequence[object]) -> Types:
    numbers = {label: k for k, label in enumerate(dict.fromkeys(labels))}
    return tuple(numbers[label] for label in labels)


def _contradicting(labels: Types, held: Bonded, further: Sequence[Mapping[Chain, object]]) -> set[int]:
    """Return the atoms of interactions whose types others have with other values."""
    wrong: set[int] = set()
    for table in (*held.tables(), *further):
        wrong |= _unlike({chain: (_forward([labels[a] for a in chain]), table[chain]) for chain in table})
    stars = {
        star: (
            (labels[star[0]], *sorted(labels[a] for a in star[1:])),
            found and (found.term, *((tuple(labels[a] for a in chain), series) for chain, series in found.parts)),
        )
        for star, found in held.impropers.items()
    }
    tied = {
        atom
        for star, found in held.impropers.items()
        if found
        for one, other in combinations(star[1:], 2)
        if labels[one] == labels[other]
        for atom in (one, other)
    }
    return wrong | _unlike(stars) | tied


def _unlike(found: Mapping[Chain, tuple[Types, object]]) -> set[int]:
    """Return the atoms of all chains whose types have several contents."""
    first: dict[Types, object] = {}
    wrong = {types for types, content in found.values() if first.setdefault(types, content) != content}
    return {atom for chain, (types, _) in found.items() if types in wrong for atom in chain}


def by_types(table: Mapping[Chain, Content], types: Types) -> dict[Types, Content]:
    """Return a table by types, from either end."""
    return {_forward([types[a] for a in chain]): content for chain, content in table.items()}


def impropers_by_types(held: Bonded, types: Types) -> dict[Types, Improper]:
    """Return the impropers there are by types in their first order."""
    return {tuple(types[a] for a in one.chain): one for one in held.impropers.values() if one is not None}
