"""Writing generated force fields as MM3* files and reading them back."""

from dataclasses import replace

import equinox as eqx
import jax.numpy as jnp
import numpy as np
import pytest

from forgefield.assign.assignment import Assignment
from forgefield.assign.generated import generate
from forgefield.assign.mm3.laid import assign_mm3
from forgefield.errors import InputError
from forgefield.io.forcefields.generated import two_character_types
from forgefield.io.forcefields.mm3.fld import read_fld
from forgefield.io.forcefields.mm3.generated_fld import write_generated_fld
from forgefield.io.structures.atom_types import read_atom_types
from forgefield.models.forcefield import ForceField
from forgefield.models.rows import Row
from forgefield.molecules.paths import torsions
from forgefield.molecules.topology import Interactions
from forgefield.terms.bend import HARMONIC_BEND, MM3_BEND
from forgefield.terms.cross import BEND_BEND, STRETCH_BEND, STRETCH_STRETCH, TORSION_STRETCH, UREY_BRADLEY
from forgefield.terms.mm3 import BOND_MOMENT
from forgefield.terms.nonbonded import EXP6
from forgefield.terms.out_of_plane import COSINE_OUT_OF_PLANE
from forgefield.terms.stretch import HARMONIC_STRETCH, MM3_STRETCH
from forgefield.terms.torsion import TORSION3

MM3 = (MM3_STRETCH, MM3_BEND, STRETCH_BEND, TORSION3, COSINE_OUT_OF_PLANE)


def read_back(path, molecules, assignment) -> Assignment:
    names = two_character_types(assignment)
    typed = [
        replace(m, types=tuple(names[t] for t in types)) for m, types in zip(molecules, assignment.types, strict=True)
    ]
    return assign_mm3(typed, read_fld(path)).assignment


def test_every_molecule_has_the_same_energy_after_reading_back(molecules, random_field, displaced, energies, tmp_path):
    field = random_field(*MM3, van_der_waals=EXP6)

    write_generated_fld(tmp_path / "out.fld", field, molecules)

    again = read_back(tmp_path / "out.fld", molecules, field)
    np.testing.assert_allclose(energies(again, displaced), energies(field, displaced), rtol=0, atol=1e-6)


def test_charges_read_back(molecules, random_field, displaced, energies, tmp_path):
    neutral = [m for m in molecules if m.charge == 0]
    kept = np.repeat([m.charge == 0 for m in molecules], [m.n_atoms for m in molecules])
    field = random_field(*MM3, of=neutral, van_der_waals=EXP6, charging=BOND_MOMENT)

    write_generated_fld(tmp_path / "out.fld", field, neutral)

    again, positions = read_back(tmp_path / "out.fld", neutral, field), displaced[:, kept]
    # Negative moments have seven decimals in the file, which are 1e-8 e of each atom.
    np.testing.assert_allclose(energies(again, positions), energies(field, positions), rtol=0, atol=1e-5)


def test_charges_of_an_ion_are_refused(molecules, random_field, tmp_path):
    field = random_field(MM3_STRETCH, MM3_BEND, charging=BOND_MOMENT)

    with pytest.raises(InputError, match="cannot hold the charges of saddle, whose charge is spread over the atoms"):
        write_generated_fld(tmp_path / "out.fld", field, molecules)


def test_zero_order_bonds_without_van_der_waals_read_back(molecules, random_field, energies, tmp_path):
    saddle = replace(molecules[2], orders=np.where(molecules[2].orders < 1.0, 0.0, 1.0))
    field = random_field(MM3_STRETCH, MM3_BEND, STRETCH_BEND, of=[saddle], depth=0)

    write_generated_fld(tmp_path / "out.fld", field, [saddle])

    again = read_back(tmp_path / "out.fld", [saddle], field)
    assert " . " in (tmp_path / "out.fld").read_text()
    np.testing.assert_allclose(
        energies(again, saddle.positions[None]), energies(field, saddle.positions[None]), rtol=0, atol=1e-6
    )


@pytest.fixture
def coupled(molecules):
    """Fluoromethane whose bend-bend constants are minus the products of 2 for FCH and -3 for HCH, and more to add.

    That is `extra` for all, and `shared` for pairs of FCH and HCH that share a hydrogen.
    """

    def make(extra=0.0, shared=0.0):
        field = generate(molecules[:1], (MM3_STRETCH, MM3_BEND, BEND_BEND))
        values = np.array(field.model.values)
        for row in field.rows:
            if row.term is BEND_BEND:
                pairs = [[name.removesuffix("@both") for name in row.types[k : k + 2]] for k in (1, 3)]
                factors = [2.0 if "F1" in pair else -3.0 for pair in pairs]
                unlike = "H1@both" in row.types and factors[0] != factors[1]
                values[row.indices[0]] = extra + shared * unlike - np.prod(factors)
        return replace(field, model=eqx.tree_at(lambda m: m.values, field.model, jnp.asarray(values)))

    return make


def test_bend_bend_constants_that_are_products_read_back(molecules, coupled, energies, displaced, tmp_path):
    field, fluoromethane = coupled(), molecules[:1]

    write_generated_fld(tmp_path / "out.fld", field, fluoromethane)

    again = read_back(tmp_path / "out.fld", fluoromethane, field)
    positions = displaced[:, : fluoromethane[0].n_atoms]
    np.testing.assert_allclose(energies(again, positions), energies(field, positions), rtol=0, atol=1e-6)


@pytest.fixture
def twisting(molecules, random_field) -> Assignment:
    """Ethane with a torsion-stretch constant of 7 kcal/mol/Å."""
    ethane = molecules[1]
    field = random_field(MM3_STRETCH, MM3_BEND, of=[ethane])
    chains, place = torsions(ethane.n_atoms, ethane.bonds), len(field.model.values)
    length = next(row.indices[1] for row in field.rows if row.name == "stretch C1-C1")
    added = Interactions(chains, np.tile([place, length], (len(chains), 1)))
    return replace(
        field,
        model=ForceField((*field.model.terms, TORSION_STRETCH), jnp.append(field.model.values, 7.0)),
        topology=eqx.tree_at(lambda t: t.interactions, field.topology, (*field.topology.interactions, added)),
        rows=(*field.rows, Row(TORSION_STRETCH, ("H1", "C1", "C1", "H1"), (place,))),
    )


def test_torsion_stretch_reads_back(molecules, twisting, energies, tmp_path):
    ethane = molecules[1:2]
    positions = (ethane[0].positions * np.array([1.0, 0.9, 1.05]))[None]

    write_generated_fld(tmp_path / "out.fld", twisting, ethane)

    again = read_back(tmp_path / "out.fld", ethane, twisting)
    np.testing.assert_allclose(energies(again, positions), energies(twisting, positions), rtol=0, atol=1e-6)


def test_bend_bend_constants_that_are_no_products_are_named(molecules, coupled, tmp_path):
    with pytest.raises(InputError, match=r"no such factors for bend_bend .*bend_bend C1-F1@both-H1-F1@both-H1"):
        write_generated_fld(tmp_path / "out.fld", coupled(extra=1.0), molecules[:1])


def test_bend_bend_constants_that_depend_on_a_shared_end_are_named(molecules, coupled, tmp_path):
    with pytest.raises(InputError, match=r"no such factors for bend_bend \(bend_bend C1-F1-H1@both-H1-H1@both\)"):
        write_generated_fld(tmp_path / "out.fld", coupled(shared=1.0), molecules[:1])


def test_file_explains_its_types_and_has_rows_for_atom_typ(molecules, random_field, tmp_path):
    field = random_field(*MM3[:2])

    write_generated_fld(tmp_path / "out.fld", field, molecules)

    names = two_character_types(field)
    legend = [line for line in (tmp_path / "out.fld").read_text().splitlines() if " is " in line]
    types = read_atom_types(tmp_path / "out.typ").types
    head = (tmp_path / "out.fld").read_text().splitlines()[1]
    assert head.startswith(" C  Made of fluoromethane, ethane, ")
    assert head.endswith("with the types of out.typ in atom.typ")
    assert legend[0] == f" C  {names['C1']} is C1  C(F,H,H,H)"
    assert {t.name: t.atomic_number for n, t in types.items() if n > 200}[names["N1"]] == 7


def test_numbers_fill_their_columns(molecules, random_field, tmp_path):
    write_generated_fld(tmp_path / "out.fld", random_field(*MM3[:2]), molecules)

    straight = next(line for line in (tmp_path / "out.fld").read_text().splitlines() if "bend F2-C3-F2" in line)

    assert straight[22:33] == "180.0000000"


@pytest.mark.parametrize(
    ("terms", "complaint"),
    [
        pytest.param((HARMONIC_STRETCH, HARMONIC_BEND), "harmonic_stretch .*harmonic_bend", id="harmonic"),
        pytest.param((*MM3[:2], UREY_BRADLEY), r"urey_bradley \(\d+ row\(s\), such as urey_bradley", id="Urey-Bradley"),
        pytest.param((*MM3[:2], STRETCH_STRETCH), "cannot hold stretch_stretch", id="stretch-stretch"),
    ],
)
def test_terms_that_the_file_cannot_hold_are_named(molecules, random_field, tmp_path, terms, complaint):
    with pytest.raises(InputError, match=complaint):
        write_generated_fld(tmp_path / "out.fld", random_field(*terms), molecules)
    assert list(tmp_path.iterdir()) == []


def test_scaled_van_der_waals_is_named(molecules, random_field, tmp_path):
    field = random_field(*MM3[:2], van_der_waals=EXP6)
    halved = replace(field, model=eqx.tree_at(lambda m: m.values, field.model, field.model.values.at[-1].set(0.5)))

    with pytest.raises(InputError, match=r"cannot hold a van der Waals scale of 0\.5"):
        write_generated_fld(tmp_path / "out.fld", halved, molecules)


def test_number_too_large_for_its_columns_is_named(molecules, random_field, tmp_path):
    field = random_field(*MM3[:2])
    huge = replace(field, model=eqx.tree_at(lambda m: m.values, field.model, field.model.values.at[0].set(1e12)))

    with pytest.raises(InputError, match="of stretch C1-F1 does not fit"):
        write_generated_fld(tmp_path / "out.fld", huge, molecules)


def test_planar_centre_with_a_zero_order_bond_is_named(molecules, random_field, tmp_path):
    formamide = replace(molecules[4], orders=np.array([1.0, 0.0, 1.0, 1.0, 1.0]))
    field = random_field(MM3_STRETCH, MM3_BEND, COSINE_OUT_OF_PLANE, of=[formamide])

    with pytest.raises(InputError, match=r"out_of_plane .* its centre has a zero-order bond"):
        write_generated_fld(tmp_path / "out.fld", field, [formamide])


@pytest.mark.parametrize(
    ("n_types", "complaint"),
    [
        pytest.param(101, "101 atom types; MacroModel has room for 100", id="numbers"),
        pytest.param(2000, r"2000 atom types, more than there are names of two characters", id="names"),
    ],
)
def test_too_many_types_are_refused(molecules, random_field, tmp_path, n_types, complaint):
    field = random_field(*MM3[:2], of=molecules[:1])
    species = np.full(n_types, 6)
    crowded = replace(
        field,
        types=(tuple(f"C{i + 1}" for i in range(n_types)),),
        topology=eqx.tree_at(lambda t: t.species, field.topology, species),
    )

    with pytest.raises(InputError, match=complaint):
        write_generated_fld(tmp_path / "out.fld", crowded, molecules[:1])


def test_names_of_two_characters_are_none_of_macromodels(molecules, random_field):
    names = two_character_types(random_field(*MM3[:2]))

    assert len(set(names.values())) == len(names)
    assert {"C1", "C2", "C3", "H1", "N1", "F0"}.isdisjoint(names.values())
    assert not any(name.endswith("0") for name in names.values())
