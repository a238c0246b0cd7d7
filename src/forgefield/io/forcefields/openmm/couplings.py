"""Couplings of stretches and bends as a script in OpenMM XML, which has no elements for them.

They have the energies and the units that a System holds them by, so that they are known again.
"""

import ast
from pprint import pformat

import numpy as np

from forgefield.assign.assignment import Assignment
from forgefield.assign.geometry_classes import IN_BOTH, places_in_both
from forgefield.assign.instances import KINDS, Types
from forgefield.io.forcefields.generated import flat_types
from forgefield.io.forcefields.openmm.system.expressions import expressed
from forgefield.terms.cross import BEND_BEND, COUPLINGS

_BEGIN = """
# Couplings: energy, parameters, orders of the atoms that mean the same, values by the classes of atoms. Of two angles
# at one centre an atom that is an end of both is marked.
COUPLINGS = """
_END = (
    f"""
MARK = {IN_BOTH!r}
"""
    + """
import itertools

import openmm

around = data.bondedToAtom
classes = [self._atomTypes[data.atomType[atom]].atomClass for atom in data.atoms]
arms = [[(centre, *ends) for ends in itertools.combinations(near, 2)] for centre, near in enumerate(around)]
angles = [(first, centre, last) for of_one in arms for centre, first, last in of_one]
pairs = [(*one, *other[1:]) for of_one in arms for one, other in itertools.combinations(of_one, 2)]
bonds = [(atom, other) for atom, near in enumerate(around) for other in near if atom < other]
ends = [(first, *bond, last) for bond in bonds for first in around[bond[0]] for last in around[bond[1]]]
chains = {3: angles, 4: [chain for chain in ends if len({*chain}) == 4], 5: pairs}
for energy, parameters, orders, values in COUPLINGS:
    force = openmm.CustomCompoundBondForce(len(orders[0]), energy)
    for parameter in parameters:
        force.addPerBondParameter(parameter)
    for chain in chains[len(orders[0])]:
        both = {*chain[1:3]} & {*chain[3:]} if len(chain) == 5 else ()
        for turned in ([chain[place] for place in order] for order in orders):
            found = values.get(tuple(classes[atom] + MARK * (atom in both) for atom in turned))
            if found is not None:
                force.addBond(turned, found)
                break
    sys.addForce(force)
"""
)


def coupling_script(assignment: Assignment) -> str | None:
    """Return the script that adds the couplings of a force field to a system; None where it has none."""
    found = []
    types = flat_types(assignment)
    values = np.asarray(assignment.model.values)
    for term, group in zip(assignment.model.terms, assignment.topology.interactions, strict=True):
        if term in COUPLINGS:
            expression = expressed(term)
            assert expression is not None
            orders = KINDS[term.kind].orders
            rows: dict[Types, tuple[float, ...]] = {}
            for atoms, places in zip(np.asarray(group.atoms), np.asarray(group.parameters), strict=True):
                both = places_in_both(atoms.tolist()) if term is BEND_BEND else ()
                own = tuple(types[a] + IN_BOTH * (place in both) for place, a in enumerate(atoms))
                if values[places[0]] != 0.0 and not any(tuple(own[p] for p in order) in rows for order in orders):
                    rows[own] = tuple(values[places].tolist())
            found.append((*expression, orders, rows))
    return _BEGIN + pformat(found, width=120, sort_dicts=False) + _END if found else None


def is_coupling_script(text: str) -> bool:
    """Return whether a script is one that `coupling_script` writes, whatever the values, so that it is safe to run."""
    return is_script(text, _BEGIN, _END)


def is_script(text: str, begin: str, end: str) -> bool:
    """Return whether nothing but a literal of Python stands between these lines of a script."""
    if not (text.startswith(begin) and text.endswith(end)):
        return False
    try:
        ast.literal_eval(text[len(begin) : -len(end)])
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        return False
    return True
