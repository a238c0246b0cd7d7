"""Our energies of a system by kind, and whether a program has the same."""

from collections import defaultdict
from functools import cache

import jax
import numpy as np
import pytest

from forgefield.assign.explicit.rules import SystemRules
from forgefield.compiled import compiled_quickly

KINDS = {"improper": "torsion", "urey_bradley": "bend"}
"""Kinds that programs count among others."""


def ours(system, positions) -> dict[str, float]:
    """Return our energies by kind [kcal/mol]."""
    return _ours(system, positions.tobytes())


@cache
def _ours(system, held) -> dict[str, float]:
    positions = np.frombuffer(held).reshape(-1, 3)
    laid = SystemRules(system).assign([system.structure(positions, "a", "a")])
    groups = [
        (positions[group.atoms], np.asarray(laid.model.values)[group.parameters])
        for group in laid.topology.interactions
    ]

    # Term by term without jit, hundreds of programs would be compiled: one for each operation and number of rows.
    @compiled_quickly
    def sums(groups):
        return [
            jax.vmap(lambda x, p, term=term: term.energy(x, *p))(*group).sum()
            for term, group in zip(laid.model.terms, groups, strict=True)
        ]

    found: dict[str, float] = defaultdict(float)
    for term, energy in zip(laid.model.terms, sums(groups), strict=True):
        found[KINDS.get(term.kind, term.kind)] += float(energy)
    return found | {"total": sum(found.values())}


def require_same(theirs, system, positions, *, torsion=1e-6):
    wanted = ours(system, positions)
    allowed = {"torsion": torsion, "total": 1e-6 + torsion}
    for kind in ("stretch", "bend", "torsion", "cmap", "vdw", "electrostatic", "total"):
        assert theirs.get(kind, 0.0) == pytest.approx(wanted.get(kind, 0.0), abs=allowed.get(kind, 1e-6)), kind
