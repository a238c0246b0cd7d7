"""Bend-bend constants as MM3* files hold them: minus the product of one factor for each of the two angles."""

from dataclasses import dataclass, field

import numpy as np

from forgefield.assign.assignment import Assignment
from forgefield.errors import InputError
from forgefield.io.offenders import listed
from forgefield.models.rows import Row
from forgefield.terms.cross import BEND_BEND

Types = tuple[str, ...]
_AGREES = 1e-9
"""Relative deviation of a product from its constant that is rounding."""


@dataclass
class _Pairs:
    """Bend-bend constants by the two bends, given by the places of their reference angles, and their rows."""

    constants: dict[tuple[int, int], float] = field(default_factory=dict)
    rows: dict[tuple[int, int], Row] = field(default_factory=dict)
    unlike: dict[str, None] = field(default_factory=dict)
    """Rows with another constant than one of the same two bends: of pairs that share an end, or do not."""


def coupling_factors(assignment: Assignment, what: str) -> dict[Types, float]:
    """Return the factor [kcal^½/mol^½/rad] of each bend by its types, so that every constant is -factor·factor.

    Raises InputError that names the rows for which there are no such factors.
    """
    pairs = _pairs(assignment)
    coupled = {pair: k for pair, k in pairs.constants.items() if k != 0.0}
    bends = sorted({bend for pair in coupled for bend in pair})
    magnitudes = _magnitudes(coupled, bends)
    signs = _signs(coupled, bends)
    factors = {bend: signs[bend] * magnitudes[bend] for bend in bends}
    largest = max(map(abs, coupled.values()), default=0.0)
    wrong = pairs.unlike | {
        pairs.rows[i, j].name: None
        for (i, j), k in pairs.constants.items()
        if abs(factors.get(i, 0.0) * factors.get(j, 0.0) + k) > _AGREES * largest
    }
    if wrong:
        raise InputError(
            f"{what} holds bend-bend constants only as minus the product of one factor for each angle; there are no "
            f"such factors for bend_bend ({listed([*wrong])}); leave the term out"
        )
    return {
        row.types: factors[row.indices[1]]
        for row in assignment.rows
        if row.term.kind == "bend" and row.indices[1] in factors
    }


def _pairs(assignment: Assignment) -> _Pairs:
    values = np.asarray(assignment.model.values)
    by_place = {row.indices[0]: row for row in assignment.rows if row.term is BEND_BEND}
    pairs = _Pairs()
    for term, group in zip(assignment.model.terms, assignment.topology.interactions, strict=True):
        if term is BEND_BEND:
            for k, first, second in np.unique(np.asarray(group.parameters), axis=0).tolist():
                pair = min(first, second), max(first, second)
                if pairs.constants.setdefault(pair, float(values[k])) != float(values[k]):
                    pairs.unlike[by_place[k].name] = None
                pairs.rows[pair] = by_place[k]
    return pairs


def _magnitudes(coupled: dict[tuple[int, int], float], bends: list[int]) -> dict[int, float]:
    """Return the factors' magnitudes: the logarithm of a product is linear in those of its factors."""
    incidence = np.zeros((len(coupled), len(bends)))
    for line, pair in enumerate(coupled):
        for bend in pair:
            incidence[line, bends.index(bend)] += 1.0
    logarithms = np.linalg.lstsq(incidence, np.log(np.abs([*coupled.values()])), rcond=None)[0]
    return dict(zip(bends, np.exp(logarithms).tolist(), strict=True))


def _signs(coupled: dict[tuple[int, int], float], bends: list[int]) -> dict[int, float]:
    """Return signs of the factors, each set by the first pair that leads to it; others may contradict it."""
    signs: dict[int, float] = {}
    for start in bends:
        reached = [] if start in signs else [start]
        signs.setdefault(start, 1.0)
        while reached:
            bend = reached.pop()
            for (i, j), k in coupled.items():
                other = j if bend == i else i
                if bend in (i, j) and other not in signs:
                    signs[other] = -np.sign(k) * signs[bend]
                    reached.append(other)
    return signs
