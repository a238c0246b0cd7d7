"""Charges that follow from bonds: who gains, what a molecule keeps, and where an ion's charge is."""

from dataclasses import replace

import equinox as eqx
import jax.numpy as jnp
import numpy as np
import pytest

from forgefield import units
from forgefield.assign.charge_rule import even_charges
from forgefield.assign.generated import generate
from forgefield.errors import InputError
from forgefield.molecules.molecule import Molecule
from forgefield.properties.derivatives import energies
from forgefield.terms.bend import HARMONIC_BEND
from forgefield.terms.mm3 import BOND_MOMENT
from forgefield.terms.nonbonded import CHARGE_INCREMENT
from forgefield.terms.stretch import HARMONIC_STRETCH

BONDED = HARMONIC_STRETCH, HARMONIC_BEND


def chain(symbols, *, bonds=None, **about):
    """A zigzag of atoms 1 Å apart along x, each bonded to the next."""
    species = np.array([{"H": 1, "C": 6, "O": 8, "F": 9}[s] for s in symbols])
    positions = np.array([[i, 0.5 * (i % 2), 0.0] for i in range(len(species))])
    bonds = [[i, i + 1] for i in range(len(species) - 1)] if bonds is None else bonds
    pairs = np.array(bonds, dtype=np.int64).reshape(-1, 2)
    return Molecule(symbols, species, positions, pairs, np.ones(len(pairs)), **about)


def moved(field, **increments):
    """The force field with these values of its rows, by the types they name."""
    values = np.array(field.model.values)
    for row in field.rows:
        name = "_".join(row.types)
        if row.term.kind in ("charge_increment", "bond_moment"):
            values[row.indices[0]] = increments[name]
    return replace(field, model=eqx.tree_at(lambda m: m.values, field.model, jnp.asarray(values)))


def charges(field):
    return np.asarray(field.model.charges(field.topology))


@pytest.fixture
def peroxide():
    return chain("HOOH")


def test_the_type_named_first_gains_what_the_other_loses(peroxide):
    field = moved(generate([peroxide], BONDED, charging=CHARGE_INCREMENT), H1_O1=0.4)

    np.testing.assert_allclose(charges(field), [0.4, -0.4, -0.4, 0.4], rtol=0, atol=1e-15)


def test_moments_act_over_reference_lengths(peroxide):
    field = moved(generate([peroxide], BONDED, charging=BOND_MOMENT), H1_O1=0.4)

    expected = 0.4 / np.hypot(1.0, 0.5)
    np.testing.assert_allclose(charges(field), expected * np.array([1, -1, -1, 1]), rtol=0, atol=1e-15)


def test_equal_types_exchange_nothing(peroxide):
    field = generate([peroxide], BONDED, charging=CHARGE_INCREMENT)

    assert [row.name for row in field.rows if row.term is CHARGE_INCREMENT] == ["charge_increment H1-O1"]


def test_charges_interact_three_bonds_apart(peroxide):
    field = moved(generate([peroxide], BONDED, charging=CHARGE_INCREMENT), H1_O1=0.4)
    uncharged = moved(field, H1_O1=0.0)

    energy, without = (
        float(energies(f.model, f.topology, jnp.asarray(peroxide.positions))[0]) for f in (field, uncharged)
    )

    distance = np.hypot(3.0, 0.5)
    np.testing.assert_allclose(energy - without, units.COULOMB * 0.16 / distance, rtol=1e-14)


@pytest.mark.parametrize("charging", [CHARGE_INCREMENT, BOND_MOMENT], ids=lambda term: term.name)
def test_molecules_keep_their_charges(generator, charging):
    molecules = [chain("HOCF", charge=-1), chain("FCOH", charge=2), chain("CHO"), chain("O", charge=-2)]
    field = generate(molecules, BONDED, charging=charging)
    drawn = replace(field.model, values=field.model.values + generator.normal(size=len(field.model.values)))

    found = np.asarray(drawn.charges(field.topology))

    totals = np.bincount(field.topology.molecule, weights=found)
    np.testing.assert_allclose(totals, [-1.0, 2.0, 0.0, -2.0], rtol=0, atol=1e-12)


def test_atoms_of_one_kind_share_the_charge_of_an_ion():
    formate = chain("OCOH", bonds=[[0, 1], [1, 2], [1, 3]], charge=-1, formal_charges=np.array([-1, 0, 0, 0]))

    np.testing.assert_array_equal(even_charges(formate), [-0.25] * 4)


def test_pieces_have_the_formal_charges_of_their_atoms():
    complex_ = chain("FHHO", bonds=[[1, 3], [2, 3]], charge=-1, formal_charges=np.array([-1, 0, 0, 0]), n_pieces=2)

    np.testing.assert_array_equal(even_charges(complex_), [-1.0, 0.0, 0.0, 0.0])


def test_pieces_of_a_neutral_complex_are_neutral():
    np.testing.assert_array_equal(even_charges(chain("FHHO", bonds=[[0, 1], [2, 3]], n_pieces=2)), 0.0)


def test_an_ion_in_pieces_must_say_which_is_charged():
    complex_ = chain("FHHO", bonds=[[1, 3], [2, 3]], charge=-1, n_pieces=2)

    with pytest.raises(InputError, match="FHHO: of 2 pieces with a charge of -1 together it is not known which has it"):
        generate([complex_], BONDED, charging=CHARGE_INCREMENT)


@pytest.mark.parametrize("formal", [[-1, -1, 0, 0], [0, 0, 0, 0]])
def test_formal_charges_that_miss_the_charge_of_the_whole_say_nothing(formal):
    complex_ = chain("FHHO", bonds=[[1, 3], [2, 3]], charge=-1, formal_charges=np.array(formal), n_pieces=2)

    with pytest.raises(InputError, match="of 2 pieces with a charge of -1 together it is not known which has it"):
        even_charges(complex_)
