"""Environments of atoms, and how far they reach."""

import numpy as np
import pytest

from forgefield.assign.environments import environment_types, environments
from forgefield.assign.generated import generate
from forgefield.assign.typed_rules import generated_rules
from forgefield.molecules import molecule as module
from forgefield.molecules.molecule import Molecule
from forgefield.terms.bend import HARMONIC_BEND
from forgefield.terms.stretch import HARMONIC_STRETCH


@pytest.fixture
def looked_up(monkeypatch):
    """The number of atoms whose symbol has been looked up."""
    count, symbol = [0], module.symbol

    def counting(number):
        count[0] += 1
        return symbol(number)

    monkeypatch.setattr(module, "symbol", counting)
    return count


def test_symbols_are_looked_up_once_for_each_atom(looked_up):
    n = 300
    bonds = np.stack([np.arange(n - 1), np.arange(1, n)], axis=1)
    chain = Molecule("chain", np.full(n, 6), np.zeros((n, 3)), bonds, np.ones(n - 1))

    described = environments(chain, 2)

    assert described[5] == "C(C(C,C),C(C,C))"
    assert looked_up[0] <= 2 * n


def chain(*lengths, bent=()):
    """A chain of carbons with these bonds [Å], straight but for angles of 90° at some of its atoms."""
    steps = np.zeros((len(lengths), 3))
    axis = 0
    for step, length in enumerate(lengths):
        axis = 1 - axis if step in bent else axis
        steps[step, axis] = length
    positions = np.vstack([np.zeros(3), np.cumsum(steps, axis=0)])
    n = len(positions)
    bonds = np.stack([np.arange(n - 1), np.arange(1, n)], axis=1)
    return Molecule("chain", np.full(n, 6), positions, bonds, np.ones(n - 1))


@pytest.mark.parametrize(
    ("one", "expected"),
    [
        (chain(1.34, 1.45, 1.36, 1.45, 1.34), ("C1", "C2", "C3", "C3", "C2", "C1")),
        (chain(1.34, 1.38, 1.36, 1.38, 1.34), ("C1", "C2", "C2", "C2", "C2", "C1")),
        (chain(*[1.4] * 6, bent=(2, 4)), ("C1", "C2", "C3", "C3", "C3", "C2", "C1")),
        (chain(1.34, 1.45, 1.34, 1.45, 1.34, 1.45, 1.34), ("C1", "C2", "C3", "C4", "C4", "C3", "C2", "C1")),
        (chain(1.34, 1.45, 1.36), ("C1", "C2", "C2", "C1")),
    ],
    ids=["single and double", "alike", "angles", "further", "no further neighbours tell"],
)
def test_environments_reach_further_where_that_tells_different_geometries_apart(one, expected):
    (types,), _ = environment_types([one])

    assert types == expected


def test_environments_reach_as_far_as_is_stated_and_no_further():
    (types,), _ = environment_types([chain(1.34, 1.45, 1.36, 1.45, 1.34)], 1)

    assert types == ("C1", "C2", "C2", "C2", "C2", "C1")


def test_types_that_reach_more_and_less_far_are_found_in_another_geometry():
    made = generate([chain(1.34, 1.45, 1.36, 1.45, 1.34)], (HARMONIC_STRETCH, HARMONIC_BEND))

    laid = generated_rules(made).assign([chain(1.4, 1.4, 1.4, 1.4, 1.4)])

    assert set(made.descriptions.values()) == {"C(C)", "C(C(C),C(C,C))", "C(C(C,C),C(C,C))"}
    assert laid.types == made.types
