"""`forgefield evaluate` and `modes` on the rhodium complexes, against MacroModel's listings and by hand."""

import json
from dataclasses import replace
from pathlib import Path

import jax.numpy as jnp
import numpy as np
import pytest
from scipy import constants

from certain import instance
from forgefield import units
from forgefield.assign.mm3.file import Mm3Row
from forgefield.assign.mm3.laid import assign_mm3
from forgefield.io.forcefields.mm3.fld import read_fld
from forgefield.io.listings.listing import KINDS, Interaction, Listing, compare
from forgefield.io.listings.mm3_listing import mm3_listings
from forgefield.io.listings.mmo import read_mmo
from forgefield.io.molecules import read_structures
from forgefield.io.structures.mae import read_mae
from forgefield.jobs.evaluate import evaluate
from forgefield.molecules.bonds import perceive_bonds
from forgefield.molecules.molecule import standard_masses
from forgefield.properties.derivatives import gradient, hessians

# Most of the time goes into compiling whole force fields.
pytestmark = pytest.mark.slow

LISTED = [1, 2, 3, 4, 5]
# The listings scale van der Waals energies down from 5.8 Å on, and cut charges off at 12 Å.
SAME_TOTAL = {"vdw": 1.5, "electrostatic": 0.5}
CUTOFF = 8.0
EXAMPLES = Path(__file__).parents[2] / "examples"
MAE = """{{ s_m_m2io_version ::: 2.0.0 }}
f_m_ct {{
 s_m_title ::: ethane
 m_atom[8] {{ i_m_mmod_type r_m_x_coord r_m_y_coord r_m_z_coord :::
{atoms}
 ::: }}
 m_bond[7] {{ i_m_from i_m_to i_m_order :::
{bonds}
 ::: }}
}}
"""
TYPE = {"C": 3, "H": 41}
STEP = 1e-4
DIRECTIONS = 6
SCALE = np.sqrt(constants.calorie * 1e3 / 1e-3) * 1e10 / (2 * np.pi * constants.c * 100)
"""cm⁻¹ of (kcal/mol/Å²/amu)^½."""


@pytest.fixture(scope="module")
def folder(data):
    return data / "rh-enamide"


@pytest.fixture(scope="module")
def fld(folder):
    return folder / "forcefield/mm3.fld"


@pytest.fixture(scope="module")
def structures(folder):
    return sorted((folder / "mae").glob("*.mae"))


@pytest.fixture(scope="module")
def all_five(forgefield, fld, structures, tmp_path_factory):
    """What is printed of the first five structures, and their listing."""
    path = tmp_path_factory.mktemp("listing") / "all.json"
    result = forgefield("evaluate", fld, *structures[:5], "--listing", path)
    assert result.exit_code == 0, result.output
    return result.stdout, json.loads(path.read_text())


@pytest.fixture(scope="module")
def listed(all_five):
    return all_five[1]


@pytest.fixture(scope="module")
def comparisons(listed, folder):
    return {n: compare(listing(listed, n), read_mmo(folder / f"mmo/{n}.mmo")) for n in LISTED}


@pytest.fixture(scope="module")
def first(forgefield, fld, structures, folder, tmp_path_factory):
    """All options at once on the first structure: what is printed, and its listing."""
    path = tmp_path_factory.mktemp("first") / "1.json"
    asked = "--cutoff", CUTOFF, "--compare", folder / "mmo/1.mmo", "--listing", path
    result = forgefield("evaluate", fld, structures[0], *asked, "--forces", "--json")
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout), json.loads(path.read_text())


@pytest.fixture(scope="module")
def evaluated(fld, structures):
    return evaluate(fld, [structures[0]], cutoff=CUTOFF)


@pytest.fixture(scope="module")
def ethane(tmp_path_factory):
    """Ethane of the examples with MacroModel's types of carbon and hydrogen."""
    (molecule,) = read_structures(EXAMPLES / "ethane/staggered.xyz")
    atoms = [
        f"{i} {TYPE[s]} {x} {y} {z}"
        for i, (s, (x, y, z)) in enumerate(zip(molecule.symbols, molecule.positions, strict=True), 1)
    ]
    pairs, _ = perceive_bonds(molecule.species, molecule.positions)
    bonds = [f"{i} {a + 1} {b + 1} 1" for i, (a, b) in enumerate(pairs, 1)]
    path = tmp_path_factory.mktemp("ethane") / "ethane.mae"
    path.write_text(MAE.format(atoms="\n".join(atoms), bonds="\n".join(bonds)))
    return path


def listing(content, number):
    """Return a structure of the JSON as the listing that was written."""
    structure = content["structures"][number - 1]
    return Listing(
        name=structure["name"],
        file=structure["file"],
        types=tuple(atom["type"] for atom in structure["atoms"]),
        charges=np.array([atom["charge_e"] for atom in structure["atoms"]]),
        totals_kj_mol=structure["totals_kj_mol"],
        interactions=tuple(Interaction(**{**i, "atoms": tuple(i["atoms"])}) for i in structure["interactions"]),
    )


@pytest.mark.parametrize("number", LISTED)
def test_counts_lines_and_parameters_are_those_of_macromodel(comparisons, number):
    for term in comparisons[number].terms:
        assert (term.n, term.missing, term.extra) == (term.n_reference, 0, 0), term.kind
        # MacroModel rounds charges to five digits, which can turn the fourth digit of a product.
        assert (term.line_mismatches, term.parameter_mismatches) == (0, 0) or term.kind == "electrostatic"


@pytest.mark.parametrize("number", LISTED)
def test_energies_and_totals_are_those_of_macromodel(comparisons, number):
    for term in comparisons[number].terms:
        # Products of charges that MacroModel prints with four digits decide the last digits of their energies.
        assert term.max_energy_deviation_kj_mol < (0.003 if term.kind == "electrostatic" else 0.00051), term.kind
        assert abs(term.total_kj_mol - term.reference_total_kj_mol) < SAME_TOTAL.get(term.kind, 0.0002), term.kind


@pytest.mark.parametrize("number", LISTED)
def test_totals_are_the_sums_of_what_is_listed(listed, number):
    structure = listing(listed, number)

    sums = {kind: sum(i.energy_kj_mol for i in structure.interactions if i.kind == kind) for kind in KINDS}

    expected = {**sums, "total": sum(sums.values())}
    assert structure.totals_kj_mol == pytest.approx(expected, abs=1e-9)


def test_listing_has_the_stated_keys_and_no_other(listed):
    structure = listed["structures"][0]

    assert list(listed) == ["structures"]
    assert list(structure) == ["name", "file", "atoms", "totals_kj_mol", "interactions"]
    assert {tuple(atom) for atom in structure["atoms"]} == {("index", "type", "charge_e")}
    assert list(structure["totals_kj_mol"]) == [*KINDS, "total"]
    keys = ("kind", "atoms", "parameters", "value", "energy_kj_mol", "line")
    assert {tuple(interaction) for interaction in structure["interactions"]} == {keys}
    assert {interaction["kind"] for interaction in structure["interactions"]} <= set(KINDS)


def test_lines_of_the_listing_hold_the_parameters(listed, fld):
    file = read_fld(fld)
    stretches = [i for i in listed["structures"][0]["interactions"] if i["kind"] == "stretch"]

    rows = [file.lines[instance(Mm3Row, file.row_on(i["line"])).first_line - 1] for i in stretches]

    expected = [[i["parameters"]["r0"], i["parameters"]["k"]] for i in stretches]
    np.testing.assert_allclose([[float(row[22:33]), float(row[33:44])] for row in rows], expected, atol=1e-9)


def test_cutoff_leaves_out_the_pairs_beyond_it_and_nothing_else(first, listed, evaluated):
    positions = evaluated.molecules[0].positions
    inside, every = listing(first[1], 1), listing(listed, 1)

    def is_near(interaction):
        i, j = (positions[atom - 1] for atom in interaction.atoms)
        return np.linalg.norm(i - j) <= CUTOFF

    pairs = [i for i in every.interactions if i.kind in ("vdw", "electrostatic")]
    kept = [i.atoms for i in pairs if is_near(i)]
    assert 0 < len(kept) < len(pairs)
    assert [i.atoms for i in inside.interactions if i.kind in ("vdw", "electrostatic")] == kept
    assert {k: inside.totals_kj_mol[k] for k in KINDS[:7]} == pytest.approx(
        {k: every.totals_kj_mol[k] for k in KINDS[:7]}
    )


def test_forces_are_the_slopes_of_the_listed_energy(first, evaluated, generator):
    molecule, assigned = evaluated.molecules[0], evaluated.assigned
    forces = np.array(first[0]["forces_kcal_mol_a"][0])

    def energy(positions):
        (listing,) = mm3_listings([replace(molecule, positions=positions)], assigned)
        return listing.totals_kj_mol["total"] * units.KILOJOULE

    for direction in generator.normal(size=(DIRECTIONS, molecule.n_atoms, 3)):
        rise = energy(molecule.positions + STEP * direction) - energy(molecule.positions - STEP * direction)
        np.testing.assert_allclose(-np.sum(forces * direction), rise / (2 * STEP), rtol=1e-5, atol=1e-3)


def test_comparison_is_part_of_the_json(first):
    terms = {term["kind"]: term for term in first[0]["comparison"]["terms"]}

    assert tuple(terms) == KINDS
    assert terms["bend"]["n"] == terms["bend"]["n_reference"] == 78
    assert terms["bend"]["max_energy_deviation_kj_mol"] < 0.00051


def test_listing_of_another_molecule_is_refused(forgefield, fld, structures, folder):
    result = forgefield("evaluate", fld, structures[0], "--cutoff", CUTOFF, "--compare", folder / "mmo/2.mmo")

    assert result.exit_code == 2
    assert "2.mmo: has 38 atoms" in result.stderr
    assert "it is the listing of another molecule" in result.stderr


def test_rows_that_can_match_nothing_are_counted(forgefield, data):
    folder = data / "cases/mm3/square-planar"

    shown = forgefield("evaluate", folder / "mm3.fld", folder / "meets1.mae")
    programs = forgefield("evaluate", folder / "mm3.fld", folder / "meets1.mae", "--json")

    assert "4 row(s) of substructures can match nothing" in shown.stdout
    assert "(line 1938, 1939, 1940, 1941)" in shown.stdout
    assert json.loads(programs.stdout)["idle_lines"] == [1938, 1939, 1940, 1941]
    assert "--vdw-cutoff 7 or 8" in shown.stderr


def test_energy_of_a_minimised_structure_is_macromodels_with_its_cutoff(forgefield, data):
    folder = data / "cases/mm3/fused-ring-stretch"

    result = forgefield("evaluate", folder / "mm3.fld", folder / "binap-5s.mae", "--forces", "--json")

    summary = json.loads(result.stdout)
    gradient = np.array(summary["forces_kcal_mol_a"]) / units.KILOJOULE
    assert summary["structures"][0]["total"] == pytest.approx(485.1735, abs=0.1)
    assert np.sqrt(np.mean(gradient**2)) < 0.0455
    assert "485.1735 kJ/mol. It ends van der Waals at 8 Å" in result.stderr


def test_tables_are_as_wide_as_their_numbers(all_five, listed):
    total = all_five[0].splitlines()[-1].split()

    assert "…" not in all_five[0]
    assert total == ["total", *(f"{structure['totals_kj_mol']['total']:.4f}" for structure in listed["structures"])]


def test_frequencies_are_those_of_the_projected_hessian(forgefield, fld, ethane):
    (molecule,) = read_mae(ethane)
    masses = standard_masses(molecule.species)
    assigned = assign_mm3([molecule], read_fld(fld)).assignment
    hessian = np.asarray(hessians(assigned.model, assigned.topology, jnp.asarray(molecule.positions)))[0]

    result = forgefield("modes", fld, ethane, "--json")

    expected = frequencies(hessian, molecule.positions, masses)
    found = json.loads(result.stdout)
    np.testing.assert_allclose(found["frequencies_cm1"], expected, atol=1e-4)
    modes = np.array(found["modes_mass_weighted"])
    np.testing.assert_allclose(modes @ modes.T, np.eye(len(expected)), atol=1e-10)


def frequencies(hessian, positions, masses):
    """Project rigid motions out of a mass-weighted Hessian and return signed frequencies [cm⁻¹]."""
    roots = np.sqrt(masses)
    moves = [np.tile(axis, (len(masses), 1)) for axis in np.eye(3)]
    turns = [np.cross(axis, positions) for axis in np.eye(3)]
    rigid, _ = np.linalg.qr((np.array(moves + turns) * roots[:, None]).reshape(6, -1).T)
    outside = np.eye(len(rigid)) - rigid @ rigid.T
    weights = np.repeat(1.0 / roots, 3)
    eigenvalues = np.linalg.eigvalsh(outside @ (weights[:, None] * hessian * weights) @ outside)
    vibrations = np.delete(eigenvalues, np.argsort(np.abs(eigenvalues))[:6])
    return np.sign(vibrations) * np.sqrt(np.abs(vibrations)) * SCALE


def test_several_structures_where_one_is_expected_are_named(forgefield, fld, structures, tmp_path):
    both = tmp_path / "both.mae"
    both.write_text(structures[0].read_text() + structures[1].read_text().partition("}")[2])

    result = forgefield("modes", fld, both)

    assert result.exit_code == 2
    assert f"{both}: holds 2 structures ('1 ZDMP from JCTC SI', '2 DMPE Conformation 1" in result.stderr


def test_maestro_file_without_types_says_how_to_get_them(forgefield, fld, structures, tmp_path):
    untyped = tmp_path / "untyped.mae"
    untyped.write_text(structures[0].read_text().replace("i_m_mmod_type", "i_m_other"))

    result = forgefield("evaluate", fld, untyped)

    assert result.exit_code == 2
    assert "untyped.mae, line 29: table m_atom has no column i_m_mmod_type; let MacroModel or Maestro" in result.stderr


def test_structure_without_types_is_refused(forgefield, fld):
    structure = EXAMPLES / "ch3f/ch3f.xyz"

    result = forgefield("evaluate", fld, structure)

    assert result.exit_code == 2
    assert f"no MacroModel atom types in {structure}; give .mae files" in result.stderr


@pytest.mark.parametrize(("option", "n_imaginary"), [("--relax", 0), ("--saddle", 1)])
def test_frequencies_at_a_relaxed_structure_are_those_of_a_stationary_point(
    forgefield, fld, ethane, option, n_imaginary
):
    (molecule,) = read_mae(ethane)
    assigned = assign_mm3([molecule], read_fld(fld)).assignment

    result = forgefield("modes", fld, ethane, option, "--json")

    assert result.exit_code == 0, result.output
    found = json.loads(result.stdout)
    positions = np.array(found["relaxation"]["positions_a"])
    assert np.abs(gradient(assigned.model, assigned.topology, jnp.asarray(positions))).max() < 1e-6
    hessian = np.asarray(hessians(assigned.model, assigned.topology, jnp.asarray(positions)))[0]
    expected = frequencies(hessian, positions, standard_masses(molecule.species))
    np.testing.assert_allclose(found["frequencies_cm1"], expected, atol=1e-3)
    assert (expected < 0.0).sum() == n_imaginary
    assert "Relaxed in" in result.stderr


def test_minimum_and_saddle_together_are_refused(forgefield, fld, ethane):
    result = forgefield("modes", fld, ethane, "--relax", "--saddle")

    assert result.exit_code == 2
    assert "--relax, --saddle and --atoms exclude each other" in result.stderr


@pytest.fixture
def stated(ethane, tmp_path):
    """Ethane with an energy of MacroModel's beside it."""
    head, names, rest = ethane.read_text().partition("f_m_ct {")
    keys, mark, values = rest.partition(":::")
    path = tmp_path / "stated.mae"
    path.write_text(f"{head}{names}\n r_mmod_Potential_Energy-MM3*{keys}{mark}\n 12.5{values}")
    return path


@pytest.mark.parametrize(("options", "ends"), [((), "ends at 8 Å"), (("--vdw-cutoff", "inf"), "does not end")])
def test_beside_its_energy_van_der_waals_ends_where_macromodel_does(forgefield, fld, stated, options, ends):
    result = forgefield("evaluate", fld, stated, *options)

    assert result.exit_code == 0, result.output
    assert "energy stands beside the structures: 12.5000 kJ/mol" in result.stderr
    assert f"here it {ends}" in result.stderr


def test_where_one_structure_states_no_energy_there_is_no_cutoff(fld, ethane, stated):
    cutoffs = [evaluate(fld, files).vdw_cutoff for files in ([stated], [stated, ethane])]

    assert cutoffs == [8.0, np.inf]
