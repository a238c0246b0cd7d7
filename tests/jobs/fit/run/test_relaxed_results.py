import shutil
from dataclasses import replace
from pathlib import Path

import equinox as eqx
import jax.numpy as jnp
import numpy as np
import pytest

from certain import instance, known
from forgefield.errors import InputError
from forgefield.fitting.cost.cost import Sights
from forgefield.fitting.data.observation import Observation
from forgefield.fitting.judge.metrics import Judgement, Metrics, judge
from forgefield.fitting.judge.relaxed_metrics import RelaxedJudge
from forgefield.fitting.targets.fixed import Diagonal, Energies, OffDiagonal
from forgefield.fitting.targets.relaxed import AtRelaxed, BondAngles, BondLengths, Torsions
from forgefield.fitting.targets.target import Seen, at_reference
from forgefield.jobs.fit.fit_job import run_fit
from forgefield.jobs.fit.plan.prepare import prepare
from forgefield.jobs.fit.plan.starting import with_values
from forgefield.jobs.fit.plan.target_choices import schema, targets
from forgefield.jobs.fit.run.relaxed_results import judge_fitted, judge_told, lost
from forgefield.properties.modes import frequencies
from forgefield.properties.relax import Failure, relax

EXAMPLES = Path(__file__).parents[4] / "examples"

GEOMETRY = {"bond_length": {"tolerance": 0.01}, "bond_angle": {"tolerance": 0.5}, "torsion": {"tolerance": 1.0}}
CURVED = RelaxedJudge(curvatures=True)


def asked(wanted):
    """The targets of these words of a file."""
    return targets(schema().model_validate({"molecules": [{"reference": "x"}], "targets": wanted}).targets)


def test_words_of_the_file_stand_for_targets_at_relaxed_structures():
    relaxed = asked({**GEOMETRY, "energy": {"tolerance": 0.5, "at": "relaxed"}})

    assert [type(t) for t in relaxed] == [AtRelaxed, BondLengths, BondAngles, Torsions]
    assert (
        [type(t) for t in asked({"energy": {"tolerance": 0.5}})]
        == [Energies]
        == [type(instance(AtRelaxed, relaxed[0]).target)]
    )


def test_curvatures_are_compared_at_the_reference_or_at_relaxed_structures():
    eigenmatrix = {"tolerance": 1.0, "off_diagonal": 2.0}
    there, here = asked({"eigenmatrix": {**eigenmatrix, "at": "relaxed"}}), asked({"eigenmatrix": eigenmatrix})

    assert [t.name for t in there] == ["eigenmatrix, relaxed", "eigenmatrix off-diagonal, relaxed"]
    assert [(t.tolerance, t.weight) for t in there] == [(1.0, 1.0), (2.0, 1.0)]
    assert [type(t) for t in here] == [Diagonal, OffDiagonal]


@pytest.mark.parametrize(
    ("wanted", "fitted", "told"),
    [
        ({"forces": {"tolerance": 1.0}}, judge, RelaxedJudge()),
        ({"hessian": {"tolerance": 1.0}}, judge, judge),
        ({"energy": {"tolerance": 1.0}}, judge, judge),
        ({"energy": {"tolerance": 1.0}, "forces": {"tolerance": 1.0}}, judge, RelaxedJudge(energies=False)),
        ({"energy": {"tolerance": 1.0, "at": "relaxed"}}, RelaxedJudge(), RelaxedJudge()),
        ({"frequencies": {"tolerance": 1.0, "at": "relaxed"}}, CURVED, CURVED),
        (GEOMETRY, RelaxedJudge(), RelaxedJudge()),
    ],
    ids=["forces", "hessian", "energy", "energy and forces", "energy relaxed", "frequencies relaxed", "geometry"],
)
def test_relaxed_structures_are_judged_wherever_forces_or_geometries_are_fitted(wanted, fitted, told):
    assert judge_fitted(asked(wanted)) == fitted
    assert judge_told(asked(wanted)) == told


@pytest.mark.slow
def test_results_tell_the_frequencies_of_the_relaxed_structures(tmp_path):
    shutil.copy(EXAMPLES / "ch3f/ch3f.json", tmp_path)
    (tmp_path / "FIT.toml").write_text(
        '[forcefield]\nform = "harmonic"\n[[molecules]]\nreference = "ch3f.json"\n[targets]\n'
        'frequencies = { tolerance = 20.0, at = "relaxed" }\npositions = { tolerance = 0.01 }\n'
    )
    prepared = prepare(tmp_path / "FIT.toml")

    outcome = run_fit(prepared, tmp_path / "out")

    results, example = outcome.record.results, prepared.examples[0]
    model, topology = with_values(prepared.assignment, outcome.values).model, prepared.data.topology
    relaxed = relax(model, topology, jnp.asarray(prepared.data.positions), order=np.zeros(1, dtype=int))
    hessian = np.asarray(model.hessian(topology, relaxed.positions))[0]
    own = frequencies(hessian, np.asarray(relaxed.positions), known(example.treated).masses)
    deviations = np.sort(own) - np.sort(known(example.treated).frequencies)
    assert results["fit"]["success"]
    assert any("structures that the force field relaxes to" in line for line in outcome.record.statements)
    found = results["metrics"]["final"]["frequency_rmsd_sorted_cm1"]
    np.testing.assert_allclose(found, np.sqrt(np.mean(deviations**2)), rtol=1e-6)


def test_a_target_at_relaxed_structures_needs_a_stationary_reference(tmp_path):
    (tmp_path / "h2.xyz").write_text(
        "2\nProperties=species:S:1:pos:R:3:forces:R:3 energy=-1.0\n"
        "H 0.0 0.0 0.0 2.0 0.0 0.0\nH 0.7 0.0 0.0 -2.0 0.0 0.0\n"
    )
    (tmp_path / "FIT.toml").write_text(
        '[forcefield]\nestimate = "none"\n[[molecules]]\nreference = "h2.xyz"\n[targets]\n'
        "forces = { tolerance = 1.0 }\nbond_length = { tolerance = 0.01 }\n"
    )

    with pytest.raises(InputError, match=r"no reference has data for the target\(s\) bond_length: .*stationary"):
        prepare(tmp_path / "FIT.toml")


def test_only_molecules_that_were_to_relax_are_lost(tmp_path):
    # Three molecules: one relaxed, one that did not, and one whose reference is no stationary point.
    shutil.copy(EXAMPLES / "ch3f/ch3f.json", tmp_path)
    reference = '[[molecules]]\nreference = "ch3f.json"\n'
    (tmp_path / "FIT.toml").write_text(f"{3 * reference}[targets]\nbond_length = {{ tolerance = 0.01 }}\n")
    prepared = prepare(tmp_path / "FIT.toml")
    prepared = replace(
        prepared, data=eqx.tree_at(lambda d: d.relaxation.wanted, prepared.data, np.array([True, True, False]))
    )
    shapes = (3,), (15, 3), (3, 15, 15), (3, 9, 9), (3, 9), (3, 9, 9), (0,)
    nothing = Metrics(**dict.fromkeys(Metrics.__dataclass_fields__))
    relaxed = Seen(
        positions=jnp.zeros((15, 3)),
        energy=jnp.zeros(3),
        there=jnp.array([True, False, False]),
        observation=None,
        vibrations=jnp.zeros((3, 15, 9)),
        failure=jnp.array([Failure.NONE, Failure.BOND_BROKEN, Failure.NOT_CONVERGED]),
    )
    seen = Observation(*map(jnp.zeros, shapes))

    said = lost(
        prepared, Judgement(nothing, (nothing,) * 3, (None,) * 3, Sights(at_reference(seen, prepared.data), relaxed))
    )

    assert said == [
        "ch3f-2 has no relaxed structure under the fitted force field: a bond broke: it became longer than the limit "
        "allows. It is left out of the figures of relaxed structures."
    ]
