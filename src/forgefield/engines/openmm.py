"""Evaluates force-field XML in OpenMM, on its reference platform in double precision."""

from pathlib import Path
from typing import Any
from xml.etree.ElementTree import ParseError

import numpy as np
from defusedxml import DefusedXmlException
from defusedxml.ElementTree import parse
from jaxtyping import Float

from forgefield import units
from forgefield.errors import InputError
from forgefield.io.forcefields.openmm.couplings import is_coupling_script
from forgefield.molecules.molecule import Molecule, symbol

try:
    import openmm
    from openmm import app
    from openmm.unit import md_unit_system
except ImportError as error:
    raise InputError(f"OpenMM is not installed ({error}); run: pip install 'forgefield[openmm]'") from error

_RUN_AS_CODE = ("Script", "InitializationScript", "Include")
_EVALUATED = "useDispersionCorrection"
"""An attribute that OpenMM hands to Python's eval."""


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
    _require_no_code(xml_path)
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


def _require_no_code(xml_path: Path) -> None:
    """Raise InputError where OpenMM would run part of the file as Python code, or read other files."""
    try:
        elements = [*parse(xml_path).iter()]
    except (OSError, ParseError, DefusedXmlException) as error:
        raise InputError(f"{xml_path}: cannot be read as XML: {error}") from error
    code = [element for element in elements if element.tag in _RUN_AS_CODE]
    found = [e.tag for e in code if e.tag != "Script" or not is_coupling_script(e.text or "")]
    found += [_EVALUATED for element in elements if element.get(_EVALUATED, "True") not in ("True", "False")]
    if found:
        raise InputError(f"{xml_path}: holds {', '.join(found)}, which OpenMM would execute; remove it")
