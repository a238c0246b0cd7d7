"""AMBER topologies of CHARMM's force field, as ParmEd writes them, held against OpenMM's reading of them."""

import shutil
import warnings
from pathlib import Path

import numpy as np
import pytest

from forgefield import units
from forgefield.errors import InputError
from forgefield.io.forcefields.amber.prmtop import read_prmtop
from forgefield.jobs.evaluate import evaluate
from forgefield.terms.nonbonded import LENNARD_JONES_PAIR

app = pytest.importorskip("openmm.app", reason="no OpenMM (extra openmm)")
pytestmark = pytest.mark.openmm
KINDS = {
    "HarmonicBondForce": ("stretch",),
    "UreyBradleyForce": ("urey_bradley",),
    "HarmonicAngleForce": ("bend",),
    "PeriodicTorsionForce": ("torsion",),
    "ImproperTorsionForce": ("improper",),
    "CMAPTorsionForce": ("cmap",),
    "NonbondedForce": ("vdw", "electrostatic"),
}
OF_OPENMM = 332.06371 / 18.2223**2
"""OpenMM takes charges as AMBER's root of Coulomb's constant has them, and energies by its own constant."""


@pytest.fixture(scope="module")
def chamber(data, tmp_path_factory):
    """Alanine dipeptide of CHARMM27."""
    parmed = pytest.importorskip("parmed", reason="no ParmEd (extra programs)")
    folder = Path("/usr/share/gromacs/top")
    if not folder.is_dir() or shutil.which("gmx_d") is None:
        pytest.skip("no GROMACS, whose files have CHARMM27")
    target = tmp_path_factory.mktemp("chamber") / "chamber.prmtop"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        parmed.gromacs.GROMACS_TOPDIR = str(folder)
        source = str(data / "programs" / "gromacs" / "aladip_charmm27")
        found = parmed.load_file(f"{source}.top", xyz=f"{source}.gro")
        found.box = None
        topology = parmed.amber.ChamberParm.from_structure(found)
        topology.box = None
        topology.save(str(target))
        topology.save(str(target.with_suffix(".inpcrd")), format="rst7")
    return target


def test_energies_by_term_are_those_of_openmm(chamber):
    openmm = pytest.importorskip("openmm")
    system = app.AmberPrmtopFile(str(chamber)).createSystem(rigidWater=False, removeCMMotion=False)
    for number, force in enumerate(system.getForces()):
        force.setForceGroup(number)
    platform = openmm.Platform.getPlatformByName("Reference")
    context = openmm.Context(system, openmm.VerletIntegrator(0.001), platform)
    context.setPositions(app.AmberInpcrdFile(str(chamber.with_suffix(".inpcrd"))).positions)

    found = evaluate(chamber, [chamber.with_suffix(".inpcrd")])

    (totals,) = found.totals_kj_mol
    own = {kind: energy * units.KILOJOULE for kind, energy in totals.items()}
    own["electrostatic"] *= OF_OPENMM
    for number, force in enumerate(system.getForces()):
        energy = context.getState(getEnergy=True, groups={number}).getPotentialEnergy()._value * units.KILOJOULE
        assert sum(own[kind] for kind in KINDS[force.getName()]) == pytest.approx(energy, abs=2e-7)
    assert "Coulomb constant 332.07160" in found.note


def test_pairs_three_bonds_apart_have_their_own_coefficients(chamber):
    (own,) = [
        one for one in read_prmtop(chamber).system.interactions if one.term is LENNARD_JONES_PAIR and len(one.atoms)
    ]

    # In CHARMM27 aliphatic carbons are smaller and shallower there: 3.8 Å and 0.01 kcal/mol.
    assert (np.abs(own.values - [3.8, 0.01]).max(axis=1) < 1e-3).any()


def test_a_topology_that_is_cut_is_refused(chamber, tmp_path):
    text = chamber.read_text()
    wrong = tmp_path / "wrong.prmtop"
    wrong.write_text(text.replace("%FLAG LENNARD_JONES_14_ACOEF", "%FLAG LENNARD_JONES_15_ACOEF"))

    with pytest.raises(InputError, match="has no section LENNARD_JONES_14_ACOEF"):
        read_prmtop(wrong)
