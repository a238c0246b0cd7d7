"""Van der Waals interactions, charges and bond dipoles of Tinker as pairs."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple
from warnings import warn

import numpy as np
from jaxtyping import Float, Int

from forgefield import units
from forgefield.assign.explicit.system import ThroughSpace
from forgefield.errors import InputError, InputWarning
from forgefield.io.forcefields.tinker.bonded import Part
from forgefield.io.forcefields.tinker.files import Row
from forgefield.io.forcefields.tinker.laid import Laid, chains
from forgefield.io.forcefields.tinker.parameters import Parameters
from forgefield.io.offenders import listed
from forgefield.molecules.paths import bond_separations
from forgefield.terms.nonbonded import (
    BUCKINGHAM_PAIR,
    DIPOLE_PAIR,
    EXP6_PAIR,
    LENNARD_JONES,
    LENNARD_JONES_GEOMETRIC,
    LENNARD_JONES_PAIR,
)
from forgefield.terms.shifted import shifted_in_full

_SIXTH = 2.0 ** (1.0 / 6.0)
_NEAR = 3
_MM3 = (184000.0, 12.0, 2.25)
_ALL_EXCLUDED = 2
"""Bonds up to which pairs must not act where atoms are moved along theirs."""
Matrix = Float[np.ndarray, "kinds kinds"]


class Minima(NamedTuple):
    """Distance and depth of pairs of kinds of atoms, and of those three bonds apart; which have rows of their own."""

    distance: Matrix
    depth: Matrix
    near_distance: Matrix
    near_depth: Matrix
    own: np.ndarray


@dataclass(frozen=True, eq=False)
class VanDerWaals:
    """What acts between atoms, which go by kinds: classes, or types."""

    kinds: tuple[int, ...]
    """Each once."""
    of_atom: Int[np.ndarray, " atoms"]
    """Where the kind of each atom stands among them."""
    radii: Float[np.ndarray, "kinds 2"]
    """Half the distance of the minimum [Å], and that of pairs three bonds apart."""
    depths: Float[np.ndarray, "kinds 2"]
    """kcal/mol"""
    reductions: Float[np.ndarray, " kinds"]
    """Where along its bond the centre of an atom lies; 0 where at the atom."""
    minima: Minima


def van_der_waals(laid: Laid, types: tuple[int, ...]) -> VanDerWaals:
    """Return radii and depths of atoms; those without a row are noted."""
    words = laid.parameters.words
    named = types if words["vdwindex"] == "TYPE" else laid.classes
    kinds = tuple(sorted(set(named)))
    rows, near = laid.parameters.last("vdw"), laid.parameters.last("vdw14")
    held = np.zeros((len(kinds), 5))
    for place, kind in enumerate(kinds):
        if kind not in rows:
            laid.note("vdw", (kind,), (named.index(kind),))
            continue
        row = rows[kind]
        own = near.get(kind)
        # Where one is zero Tinker takes that of all other pairs.
        r, e = row.number(2), abs(row.number(3))
        r14, e14 = (own.number(2) or r, abs(own.number(3)) or e) if own else (r, e)
        held[place] = r, r14, e, e14, row.optional(4, _reduction(laid.parameters, row))
    scale = (_SIXTH if words["radiustype"] == "SIGMA" else 1.0) * (0.5 if words["radiussize"] == "DIAMETER" else 1.0)
    radii, depths = held[:, :2] * scale, held[:, 2:4]
    return VanDerWaals(
        kinds=kinds,
        of_atom=np.array([kinds.index(kind) for kind in named]),
        radii=radii,
        depths=depths,
        reductions=held[:, 4],
        minima=_minima(laid, kinds, radii, depths),
    )


def _reduction(parameters: Parameters, last: Row) -> float:
    """Return the reduction that a row keeps of one before it: a row of a .key may leave it out."""
    before = [row for row in parameters.rows["vdw"] if row.classes(1) == last.classes(1) and row is not last]
    return before[-1].optional(4) if before and last.in_key else 0.0


def _minima(laid: Laid, kinds: tuple[int, ...], radii: np.ndarray, depths: np.ndarray) -> Minima:
    words = laid.parameters.words
    distance, near = (_distances(words["radiusrule"], r) for r in radii.T)
    depth, near_depth = (_depths(words["epsilonrule"], e) for e in depths.T)
    own = np.zeros(distance.shape, dtype=bool)
    sigma = _SIXTH if words["radiustype"] == "SIGMA" else 1.0
    for classes, (row, *_) in laid.table("vdwpair").items():
        if set(classes) <= set(kinds):
            i, j = (kinds.index(one) for one in classes)
            for at in ((i, j), (j, i)):
                distance[at] = near[at] = sigma * row.number(3)
                depth[at] = near_depth[at] = abs(row.number(4))
                own[at] = True
    return Minima(distance, depth, near, near_depth, own)


def _distances(rule: str, r: Float[np.ndarray, " kinds"]) -> Matrix:
    a, b = r[:, None], r[None, :]
    if rule == "GEOMETRIC":
        return 2.0 * np.sqrt(a * b)
    if rule == "CUBIC-MEAN":
        squares = a**2 + b**2
        return 2.0 * (a**3 + b**3) / np.where(squares == 0.0, 1.0, squares)
    return a + b


def _depths(rule: str, e: Float[np.ndarray, " kinds"]) -> Matrix:
    a, b = e[:, None], e[None, :]
    if rule == "ARITHMETIC":
        return 0.5 * (a + b)
    if rule in ("HARMONIC", "HHG"):
        whole = a + b if rule == "HARMONIC" else (np.sqrt(a) + np.sqrt(b)) ** 2
        return (2.0 if rule == "HARMONIC" else 4.0) * a * b / np.where(whole == 0.0, 1.0, whole)
    return np.sqrt(a * b)


def through_space(
    laid: Laid, held: VanDerWaals, charges: Float[np.ndarray, " atoms"]
) -> tuple[ThroughSpace, list[Part]]:
    """Return what acts between atoms, and the pairs whose van der Waals energy has values of their own."""
    numbers = laid.parameters.numbers
    n = len(laid.classes)
    apart = bond_separations(n, laid.bonds)
    of_vdw, of_charge = (
        np.array([1.0, *(numbers[f"{kind}-1{k}-scale"] for k in (2, 3, 4)), 1.0]) for kind in ("vdw", "chg")
    )
    i, j = np.triu_indices(n, 1)
    bonds = apart[i, j]
    scales = np.stack([of_vdw[bonds], of_charge[bonds]], axis=1)
    term, own = _combined(laid, held, bonds, (held.of_atom[i], held.of_atom[j]))
    parts = list(_own_pairs(laid, held, np.stack([i, j, bonds], axis=1)[own], scales[own, 0]))
    scales[own, 0] = 0.0
    special = (bonds <= _NEAR) | own
    parameters = np.stack([held.radii[held.of_atom, 0], held.depths[held.of_atom, 0]], axis=1)
    space = ThroughSpace(
        term=term,
        parameters=parameters if not own.all() else np.zeros_like(parameters),
        charges=charges,
        coulomb=numbers["electric"] / numbers["dielectric"],
        special=np.stack([i, j], axis=1)[special],
        scales=scales[special],
    )
    return space, parts


def _combined(laid: Laid, held: VanDerWaals, bonds: np.ndarray, kinds: tuple[np.ndarray, np.ndarray]):
    """Return the Lennard-Jones by which pairs combine, and which pairs have values of their own."""
    words = laid.parameters.words
    rules = {"ARITHMETIC": LENNARD_JONES, "GEOMETRIC": LENNARD_JONES_GEOMETRIC}
    term = rules.get(words["radiusrule"]) if words["epsilonrule"] == "GEOMETRIC" else None
    if words["vdwtype"] != "LENNARD-JONES" or term is None:
        return LENNARD_JONES, np.ones(len(bonds), dtype=bool)
    if held.reductions.any():
        raise InputError(f"{laid.parameters.source}: reductions of Lennard-Jones centres (vdw rows) are not computed")
    minima = held.minima
    differs = (minima.near_distance != minima.distance) | (minima.near_depth != minima.depth)
    return term, minima.own[kinds] | ((bonds == _NEAR) & differs[kinds])


def _own_pairs(
    laid: Laid, held: VanDerWaals, pairs: Int[np.ndarray, "pairs 3"], scales: Float[np.ndarray, " pairs"]
) -> Iterator[Part]:
    """Yield pairs that have values of their own, the third column being how many bonds they are apart."""
    minima, words = held.minima, laid.parameters.words
    _require_no_hydrogen_bonds(laid, held, pairs, scales)
    reduced = {a for a, near in enumerate(laid.around) if len(near) == 1 and held.reductions[held.of_atom[a]] != 0.0}
    for (i, j, bonds), scale in zip(pairs.tolist(), scales.tolist(), strict=True):
        at = held.of_atom[i], held.of_atom[j]
        near = bonds == _NEAR
        r = float((minima.near_distance if near else minima.distance)[at])
        e = scale * float((minima.near_depth if near else minima.depth)[at])
        if e == 0.0 or r == 0.0:
            continue
        if reduced & {i, j} and bonds <= _ALL_EXCLUDED:
            raise InputError(f"{laid.parameters.source}: vdw-12-scale and vdw-13-scale must be 0 with reduced centres")
        if words["vdwtype"] == "LENNARD-JONES":
            yield LENNARD_JONES_PAIR, (i, j), (r, e)
        else:
            yield _buckingham(laid, held, _ordered(i, j, reduced), (r, e))


def _ordered(i: int, j: int, reduced: set[int]) -> tuple[int, int, int]:
    """Return a pair, those that are moved along their bonds first, and how many these are."""
    n = len(reduced & {i, j})
    return (j, i, n) if n == 1 and j in reduced else (i, j, n)


def _buckingham(laid: Laid, held: VanDerWaals, pair: tuple[int, int, int], values: tuple[float, float]) -> Part:
    """Return e (A exp(-B r/R) - C (R/r)⁶) of a pair, between centres that may lie on bonds."""
    (i, j, n), (r, e) = pair, values
    numbers = laid.parameters.numbers
    a, b, c = (numbers[f"{letter}-expterm"] for letter in "abc")
    if (a, b, c) != _MM3:
        if n:
            raise InputError(
                f"{laid.parameters.source}: reduced centres are read with MM3's exponential (expterm) alone"
            )
        return BUCKINGHAM_PAIR, (i, j), (a * e, c * e * r**6, b / r)
    moved = (i, j)[:n]
    offsets = tuple(float(held.reductions[held.of_atom[atom]]) - 1.0 for atom in moved)
    parents = tuple(laid.around[atom][0] for atom in moved)
    term = shifted_in_full(EXP6_PAIR, tuple(range(n))) if n else EXP6_PAIR
    return term, (i, j, *parents), (r, e, *offsets)


def _require_no_hydrogen_bonds(laid: Laid, held: VanDerWaals, pairs: np.ndarray, scales: np.ndarray) -> None:
    """Raise InputError for pairs that act as MM3's directional hydrogen bonds."""
    if laid.parameters.words["vdwtype"] != "MM3-HBOND":
        return
    table = laid.table("hbond")
    acting = {}
    for i, j, _ in pairs[scales != 0.0].tolist():
        one, other = sorted((held.kinds[held.of_atom[i]], held.kinds[held.of_atom[j]]))
        if (one, other) in table:
            acting.setdefault(f"{one}-{other}", f"{i + 1}-{j + 1}")
    if acting:
        said = listed([f"{kinds} (atoms {atoms})" for kinds, atoms in acting.items()])
        raise InputError(
            f"{laid.parameters.source}: has what ForgeField does not compute: directional hydrogen bonds (hbond) {said}"
        )


def charges_of(laid: Laid, types: tuple[int, ...]) -> Float[np.ndarray, " atoms"]:
    """Return the charges [e]; rows of negative numbers are of atoms. A warning names types without, where others have.

    Raises InputError for atoms that are not there.
    """
    rows = laid.parameters.last("charge")
    if wrong := [row for number, row in rows.items() if -number > len(types)]:
        raise wrong[0].wrong(f"there are only {len(types)} atoms")
    found = [rows.get(-(k + 1), rows.get(one)) for k, one in enumerate(types)]
    lacking = sorted({one for one, row in zip(types, found, strict=True) if row is None})
    if lacking and any(found):
        said = f"atoms of types {listed([str(one) for one in lacking])} have no charge, and get 0"
        warn(InputWarning(f"{laid.structure.path}: {said}"), stacklevel=2)
    return np.array([row.number(2) if row else 0.0 for row in found])


def dipoles(laid: Laid, types: tuple[int, ...], *, charged: bool) -> Iterator[Part]:
    """Yield the pairs of bonds with dipoles that share no atom. Raises InputError where atoms are charged too."""
    numbers = laid.parameters.numbers
    unit = numbers["electric"] / numbers["dielectric"] * units.DEBYE**2
    found = list(_moments(laid, types))
    if found and charged:
        raise InputError(f"{laid.parameters.source}: charges and bond dipoles together are not computed")
    for place, (one, first) in enumerate(found):
        for other, second in found[place + 1 :]:
            if not set(one) & set(other):
                yield DIPOLE_PAIR, (*one, *other), (unit * first * second,)


def _moments(laid: Laid, types: tuple[int, ...]) -> Iterator[tuple[tuple[int, int], float]]:
    """Yield the bonds with dipoles, from the end where these begin, and their moments [D]."""
    for pair in chains(laid.bonds):
        i, j = pair if types[pair[0]] <= types[pair[1]] else pair[::-1]
        _, tables = laid.rows_of("dipole", (i, j), (types[i], types[j]))
        if not tables:
            continue
        row = tables[0][0]
        first, second = row.classes(2)
        moment, position = row.number(3), row.optional(4, 0.5)
        if min(first, second) < 0:
            raise row.wrong("dipoles are read of types, not of single bonds")
        if moment != 0.0 and position != 0.5:
            raise row.wrong("dipoles are read in the middle of their bonds alone (0.5)")
        if moment != 0.0:
            yield (i, j), moment if first <= second else -moment
