"""Molecules that cannot be evaluated where the fit starts."""

from dataclasses import replace

import equinox as eqx
import jax.numpy as jnp
import numpy as np
import pytest

from forgefield.errors import InputError
from forgefield.fitting.data.observation import Observation
from forgefield.jobs.fit.fit_job import run_fit
from forgefield.jobs.fit.plan import soundness
from forgefield.jobs.fit.plan.prepare import prepare
from forgefield.jobs.fit.plan.soundness import evaluable
from forgefield.jobs.fit.plan.starting import with_values
from samples import BONDED, CH3F, STAGGERED, fit_toml


def text(on_error):
    return fit_toml(CH3F, STAGGERED, forcefield=BONDED, fit=f'max_steps = 1\non_error = "{on_error}"')


@pytest.fixture(scope="module")
def broken(project):
    """A fit of which one parameter of fluoromethane is no number, whatever makes it so."""

    def of(on_error):
        prepared = prepare(project(text(on_error)))
        (row,) = (row for row in prepared.assignment.rows if row.name == "stretch C1-F1")
        values = prepared.start.copy()
        values[row.indices[0]] = np.nan
        return replace(prepared, assignment=with_values(prepared.assignment, values))

    return of


def test_molecule_without_a_finite_energy_stops_the_fit_by_name(broken):
    with pytest.raises(InputError) as error:
        evaluable(broken("stop"))

    message = str(error.value)
    assert message.startswith("1 molecule(s) cannot be evaluated with the starting values:\n  ch3f (")
    assert "ch3f.json): its energy and gradient and Hessian are not finite numbers" in message
    assert "staggered" not in message
    assert 'on_error = "skip"' in message


@pytest.mark.slow
def test_skipped_molecule_is_listed_and_the_others_are_fitted(broken, tmp_path):
    outcome = run_fit(broken("skip"), tmp_path / "out")

    told = outcome.record.results
    assert [one["name"] for one in told["skipped"]] == ["ch3f"]
    assert [one["name"] for one in told["molecules"]] == ["staggered"]
    assert any(w.startswith("ch3f is left out (") for w in told["warnings"])
    assert "ch3f is left out (" in (tmp_path / "out/report.html").read_text()
    assert np.isfinite(outcome.values).all()


def test_sound_fit_is_taken_as_it_is(project):
    prepared = prepare(project(text("stop")))

    assert evaluable(prepared) is prepared


@pytest.mark.parametrize(
    ("part", "said"),
    [
        ("energy", "its energy is not a finite number"),
        ("gradient", "its gradient is not a finite number"),
        ("hessian", "its Hessian is not a finite number"),
    ],
)
def test_what_is_not_finite_is_named_by_itself(project, monkeypatch, part, said):
    prepared = prepare(project(text("stop")))
    shapes = (2,), (13, 3), (2, 24, 24), (2, 18, 18), (2, 18), (2, 18, 18), (0,)
    seen = Observation(*map(jnp.zeros, shapes))
    place = {"energy": (1,), "gradient": (9, 1), "hessian": (1, 2, 3)}[part]
    seen = eqx.tree_at(lambda s: getattr(s, part), seen, getattr(seen, part).at[place].set(jnp.nan))
    monkeypatch.setattr(soundness, "observed", lambda *_: seen)

    with pytest.raises(InputError, match=rf"staggered \(.*staggered\.json\): {said}") as error:
        evaluable(prepared)

    assert "ch3f (" not in str(error.value)
