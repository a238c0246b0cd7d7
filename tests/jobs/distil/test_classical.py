"""Classical students, and networks that learn what a classical force field leaves of a teacher."""

import json
from dataclasses import replace

import equinox as eqx
import jax.numpy as jnp
import jax.random as jr
import numpy as np
import pytest
from typer.testing import CliRunner

from certain import instance
from forgefield.assign.generated import generate
from forgefield.assign.typed_rules import TypedRules, generated_rules
from forgefield.cli.program import app
from forgefield.errors import InputError
from forgefield.fitting.frames.frames import Frames
from forgefield.io.datasets.data_set import append, begin_data_set
from forgefield.io.datasets.records import Record, record_key
from forgefield.io.forcefields.native import write_rules
from forgefield.io.forcefields.neural.painn_file import write_painn
from forgefield.io.rules import load
from forgefield.jobs.distil.classical.baseline import without
from forgefield.jobs.distil.classical.fitted import answers_of
from forgefield.jobs.distil.classical.plan import ClassicalPlan, generated, started
from forgefield.jobs.distil.classical.rest import collapsed
from forgefield.jobs.distil.classical.student import judged, learned, write_student
from forgefield.jobs.distil.distil_file import distil_plan, read_distil_file
from forgefield.jobs.fit.plan.plan import Generated
from forgefield.jobs.fit.plan.starting import with_values
from forgefield.models.neural.painn import Design, Size, painn
from forgefield.models.neural.radial import QuinticEnvelope, SineBasis
from forgefield.models.summed import Summed
from forgefield.molecules.molecule import HessianProducts, Molecule, Reference
from forgefield.molecules.topology import union

WATER = Molecule(
    "water",
    np.array([8, 1, 1]),
    np.array([[0.0, 0.0, 0.0], [0.96, 0.0, 0.0], [-0.24, 0.93, 0.0]]),
    np.array([[0, 1], [0, 2]]),
    np.ones(2),
)
TRUTH = np.array([1000.0, 0.97, 110.0, 1.83])
HARMONIC = generated("harmonic", ())
SETTINGS = """
[data]
file = "water.h5"
draw = {{ validation = 0.2, test = 0.2 }}
[validation]
run = false
[student]
{student}
"""
SMALL = 'features = 8\nblocks = 1\nradial = 4\ncutoff = 3.0\nbaseline = "truth.json"\n[training]\nsteps = 4'


@pytest.fixture(scope="module")
def truth():
    """Water with known constants."""
    return with_values(generate([WATER], HARMONIC.terms), TRUTH)


@pytest.fixture(scope="module")
def records(truth):
    """Shaken water, none of it at rest, labelled by known constants, but for one whose bond is torn."""
    generator = np.random.default_rng(2)
    x = WATER.positions + 0.03 * generator.normal(size=(25, 3, 3))
    x[7, 1] *= 1.6
    v = generator.normal(size=(25, 1, 3, 3))
    said = answers_of(truth, 0, Frames(x, np.zeros(25), 0.0 * x, v, v))
    return [
        _record(at, energy - 5000.0, gradient, HessianProducts(along, products))
        for at, along, energy, gradient, products in zip(x, v, *said, strict=True)
    ]


def _record(x, energy, gradient, products):
    molecule = replace(WATER, positions=x)
    label = Reference(WATER.species, x, energy=float(energy), gradient=gradient, products=products)
    return Record(molecule, label, "springs", "made", record_key("springs", molecule))


@pytest.fixture
def folder(tmp_path, records, truth):
    begin_data_set(tmp_path / "water.h5")
    append(tmp_path / "water.h5", records)
    write_rules(tmp_path / "truth.json", generated_rules(truth))
    return tmp_path


def settings(folder, student):
    (folder / "DISTIL.toml").write_text(SETTINGS.format(student=student))
    return folder / "DISTIL.toml"


def test_a_student_of_a_force_field_of_its_form_is_that_force_field(records, tmp_path):
    student = learned(records, ClassicalPlan("harmonic", HARMONIC))

    np.testing.assert_allclose(student.assignment.model.values, TRUTH, rtol=1e-4)
    found = judged(student, records).deviations
    assert found is not None
    assert found.errors.stress_mae is None
    known = [error for error in found.errors if error is not None]
    np.testing.assert_allclose(known, 0.0, atol=0.01)
    assert student.success
    assert "1 structure(s) with a bond" in student.warnings[0]
    files, unwritten = write_student(tmp_path, student)
    assert unwritten == []
    assert {".json", ".frcmod", ".xml"} <= {path.suffix for path in files}


def test_a_start_keeps_its_rows(records, tmp_path, truth):
    write_rules(tmp_path / "start.json", generated_rules(with_values(truth, 1.2 * TRUTH)))

    student = learned(records, ClassicalPlan("harmonic", started(tmp_path / "start.json")))

    np.testing.assert_allclose(student.assignment.model.values, TRUTH, rtol=1e-4)


def test_the_command_fits_and_judges(folder):
    found = CliRunner().invoke(app, ["distil", str(settings(folder, 'kind = "harmonic"\nterms = []')), "--json"])

    assert found.exit_code == 0, found.output
    told = json.loads(found.stdout)
    assert told["students"][0]["test"]["force_mae"] < 0.1
    assert isinstance(load(folder / "DISTIL"), TypedRules)


def test_what_a_force_field_leaves_of_its_own_labels_is_nothing(records, truth):
    left = without(generated_rules(truth), records)

    for label in (one.label for one in left):
        assert label.energy is not None
        assert label.gradient is not None
        assert label.products is not None
        np.testing.assert_allclose(label.energy, -5000.0, rtol=1e-12)
        np.testing.assert_allclose(label.gradient, 0.0, atol=1e-9)
        np.testing.assert_allclose(label.products.values, 0.0, atol=1e-9)


def test_a_network_and_its_baseline_are_one_file(truth, tmp_path):
    design = Design((1, 8), SineBasis(4, 3.0), QuinticEnvelope(), 23.06)
    network = painn(jr.key(0), design, Size(8, 1, 4))
    write_painn(tmp_path / "sum.safetensors", network, baseline=generated_rules(truth))

    model, topology = load(tmp_path / "sum.safetensors").lay([WATER])

    energy = eqx.filter_jit(lambda model, topology: model.energy(topology, jnp.asarray(WATER.positions)))
    parts = energy(truth.model, truth.topology) + energy(network, union([WATER.species]))
    np.testing.assert_allclose(energy(model, topology), parts, rtol=1e-6)


@pytest.mark.slow
def test_a_network_learns_what_a_baseline_leaves(folder):
    found = CliRunner().invoke(app, ["distil", str(settings(folder, SMALL)), "--json"])
    assert found.exit_code == 0, found.output
    file = folder / "DISTIL/student.safetensors"

    model, topology = load(file).lay([WATER])

    x = jnp.asarray(WATER.positions)
    energy = model.energy(topology, x)
    assert isinstance(model, Summed)
    np.testing.assert_allclose(energy, model.baseline.energy(topology, x) - 5000.0, atol=50.0)
    (folder / "water.xyz").write_text("3\n\nO 0 0 0\nH 0.96 0 0\nH -0.24 0.93 0\n")
    evaluated = CliRunner().invoke(app, ["evaluate", str(file), str(folder / "water.xyz"), "--json"])
    assert evaluated.exit_code == 0, evaluated.output
    assert f"{float(energy[0]) * 4.184:.2f}"[:6] in evaluated.stdout


@pytest.mark.parametrize(
    ("student", "words"),
    [
        ('kind = "mm3"\nsize = "tiny"', "such a classical force field has no size"),
        ('nonbonded = "uff"', "nonbonded are of classical force fields"),
        ('kind = "mm3"\n[training]\nsteps = 5', "fitted by least squares"),
        ('kind = "mm3"\nterms = ["bent"]', "bent is none of"),
    ],
)
def test_what_makes_no_sense_is_said(folder, student, words):
    path = settings(folder, student)

    with pytest.raises(InputError, match=words):
        distil_plan(path, read_distil_file(path))


@pytest.mark.parametrize(("theta0", "names"), [(100.0, []), (50.0, ["peroxide"])])
def test_a_minimum_in_which_atoms_clash_is_named(theta0, names):
    x = np.array([[-0.17, 0.96, 0.0], [0.0, 0.0, 0.0], [1.45, 0.0, 0.0], [1.62, 0.96, 0.0]])
    peroxide = Molecule("peroxide", np.array([1, 8, 8, 1]), x, np.array([[0, 1], [1, 2], [2, 3]]), np.ones(3))
    laid = generate([peroxide], HARMONIC.terms)
    (angle,) = (row.indices for row in laid.rows if row.term.kind == "bend")
    values = np.array(laid.model.values)
    values[angle[1]] = np.radians(theta0)

    assert collapsed(with_values(laid, values), [peroxide]) == names


def test_atoms_far_apart_by_bonds_do_not_go_through_each_other_by_default(folder):
    path = settings(folder, 'kind = "harmonic"')

    plan = distil_plan(path, read_distil_file(path))

    assert instance(Generated, instance(ClassicalPlan, plan.classical).start).van_der_waals is not None
