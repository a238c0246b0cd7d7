"""Scripts by which other programs run a force field over one molecule, with ForgeField beside them."""

import json
from pathlib import Path

from forgefield.io.outputs import write_text
from forgefield.jobs.export.laid_molecule import LaidMolecule

_IPI = '''"""{formula} under {name} for i-PI, in its own process:

    <ffdirect name="forgefield"> <pes>custom</pes> <pes_path>{file}</pes_path> </ffdirect>
"""

import numpy as np
from ase import Atoms
from ase.units import Bohr, Hartree
from ipi.pes.dummy import Dummy_driver

from forgefield import ForgeFieldCalculator

__DRIVER_NAME__ = "forgefield"
__DRIVER_CLASS__ = "ForgeFieldDriver"


class ForgeFieldDriver(Dummy_driver):
    """Computes the molecule in vacuum; the atoms are those of the structure, in their order."""

    def check_parameters(self):
        """Read the force field."""
        symbols = {symbols}
        self.atoms = Atoms(symbols, np.zeros((len(symbols), 3)), info={state})
        self.atoms.calc = ForgeFieldCalculator({force_field}, {structure})

    def compute_structure(self, cell, pos):
        """Return energy, forces and virial in atomic units: a molecule in vacuum presses on no cell."""
        self.atoms.positions[:] = np.reshape(pos, (-1, 3)) * Bohr
        energy, forces = self.atoms.get_potential_energy(), self.atoms.get_forces()
        return energy / Hartree, np.reshape(forces, np.shape(pos)) / (Hartree / Bohr), np.zeros((3, 3)), ""
'''
_OPENMM = '''"""{formula} under {name} in OpenMM: 10 ps of Langevin dynamics at 300 K, or the system to build upon."""

import sys

import openmm
from openmm import unit

from forgefield.engines.openmm_force import system_of

# Forces are compared with differences of energies in OpenMM here.
system, positions = system_of({force_field}, {structure})

if __name__ == "__main__":
    integrator = openmm.LangevinMiddleIntegrator(300 * unit.kelvin, 1 / unit.picosecond, 0.5 * unit.femtosecond)
    context = openmm.Context(system, integrator, openmm.Platform.getPlatformByName("Reference"))
    context.setPositions(positions)
    context.setVelocitiesToTemperature(300 * unit.kelvin, 0)
    for _ in range(int(sys.argv[1]) if len(sys.argv) > 1 else 20):
        integrator.step(1000)
        state = context.getState(getEnergy=True)
        print(state.getTime(), state.getPotentialEnergy())
'''


def write_ipi(path: Path, laid: LaidMolecule, force_field: Path, structure: Path) -> None:
    """Write a driver that i-PI loads by its path."""
    _write(path, _IPI, laid, force_field, structure)


def write_openmm(path: Path, laid: LaidMolecule, force_field: Path, structure: Path) -> None:
    """Write a script that makes a system of OpenMM and runs it."""
    _write(path, _OPENMM, laid, force_field, structure)


def _write(path: Path, text: str, laid: LaidMolecule, force_field: Path, structure: Path) -> None:
    molecule = laid.molecule
    written = text.format(
        formula=molecule.formula,
        name=force_field.name,
        file=path.name,
        symbols=json.dumps(list(molecule.symbols)),
        state={"charge": molecule.charge, "multiplicity": molecule.multiplicity},
        force_field=repr(str(force_field.resolve())),
        structure=repr(str(structure.resolve())),
    )
    write_text(path, written)
