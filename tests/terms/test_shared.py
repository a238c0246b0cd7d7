"""Claims that hold for every term: one row each."""

import importlib
import inspect
import itertools
import math
import pickle
import pkgutil
from dataclasses import dataclass

import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
import pytest

import forgefield.terms
from forgefield.compiled import compiled_quickly
from forgefield.terms import bend, cross, mm3, nonbonded, out_of_plane, periodic, stretch, torsion, trigonal
from forgefield.terms.cmap import correction_map
from forgefield.terms.expressions.custom import custom_term
from forgefield.terms.term import Term

DEGREE = math.pi / 180.0
TEN_SQUARED = 0.030461741978670857
"""10° in rad, squared."""
KINDS = {
    *("stretch", "bend", "stretch_bend", "stretch_stretch", "bend_bend", "urey_bradley"),
    *("stretch_stretch_13", "bend_torsion_bend"),
    *("bond_moment", "charge_increment"),
    *("torsion", "torsion_stretch", "out_of_plane", "improper", "cmap", "compound", "vdw", "electrostatic"),
}
UNITS = {
    *("kcal/mol/Å²", "kcal/mol/rad²", "kcal/mol/Å/rad", "kcal^½/mol^½/rad", "kcal/mol/Å", "kcal/mol"),
    *("kcal/mol/Å⁴", "kcal/mol/rad", "kcal/mol/rad³", "kcal/mol/rad⁴", "kcal·Å⁶/mol", "kcal·Å³/mol"),
    *("Å", "1/Å", "rad", "e", "1", "e·Å", ""),
}
STEPS = np.array([1e-2, 1e-3, 1e-4, 1e-5])


def pair(r):
    return [[0.0, 0.0, 0.0], [0.0, r, 0.0]]


def bent(r1, r2, degrees):
    return [[r1, 0.0, 0.0], [0.0] * 3, [r2 * math.cos(degrees * DEGREE), r2 * math.sin(degrees * DEGREE), 0.0]]


def chain(r, degrees):
    """Two right angles about a bond of length r, twisted by so many degrees."""
    return [
        [1.0, 0.0, 0.0],
        [0.0, 0.0, 0.0],
        [0.0, 0.0, r],
        [math.cos(degrees * DEGREE), math.sin(degrees * DEGREE), r],
    ]


def five(first, second):
    """Four right angles in a row of five atoms, twisted by so many degrees about the two bonds between them."""
    four = chain(1.5, first)
    across, up = [-four[3][1], four[3][0], 0.0], [0.0, 0.0, -1.0]
    turn = second * DEGREE
    return [*four, [x + math.cos(turn) * u + math.sin(turn) * a for x, u, a in zip(four[3], up, across, strict=True)]]


def star(*ends, centre=(0.0, 0.0, 0.0)):
    """An end, the centre, and the two other ends."""
    return [list(ends[0]), list(centre), list(ends[1]), list(ends[2])]


_HEIGHT, _ALONG = math.sin(10 * DEGREE), math.cos(10 * DEGREE)
RAISED = star((1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (-1.0, -1.0, 0.0), centre=(0.0, 0.0, 0.5))
"""A centre above the right angle of two of its neighbours."""
ABOVE = star((1.0, 2.0, 0.0), (1.0, -2.0, 0.0), (-_ALONG, 0.0, 0.0), centre=(0.0, 0.0, _HEIGHT))
"""One whose bond to the last neighbour is 10° off the plane of the three."""
OFF = star((1.5, 0.0, 0.0), (0.0, 1.2, 0.0), (-_ALONG, -_ALONG, math.sqrt(2.0) * _HEIGHT))
"""One whose last neighbour is 10° off the plane of the others and the centre."""
FIRST_AND_THIRD = (2, 1, 0, 3)
CROSS = [[0.0, 0.0, 0.0], [1.0, 0.0, 0.0], [0.0, 1.1, 0.0], [0.0, 0.0, 1.2], [1.3, 0.0, 0.0]]
TURNED = (2, 1, 0)
BACKWARDS = (3, 2, 1, 0)


@dataclass(frozen=True)
class Row:
    term: Term
    parameters: tuple[float, ...]
    by_hand: list
    """Positions [Å] at which the energy was worked out by hand."""
    energy: float
    atoms: tuple[int, ...]
    """An order of the atoms that means the same interaction …"""
    same: tuple[int, ...]
    """… when its parameters are taken in this order."""
    handed: bool = False
    """Whether mirror images have different energies."""


# The spline through 1, 0, -1, 0 has slopes 0, -3/2, 0, 3/2, and is 11/16 in the middle of the first step.
_COSINE, _SINE = (1.0, 0.0, -1.0, 0.0), (0.0, 1.0, 0.0, -1.0)
MAP = correction_map(tuple(tuple(c * (2.0 + s) for s in _SINE) for c in _COSINE))
EXPRESSION = custom_term(
    "k*(10*distance(p1,p2)-r0)*(angle(p1,p2,p3)-t)*s", "compound", 3, ("k", "r0", "t"), (("s", 2.0),)
)

ROWS = [
    Row(stretch.HARMONIC_STRETCH, (100.0, 1.4), pair(1.5), 0.5, (1, 0), (0, 1)),
    Row(stretch.MM3_STRETCH, (100.0, 1.4), pair(1.5), 0.391465625, (1, 0), (0, 1)),
    Row(stretch.CUBIC_STRETCH, (100.0, 1.4, -2.0), pair(1.5), 0.4, (1, 0), (0, 1, 2)),
    Row(stretch.FOURTH_POWER_STRETCH, (100.0, 1.4), pair(1.5), 2.1025, (1, 0), (0, 1)),
    Row(stretch.MORSE, (100.0, 1.4, 10 * math.log(2)), pair(1.5), 25.0, (1, 0), (0, 1, 2)),
    Row(bend.COSINE_BEND, (100.0, 60 * DEGREE), bent(1.5, 1.1, 90), 12.5, TURNED, (0, 1)),
    Row(bend.RESTRICTED_BEND, (100.0, 60 * DEGREE), bent(1.5, 1.1, 120), 200 / 3, TURNED, (0, 1)),
    Row(
        *(bend.QUARTIC_BEND, (1.0, 2.0, 3.0, 4.0, 5.0, 1.0), bent(1.5, 1.1, 1.1 / DEGREE), 1.2345),
        *(TURNED, tuple(range(6))),
    ),
    Row(bend.HARMONIC_BEND, (100.0, 80 * DEGREE), bent(1.5, 1.1, 90), 50 * TEN_SQUARED, TURNED, (0, 1)),
    Row(bend.HARMONIC_BEND, (100.0, math.pi), bent(1.5, 1.1, 170), 50 * TEN_SQUARED, TURNED, (0, 1)),
    Row(bend.MM3_BEND, (100.0, 80 * DEGREE), bent(1.5, 1.1, 90), 50 * TEN_SQUARED * 0.86512, TURNED, (0, 1)),
    Row(bend.MM3_BEND, (100.0, math.pi), bent(1.5, 1.1, 170), 50 * TEN_SQUARED * 1.14652, TURNED, (0, 1)),
    Row(cross.STRETCH_BEND, (10.0, 1.4, 1.3, 80 * DEGREE), bent(1.5, 1.5, 90), math.pi / 6, TURNED, (0, 2, 1, 3)),
    Row(
        *(cross.STRETCH_BENDS, (10.0, 20.0, 1.4, 1.3, 80 * DEGREE), bent(1.5, 1.5, 90), 50 * DEGREE),
        *(TURNED, (1, 0, 3, 2, 4)),
    ),
    Row(cross.STRETCH_STRETCH, (10.0, 1.4, 1.3), bent(1.5, 1.5, 77), 0.2, TURNED, (0, 2, 1)),
    Row(cross.BOND_BOND, (10.0, 1.4, 1.3), bent(1.5, 1.5, 77), 0.2, TURNED, (0, 2, 1)),
    Row(cross.BOND_ANGLE, (10.0, 1.4, 1.3, 2.0), bent(1.5, 2.0, 90), 4.0, TURNED, (0, 2, 1, 3)),
    Row(
        *(cross.BEND_BEND, (100.0, 80 * DEGREE, 70 * DEGREE), CROSS, 200 * TEN_SQUARED),
        *((0, 3, 4, 1, 2), (0, 2, 1)),
    ),
    Row(
        *(cross.BEND_BEND_OF_FIVE, (100.0, 80 * DEGREE, 70 * DEGREE), CROSS, 200 * TEN_SQUARED),
        *((0, 3, 4, 1, 2), (0, 2, 1)),
    ),
    Row(
        *(cross.BEND_BEND_OF_FOUR, (100.0, 80 * DEGREE, 70 * DEGREE), CROSS[:4], 200 * TEN_SQUARED),
        *((0, 1, 3, 2), (0, 2, 1)),
    ),
    Row(
        *(mm3.BEND_BEND_PRODUCT, (10.0, 5.0, 80 * DEGREE, 70 * DEGREE), CROSS, -100 * TEN_SQUARED),
        *((0, 3, 4, 1, 2), (1, 0, 3, 2)),
    ),
    Row(cross.STRETCH_STRETCH_13, (10.0, 0.9, 0.8), chain(1.5, 77), 0.2, BACKWARDS, (0, 2, 1)),
    Row(
        *(
            cross.BEND_TORSION_BEND,
            (100.0, 80 * DEGREE, 70 * DEGREE),
            chain(1.5, 30),
            100 * math.sqrt(3.0) * TEN_SQUARED,
        ),
        *(BACKWARDS, (0, 2, 1)),
    ),
    Row(cross.OWN_STRETCH_STRETCH_13, (10.0, 0.9, 0.8), chain(1.5, 77), 0.2, BACKWARDS, (0, 2, 1)),
    Row(
        *(cross.OWN_BEND_TORSION_BEND, (100.0, 80 * DEGREE, 70 * DEGREE), chain(1.5, 120), -100 * TEN_SQUARED),
        *(BACKWARDS, (0, 2, 1)),
    ),
    Row(cross.OWN_STRETCH_BEND, (10.0, 1.4, 1.3, 80 * DEGREE), bent(1.5, 1.5, 90), math.pi / 6, TURNED, (0, 2, 1, 3)),
    Row(cross.OWN_TORSION_STRETCH, (10.0, 1.4), chain(1.5, 30), -1.0, BACKWARDS, (0, 1)),
    Row(cross.UREY_BRADLEY, (100.0, 2.4), pair(2.5), 0.5, (1, 0), (0, 1)),
    Row(cross.TORSION_STRETCH, (10.0, 1.4), chain(1.5, 30), -1.0, BACKWARDS, (0, 1)),
    Row(torsion.TORSION3, (1.0, 2.0, 3.0), chain(1.5, 60), 2.25, BACKWARDS, (0, 1, 2)),
    Row(torsion.TORSION4, (1.0, 2.0, 3.0, 4.0), chain(1.5, 60), 5.25, BACKWARDS, tuple(range(4))),
    Row(torsion.TORSION6, (1.0, 2.0, 3.0, 4.0, 5.0, 6.0), chain(1.5, 60), 9.0, BACKWARDS, tuple(range(6))),
    Row(
        *(periodic.PERIODIC_TORSION, (2.0, 3.0, 30 * DEGREE), chain(1.5, 20), 2.0 + math.sqrt(3.0)),
        *(BACKWARDS, (0, 1, 2), True),
    ),
    Row(periodic.PERIODIC_IMPROPER, (2.0, 2.0, math.pi), chain(1.5, 30), 1.0, BACKWARDS, (0, 1, 2)),
    Row(periodic.RYCKAERT_BELLEMANS, (1.0, 2.0, 3.0, 4.0, 5.0, 6.0), chain(1.5, 60), 0.375, BACKWARDS, tuple(range(6))),
    Row(
        *(periodic.HARMONIC_IMPROPER, (100.0, 175 * DEGREE), chain(1.5, -175), 50 * TEN_SQUARED),
        *(BACKWARDS, (0, 1), True),
    ),
    Row(MAP, (2.0,), five(45, 135), 2.0 * 11 / 16 * (2.0 + 11 / 16), (0, 1, 2, 3, 4), (0,), True),
    # 4.184 kJ/mol, 1 Å - 0.9 Å, 90° - 1.
    Row(
        *(EXPRESSION, (4.184, 0.9, 1.0), bent(1.0, 1.5, 90), 0.2 * (math.pi / 2 - 1.0)),
        *((0, 1, 2), (0, 1, 2)),
    ),
    Row(out_of_plane.COSINE_OUT_OF_PLANE, (10.0,), chain(1.5, 30), 2.5, BACKWARDS, (0,)),
    Row(out_of_plane.ONE_FOLD_OUT_OF_PLANE, (10.0,), chain(1.5, 60), 7.5, BACKWARDS, (0,)),
    Row(trigonal.IN_PLANE_BEND, (100.0, 80 * DEGREE), RAISED, 50 * TEN_SQUARED, FIRST_AND_THIRD, (0, 1)),
    Row(trigonal.MM3_IN_PLANE_BEND, (100.0, 80 * DEGREE), RAISED, 50 * TEN_SQUARED * 0.86512, FIRST_AND_THIRD, (0, 1)),
    Row(trigonal.ALLINGER_BEND, (100.0,), ABOVE, 50 * TEN_SQUARED, FIRST_AND_THIRD, (0,)),
    Row(trigonal.MM3_ALLINGER_BEND, (100.0,), ABOVE, 50 * TEN_SQUARED * 0.86512, FIRST_AND_THIRD, (0,)),
    Row(trigonal.WILSON_BEND, (100.0,), OFF, 50 * TEN_SQUARED, FIRST_AND_THIRD, (0,)),
    Row(trigonal.MM3_WILSON_BEND, (100.0,), OFF, 50 * TEN_SQUARED * 0.86512, FIRST_AND_THIRD, (0,)),
    # Two parallel dipoles side by side, 2 Å apart.
    Row(nonbonded.DIPOLE_PAIR, (10.0,), [[0, 0, 0.0], [0, 0, 1.0], [2, 0, 0.0], [2, 0, 1.0]], 1.25, BACKWARDS, (0,)),
    Row(nonbonded.LENNARD_JONES, (1.5, 0.1, 2.0, 0.4, 0.5), pair(1.75), 396.8, (1, 0), (2, 3, 0, 1, 4)),
    Row(nonbonded.LENNARD_JONES_GEOMETRIC, (1.0, 0.1, 2.25, 0.4, 0.5), pair(1.5), 396.8, (1, 0), (2, 3, 0, 1, 4)),
    Row(nonbonded.LENNARD_JONES_PAIR, (2.0, 0.4), pair(1.0), 1587.2, (1, 0), (0, 1)),
    Row(nonbonded.BUCKINGHAM_PAIR, (1000.0, 64.0, math.log(2)), pair(2.0), 249.0, (1, 0), (0, 1, 2)),
    Row(nonbonded.EXP6, (1.5, 0.1, 2.0, 0.4, 0.5), pair(3.5), -0.11194649269876, (1, 0), (2, 3, 0, 1, 4)),
    Row(nonbonded.EXP6_PAIR, (2.0, 10.0), pair(4.0), -0.3514930375243853, (1, 0), (0, 1)),
    Row(nonbonded.COULOMB, (0.5, -0.4, 0.5), pair(2.0), -0.05 * 332.0637133, (1, 0), (1, 0, 2)),
    Row(nonbonded.CHARGE_INCREMENT, (0.3,), pair(1.1), 0.0, (1, 0), (0,)),
    Row(mm3.BOND_MOMENT, (0.3,), pair(1.1), 0.0, (1, 0), (0,)),
]


ONE_FOR_EACH_KIND_OF_COORDINATES = list({row.term.coordinates: row for row in ROWS}.values())


def name_of(row):
    return f"{row.term.name}{row.parameters}"


@pytest.fixture(scope="module", params=ROWS, ids=name_of)
def row(request):
    return request.param


@pytest.fixture(scope="module")
def energy(row):
    """Energy of the row's term as a function of positions and a parameter vector."""
    return lambda x, p: row.term.energy(x, *p)


@pytest.fixture(scope="module")
def p(row):
    return jnp.asarray(row.parameters)


@pytest.fixture(scope="module")
def x(row):
    """A crooked geometry: the one of the hand-made value, every atom moved in all directions."""
    return jnp.asarray(row.by_hand) + 0.2 * jr.normal(jr.key(7), (row.term.order, 3))


@pytest.fixture(scope="module")
def direction(row):
    direction = jr.normal(jr.key(8), (row.term.order, 3))
    return direction / jnp.sqrt(jnp.sum(direction**2))


@pytest.fixture(scope="module")
def gradient(energy, x, p):
    return jax.grad(energy)(x, p)


@pytest.fixture(scope="module")
def turned_gradient(energy, x, p, direction):
    """Hessian times direction, by forward mode over reverse mode."""
    return jax.jvp(lambda x: jax.grad(energy)(x, p), (x,), (direction,))[1]


def test_every_term_has_a_row():
    modules = [
        importlib.import_module(f"forgefield.terms.{m.name}") for m in pkgutil.iter_modules(forgefield.terms.__path__)
    ]
    terms = {term.name for module in modules for term in vars(module).values() if isinstance(term, Term)}

    assert terms == {row.term.name for row in ROWS if row.term.made is None}


def test_term_is_the_same_in_another_process(row):
    assert pickle.loads(pickle.dumps(row.term)) == row.term


def test_energy_equals_the_value_worked_out_by_hand(row, energy, p):
    np.testing.assert_allclose(energy(jnp.asarray(row.by_hand), p), row.energy, rtol=1e-9, atol=1e-14)


def test_gradient_is_the_limit_of_central_differences(energy, gradient, x, p, direction):
    rises = [energy(x + h * direction, p) - energy(x - h * direction, p) for h in STEPS]

    assert_second_order(np.array(rises) / (2 * STEPS), jnp.vdot(gradient, direction), gradient)


@pytest.mark.slow
def test_hessian_is_the_limit_of_central_differences(energy, gradient, turned_gradient, x, p, direction):
    slope = jax.grad(energy)
    rises = [jnp.vdot(slope(x + h * direction, p) - slope(x - h * direction, p), direction) for h in STEPS]

    exact = jnp.vdot(turned_gradient, direction)
    assert_second_order(np.array(rises) / (2 * STEPS), exact, jnp.append(turned_gradient, gradient))


@pytest.mark.slow
def test_parameter_derivatives_are_the_limit_of_central_differences(energy, x, p):
    slopes = jax.grad(energy, 1)(x, p) * p

    for k, slope in enumerate(slopes):
        change = jnp.zeros_like(p).at[k].set(p[k])
        rises = [energy(x, p + h * change) - energy(x, p - h * change) for h in STEPS]
        assert_second_order(np.array(rises) / (2 * STEPS), slope, slopes)


def assert_second_order(estimates, exact, magnitudes):
    """The error falls with the square of the step until rounding ends that."""
    errors = np.abs(estimates - float(exact)) / max(float(jnp.abs(magnitudes).max()), 1e-6)
    assert errors.min() < 1e-8, errors
    for coarse, fine in itertools.pairwise(errors):
        assert fine < 0.013 * coarse + 1e-9, errors


@pytest.mark.slow
@pytest.mark.parametrize("row", ONE_FOR_EACH_KIND_OF_COORDINATES, ids=name_of, indirect=True)
def test_forward_and_reverse_mode_agree_to_third_order(energy, turned_gradient, x, p, direction):
    v, w = jr.normal(jr.key(9), (2, *x.shape))

    reverse = jax.grad(lambda x: jnp.vdot(jax.grad(energy)(x, p), direction))
    assert_equal(compiled_quickly(reverse)(x), turned_gradient)

    third = compiled_quickly(jax.grad(lambda x: jnp.vdot(reverse(x), v)))(x)
    slope = compiled_quickly(along(along(along(lambda x: energy(x, p), direction), v), w))(x)
    assert_equal(slope, jnp.vdot(third, w), magnitudes=third)


def along(function, direction):
    return lambda x: jax.jvp(function, (x,), (direction,))[1]


def assert_equal(found, expected, magnitudes=None):
    scale = float(jnp.abs(expected if magnitudes is None else magnitudes).max())
    assert np.isfinite(scale)
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-11 * scale)


def test_energy_is_the_same_wherever_the_interaction_is_and_however_it_is_turned(row, energy, x, p):
    rotation = np.linalg.qr(np.array([[0.3, 1.0, -0.2], [0.9, -0.4, 0.5], [0.1, 0.7, 0.8]]))[0]
    rotation = rotation * np.linalg.det(rotation)
    moved = jnp.stack([x, x + jnp.array([[3.0, -2.0, 1.0]]), x @ rotation, x @ -rotation])

    *energies, mirrored = [energy(one, p) for one in moved]

    np.testing.assert_allclose(energies, np.full(3, energies[0]), rtol=1e-12, atol=1e-13)
    assert np.isclose(mirrored, energies[0], rtol=1e-12, atol=1e-13) != row.handed


def test_forces_and_torques_cancel(gradient, x):
    scale = float(jnp.abs(gradient).max())

    np.testing.assert_allclose(gradient.sum(axis=0), np.zeros(3), atol=2e-14 * scale)
    np.testing.assert_allclose(np.cross(x, gradient).sum(axis=0), np.zeros(3), atol=1e-13 * scale)


def test_reversed_atoms_have_the_same_energy(row, energy, x, p):
    turned = energy(x[jnp.array(row.atoms)], p[jnp.array(row.same)])

    np.testing.assert_allclose(turned, energy(x, p), rtol=1e-13)


def test_parameters_are_described_as_the_energy_takes_them(row):
    term = row.term
    taken = list(inspect.signature(term.profile).parameters.values())[1:]
    named = [parameter.name for parameter in taken if parameter.kind is not inspect.Parameter.VAR_POSITIONAL]

    assert named == [parameter.name for parameter in term.parameters[: len(named)]]
    assert len(named) == len(term.parameters) or len(named) < len(taken)
    assert {parameter.unit for parameter in term.parameters} <= UNITS
    assert term.kind in KINDS
    assert term.own == term.parameters[: term.n_own]
    assert 1 <= term.n_own <= len(term.parameters)


def test_example_parameters_lie_within_the_bounds(row):
    for value, parameter in zip(row.parameters, row.term.parameters, strict=True):
        assert parameter.minimum < parameter.maximum
        assert parameter.minimum <= value <= parameter.maximum
