"""What words stand for."""

import numpy as np
import pytest

from forgefield.errors import InputError
from forgefield.estimating.transition_state import LARGE, AsIs, C, D, DPlus, E
from forgefield.jobs.fit.plan.choices import policy_named


@pytest.mark.parametrize(
    ("name", "policy"), [("C", C()), ("D", D()), ("D+", DPlus()), ("E", E()), ("E", E(C(LARGE))), ("none", AsIs())]
)
def test_letters_name_the_policies_of_the_literature(name, policy):
    assert policy_named(name) == policy


@pytest.mark.parametrize(
    ("name", "eigenvalue"),
    [("C", lambda p: p.eigenvalue), ("D+", lambda p: p.eigenvalue), ("E", lambda p: p.c.eigenvalue)],
)
def test_a_stated_eigenvalue_is_what_each_policy_puts_in(name, eigenvalue):
    # 2240.877 kcal/mol/Å² are one Hartree/Bohr².
    np.testing.assert_allclose(eigenvalue(policy_named(name, 0.5)), 1120.4385, rtol=1e-7)


def test_other_letters_are_refused():
    with pytest.raises(InputError, match=r"transition_state 'F' is not one of C, D, D\+, E, none"):
        policy_named("F")
