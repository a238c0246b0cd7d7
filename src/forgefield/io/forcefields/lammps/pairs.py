"""Van der Waals coefficients of LAMMPS by pairs of types: what types combine to, and what has values of its own."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int

from forgefield.assign.explicit.system import Stated
from forgefield.errors import InputError
from forgefield.io.forcefields.lammps.files import Row
from forgefield.io.offenders import listed
from forgefield.molecules.paths import neighbours
from forgefield.terms.nonbonded import LENNARD_JONES, LENNARD_JONES_GEOMETRIC, LENNARD_JONES_PAIR
from forgefield.terms.term import Term

_SIXTH = 2.0 ** (1.0 / 6.0)
STYLES = "lj/cut/coul/cut", "lj/cut"
_SAME = 1e-9
"""Relative."""
Scales = tuple[tuple[float, ...], tuple[float, ...]]
"""By which van der Waals and electrostatic energies of atoms one, two and three bonds apart are multiplied."""


@dataclass(frozen=True, eq=False)
class Table:
    """The pairs of types."""

    term: Term
    """By which most of them combine."""
    parameters: Float[np.ndarray, "types 2"]
    """Half the distance of the minimum [Å] and the well depth [kcal/mol]."""
    minima: Float[np.ndarray, "types types 2"]
    """Distance and depth of each pair."""
    own: Bool[np.ndarray, "types types"]
    """Which pairs are not what the types combine to."""


def table(path: str, stated: Sequence[tuple[Row, int]], mix: str, n_types: int) -> Table:
    """Return the table of rows of coefficients, the later first, each with the number of words before its types.

    A row of the data file names one type, of a section PairIJ Coeffs and of commands two. Raises InputError for types
    without coefficients.
    """
    known = np.full((n_types, n_types, 2), np.nan)
    for row, count in stated:
        first, second = ([*_range(row, place, n_types)] for place in ((0, 0) if count == 1 else (count - 2, count - 1)))
        depth, sigma = row.numbers(count, 2)
        for i in first:
            for j in second:
                if i <= j or count == 1:
                    known[i, j] = known[j, i] = sigma * _SIXTH, depth
    own = known[np.arange(n_types), np.arange(n_types)]
    if lacking := np.flatnonzero(np.isnan(own[:, 0])).tolist():
        raise InputError(f"{path}: atom types {listed([str(k + 1) for k in lacking])} have no pair coefficients")
    halves = own * [0.5, 1.0]
    combined = {term: _combined(halves, term) for term in (LENNARD_JONES, LENNARD_JONES_GEOMETRIC)}
    usual = LENNARD_JONES if mix == "arithmetic" else LENNARD_JONES_GEOMETRIC
    minima = np.where(np.isnan(known), combined[usual], known)
    differs = {term: _differs(minima, found) for term, found in combined.items()}
    # Where all pairs are stated, the rule that they follow shows in their numbers alone.
    term = min(differs, key=lambda one: (int(differs[one].sum()), one is not usual))
    return Table(term, halves, minima, differs[term])


def _range(row: Row, place: int, n_types: int) -> range:
    """Return the types that a word names, such as 3, 2*4 or *. Raises InputError."""
    first, star, last = row.words[place].partition("*") if place < len(row.words) else ("", "", "")
    words = [first or "1", (last or str(n_types)) if star else first]
    if not all(word.isdecimal() and 1 <= int(word) <= n_types for word in words):
        raise row.wrong(f"it does not name atom types from 1 to {n_types}")
    return range(int(words[0]) - 1, int(words[1]))


def _combined(own: Float[np.ndarray, "types 2"], term: Term) -> Float[np.ndarray, "types types 2"]:
    r, e = own.T
    distance = r[:, None] + r[None] if term is LENNARD_JONES else 2.0 * np.sqrt(r[:, None] * r[None])
    return np.stack([distance, np.sqrt(e[:, None] * e[None])], axis=2)


def _differs(one: Float[np.ndarray, "types types 2"], other: Float[np.ndarray, "types types 2"]) -> np.ndarray:
    acts = (one[:, :, 1] != 0.0) | (other[:, :, 1] != 0.0)
    return acts & (np.abs(one - other) > _SAME * np.abs(one)).any(axis=2)


def special(
    bonds: Int[np.ndarray, "bonds 2"], scales: Scales, held: Table, kind: Int[np.ndarray, " atoms"]
) -> tuple[Int[np.ndarray, "pairs 2"], Float[np.ndarray, "pairs 2"], Stated]:
    """Return the pairs that do not act as all others do, their scales, and those with values of their own."""
    found = {(i, j): (scales[0][n - 1], scales[1][n - 1]) for i, j, n in _near(len(kind), bonds)}
    own, values = [], []
    for pair in _of_types(kind, held.own):
        vdw, charge = found.get(pair, (1.0, 1.0))
        found[pair] = 0.0, charge
        radius, depth = held.minima[kind[pair[0]], kind[pair[1]]]
        if vdw * depth != 0.0:
            own.append(pair)
            values.append((radius, vdw * depth))
    return (
        np.array(list(found), dtype=np.int64).reshape(-1, 2),
        np.array(list(found.values())).reshape(-1, 2),
        Stated(LENNARD_JONES_PAIR, np.array(own, dtype=np.int64).reshape(-1, 2), np.array(values).reshape(-1, 2)),
    )


def _near(n_atoms: int, bonds: Int[np.ndarray, "bonds 2"]) -> Iterator[tuple[int, int, int]]:
    """Yield the pairs up to three bonds apart, and how many there are between them."""
    around = neighbours(n_atoms, bonds)
    for start in range(n_atoms):
        seen, last = {start}, {start}
        for n in range(1, 4):
            last = {k for atom in last for k in around[atom]} - seen
            seen |= last
            yield from ((start, k, n) for k in sorted(last) if k > start)


def _of_types(kind: Int[np.ndarray, " atoms"], wanted: Bool[np.ndarray, "types types"]) -> Iterator[tuple[int, int]]:
    """Yield the pairs of atoms of some pairs of types."""
    for one, other in np.argwhere(np.triu(wanted)).tolist():
        for i in np.flatnonzero(kind == one).tolist():
            for j in np.flatnonzero(kind == other).tolist():
                if i < j or one != other:
                    yield min(i, j), max(i, j)
