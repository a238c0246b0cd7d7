"""Atomic charges that follow from what bonds move from one end to the other, so that molecules keep theirs."""

from collections.abc import Mapping

import numpy as np
from jaxtyping import Float

from forgefield.assign.gathered import Rows
from forgefield.assign.instances import KINDS, Types
from forgefield.assign.nonbonded import all_distant_pairs
from forgefield.errors import InputError
from forgefield.molecules.bonds import pieces
from forgefield.molecules.molecule import Molecule
from forgefield.molecules.topology import ChargeRule, Interactions
from forgefield.terms.mm3 import BOND_MOMENT
from forgefield.terms.term import Term

CHARGING = ("bond_moment", "charge_increment")
"""Kinds of terms that have no energy of their own, but give atoms charges."""


def lay_charges(
    molecules: list[Molecule],
    types: Types,
    term: Term,
    gathered: Rows,
    known: Mapping[Types, float],
    scales: Float[np.ndarray, " pairs"],
) -> tuple[ChargeRule, Interactions]:
    """Enter a row of `term` for each pair of bonded types that differ; return the charges and their interactions.

    `term` is BOND_MOMENT, over the reference lengths of the stretches gathered before, or CHARGE_INCREMENT. The type
    that a row names first gains what the other loses; `known` has values of rows, which are 0 else. Charges interact
    between atoms at least three bonds apart, whose energies `scales` multiply. Must be the last that is gathered, since
    charges follow the values. Raises InputError as does `even_charges`.
    """
    kind, one = KINDS["stretch"], gathered.constant(1.0)
    starts = np.cumsum([0, *(m.n_atoms for m in molecules)])
    bonds = np.concatenate([m.bonds + start for m, start in zip(molecules, starts[:-1], strict=True)])
    keys = {kind.canonical((types[i], types[j])) for i, j in bonds.tolist() if types[i] != types[j]}
    for key in sorted(keys):
        gathered.add(term, key, (known.get(key, 0.0),))
    ends = []
    for i, j in bonds.tolist():
        key = kind.canonical((types[i], types[j]))
        if key in keys:
            moment = gathered.known[term.kind, key].indices[0]
            length = gathered.known["stretch", key].indices[1] if term is BOND_MOMENT else one
            first, other = (i, j) if types[i] == key[0] else (j, i)
            ends += [(first, moment, length, 1), (other, moment, length, -1)]
    formal = np.concatenate([even_charges(m) for m in molecules])
    pairs = all_distant_pairs(molecules)
    places = gathered.constants(scales)
    parameters = np.concatenate([len(gathered.values) + pairs, places[:, None]], axis=1)
    return ChargeRule.of(formal, ends), Interactions(pairs, parameters)


def even_charges(molecule: Molecule) -> Float[np.ndarray, " atoms"]:
    """Return the charge [e] of each piece of a molecule, spread evenly over its atoms so that equal ones stay equal.

    Raises InputError for an ion in several pieces whose atoms have no formal charges.
    """
    parts, stated = pieces(molecule.n_atoms, molecule.bonds), molecule.formal_charges
    charges = np.zeros(molecule.n_atoms)
    if len(parts) == 1:
        return charges + molecule.charge / molecule.n_atoms
    if stated is not None and stated.sum() == molecule.charge:
        for part in parts:
            charges[part] = stated[part].mean()
    elif molecule.charge != 0:
        raise InputError(
            f"{molecule.source or molecule.name}: of {len(parts)} pieces with a charge of {molecule.charge:+d} "
            "together it is not known which has it; give a structure with formal charges (.mae)"
        )
    return charges
