"""OpenMM's language of expressions."""

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from forgefield.errors import InputError
from forgefield.terms.expressions.evaluation import JAX, NUMPY, require_understood, value
from forgefield.terms.expressions.language import parsed

KNOWN = {"x": 1.3, "a": 1.7, "b": 0.6}
BY_HAND = {
    "-x^2": -1.69,
    "-a*-b^2": 1.7 * 0.36,
    "2^-x*3": 3 * 2**-1.3,
    "2^3^2": 512.0,
    "a-b-x": -0.2,
    "a/b/x": 1.7 / 0.6 / 1.3,
    "--x": 1.3,
    "1e-3*x+.5*x+2.*x": 2.501 * 1.3,
    "y*z; z=y+1; y=2*x;": 2.6 * 3.6,
    "select(x-1.3, a, b) + select(step(x-2), a, b)": 1.2,
    "delta(x-1.3) + step(x-1.3) + step(1-x)": 2.0,
    "min(x, a) + 2*max(x, b)": 3.9,
    "recip(x) + cube(x) + square(x)": 1 / 1.3 + 2.197 + 1.69,
    "sec(x) + csc(x) + cot(x)": 1 / math.cos(1.3) + 1 / math.sin(1.3) + 1 / math.tan(1.3),
    "atan2(-x, -a)": math.atan2(-1.3, -1.7),
    "floor(-x) + 3*ceil(x) + abs(-x)": 5.3,
    "erf(x) + 2*erfc(x)": 2 - math.erf(1.3),
    "asin(b) + acos(b) + atan(x) + tan(b) + sinh(x)*cosh(x)*tanh(x)": math.pi / 2
    + math.atan(1.3)
    + math.tan(0.6)
    + math.sinh(1.3) ** 2,
    "sqrt(x)*exp(a)*log(b)*sin(x)*cos(x)": math.sqrt(1.3)
    * math.exp(1.7)
    * math.log(0.6)
    * math.sin(1.3)
    * math.cos(1.3),
}


@pytest.mark.parametrize("table", [NUMPY, JAX], ids=["numpy", "jax"])
@pytest.mark.parametrize(("expression", "by_hand"), BY_HAND.items(), ids=list(BY_HAND))
def test_values_are_those_worked_out_by_hand(expression, by_hand, table):
    known = {name: jnp.asarray(number) for name, number in KNOWN.items()} if table is JAX else KNOWN

    np.testing.assert_allclose(value(parsed(expression), known, table), by_hand, rtol=1e-14)


def test_long_sums_and_names_that_are_used_many_times_take_no_longer_than_they_are():
    definitions = "; ".join(f"y{k}=y{k + 1}+y{k + 1}" for k in range(60))

    assert value(parsed("+".join(["x"] * 3000)), {"x": 1.0}, NUMPY) == 3000.0
    assert value(parsed(f"y0; {definitions}; y60=x"), {"x": 1.0}, NUMPY) == 2.0**60


def test_derivatives_are_finite_where_a_base_is_negative_or_zero():
    tree = parsed("x^2 + x^3")

    slope, curvature = (f(lambda x: value(tree, {"x": x}, JAX)) for f in (jax.grad, lambda g: jax.grad(jax.grad(g))))

    np.testing.assert_allclose([slope(-1.0), curvature(-1.0), slope(0.0), curvature(0.0)], [1.0, -4.0, 0.0, 2.0])


def written(generator, depth):
    """A random expression that has a value."""
    if depth == 0:
        return str(generator.choice(["x", "a", "b", "0.7", "2", "1.5e-1"]))
    one, other = written(generator, depth - 1), written(generator, depth - 1)
    forms = (
        "{0}+{1} {0}-{1} {0}*{1} -{0} ({0})^2 -{0}^2*{1} ({0}-{1})*{1} ({0})/(2+square({1})) sin({0}) exp(-abs({0}))"
    )
    more = "min({0},{1}) max({0},{1}) select(step({0}),{1},{0}) atan2({0},{1}) 2^-({0}-{1}) ({0}+c*{1})"
    return str(generator.choice(f"{forms} {more}".split())).format(one, other)


@pytest.mark.openmm
def test_random_expressions_have_the_values_that_openmm_gives_them(generator):
    openmm = pytest.importorskip("openmm", reason="OpenMM is not installed (extra openmm)")
    expressions = [f"{written(generator, 4)}; x=r+y; y=c*c; c=b-1" for _ in range(40)]
    system = openmm.System()
    system.addParticle(1.0)
    system.addParticle(1.0)
    for number, expression in enumerate(expressions):
        # A force group for each would be too many: a parameter takes them one by one.
        force = openmm.CustomBondForce(f"on{number}*({expression.replace(';', ');', 1)}")
        for name, default in (("a", 1.7), ("b", 0.6), (f"on{number}", 0.0)):
            force.addGlobalParameter(name, default)
        force.addBond(0, 1, [])
        system.addForce(force)
    context = openmm.Context(system, openmm.VerletIntegrator(0.001), openmm.Platform.getPlatformByName("Reference"))
    context.setPositions([[0.0, 0.0, 0.0], [0.0, 0.0, 1.3]])

    for number, expression in enumerate(expressions):
        context.setParameter(f"on{number}", 1.0)
        stated = context.getState(getEnergy=True).getPotentialEnergy()._value
        context.setParameter(f"on{number}", 0.0)
        found = value(parsed(expression), {"r": 1.3, "a": 1.7, "b": 0.6}, NUMPY)
        np.testing.assert_allclose(found, stated, rtol=1e-6, atol=1e-6, err_msg=expression)


REFUSED = {
    "x+": "something is missing at its end",
    "x y": "'y' is not expected",
    "(x": "')' is missing at its end",
    "sin(x;y=1": "')' is missing at its end",
    "x*)": "')' is not expected",
    "x & a": "'&' is no part of OpenMM's language",
    "x; y": "has no definition in 'y'",
    "x; 2y=3": "has no definition in '2y=3'",
    "(" * 300 + "x": "nested more than 100 times",
    "": "something is missing at its end",
}


@pytest.mark.parametrize(("expression", "message"), REFUSED.items(), ids=list(REFUSED.values()))
def test_what_is_no_expression_is_refused_with_what_is_wrong(expression, message):
    with pytest.raises(InputError) as error:
        parsed(expression)

    assert message in str(error.value)


@pytest.mark.parametrize(
    ("expression", "message"),
    [
        ("spline(x)", "the function 'spline' is not known"),
        ("min(x)", "min takes 2 argument"),
        ("x*z", "the name 'z' is not known"),
        ("angle(p1,p2)", "angle must be of 3 of its 3 particles"),
        ("distance(p1,p4)", "distance must be of 2 of its 3 particles"),
        ("neg(x)", "the function 'neg' is not known"),
    ],
)
def test_functions_and_names_that_nobody_knows_are_named(expression, message):
    with pytest.raises(InputError, match=message):
        require_understood(parsed(expression), {"x"}, 3, {})


def test_a_constant_that_has_no_value_is_refused():
    with pytest.raises(InputError, match=r"/\(1.0, 0.0\) has no value"):
        value(parsed("x + 1/0"), {"x": 1.0}, NUMPY)
