"""Torsions of every kind as sums of periodic ones, k (1 + cos(nφ - phase))."""

import cmath
import math
from collections.abc import Iterator, Sequence

import numpy as np
from jaxtyping import Float, Int

from forgefield.assign.explicit.system import Stated
from forgefield.terms.out_of_plane import COSINE_OUT_OF_PLANE, ONE_FOLD_OUT_OF_PLANE
from forgefield.terms.periodic import PERIODIC_IMPROPER, PERIODIC_TORSION, RYCKAERT_BELLEMANS
from forgefield.terms.term import Term
from forgefield.terms.torsion import TORSION3, TORSION4, TORSION6

_ZERO = 1e-12
"""kcal/mol; constants below it are rounding."""
# cosⁿ φ as a sum of cos mφ; (-1)ⁿ since ψ = φ - 180°.
_TO_MULTIPLES = np.stack(
    [np.pad(np.polynomial.chebyshev.poly2cheb([*[0.0] * n, (-1.0) ** n]), (0, 5 - n)) for n in range(6)]
)

Part = tuple[Float[np.ndarray, " interactions"], int, float]
"""Constants of all interactions [kcal/mol], periodicity and phase [rad]."""


def periodic(stated: Stated) -> Stated:
    """Return torsions and out-of-plane terms as periodic torsions and impropers; others as they are.

    All constants are kept: the energy is the same, not up to a constant. Parts that are zero are left out.
    """
    if stated.term in (PERIODIC_TORSION, PERIODIC_IMPROPER):
        some = stated.values[:, 0] != 0.0
        return Stated(stated.term, stated.atoms[some], stated.values[some])
    if (found := parts(stated)) is None:
        return stated
    term = PERIODIC_TORSION if stated.term.kind == "torsion" else PERIODIC_IMPROPER
    return _joined(stated, found, term)


def parts(stated: Stated) -> list[Part] | None:
    """Return the periodic torsions that add up to those of another kind, zero ones included; None for other terms."""
    values = stated.values
    if stated.term in (TORSION3, TORSION4, TORSION6):
        return [(0.5 * v, n, 0.0 if n % 2 else math.pi) for n, v in enumerate(values.T, 1)]
    if stated.term is RYCKAERT_BELLEMANS:
        return list(_ryckaert_bellemans(values))
    if stated.term is COSINE_OUT_OF_PLANE:
        return [(0.5 * values[:, 0], 2, math.pi)]
    if stated.term is ONE_FOLD_OUT_OF_PLANE:
        return [(0.5 * values[:, 0], 1, 0.0)]
    return None


def of_each_fold(stated: Sequence[Stated]) -> tuple[tuple[Stated, ...], float]:
    """Return interactions with periodic torsions of one periodicity and the same atoms as one.

    Constant energies that this leaves out are returned as the sum of their sizes [kcal/mol].
    """
    left_out, found = 0.0, []
    for term in dict.fromkeys(one.term for one in stated):
        mine = [one for one in stated if one.term is term]
        if term not in (PERIODIC_TORSION, PERIODIC_IMPROPER):
            found += mine
            continue
        folds: dict[tuple[tuple[int, ...], float], list[tuple[float, float, float]]] = {}
        chains: dict[tuple[int, ...], float] = {}
        for chain, (k, n, phase) in ((tuple(c), v) for one in mine for c, v in _both(one)):
            key = min(chain, chain[::-1])
            folds.setdefault((key, n), []).append((k, n, phase))
            chains[key] = chains.get(key, 0.0) + k
        merged = {key: waves[0] if len(waves) == 1 else _merged(waves) for key, waves in sorted(folds.items())}
        for (chain, _), (k, *_) in merged.items():
            chains[chain] -= k
        left_out += sum(map(abs, chains.values()))
        kept = [(chain, wave) for (chain, _), wave in merged.items() if wave[0] != 0.0]
        atoms = np.array([chain for chain, _ in kept], dtype=np.int64).reshape(-1, term.order)
        found.append(Stated(term, atoms, np.array([wave for _, wave in kept]).reshape(-1, term.n_own)))
    return tuple(found), left_out


def _both(one: Stated) -> Iterator[tuple[list[int], list[float]]]:
    yield from zip(one.atoms.tolist(), one.values.tolist(), strict=True)


def _merged(waves: list[tuple[float, float, float]]) -> tuple[float, float, float]:
    """Return one periodic torsion for several of one periodicity, whose constant is as near as may be."""
    k, phase = cmath.polar(sum(cmath.rect(k, phase) for k, _, phase in waves))
    if sum(k for k, *_ in waves) < 0.0:
        k, phase = -k, phase - math.copysign(math.pi, phase)
    return (k, waves[0][1], phase) if abs(k) > _ZERO else (0.0, waves[0][1], 0.0)


def _joined(stated: Stated, parts: list[Part], term: Term) -> Stated:
    """Return the parts one interaction after the other."""
    which: list[Int[np.ndarray, " _"]] = []
    values: list[Float[np.ndarray, "_ 3"]] = []
    for k, n, phase in parts:
        some = np.flatnonzero(np.abs(k) > _ZERO)
        which.append(some)
        values.append(np.stack([k[some], np.full(len(some), float(n)), np.full(len(some), phase)], axis=1))
    places, held = np.concatenate(which), np.concatenate(values)
    order = np.argsort(places, kind="stable")
    return Stated(term, stated.atoms[places[order]], held[order])


def _ryckaert_bellemans(values: Float[np.ndarray, "interactions 6"]) -> Iterator[Part]:
    """Yield the parts of OPLS' series, ½ Vₙ (1 - (-1)ⁿ cos nφ), and what is constant beside them.

    Two parts of one fold and opposite phases make up a constant.
    """
    multiples = values @ _TO_MULTIPLES
    signs = np.array([1.0, 1.0, -1.0, 1.0, -1.0, 1.0])
    for n in range(2, 6):
        yield signs[n] * multiples[:, n], n, 0.0 if n % 2 else math.pi
    left = multiples[:, 0] - multiples[:, 2:] @ signs[2:]
    yield 0.5 * (left + multiples[:, 1]), 1, 0.0
    yield 0.5 * (left - multiples[:, 1]), 1, math.pi
