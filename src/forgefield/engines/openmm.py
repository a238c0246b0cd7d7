"""Evaluates force-field XML in OpenMM, on its reference platform in double precision."""

from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float

from forgefield import units
from forgefield.errors import InputError
from forgefield.io.forcefields.openmm.system.templates import root_without_code
from forgefield.molecules.molecule import Molecule, symbol

try:
    import openmm
    from openmm import app
    from openmm.unit import md_unit_system
except ImportError as error:
    raise InputError(f"OpenMM is not installed ({error}); run: pip install 'forgefield[openmm]'") from error


def energy(xml_path: Path, molecule: Molecule) -> float:
    """Return the energy of a molecule [kcal/mol] under an OpenMM force field that has a residue template for it.

    Raises InputError where the file holds Python code other than that of our own files, cannot be read or has no
    template for the molecule.
    """
    # The unit system of OpenMM's own numbers: kJ/mol and nm.
    state = _state(xml_path, molecule)
    return float(state.getPotentialEnergy().value_in_unit_system(md_unit_system)) * units.KILOJOULE


def forces(xml_path: Path, molecule: Molecule) -> Float[np.ndarray, "atoms 3"]:
    """Return the forces on a molecule's atoms [kcal/mol/Å]; raises InputError as `energy` does."""
    state = _state(xml_path, molecule)
    found = state.getForces(asNumpy=True).value_in_unit_system(md_unit_system)
    return np.asarray(found) * (units.KILOJOULE / units.NANOMETRE)


def _state(xml_path: Path, molecule: Molecule) -> Any:
    if root_without_code(xml_path).find("Include") is not None:
        raise InputError(f"{xml_path}: holds Include, which OpenMM would read; remove it")
    try:
        system = app.ForceField(str(xml_path)).createSystem(_topology(molecule))
        # Expressions are compiled here, and their functions called in what follows.
        context = openmm.Context(system, openmm.VerletIntegrator(0.001), openmm.Platform.getPlatformByName("Reference"))
        context.setPositions(molecule.positions / units.NANOMETRE)
        return context.getState(getEnergy=True, getForces=True)
    except Exception as error:  # OpenMM raises bare exceptions.
        raise InputError(f"{xml_path}: OpenMM cannot apply it to {molecule.name}: {error}") from error


def _topology(molecule: Molecule) -> app.Topology:
    topology = app.Topology()
    residue = topology.addResidue(molecule.name, topology.addChain())
    atoms = [
        topology.addAtom(f"{symbol(z)}{i}", app.Element.getByAtomicNumber(int(z)), residue)
        for i, z in enumerate(molecule.species, 1)
    ]
    for i, j in molecule.bonds.tolist():
        topology.addBond(atoms[i], atoms[j])
    return topology
