"""SMARTS that select interactions of a system: the atoms with as much around them as tells them from others."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Int

from forgefield.io.forcefields.laid.by_types import Chain, Series
from forgefield.io.structures.drawn import toolkit
from forgefield.molecules.molecule import symbol
from forgefield.molecules.paths import neighbours

_MOST_MATCHES = 200_000

Key = Callable[[Chain], Chain]
"""What is the same for the same interaction."""


@dataclass(frozen=True, eq=False)
class Patterns:
    """Finds SMARTS in the graph of a system, in which bonds are of any order."""

    graph: Any
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
        primitives = [
            f"[#{z}X{len(near)}:{places[k]}]" if k in places else f"[#{z}X{len(near)}]"
            for k, (z, near) in enumerate(zip(self.species.tolist(), self.around, strict=True))
        ]
        smarts = toolkit().MolFragmentToSmiles(
            self.graph,
            sorted(shown),
            atomSymbols=primitives,
            bondSymbols=["~"] * self.graph.GetNumBonds(),
            rootedAtAtom=chain[0],
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
    chem = toolkit()
    graph = chem.RWMol()
    for z in species.tolist():
        atom = chem.Atom(symbol(z))
        atom.SetNoImplicit(True)
        graph.AddAtom(atom)
    for i, j in bonds.tolist():
        graph.AddBond(i, j, chem.BondType.SINGLE)
    graph.UpdatePropertyCache(strict=False)
    return Patterns(graph, species, neighbours(len(species), bonds))


def either_way(chain: Sequence[int]) -> Chain:
    """Return a chain from its lower end."""
    return min(tuple(chain), tuple(reversed(chain)))


def about_centre(chain: Sequence[int]) -> Chain:
    """Return a centre, which stands second, with its neighbours in ascending order."""
    first, second, third = sorted((chain[0], *chain[2:]))
    return first, chain[1], second, third
