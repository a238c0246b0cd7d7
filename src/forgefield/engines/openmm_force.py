"""Any force field as a force of OpenMM: a `PythonForce` that computes the molecule as the ASE calculator does."""

from pathlib import Path
from typing import Any

import numpy as np
from ase import Atoms
from jaxtyping import Float

from forgefield import units
from forgefield.engines.ase import ForgeFieldCalculator
from forgefield.errors import InputError
from forgefield.io.assemble.single import single
from forgefield.io.molecules import read_structures
from forgefield.io.structures.atom_types import find_atom_types
from forgefield.molecules.molecule import Molecule, atomic_weights

try:
    import openmm
    from openmm.unit import md_unit_system
except ImportError as error:
    raise InputError(f"OpenMM is not installed ({error}); run: pip install 'forgefield[openmm]'") from error

_EV_IN_KILOJOULE = units.ELECTRONVOLT / units.KILOJOULE
_STEPS = (1e-3, 3e-4, 1e-4)
"""nm"""
_SHARE = 1e-3
"""Of the largest slope, that a difference of energies may be off; single precision leaves 10⁻⁴."""


class Compute:
    """Energy [kJ/mol] and forces [kJ/mol/nm] at the positions of a state."""

    def __init__(self, calculator: ForgeFieldCalculator, molecule: Molecule) -> None:
        state = {"charge": molecule.charge, "multiplicity": molecule.multiplicity}
        self._atoms = Atoms(molecule.species, molecule.positions, info=state)
        self._atoms.calc = calculator

    def __call__(self, state: Any) -> tuple[float, Float[np.ndarray, "atoms 3"]]:
        """Return them."""
        self._atoms.positions[:] = (
            np.asarray(state.getPositions(asNumpy=True).value_in_unit_system(md_unit_system)) * units.NANOMETRE
        )
        energy, forces = self._atoms.get_potential_energy(), self._atoms.get_forces()
        return energy * _EV_IN_KILOJOULE, forces * (_EV_IN_KILOJOULE * units.NANOMETRE)


def python_force(force_field: Path | str, structure: Path | str) -> "openmm.PythonForce":
    """Return a force field over the molecule of a file as a force, for a system of just its atoms in their order.

    Raises InputError where this OpenMM has no `PythonForce`, which came with version 8.4, and where force field and
    molecule do not go together.
    """
    if not hasattr(openmm, "PythonForce"):
        raise InputError(f"OpenMM {openmm.__version__} has no PythonForce; run: pip install 'openmm>=8.4'")
    calculator = ForgeFieldCalculator(force_field, structure)
    return openmm.PythonForce(Compute(calculator, _molecule(force_field, structure)))


def system_of(force_field: Path | str, structure: Path | str) -> tuple["openmm.System", Float[np.ndarray, "atoms 3"]]:
    """Return a system of a molecule under a force field alone, and the positions of its atoms [nm].

    Forces are compared with differences of energies in OpenMM first. Raises InputError as `python_force` does, and
    where they do not agree.
    """
    molecule = _molecule(force_field, structure)
    system = openmm.System()
    for mass in atomic_weights(molecule.species).tolist():
        system.addParticle(mass)
    system.addForce(python_force(force_field, structure))
    positions = molecule.positions / units.NANOMETRE
    _require_slopes(system, positions, f"{force_field} over {structure}")
    return system, positions


def _molecule(force_field: Path | str, structure: Path | str) -> Molecule:
    path = Path(structure)
    return single(read_structures(path, atom_types=find_atom_types([path, Path(force_field)])))


def _require_slopes(system: "openmm.System", positions: Float[np.ndarray, "atoms 3"], what: str) -> None:
    """Raise InputError where forces in OpenMM are not the slope of energies in OpenMM, along two random directions."""
    context = openmm.Context(system, openmm.VerletIntegrator(0.0005), openmm.Platform.getPlatformByName("Reference"))

    def state(x: Float[np.ndarray, "atoms 3"]) -> Any:
        context.setPositions(x)
        return context.getState(getEnergy=True, getForces=True)

    def energy(x: Float[np.ndarray, "atoms 3"]) -> float:
        return float(state(x).getPotentialEnergy()._value)

    forces = np.asarray(state(positions).getForces(asNumpy=True)._value)
    scale = max(float(np.abs(forces).max()), 100.0)
    for direction in np.random.default_rng(0).normal(size=(2, *positions.shape)):
        along = direction / np.linalg.norm(direction)
        slope = -float(np.sum(forces * along))
        off = min(
            abs((energy(positions + h * along) - energy(positions - h * along)) / (2.0 * h) - slope) for h in _STEPS
        )
        if not off <= _SHARE * scale:
            raise InputError(f"{what}: forces in OpenMM are off the slope of the energy by {off:.3g} kJ/mol/nm")
