from itertools import product

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from forgefield.models.neural.messages import received

SIZES = {"receivers": 4, "senders": 3, "channels": 5, "features": 16}


def by_hand(channels, filters, sent, directions=None):
    """The sum as it is written, atom by atom."""
    told = []
    for i in range(channels.shape[0]):
        parts = []
        for j in range(channels.shape[1]):
            message = (channels[i, j] @ filters)[None] * sent[j]
            parts.append(message if directions is None else directions[i, j][:, None] * message)
        told.append(sum(parts))
    return jnp.stack(told)


@pytest.fixture(params=[("plain", 1), ("plain", 3), ("along", 1)], ids=["scalars", "vectors", "along"])
def factors(request, generator):
    kind, columns = request.param
    n, m, k, f = SIZES.values()
    shapes = [(n, m, k), (k, f), (m, columns, f)] + ([(n, m, 3)] if kind == "along" else [])
    return tuple(jnp.asarray(generator.normal(size=shape)) for shape in shapes)


def moved(factors, generator):
    return tuple(jnp.asarray(generator.normal(size=one.shape)) for one in factors)


def squared(function):
    return lambda *factors: jnp.sum(jnp.sin(function(*factors)))


def test_messages_are_the_sum_as_it_is_written(factors):
    np.testing.assert_allclose(received(*factors), by_hand(*factors), rtol=1e-12)


def test_derivatives_of_every_order_are_those_of_the_sum(factors, generator):
    """A slope by all factors of a product of second derivatives, as training on Hessian products takes."""
    first, second = moved(factors, generator), moved(factors, generator)
    every = tuple(range(len(factors)))

    def slope(function):
        def curved(*at):
            _, product = jax.jvp(jax.grad(squared(function), every), at, first)
            return sum(jnp.sum(a * jnp.cos(b)) for a, b in zip(product, second, strict=True))

        return jax.jit(jax.grad(curved, every))(*factors)

    for found, expected in zip(slope(received), slope(by_hand), strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-9)


def test_a_batch_is_one_after_the_other(factors, generator):
    """All ways to give each factor once for all or to each; slopes too, also of what all have in common."""
    others = moved(factors, generator)
    for each in list(product((None, 0), repeat=len(factors)))[1:]:
        given = [
            one if axis is None else jnp.stack([one, other], axis=0)
            for one, other, axis in zip(factors, others, each, strict=True)
        ]
        single = [[one if axis is None else one[k] for one, axis in zip(given, each, strict=True)] for k in range(2)]

        def together(function, each=each):
            return jax.vmap(function, each)

        every = tuple(range(len(factors)))
        value = jax.jit(together(received))(*given)
        slopes = jax.jit(jax.grad(squared(together(received)), every))(*given)
        inside = jax.jit(together(jax.grad(squared(received), every)))(*given)

        np.testing.assert_allclose(value, jnp.stack([by_hand(*one) for one in single]), rtol=1e-12)
        of_each = [jax.grad(squared(by_hand), every)(*one) for one in single]
        for k, axis in enumerate(each):
            stacked = jnp.stack([one[k] for one in of_each])
            np.testing.assert_allclose(inside[k], stacked, rtol=1e-9, atol=1e-12)
            expected = stacked if axis == 0 else stacked.sum(axis=0)
            np.testing.assert_allclose(slopes[k], expected, rtol=1e-9, atol=1e-12)


def test_batches_of_batches(factors, generator):
    many = [jnp.asarray(generator.normal(size=(2, 3, *one.shape))) for one in factors]
    every = tuple(range(len(factors)))

    found = jax.jit(jax.vmap(jax.vmap(jax.grad(squared(received), every))))(*many)

    for k, own in enumerate(found):
        expected = jax.grad(squared(by_hand), every)(*(one[1, 2] for one in many))[k]
        np.testing.assert_allclose(own[1, 2], expected, rtol=1e-9, atol=1e-12)


def test_what_is_not_asked_for_has_no_slope(factors):
    slope = jax.grad(lambda sent: jnp.sum(received(factors[0], factors[1], sent, *factors[3:]) * 0.0))(factors[2])

    np.testing.assert_array_equal(slope, 0.0)
