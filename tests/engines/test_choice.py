import json
import logging
from dataclasses import replace
from functools import cache

import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
import pytest

from forgefield.engines.native import choice, library
from forgefield.engines.native.choice import fastest, fastest_to_train, way_of
from forgefield.engines.native.library import PAINN, KernelError
from forgefield.engines.native.painn import NativePainn
from forgefield.errors import InputError
from forgefield.models.neural.painn import Design, Size, painn
from forgefield.models.neural.radial import QuinticEnvelope, SineBasis

WARNED = "computed by XLA instead, which is slower"


@pytest.fixture(autouse=True)
def root(tmp_path, monkeypatch):
    """A cache of its own, nothing chosen, nothing said before."""
    monkeypatch.setenv("FORGEFIELD_CACHE", str(tmp_path))
    monkeypatch.delenv("FORGEFIELD_KERNEL", raising=False)
    choice._tell_once.cache_clear()
    return tmp_path


@pytest.fixture(scope="module")
def model():
    return painn(jr.key(0), Design((1, 8), SineBasis(5, 4.0), QuinticEnvelope(), 1.0), Size(32, 1, 5))


@pytest.fixture
def kernel(monkeypatch, tmp_path):
    """A kernel that is never computed with: no compiler is needed."""
    monkeypatch.setattr(choice, "native", lambda model: NativePainn(model, jnp.zeros(1)))
    monkeypatch.setattr(choice, "fused", lambda model: replace(model, fused=True))
    monkeypatch.setattr(choice, "loaded", lambda library: tmp_path / f"{library.name}.so")
    monkeypatch.setattr(choice, "vector_bits_of", lambda _: 256)


@pytest.fixture
def measured(kernel, monkeypatch):
    """Lets a measurement come out as told, and counts them."""
    counts = []

    def outcome(way, **facts):
        told = {"features": 32, "atoms": 21, "vector_bits": 256, "native_ms": 1.0, "xla_ms": 2.0}
        monkeypatch.setattr(
            choice, "_measured", lambda *_: counts.append(1) or {"way": way, "agree": True, **told, **facts}
        )
        return counts

    return outcome


@pytest.mark.parametrize("way", ["native", "xla"])
def test_the_faster_way_is_measured_once_and_kept(way, measured, model):
    counts = measured(way)

    assert [way_of(fastest(model)) for _ in range(3)] == [way] * 3
    assert counts == [1]


@pytest.mark.parametrize("way", ["native", "xla"])
def test_training_is_measured_by_itself(way, measured, model):
    counts = measured(way)

    assert [way_of(fastest_to_train(model)) for _ in range(2)] == [way] * 2
    assert fastest_to_train(model).fused is (way == "native")
    assert counts == [1]
    fastest(model)
    assert counts == [1, 1]


@pytest.mark.parametrize(("begun", "faster"), [("native", "xla"), ("xla", "native")])
def test_a_training_goes_on_the_way_it_began(begun, faster, measured, model, caplog):
    counts = measured(faster)

    assert way_of(fastest_to_train(model, begun=begun)) == begun
    assert counts == []
    assert not caplog.records


def test_what_was_measured_is_said_with_verbose_once(measured, model, caplog):
    measured("native")

    with caplog.at_level(logging.INFO, "forgefield"):
        fastest(model)
        fastest(model)

    assert [r.getMessage() for r in caplog.records] == [
        "a network of 32 features, for 21 atoms: 1.00 ms by the C++ kernel with vectors of 256 bits, 2.00 ms by XLA; "
        "FORGEFIELD_KERNEL chooses otherwise"
    ]


@pytest.mark.parametrize("content", ["", "{}", "[1]", '{"way": "other"}'])
def test_an_outcome_that_cannot_be_read_is_measured_anew(content, measured, model, root):
    counts = measured("xla")
    fastest(model)
    (kept,) = root.glob("native/choice-*.json")
    kept.write_text(content)

    assert way_of(fastest(model)) == "xla"
    assert counts == [1, 1]
    assert json.loads(kept.read_text())["way"] == "xla"


def test_nothing_is_measured_where_the_outcome_cannot_be_kept(measured, model, monkeypatch):
    counts = measured("xla")
    monkeypatch.setattr("os.access", lambda *_: False)

    assert way_of(fastest(model)) == "native"
    assert counts == []


def test_a_kernel_that_computes_something_else_is_not_used_and_named(measured, model, caplog):
    measured("xla", agree=False)

    assert fastest(model) is model
    assert "computes something else than XLA" in caplog.text


@pytest.mark.parametrize("way", ["native", "xla"])
def test_the_variable_chooses_without_a_measurement(way, measured, model, monkeypatch):
    counts = measured("other")
    monkeypatch.setenv("FORGEFIELD_KERNEL", way)

    assert way_of(fastest(model)) == way
    assert counts == []


def test_an_unknown_way_is_refused(model, monkeypatch):
    monkeypatch.setenv("FORGEFIELD_KERNEL", "fast")

    with pytest.raises(InputError, match="FORGEFIELD_KERNEL must be native or xla, not 'fast'"):
        fastest(model)


@pytest.mark.parametrize(("begun", "faster"), [("native", "xla"), ("xla", "native")])
def test_a_run_goes_on_the_way_it_began(begun, faster, measured, model, caplog):
    measured(faster)

    assert way_of(fastest(model, begun=begun)) == begun
    assert not caplog.records


def test_a_run_that_cannot_go_on_the_way_it_began_says_so_once(model, monkeypatch, caplog):
    def native(_):
        raise KernelError("no compiler")

    monkeypatch.setattr(choice, "native", native)

    assert [fastest(model, begun="native") is model for _ in range(2)] == [True, True]
    texts = [record.getMessage() for record in caplog.records]
    assert len(texts) == 2
    assert WARNED in texts[0]
    assert "began by the C++ kernel and goes on by XLA" in texts[1]


def test_without_compiler_the_slower_way_is_said_once(model, monkeypatch, caplog):
    monkeypatch.delenv("CXX", raising=False)
    monkeypatch.setenv("PATH", "")
    monkeypatch.setattr(library, "_loaded", cache(library._loaded.__wrapped__))

    assert [fastest(model) is model and fastest_to_train(model) is model for _ in range(3)] == [True] * 3

    assert [record.levelname for record in caplog.records] == ["WARNING"]
    assert "no C++ compiler" in caplog.text
    assert WARNED in caplog.text


def test_a_model_that_the_kernel_does_not_take_is_no_matter_of_the_machine(caplog):
    odd = painn(jr.key(0), Design((1, 8), SineBasis(5, 4.0), QuinticEnvelope(), 1.0), Size(40, 1, 5))

    assert fastest(odd) is odd
    assert not caplog.records


@pytest.mark.slow
def test_a_measurement_takes_both_ways_and_compares_them(kernel, model):
    # Without a kernel both ways are XLA, one of them with another energy.
    wrong = jax.tree.map(lambda a: 1.5 * jnp.asarray(a), model)

    same = choice._measured(model, model, PAINN)
    other = choice._measured(wrong, model, PAINN)

    assert (same["agree"], other["agree"], other["way"]) == (True, False, "xla")
    assert 0.0 < same["native_ms"] < np.inf
