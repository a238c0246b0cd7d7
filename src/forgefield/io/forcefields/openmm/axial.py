"""Torsions about straight chains of atoms as a script in OpenMM XML, whose own go along bonds."""

import math
from dataclasses import replace
from pprint import pformat

from forgefield import units
from forgefield.assign.assignment import Assignment
from forgefield.assign.instances import Types
from forgefield.io.forcefields.generated import across, flat_types, negligible, rows_of
from forgefield.io.forcefields.openmm.couplings import is_script
from forgefield.molecules.molecule import Molecule
from forgefield.terms.torsion import TORSION3, TORSION6

_BEGIN = """
# Torsions about straight chains: (periodicity, phase / rad, k / kJ/mol), by the classes of all atoms of the chain. They
# act on the first two atoms and the last two.
AXIAL = """
_END = """

import openmm

around = [set(near) for near in data.bondedToAtom]
classes = [self._atomTypes[data.atomType[atom]].atomClass for atom in data.atoms]
force = openmm.PeriodicTorsionForce()
seen = set()
starts = [[i, j, k] for j, near in enumerate(around) for i in near for k in near - {i}]
for chain in starts:
    while len(around[chain[-1]]) == 2:
        (onward,) = around[chain[-1]] - {chain[-2]}
        if onward in chain:
            break
        chain.append(onward)
        for last in around[onward] - {*chain} if onward not in around[chain[1]] else ():
            whole = (*chain, last)
            acting = (*chain[:2], onward, last)
            named = tuple(classes[atom] for atom in whole)
            found = AXIAL.get(named, AXIAL.get(named[::-1]))
            if found is not None and acting not in seen:
                seen |= {acting, acting[::-1]}
                for one in found:
                    force.addTorsion(*acting, *one)
sys.addForce(force)
"""


def without_axial(assignment: Assignment, molecules: list[Molecule]) -> tuple[Assignment, str | None]:
    """Return a force field without its torsions about straight chains, and the script that adds them to a system.

    The script is None where it has none with an effect.
    """
    types, rows, left = flat_types(assignment), dict[Types, list[tuple[int, float, float]]](), set()
    for found in (one for term in (TORSION3, TORSION6) for one in rows_of(assignment, term)):
        for chain in across(assignment, molecules, found):
            left.add(found.row.indices)
            named = tuple(types[atom] for atom in chain)
            if named[::-1] not in rows and not negligible(found.values):
                rows[named] = [
                    (n, 0.0 if n % 2 else math.pi, 0.5 * v / units.KILOJOULE) for n, v in enumerate(found.values, 1)
                ]
    kept = replace(assignment, rows=tuple(row for row in assignment.rows if row.indices not in left))
    return kept, _BEGIN + pformat(rows, width=120, sort_dicts=False) + _END if rows else None


def is_axial_script(text: str) -> bool:
    """Return whether a script is one that `without_axial` writes, whatever the values, so that it is safe to run."""
    return is_script(text, _BEGIN, _END)
