"""A plan says all of a fit, whether a FIT.toml or a program made it; each of its files is read once."""

import builtins
import hashlib
import io
import json
import pickle
from collections import Counter
from contextlib import contextmanager
from pathlib import Path

import jax.numpy as jnp
import numpy as np
import pytest

from certain import instance
from forgefield.assign.rules import AbstractRowRules
from forgefield.errors import InputError
from forgefield.estimating.transition_state import D
from forgefield.fitting.solve.levenberg_marquardt import LevenbergMarquardt
from forgefield.fitting.solve.scipy_solver import TrustRegionReflective
from forgefield.fitting.targets.fixed import Forces, Frequencies, OffDiagonal
from forgefield.io.forcefields.mm3.fld import read_fld
from forgefield.io.rules import load
from forgefield.jobs.fit.fit_job import run_fit
from forgefield.jobs.fit.plan.fit_toml import read_plan
from forgefield.jobs.fit.plan.plan import Generated, Kept, MoleculeFiles, Plan, Widths
from forgefield.jobs.fit.plan.prepare import prepare, prepare_plan
from forgefield.properties.derivatives import energies
from forgefield.terms.bend import HARMONIC_BEND
from forgefield.terms.stretch import HARMONIC_STRETCH
from samples import BONDED, CH3F, fit_toml

FIT = fit_toml(CH3F, forcefield=BONDED, fit="max_steps = 3\nprior = { strength = 0.1 }")


def planned(folder: Path) -> Plan:
    """What FIT says, made without it."""
    return Plan(
        molecules=(MoleculeFiles(references=((folder / "ch3f.json",),)),),
        targets=(Frequencies(20.0, 1.0), OffDiagonal(10.0, 1.0)),
        start=Generated((HARMONIC_STRETCH, HARMONIC_BEND)),
        solver=LevenbergMarquardt(max_steps=3),
        prior=Widths(strength=0.1),
    )


@pytest.fixture
def reads(monkeypatch):
    """Counts how often each file is opened to be read."""
    counts: Counter[Path] = Counter()
    real = io.open

    def counting(file, mode="r", *others, **options):
        if "r" in mode and not isinstance(file, int):
            counts[Path(file).resolve()] += 1
        return real(file, mode, *others, **options)

    @contextmanager
    def counted():
        with monkeypatch.context() as patch:
            patch.setattr(io, "open", counting)
            patch.setattr(builtins, "open", counting)
            yield counts

    return counted


@pytest.mark.slow
def test_a_plan_without_a_file_is_the_same_fit(project):
    path = project(FIT)
    told = run_fit(prepare(path), path.parent / "told")

    made = run_fit(prepare_plan(planned(path.parent)), path.parent / "made")

    np.testing.assert_array_equal(made.values, told.values)
    assert not (path.parent / "made/FIT.toml").exists()
    assert (path.parent / "told/FIT.toml").read_text() == FIT
    assert {file.name for file in (path.parent / "made").glob("forcefield*")} == {"forcefield.json"}


def test_a_plan_without_a_file_is_known_again_by_what_it_says(project):
    folder = project(FIT).parent

    first, again = (prepare_plan(planned(folder)).input_sha256 for _ in range(2))

    assert first == again
    other = Plan(**{**vars(planned(folder)), "prior": Widths(strength=0.2)})
    assert prepare_plan(other).input_sha256 != first


def test_words_of_the_file_are_values_of_the_plan(project):
    words = FIT.replace("[fit]", 'forces = { tolerance = 1.0 }\n[fit]\nsolver = "trf"\nseed = 7\non_error = "skip"')
    words = words.replace('"ch3f.json"', '"ch3f.json"\ntransition_state = "D"\nweight = 2.0\npieces = 2')
    words = words.replace('form = "harmonic"', 'form = "harmonic"\nestimate = "none"\nwrite = ["frcmod"]')

    plan = read_plan(project(words), starts=5)

    (files,) = plan.molecules
    assert (files.policy, files.weights.molecule, files.pieces, files.group) == (D(), 2.0, 2, None)
    assert plan.start == Generated((HARMONIC_STRETCH, HARMONIC_BEND))
    assert [type(target) for target in plan.targets] == [Frequencies, OffDiagonal, Forces]
    assert plan.solver == TrustRegionReflective(max_steps=3)
    assert (plan.estimate, plan.skips, plan.starts, plan.seed) == (Kept(), True, 5, 7)
    assert ([one.word for one in plan.formats], plan.all_formats) == (["frcmod"], True)


@pytest.mark.parametrize("start", ["test.fld", "environments"])
def test_a_plan_travels_to_other_processes(aldehydes, start):
    plan = read_plan(retold(aldehydes(), start))

    again = pickle.loads(pickle.dumps(plan))

    assert (again.molecules, again.formats, again.identity) == (plan.molecules, plan.formats, plan.identity)


@pytest.mark.parametrize(
    ("write", "start", "message"),
    [
        (
            '["xyz"]',
            '"environments"',
            'write: xyz cannot hold form = "mm3"; it can be written as fld, openmm-xml, openmm-system',
        ),
        ('["openmm-xml"]', '"test.fld"', r"write: openmm-xml cannot hold the force field of an MM3\* file"),
    ],
)
def test_formats_that_cannot_be_written_are_refused(aldehydes, write, start, message):
    path = aldehydes()
    path.write_text(path.read_text().replace('start = "test.fld"', f"start = {start}\nwrite = {write}"))

    with pytest.raises(InputError, match=message):
        read_plan(path)


@pytest.mark.slow
def test_a_whole_fit_reads_each_input_once_and_digests_what_it_read(aldehydes, reads):
    path = aldehydes()
    (path.parent / "atom.typ").write_text(
        "# none of the user's own\n64 45 102.9055 RH 4 1 T F ! 1 T ! ! ! ! +1 NCA 1 !\n"
    )
    inputs = [file.resolve() for file in path.parent.iterdir() if file.is_file()]

    with reads() as counts:
        prepared = prepare(path)
        run_fit(prepared, path.parent / "counted")

    assert len(inputs) == 7
    assert {file: counts[file] for file in inputs} == dict.fromkeys(inputs, 1)
    known = {**prepared.plan.sources, **prepared.loaded.sources}
    assert {file.resolve(): digest for file, digest in known.items()} == {
        file: hashlib.sha256(file.read_bytes()).digest() for file in inputs
    }


def test_arrays_and_texts_of_numbers_are_read_once_too(data, tmp_path, reads):
    for name in ("ch3f-optimized.xyz", "ch3f-hessian.npy", "ch3f-frequencies.txt"):
        (tmp_path / name).write_bytes((data / "ch3f" / name).read_bytes())
    (tmp_path / "FIT.toml").write_text(
        FIT.replace('"ch3f.json"', '["*.xyz", "*.npy", "*.txt"]').replace("frequencies = {", "hessian = {")
    )

    with reads() as counts:
        prepare(tmp_path / "FIT.toml")

    assert [counts[file.resolve()] for file in tmp_path.iterdir()] == [1, 1, 1, 1]


@pytest.mark.slow
def test_a_fit_from_an_mm3_file_writes_a_native_file_that_lays_over_others_as_its_fld_does(aldehydes):
    path = aldehydes()
    prepared = prepare(path)

    outcome = run_fit(prepared, path.parent / "native")

    folder, molecule = path.parent / "native", prepared.molecules[1]
    shifted = jnp.asarray(molecule.positions + np.linspace(-0.1, 0.1, molecule.positions.size).reshape(-1, 3))
    native, fld = (load(folder / f"forcefield.{suffix}") for suffix in ("json", "fld"))
    of_native, of_fld, of_outcome = (
        energies(*rules.lay([molecule]), shifted) for rules in (native, fld, outcome.force_field)
    )
    np.testing.assert_array_equal(of_native, of_fld)
    np.testing.assert_array_equal(of_outcome, of_fld)
    assert json.loads((folder / "forcefield.json").read_text())["forgefield_force_field"] == 1
    assert read_fld(folder / "forcefield.fld").lines != read_fld(path.parent / "test.fld").lines
    again = prepare(retold(path, "native/forcefield.json"))
    np.testing.assert_array_equal(
        again.start, instance(AbstractRowRules, load(folder)).assign(again.molecules).model.values
    )


def retold(path: Path, start: str) -> Path:
    """The same FIT.toml with another start."""
    path.write_text(path.read_text().replace('"test.fld"', f'"{start}"'))
    return path
