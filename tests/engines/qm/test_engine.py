import importlib
import sys
from dataclasses import replace

import numpy as np
import pytest

from forgefield.engines.qm.engine import check_electrons
from forgefield.errors import InputError


@pytest.mark.parametrize(("charge", "multiplicity"), [(1, 1), (0, 2), (0, 0), (10, 1), (8, 4), (0, 13)])
def test_electrons_that_contradict_the_multiplicity_are_refused(water, charge, multiplicity):
    molecule = replace(water, charge=charge, multiplicity=multiplicity)

    with pytest.raises(InputError) as caught:
        check_electrons(molecule)

    assert f"water.xyz: {10 - charge} electrons (charge {charge}) cannot have multiplicity {multiplicity}" in str(
        caught.value
    )


@pytest.mark.parametrize(("charge", "multiplicity"), [(0, 1), (1, 2), (-1, 2), (0, 3), (9, 2), (0, 11)])
def test_electrons_that_fit_are_accepted(water, charge, multiplicity):
    check_electrons(replace(water, charge=charge, multiplicity=multiplicity))


def test_all_problems_are_told_at_once(water):
    molecule = replace(water, positions=np.zeros((3, 3)), charge=1)

    with pytest.raises(InputError) as caught:
        check_electrons(molecule)

    pairs = ["O1 and H2", "O1 and H3", "H2 and H3"]
    lines = str(caught.value).splitlines()
    assert "9 electrons" in lines[0]
    assert [f"  atoms {pair} are 0.000 Å apart; are the positions in Å?" for pair in pairs] == lines[1:]


@pytest.mark.parametrize(
    ("module", "package", "name"),
    [
        ("pyscf", "pyscf", "PySCF"),
        ("xtb", "tblite.exceptions", "tblite"),
        ("optimise", "geometric.engine", "geomeTRIC"),
    ],
)
def test_missing_program_says_how_to_install_it(monkeypatch, module, package, name):
    monkeypatch.delitem(sys.modules, f"forgefield.engines.qm.{module}", raising=False)
    monkeypatch.setitem(sys.modules, package, None)

    expected = rf"{name} cannot be imported \(.*\); run: pip install 'forgefield\[qm\]'"
    with pytest.raises(InputError, match=expected) as caught:
        importlib.import_module(f"forgefield.engines.qm.{module}")

    assert isinstance(caught.value, ImportError)
    assert caught.value.name == name
