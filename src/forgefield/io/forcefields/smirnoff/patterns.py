"""SMARTS that select interactions of a system: the atoms with as much around them as tells them from others."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Int

from forgefield.io.forcefields.laid.by_types import Chain, Series
from forgefield.io.structures.drawn import toolkit
from forgefield.molecules.bonds import pieces
from forgefield.molecules.paths import neighbours

_MOST_MATCHES = 200_000

Key = Callable[[Chain], Chain]
"""What is the same for the same interaction."""


@dataclass(frozen=True, eq=False)
class Patterns:
    """Finds SMARTS in the graph of a system, in which bonds are of any order."""

    graph: Any
    pieces: tuple[tuple[Any, list[int]], ...]
    """The molecules that it consists of, of atoms of no element, which have any number of bonds, and their places."""
    species: Int[np.ndarray, " atoms"]
    around: list[list[int]]

    def of(
        self, chains: Iterable[Chain], table: Mapping[Chain, Series], key: Key
    ) -> tuple[dict[str, Series], list[Chain]]:
        """Return what chains have in a table by SMARTS that select them, and the chains that none tells from others.

        Each SMARTS selects chains that have the same alone, so that their order is of no account.
        """
        known = {key(chain): series for chain, series in table.items()}
        found: dict[str, Series] = {}
        alike: list[Chain] = []
        covered: set[Chain] = set()
        for chain in chains:
            content = known[key(chain)]
            if key(chain) in covered:
                continue
            for reach in range(len(self.species)):
                smarts, whole = self._smarts(chain, reach)
                matches = {key(match) for match in self._matches(smarts)}
                if all(one in known and known[one] == content for one in matches):
                    found[smarts] = content
                    covered |= matches
                    break
                if whole:
                    alike.append(chain)
                    break
        return found, alike

    def _smarts(self, chain: Chain, reach: int) -> tuple[str, bool]:
        """Return atoms with all others so many bonds away, and whether that is the whole molecule."""
        places = {atom: number for number, atom in enumerate(chain, 1)}
        shown = {*chain}
        for _ in range(reach):
            shown |= {near for atom in shown for near in self.around[atom]}
        whole = all(near in shown for atom in shown for near in self.around[atom])
        piece, atoms = next(one for one in self.pieces if chain[0] in one[1])
        primitives = [
            f"[#{self.species[k]}X{len(self.around[k])}{f':{places[k]}' if k in places else ''}]" for k in atoms
        ]
        smarts = toolkit().MolFragmentToSmiles(
            piece,
            [k for k, atom in enumerate(atoms) if atom in shown],
            atomSymbols=primitives,
            bondSymbols=["~"] * piece.GetNumBonds(),
            rootedAtAtom=atoms.index(chain[0]),
            isomericSmiles=False,
        )
        return smarts, whole

    def _matches(self, smarts: str) -> list[Chain]:
        query = toolkit().MolFromSmarts(smarts)
        numbered = sorted((atom.GetAtomMapNum(), atom.GetIdx()) for atom in query.GetAtoms() if atom.GetAtomMapNum())
        places = [place for _, place in numbered]
        matches = self.graph.GetSubstructMatches(query, uniquify=False, maxMatches=_MOST_MATCHES)
        return [tuple(match[place] for place in places) for match in matches]


def patterns(species: Int[np.ndarray, " atoms"], bonds: Int[np.ndarray, "bonds 2"]) -> Patterns:
    """Return what finds SMARTS in a molecule, or in several."""
    each = []
    for piece in pieces(len(species), bonds):
        place = {atom: k for k, atom in enumerate(piece.tolist())}
        own = [(place[i], place[j]) for i, j in bonds.tolist() if i in place]
        each.append((_graph(np.zeros_like(piece), own), list(place)))
    return Patterns(_graph(species, bonds.tolist()), tuple(each), species, neighbours(len(species), bonds))


def _graph(species: Int[np.ndarray, " atoms"], bonds: Iterable[Sequence[int]]) -> Any:
    """Return a molecule of RDKit's, of single bonds alone."""
    chem = toolkit()
    graph = chem.RWMol()
    for z in species.tolist():
        atom = chem.Atom(z)
        atom.SetNoImplicit(True)
        graph.AddAtom(atom)
    for i, j in bonds:
        graph.AddBond(i, j, chem.BondType.SINGLE)
    graph.UpdatePropertyCache(strict=False)
    return graph


def either_way(chain: Sequence[int]) -> Chain:
    """Return a chain from its lower end."""
    return min(tuple(chain), tuple(reversed(chain)))


def about_centre(chain: Sequence[int]) -> Chain:
    """Return a centre, which stands second, with its neighbours in ascending order."""
    first, second, third = sorted((chain[0], *chain[2:]))
    return first, chain[1], second, third
