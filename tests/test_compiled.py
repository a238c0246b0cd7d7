"""Compiling functions at their first call, or before it in the background."""

import jax.numpy as jnp
import pytest

from forgefield.compiled import Compiled, compiled, forget, make_room


@pytest.fixture
def traced():
    """The shapes for which a function was followed, and the function."""
    shapes = []

    def doubled(values, factor=2.0):
        shapes.append(values.shape)
        return factor * values

    return shapes, compiled(doubled)


def test_a_call_finds_what_was_begun_before(traced):
    shapes, doubled = traced

    doubled.soon(jnp.zeros(3))
    result = doubled(jnp.arange(3.0))

    assert result.tolist() == [0.0, 2.0, 4.0]
    assert shapes == [(3,)]


def test_other_shapes_are_compiled_when_they_come(traced):
    shapes, doubled = traced

    doubled.soon(jnp.zeros(3))

    assert doubled(jnp.ones(2)).tolist() == [2.0, 2.0]
    assert shapes == [(3,), (2,)]


def test_what_cannot_be_compiled_says_so_where_it_is_begun(traced):
    _, doubled = traced

    with pytest.raises(TypeError):
        doubled.soon(jnp.zeros(3), "two")


def test_many_programs_are_forgotten_and_few_are_kept(traced):
    shapes, doubled = traced
    forget()

    def call(*sizes):
        for size in sizes:
            doubled(jnp.zeros(size))
        make_room()

    call(*range(1, 25))
    call(1)
    assert len(shapes) == 24
    call(25)
    call(1)
    assert len(shapes) == 26


def test_an_option_that_xla_does_not_have_is_left_out():
    def doubled(values):
        return 2.0 * values

    # Such as one of processors where there is a GPU, or one that a later XLA has given up.
    assert Compiled(doubled, {"no_such_option": True})(jnp.ones(3)).tolist() == [2.0, 2.0, 2.0]
