"""Force fields of every kind laid over molecules."""

import pickle
import re
from dataclasses import replace

import jax.numpy as jnp
import jax.random as jr
import numpy as np
import pytest

from certain import known
from forgefield.assign.rules import AbstractRules, rules_of
from forgefield.errors import InputError
from forgefield.io.forcefields.amber.frcmod import write_frcmod
from forgefield.io.forcefields.mm3.generated_fld import write_generated_fld
from forgefield.io.forcefields.neural.painn_file import write_painn
from forgefield.io.rules import load
from forgefield.models.neural.painn import Design, Size, painn
from forgefield.models.neural.radial import QuinticEnvelope, SineBasis
from forgefield.molecules.molecule import Molecule
from forgefield.properties.derivatives import energies
from forgefield.terms.bend import HARMONIC_BEND, MM3_BEND
from forgefield.terms.mm3 import BOND_MOMENT
from forgefield.terms.nonbonded import CHARGE_INCREMENT
from forgefield.terms.stretch import HARMONIC_STRETCH, MM3_STRETCH


def bare(molecule):
    """The molecule as an xyz file has it."""
    return Molecule(molecule.name, molecule.species, molecule.positions, charge=molecule.charge)


@pytest.mark.parametrize(
    ("name", "write", "made_of"),
    [
        ("out.frcmod", write_frcmod, ((HARMONIC_STRETCH, HARMONIC_BEND), CHARGE_INCREMENT)),
        ("out.fld", write_generated_fld, ((MM3_STRETCH, MM3_BEND), None)),
    ],
)
def test_generated_file_finds_its_types_in_bare_molecules(
    molecules, random_field, displaced, tmp_path, name, write, made_of
):
    terms, charging = made_of
    made = random_field(*terms, charging=charging)
    write(tmp_path / name, made, molecules)

    model, topology = load(tmp_path / name).lay([bare(m) for m in molecules])

    x = jnp.asarray(displaced[1])
    np.testing.assert_allclose(
        energies(model, topology, x), energies(made.model, made.topology, x), rtol=1e-3, atol=0.05
    )


def test_formal_charges_of_a_structure_are_no_part_of_generated_charges(molecules, random_field, tmp_path):
    formamide = molecules[4]
    made = random_field(MM3_STRETCH, MM3_BEND, of=[formamide], charging=BOND_MOMENT)
    write_generated_fld(tmp_path / "out.fld", made, [formamide])
    polar = replace(formamide, formal_charges=np.array([0, -1, 0, 0, 1, 0]))

    model, topology = load(tmp_path / "out.fld").lay([polar])

    np.testing.assert_allclose(model.charges(topology), made.model.charges(made.topology), rtol=0, atol=1e-7)


def test_folder_of_a_fit_stands_for_the_file_in_it(molecules, random_field, tmp_path):
    made = random_field(HARMONIC_STRETCH, HARMONIC_BEND)
    write_frcmod(tmp_path / "forcefield.frcmod", made, molecules)

    _, topology = load(tmp_path).lay([bare(m) for m in molecules])

    assert topology.n_atoms == made.topology.n_atoms
    (tmp_path / "forcefield.frcmod").unlink()
    names = (
        "forcefield.fld, forcefield.frcmod, forcefield.xml, forcefield.system.xml, forcefield.top, forcefield.prmtop, "
        "forcefield.lmp, forcefield.offxml, forcefield.key"
    )
    with pytest.raises(InputError, match=re.escape(f"{names}, student.safetensors; has the run ended?")):
        load(tmp_path)


def test_neural_model_takes_charge_and_multiplicity_of_molecules(molecules, tmp_path):
    design = Design((1, 6, 7, 8, 9), SineBasis(6, 4.0), QuinticEnvelope(), 23.06)
    write_painn(tmp_path / "model.safetensors", painn(jr.key(0), design, Size(8, 1, 6), states=True))

    _, topology = load(tmp_path / "model.safetensors").lay([bare(m) for m in molecules])

    assert known(topology.charge).tolist() == [m.charge for m in molecules]
    assert known(topology.unpaired).tolist() == [m.multiplicity - 1 for m in molecules]


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("out.pt", "weights", r"no force field is read from '\.pt' files; give a \.dat, \.fld"),
        (
            "out.frcmod",
            "no legend\nMASS\nBOND\nANGL\nDIHE\nIMPR\nNONB\n",
            "ethane: .*out.frcmod goes by atom types, which the molecule does not have",
        ),
    ],
)
def test_what_cannot_be_laid_says_why(molecules, tmp_path, name, text, message):
    (tmp_path / name).write_text(text)

    with pytest.raises(InputError, match=message):
        load(tmp_path / name).lay([molecules[1]])


def test_rules_that_were_pickled_are_the_same_force_field(molecules, random_field, displaced, tmp_path):
    made = random_field(HARMONIC_STRETCH, HARMONIC_BEND)
    write_frcmod(tmp_path / "out.frcmod", made, molecules)
    rules = load(tmp_path / "out.frcmod")

    again: AbstractRules = pickle.loads(pickle.dumps(rules)).restored()

    x = jnp.asarray(displaced[1])
    bare_ones = [bare(m) for m in molecules]
    np.testing.assert_array_equal(energies(*again.lay(bare_ones), x), energies(*rules.lay(bare_ones), x))


def test_assignment_is_a_force_field_of_its_own_molecules_alone(molecules, random_field):
    made = random_field(HARMONIC_STRETCH, HARMONIC_BEND)

    model, topology = rules_of(made).lay(molecules)

    assert model is made.model
    assert topology is made.topology
    with pytest.raises(InputError, match=r"the force field is laid over \d+ molecule\(s\) with the atoms"):
        rules_of(made).lay(molecules[:1])
