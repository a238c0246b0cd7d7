"""A round of active learning: where students disagree the teacher is asked, and not where a structure is broken."""

from dataclasses import replace
from pathlib import Path

import jax.random as jr
import numpy as np
import pytest

from forgefield.engines.teachers.ase_teacher import AseTeacher
from forgefield.engines.teachers.model_teacher import ModelTeacher, teacher_of_file
from forgefield.io.datasets.data_set import read_failures, read_records
from forgefield.io.forcefields.neural.painn_file import write_painn
from forgefield.jobs.label.explored import explored
from forgefield.jobs.label.label_file import label_plan, read_label_file
from forgefield.jobs.label.label_job import LabelPlan, run_label
from forgefield.jobs.label.structures import Dynamics, sources_of
from forgefield.models.neural.painn import Design, Size, painn
from forgefield.models.neural.radial import QuinticEnvelope, SineBasis
from samples import WATER

BONDED = replace(WATER, bonds=np.array([[0, 1], [0, 2]]), orders=np.ones(2))


@pytest.fixture(autouse=True)
def _importable(monkeypatch):
    monkeypatch.syspath_prepend(str(Path(__file__).parents[2] / "engines" / "teachers"))


@pytest.fixture
def students(tmp_path) -> list[ModelTeacher]:
    """Two that nobody has trained."""
    design = Design((1, 8), SineBasis(6, 3.0), QuinticEnvelope(), 23.06)
    paths = [tmp_path / f"student-{k}.safetensors" for k in range(2)]
    for k, path in enumerate(paths):
        write_painn(path, painn(jr.key(k), design, Size(8, 2, 6)))
    return [teacher_of_file(path) for path in paths]


@pytest.mark.slow
def test_what_students_come_to_is_labelled(students, tmp_path):
    sampler = explored(students, 3, Dynamics(12, 300.0, 2, 0.5))
    plan = LabelPlan(
        AseTeacher("calculators:made"), tuple(sources_of([(BONDED, "")], [sampler], 1)), tmp_path / "set.h5"
    )

    found = run_label(plan)

    assert (found.n_new, found.failures) == (3, ())
    assert {record.origin for record in read_records(plan.data)} == {"explored by students at 300 K, seed 1"}


@pytest.mark.slow
def test_what_comes_to_grief_is_kept_with_its_reason(students, tmp_path):
    # Steps so long that atoms fly away.
    sampler = explored(students, 2, Dynamics(12, 3000.0, 1, 15.0))
    plan = LabelPlan(
        AseTeacher("calculators:made"), tuple(sources_of([(BONDED, "")], [sampler], 1)), tmp_path / "set.h5"
    )

    found = run_label(plan)

    assert len(found.failures) == 1
    assert "came" in read_failures(plan.data)[0].reason
    assert found.n_new > 0


def test_settings_name_the_students(students, tmp_path):
    (tmp_path / "water.xyz").write_text("3\n\nO 0.0 0.0 0.12\nH 0.0 0.76 -0.47\nH 0.0 -0.76 -0.47\n")
    path = tmp_path / "LABEL.toml"
    path.write_text("""
        [teacher]
        calculator = "calculators:made"
        [[structures]]
        files = "water.xyz"
        as_given = false
        explored = { students = ["student-0.safetensors", "student-1.safetensors"], number = 7, every = 3 }
    """)

    (source,) = label_plan(path, read_label_file(path), AseTeacher("calculators:made"), 1).sources

    assert source.sampler == explored(students, 7, Dynamics(500, 500.0, 3, 0.5))
