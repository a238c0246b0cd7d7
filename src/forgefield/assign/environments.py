"""Atom types made from the molecules: an element and its neighbourhood to a chosen depth."""

from collections.abc import Iterator, Mapping
from typing import NamedTuple

import numpy as np

from forgefield import units
from forgefield.assign.geometry_classes import Named
from forgefield.assign.instances import KINDS, Types
from forgefield.molecules.measure import angles, lengths
from forgefield.molecules.molecule import Molecule
from forgefield.molecules.paths import neighbours, small_rings

_NEAR, _FURTHER = 1, (2, 3)
"""Bonds that environments reach where nothing is stated: as a rule, and where that tells too little."""
_APART = {"stretch": (lengths, 0.03), "bend": (angles, 10.0 * units.DEGREE)}
"""Å and rad: rows whose interactions are as far apart hold different geometries."""
_UNEXPLAINED = 0.5
"""The share of its squared deviations that may be left of a row when a type is refined for it."""


class _WideRow(NamedTuple):
    """A row with interactions that are far apart."""

    kind: str
    chains: list[list[int]]
    values: list[float]


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


def environment_types(
    molecules: list[Molecule], depth: int | None = None
) -> tuple[list[tuple[str, ...]], dict[str, str]]:
    """Return the types of each molecule's atoms and what each type stands for.

    Environments reach as far as `depth` says. Where it does not, they hold neighbours, and reach one or two bonds
    further for types whose bonds or angles differ much otherwise (0.03 Å, 10°), as those of conjugated chains and fused
    rings do. A type is named by its element and a number, in order of appearance: C1, C2, H1, …
    """
    described = _told_apart(molecules) if depth is None else _flat(molecules, depth)
    names: dict[str, str] = {}
    counts: dict[str, int] = {}
    for element, description in zip([s for m in molecules for s in m.symbols], described, strict=True):
        if description not in names:
            counts[element] = counts.get(element, 0) + 1
            names[description] = f"{element}{counts[element]}"
    rest = iter(described)
    types = [tuple(names[next(rest)] for _ in range(m.n_atoms)) for m in molecules]
    return types, {name: description for description, name in names.items()}


def _flat(molecules: list[Molecule], depth: int) -> Types:
    return tuple(described for molecule in molecules for described in environments(molecule, depth))


def _told_apart(molecules: list[Molecule]) -> Types:
    """Return environments that reach further where rows would hold different geometries, and less different ones then.

    In each round one type of every such row is refined: that which explains most of its squared deviations, and half of
    them at least.
    """
    reached = {depth: _flat(molecules, depth) for depth in (_NEAR, *_FURTHER)}
    described = reached[_NEAR]
    alone = [len(around) == 1 for m in molecules for around in neighbours(m.n_atoms, m.bonds)]
    while refined := _to_refine(list(_wide_rows(molecules, described)), described, reached):
        described = tuple(
            reached[refined[own]][atom] if own in refined and not alone[atom] else own
            for atom, own in enumerate(described)
        )
    return described


def _to_refine(rows: list[_WideRow], described: Types, reached: Mapping[int, Types]) -> dict[str, int]:
    """Return how far environments are to reach that tell apart what rows hold, by what they are now."""
    found: dict[str, int] = {}
    for row in rows:
        names = dict.fromkeys(described[atom] for atom in row.chains[0])
        if not any(name in found for name in names):
            candidates = [one for name in names if (one := _first_that_tells(row, name, described, reached))]
            found |= {name: depth for _, name, depth in sorted(candidates)[:1]}
    return found


def _first_that_tells(
    row: _WideRow, name: str, described: Types, reached: Mapping[int, Types]
) -> tuple[float, str, int] | None:
    """Return what is left of a row's squared deviations where a type is refined, its name, and how far it reaches."""
    for depth in _FURTHER:
        groups: dict[Types, list[float]] = {}
        for chain, value in zip(row.chains, row.values, strict=True):
            told = tuple(reached[depth][atom] if described[atom] == name else described[atom] for atom in chain)
            groups.setdefault(KINDS[row.kind].canonical(told), []).append(value)
        left = sum(len(group) * float(np.var(group)) for group in groups.values())
        if left <= _UNEXPLAINED * len(row.values) * float(np.var(row.values)):
            return left, name, depth
    return None


def _wide_rows(molecules: list[Molecule], described: Types) -> Iterator[_WideRow]:
    """Yield the rows of stretches and bends that types make whose lengths or angles are far apart."""
    starts = np.cumsum([0, *(m.n_atoms for m in molecules)])[:-1]
    positions = np.concatenate([m.positions for m in molecules])
    named = Named.over(molecules, described)
    for kind, (measure, apart) in _APART.items():
        chains = np.concatenate([KINDS[kind].find(m) + start for m, start in zip(molecules, starts, strict=True)])
        rows: dict[Types, _WideRow] = {}
        for chain, value in zip(chains.tolist(), measure(positions[chains]).tolist(), strict=True):
            row = rows.setdefault(named(kind, chain), _WideRow(kind, [], []))
            row.chains.append(chain)
            row.values.append(value)
        yield from (row for row in rows.values() if max(row.values) - min(row.values) >= apart)
