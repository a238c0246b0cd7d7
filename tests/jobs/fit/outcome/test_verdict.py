"""Whether a fit is a success, in words, from figures made by hand."""

from dataclasses import fields, replace

import numpy as np
import pytest

from forgefield.fitting.data.training_set import Example, training_set
from forgefield.fitting.judge.metrics import Metrics
from forgefield.fitting.judge.turns import Turn
from forgefield.jobs.fit.outcome.strain import balanced, overstrained
from forgefield.jobs.fit.outcome.verdict import (
    far_off,
    imaginary,
    reason,
    soft_turns,
    undetermined,
    worse_than_at_the_start,
)
from forgefield.molecules.molecule import Reference
from forgefield.molecules.topology import union
from forgefield.report.results import Frequency, MoleculeResult, ParameterResult, Strain, TargetResult
from samples import WATER


def target(name, rms, cost_final, tolerance=20.0, unit="cm⁻¹"):
    start, final = rms
    return TargetResult(name, unit, tolerance, 1.0, 9, 9, start, final, 1.0, cost_final)


FORCES = target("forces", (0.0, 0.05), 9.0, tolerance=0.1, unit="kcal/mol/Å")


def test_converged_and_nowhere_worse_is_a_success():
    # Worse by less than its tolerance is as good.
    better = target("frequencies", (145.0, 164.9), 1.0)

    assert reason(converged=True, targets=[better, FORCES], wrong=[]) == ""


def test_a_target_worse_by_more_than_its_tolerance_is_none_and_who_it_pays_for_is_said():
    worse = target("frequencies", (145.0, 341.0), 1.0)

    said = reason(converged=True, targets=[worse, FORCES], wrong=[])

    assert "frequencies ended at 341 cm⁻¹ (145 before), worse than the start's" in said
    assert "90.0 % is that of forces" in said
    assert "give it a larger tolerance than 0.1 kcal/mol/Å" in said


def test_a_target_that_is_worse_and_dominates_is_not_blamed_on_others():
    worse = target("frequencies", (145.0, 341.0), 99.0)

    said = reason(converged=True, targets=[worse, FORCES], wrong=[])

    assert "91.7 % is that of frequencies: add terms that can meet it" in said


def test_advice_leaves_out_terms_that_are_there_and_those_that_are_too_strong():
    worse = target("frequencies", (145.0, 341.0), 99.0)

    said = reason(converged=True, targets=[worse], wrong=[], kinds={"torsion", "stretch_bend"}, too_strong=True)

    assert "Leave out the couplings that are stronger" in said
    assert "add terms that can meet it (stretch_stretch, bend_bend, bend_torsion_bend), split rows" in said


@pytest.mark.parametrize(
    ("converged", "wrong", "said"), [(False, [], "it did not converge"), (True, ["k is 9"], "k is 9")]
)
def test_what_has_not_converged_or_is_unphysical_is_none(converged, wrong, said):
    assert said in reason(converged=converged, targets=[FORCES], wrong=wrong)


@pytest.mark.parametrize(
    ("rms", "n_said"), [((145.0, 341.0), 1), ((50.0, 59.0), 0), ((500.0, 341.0), 0), ((60.0, 61.0), 1)]
)
def test_a_target_above_three_tolerances_and_its_start_is_told(rms, n_said):
    assert len(worse_than_at_the_start([target("frequencies", rms, 1.0)])) == n_said


def test_parameters_that_are_not_determined_are_counted():
    rows = [
        ParameterResult(
            name, "harmonic_bend", "rad", 1.0, 1.0, 0.1, None, at_bound=False, trained=True, determined=known
        )
        for name, known in (("a", True), ("b", False), ("c", None))
    ]

    (said,) = undetermined(rows)

    assert said.startswith("1 of 2 parameters are not determined")
    assert ": b. " in said
    assert undetermined(rows[:1]) == []


def molecule(angle=1.0, modes=(), relaxed=False, turned=(), pieces=None, **changed):
    metrics = Metrics(**(dict.fromkeys((field.name for field in fields(Metrics)), 0.0) | changed))
    metrics = replace(metrics, angle_rmsd_deg=angle)
    frequencies = [Frequency(qm, mm, 1.0, mm) for qm, mm in modes]
    strain = Strain(0.0, relaxed, None, 0.0)
    return MoleculeResult("water", 3, metrics, 1.0, metrics, strain, 0, frequencies, list(turned), pieces)


@pytest.mark.parametrize(
    ("one", "said"),
    [
        (molecule(angle=1.51), "water (angles 1.51°)"),
        (
            molecule(frequency_rmsd_cm1=76.0, bond_rmsd_a=0.02),
            "water (frequencies 76.0 cm⁻¹, bonds 0.0200 Å)",
        ),
        (
            molecule(modes=[(-500.0, -400.0), (90.0, -60.0)]),
            "imaginary frequencies that the reference has not, down to -60 cm⁻¹",
        ),
    ],
)
def test_a_molecule_that_is_reproduced_worse_than_usual_is_named(one, said):
    (told,) = far_off([molecule(), one])

    assert told.startswith("1 molecule(s) are reproduced worse than usual, by RMSD: water (")
    assert said in told
    # An imaginary reaction mode, and what the reference has as well, is as it should be.
    assert far_off([molecule(modes=[(-500.0, -400.0), (-90.0, -60.0)])]) == []


@pytest.mark.parametrize(
    ("modes", "said"),
    [
        (
            [(-500.0, -400.0), (90.0, -60.0)],
            ["water has 1 imaginary frequencies, down to -60 cm⁻¹, where the reference has 0"],
        ),
        # As many as the reference has, beside the reaction mode, which is the first; noise is none.
        ([(-500.0, -400.0), (-90.0, -60.0)], []),
        ([(-500.0, -400.0), (90.0, -29.0)], []),
    ],
)
def test_more_imaginary_frequencies_than_the_reference_are_no_success(modes, said):
    told = imaginary([molecule(modes=modes)])

    assert told == said
    assert bool(reason(converged=True, targets=[FORCES], wrong=told)) == bool(said)


METHYL, PHENYL = Turn("C1-B2", 30.0, 1.0, 0.04), Turn("C3-C4", 51.0, 1.0, 2.5)


@pytest.mark.parametrize(
    ("changed", "is_success"),
    [
        ({"relaxed": True}, True),
        ({"relaxed": False}, False),
        ({"relaxed": True, "bond_rmsd_a": 0.013}, False),
        ({"relaxed": True, "frequency_rmsd_cm1": 204.0}, False),
        ({"relaxed": True, "angle": 1.6}, False),
        ({"relaxed": True, "turned": [METHYL], "torsion_rmsd_deg": 25.0}, True),
        ({"relaxed": True, "turned": [METHYL, PHENYL]}, False),
        ({"relaxed": True, "pieces": 0.2}, True),
        ({"relaxed": True, "pieces": 0.4}, False),
    ],
)
def test_imaginary_frequencies_are_no_failure_where_the_molecule_stays(changed, is_success):
    one = molecule(modes=[(-500.0, -400.0), (90.0, -60.0)], **changed)

    assert (imaginary([one]) == []) == is_success
    (said,) = far_off([one])
    assert ("though not at the force field's own" in said) == is_success


@pytest.mark.parametrize(
    ("turned", "free", "blamed"),
    [
        ([METHYL], "water about C1-B2 (by up to 30°, at 0.04 kcal/mol or less)", False),
        ([METHYL, PHENYL], "water about C1-B2 (", True),
        ([replace(METHYL, energy=None)], "", True),
        # Torsions that deviate both ways are no turn.
        ([replace(METHYL, rest=9.0)], "", True),
        ([], "", True),
    ],
)
def test_torsions_that_turn_at_next_to_no_energy_are_told_of_and_not_blamed(turned, free, blamed):
    one = molecule(turned=turned, torsion_rmsd_deg=25.0)

    told = soft_turns([one])

    assert free in told[0] if free else told == []
    assert any("torsions 25.00°" in said for said in far_off([one])) == blamed


def test_a_molecule_that_is_left_out_does_not_decide():
    left_out = replace(molecule(modes=[(-500.0, -400.0), (90.0, -60.0)]), weight=0.0)

    assert imaginary([left_out]) == []


@pytest.mark.parametrize(("energy", "weight", "said"), [(19.0, 1.0, []), (62.8, 0.0, []), (62.8, 1.0, ["63 kcal/mol"])])
def test_rows_that_fight_each_other_too_hard_are_no_success(energy, weight, said):
    one = molecule()
    one = replace(one, weight=weight, strain=replace(one.strain, energy=energy, row="bend F-P-F", most=9.0))

    found = overstrained([one])

    assert len(found) == len(said)
    assert all(words in sentence and "bend F-P-F" in sentence for words, sentence in zip(said, found, strict=True))


@pytest.mark.parametrize(("pull", "relaxed", "counts"), [(0.5, False, True), (30.0, False, False), (30.0, True, True)])
def test_bonds_of_a_structure_that_moves_hold_energy_and_are_no_strain(pull, relaxed, counts):
    pulled = Reference(WATER.species, WATER.positions, gradient=np.array([[0.0, 0.0, pull], [0.0] * 3, [0.0] * 3]))
    data = training_set(union([WATER.species]), [Example(WATER, pulled, None)])
    one = molecule()

    found = balanced([replace(one, strain=replace(one.strain, energy=40.0, relaxed=relaxed))], data)

    assert len(found) == counts
