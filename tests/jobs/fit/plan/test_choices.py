"""What words stand for."""

from typing import get_args

import numpy as np
import pytest

from forgefield.config import SolverName
from forgefield.errors import InputError
from forgefield.estimating.transition_state import LARGE, AsIs, C, D, DPlus, E
from forgefield.fitting.solve.chain import Chain, Link
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
    assert set(SOLVERS) == set(get_args(SolverName))


def test_a_solver_has_the_limits_of_the_file_and_damps_first_steps_where_molecules_relax():
    limits, forces = {"tolerance": 1e-6, "max_steps": 7}, {"tolerance": 1.0}

    ours, scipys = (solver_of({"solver": name, **limits}, forces=forces) for name in ("lm", "trf"))
    relaxed = solver_of(limits, bond_length={"tolerance": 0.01})

    assert ours == LevenbergMarquardt(1e-6, 7)
    assert scipys == TrustRegionReflective(1e-6, 7)
    assert relaxed == LevenbergMarquardt(1e-6, 7, damping=1.0)


@pytest.mark.parametrize("arrow", ["->", "→", " -> "])
def test_a_chain_goes_from_all_starts_first_and_then_from_the_best_unless_it_says_otherwise(arrow):
    first, last = (solver_of({"solver": name, "max_steps": 7}, forces={"tolerance": 1.0}) for name in ("adam", "lm"))

    one, every = (
        solver_of({"solver": names, "max_steps": 7, "starts": 3}, forces={"tolerance": 1.0})
        for names in (f"multi:adam{arrow}lm", f"adam{arrow}multi:lm")
    )

    assert one == Chain.of((Link(first, from_all=True), Link(last, from_all=False)))
    assert every == Chain.of((Link(first, from_all=True), Link(last, from_all=True)))
    assert one.max_steps == 14


def test_many_starts_are_asked_for_where_a_solver_is_to_go_from_them():
    with pytest.raises(InputError, match=r'solver = "multi:adam -> lm" is to go from many starts: say how many'):
        solver_of({"solver": "multi:adam -> lm"}, forces={"tolerance": 1.0})
