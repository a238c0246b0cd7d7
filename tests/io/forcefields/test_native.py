"""The native file of a force field: the same force field when it is read back, over these molecules and over others."""

import json
from dataclasses import replace

import equinox as eqx
import jax.numpy as jnp
import numpy as np
import pytest

from certain import instance
from forgefield.assign.rules import AbstractRowRules
from forgefield.errors import InputError
from forgefield.io.forcefields.amber.frcmod import write_frcmod
from forgefield.io.forcefields.native import write_native
from forgefield.io.rules import load
from forgefield.io.structures.mol2 import read_mol2
from forgefield.molecules.molecule import Molecule
from forgefield.properties.derivatives import energies
from forgefield.terms.bend import HARMONIC_BEND, MM3_BEND
from forgefield.terms.cross import BEND_BEND, COUPLINGS, STRETCH_BEND, UREY_BRADLEY
from forgefield.terms.mm3 import BOND_MOMENT
from forgefield.terms.nonbonded import CHARGE_INCREMENT, EXP6, LENNARD_JONES
from forgefield.terms.out_of_plane import COSINE_OUT_OF_PLANE
from forgefield.terms.stretch import HARMONIC_STRETCH, MM3_STRETCH
from forgefield.terms.torsion import TORSION3, TORSION6

HARMONIC = (HARMONIC_STRETCH, HARMONIC_BEND)
MM3 = (MM3_STRETCH, MM3_BEND, TORSION3, COSINE_OUT_OF_PLANE, STRETCH_BEND, BEND_BEND)
CROSS = (*HARMONIC, TORSION6, *COUPLINGS, UREY_BRADLEY)


def bare(molecule):
    """The molecule as an xyz file has it."""
    return Molecule(molecule.name, molecule.species, molecule.positions, charge=molecule.charge)


@pytest.mark.parametrize(
    ("terms", "others"),
    [
        pytest.param(HARMONIC, {"van_der_waals": LENNARD_JONES, "charging": CHARGE_INCREMENT}, id="harmonic"),
        pytest.param(MM3, {"van_der_waals": EXP6, "charging": BOND_MOMENT, "depth": 2}, id="mm3"),
        pytest.param(CROSS, {}, id="cross terms"),
    ],
)
def test_force_field_is_the_same_when_it_is_read_back(molecules, random_field, displaced, tmp_path, terms, others):
    made = random_field(*terms, **others)

    write_native(tmp_path / "forcefield.json", made)

    rules, x = load(tmp_path / "forcefield.json"), jnp.asarray(displaced[1])
    expected = energies(made.model, made.topology, x)
    np.testing.assert_allclose(energies(*rules.lay([bare(m) for m in molecules]), x), expected, rtol=1e-10, atol=1e-9)


def test_rows_without_marks_couple_pairs_of_angles_that_share_an_end_and_those_that_do_not(
    molecules, random_field, displaced, tmp_path
):
    made, path = random_field(*HARMONIC, BEND_BEND), tmp_path / "forcefield.json"
    values = np.array(made.model.values)
    values[[row.indices[0] for row in made.rows if row.term is BEND_BEND]] = 20.0
    made = replace(made, model=eqx.tree_at(lambda m: m.values, made.model, jnp.asarray(values)))
    write_native(path, made)
    written, rows = json.loads(path.read_text()), {}
    for row in written["rows"]:
        types = tuple(name.removesuffix("@both") for name in row["types"])
        rows[row["term"], min(types[1:3], types[3:]), max(types[1:3], types[3:]), types[0]] = row | {"types": types}
    path.write_text(json.dumps(written | {"rows": [*rows.values()]}))

    laid = load(path).lay([bare(m) for m in molecules])

    assert len(rows) < len(written["rows"])
    x = jnp.asarray(displaced[1])
    np.testing.assert_allclose(energies(*laid, x), energies(made.model, made.topology, x), rtol=1e-10, atol=1e-9)


@pytest.mark.parametrize(
    "types", ["C1 H1@both H1 H1 H1", "C1@both H1@both H1 H1 H1", "C1 H1@both H1@both H1 H1", "C1 H1@both H1 C1@both H1"]
)
def test_marks_that_name_no_atom_of_both_angles_are_refused(molecules, random_field, tmp_path, types):
    path = tmp_path / "forcefield.json"
    write_native(path, random_field(*HARMONIC, BEND_BEND, of=[molecules[1]]))
    written = json.loads(path.read_text())
    rows = [*written["rows"], {"term": "bend_bend", "types": types.split(), "values": {"k": 1.0}}]
    path.write_text(json.dumps(written | {"rows": rows}))

    with pytest.raises(InputError, match=r"types has no .*H1@both"):
        load(path)


def test_order_of_atoms_does_not_matter(molecules, random_field, tmp_path, generator):
    write_native(tmp_path / "forcefield.json", random_field(*HARMONIC))
    rules, molecule = load(tmp_path / "forcefield.json"), bare(molecules[1])
    order = generator.permutation(molecule.n_atoms)
    shuffled = replace(molecule, species=molecule.species[order], positions=molecule.positions[order])

    found = [energies(*rules.lay([m]), jnp.asarray(m.positions)) for m in (molecule, shuffled)]

    np.testing.assert_allclose(found[1], found[0], rtol=1e-10)


def test_types_of_a_structure_are_not_mistaken_for_those_of_the_file(molecules, random_field, tmp_path):
    ethane = molecules[1]
    made = random_field(*HARMONIC, of=[ethane])
    write_native(tmp_path / "forcefield.json", made)
    mistaken = replace(ethane, types=tuple(made.types[0][::-1]))

    found = instance(AbstractRowRules, load(tmp_path / "forcefield.json")).assign([mistaken])

    assert found.types == made.types


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"forgefield_force_field": 2}, "is of version 2 of the format, not 1; read it with a later ForgeField"),
        ({"units": {"harmonic_stretch": {"k": "mdyn/Å", "r0": "Å"}}}, "units: those of harmonic_stretch must be"),
        ({"units": {"springs": {}}}, "units: there is no term 'springs'"),
        ({"rows": [{"term": "harmonic_stretch", "types": ["C1", "X9"], "values": {"k": 1, "r0": 1}}]}, "has no X9"),
        (
            {"rows": [{"term": "harmonic_stretch", "types": ["C1"], "values": {"k": 1, "r0": 1}}]},
            "names 1 types, not 2",
        ),
        ({"rows": [{"term": "harmonic_stretch", "types": ["C1", "C1"], "values": {"k": 1}}]}, "must be k, r0, not k"),
        (
            {"rows": [{"term": "harmonic_stretch", "types": ["C1", "C1"], "values": {"k": "x", "r0": 1}}]},
            "rows.0.values",
        ),
        (
            {"rows": 2 * [{"term": "harmonic_stretch", "types": ["C1", "C1"], "values": {"k": 1, "r0": 1}}]},
            "a second row",
        ),
        ({"types": 2 * [{"name": "C1", "environment": "C(C,H,H,H)"}]}, "several have the name C1"),
        ({"types": None}, "types: "),
        (
            {"angles": [{"types": ["C1", "C1", "H1"], "up_to": {"90": 120.0, "60": 80.0}}]},
            "angles C1-C1-H1: the classes must reach up to angles that ascend to 180",
        ),
        ({"across": [{"end": "C1"}]}, r"across\.0\.centre: Field required"),
        ({"across": [{"end": "F1", "centre": "C1"}]}, "across: types has no F1"),
    ],
)
def test_what_cannot_be_is_refused(molecules, random_field, tmp_path, change, message):
    path = tmp_path / "forcefield.json"
    write_native(path, random_field(*HARMONIC, of=[molecules[1]]))
    path.write_text(json.dumps(json.loads(path.read_text()) | change))

    with pytest.raises(InputError, match=message):
        load(path)


def square(name):
    """A square-planar complex: angles of 90° and 180° between equal atoms, 2 Å from the centre."""
    around = 2.0 * np.array([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [-1.0, 0.0, 0.0], [0.0, -1.0, 0.0]])
    bonds = np.array([[0, atom] for atom in range(1, 5)])
    return Molecule(name, np.array([46, 17, 17, 17, 17]), np.vstack([np.zeros(3), around]), bonds, np.ones(4))


def see_saw(name):
    """A complex with two ligands opposite each other, and two nearer ones that are not."""
    bent = np.array([[0.0, 0.0, 0.0], [2.0, 0.0, 0.0], [0.0, 1.3, 1.3], [-2.0, 0.0, 0.0], [0.0, -1.3, 1.3]])
    return replace(square(name), positions=bent)


@pytest.mark.filterwarnings("ignore:.*hydrogens look to be missing")
@pytest.mark.parametrize("suffix", [".json", ".frcmod"])
@pytest.mark.parametrize(
    ("shape", "rows"),
    [
        (square, {"bend Cl1-Pd1@90-Cl1", "bend Cl1-Pd1@180-Cl1"}),
        (see_saw, {"stretch Cl1-Pd1", "stretch Cl1-Pd1@Cl1"}),
    ],
)
def test_classes_are_told_by_geometry_here_and_by_types_elsewhere(
    random_field, generator, tmp_path, shape, rows, suffix
):
    one = shape("complex")
    made = random_field(*HARMONIC, of=[one])
    write = {".json": lambda path: write_native(path, made), ".frcmod": lambda path: write_frcmod(path, made, [one])}

    write[suffix](tmp_path / f"complex{suffix}")

    (typed,) = [one] if suffix == ".json" else read_mol2(tmp_path / "complex.mol2")
    x = jnp.asarray(one.positions + generator.normal(0.0, 0.1, one.positions.shape))
    found = energies(*load(tmp_path / f"complex{suffix}").lay([typed]), x)
    assert {row.name for row in made.rows} >= rows
    np.testing.assert_allclose(found, energies(made.model, made.topology, x), rtol=1e-8)


def test_types_that_surroundings_do_not_tell_say_what_does(random_field, tmp_path):
    one = square("complex")
    write_frcmod(tmp_path / "complex.frcmod", random_field(*HARMONIC, of=[one]), [one])

    with pytest.raises(InputError, match=r"types for atoms such as Cl\(Pd\).*the \.mol2 beside a \.frcmod"):
        load(tmp_path / "complex.frcmod").lay([one])


@pytest.mark.parametrize(("text", "message"), [("{", "is no JSON"), ("[]", "is no force field"), ("{}", "has the key")])
def test_other_files_are_refused(tmp_path, text, message):
    (tmp_path / "out.json").write_text(text)

    with pytest.raises(InputError, match=message):
        load(tmp_path / "out.json")
