"""A force field whose rows are given by types, laid over molecules that have these types."""

from collections.abc import Mapping

import jax.numpy as jnp
import numpy as np
from jaxtyping import Float, Int

from forgefield.assign.assignment import Assignment
from forgefield.assign.charge_rule import CHARGING, lay_charges
from forgefield.assign.gathered import Rows
from forgefield.assign.geometry_classes import GeometryClasses, Named
from forgefield.assign.instances import KINDS, Kind, Types
from forgefield.assign.nonbonded import all_distant_pairs, pair_scales
from forgefield.errors import InputError, MissingParameters
from forgefield.models.forcefield import ForceField
from forgefield.models.rows import Row
from forgefield.molecules.molecule import Molecule
from forgefield.molecules.topology import Interactions, union
from forgefield.terms.nonbonded import COULOMB
from forgefield.terms.term import Term

_REQUIRED = ("stretch", "bend")
"""Kinds that must be covered; the others do not exist where no row names their types."""

Table = Mapping[Types, tuple[float, ...]]
"""Values of the own parameters, in internal units, by types in any of their equivalent orders."""


def assign_typed_rows(
    molecules: list[Molecule], tables: Mapping[Term, Table], advice: str, classes: GeometryClasses | None = None
) -> Assignment:
    """Return the force field of these tables for typed molecules, by classes of geometries if there are any.

    Tables of stretches and bends come first, since others borrow their reference values. A van der Waals table has a
    row for each type and acts between atoms at least three bonds apart. So do charges where there is a table of bond
    moments or of bond charge increments, of which the type named first gains what the other loses. Raises InputError
    for molecules without types and MissingParameters that lists every stretch, bend and van der Waals type without a
    row, ending with `advice`.
    """
    untyped = [m.source or m.name for m in molecules if m.types is None]
    if untyped or not molecules:
        raise InputError(f"no atom types in {', '.join(untyped) or 'an empty list of molecules'}")
    types = [m.types or () for m in molecules]
    starts = np.cumsum([0, *(m.n_atoms for m in molecules)])[:-1].tolist()
    flat = tuple(t for of_molecule in types for t in of_molecule)
    named = Named.over(molecules, flat, GeometryClasses() if classes is None else classes)
    gathered = Rows()
    found: list[tuple[Term, Interactions]] = []
    missing: dict[str, None] = {}
    scales = pair_scales(molecules, tables)
    acting = {term: table for term, table in tables.items() if term.kind not in CHARGING}
    for term, table in acting.items():
        if term.kind == "vdw":
            interactions = _pairs(term, table, (all_distant_pairs(molecules), scales), flat, gathered, missing)
        else:
            atoms = [KINDS[term.kind].find(m) + start for m, start in zip(molecules, starts, strict=True)]
            interactions = _bonded(term, table, np.concatenate(atoms), named, gathered, missing)
        if len(interactions.atoms):
            found.append((term, interactions))
    if missing:
        raise MissingParameters(f"no parameters for {', '.join(missing)}; {advice}")
    rule = None
    for charging in tables.keys() - acting.keys():
        rule, interactions = lay_charges(molecules, flat, charging, gathered, _in_order(tables[charging]), scales)
        found.append((COULOMB, interactions))
    return Assignment(
        model=ForceField(tuple(term for term, _ in found), jnp.asarray(gathered.values)),
        topology=union([m.species for m in molecules], tuple(interactions for _, interactions in found), rule),
        rows=tuple(gathered.rows),
        types=tuple(types),
        classes=named.classes,
    )


def _in_order(table: Table) -> dict[Types, float]:
    """Return increments by types in the order of rows: whoever is named second gains what the first loses."""
    canonical = KINDS["stretch"].canonical
    return {canonical(types): value if canonical(types) == types else -value for types, (value,) in table.items()}


def _bonded(
    term: Term,
    table: Table,
    atoms: Int[np.ndarray, "interactions order"],
    named: Named,
    gathered: Rows,
    missing: dict[str, None],
) -> Interactions:
    """Enter the rows in use of a term and return its interactions; note in `missing` what must have a row."""
    kind = KINDS[term.kind]
    by_types = {kind.canonical(given): values for given, values in table.items()}
    entered: dict[Types, Row] = {}
    kept, parameters = [], []
    for chain in atoms.tolist():
        key, borrowed = named(term.kind, chain), _borrowed(kind, chain, named, gathered)
        if key in by_types and borrowed is not None:
            if key not in entered:
                entered[key] = gathered.add(term, key, by_types[key])
            kept.append(chain if kind.acts_on is None else [chain[place] for place in kind.acts_on])
            parameters.append(entered[key].indices + borrowed)
        elif term.kind in _REQUIRED:
            missing[f"{term.kind} {'-'.join(key)}"] = None
    return Interactions(
        atoms=np.array(kept, dtype=np.int64).reshape(-1, term.order),
        parameters=np.array(parameters, dtype=np.int64).reshape(-1, len(term.parameters)),
    )


def _borrowed(kind: Kind, chain: list[int], named: Named, gathered: Rows) -> tuple[int, ...] | None:
    """Return where the parameters stand that an interaction takes from other rows; None where one is missing."""
    found = []
    for other in kind.borrows:
        row = gathered.known.get((other.kind, named(other.kind, [chain[p] for p in other.places])))
        if row is None:
            return None
        found.append(row.indices[other.parameter])
    return tuple(found)


def _pairs(
    term: Term,
    table: Table,
    found: tuple[Int[np.ndarray, "pairs 2"], Float[np.ndarray, " pairs"]],
    types: Types,
    gathered: Rows,
    missing: dict[str, None],
) -> Interactions:
    """Enter a row for each type in use and return the interactions, with their scales; each that acts must have one."""
    pairs, scales = found
    acting = dict.fromkeys(types[a] for a in pairs.ravel().tolist())
    missing |= {f"vdw {name}": None for name in acting if (name,) not in table}
    present = [name for name in dict.fromkeys(types) if (name,) in table]
    rows = {name: gathered.add(term, (name,), table[name,]).indices for name in present}
    parameters = [
        (*rows[types[i]], *rows[types[j]], scale)
        for (i, j), scale in zip(pairs.tolist(), gathered.constants(scales).tolist(), strict=True)
        if types[i] in rows and types[j] in rows
    ]
    return Interactions(
        atoms=pairs if not missing else pairs[:0],
        parameters=np.array(parameters, dtype=np.int64).reshape(-1, len(term.parameters)),
    )
