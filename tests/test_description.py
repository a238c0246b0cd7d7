"""Texts that tell values apart."""

import pickle
from functools import cache

import jax
import numpy as np
import pytest

from forgefield.description import Indescribable, described
from forgefield.fitting.data.observation import observe
from forgefield.fitting.data.training_set import Bucket
from forgefield.fitting.targets.fixed import Diagonal, Forces
from forgefield.fitting.targets.target import View, at_reference
from forgefield.molecules.topology import union
from forgefield.properties.relax import Failure
from forgefield.terms.bend import HARMONIC_BEND, MM3_BEND
from forgefield.terms.coordinates import joined
from forgefield.terms.cross import BEND_PAIR, STRETCH_BEND
from forgefield.units import DEGREE


def laid(*sizes):
    """How a topology of molecules of these sizes is made of its arrays."""
    return jax.tree.structure(union([np.ones(n, int) for n in sizes]))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (1, True),
        (1, 1.0),
        (0.0, -0.0),
        (1.0, np.float64(1.0)),
        (0.1, float(np.nextafter(0.1, 1.0))),
        ("1", 1),
        ("a", b"a"),
        (None, "None"),
        ((1, 2), [1, 2]),
        (("a", "b"), ("a 1:b",)),
        ((("a",), "b"), ("a", ("b",))),
        ({"a": 1}, {"a": 2}),
        (np.zeros(3), np.zeros((3, 1))),
        (np.zeros(2, np.int64), np.zeros(2)),
        (np.array([1.0, 2.0]), np.array([2.0, 1.0])),
        (View.REFERENCE, View.RELAXED),
        (Failure.NONE, 0),
        (Bucket(3, (0,)), Bucket(3, (1,))),
        (HARMONIC_BEND, MM3_BEND),
        (STRETCH_BEND.coordinates, BEND_PAIR),
        (observe, at_reference),
        (Diagonal, Forces),
        (Diagonal(1.0), Forces(1.0)),
        (Diagonal(1.0), Diagonal(2.0)),
        (laid(2, 3), laid(2, 4)),
        (jax.tree.structure((1, None)), jax.tree.structure((None, 1))),
    ],
)
def test_values_that_differ_have_different_texts(one, other):
    assert described(one) != described(other)


@pytest.mark.parametrize(
    "make",
    [
        lambda: (1, "two", 3.0, None, {"four": np.arange(5)}),
        lambda: Bucket(3, (0, 1)),
        lambda: laid(2, 3),
        lambda: Diagonal(DEGREE),
        lambda: HARMONIC_BEND,
        lambda: STRETCH_BEND,
        lambda: pickle.loads(pickle.dumps(STRETCH_BEND)),
    ],
)
def test_values_made_twice_have_one_text(make):
    assert described(make()) == described(make())


@pytest.mark.parametrize(
    "value",
    [
        object(),
        lambda: None,
        laid,
        (1, object()),
        cache(joined),
        np.array([None]),
    ],
)
def test_what_is_not_known_for_certain_has_no_text(value):
    with pytest.raises(Indescribable):
        described(value)
