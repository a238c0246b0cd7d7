"""Cutoff, switching and reaction field of a topology, as OpenMM has them, with pairs that have values of their own."""

import re

import pytest

from forgefield import units
from forgefield.errors import InputError
from forgefield.jobs.evaluate import evaluate
from forgefield.terms.nonbonded import LENNARD_JONES_PAIR

CUTOFF, SWITCH, DIELECTRIC = 6.0, 4.5, 20.0
_SECTION = re.compile(r"%FLAG (\w+)\s*\n%FORMAT\(.*\)\s*\n((?:(?!%FLAG).*\n)*)")
_WIDTH = 16


def with_own_pairs(text: str, factor: float) -> str:
    """Return a prmtop in which all pairs of different types have other coefficients than these combine to."""
    sections = dict(_SECTION.findall(text))
    index = [int(word) for word in sections["NONBONDED_PARM_INDEX"].split()]
    n = round(len(index) ** 0.5)
    diagonal = {index[k * (n + 1)] for k in range(n)}
    for letter in "AB":
        name = f"LENNARD_JONES_{letter}COEF"
        values = [float(word) for word in sections[name].split()]
        other = [v if k in diagonal else factor * v for k, v in enumerate(values, 1)]
        rows = ["".join(f"{v:{_WIDTH}.8E}" for v in other[k : k + 5]) for k in range(0, len(other), 5)]
        text = text.replace(sections[name], "\n".join([*rows, ""]))
    return text


def in_openmm(path, positions) -> float:
    """Return the energy of all pairs [kcal/mol] as OpenMM computes it with a cutoff."""
    app = pytest.importorskip("openmm.app", reason="OpenMM is not installed (extra openmm)")
    openmm = pytest.importorskip("openmm")
    system = app.AmberPrmtopFile(str(path)).createSystem(
        nonbondedMethod=app.CutoffNonPeriodic,
        nonbondedCutoff=CUTOFF / units.NANOMETRE,
        switchDistance=SWITCH / units.NANOMETRE,
    )
    ours = openmm.NonbondedForce, openmm.CustomNonbondedForce, openmm.CustomBondForce
    for force in system.getForces():
        force.setForceGroup(int(isinstance(force, ours)))
        if isinstance(force, openmm.NonbondedForce):
            force.setReactionFieldDielectric(DIELECTRIC)
    context = openmm.Context(system, openmm.VerletIntegrator(0.001), openmm.Platform.getPlatformByName("Reference"))
    context.setPositions(positions / units.NANOMETRE)
    return context.getState(getEnergy=True, groups={1}).getPotentialEnergy()._value * units.KILOJOULE


@pytest.mark.slow
@pytest.mark.openmm
@pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("factor", [1.0, 1.3])
def test_pairs_end_as_in_openmm(data, tmp_path, factor):
    folder = data / "programs" / "amber"
    path = tmp_path / "a.prmtop"
    path.write_text(with_own_pairs((folder / "paracetamol.prmtop").read_text(), factor))

    found = evaluate(path, [folder / "paracetamol.inpcrd"], cutoff=CUTOFF, switch=SWITCH, dielectric=DIELECTRIC)

    (totals,) = found.totals_kj_mol
    # AMBER's Coulomb constant is not OpenMM's.
    vdw, charge = (totals[kind] * units.KILOJOULE for kind in ("vdw", "electrostatic"))
    wanted = in_openmm(path, found.molecules[0].positions)
    assert vdw + charge * 332.06371 / 332.0522173 == pytest.approx(wanted, abs=1e-5)
    assert found.system is not None
    assert any(one.term is LENNARD_JONES_PAIR and len(one.atoms) for one in found.system.interactions) == (factor > 1.0)


def test_what_is_no_pair_of_atoms_has_no_cutoff(tmp_path):
    (tmp_path / "a.prm").write_text(
        'atom 1 C "C" 6 12.0 1\nvdw 1 1.9 0.1\nbond 1 1 1 1.4\ndipole 1 1 1.0 0.5\nelectric 332.0\n'
    )
    (tmp_path / "a.xyz").write_text("4\n1 C 0 0 0 1 2\n2 C 1.4 0 0 1 1\n3 C 0 4 0 1 4\n4 C 1.4 4 0 1 3\n")
    (tmp_path / "a.key").write_text("parameters a.prm\n")

    with pytest.raises(InputError, match="dipole_pair interactions are no pairs of atoms and have no cutoff"):
        evaluate(tmp_path / "a.key", [tmp_path / "a.xyz"], cutoff=5.0)
