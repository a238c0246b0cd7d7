"""What the atoms of ASE say of their charge and multiplicity."""

import numpy as np
import pytest
from ase import Atoms

from forgefield.engines.stated import Stated, require_state, stated
from forgefield.errors import InputError


def water(**info):
    return Atoms("OH2", [[0, 0, 0], [0, 0.76, 0.59], [0, -0.76, 0.59]], info=info)


@pytest.mark.parametrize("value", [-1, -1.0, np.int64(-1), np.array(-1), np.array([-1.0]), "-1"])
def test_whole_numbers_are_read_however_they_are_held(value):
    assert stated(water(charge=value)) == Stated(charge=-1)


@pytest.mark.parametrize("value", [0.5, None, True, float("nan"), float("inf"), "one", "1.5", [1, 2], np.zeros(3), {}])
@pytest.mark.parametrize("key", ["charge", "multiplicity"])
def test_what_is_no_whole_number_is_refused(key, value):
    with pytest.raises(InputError, match=rf'info\["{key}"\] is .* is a whole number'):
        stated(water(**{key: value}))


def test_multiplicities_start_at_one():
    with pytest.raises(InputError, match="a whole number from 1 on"):
        stated(water(multiplicity=0))


@pytest.mark.parametrize(
    ("key", "meant"),
    [
        *(
            (key, "charge")
            for key in ("total_charge", "Charge", "net charge", "molCharge", "q", "chrage", "tot-charge")
        ),
        *((key, "charge") for key in ("charges", "qm_charge", "CHARGE", "charg")),
        *((key, "multiplicity") for key in ("spin", "spin_multiplicity", "mult", "Multiplicity", "n_unpaired", "uhf")),
        *((key, "multiplicity") for key in ("multiplicty", "unpaired electrons", "total_spin", "magmom", "spinmult")),
    ],
)
def test_other_spellings_are_refused_with_the_right_one(key, meant):
    with pytest.raises(InputError, match=rf"info\['{key}'\] is 1, which is not read: .* as info\['{meant}'\]"):
        stated(water(**{key: 1}))


@pytest.mark.parametrize(
    "info",
    [
        {"energy": 1.0, "level": "PBE", "name": "charge", "step": 3},
        {"charges_kind": "esp", "charge_model": "cm5", "change": 1, "spin_polarized": 1},
        {"charges": np.zeros(3), "spins": np.zeros(3), "magmoms": np.zeros(3)},
    ],
)
def test_other_keys_are_let_alone(info):
    assert stated(water(**info)) == Stated()


def test_another_spelling_may_stand_beside_the_right_one_if_it_says_the_same():
    for spin in (3, 2, 1):
        # 2S + 1, 2S and S of other programs.
        assert stated(water(multiplicity=3, spin=spin)).multiplicity == 3
    assert stated(water(charge=1, multiplicity=2, total_charge=1.0, S=0.5)) == Stated(1, 2)

    with pytest.raises(InputError, match=r'info\["charge"\] says 1'):
        stated(water(charge=1, total_charge=2))
    with pytest.raises(InputError, match=r'info\["multiplicity"\] says 1'):
        stated(water(multiplicity=1, spin=2))


def test_sums_of_initial_charges_and_moments_are_noted_where_no_key_says_them():
    atoms = water()
    atoms.set_initial_charges([1.2, -0.1, -0.1])
    atoms.set_initial_magnetic_moments([1.9, 0.0, 0.1])

    assert stated(atoms).hinted == {"charge": 1, "multiplicity": 2}
    atoms.info |= {"charge": 0, "multiplicity": 1}
    assert stated(atoms).hinted == {}


@pytest.mark.parametrize(("charge", "multiplicity"), [(0, 1), (1, 2), (-1, 2), (0, 3), (9, 2)])
def test_states_whose_electrons_can_be_paired_are_taken(charge, multiplicity):
    require_state(np.array([8, 1, 1]), charge, multiplicity)


@pytest.mark.parametrize(
    ("charge", "multiplicity", "message"),
    [
        (1, 1, r"9 electrons \(charge 1\) cannot have multiplicity 1; they have an even one from 2 to 10"),
        (0, 2, r"10 electrons \(charge 0\) cannot have multiplicity 2; they have an odd one from 1 to 11"),
        (0, 13, "cannot have multiplicity 13"),
        (11, 1, r"the charge 11 is impossible for 3 atom\(s\) with 10 electrons"),
        (-123456789, 2, "the charge -123456789 is impossible"),
    ],
)
def test_states_that_cannot_be_are_refused(charge, multiplicity, message):
    with pytest.raises(InputError, match=message):
        require_state(np.array([8, 1, 1]), charge, multiplicity)
