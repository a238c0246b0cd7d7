"""A format is one row of a table: reading, writing, conversion, fits and messages follow from it."""

from pathlib import Path

import numpy as np
import pytest

from certain import instance, known
from forgefield.assign.rules import AbstractRowRules
from forgefield.errors import InputError
from forgefield.io import formats
from forgefield.io.forcefields.native import read_native, write_native
from forgefield.io.format import Format
from forgefield.io.formats import FORMATS, format_of
from forgefield.io.rules import load
from forgefield.io.structures.xyz import read_xyz, write_xyz
from forgefield.jobs.convert import convert, convert_force_field, read_with_results
from forgefield.jobs.estimate import estimate, write_estimated
from forgefield.jobs.fit.fit_job import run_fit
from forgefield.jobs.fit.plan.prepare import prepare
from samples import BONDED, fit_toml, molecule

CH3F = Path(__file__).parents[2] / "examples/ch3f/ch3f.json"
FIT = fit_toml(molecule("ch3f"), forcefield=BONDED + 'write = ["new"]', fit="max_steps = 1")


def write_new(path, assignment, molecules):
    del molecules
    write_native(path, assignment)
    return (path,)


NEW_FIELD = Format("new", (".new",), word="new", forms=("harmonic",), rules=read_native, write_laid=write_new)
NEW_STRUCTURE = Format(
    "positions",
    (".pos",),
    frames=read_xyz,
    write_structures=lambda path, structures: write_xyz(path, [reference for _, reference in structures]),
    lacks=("Hessian",),
)


def test_no_two_formats_write_files_of_one_name():
    """A fit writes all that it is asked for into one folder."""
    names = [end for one in FORMATS if one.word and (one.write_laid or one.write_rules) for end in ends_of(one)]

    assert sorted({*names}) == sorted(names)


def ends_of(form: Format) -> list[str]:
    return [form.suffixes[0], *(form.system.beside if form.system else ())]


@pytest.fixture
def one_row_more(monkeypatch):
    """Adds a row to the table."""
    return lambda row: monkeypatch.setattr(formats, "FORMATS", (*FORMATS, row))


def test_structures_of_a_format_with_a_row_are_read_and_written(one_row_more, tmp_path):
    with pytest.raises(InputError, match=r"structures are written as .*, not '\.pos'"):
        convert(CH3F, tmp_path / "out.pos")
    one_row_more(NEW_STRUCTURE)

    with pytest.raises(
        InputError, match=r"a \.pos file cannot hold Hessian; leave out what can be with --drop Hessian"
    ):
        convert(CH3F, tmp_path / "out.pos")
    convert(CH3F, tmp_path / "out.pos", drop=["Hessian"])

    ((_, before),), ((_, after),) = read_with_results(CH3F), read_with_results(tmp_path / "out.pos")
    np.testing.assert_allclose(known(after.gradient), known(before.gradient), atol=1e-6)
    with pytest.raises(
        InputError, match=r"structures are written as \.xyz, \.extxyz, \.json, \.sdf, \.mol, \.sd, \.pos, not '\.abc'"
    ):
        convert(CH3F, tmp_path / "out.abc")
    with pytest.raises(InputError, match=r"known are .*\.pos"):
        format_of(tmp_path / "out.abc")


def test_force_fields_of_a_format_with_a_row_are_read_and_written(one_row_more, tmp_path):
    one_row_more(NEW_FIELD)
    found = estimate([CH3F], form="harmonic")

    write_estimated(tmp_path / "made.new", found)
    convert_force_field(tmp_path / "made.new", tmp_path / "forcefield.json")
    (tmp_path / "forcefield.json").rename(tmp_path / "native.json")
    convert_force_field(tmp_path / "native.json", tmp_path / "forcefield.new", over=[CH3F])

    values = [
        instance(AbstractRowRules, load(path)).assign(found.molecules).model.values
        for path in (tmp_path / "made.new", tmp_path)
    ]
    np.testing.assert_array_equal(values[1], values[0])
    with pytest.raises(InputError, match=r"no force field is read from '\.abc' files; give a .*\.new"):
        load(tmp_path / "out.abc")


@pytest.mark.slow
def test_a_fit_writes_a_format_with_a_row(one_row_more, project):
    path = project(FIT)
    with pytest.raises(InputError, match='write: new cannot hold form = "harmonic"'):
        prepare(path)
    one_row_more(NEW_FIELD)

    run_fit(prepare(path), path.parent / "run")

    assert {file.name for file in (path.parent / "run").glob("forcefield*")} == {"forcefield.json", "forcefield.new"}
