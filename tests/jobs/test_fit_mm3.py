"""`forgefield fit` from an MM3* file: a substructure's stretches trained on one rhodium complex, the rest kept."""

import json
import pickle
import shutil

import numpy as np
import pytest

from certain import instance, known
from forgefield.assign.mm3.file import Mm3Row, RowKind
from forgefield.io.forcefields.mm3.fld import read_fld
from forgefield.io.listings.listing import KINDS
from forgefield.io.listings.mm3_listing import mm3_listings
from forgefield.io.structures.mae import read_mae
from forgefield.jobs.evaluate import evaluate
from forgefield.jobs.fit.fit_job import run_fit
from forgefield.jobs.fit.plan.prepare import prepare
from forgefield.jobs.fit.plan.starting import with_values

# Most of the time goes into compiling whole force fields.
pytestmark = pytest.mark.slow

FIT = """
[forcefield]
start = "mm3.fld"
estimate = "none"
{train}
[[molecules]]
structures = "1.mae"
reference = ["1.in", "1.out"]
transition_state = "C"
[targets]
eigenmatrix = {{ tolerance = 50.0 }}
[fit]
max_steps = 6
"""
STRETCHES = 'train = ["stretch:substructure:Rh*"]'


@pytest.fixture(scope="module")
def write(data, tmp_path_factory):
    """Writes a FIT.toml beside the first complex, its reference and the force field."""
    source, folder = data / "rh-enamide", tmp_path_factory.mktemp("mm3")
    copies = {"mae/1_*.mae": "1.mae", "jaguar/1Z*.in": "1.in", "jaguar/1Z*.out": "1.out"}
    for pattern, name in {**copies, "forcefield/mm3.fld": "mm3.fld", "forcefield/atom.typ": "atom.typ"}.items():
        shutil.copy(next(source.glob(pattern)), folder / name)

    def written(train):
        (folder / "FIT.toml").write_text(FIT.format(train=train))
        return folder / "FIT.toml"

    return written


@pytest.fixture(scope="module")
def fitted(write):
    """The input, the outcome, and the folder of a short fit."""
    path = write(STRETCHES)
    prepared = prepare(path)
    return prepared, run_fit(prepared, path.parent / "run"), path.parent


@pytest.fixture(scope="module")
def lines(fitted):
    """The lines of the force field, and those of the fitted one."""
    return [(fitted[2] / name).read_bytes().split(b"\n") for name in ("mm3.fld", "run/forcefield.fld")]


@pytest.fixture(scope="module")
def trained(fitted):
    """The lines of the stretches of the rhodium substructures."""
    return {row.first_line for row in rows_of_rhodium(fitted[0].mm3.file) if row.kind == RowKind.STRETCH}


def rows_of_rhodium(file):
    return [row for s in file.substructures if s.title.startswith("Rh") for row in s.rows]


def test_only_the_numbers_of_trained_rows_change(lines, trained):
    old, new = lines

    changed = {n for n, (a, b) in enumerate(zip(old, new, strict=True), 1) if a != b}

    assert changed
    assert changed <= trained
    assert all(old[n - 1][:22] + old[n - 1][44:] == new[n - 1][:22] + new[n - 1][44:] for n in changed)


def test_fitted_values_stand_in_their_columns(fitted):
    prepared, outcome, folder = fitted
    written = read_fld(folder / "run/forcefield.fld")

    for row in prepared.rows:
        r0, k = map(known, instance(Mm3Row, written.row_on(row.line)).columns[:2])
        # Files hold four decimals of mdyn/Å, which are 143.94 kcal/mol/Å² each.
        scale = 143.94
        np.testing.assert_allclose([k / scale, r0], outcome.values[list(row.indices)] / [scale, 1.0], atol=5.1e-5)


def test_fitted_file_gives_the_energies_of_the_fitted_model(fitted):
    prepared, outcome, folder = fitted
    molecules = read_mae(folder / "1.mae")
    written, values = read_fld(folder / "run/forcefield.fld"), outcome.values.copy()
    for row in prepared.rows:
        # As they stand in the file, with four decimals.
        r0, k = map(known, instance(Mm3Row, written.row_on(row.line)).columns[:2])
        values[list(row.indices)] = k, r0
    model = with_values(prepared.assignment, values).model

    (expected,) = mm3_listings(molecules, prepared.mm3, model)
    (found,) = evaluate(folder / "run/forcefield.fld", [folder / "1.mae"]).listings

    for kind in KINDS:
        assert found.totals_kj_mol[kind] == pytest.approx(expected.totals_kj_mol[kind], abs=1e-6), kind


def test_few_steps_lower_the_cost_and_are_said_to_be_too_few(fitted):
    results = json.loads((fitted[2] / "run/results.json").read_text())

    start, final = (results["metrics"][when]["eigenmatrix_rmsd_cm1"] for when in ("start", "final"))
    assert final < start
    assert not results["fit"]["success"]
    assert "6 iterations were not enough" in results["fit"]["message"]
    assert {p["name"].split()[0] for p in results["parameters"] if p["trained"]} == {"stretch"}


def test_check_shows_coverage_and_what_is_trained(forgefield, write):
    result = forgefield("fit", write(STRETCHES), "--check")

    assert result.exit_code == 0
    coverage = {line.split()[0]: line.split()[1:] for line in result.stdout.splitlines() if line.strip()}
    # Of the complex's 38 bonds, 8 have rows in the substructure.
    assert coverage["stretch"][-3:] == ["8", "30", "0"]
    assert "16 free variables stand for 16 trained parameters" in result.stdout


@pytest.mark.parametrize(
    ("train", "message"),
    [
        ("", '[forcefield] train names no rows: say which rows of the file change, such as ["substructure:*"]'),
        ('train = ["substructure:Ir*"]', "'substructure:Ir*' choose(s) no row; use substructure:TITLE ("),
        ('train = ["line:1"]', "'line:1' choose(s) no row"),
    ],
)
def test_rows_to_train_must_be_named(forgefield, write, train, message):
    result = forgefield("fit", write(train))

    assert result.exit_code == 2
    assert message in result.stderr


def test_all_missing_rows_are_listed_together(forgefield, write):
    path = write(STRETCHES.replace("stretch:substructure:Rh*", "C3-H1"))
    folder = path.parent
    file = read_fld(folder / "mm3.fld")
    dropped = {n for row in rows_of_rhodium(file) for n in range(row.first_line, row.line + 1)}
    without = [line for n, line in enumerate(file.lines, 1) if n not in dropped]
    (folder / "without.fld").write_text("\n".join(without), encoding="latin-1")
    path.write_text(path.read_text().replace("mm3.fld", "without.fld"))
    (molecule,) = read_mae(folder / "1.mae")

    result = forgefield("fit", path)

    bonds = {tuple(sorted(known(molecule.types)[a] for a in pair)) for pair in molecule.bonds.tolist()}
    to_metal = {"-".join(types) for types in bonds if "RH" in types}
    assert result.exit_code == 2
    assert "without.fld has no row for" in result.stderr
    assert len(to_metal) > 3
    assert all(f"stretch {name}:" in result.stderr for name in to_metal)
    assert "bend " in result.stderr


def test_what_is_fitted_is_the_same_in_another_process(fitted):
    prepared = fitted[0]

    again = pickle.loads(pickle.dumps(prepared))

    assert again.assignment.model.terms == prepared.assignment.model.terms
    np.testing.assert_array_equal(again.start, prepared.start)
