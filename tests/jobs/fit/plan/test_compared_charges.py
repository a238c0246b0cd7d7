"""`forgefield fit` to atomic charges: bond moments of a small MM3* file trained on formaldehyde and acetaldehyde."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from forgefield import units
from forgefield.errors import InputError
from forgefield.fitting.cost.cost import linearise
from forgefield.fitting.judge.uncertainty import independent_values
from forgefield.fitting.targets.charges import Charges
from forgefield.jobs.fit.fit_job import run_fit
from forgefield.jobs.fit.plan.prepare import prepare

# Most of the time goes into compiling whole models.
pytestmark = pytest.mark.slow

MOMENTS = '"bond_moment*"'
# The moments, in debye, of which the reference charges are made.
CO, CH = -1.9, 0.3


@pytest.fixture(scope="module")
def fitted(aldehydes):
    path = aldehydes()
    prepared = prepare(path)
    return prepared, run_fit(prepared, path.parent / "run")


@pytest.fixture(scope="module")
def mixed(aldehydes):
    """Charges and forces, with lengths trained too, on which charges depend as well."""
    targets = "charges = { tolerance = 0.05 }\nforces = { tolerance = 5.0 }"
    prepared = prepare(aldehydes(targets, f'{MOMENTS}, "C2-O2", "C2-H1"', strength=0.01))
    return prepared, prepared.problem(prepared.changes(), prepared.start)


def test_moments_that_made_the_charges_are_found_again(fitted):
    prepared, outcome = fitted

    found = {row.name.split()[1]: outcome.values[row.indices[0]] / units.DEBYE for row in prepared.rows}
    assert outcome.record.results["fit"]["success"]
    assert found == pytest.approx({"C2-O2": CO, "C2-H1": CH, "C2-C3": 0.2, "C3-H1": 0.0}, abs=1e-8)


def test_report_shows_charges(fitted):
    prepared, outcome = fitted
    results = outcome.record.results

    start, final = (results["metrics"][when]["charge_rmsd_e"] for when in ("start", "final"))
    assert start > 0.03
    assert final < 1e-8
    page = (prepared.files[0].parent / "run/report.html").read_text()
    assert "Atomic charges, RMSD" in page
    assert "<h3>Charges</h3>" in page


def test_a_molecule_has_one_value_less_than_atoms_since_its_charge_is_given(fitted):
    prepared, _ = fitted

    assert independent_values((Charges(0.05),), prepared.data) == 3 + 6


def test_slopes_of_charges_are_those_of_the_charges_differentiated(mixed):
    prepared, problem = mixed
    at = jnp.linspace(-0.5, 0.4, problem.n_free)
    target, topology = problem.targets[1], prepared.data.topology
    inside = target.counted(prepared.data) > 0.0

    def residuals(at):
        model = problem.model_at(problem.prior.centre + problem.prior.width * at)
        return (model.charges(topology) - prepared.data.charges) / (0.05 * topology.n_atoms**0.5)

    linear, values, forward = jax.jit(lambda at: (linearise(problem, at), residuals(at), jax.jacfwd(residuals)(at)))(at)

    assert isinstance(target, Charges)
    moved = {name.split()[0] for name, rows in zip(prepared.changes().names, forward.T, strict=True) if rows.any()}
    assert moved == {"bond_moment", "stretch"}
    np.testing.assert_allclose(linear.residuals[1][inside.reshape(-1)], values, atol=1e-12)
    np.testing.assert_allclose(linear.jacobians[1][inside.reshape(-1)], forward, atol=1e-12)


def test_charges_of_the_whole_molecule_stay(mixed):
    _, problem = mixed
    model = problem.model_at(problem.prior.centre + problem.prior.width)
    topology = jax.tree.map(lambda leaf: leaf[0], problem.chunks.data.topology)

    charges = np.asarray(model.charges(topology))

    totals = np.bincount(np.asarray(topology.molecule), weights=charges)
    np.testing.assert_allclose(totals, 0.0, atol=1e-12)


@pytest.mark.parametrize(
    ("targets", "train", "message"),
    [
        ('charges = { tolerance = 0.05, kind = "cm5" }', MOMENTS, "no reference has 'cm5' charges; there are: esp"),
        ("charges = { tolerance = 0.05 }", '"00-00-00"', "nothing that is trained changes a charge"),
    ],
)
def test_charges_that_cannot_be_fitted_are_refused(forgefield, aldehydes, targets, train, message):
    result = forgefield("fit", aldehydes(targets, train), "--check")

    assert result.exit_code == 2
    assert message in result.stderr


def test_a_force_field_without_charges_is_refused(forgefield, aldehydes):
    path = aldehydes()
    path.write_text(path.read_text().replace('start = "test.fld"', "").replace(f"train = [{MOMENTS}]", ""))

    result = forgefield("fit", path, "--check")

    assert result.exit_code == 2
    assert "this force field gives atoms no charges" in " ".join(result.stderr.split())


def test_references_without_charges_are_refused(forgefield, project):
    path = project('[[molecules]]\nreference = "ch3f.json"\n[targets]\ncharges = { tolerance = 0.05 }\n')

    result = forgefield("fit", path, "--check")

    assert result.exit_code == 2
    assert "none of the files holds atomic charges" in result.stderr


def test_a_checkpoint_of_another_start_file_is_refused(aldehydes):
    path = aldehydes()
    run_fit(prepare(path), path.parent / "started")
    start = path.parent / "test.fld"
    before = start.read_text()

    start.write_text(before.replace("4.7000", "4.8000"))
    changed = prepare(path)
    start.write_text(before)

    with pytest.raises(InputError, match=r"belongs to other input .*; --overwrite begins anew"):
        run_fit(changed, path.parent / "started", resume=True)


def test_a_fitted_file_does_not_replace_the_one_it_starts_from(aldehydes):
    path = aldehydes()
    folder = path.parent / "of_the_file"
    folder.mkdir()
    (folder / "forcefield.fld").hardlink_to(path.parent / "test.fld")

    with pytest.raises(InputError, match=r"forcefield\.fld \(read as .*test\.fld\)"):
        run_fit(prepare(path), folder, overwrite=True)
