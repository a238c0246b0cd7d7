from dataclasses import replace

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from certain import known
from forgefield.fitting.cost.cost import add_relaxed, gauss_newton, linearise, quadratic, total_counts
from forgefield.fitting.judge.relaxed_metrics import RelaxedJudge
from forgefield.fitting.solve.fit import fit, start
from forgefield.fitting.solve.levenberg_marquardt import LevenbergMarquardt
from forgefield.fitting.targets.fixed import Energies
from forgefield.fitting.targets.relaxed import AtRelaxed, BondAngles, Torsions
from forgefield.fitting.targets.relaxed_view import relaxed_observed
from forgefield.fitting.targets.target import counts
from forgefield.jobs.fit.plan.starting import with_values
from forgefield.jobs.fit.run.relaxed_results import lost, structures
from forgefield.molecules.measure import dihedrals
from samples import CH3F, HARMONIC, STAGGERED, TIED, fit_toml, molecule

MIXED = """frequencies = { tolerance = 20.0 }
bond_length = { tolerance = 0.01 }
bond_angle = { tolerance = 0.5 }"""
THREE = fit_toml(
    *(CH3F, STAGGERED, molecule("eclipsed", "D")),
    forcefield=f'{HARMONIC}terms = ["stretch", "bend", "torsion"]\n{TIED}',
    targets="""
bond_length = { tolerance = 0.001 }
bond_angle = { tolerance = 0.05 }
energy = { tolerance = 0.1, at = "relaxed" }
""",
)
SCAN = fit_toml(
    *(molecule("scan"), CH3F), targets='torsion = { tolerance = 1.0 }\nenergy = { tolerance = 0.2, at = "relaxed" }'
)
SOLVER = LevenbergMarquardt(tolerance=1e-7)


@pytest.fixture(scope="module")
def mixed(ch3f, problem_of):
    return problem_of(ch3f(MIXED))


@pytest.fixture(scope="module")
def three(prepared_from):
    """Fluoromethane, and ethane at its minimum and at its saddle."""
    return prepared_from(THREE)


def test_a_saddle_is_one_under_a_policy_that_keeps_it(three):
    about = three.data.relaxation

    np.testing.assert_array_equal(about.order, [0, 0, 1])
    np.testing.assert_array_equal(np.abs(about.follow).sum(axis=1) > 0.0, [False, False, True])


def test_coordinates_are_those_of_the_bonds(three):
    about = three.data.relaxation

    np.testing.assert_array_equal(about.bonds.present.sum(axis=1), [4, 7, 7])
    np.testing.assert_array_equal(about.angles.present.sum(axis=1), [6, 12, 12])
    np.testing.assert_array_equal(about.torsions.present.sum(axis=1), [0, 9, 9])
    assert np.allclose(np.abs(np.degrees(about.torsions.reference[1])) % 120.0 - 60.0, 0.0, atol=0.1)


def test_torsions_deviate_the_shorter_way_round():
    positions = jnp.array([[1.0, 0.1, -1.0], [0.0, 0.0, -1.0], [0.0, 0.0, 1.0], [-1.0, 0.1, 1.0]])
    angle = dihedrals(np.asarray(positions)[None])[0]

    found, _ = Torsions(1.0).measured(positions, jnp.arange(4)[None], jnp.array([-angle]))

    np.testing.assert_allclose(np.abs(found), 360.0 - 2.0 * np.degrees(abs(angle)), rtol=1e-9)


def test_only_stationary_references_are_compared(three):
    data = eqx.tree_at(lambda d: d.relaxation.wanted, three.data, np.array([True, False, True]))

    counted = np.asarray(BondAngles(1.0).counted(data))

    np.testing.assert_array_equal(counted.sum(axis=1), [6.0, 0.0, 12.0])
    # Of the two structures whose energies are compared, one is left.
    assert float(np.sum(counts(AtRelaxed(Energies(1.0)), three.data))) == 2.0
    assert float(np.sum(counts(AtRelaxed(Energies(1.0)), data))) == 0.0


def _summed(problem):
    """The cost with its derivatives, summed chunk by chunk."""
    return jax.jit(lambda at, x: add_relaxed(problem, at, quadratic(problem, at), x)[0])


def _squared(problem):
    """The same from residuals and their Jacobian."""

    return jax.jit(lambda at, x: gauss_newton(linearise(problem, at, x)))


@pytest.mark.slow
def test_gradient_through_the_relaxation_is_that_of_central_differences(mixed, generator):
    evaluate = jax.jit(lambda at, x: add_relaxed(mixed, at, quadratic(mixed, at), x))
    at, direction = jnp.asarray(0.3 * generator.normal(size=(2, mixed.n_free)))

    found, relaxed = evaluate(at, mixed.chunks.data.positions)

    up, down = (evaluate(at + step * direction, relaxed)[0].cost for step in (1e-5, -1e-5))
    np.testing.assert_allclose(found.gradient @ direction, (up - down) / 2e-5, rtol=1e-6)


@pytest.mark.slow
def test_residuals_and_their_jacobian_make_the_same_cost(three, problem_of):
    problem = problem_of(three)
    positions = jnp.asarray(problem.chunks.data.positions)
    at = jnp.full(problem.n_free, 0.05)

    summed = _summed(problem)(at, positions)
    again = _squared(problem)(at, positions)

    np.testing.assert_allclose(again.cost, summed.cost, rtol=1e-10)
    np.testing.assert_allclose(again.gradient, summed.gradient, rtol=1e-8, atol=1e-10)
    np.testing.assert_allclose(again.normal, summed.normal, rtol=1e-8, atol=1e-8)


@pytest.mark.slow
def test_a_fit_goes_on_exactly_where_it_was(mixed):
    saved = []
    fresh = start(mixed, np.zeros((1, mixed.n_free)), SOLVER)

    whole = fit(mixed, fresh, SOLVER, after=saved.append)
    resumed = fit(mixed, saved[3], SOLVER)

    np.testing.assert_array_equal(resumed.at, whole.at)
    np.testing.assert_array_equal(resumed.costs, whole.costs)


def _fitted(prepared, data, at):
    """Fit to changed data from there, with the same shapes and so the same program."""
    problem = replace(prepared, data=data).problem(prepared.changes(), prepared.start)
    problem = replace(problem, counts=total_counts(problem.targets, data))
    ended = fit(problem, start(problem, at[None], SOLVER), SOLVER)
    values = problem.prior.centre + problem.prior.width * ended.at
    return ended, RelaxedJudge()(problem.model_at(values), data, prepared.examples)


def _turning(prepared, barrier=2.9):
    """The same with ethane's barrier, near an optimum: without it fits may go to different ones."""
    values = prepared.start.copy()
    for row in prepared.assignment.rows:
        if row.term.kind == "torsion":
            values[list(row.indices)] = 0.0, 0.0, barrier / 9
    return replace(prepared, assignment=with_values(prepared.assignment, values))


@pytest.mark.slow
def test_a_molecule_that_cannot_relax_is_named_and_leaves_the_others_as_good(three, generator):
    turning = _turning(three)
    # A harmonic force field has no saddle along a stretch.
    stretch = np.zeros_like(three.data.relaxation.follow)
    stretch[0, :15] = np.asarray(three.examples[0].treated.vectors)[:, -1]
    impossible = eqx.tree_at(
        lambda d: (d.relaxation.order, d.relaxation.follow), three.data, (np.array([1, 0, 1]), stretch)
    )
    without = eqx.tree_at(lambda d: d.weight, three.data, np.array([0.0, 1.0, 1.0]))
    near = 0.03 * generator.normal(size=turning.problem(turning.changes(), turning.start).n_free)

    ended, judged = _fitted(turning, impossible, near)
    _, alone = _fitted(turning, without, near)

    said = lost(replace(turning, data=impossible), judged)
    assert ended.success
    assert len(said) == 1
    assert said[0].startswith("ch3f has no relaxed structure")
    assert judged.each[0].bond_rmsd_a is None
    assert [one.name for one in structures(turning, judged)] == ["staggered", "eclipsed"]
    for m in (1, 2):
        np.testing.assert_allclose(known(judged.each[m].bond_rmsd_a), known(alone.each[m].bond_rmsd_a), rtol=0.05)
        np.testing.assert_allclose(known(judged.each[m].angle_rmsd_deg), known(alone.each[m].angle_rmsd_deg), rtol=0.05)


@pytest.mark.slow
def test_a_structure_near_the_edge_of_being_one_costs_more_and_with_exact_derivatives(three, problem_of, generator):
    problem = problem_of(_turning(three, barrier=0.004))
    evaluate = jax.jit(lambda at: linearise(problem, at))
    v3 = next(k for k, name in enumerate(three.changes().leaders) if name.endswith("v3"))
    direction = jnp.asarray(generator.normal(size=problem.n_free))
    flat = jnp.zeros(problem.n_free)

    found, stiffer = evaluate(flat), evaluate(flat.at[v3].add(0.3))
    up, down = (gauss_newton(evaluate(flat + step * direction)).cost for step in (1e-7, -1e-7))

    assert np.max(found.residuals[-2]) > 0.1
    assert np.max(stiffer.residuals[-2]) < 1e-4
    np.testing.assert_allclose(gauss_newton(found).gradient @ direction, (up - down) / 2e-7, rtol=1e-4)


@pytest.mark.slow
def test_scans_relax_with_their_dihedrals_held(prepared_from):
    prepared = prepared_from(SCAN)

    found = relaxed_observed(prepared.assignment.model, prepared.data, False)

    assert np.asarray(found.there).all()
    ends = np.cumsum([e.molecule.n_atoms for e in prepared.examples])[:-1]
    for example, x in zip(prepared.examples, np.split(np.asarray(found.positions), ends), strict=True):
        for held in example.reference.constraints:
            apart = dihedrals(x[list(held.atoms)][None])[0] - held.angle
            assert abs(np.arctan2(np.sin(apart), np.cos(apart))) < 1e-7
