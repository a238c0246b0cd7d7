"""Atom types made from the molecules: an element and its neighbourhood to a chosen depth."""

from forgefield.molecules.molecule import Molecule
from forgefield.molecules.paths import neighbours, small_rings


def environments(molecule: Molecule, depth: int) -> list[str]:
    """Return a description of each atom's neighbourhood; equal descriptions are equivalent atoms.

    Depth 0 is the element, depth 1 the element and its neighbours' elements (`C(F,H,H,H)`), depth 2
    their neighbours as well. A partial or coordinative bond is marked by a tilde, an atom in a ring of three or four
    by its size behind the element (`C:3(C,C,H,H)`) where its neighbours are told.
    """
    loose = {
        frozenset(map(int, pair)) for pair, order in zip(molecule.bonds, molecule.orders, strict=True) if order < 1
    }
    around = neighbours(molecule.n_atoms, molecule.bonds)
    symbols = molecule.symbols
    described = list(symbols)
    ringed = [
        symbol + (f":{size}" if size else "")
        for symbol, size in zip(symbols, small_rings(molecule.n_atoms, molecule.bonds), strict=True)
    ]
    for _ in range(depth):
        described = [
            f"{ringed[i]}({','.join(sorted(_marked(described[j], loose, i, j) for j in around[i]))})"
            for i in range(molecule.n_atoms)
        ]
    return described


def _marked(description: str, loose: set[frozenset[int]], i: int, j: int) -> str:
    return ("~" if frozenset((i, j)) in loose else "") + description


def environment_types(molecules: list[Molecule], depth: int) -> tuple[list[tuple[str, ...]], dict[str, str]]:
    """Return the types of each molecule's atoms and what each type stands for.

    A type is named by its element and a number, in order of appearance: C1, C2, H1, …
    """
    names: dict[str, str] = {}
    counts: dict[str, int] = {}
    types = []
    for molecule in molecules:
        described = environments(molecule, depth)
        for element, description in zip(molecule.symbols, described, strict=True):
            if description not in names:
                counts[element] = counts.get(element, 0) + 1
                names[description] = f"{element}{counts[element]}"
        types.append(tuple(names[d] for d in described))
    return types, {name: description for description, name in names.items()}
