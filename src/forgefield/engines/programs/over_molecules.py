"""All molecules of a force field in another program, as one function of the values and the positions."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float

from forgefield.assign.assignment import Assignment
from forgefield.assign.explicit.system import Stated
from forgefield.engines.programs.program import AbstractProgram
from forgefield.errors import InputError
from forgefield.io.forcefields.generated import require_no_switched_torsions
from forgefield.io.forcefields.openmm.system.writer import SWITCHED
from forgefield.io.offenders import listed
from forgefield.models.expansions import Evaluated, with_charges
from forgefield.molecules.molecule import Molecule
from forgefield.terms.cross import TORSION_STRETCH


def require_program(program: AbstractProgram) -> None:
    """Raise InputError where a program cannot be used here."""
    if why := program.why_not():
        raise InputError(f'engine = "{program.name}": {why}')


def require_held(program: AbstractProgram, assignment: Assignment, molecules: Sequence[Molecule]) -> None:
    """Raise InputError that names what a program cannot hold of a force field over molecules."""
    what = f'engine = "{program.name}"'
    require_no_switched_torsions(assignment, list(molecules), (*SWITCHED, TORSION_STRETCH), what)
    missing: dict[str, list[str]] = {}
    for molecule, one in zip(molecules, _stated(assignment, np.asarray(assignment.model.values)), strict=True):
        if found := program.missing(molecule, one):
            missing.setdefault(", ".join(found), []).append(molecule.name)
    if missing:
        named = "; ".join(f"{said} of {listed(names)}" for said, names in missing.items())
        raise InputError(f"{what} cannot hold {named}; leave it out, or choose another engine")


class OverMolecules:
    """A force field over molecules in another program, which is told values where they are not those it has."""

    def __init__(self, program: AbstractProgram, assignment: Assignment, molecules: Sequence[Molecule]) -> None:
        """Set the program up. Raises InputError where it is not there or cannot hold the force field."""
        require_program(program)
        require_held(program, assignment, molecules)
        self._assignment, self._values = assignment, np.array(assignment.model.values)
        self._laid = [
            program.laid(m, one, types)
            for m, one, types in zip(molecules, _stated(assignment, self._values), assignment.types, strict=True)
        ]

    def __call__(
        self, values: Float[np.ndarray, " parameters"], positions: Float[np.ndarray, "atoms 3"], *, curved: bool
    ) -> Evaluated:
        """Return what the program says with these values at positions [Å]; Hessians are zero unless they are wanted."""
        if not np.array_equal(values, self._values):
            self._values = np.array(values)
            for laid, one in zip(self._laid, _stated(self._assignment, values), strict=True):
                laid.change(one)
        topology = self._assignment.topology
        n, size = topology.n_molecules, 3 * topology.n_max
        energy, gradient, hessian = np.zeros(n), np.zeros((topology.n_atoms, 3)), np.zeros((n, size, size))
        for m, laid in enumerate(self._laid):
            own = np.asarray(topology.molecule) == m
            energy[m], gradient[own] = laid.energy_and_gradient(positions[own])
            if curved:
                rows = 3 * int(own.sum())
                hessian[m, :rows, :rows] = laid.hessian(positions[own])
        return Evaluated(energy, gradient, hessian)


def _stated(assignment: Assignment, values: Float[np.ndarray, " parameters"]) -> list[list[Stated]]:
    """Return the interactions of each molecule, whose atoms count from its own first one."""
    topology = assignment.topology
    known = with_charges(values, topology)
    molecule, slot = np.asarray(topology.molecule), np.asarray(topology.slot)
    found: list[list[Stated]] = [[] for _ in range(topology.n_molecules)]
    for term, group in zip(assignment.model.terms, topology.interactions, strict=True):
        atoms, places = np.asarray(group.atoms), np.asarray(group.parameters)
        for m, own in enumerate(found):
            mine = molecule[atoms[:, 0]] == m
            own.append(Stated(term, slot[atoms[mine]], known[places[mine]]))
    return found
