"""How the files of a fit are used: commands and scripts that run in its folder as they are printed."""

import json
import shlex
from collections.abc import Sequence
from dataclasses import dataclass

_ASE = """\
from ase import Atoms
from ase.optimize import BFGS

import forgefield as ff

molecule = ff.read({structure})[0].molecule
atoms = Atoms(molecule.species, molecule.positions, info={{"charge": molecule.charge}})
atoms.info["multiplicity"] = molecule.multiplicity
atoms.calc = ff.ForgeFieldCalculator(".")
BFGS(atoms).run(fmax=0.01)
print(atoms.get_potential_energy())  # eV"""
_OPENMM = """\
from openmm import LangevinMiddleIntegrator, unit
from openmm.app import Element, ForceField, Simulation, Topology

import forgefield as ff
from forgefield.molecules.bonds import perceive_bonds

molecule = ff.read({structure})[0].molecule
bonds = molecule.bonds if len(molecule.bonds) else perceive_bonds(molecule.species, molecule.positions)[0]
topology = Topology()
residue = topology.addResidue("molecule", topology.addChain())
elements = [Element.getByAtomicNumber(int(z)) for z in molecule.species]
atoms = [topology.addAtom(f"{{e.symbol}}{{k}}", e, residue) for k, e in enumerate(elements, 1)]
for one, other in bonds:
    topology.addBond(atoms[one], atoms[other])
system = ForceField("forcefield.xml").createSystem(topology)
integrator = LangevinMiddleIntegrator(300 * unit.kelvin, 1 / unit.picosecond, 0.0005 * unit.picosecond)
simulation = Simulation(topology, system, integrator)
simulation.context.setPositions(molecule.positions * unit.angstrom)
simulation.minimizeEnergy()
simulation.step(1000)
print(simulation.context.getState(getEnergy=True).getPotentialEnergy())"""
_SYSTEM = """\
from pathlib import Path

from openmm import Context, LangevinMiddleIntegrator, XmlSerializer, unit

import forgefield as ff

system = XmlSerializer.deserialize(Path("forcefield.system.xml").read_text())
context = Context(system, LangevinMiddleIntegrator(300.0, 1.0, 0.0005))  # K, 1/ps, ps
context.setPositions(ff.read({structure})[0].molecule.positions * unit.angstrom)
context.getIntegrator().step(1000)
print(context.getState(getEnergy=True).getPotentialEnergy())"""
_COMMANDS = """\
forgefield relax {force_field} {structure} -o relaxed
forgefield md {force_field} {structure} --ensemble nvt --temperature 300 --steps 20000
forgefield modes {force_field} {structure}"""
_TLEAP = """\
loadAmberParams forcefield.frcmod
MOL = loadMol2 {structure}
saveAmberParm MOL molecule.prmtop molecule.inpcrd"""
_SANDER = """\
printf 'minimise\\n&cntrl imin=1, maxcyc=500, ntb=0, igb=0, cut=999.0 /\\n' > min.in
sander -O -i min.in -p forcefield.prmtop -c forcefield.inpcrd -o min.out -r min.rst7"""
_GROMACS = """\
printf 'integrator = steep\\nnsteps = 500\\nrcoulomb = 4.0\\nrvdw = 4.0\\nepsilon-rf = 1\\n' > min.mdp
gmx grompp -f min.mdp -p forcefield.top -c forcefield.gro -o min.tpr
gmx mdrun -nt 1 -deffnm min"""
_CHARMM = """\
from openmm.app import CharmmParameterSet, CharmmPsfFile, NoCutoff

structure = CharmmPsfFile("forcefield.psf")
parameters = CharmmParameterSet("forcefield.rtf", "forcefield.prm")
system = structure.createSystem(parameters, nonbondedMethod=NoCutoff)
print(system.getNumParticles())"""
_LAMMPS = """\
include forcefield.lmp
minimize 0.0 1.0e-6 500 5000
write_data minimised.data pair ij"""
_OPENFF = """\
from dataclasses import replace
from pathlib import Path

from openff.toolkit import ForceField, Molecule
from openmm import Context, LangevinMiddleIntegrator, unit

import forgefield as ff
from forgefield.io.structures.drawn import chemical_graph
from forgefield.molecules.bonds import perceive_bonds

molecule = ff.read({structure})[0].molecule
if not len(molecule.bonds):
    bonds, orders = perceive_bonds(molecule.species, molecule.positions)
    molecule = replace(molecule, bonds=bonds, orders=orders)
graph = chemical_graph(molecule, Path("molecule"))
topology = Molecule.from_rdkit(graph, allow_undefined_stereo=True).to_topology()
system = ForceField("forcefield.offxml").create_openmm_system(topology)
context = Context(system, LangevinMiddleIntegrator(300.0, 1.0, 0.0005))  # K, 1/ps, ps
context.setPositions(molecule.positions * unit.angstrom)
context.getIntegrator().step(1000)
print(context.getState(getEnergy=True).getPotentialEnergy())"""
_TINKER = """\
analyze forcefield.xyz -k forcefield.key E
minimize forcefield.xyz -k forcefield.key 0.01
dynamic forcefield.xyz -k forcefield.key 20000 0.5 0.1 2 300"""


@dataclass(frozen=True)
class Use:
    """A way to use the files."""

    title: str
    text: str
    """As it is typed."""
    note: str = ""


def uses(files: Sequence[str], structure: str, *, alone: bool) -> list[Use]:
    """Return what can be done with files of these names, from a file of structures as seen from their folder.

    Commands that take one structure need one that is `alone` in its file.
    """
    if not structure or not any(name.startswith("forcefield.") for name in files):
        return []
    quoted = json.dumps(structure, ensure_ascii=False)
    found = [Use("ASE", _ASE.format(structure=quoted), "In Python, in this folder.")]
    if "forcefield.xml" in files:
        found.append(Use("OpenMM", _OPENMM.format(structure=quoted), "In Python, in this folder."))
    if "forcefield.system.xml" in files:
        note = "In Python, in this folder, of atoms in the order of the force field."
        found.append(Use("System of OpenMM", _SYSTEM.format(structure=quoted), note))
    if alone:
        commands = _COMMANDS.format(structure=shlex.quote(structure), force_field=".")
        found.append(Use("Command line", commands, "In a shell, in this folder."))
    if "forcefield.frcmod" in files:
        held = sorted(name for name in files if name.endswith(".mol2"))
        told = "" if held else " With a mol2 file whose atoms have the types of the frcmod."
        found.append(Use("tleap", _TLEAP.format(structure=held[0] if held else "molecule.mol2"), f"In tleap.{told}"))
    engines = {
        "forcefield.prmtop": Use("AMBER", _SANDER, "In a shell, in this folder."),
        "forcefield.top": Use("GROMACS", _GROMACS, "In a shell, in this folder."),
        "forcefield.psf": Use("CHARMM's files in OpenMM", _CHARMM, "In Python, in this folder."),
        "forcefield.lmp": Use("LAMMPS", _LAMMPS, "As a file min.in of this folder: lmp -in min.in."),
        "forcefield.offxml": Use("OpenFF", _OPENFF.format(structure=quoted), "In Python, in this folder."),
        "forcefield.key": Use("Tinker", _TINKER, "In a shell, in this folder: energies, a minimum, 10 ps at 300 K."),
    }
    found += [use for name, use in engines.items() if name in files]
    return found
