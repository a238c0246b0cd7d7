"""Generated force fields of the form opls: pairs three bonds apart by half, and the same energies in every engine."""

from dataclasses import replace

import numpy as np
import pytest

from certain import instance
from forgefield.assign.generated import generate
from forgefield.assign.typed_rules import TypedRules
from forgefield.io.forcefields.gromacs.topology import read_top
from forgefield.io.forcefields.gromacs.writer import TOP
from forgefield.io.forcefields.lammps.writer import LAMMPS
from forgefield.io.forcefields.native import read_native, write_native
from forgefield.io.forcefields.openmm.system.templates import read_templates
from forgefield.io.forcefields.openmm.templates_writer import TEMPLATES
from forgefield.io.forcefields.tinker.writer import TINKER
from forgefield.io.molecules import read_structures
from forgefield.jobs.fit.plan.choices import FORMS, USUAL_TERMS, form_of, terms_named
from forgefield.molecules.paths import bond_separations
from forgefield.terms.nonbonded import COULOMB
from system_energies import ours, require_same
from tinker_energies import energies_of_tinker

# Compares whole systems with other programs.
pytestmark = pytest.mark.slow

OPLS = FORMS["opls"]


@pytest.fixture
def ethane(molecules):
    """A molecule with torsions, turned a little out of its symmetry."""
    found = molecules[1]
    moved = np.random.default_rng(3).normal(0.0, 0.05, found.positions.shape)
    return replace(found, positions=found.positions + moved)


@pytest.fixture
def field(random_field, ethane):
    """Its force field of the form, with van der Waals energies and charges."""
    terms = terms_named("opls", USUAL_TERMS)
    return random_field(*terms, of=[ethane], van_der_waals=OPLS["vdw"], charging=OPLS["charges"])


@pytest.mark.parametrize(("form", "scale"), [("opls", 0.5), ("harmonic", 1.0)])
def test_pairs_three_bonds_apart_act_by_half(form, scale, tmp_path):
    (tmp_path / "propane.smi").write_text("CCC\n")
    (propane,) = read_structures(tmp_path / "propane.smi")
    own = FORMS[form]

    field = generate([propane], terms_named(form, USUAL_TERMS), van_der_waals=own["vdw"], charging=own["charges"])

    apart = bond_separations(propane.n_atoms, propane.bonds)
    for term in (own["vdw"], COULOMB):
        group = field.topology.interactions[field.model.terms.index(term)]
        found = np.asarray(field.model.values)[np.asarray(group.parameters)[:, -1]]
        far = apart[tuple(np.asarray(group.atoms).T)]
        assert set(far.tolist()) == {3, 4}
        np.testing.assert_array_equal(found, np.where(far == 3, scale, 1.0))
    assert form_of({row.term for row in field.rows}) == form


def test_the_native_file_brings_the_scales_back(field, ethane, energies, tmp_path):
    write_native(tmp_path / "a.json", field)
    rules = instance(TypedRules, read_native(tmp_path / "a.json"))

    again = rules.assign([rules.typing(ethane)])

    x = ethane.positions[None]
    np.testing.assert_allclose(energies(again, x), energies(field, x), rtol=1e-13)


def test_engines_compute_what_we_do(field, ethane, lammps, tmp_path):
    system = TOP.laid(tmp_path / "a", field, [ethane])

    TOP.write_laid(tmp_path / "a.top", field, [ethane])
    LAMMPS.write_laid(tmp_path / "a.lmp", field, [ethane])
    TINKER.write_laid(tmp_path / "a.key", field, [ethane])

    require_same(ours(read_top(tmp_path / "a.top").system, ethane.positions), system, ethane.positions)
    require_same(energies_of_tinker(tmp_path / "a.key"), system, ethane.positions)
    require_same(lammps(tmp_path / "a.lmp"), system, ethane.positions)


@pytest.mark.openmm
@pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning")
def test_openmm_computes_what_we_do(field, ethane, tmp_path):
    pytest.importorskip("openmm", reason="OpenMM is not installed (extra openmm)")
    system = TEMPLATES.laid(tmp_path / "a", field, [ethane])

    TEMPLATES.write_laid(tmp_path / "a.xml", field, [ethane])

    found = read_templates(tmp_path / "a.xml").over(ethane).system
    require_same(ours(found, ethane.positions), system, ethane.positions)
