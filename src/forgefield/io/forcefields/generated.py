"""What the writers of generated force fields share: short type names, values by row, and what no format holds."""

from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass, replace
from string import ascii_lowercase, ascii_uppercase, digits

import numpy as np
from jaxtyping import Bool, Float, Int

from forgefield.assign.assignment import Assignment
from forgefield.assign.geometry_classes import Named
from forgefield.assign.instances import OPPOSITE
from forgefield.assign.nonbonded import near_scale
from forgefield.errors import InputError
from forgefield.io.offenders import listed
from forgefield.io.structures.atom_types import standard_atom_types
from forgefield.models.rows import Row
from forgefield.molecules.measure import angles
from forgefield.molecules.molecule import Molecule
from forgefield.terms.nonbonded import COULOMB
from forgefield.terms.out_of_plane import COSINE_OUT_OF_PLANE
from forgefield.terms.term import Term

_SECOND = digits[1:] + ascii_uppercase + ascii_lowercase
"""A name that ends in 0 stands for every type of its element in MM3* files."""
_DIGITS_OF_AMBER = "123457890"
"""GLYCAM has types such as 6c."""
_STRAIGHT_SINE = np.sin(np.radians(10.0))
"""Sine of the angle to a straight one below which torsions are switched off."""
_NEGLIGIBLE = 1e-6
"""kcal/mol; a torsion constant below it counts as zero."""


@dataclass(frozen=True, eq=False)
class RowInteractions:
    """A row, the values of its own parameters, and where it acts."""

    row: Row
    values: tuple[float, ...]
    """In internal units, in the order of the term's parameters."""
    atoms: Int[np.ndarray, "interactions order"]
    """Atoms of the batch."""


def rows_of(assignment: Assignment, term: Term) -> Iterator[RowInteractions]:
    """Yield the rows of a term with their values and interactions, in the order of the assignment.

    For a term of pairs that takes a row from each atom the interactions are empty.
    """
    values = np.asarray(assignment.model.values)
    atoms, own = _interactions(assignment, term)
    for row in assignment.rows:
        if row.term is term:
            mine = (own == np.array(row.indices)).all(axis=1) if term.kind != "vdw" else np.zeros(len(own), dtype=bool)
            yield RowInteractions(row, tuple(float(values[i]) for i in row.indices), atoms[mine])


def _interactions(
    assignment: Assignment, term: Term
) -> tuple[Int[np.ndarray, "interactions order"], Int[np.ndarray, "interactions own"]]:
    """Return the atoms of a term's interactions and where their own parameters stand."""
    for present, group in zip(assignment.model.terms, assignment.topology.interactions, strict=True):
        if present is term:
            return np.asarray(group.atoms), np.asarray(group.parameters)[:, : term.n_own]
    return np.zeros((0, term.order), dtype=np.int64), np.zeros((0, term.n_own), dtype=np.int64)


def charges_of(assignment: Assignment) -> Float[np.ndarray, " atoms"]:
    """Return the charge of each atom of the batch [e]; 0 where the force field has none."""
    by_bonds = np.asarray(assignment.model.charges(assignment.topology))
    if by_bonds.size:
        return by_bonds
    found, values = np.zeros(assignment.topology.n_atoms), np.asarray(assignment.model.values)
    for term, group in zip(assignment.model.terms, assignment.topology.interactions, strict=True):
        if term is COULOMB:
            found[np.asarray(group.atoms)] = values[np.asarray(group.parameters)[:, :2]]
    return found


def flat_types(assignment: Assignment) -> tuple[str, ...]:
    """Return the type of each atom of the batch."""
    return tuple(t for of_molecule in assignment.types for t in of_molecule)


def elements(assignment: Assignment) -> dict[str, int]:
    """Return the atomic number of each type, in order of appearance."""
    return dict(zip(flat_types(assignment), np.asarray(assignment.topology.species).tolist(), strict=True))


def two_character_types(assignment: Assignment) -> dict[str, str]:
    """Return a name of two characters for each type of a force field, none of them one that MacroModel has.

    Names begin with the first letter of the element while there are any left. Raises InputError where there are
    more types than names.
    """
    taken = {t.name for t in standard_atom_types().types.values()}
    return _named(
        flat_types(assignment), lambda name: (a + b for a in (name[0], *ascii_uppercase) for b in _SECOND), taken
    )


def amber_types(assignment: Assignment) -> dict[str, str]:
    """Return a name of two characters for each type of a force field, which begin with the element (`amber_names`)."""
    return amber_names(flat_types(assignment))


def amber_names(types: Iterable[str]) -> dict[str, str]:
    """Return a name of two characters for each type that no force field of AMBER or GLYCAM has: 1c, 2c, 1h, …

    Names are a digit and the first letter of the type while there are any left. Raises InputError where there are
    more types than names.
    """
    return _named(
        types, lambda name: (a + b for b in (name[0].lower(), *ascii_lowercase) for a in _DIGITS_OF_AMBER), set()
    )


def renamed(assignment: Assignment, prefix: str) -> Assignment:
    """Return a force field with something before the name of each of its types."""

    def named(types: Iterable[str]) -> tuple[str, ...]:
        return tuple(prefix + name for name in types)

    return replace(
        assignment,
        rows=tuple(replace(row, types=named(row.types)) for row in assignment.rows),
        types=tuple(map(named, assignment.types)),
        descriptions={prefix + name: told for name, told in assignment.descriptions.items()},
    )


def told_of(molecules: list[Molecule]) -> str:
    """Return of which molecules a force field is, for the head of a file."""
    # Two hyphens would end an XML comment.
    return f" of {listed(list(dict.fromkeys(m.name.replace('--', '- -') for m in molecules)))}"


def _named(types: Iterable[str], candidates: Callable[[str], Iterable[str]], taken: set[str]) -> dict[str, str]:
    """Return the first of its candidates that is left for each type."""
    names: dict[str, str] = {}
    every = list(dict.fromkeys(types))
    for of_atom in every:
        name = next((one for one in candidates(of_atom) if one not in taken), None)
        if name is None:
            raise InputError(
                f"the force field has {len(every)} atom types, more than there are names of two characters "
                f"({len(names)}); use a smaller depth, or write it as openmm-xml"
            )
        taken.add(name)
        names[of_atom] = name
    return names


def require_held(assignment: Assignment, terms: Collection[Term], what: str, advice: str) -> None:
    """Raise InputError that names the terms of a force field that a file cannot hold, and a scale of its pairs."""
    missing: dict[Term, list[Row]] = {}
    for row in assignment.rows:
        if row.term not in terms:
            missing.setdefault(row.term, []).append(row)
    complaints = [f"{term.name} ({len(rows)} row(s), such as {rows[0].name})" for term, rows in missing.items()]
    usual = (1.0, near_scale(row.term for row in assignment.rows))
    scaled = [place for place in _scales(assignment) if float(assignment.model.values[place]) not in usual]
    complaints += [f"a van der Waals scale of {float(assignment.model.values[place])}" for place in scaled]
    if complaints:
        raise InputError(f"{what} cannot hold {', '.join(complaints)}; {advice}")


def _scales(assignment: Assignment) -> list[int]:
    """Return where the scales of pairs stand in the values."""
    return [
        int(place)
        for term, group in zip(assignment.model.terms, assignment.topology.interactions, strict=True)
        if term.kind == "vdw"
        for place in np.unique(np.asarray(group.parameters)[:, -1])
    ]


def require_no_switched_torsions(
    assignment: Assignment, molecules: list[Molecule], terms: Collection[Term], what: str
) -> None:
    """Raise InputError that lists rows of torsions with an effect that is switched off next to a straight angle.

    Other programs have no such switch: their torsions are not defined at 180°.
    """
    positions = np.concatenate([m.positions for m in molecules])
    switched = [
        f"{found.row.name} (first at atoms {_within_molecule(assignment, found.atoms[near][0])})"
        for term in terms
        for found in rows_of(assignment, term)
        for near in (_next_to_straight(positions[found.atoms]),)
        if near.any() and not negligible(found.values)
    ]
    if switched:
        raise InputError(
            f"{what} cannot hold torsions within 10° of a straight angle, where they are switched off smoothly: "
            f"{listed(switched)}; freeze their constants at zero"
        )


def across(assignment: Assignment, molecules: list[Molecule], found: RowInteractions) -> list[tuple[int, ...]]:
    """Return the atoms of a row's torsions about straight chains, whole chains each, in the batch; often none."""
    named = Named.over(molecules, flat_types(assignment), assignment.classes)
    chains = [(tuple(chain), named.skipped(found.row.term.kind, chain)) for chain in found.atoms.tolist()]
    return [(*chain[:2], *skipped, *chain[2:]) for chain, skipped in chains if skipped]


def require_along_bonds(assignment: Assignment, molecules: list[Molecule], terms: Collection[Term], what: str) -> None:
    """Raise InputError that lists rows of torsions about straight chains, whose middle atoms are not bonded."""
    stray = [
        f"{found.row.name} (first at atoms {_within_molecule(assignment, np.array(chains[0]))})"
        for term in terms
        for found in rows_of(assignment, term)
        if (chains := across(assignment, molecules, found))
    ]
    if stray:
        raise InputError(
            f"{what} finds torsions along bonds, and cannot hold those about straight chains of atoms: "
            f"{listed(stray)}; write it as openmm-xml, or over one molecule as prmtop, GROMACS, LAMMPS or OpenMM System"
        )


def require_no_opposite_neighbours(assignment: Assignment, molecules: list[Molecule], what: str) -> None:
    """Raise InputError that lists out-of-plane rows with an effect at centres where two neighbours lie opposite.

    Programs that order the neighbours by rules of their own may take the dihedral angle along these two.
    """
    positions = np.concatenate([m.positions for m in molecules])
    tied = [
        f"{found.row.name} (first at atoms {_within_molecule(assignment, found.atoms[wide][0])})"
        for found in rows_of(assignment, COSINE_OUT_OF_PLANE)
        for wide in (angles(positions[found.atoms][:, [0, 1, 3]]) > OPPOSITE,)
        if wide.any()
    ]
    if tied:
        raise InputError(
            f"{what} does not keep the order of a centre's neighbours, which matters where two of them lie opposite "
            f"each other: {listed(tied)}; leave out_of_plane out of the terms, or write it as openmm-xml"
        )


def negligible(values: tuple[float, ...]) -> bool:
    """Return whether torsion constants [kcal/mol] have no effect worth writing."""
    return all(abs(v) < _NEGLIGIBLE for v in values)


def _next_to_straight(x: Float[np.ndarray, "interactions 4 3"]) -> Bool[np.ndarray, " interactions"]:
    bonds = np.diff(x, axis=1)
    normals = np.cross(bonds[:, :-1], bonds[:, 1:])
    lengths = np.linalg.norm(bonds, axis=2)
    sines = np.linalg.norm(normals, axis=2) / (lengths[:, :-1] * lengths[:, 1:])
    return (sines < _STRAIGHT_SINE).any(axis=1)


def _within_molecule(assignment: Assignment, atoms: Int[np.ndarray, " order"]) -> str:
    """Return the atoms as numbers that start at 1 in their molecule."""
    return "-".join(str(int(slot) + 1) for slot in np.asarray(assignment.topology.slot)[atoms])
