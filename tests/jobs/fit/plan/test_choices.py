"""What words stand for."""

from typing import get_args

import numpy as np
import pytest

from forgefield.config import FitSection
from forgefield.errors import InputError
from forgefield.estimating.transition_state import LARGE, AsIs, C, D, DPlus, E
from forgefield.fitting.solve.levenberg_marquardt import LevenbergMarquardt
from forgefield.fitting.solve.scipy_solver import TrustRegionReflective
from forgefield.jobs.fit.plan.choices import SOLVERS, form_of, policy_named, solver
from forgefield.jobs.fit.plan.target_choices import schema, targets
from forgefield.terms.bend import MM3_BEND
from forgefield.terms.stretch import HARMONIC_STRETCH
from forgefield.terms.torsion import TORSION3


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


def test_terms_of_two_forms_have_none():
    assert form_of((HARMONIC_STRETCH, TORSION3)) == "harmonic"
    with pytest.raises(InputError, match=r"terms of more than one form .* stand together: harmonic_stretch, mm3_bend"):
        form_of((HARMONIC_STRETCH, MM3_BEND))


def solver_of(fit, **wanted):
    file = schema().model_validate({"molecules": [{"reference": "a.json"}], "targets": wanted, "fit": fit})
    return solver(file.fit, targets(file.targets))


def test_every_solver_that_a_file_may_name_is_in_the_table():
    assert set(SOLVERS) == set(get_args(FitSection.model_fields["solver"].annotation))


def test_a_solver_has_the_limits_of_the_file_and_damps_first_steps_where_molecules_relax():
    limits, forces = {"tolerance": 1e-6, "max_steps": 7}, {"tolerance": 1.0}

    ours, scipys = (solver_of({"solver": name, **limits}, forces=forces) for name in ("lm", "trf"))
    relaxed = solver_of(limits, bond_length={"tolerance": 0.01})

    assert ours == LevenbergMarquardt(1e-6, 7)
    assert scipys == TrustRegionReflective(1e-6, 7)
    assert relaxed == LevenbergMarquardt(1e-6, 7, damping=1.0)
