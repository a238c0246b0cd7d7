"""Types of large molecules are found with work that grows with the number of atoms alone."""

import numpy as np
import pytest

from forgefield.assign.environments import environments
from forgefield.molecules import molecule as module
from forgefield.molecules.molecule import Molecule


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
