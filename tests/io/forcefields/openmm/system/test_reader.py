"""Systems of OpenMM that other programs made, held against what OpenMM prints for the same files."""

import json
import re
from collections import Counter
from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from certain import instance
from forgefield import units
from forgefield.assign.explicit.rules import SystemRules
from forgefield.errors import InputError
from forgefield.io.forcefields.laid.flat import of_rules
from forgefield.io.forcefields.native import read_native, write_rules
from forgefield.io.forcefields.openmm.system.reader import read_system, rules_of_xml
from forgefield.io.forcefields.openmm.system.writer import xml_of
from forgefield.io.molecules import read_structures
from forgefield.jobs.evaluate import evaluate, forces_of
from forgefield.properties.derivatives import energies

KINDS = {
    "HarmonicBondForce": ("stretch", "urey_bradley"),
    "HarmonicAngleForce": ("bend",),
    "PeriodicTorsionForce": ("torsion", "improper"),
    "CMAPTorsionForce": ("cmap",),
    "NonbondedForce": ("electrostatic", "vdw"),
    "LennardJones": ("vdw",),
    "LennardJones14": ("vdw",),
}


def by_force(stated):
    """Energies by the names of forces, the pairs together, which have several."""
    found = Counter()
    for name, energy in stated.items():
        word = re.sub(r"^\d+ | \(.*", "", name)
        found["pairs" if KINDS[word][-1] == "vdw" else word] += energy
    return found


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:.*states no charges")
@pytest.mark.parametrize("name", ["amber14", "amber19", "charmm36_2024"])
def test_energies_and_forces_are_those_of_openmm(data, name):
    folder = data / "programs" / "openmm"
    printed = json.loads((folder / "energies.json").read_text())[name]
    total, stated = printed.pop("total"), by_force(printed)

    found = evaluate(folder / f"aladip_{name}.system.xml", [folder / f"aladip_{name}.pdb"])

    own = Counter({kind: energy * units.KILOJOULE for kind, energy in found.totals_kj_mol[0].items()})
    pairs = stated.pop("pairs")
    assert own["vdw"] + own["electrostatic"] == pytest.approx(pairs, abs=1e-6)
    for force, energy in stated.items():
        assert sum(own[kind] for kind in KINDS[force]) == pytest.approx(energy, abs=1e-6), force
    assert own["total"] == pytest.approx(total, abs=1e-6)
    forces = np.loadtxt(folder / f"aladip_{name}.forces.txt")
    np.testing.assert_allclose(forces_of(found)[0], forces, atol=1e-7 * np.abs(forces).max())


@pytest.mark.parametrize(
    ("name", "terms"),
    [
        ("oplsaa", {"ryckaert_bellemans", "periodic_improper", "lennard_jones_geometric", "lennard_jones_pair"}),
        ("charmm27", {"urey_bradley", "harmonic_improper", "cmap", "lennard_jones", "lennard_jones_pair"}),
    ],
)
def test_fields_of_gromacs_are_told_by_their_terms_and_have_its_energies(data, name, terms):
    folder = data / "programs" / "gromacs"
    rules = read_system(folder / f"aladip_{name}.openmm.xml")
    (molecule,) = read_structures(folder / f"aladip_{name}.gro", system=rules.system)

    laid = rules.assign([molecule])
    found = energies(laid.model, laid.topology, jnp.asarray(molecule.positions))

    stated = json.loads((folder / "energies.json").read_text())[f"{name}_openmm"]["total"]
    np.testing.assert_allclose(found, [stated], rtol=0, atol=1e-6)
    plain = {"harmonic_stretch", "harmonic_bend", "periodic_torsion", "coulomb"}
    assert {term.name for term in laid.model.terms} - plain == terms


def test_a_system_of_smirnoff_has_the_energies_of_openff(data):
    folder = data / "programs" / "smirnoff"
    rules = read_system(folder / "thiazole.system.xml")
    (molecule,) = read_structures(folder / "thiazole.sdf")
    placed = replace(molecule, positions=np.loadtxt(folder / "thiazole.positions.txt"))

    laid = rules.assign([placed])

    stated = json.loads((folder / "energies.json").read_text())["thiazole"]["total"]
    found = energies(laid.model, laid.topology, jnp.asarray(placed.positions))
    np.testing.assert_allclose(found, [stated], rtol=0, atol=1e-6)


@pytest.mark.parametrize("name", ["openmm/aladip_charmm36_2024.system.xml", "gromacs/aladip_oplsaa.openmm.xml"])
@pytest.mark.openmm
def test_what_is_written_again_is_the_same_in_openmm_and_here(data, in_openmm, name, generator):
    text = (data / "programs" / name).read_text()
    rules = rules_of_xml(text, name)
    written = xml_of(of_rules(rules), name)
    positions = 2.5 * generator.normal(size=(rules.system.n_atoms, 3))

    (before, forces), (after, same) = in_openmm(text, positions), in_openmm(written, positions)
    again = rules_of_xml(written, name)

    np.testing.assert_allclose(after, before, rtol=1e-12)
    np.testing.assert_allclose(same, forces, rtol=0, atol=1e-12 * np.abs(forces).max())
    for one, other in zip(rules.system.interactions, again.system.interactions, strict=True):
        assert one.term == other.term
        np.testing.assert_array_equal(one.atoms, other.atoms)
        np.testing.assert_allclose(one.values, other.values, rtol=1e-12)


FORCE = '<Force type="{}" name="" usesPeriodic="0" {}>{}</Force>'
PAIRS = '<Particles><Particle q="0.5" sig="0.3" eps="0.1"/><Particle q="-0.5" sig="0.3" eps="0.1"/></Particles>'


def system(*forces, constraints="", masses=(1.008, 18.998)):
    particles = "".join(f'<Particle mass="{mass}"/>' for mass in masses)
    return (
        f'<System type="System" version="1"><Particles>{particles}</Particles><Constraints>{constraints}</Constraints>'
        f"<Forces>{''.join(forces)}</Forces></System>"
    )


def nonbonded(particles=PAIRS, rest="", method=0):
    return FORCE.format("NonbondedForce", f'method="{method}"', particles + rest)


def bonds(attributes, kind="HarmonicBondForce"):
    return FORCE.format(kind, "", f"<Bonds><Bond {attributes}/></Bonds>")


def expressed(energy, rest="", kind="CustomBondForce", own=""):
    inside = f'<{own or "PerBondParameters"}><Parameter name="k"/></{own or "PerBondParameters"}>{rest}'
    return FORCE.format(kind, f'energy="{energy}" method="0" particles="2"', inside)


GLOBAL = '<GlobalParameters><Parameter name="c" default="0.5"/></GlobalParameters>'
BOND = '<Bonds><Bond p1="0" p2="1" param1="2"/></Bonds>'
REFUSED = {
    "1 constraints: make the System with constraints=None": system(constraints='<Constraint p1="0" p2="1" d="0.1"/>'),
    "virtual sites or particles without mass (atoms 2)": system(masses=(1.008, 0)),
    "atoms 2 (5 amu) have the mass of no element": system(masses=(1.008, 5)),
    "a GBSAOBCForce; a MonteCarloBarostat": system(
        FORCE.format("GBSAOBCForce", "", ""), FORCE.format("MonteCarloBarostat", "", "")
    ),
    "NonbondedForce '': has the method PME": system(nonbonded(method=4)),
    "a HarmonicBondForce with periodic boundaries": system(bonds("").replace('Periodic="0"', 'Periodic="1"')),
    "has no particles": system(masses=()),
    "<Bond> has k=None, which is no number": system(bonds('p1="0" p2="1" d="0.1"')),
    "<Bond> names atoms p1=0, p2=2 of a System of 2": system(bonds('p1="0" p2="2" d="0.1" k="1"')),
    "<Bond> names atoms p1=1, p2=1 of a System of 2": system(bonds('p1="1" p2="1" d="0.1" k="1"')),
    "NonbondedForce '': is of 0 atoms, but the System has 2": system(nonbonded("<Particles/>")),
    "a charge product where the atoms have no charges": system(
        nonbonded(
            PAIRS.replace("-0.5", "0"), '<Exceptions><Exception p1="0" p2="1" q="1" sig="1" eps="0"/></Exceptions>'
        )
    ),
    "the function 'sine' is not known": system(expressed("k*sine(r)", BOND)),
    "the name 'q' is not known": system(expressed("k*r + q", BOND)),
    "'$' is no part of OpenMM's language": system(expressed("k*$r", BOND)),
    "has tabulated functions, which are not translated": system(
        expressed("k*f(r)", f'{BOND}<Functions><Function name="f"/></Functions>')
    ),
    "distance must be of 2 of its 2 particles": system(
        expressed("k*distance(p1,p3)", BOND, kind="CustomCompoundBondForce")
    ),
    "CustomNonbondedForce '': is of 0 atoms, but the System has 2": system(
        expressed("k1*k2/r", kind="CustomNonbondedForce", own="PerParticleParameters")
    ),
    "is XML of <ForceField>, not a System": "<ForceField/>",
    "is no XML that can be read": "<System>",
    "EntitiesForbidden": '<!DOCTYPE x [<!ENTITY a "b">]><System>&a;</System>',
}


@pytest.mark.parametrize(("message", "text"), REFUSED.items(), ids=list(REFUSED))
def test_what_is_not_ours_or_cannot_be_is_named(message, text):
    with pytest.raises(InputError, match=re.escape(message)) as error:
        rules_of_xml(text, "x.xml")

    assert str(error.value).startswith("x.xml: ")


@pytest.mark.parametrize(
    ("energy", "n_bonds"),
    [("k*(1-exp(-20*(r-0.09)))^2", 1), ("k*(1-exp(-20*(r-0.3)))^2", 0), ("k/r", 0), ("k*r^3", 0)],
)
def test_expressions_hold_a_bond_where_they_are_lowest_at_the_length_of_one(energy, n_bonds):
    found = rules_of_xml(system(expressed(energy, BOND)), "x.xml").system

    assert len(found.bonds) == n_bonds
    assert [one.term.name for one in found.interactions] == ["custom"]


def test_expressions_are_the_same_in_the_native_file(tmp_path):
    coupled = expressed("k*distance(p1,p2)^3+c", f"{GLOBAL}{BOND}", kind="CustomCompoundBondForce")
    rules = rules_of_xml(system(coupled), "x.xml")

    write_rules(tmp_path / "x.json", rules)

    again = instance(SystemRules, read_native(tmp_path / "x.json"))
    ((found,), (kept,)) = rules.system.interactions, again.system.interactions
    assert found.term is kept.term
    np.testing.assert_array_equal(kept.values, found.values)


def test_a_native_file_with_an_expression_of_what_nobody_knows_is_refused(tmp_path):
    write_rules(tmp_path / "x.json", rules_of_xml(system(expressed("k*r^3", BOND)), "x.xml"))
    wrong = tmp_path / "wrong.json"
    wrong.write_text((tmp_path / "x.json").read_text().replace("k*r^3", "k*sine(r)"))

    with pytest.raises(InputError, match=r"wrong\.json: .*'sine' is not known"):
        read_native(wrong)


def test_an_expression_for_all_pairs_acts_between_those_that_are_not_excluded():
    particles = "".join(f'<Particle param1="{k}"/>' for k in (2, 3, 5))
    excluded = '<Exclusions><Exclusion p1="1" p2="0"/></Exclusions>'
    force = expressed(
        *("k1*k2*exp(-r)", f"<Particles>{particles}</Particles>{excluded}"),
        kind="CustomNonbondedForce",
        own="PerParticleParameters",
    )

    (found,) = rules_of_xml(system(force, masses=(1.008, 15.999, 1.008)), "x.xml").system.interactions

    np.testing.assert_array_equal(found.atoms, [[0, 2], [1, 2]])
    of_pair = jax.vmap(lambda values: found.term.energy(jnp.array([[0.0, 0.0, 0.0], [0.0, 0.0, 20.0]]), *values))
    by_hand = np.array([10.0, 15.0]) * np.exp(-2.0) / 4.184
    np.testing.assert_allclose(of_pair(jnp.asarray(found.values)), by_hand, rtol=1e-12)


def test_expressions_need_no_parameters():
    particles = "<Particles><Particle/><Particle/></Particles>"
    between = FORCE.format("CustomNonbondedForce", 'energy="exp(-r)" method="0"', particles)
    bonded = FORCE.format("CustomBondForce", 'energy="r^3"', '<Bonds><Bond p1="0" p2="1"/></Bonds>')
    x = jnp.array([[0.0, 0.0, 0.0], [0.0, 0.0, 20.0]])

    found = rules_of_xml(system(between, bonded), "x.xml").system.interactions

    values = {one.term.kind: one.term.energy(x, *one.values[0]) for one in found}
    np.testing.assert_allclose(values["vdw"], np.exp(-2.0) / 4.184, rtol=1e-12)
    np.testing.assert_allclose(values["stretch"], 8.0 / 4.184, rtol=1e-12)


@pytest.mark.parametrize(
    ("energy", "term", "values"),
    [
        ("4*eps*((0.1/r)^12-(0.1/r)^6); eps=k", "lennard_jones_pair", [2 ** (1 / 6), 2 / 4.184]),
        ("k*(r-b)^2; b=0.1", "harmonic_stretch", [2 * 2 / 418.4, 1.0]),
        ("k*(r-0.1)^4", "custom", [2.0]),
    ],
)
def test_expressions_of_two_atoms_are_terms_of_ours_where_they_have_their_values(energy, term, values):
    (found,) = rules_of_xml(system(expressed(energy, BOND)), "x.xml").system.interactions

    assert found.term.name == term
    np.testing.assert_allclose(found.values, [values], rtol=1e-9)
