"""Metrics by hand, and by one definition for the fit and the report."""

from dataclasses import replace

import equinox as eqx
import numpy as np
import pytest

from certain import known
from forgefield.fitting.judge.metrics import Metrics, ModeComparison, judge, pooled
from samples import CH3F, HARMONIC, fit_toml, molecule


@pytest.fixture(scope="module")
def prepared(prepared_from):
    forcefield = f'{HARMONIC}terms = ["stretch", "bend", "stretch_stretch"]'
    return prepared_from(fit_toml(CH3F, molecule("saddle", "C"), forcefield=forcefield))


@pytest.fixture(scope="module")
def judged(prepared):
    return judge(prepared.assignment.model, prepared.data, prepared.examples)


def test_pooled_rmsd_leaves_out_the_reaction_mode(judged):
    deviations = [(mode.model - mode.reference)[mode.counted] for mode in judged.modes]

    pooled = np.sqrt(np.mean(np.concatenate(deviations) ** 2))
    np.testing.assert_allclose(judged.total.frequency_rmsd_cm1, pooled)
    assert [len(d) for d in deviations] == [9, 11]


def test_geometries_of_molecules_are_pooled_alike_and_those_that_lack_one_are_left_out(judged):
    each = [replace(judged.each[0], bond_rmsd_a=b, angle_rmsd_deg=None) for b in (0.03, None, 0.04)]

    found = pooled([None] * 3, each)

    np.testing.assert_allclose(known(found.bond_rmsd_a), np.sqrt((0.03**2 + 0.04**2) / 2.0))
    assert found.angle_rmsd_deg is None


def test_reaction_mode_is_shown_apart(judged):
    first, second = judged.each

    assert first.reaction_mode_cm1 is None
    assert second.reaction_mode_cm1 == judged.modes[1].reaction_mode == judged.total.reaction_mode_cm1


def test_matched_rmsd_is_never_below_the_sorted_one(judged):
    for metrics in (judged.total, *judged.each):
        assert metrics.frequency_rmsd_cm1 >= metrics.frequency_rmsd_sorted_cm1


def test_eigenmatrix_figures_are_the_documented_ones(judged):
    modes = judged.modes
    counted = [mode.counted for mode in modes]
    reference = np.concatenate([mode.eigenvalue[c] for mode, c in zip(modes, counted, strict=True)])
    found = np.concatenate([mode.eigenmatrix[c] for mode, c in zip(modes, counted, strict=True)])
    omega = np.concatenate(
        [np.maximum(np.abs(mode.reference[c]), 100.0) for mode, c in zip(modes, counted, strict=True)]
    )

    r2 = 1 - np.sum((found - reference) ** 2) / np.sum((reference - reference.mean()) ** 2)
    rmsd = np.sqrt(np.mean(((found - reference) * 108.5913**2 / (2 * omega)) ** 2))
    np.testing.assert_allclose(judged.total.eigenmatrix_r2, r2)
    np.testing.assert_allclose(judged.total.eigenmatrix_rmsd_cm1, rmsd, rtol=1e-5)


def test_largest_force_is_that_of_an_atom_not_of_a_component(prepared, judged):
    gradient = np.asarray(judged.observation.gradient).copy()
    gradient[[2, 7]] += [[0.3, 0.4, 0.0], [0.0, -0.45, 0.0]]
    data = eqx.tree_at(lambda d: d.gradient, prepared.data, gradient)

    again = judge(prepared.assignment.model, data, prepared.examples)

    np.testing.assert_allclose(
        [known(metrics.force_max_kcal_mol_a) for metrics in (again.total, *again.each)], [0.5, 0.5, 0.45]
    )


def test_energies_of_different_molecules_are_not_compared(judged):
    assert judged.total.energy_rmsd_kcal_mol is None


def test_no_figure_without_data(prepared):
    blind = [type(e)(e.molecule, e.reference, None, e.group) for e in prepared.examples]
    data = eqx.tree_at(lambda d: d.has_gradient, prepared.data, np.array([False, False]))

    found = judge(prepared.assignment.model, data, blind).total

    assert set(vars(found).values()) == {None}


def test_a_mode_is_the_same_where_more_than_half_of_it_is_in_its_partner():
    overlap = np.array([0.97, 0.51, 0.5, 0.49, 0.02])
    modes = np.linspace(500.0, 900.0, 5)
    nothing = Metrics(**dict.fromkeys(Metrics.__dataclass_fields__))
    compared = ModeComparison(modes, modes, overlap, modes, modes, modes, np.ones(5, dtype=bool))

    assert pooled([compared], [nothing]).mode_overlap_share == 2 / 5
