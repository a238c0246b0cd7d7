"""The same force field with types that tell apart what classes of angles do, for formats that have types alone."""

from dataclasses import replace

import numpy as np

from forgefield.assign.assignment import Assignment
from forgefield.assign.charge_rule import CHARGING
from forgefield.assign.geometry_classes import GeometryClasses, Named, has_class
from forgefield.assign.instances import KINDS
from forgefield.assign.typed import Table, assign_typed_rows
from forgefield.assign.typing import NUMBERED
from forgefield.molecules import paths
from forgefield.molecules.molecule import Molecule
from forgefield.terms.term import Term


def told_by_types(assignment: Assignment, molecules: list[Molecule]) -> Assignment:
    """Return a force field without classes of angles that has the same energy for these molecules.

    Each atom about a centre whose angles have classes gets a type of its own (F1.2 after F1), and rows are repeated for
    each. Molecules with the same bonds and classes share these types; what they stand for is no surroundings alone.
    """
    if not assignment.classes:
        return assignment
    starts = np.cumsum([0, *(m.n_atoms for m in molecules)])[:-1].tolist()
    flat = tuple(t for types in assignment.types for t in types)
    named = Named.over(molecules, flat, assignment.classes)
    numbers = _numbers(molecules, starts, named)
    refined = tuple(f"{t}.{n}" if n else t for t, n in zip(flat, numbers, strict=True))
    # Types tell apart what classes did.
    by_types = Named.over(molecules, refined, GeometryClasses())
    tables: dict[Term, Table] = {
        term: _repeated(assignment, term, molecules, starts, named, by_types)
        for term in dict.fromkeys(row.term for row in assignment.rows)
    }
    typed = [replace(m, types=refined[start : start + m.n_atoms]) for m, start in zip(molecules, starts, strict=True)]
    meanings = {
        own: assignment.descriptions.get(t, t) + (f"{NUMBERED}{n}" if n else "")
        for own, t, n in zip(refined, flat, numbers, strict=True)
    }
    return replace(assign_typed_rows(typed, tables, ""), descriptions=meanings)


def _numbers(molecules: list[Molecule], starts: list[int], named: Named) -> list[int]:
    """Return, for each atom of the batch, the number of the type that it gets, 0 where it keeps that which it has."""
    numbers: list[int] = []
    known: dict[tuple, list[int]] = {}
    counts: dict[str, int] = {}
    for molecule, start in zip(molecules, starts, strict=True):
        chains = (paths.angles(molecule.n_atoms, molecule.bonds) + start).tolist()
        types = named.types[start : start + molecule.n_atoms]
        bonds = [bond for pair in (molecule.bonds + start).tolist() for bond in (pair, pair[::-1])]
        named_bonds = [named.along("stretch", bond) for bond in bonds]
        named_bends = [named.along("bend", chain) for chain in chains]
        key = types, tuple(map(tuple, molecule.bonds.tolist())), tuple(named_bonds + named_bends)
        if key not in known:
            # The first atom of each, and the last of a bend: those beside what has a class.
            about = {bond[0] for bond, (_, centre) in zip(bonds, named_bonds, strict=True) if has_class(centre)}
            for chain, (_, centre, _) in zip(chains, named_bends, strict=True):
                about |= {chain[0], chain[2]} if has_class(centre) else set()
            about = {atom - start for atom in about}
            known[key] = [0] * molecule.n_atoms
            for atom in sorted(about):
                known[key][atom] = counts[types[atom]] = counts.get(types[atom], 0) + 1
        numbers += known[key]
    return numbers


def _repeated(
    assignment: Assignment, term: Term, molecules: list[Molecule], starts: list[int], named: Named, by_types: Named
) -> Table:
    """Return the rows of a term, once for each combination of refined types that they act on."""
    values = np.asarray(assignment.model.values)
    rows = {row.types: tuple(float(values[i]) for i in row.indices) for row in assignment.rows if row.term is term}
    if term.kind == "vdw":
        return {(own,): rows[(of_atom,)] for own, of_atom in zip(by_types.types, named.types, strict=True)}
    kind = KINDS["stretch" if term.kind in CHARGING else term.kind]
    table = {}
    for molecule, start in zip(molecules, starts, strict=True):
        for chain in (kind.find(molecule) + start).tolist():
            for order in kind.orders:
                turned = [chain[place] for place in order]
                found = rows.get(named.along(term.kind, turned))
                if found is not None:
                    table[by_types.along(term.kind, turned)] = found
    return table
