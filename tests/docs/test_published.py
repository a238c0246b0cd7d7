"""The page of published force fields: the rule of its verdicts by hand, its tables, and what it reads."""

import json
import tomllib
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import published
import pytest
from published_complexes import bonds_of, complex_mae, mae_text
from published_fits import kept, with_charges_kept
from published_oracles import spectra
from published_page import interval, page
from published_systems import SYSTEMS, published_sulfamide
from published_verdict import BETTER, NOT, OPEN, WORSE, different_samples, verdict

from forgefield import units
from forgefield.fitting.judge.resampling import Improvement
from forgefield.io.structures.mae import read_mae
from forgefield.models.rows import Row
from forgefield.terms.mm3 import BOND_MOMENT
from forgefield.terms.stretch import MM3_STRETCH

ATOM_TYPES = "201 46 106.42 Pd 20 1.70 T F ! 2.2 T ! ! ! ! +1 NCA 2 !\n"
METRICS = (
    "frequency_rmsd_cm1",
    "frequency_rmsd_sorted_cm1",
    "sorted_and_cut_cm1",
    "eigenmatrix_r2",
    "bond_rmsd_a",
    "angle_rmsd_deg",
    "torsion_rmsd_deg",
    "energy_rmsd_kcal_mol",
    "relaxed_energy_rmsd_kcal_mol",
    "force_max_kcal_mol_a",
)


def decided(low, high, *, n=40, molecules=5, by_molecules=True, values=100, determined=10.0):
    middle = None if low is None else 0.5 * (low + high)
    found = Improvement(middle, low, high, n)
    return verdict(found, molecules=molecules, by_molecules=by_molecules, values=values, determined=determined)[0]


def state(first, **others):
    told = {name: first + k for k, name in enumerate(METRICS)}
    return told | {"constants": 12, "negative": 0, "unphysical": [], "not_relaxed": 0} | others


def figures(**others):
    told = {"value": 0.5, "low": 0.25, "high": 0.75, "n": 40}
    return {
        "molecules": 2,
        "atoms": [40],
        "level": "BP86",
        "trained": 162,
        "values": 900,
        "success": True,
        "over": "starts",
        "start": state(100.0, negative=3, unphysical=["a", "b"]),
        "final": state(50.0),
        "groups": 1,
        "iterations": 7,
        "fitted": told,
        "verdict": BETTER,
        "undecided": "",
        "fit_cpu_s": 12.0,
        "resampling_cpu_s": 3.0,
        "all_wall_s": 30.0,
        "load_average": 4.0,
        "processor": "Some Xeon",
        "vector_bits": 512,
    } | others


@pytest.mark.parametrize(
    ("low", "high", "word"), [(0.1, 0.3, BETTER), (-0.3, -0.1, WORSE), (-0.1, 0.3, NOT), (0.0, 0.3, NOT)]
)
def test_an_improvement_is_significant_where_its_interval_excludes_zero(low, high, word):
    assert decided(low, high) == word


def test_four_molecules_have_too_few_different_samples_and_five_enough():
    assert [different_samples(n) for n in (1, 2, 3, 4, 5)] == [1, 3, 10, 35, 126]
    assert [decided(0.1, 0.3, molecules=n) for n in (4, 5)] == [OPEN, BETTER]


def test_over_starts_twenty_must_have_converged_whatever_the_number_of_molecules():
    assert [decided(0.1, 0.3, n=n, molecules=1, by_molecules=False) for n in (19, 20)] == [OPEN, BETTER]


def test_as_many_parameters_as_values_decide_nothing():
    assert [decided(0.1, 0.3, values=9, determined=d) for d in (8.4, 8.6)] == [BETTER, OPEN]


def test_without_an_interval_nothing_is_decided():
    assert decided(None, None) == OPEN


def test_an_interval_is_told_in_per_cent():
    told = {"value": 0.5, "low": -0.25, "high": 0.75}

    assert interval(told) == "50.0 % (−25.0 to 75.0)"
    assert interval(told | {"low": None}) == "50.0 %"
    assert interval(None) == "—"


def test_the_page_tells_start_and_fit_of_each_system_that_was_measured():
    said = page({"heck-meets": figures()})

    assert "| heck-meets | 2 | 900 | 162 | 100.0 → 50.0 | 50.0 % (25.0 to 75.0) | — | 40 starts | " in said
    assert "| **significantly better**, for these molecules |" in said
    start = "| start | 100.0 | 101.0 | 102.0 | 103.0000 | 104.0000 | 105.00 | 106.00 | 107.000 | 108.000 (1) | 0 |"
    assert f"| heck-meets {start} 109 |" in said
    assert f"| heck-meets {start.replace('start', 'fit').replace(' 10', ' 5')} 59 |" in said
    assert "| heck-meets | 3 of 12 | 0 of 12 | 2 | 0 |" in said
    assert "| heck-meets | 12.0 | 7 | 3.0 | 30 | 4 | Some Xeon, 512 bits |" in said
    assert (
        "Trained: `substructure:*`. Targets and their tolerances: eigenmatrix 50, forces 20, bond_length 0.01," in said
    )
    assert "Not measured: ch3f, " in said


def test_every_table_says_that_the_references_of_palladium_allyl_are_semi_empirical():
    said = page({"pd-allyl": figures()})

    rows = [line for line in said.splitlines() if line.startswith("| pd-allyl")]
    assert len(rows) == 5
    assert all("GFN2-xTB" in row for row in rows)


def test_the_page_says_why_a_verdict_or_a_success_is_missing():
    lacking = figures(
        verdict=OPEN, undecided="7 starts converged", success=False, reason="it did not converge. Of the cost 90 %"
    )

    said = page({"heck-meets": lacking})

    assert "- heck-meets: not decidable, since 7 starts converged." in said
    assert "- heck-meets: the fit reports no success: it did not converge.\n" in said


def test_the_page_says_where_a_fit_pays_with_relaxed_structures():
    final = state(50.0, bond_rmsd_a=104.0 * 1.2, angle_rmsd_deg=105.0 * 1.05)

    said = page({"heck-meets": figures(final=final)})

    assert "- heck-meets: relaxed structures are worse than the start's, bonds 104.0000 → 124.8000 Å.\n" in said


def test_the_page_tells_the_oracles():
    pairs = dict.fromkeys(("fuerza, start", "fuerza, end", "gamma, start", "gamma, end"))
    keys = ("rms_cm1", "max_cm1", "highest_cm1", "qm_sorted_cm1", "qm_sorted_macromodel_cm1")
    common = {"cpu_s": 1.0, "processor": "Some Xeon", "vector_bits": 512, "all_wall_s": 2.0, "load_average": 1.0}
    pairs = {name: dict(zip(keys, (2.0, 6.0, 3300.0, 200.0, 201.0), strict=True)) for name in pairs}

    said = page({"cisplatin": common | {"pairs": pairs}})

    assert "| gamma, end | 2.0 | 6.0 | 3300.0 | 200.0 | 201.0 |" in said


def test_the_listing_of_q2mm_gives_both_spectra():
    # Eigenvalues 1 and 3 of the reference; 4 ± 3 of the force field.
    rows = [("1-1", 1.0, 4.0), ("2-1", 0.0, 3.0), ("2-2", 3.0, 4.0)]
    text = "\n".join(f"  eig_some_{place}     0.05   {r:.4f}   {c:.4f}   0.0000" for place, r, c in rows)

    reference, model = spectra(text)

    known = units.WAVENUMBER * np.sqrt(units.KILOJOULE)
    np.testing.assert_allclose(reference, known * np.sqrt([1.0, 3.0]))
    np.testing.assert_allclose(model, known * np.sqrt([1.0, 7.0]))


def test_the_comparison_of_q2mm_leaves_out_what_lies_below_fifty():
    # Of masses 1 and 4: eigenvalues are those of the Hessian over the masses.
    frequencies = np.array([-400.0, 10.0, 49.0, 51.0, 60.0, 3000.0])
    hessian = np.diag(np.sign(frequencies) * (frequencies / units.WAVENUMBER) ** 2 * np.repeat([1.0, 4.0], 3))

    np.testing.assert_allclose(kept(hessian, np.array([1.0, 4.0])), [51.0, 60.0, 3000.0])


@pytest.fixture
def pieces(tmp_path):
    """A metal with a phosphorus, a chain of three carbons, and the atom types."""
    ligand = [(201, 0.0, 0.0, 0.0, 46, 1), (53, 2.3, 0.0, 0.0, 15, 0)]
    allyl = [(3, -2.1, 1.2 * k, 0.0, 6, 0) for k in (-1, 0, 1)]
    paths = tmp_path / "l.mae", tmp_path / "a.mae", tmp_path / "atom.typ"
    texts = mae_text("l", ligand, [(0, 1, 0)]), mae_text("a", allyl, [(0, 1, 1), (1, 2, 1)]), ATOM_TYPES
    for path, text in zip(paths, texts, strict=True):
        path.write_text(text)
    return paths


def test_a_complex_has_the_bonds_of_both_pieces_and_three_to_the_metal(pieces, tmp_path):
    (tmp_path / "c.mae").write_text(complex_mae(*pieces))
    (found,) = read_mae(tmp_path / "c.mae")

    assert (found.name, found.types, found.charge) == ("l", ("Z0", "P3", "C3", "C3", "C3"), 1)
    assert sorted(bonds_of(found)) == [(0, 1, 1), (0, 2, 1), (0, 3, 1), (0, 4, 1), (2, 3, 1), (3, 4, 1)]
    np.testing.assert_array_equal(found.positions[3], [-2.1, 0.0, 0.0])


def test_a_complex_can_be_put_where_its_reference_is(pieces, tmp_path):
    where = np.array([[1.0, 1, 1], [1, 3.3, 1], [2.2, -1.1, 1], [1, -1.1, 1], [-0.2, -1.1, 1]])

    (tmp_path / "c.mae").write_text(complex_mae(*pieces, positions=where))

    (found,) = read_mae(tmp_path / "c.mae")
    np.testing.assert_array_equal(found.positions, where)


def test_published_rows_of_sulfamide_are_laid_over_its_structures(data, tmp_path, monkeypatch):
    monkeypatch.setattr("published_systems.DATA", data)
    monkeypatch.setattr("published_systems.PUBLISHED_SULFONE", data / "mm3-substructures" / "sulfone.fld")
    published_sulfamide(tmp_path)

    (found,) = read_mae(tmp_path / "c2.01.mae")
    text = (tmp_path / "mm3.fld").read_text()
    assert found.types == ("ST", "O2", "O2", "N3", "N3", "H3", "H3", "H3", "H3")
    assert (text.count(" C  Sulfone (FFB)"), text.count("Diaminosulfone")) == (1, 0)


def test_bond_moments_are_tied_to_the_lengths_that_are_trained():
    trained = Row(MM3_STRETCH, ("C3", "N3"), (0, 1), line=7)
    moments = [Row(BOND_MOMENT, row.types, (k,), line=row.line) for k, row in ((2, trained), (3, trained))]
    kept_length = Row(BOND_MOMENT, ("C3", "O2"), (4,), line=9)
    start = np.array([700.0, 1.5, 0.3, 0.0, 0.6])
    assignment = SimpleNamespace(rows=(trained, *moments, kept_length))
    prepared = SimpleNamespace(rows=(trained,), assignment=assignment, start=start)

    text = with_charges_kept('[forcefield]\ntrain = ["substructure:*"]\n[[molecules]]\n', cast(Any, prepared))

    told = tomllib.loads(text)["forcefield"]
    assert told["train"] == ["bond_moment * (line 7)", "substructure:*"]
    (tie,) = told["ties"]
    assert (tie["follower"], tie["leader"]) == ("bond_moment C3-N3 (line 7) moment", "stretch C3-N3 (line 7) r0")
    assert tie["factor"] == pytest.approx(0.2)


def test_a_system_that_is_done_is_not_measured_again_unless_asked(tmp_path, monkeypatch):
    runs = []

    def counted(_):
        runs.append(1)
        return {"runs": len(runs)}

    monkeypatch.setattr("published.DATA", tmp_path)
    monkeypatch.setattr("published.ORACLES", {"cisplatin": counted})
    for anew in (False, False, True):
        published.measured("cisplatin", tmp_path, anew=anew)

    found = published.kept("cisplatin", tmp_path)
    assert (found or {})["runs"] == len(runs) == 2
    assert (found or {})["processor"]


def test_figures_of_other_settings_count_for_nothing(tmp_path):
    path = tmp_path / "ch3f.json"
    path.write_text(json.dumps(figures(settings=published.FITS["ch3f"].settings)))
    same = published.kept("ch3f", tmp_path)
    path.write_text(json.dumps(figures(settings="[targets]")))

    assert same is not None
    assert published.kept("ch3f", tmp_path) is None


def test_a_system_is_resampled_by_molecules_or_by_starts():
    assert all((system.samples > 0) != (system.starts > 1) for system in SYSTEMS)
