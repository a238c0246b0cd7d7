"""The programs that own formats of force fields, as judges of them: the energies that each computes, by our kinds."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterable
from functools import cache
from pathlib import Path

import jax
import numpy as np

from forgefield import units
from forgefield.assign.explicit.rules import SystemRules
from forgefield.assign.explicit.system import System
from forgefield.compiled import compiled_quickly
from forgefield.engines.programs.lammps_program import running_lammps

Energies = dict[str, float]
"""By kind [kcal/mol]."""
Positions = np.ndarray
_OF_GROMACS = {
    "Bond": "stretch",
    "Angle": "bend",
    "U-B": "bend",
    **dict.fromkeys(("Proper Dih.", "Ryckaert-Bell.", "Per. Imp. Dih.", "Improper Dih."), "torsion"),
    "CMAP Dih.": "cmap",
    **dict.fromkeys(("LJ-14", "LJ (SR)"), "vdw"),
    **dict.fromkeys(("Coulomb-14", "Coulomb (SR)"), "electrostatic"),
    "Potential": "total",
}
_OF_LAMMPS = {
    "pe": "total",
    "evdwl": "vdw",
    "ecoul": "electrostatic",
    "ebond": "stretch",
    "eangle": "bend",
    "edihed": "torsion",
    "eimp": "torsion",
}
_OF_SANDER = ("total", "vdw", "electrostatic", "", "stretch", "bend", "torsion", "vdw", "electrostatic")
"""What its dump of energies lists."""
_OF_OPENMM = {"HarmonicBondForce": "stretch", "HarmonicAngleForce": "bend"}
_OURS = {"improper": "torsion", "urey_bradley": "bend"}
"""Kinds that programs count among others."""
_POINT = "point\n&cntrl imin=0, nstlim=1, ntb=0, igb=0, cut=999.0, ntpr=1 /\n&debugf do_debugf=1, dumpfrc=1 /\n"
_SETTINGS = """\
integrator = md
nsteps = 0
dt = 0.0001
nstlist = 1
rlist = 4.9
rcoulomb = 4.9
rvdw = 4.9
coulombtype = cut-off
coulomb-modifier = none
vdw-modifier = none
epsilon-rf = 1
nstenergy = 1
nstcalcenergy = 1
continuation = yes
"""


def executable(name: str) -> str | None:
    """Return where a program is: beside Python, or on the PATH."""
    return shutil.which(name, path=f"{Path(sys.executable).parent}:{os.environ['PATH']}")


def run(folder: Path, name: str, *words: object, said: str | None = None) -> None:
    """Run a program in a folder. Raises FileNotFoundError where there is none, RuntimeError with what it says last."""
    path = executable(name)
    if path is None:
        raise FileNotFoundError(name)
    command = [path, *map(str, words)]
    # Where AmberTools came from PyPI nothing else says where its files are.
    home = {"AMBERHOME": str(Path(path).parents[1])} | os.environ
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, input=said, check=False, env=home)
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)}: {(done.stdout + done.stderr)[-2000:]}")


def summed(pairs: Iterable[tuple[str, float]]) -> Energies:
    """Return the sums of energies by kind; those without a kind do not count."""
    found: Energies = {}
    for kind, energy in pairs:
        if kind:
            found[kind] = found.get(kind, 0.0) + energy
    return found


def by_sander(topology: Path, folder: Path) -> Energies:
    """Return what sander computes of a topology, in all digits, at the coordinates beside it."""
    (folder / "mdin").write_text(_POINT)
    dump = folder / "forcedump.dat"
    dump.unlink(missing_ok=True)
    run(folder, "sander", "-O", "-i", "mdin", "-p", topology, "-c", topology.with_suffix(".inpcrd"))
    words = dump.read_text().partition("START of Energies")[2].split()
    return summed((kind, float(word)) for kind, word in zip(_OF_SANDER, words, strict=False))


def through_tleap(frcmod: Path, folder: Path) -> Energies:
    """Return what sander computes of the topology that tleap makes of parameters and the mol2 file beside them."""
    lines = f"loadAmberParams {frcmod}", f"m = loadMol2 {frcmod.with_suffix('.mol2')}"
    (folder / "leap.in").write_text("\n".join([*lines, "saveAmberParm m made.prmtop made.inpcrd", "quit", ""]))
    run(folder, "tleap", "-f", "leap.in")
    return by_sander(folder / "made.prmtop", folder)


def by_gromacs(topology: Path, folder: Path) -> Energies:
    """Return what GROMACS computes of a topology in double precision at the coordinates beside it."""
    (folder / "sp.mdp").write_text(_SETTINGS)
    start = "-p", topology, "-c", topology.with_suffix(".gro")
    run(folder, "gmx_d", "grompp", "-f", "sp.mdp", *start, "-o", "run.tpr", "-maxwarn", 3)
    run(folder, "gmx_d", "mdrun", "-nt", 1, "-s", "run.tpr", "-e", "run.edr")
    every = " ".join(map(str, range(1, 14))) + " 0\n"
    run(folder, "gmx_d", "energy", "-f", "run.edr", "-o", "run.xvg", "-dp", said=every)
    text = (folder / "run.xvg").read_text()
    names = re.findall(r's\d+ legend "(.*?)"', text)
    row = next(line for line in text.splitlines() if line[:1] not in "#@")
    numbers = [float(word) * units.KILOJOULE for word in row.split()[1:]]
    return summed((_OF_GROMACS.get(name, ""), energy) for name, energy in zip(names, numbers, strict=True))


def by_lammps(path: Path, folder: Path) -> Energies:
    """Return what LAMMPS computes of an input, which reads its data from a folder."""
    running = running_lammps()
    running.command(f"shell cd {folder}")
    running.command(f"include {path}")
    running.command(f"thermo_style custom step {' '.join(_OF_LAMMPS)}")
    running.command("run 0")
    found = summed((kind, running.get_thermo(name)) for name, kind in _OF_LAMMPS.items())
    running.close()
    return found


def by_openmm(system: object, positions: Positions) -> Energies:
    """Return what OpenMM computes, torsions and their maps, and all that acts between pairs, together."""
    import openmm  # noqa: PLC0415 (an extra)

    assert isinstance(system, openmm.System)
    kinds = []
    for group, force in enumerate(system.getForces()):
        force.setForceGroup(group)
        name = type(force).__name__
        torsion = "Torsion" in name or "CompoundBond" in name
        kinds.append(_OF_OPENMM.get(name, "torsion" if torsion else "pairs"))
    context = openmm.Context(system, openmm.VerletIntegrator(0.001), openmm.Platform.getPlatformByName("Reference"))
    context.setPositions(positions / units.NANOMETRE)
    each = [
        (kind, context.getState(getEnergy=True, groups=1 << group).getPotentialEnergy()._value * units.KILOJOULE)
        for group, kind in enumerate(kinds)
    ]
    return summed([*each, *(("total", energy) for _, energy in each)])


def by_forgefield(system: System, positions: Positions) -> Energies:
    """Return what we compute of a system at positions [Å]."""
    return _by_forgefield(system, positions.tobytes())


@cache
def _by_forgefield(system: System, held: bytes) -> Energies:
    positions = np.frombuffer(held).reshape(-1, 3)
    laid = SystemRules(system).assign([system.structure(positions, "a", "a")])
    groups = [
        (positions[group.atoms], np.asarray(laid.model.values)[group.parameters])
        for group in laid.topology.interactions
    ]

    # Term by term without jit, hundreds of programs would be compiled: one for each operation and number of rows.
    @compiled_quickly
    def sums(groups):
        return [
            jax.vmap(lambda x, p, term=term: term.energy(x, *p))(*group).sum()
            for term, group in zip(laid.model.terms, groups, strict=True)
        ]

    each = [
        (_OURS.get(term.kind, term.kind), float(energy))
        for term, energy in zip(laid.model.terms, sums(groups), strict=True)
    ]
    return summed([*each, ("total", sum(energy for _, energy in each))])
