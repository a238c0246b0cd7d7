"""`forgefield estimate`: force constants of the examples, in files and with their spread."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from certain import instance, known
from forgefield.assign.rules import AbstractRowRules
from forgefield.errors import InputWarning
from forgefield.estimating.seminario import Fuerza, estimate
from forgefield.io.forcefields.mm3.fld import read_fld
from forgefield.io.qm.qcschema import write_qcschema
from forgefield.io.references import read_files
from forgefield.io.rules import load
from forgefield.jobs.estimate import METHODS
from forgefield.jobs.estimate import estimate as estimate_job
from forgefield.jobs.fit.plan.load import examples_of

EXAMPLES = Path(__file__).parents[2] / "examples"
CH3F = EXAMPLES / "ch3f/ch3f.json"
SADDLE = EXAMPLES / "sn2/saddle.json"


def parameters(result):
    return {p["name"]: p for p in json.loads(result.stdout)["parameters"]}


def test_a_row_has_the_mean_and_spread_of_its_interactions(forgefield, tmp_path):
    (example,) = examples_of(read_files([CH3F]), None)
    hydrogens = np.flatnonzero(example.molecule.species == 1)
    carbon = int(np.flatnonzero(example.molecule.species == 6)[0])
    pairs = np.array([[carbon, h] for h in hydrogens])

    result = forgefield("estimate", CH3F, "--method", "fuerza", "-o", tmp_path / "ch3f.frcmod", "--json")

    hessian, reference = known(example.treated).hessian, example.reference
    k = estimate(Fuerza(), hessian, reference.positions, reference.species, pairs, np.zeros((0, 3), dtype=int)).bond_k
    found = parameters(result)["stretch C1-H1 k"]
    assert found["n"] == 3
    spread = [found[name] for name in ("value", "mean", "std", "minimum", "maximum")]
    np.testing.assert_allclose(spread, [k.mean(), k.mean(), k.std(), k.min(), k.max()], rtol=1e-10)


def test_reference_lengths_are_those_of_the_molecule(forgefield, tmp_path):
    (example,) = examples_of(read_files([CH3F]), None)
    species, positions = example.reference.species, example.reference.positions

    result = forgefield("estimate", CH3F, "-o", tmp_path / "ch3f.fld", "--json")

    length = np.linalg.norm(positions[species == 9][0] - positions[species == 6][0])
    found = parameters(result)["stretch C1-F1 r0"]
    assert (found["value"], found["unit"], found["n"]) == (pytest.approx(length, abs=1e-9), "Å", 1)


@pytest.mark.parametrize("method", METHODS)
def test_every_method_writes_positive_constants(forgefield, tmp_path, method):
    result = forgefield("estimate", CH3F, "--method", method, "-o", tmp_path / "ch3f.frcmod", "--json")

    found = parameters(result)
    constants = [p["value"] for name, p in found.items() if name.endswith(" k")]
    assert len(constants) == 4
    assert min(constants) > 0.0
    assert "BOND" in (tmp_path / "ch3f.frcmod").read_text()


def test_file_holds_what_the_table_says(forgefield, tmp_path):
    path = tmp_path / "ch3f.fld"

    result = forgefield("estimate", CH3F, "-o", path)

    stretches = [row for row in read_fld(path).rows if row.kind.name == "STRETCH"]
    (k,) = [line.split()[4] for line in result.stderr.splitlines() if line.startswith("stretch C1-F1 k")]
    held = {round(known(row.columns[1]), 1) for row in stretches}
    assert any(abs(float(k) - value) < 0.1 for value in held)
    (angle,) = [line.split()[3:5] for line in result.stderr.splitlines() if line.startswith("bend F1-C1-H1 theta0")]
    assert angle[0] == "°"
    assert float(angle[1]) == pytest.approx(108.0, abs=2.0)
    assert f"Written: {path}" in result.stderr
    assert result.stdout == ""


def test_openmm_file_is_written_for_either_form(forgefield, tmp_path):
    for form in ("mm3", "harmonic"):
        result = forgefield("estimate", CH3F, "--form", form, "-o", tmp_path / f"{form}.xml")

        assert result.exit_code == 0, result.output
        assert (tmp_path / f"{form}.xml").read_text().startswith("<ForceField")


def test_native_file_holds_every_digit(forgefield, tmp_path):
    path = tmp_path / "ch3f.json"

    result = forgefield("estimate", CH3F, "-o", path, "--form", "harmonic", "--json")

    assert result.exit_code == 0, result.output
    molecules = [example.molecule for example in examples_of(read_files([CH3F]), None)]
    laid = instance(AbstractRowRules, load(path)).assign(molecules)
    held = {row.parameter_name(p): laid.model.values[i] for row in laid.rows for p, i in enumerate(row.indices)}
    assert held == {name: found["value"] for name, found in parameters(result).items()}


def test_transition_state_needs_a_policy_and_says_what_it_did(forgefield, tmp_path):
    path = tmp_path / "saddle.fld"

    refused = forgefield("estimate", SADDLE, "-o", path)
    done = forgefield("estimate", SADDLE, "-o", path, "--transition-state", "C", "--json")

    assert refused.exit_code == 2
    assert "the Hessian has a negative eigenvalue (-463.8 cm⁻¹)" in refused.stderr
    assert done.exit_code == 0
    assert "was replaced by a large positive one" in done.stderr
    stated, doubted = json.loads(done.stdout)["warnings"]
    assert stated.startswith("saddle: ")
    assert doubted.startswith("Unphysical: stretch C1-F1 k is larger than of any known one")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ((CH3F, "-o", "x.frcmod", "--form", "mm3"), "a .frcmod file cannot hold the form mm3, only .json, .fld, .xml"),
        ((CH3F, "-o", "x.prm"), "no force field is written as '.prm'; choose .json, .fld, .frcmod, .xml"),
        ((CH3F, "-o", "x.fld", "--method", "guess"), "method 'guess' is not one of qfuerza, fuerza"),
        ((CH3F, "-o", "x.fld", "--form", "amoeba"), "form 'amoeba' is not one of harmonic, opls, mm3"),
        ((CH3F, "-o", "x.fld", "--transition-state", "F"), "transition_state 'F' is not one of C, D, D+, E, none"),
        ((EXAMPLES / "ch3f/ch3f.xyz", "-o", "x.fld"), "estimated from Hessians; there is none in"),
        (("absent.json", "-o", "x.fld"), "absent.json: there is no such file"),
    ],
)
def test_what_cannot_be_done_is_one_clear_message(forgefield, words, message, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    result = forgefield("estimate", *words)

    assert result.exit_code == 2
    assert message in result.stderr
    assert list(tmp_path.iterdir()) == []


def test_a_complex_is_estimated_and_said_to_be_loose(forgefield, tmp_path):
    ((example),) = examples_of(read_files([CH3F]), None)
    one, molecule = example.reference, example.molecule
    positions = np.concatenate([one.positions, one.positions + 9.0])
    pair = replace(
        one,
        species=np.tile(one.species, 2),
        positions=positions,
        gradient=np.zeros_like(positions),
        hessian=np.kron(np.eye(2), known(one.hessian)),
        frequencies=None,
        masses=None,
        charges=(),
    )
    both = replace(molecule, species=pair.species, positions=positions, bonds=np.zeros((0, 2), int), orders=np.zeros(0))
    write_qcschema(tmp_path / "pair.json", both, pair)

    results = [
        forgefield("estimate", f, "-o", tmp_path / f"{f.stem}.frcmod", "--json") for f in (CH3F, tmp_path / "pair.json")
    ]

    single, loose = (parameters(result) for result in results)
    assert {name: p["n"] for name, p in loose.items()} == {name: 2 * p["n"] for name, p in single.items()}
    assert "Nothing acts between the molecules of pair" in results[1].stderr


HYDROGEN = r""" Entering Gaussian System, Link 0=g16
 1\1\HOST\SP\RHF\STO-3G\H2\ME\01-Jan-2020\0\\#P RHF/STO-3G\\t\\0,1
 \H,0.,0.,0.\H,0.,0.,0.74\\Version=ES64L\HF=-1.117\\@
 Normal termination of Gaussian 16.
"""


def test_structures_without_a_hessian_beside_one_are_left_out_with_a_word(tmp_path, data):
    (tmp_path / "two.log").write_text(HYDROGEN + (data / "ethane/GS.log").read_text())

    with pytest.warns(InputWarning, match=r"1 structure\(s\) without a Hessian are left out"):
        found = estimate_job([tmp_path / "two.log"])
    assert [example.molecule.n_atoms for example in found.examples] == [8]
