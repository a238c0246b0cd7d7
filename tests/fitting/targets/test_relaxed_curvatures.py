import jax
import jax.numpy as jnp
import numpy as np
import pytest

from certain import known
from forgefield.fitting.cost.cost import add_relaxed, gauss_newton, linearise, quadratic
from forgefield.fitting.judge.relaxed_metrics import RelaxedJudge
from forgefield.fitting.targets.relaxed_view import relaxed_observed
from forgefield.fitting.targets.relaxed_view import vibrations as vibrations_there
from forgefield.properties.modes import rigid_motions, vibrations

CURVED = """eigenmatrix = { tolerance = 20.0, off_diagonal = 30.0, at = "relaxed" }
frequencies = { tolerance = 20.0, at = "relaxed" }
hessian = { tolerance = 10.0, at = "relaxed" }
positions = { tolerance = 0.01 }"""
STEP = 1e-5


@pytest.fixture(scope="module")
def prepared(ch3f):
    return ch3f(CURVED)


@pytest.fixture(scope="module")
def problem(prepared, problem_of):
    return problem_of(prepared)


@pytest.fixture(scope="module")
def at(problem):
    """A force field whose structure is not the reference's."""
    return jnp.asarray(0.6 * np.random.default_rng(5).normal(size=problem.n_free))


@pytest.fixture(scope="module")
def evaluate(problem):
    @jax.jit
    def evaluate(at, positions):
        return add_relaxed(problem, at, quadratic(problem, at), positions)

    return evaluate


@pytest.fixture(scope="module")
def found(problem, at, evaluate):
    return evaluate(at, jnp.asarray(problem.chunks.data.positions))


def test_modes_next_to_a_geometry_hold_none_of_its_rotations(prepared, generator):
    data, masses = prepared.data, prepared.examples[0].treated.masses
    positions = np.asarray(data.positions) + 0.2 * generator.normal(size=(5, 3))
    positions -= masses @ (positions - np.asarray(data.positions)) / masses.sum()

    modes = np.asarray(
        vibrations_there(data.topology, jnp.asarray(positions), jnp.asarray(masses), jnp.asarray(data.modes))
    )[0]

    orthonormal = np.sqrt(np.repeat(masses, 3))[:, None] * modes
    np.testing.assert_allclose(orthonormal.T @ orthonormal, np.eye(9), atol=1e-12)
    np.testing.assert_allclose(rigid_motions(positions, masses).T @ orthonormal, 0.0, atol=1e-12)
    # Next to the reference's own.
    assert np.abs(modes - np.asarray(data.modes)[0]).max() < 0.2


@pytest.mark.slow
def test_gradient_through_the_relaxation_is_that_of_central_differences(problem, at, evaluate, found, generator):
    cost, relaxed = found
    direction = jnp.asarray(generator.normal(size=problem.n_free))

    up, down = (evaluate(at + step * direction, relaxed)[0].cost for step in (STEP, -STEP))

    np.testing.assert_allclose(cost.gradient @ direction, (up - down) / (2.0 * STEP), rtol=1e-6)


@pytest.mark.slow
def test_residuals_and_their_jacobian_make_the_same_cost(problem, at, found):
    @jax.jit
    def linearised(at, positions):
        return linearise(problem, at, positions)

    again = gauss_newton(linearised(at, jnp.asarray(problem.chunks.data.positions)))

    np.testing.assert_allclose(again.cost, found[0].cost, rtol=1e-9)
    np.testing.assert_allclose(again.gradient, found[0].gradient, rtol=1e-7, atol=1e-9)
    np.testing.assert_allclose(again.normal, found[0].normal, rtol=1e-7, atol=1e-7)


@pytest.mark.slow
def test_frequencies_are_those_of_the_relaxed_structure(problem, at, prepared, found):
    _, positions = found
    model = problem.model_at(problem.prior.centre + problem.prior.width * at)
    topology, masses = prepared.data.topology, prepared.examples[0].treated.masses

    hessian = np.asarray(model.hessian(topology, positions[0]))[0]
    own = vibrations(hessian, np.asarray(positions[0]), masses)

    assert float(jnp.abs(positions[0] - prepared.data.positions).max()) > 0.01
    seen = relaxed_observed(model, prepared.data, observes=True)
    np.testing.assert_allclose(seen.observed.eigenvalues[0], own.eigenvalues, rtol=1e-7)
    judged = RelaxedJudge(curvatures=True)(model, prepared.data, prepared.examples)
    np.testing.assert_allclose(np.sort(known(judged.modes[0]).model), own.frequencies, rtol=1e-7)
