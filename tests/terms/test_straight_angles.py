"""Terms at and next to straight angles, bends against eighty-digit arithmetic."""

import functools
import math
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import mpmath
import numpy as np
import pytest

from forgefield.terms.bend import HARMONIC_BEND, MM3_BEND
from forgefield.terms.cross import BEND_BEND, BEND_TORSION_BEND
from forgefield.terms.geometry import angle
from forgefield.terms.out_of_plane import COSINE_OUT_OF_PLANE, ONE_FOLD_OUT_OF_PLANE
from forgefield.terms.torsion import TORSION3, TORSION6

EXACT: Any = mpmath.MPContext()
EXACT.dps = 80
STEP = EXACT.mpf(10) ** -18

DELTAS = [10.0**-n for n in range(1, 9)]
"""rad, from a straight angle."""
LINE = [[1.1, 0.0, 0.0], [0.0, 0.0, 0.0], [-1.4, 0.0, 0.0]]
DIAGONAL = [[0.5, 0.5, 0.25], [0.0, 0.0, 0.0], [-1.0, -1.0, -0.5]]
K = 60.0
BENDS = [
    pytest.param(HARMONIC_BEND, (), id="harmonic"),
    pytest.param(MM3_BEND, ("-0.014", "5.6e-5", "-7e-7", "2.2e-8"), id="mm3"),
]


@pytest.mark.parametrize("side", [0.0, math.pi], ids=["folded", "straight"])
@pytest.mark.parametrize("delta", DELTAS)
def test_derivatives_of_an_angle_are_exact_next_to_a_line(delta, side, generator):
    x = bent(abs(side - delta), generator)

    theta, gradient, hessian = by_machine(angle)(x)

    exact = derivatives(exact_angle, x)
    np.testing.assert_allclose(theta, exact[0], rtol=0, atol=1e-15)
    assert error(gradient, exact[1]) < max(1e-9, 3e-16 / delta)
    assert error(hessian, exact[2]) < 1e-6


@pytest.mark.parametrize("delta", [1.0, 1e-1, 1e-3, 1e-6])
def test_third_derivatives_of_an_angle_are_exact_in_both_modes(delta, generator):
    x, direction = bent(math.pi - delta, generator), generator.normal(size=(3, 3))

    forward, reverse = third_by_machine(x, direction)

    exact = third_along(exact_angle, x, direction)
    np.testing.assert_allclose([forward, reverse], [exact, exact], rtol=max(1e-12, 1e-14 / delta))


@pytest.mark.parametrize("line", [LINE, DIAGONAL, [LINE[0], LINE[1], [2.0, 0.0, 0.0]]])
def test_derivatives_of_an_angle_on_a_line_are_those_within_a_plane(line):
    x = jnp.array(line)

    _, gradient, hessian = by_machine(angle)(x)
    third = third_by_machine(x, jnp.ones((3, 3)).at[0, 1].set(2.0))

    lengths = [np.linalg.norm(x[i] - x[1]) for i in (0, 2)]
    np.testing.assert_allclose(np.linalg.norm(gradient.reshape(3, 3)[::2], axis=1), np.reciprocal(lengths), rtol=1e-14)
    assert np.isfinite(hessian).all()
    assert np.isfinite(third).all()


@pytest.mark.slow
@pytest.mark.parametrize(("term", "coefficients"), BENDS)
@pytest.mark.parametrize("delta", DELTAS)
def test_a_bend_about_180_degrees_is_exact_next_to_a_line(term, coefficients, delta, generator):
    x = bent(math.pi - delta, generator)

    found = by_machine(about_180(term))(x), by_coordinates(term)(x)

    exact = derivatives(exact_bend(coefficients), x)
    for energy, gradient, hessian in found:
        np.testing.assert_allclose(energy, exact[0], rtol=max(1e-12, 1e-15 / delta))
        assert error(gradient, exact[1]) < max(1e-9, 3e-16 / delta)
        assert error(hessian, exact[2]) < 1e-8


@pytest.mark.parametrize(("term", "coefficients"), BENDS)
@pytest.mark.parametrize("line", [LINE, DIAGONAL])
def test_a_bend_about_180_degrees_is_exact_on_a_line(term, coefficients, line):
    x = jnp.array(line)

    found = by_machine(about_180(term))(x), by_coordinates(term)(x)

    exact = derivatives(exact_bend(coefficients), x)
    for energy, gradient, hessian in found:
        assert energy == 0.0
        np.testing.assert_array_equal(gradient, np.zeros(9))
        assert error(hessian, exact[2]) < 1e-14


@pytest.mark.parametrize(("term", "coefficients"), BENDS)
def test_a_straight_bend_answers_to_its_reference_angle(term, coefficients, generator):
    x = bent(math.pi - 0.1, generator)

    slope = jax.grad(lambda theta0: term.energy(x, K, theta0))(math.pi)

    components = [EXACT.mpf(float(c)) for c in x.reshape(-1)]
    exact = EXACT.diff(lambda theta0: exact_bend(coefficients, theta0)(components), EXACT.pi)
    np.testing.assert_allclose(slope, float(exact), rtol=1e-12)


BUTADIYNE = [[1.2, 0.0, 0.0], [0.0, 0.0, 0.0], [-1.4, 0.0, 0.0], [-2.6, 0.0, 0.0]]
NITRILE = [[1.0, 1.1, 0.0], [0.0, 0.0, 0.0], [-1.4, 0.0, 0.0], [-2.6, 0.0, 0.0]]
ALLENE = [[0.0, 0.9, 1.9], [0.0, 0.0, 1.3], [0.0, 0.0, 0.0], [0.0, 0.0, -1.3]]
T_SHAPE = [[1.2, 0.0, 0.0], [0.0, 0.0, 0.0], [-1.4, 0.0, 0.0], [0.0, 1.3, 0.0]]
V = (1.0, -2.0, 0.7, 0.4, -0.3, 0.2)
IN_LINE = [
    pytest.param(TORSION6, V, NITRILE, id="nitrile"),
    pytest.param(TORSION6, V, ALLENE, id="allene"),
    pytest.param(TORSION6, V, BUTADIYNE, id="butadiyne"),
    pytest.param(COSINE_OUT_OF_PLANE, (5.0,), T_SHAPE, id="cosine_out_of_plane"),
    pytest.param(ONE_FOLD_OUT_OF_PLANE, (5.0,), T_SHAPE, id="one_fold_out_of_plane"),
    pytest.param(BEND_TORSION_BEND, (20.0, 1.9, 1.5), NITRILE, id="bend_torsion_bend"),
    pytest.param(MM3_BEND, (60.0, 1.9), LINE, id="mm3_bend"),
    pytest.param(BEND_BEND, (20.0, 1.9, 1.5), [LINE[1], LINE[0], LINE[2], LINE[0], T_SHAPE[3]], id="bend_bend"),
]


@pytest.mark.slow
@pytest.mark.parametrize(("term", "parameters", "line"), IN_LINE)
def test_terms_with_atoms_in_line_are_finite_to_third_order(term, parameters, line, generator):
    x, p = nudged(line, generator), jnp.array(parameters)

    found = to_third_order(term)(x, p, x[-1])

    assert all(np.isfinite(value).all() for value in found)


@pytest.mark.slow
@pytest.mark.parametrize("precision", [jnp.float64, jnp.float32])
@pytest.mark.parametrize(("term", "parameters", "line"), IN_LINE)
def test_hessians_of_terms_with_atoms_in_line_are_finite(term, parameters, line, precision, generator):
    x = nudged(line, generator).astype(precision)

    found = [by_coordinates(term, parameters)(geometry) for geometry in x]

    assert all(value.dtype == precision for value in jax.tree.leaves(found))
    assert all(np.isfinite(value).all() for value in jax.tree.leaves(found))


@pytest.mark.parametrize("degrees", [0.01, 1.0, 5.0, 9.9])
def test_a_torsion_within_the_switch_has_the_derivatives_of_its_energy(degrees, generator):
    bend = math.radians(degrees)
    x = jnp.array([*NITRILE[:3], [-1.4 - 1.2 * math.cos(bend), -0.7 * math.sin(bend), 0.9 * math.sin(bend)]])
    direction = jnp.asarray(generator.normal(size=(4, 3)))

    _, gradient, hessian = by_coordinates(TORSION3, V[:3])(x)

    h = 1e-4 * bend
    ends = [by_coordinates(TORSION3, V[:3])(x + sign * h * direction) for sign in (1, -1)]
    slope, curve = (np.subtract(up, down) / (2 * h) for up, down in list(zip(*ends, strict=True))[:2])
    np.testing.assert_allclose(gradient @ direction.reshape(-1), slope, rtol=1e-6, atol=1e-9)
    np.testing.assert_allclose(hessian @ direction.reshape(-1), curve, rtol=0, atol=1e-5 * abs(hessian).max())


@pytest.mark.parametrize(("degrees", "share"), [(10.01, 1.0), (90.0, 1.0), (169.99, 1.0), (180.0, 0.0), (0.0, 0.0)])
def test_torsions_are_whole_beyond_ten_degrees_from_a_line(degrees, share):
    bend = math.radians(degrees)
    x = jnp.array([*NITRILE[:3], [-1.4 + 1.2 * math.cos(bend), 1.2 * math.sin(bend), 0.0]])

    energy = TORSION3.energy(x, 2.0, 0.0, 0.0)

    np.testing.assert_allclose(energy, 2.0 * share, rtol=1e-14, atol=1e-40)


def bent(theta, generator):
    """Return an angle somewhere in space."""
    rotation = np.linalg.qr(generator.normal(size=(3, 3)))[0]
    arms = np.array([[1.1, 0.0, 0.0], [0.0, 0.0, 0.0], [1.4 * math.cos(theta), 1.4 * math.sin(theta), 0.0]])
    return jnp.asarray(arms @ rotation + generator.normal(size=(1, 3)))


def nudged(line, generator):
    """Return a geometry, and the same with its atoms moved by ever more."""
    lengths = np.array([0.0, 1e-9, 1e-7, 1e-5, 1e-3, 1e-2])
    return jnp.asarray(np.array(line) + lengths[:, None, None] * generator.normal(size=(1, len(line), 3)))


def error(found, exact):
    return np.abs(found - exact).max() / np.abs(exact).max()


@functools.cache
def about_180(term):
    return lambda x: term.energy(x, K, math.pi)


@functools.cache
def by_machine(energy):
    """Return value, gradient and Hessian by differentiating the energy."""

    def of_flat(flat):
        return energy(flat.reshape(-1, 3))

    return jax.jit(lambda x: [f(x.reshape(-1)) for f in (of_flat, jax.grad(of_flat), jax.hessian(of_flat))])


@functools.cache
def by_coordinates(term, parameters=(K, math.pi)):
    """Return energy, gradient and Hessian by way of the coordinates' own derivatives."""

    def found(x):
        p = jnp.asarray(parameters, x.dtype)

        def profile(q):
            return term.profile(q, *p)

        q, first, second = term.coordinates.expansion(x, p)
        slope = jax.grad(profile)(q)
        bent = jnp.einsum("q,qcd->cd", slope, second)
        return profile(q), slope @ first, first.T @ jax.hessian(profile)(q) @ first + bent

    return jax.jit(found)


@functools.cache
def to_third_order(term):
    """Return the energies of a batch and their derivatives along a direction."""

    def found(x, p, direction):
        functions: list[Callable] = [lambda y: term.energy(y, *p)]
        for _ in range(3):
            functions.append(functools.partial(along, functions[-1], direction))
        return [f(x) for f in functions]

    return jax.jit(jax.vmap(found, (0, None, None)))


def along(function, direction, x):
    return jax.jvp(function, (x,), (direction,))[1]


@jax.jit
def third_by_machine(x, direction):
    """Return the third derivative of an angle along a direction, by forward and by reverse mode."""
    forward = functools.partial(along, functools.partial(along, functools.partial(along, angle, direction), direction))

    def reverse(function, y):
        return jnp.vdot(jax.grad(function)(y), direction)

    thrice = functools.partial(reverse, functools.partial(reverse, functools.partial(reverse, angle)))
    return forward(direction, x), thrice(x)


def exact_angle(v):
    a, b = ([v[i + k] - v[3 + k] for k in range(3)] for i in (0, 6))
    cross = [a[i - 2] * b[i - 1] - a[i - 1] * b[i - 2] for i in range(3)]
    return EXACT.atan2(EXACT.sqrt(sum(c * c for c in cross)), sum(p * q for p, q in zip(a, b, strict=True)))


def exact_bend(coefficients, theta0=EXACT.pi):
    def energy(v):
        deviation = exact_angle(v) - theta0
        degrees = deviation * 180 / EXACT.pi
        series = 1 + sum(EXACT.mpf(c) * degrees**n for n, c in enumerate(coefficients, 1))
        return K / EXACT.mpf(2) * deviation**2 * series

    return energy


def derivatives(function, x):
    """Return value, gradient and Hessian by differences so small that nothing is left of their errors."""
    start = [EXACT.mpf(float(c)) for c in np.ravel(x)]

    def at(*moves):
        v = list(start)
        for i, step in moves:
            v[i] += step
        return function(v)

    middle, n = at(), range(len(start))
    ends = [(at((i, STEP)), at((i, -STEP))) for i in n]
    gradient = [(up - down) / (2 * STEP) for up, down in ends]
    hessian = np.zeros((len(start), len(start)))
    for i in n:
        hessian[i, i] = (ends[i][0] + ends[i][1] - 2 * middle) / STEP**2
        for j in range(i):
            corners = [s * t * at((i, s * STEP), (j, t * STEP)) for s in (1, -1) for t in (1, -1)]
            hessian[i, j] = hessian[j, i] = sum(corners) / (4 * STEP**2)
    return float(middle), np.array(gradient, float), hessian


def third_along(function, x, direction):
    start, step = ([EXACT.mpf(float(c)) for c in np.ravel(v)] for v in (x, direction))
    value = [function([c + n * STEP * d for c, d in zip(start, step, strict=True)]) for n in (-2, -1, 1, 2)]
    return float((value[3] - 2 * value[2] + 2 * value[1] - value[0]) / (2 * STEP**3))


@pytest.mark.parametrize(("term", "coefficients"), BENDS)
def test_a_bend_about_nearly_180_degrees_is_exact_next_to_its_minimum(term, coefficients):
    theta0 = math.pi - 5e-3
    supplement = (math.pi - theta0) + 1e-9

    energy = term.profile(jnp.array([supplement, supplement**2]), jnp.asarray(K), jnp.asarray(theta0))

    # The difference of two floats this close is exact; at 1e-9 rad all that is anharmonic is below 1e-9.
    np.testing.assert_allclose(energy, 0.5 * K * ((math.pi - theta0) - supplement) ** 2, rtol=1e-8)
