"""What holds of every teacher: products are those of its Hessian, it survives pickling, and faults are found."""

import pickle
import sys
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path

import jax.random as jr
import numpy as np
import pytest

from forgefield.engines.qm.xtb import XTB
from forgefield.engines.teachers.ase_teacher import AseTeacher
from forgefield.engines.teachers.engine_teacher import EngineTeacher
from forgefield.engines.teachers.model_teacher import teacher_of_file
from forgefield.engines.teachers.soundness import soundness
from forgefield.engines.teachers.teacher import AbstractTeacher, key_of, random_directions
from forgefield.errors import ConvergenceError, InputError
from forgefield.io.forcefields.neural.painn_file import write_painn
from forgefield.models.neural.painn import Design, Size, painn
from forgefield.models.neural.radial import QuinticEnvelope, SineBasis
from samples import WATER

BENT = replace(WATER, positions=WATER.positions + np.array([[0.05, 0.0, 0.1], [0.0, 0.03, 0.0], [0.1, 0.0, 0.0]]))


def xtb(folder: Path) -> AbstractTeacher:
    return EngineTeacher(XTB("GFN2-xTB"))


def ase(folder: Path) -> AbstractTeacher:
    return AseTeacher("calculators:made")


def model(folder: Path) -> AbstractTeacher:
    path = folder / "tiny.safetensors"
    write_painn(path, painn(jr.key(0), Design((1, 8), SineBasis(6, 3.0), QuinticEnvelope(), 23.06), Size(8, 2, 6)))
    return teacher_of_file(path)


def ani(folder: Path) -> AbstractTeacher:
    from forgefield.engines.teachers.ani_teacher import AniTeacher  # noqa: PLC0415 (there in `make test-ani`)

    return AniTeacher(0)


TEACHERS = [xtb, ase, model, *([ani] if find_spec("torchani") else [])]


@pytest.fixture(autouse=True)
def _importable(monkeypatch):
    monkeypatch.syspath_prepend(str(Path(__file__).parent))
    yield
    sys.modules.pop("calculators", None)


@pytest.fixture(params=TEACHERS, ids=lambda made: made.__name__)
def teacher(request, tmp_path) -> AbstractTeacher:
    return request.param(tmp_path)


@pytest.mark.slow
def test_products_are_the_slopes_of_the_gradient(teacher):
    products = teacher.label(BENT, random_directions(b"any key", 2, 3)).products

    # Between the noise of GFN2-xTB and the jumps of the second derivatives of ANI-1x.
    h = 2e-4
    for direction, product in zip(products.directions, products.values, strict=True):
        there, back = (teacher.label(replace(BENT, positions=BENT.positions + s * h * direction)) for s in (1, -1))
        np.testing.assert_allclose(product, (there.gradient - back.gradient) / (2.0 * h), atol=0.5, rtol=5e-3)


def test_the_gradient_is_the_slope_of_the_energy(teacher):
    (direction,) = random_directions(b"another key", 1, 3)
    expected = np.sum(teacher.label(BENT).gradient * direction)

    h = 0.005
    there, back = (teacher.label(replace(BENT, positions=BENT.positions + s * h * direction)) for s in (1, -1))

    np.testing.assert_allclose((there.energy - back.energy) / (2.0 * h), expected, atol=0.02, rtol=2e-3)


def test_pickled_it_says_the_same(teacher):
    teacher.label(BENT)

    again = pickle.loads(pickle.dumps(teacher))

    assert again.identity == teacher.identity
    np.testing.assert_allclose(again.label(BENT).energy, teacher.label(BENT).energy, rtol=1e-12)


def test_a_sound_teacher_has_no_problems(teacher):
    found = soundness(teacher, BENT)

    assert found.problems == ()
    assert found.conservative


@pytest.mark.parametrize(
    ("fault", "said"),
    [("scaled", "not the slope of this energy"), ("curl", "have no energy"), ("order", "do not follow their atoms")],
)
def test_a_fault_is_found(fault, said):
    found = soundness(AseTeacher("calculators:made", {"fault": fault}), BENT)

    assert any(said in problem for problem in found.problems)


def test_forces_without_an_energy_are_used_where_that_is_allowed():
    found = soundness(AseTeacher("calculators:made", {"fault": "curl"}), BENT, allow_nonconservative=True)

    assert found.problems == ()
    assert not found.conservative
    assert not soundness(
        AseTeacher("calculators:made", {"fault": "scaled"}), BENT, allow_nonconservative=True
    ).conservative


@pytest.mark.parametrize(("fault", "problems"), [("", 1), ("charge", 0)])
def test_a_charge_that_is_passed_over_is_found(fault, problems):
    ion = replace(BENT, charge=2)

    found = soundness(AseTeacher("calculators:made", {"fault": fault}), ion)

    assert len(found.problems) == problems
    assert all("the charge +2 is passed over" in problem for problem in found.problems)


def test_numbers_that_are_none_are_no_label():
    with pytest.raises(ConvergenceError, match="no finite energy"):
        AseTeacher("calculators:made", {"fault": "nan"}).label(BENT)


@pytest.mark.parametrize(
    ("factory", "said"),
    [
        ("calculators", "write module:function"),
        ("no_such_module:made", "cannot be imported"),
        ("calculators:none", "has no function none"),
        ("calculators:np", "has no function np"),
        ("os:getcwd", "which is no calculator of ASE"),
    ],
)
def test_a_calculator_that_cannot_be_had_is_told(factory, said):
    with pytest.raises(InputError, match=said):
        AseTeacher(factory).check(WATER)


def test_a_key_is_of_the_teacher_and_the_structure():
    one, other = AseTeacher("calculators:made"), AseTeacher("calculators:made", {"fault": "curl"})

    kept = key_of(one.identity, WATER)

    assert kept == key_of(AseTeacher("calculators:made").identity, replace(WATER, name="another"))
    assert kept != key_of(other.identity, WATER)
    assert kept != key_of(one.identity, BENT)
    assert kept != key_of(one.identity, replace(WATER, charge=2))


def test_directions_are_orthonormal_and_follow_from_the_key():
    directions = random_directions(b"key", 4, 3)

    np.testing.assert_allclose(np.einsum("iac,jac->ij", directions, directions), np.eye(4), atol=1e-12)
    np.testing.assert_array_equal(directions, random_directions(b"key", 4, 3))
    assert random_directions(b"key", 12, 3).shape == (12, 3, 3)
