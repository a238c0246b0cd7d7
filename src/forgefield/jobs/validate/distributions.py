"""Distances and torsions in dynamics, of teacher and student."""

from collections import Counter
from itertools import combinations

import numpy as np
from jaxtyping import Float

from forgefield.molecules.measure import dihedrals
from forgefield.molecules.molecule import Molecule
from forgefield.report.student.findings import Distribution

Structures = Float[np.ndarray, "structures atoms 3"]

_MOST = 6
"""Kinds of distances, those with the most pairs, and torsions."""
_DISTANCES, _TORSIONS = 50, 24
"""Bins."""
_STRAIGHT = np.cos(np.radians(165.0))


def distributions(
    molecule: Molecule, temperature: float, teacher: Structures, student: Float[np.ndarray, "own atoms 3"]
) -> list[Distribution]:
    """Return how distances between elements, and torsions about bonds, are distributed."""
    found = []
    for name, pairs in _pairs(molecule):
        there, here = _lengths(teacher, pairs), _lengths(student, pairs)
        both = np.concatenate([there.ravel(), here.ravel()])
        edges = np.linspace(both.min(), both.max() + 1e-9, _DISTANCES + 1)
        found.append(_compared((molecule.name, name, "Å", temperature), edges, there, here))
    for name, chains in _torsions(molecule):
        there, here = (
            np.degrees(np.stack([dihedrals(x[:, atoms]) for atoms in chains], axis=1)) for x in (teacher, student)
        )
        edges = np.linspace(-180.0, 180.0, _TORSIONS + 1)
        found.append(_compared((molecule.name, name, "°", temperature), edges, there, here))
    return found


def _compared(
    named: tuple[str, str, str, float],
    edges: Float[np.ndarray, " edges"],
    teacher: Float[np.ndarray, "structures values"],
    student: Float[np.ndarray, "own values"],
) -> Distribution:
    half = len(teacher) // 2
    first, second, there, here = (_shares(part, edges) for part in (teacher[:half], teacher[half:], teacher, student))
    return Distribution(
        *named,
        0.5 * (edges[1:] + edges[:-1]),
        there,
        here,
        overlap=_overlap(there, here),
        attainable=_overlap(first, second),
    )


def _shares(
    values: Float[np.ndarray, "structures values"], edges: Float[np.ndarray, " edges"]
) -> Float[np.ndarray, " bins"]:
    counts, _ = np.histogram(values, edges)
    return counts / max(counts.sum(), 1)


def _overlap(a: Float[np.ndarray, " bins"], b: Float[np.ndarray, " bins"]) -> float:
    return float(np.minimum(a, b).sum())


def _lengths(x: Structures, pairs: list[tuple[int, int]]) -> Float[np.ndarray, "structures pairs"]:
    i, j = np.array(pairs).T
    return np.linalg.norm(x[:, i] - x[:, j], axis=-1)


def _pairs(molecule: Molecule) -> list[tuple[str, list[tuple[int, int]]]]:
    """Return pairs of atoms by their elements, the most frequent first."""
    kinds: dict[str, list[tuple[int, int]]] = {}
    for i, j in combinations(range(molecule.n_atoms), 2):
        kinds.setdefault("–".join(sorted((molecule.symbols[i], molecule.symbols[j]))), []).append((i, j))
    chosen = Counter({name: len(pairs) for name, pairs in kinds.items()}).most_common(_MOST)
    return [(name, kinds[name]) for name, _ in chosen]


def _torsions(molecule: Molecule) -> list[tuple[str, list[list[int]]]]:
    """Return torsions about each bond between atoms that both have others, by way of the heaviest of these.

    All of the heaviest that bear nothing else: the hydrogens of a methyl group cannot be told apart.
    """
    beside: list[set[int]] = [set() for _ in range(molecule.n_atoms)]
    for i, j in np.asarray(molecule.bonds).tolist():
        beside[i].add(j)
        beside[j].add(i)

    def ends(atom: int, other: int) -> list[int]:
        first, *rest = sorted(beside[atom] - {other}, key=lambda n: (-molecule.species[n], n))
        alike = [n for n in rest if molecule.species[n] == molecule.species[first] and len(beside[n]) == 1]
        return [first, *(alike if len(beside[first]) == 1 else [])]

    found = []
    for j, k in np.asarray(molecule.bonds).tolist():
        if min(len(beside[j]), len(beside[k])) < 2:
            continue
        chains = [[i, j, k, n] for i in ends(j, k) for n in ends(k, j) if i != n]
        chains = [atoms for atoms in chains if all(_bent(molecule.positions[atoms[m : m + 3]]) for m in (0, 1))]
        if chains:
            found.append(("-".join(f"{molecule.symbols[a]}{a + 1}" for a in chains[0]), chains))
    return found[:_MOST]


def _bent(x: Float[np.ndarray, "3 3"]) -> bool:
    """Say whether three atoms are not in a line, in which a torsion means nothing."""
    a, b = x[0] - x[1], x[2] - x[1]
    return bool(a @ b > _STRAIGHT * np.linalg.norm(a) * np.linalg.norm(b))
