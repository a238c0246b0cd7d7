"""An MM3* force field laid over molecules: the row that each interaction takes, as MacroModel finds it."""

import math
from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass

import jax.numpy as jnp
import numpy as np
from jaxtyping import Float, Int

from forgefield.assign.assignment import Assignment
from forgefield.assign.mm3.bonded import Bonded
from forgefield.assign.mm3.file import Mm3File, RowKind
from forgefield.assign.mm3.graph import graph_of
from forgefield.assign.mm3.ledger import Ledger
from forgefield.assign.mm3.match import Matcher, Tables
from forgefield.assign.mm3.through_space import Cutoffs, Nonbonded
from forgefield.errors import InputError, MissingParameters
from forgefield.models.forcefield import ForceField
from forgefield.molecules.molecule import Molecule
from forgefield.molecules.topology import ChargeRule, union

_MUST_BE_COVERED = (RowKind.STRETCH, RowKind.BEND)


@dataclass(frozen=True)
class Coverage:
    """Where the rows of one kind of interaction came from, over all molecules."""

    kind: str
    substructure: int
    table: int
    uncovered: int
    """Interactions that no row covers, which do not exist."""


@dataclass(frozen=True, eq=False)
class Mm3Assignment:
    """An assignment that remembers which line of its file supplied each interaction."""

    assignment: Assignment
    file: Mm3File
    lines: tuple[Int[np.ndarray, " _"], ...]
    """For each term of the model, the line of each interaction; 0 where several lines or none supplied it."""
    nonbonded_lines: Int[np.ndarray, " atoms"]
    """Line of the van der Waals row of each atom of the batch; 0 where none names its type."""
    columns: dict[int, tuple[int, ...]]
    """Where the columns of the row on a line (the last of the row) stand in the model's values."""
    coverage: tuple[Coverage, ...]
    idle: tuple[int, ...]
    """Lines of substructure rows that can match nothing, as their atoms are nowhere bonded so."""


def assign_mm3(
    molecules: list[Molecule],
    file: Mm3File,
    *,
    trained: Collection[int] = (),
    cutoff: float = math.inf,
    vdw_cutoff: float = math.inf,
) -> Mm3Assignment:
    """Return the file's force field for molecules with MacroModel atom types.

    A number that a row holds stands once in the model's values, for all molecules. Cross terms and torsions
    whose numbers are all zero are left out unless their line is among `trained`. Pairs further apart than
    `cutoff` [Å] in the given geometry are left out; `vdw_cutoff` [Å] is where MacroModel cuts van der Waals
    interactions off, in the given geometry too; no other force is cut off. Raises InputError for atoms without types
    and MissingParameters that lists all stretches and bends without a row.
    """
    _require_types(molecules)
    ledger, tables = Ledger(file), Tables(file)
    starts = np.cumsum([0, *(m.n_atoms for m in molecules)])
    laid: list[tuple[Bonded, Nonbonded]] = []
    for molecule, start in zip(molecules, starts[:-1].tolist(), strict=True):
        matcher = Matcher(tables, graph_of(molecule, tables.names))
        nonbonded = Nonbonded(ledger, matcher, start)
        bonded = Bonded(ledger, matcher, start, nonbonded.centres, frozenset(trained))
        bonded.lay()
        laid.append((bonded, nonbonded))
    _require_covered(molecules, [bonded for bonded, _ in laid], file)
    charges = _charge_rule(molecules, laid)
    for bonded, nonbonded in laid:
        polar = np.asarray(charges.formal)[bonded.start : bonded.start + len(nonbonded.rows)] != 0
        polar[[atom for row in bonded.stretches.values() if row.polar for atom in row.atoms]] = True
        nonbonded.lay(polar, Cutoffs(cutoff, vdw_cutoff))
    terms, interactions, lines = zip(*ledger.interactions(), strict=True)
    return Mm3Assignment(
        assignment=Assignment(
            model=ForceField(terms, jnp.asarray(ledger.values)),
            topology=union([m.species for m in molecules], interactions, charges),
            rows=tuple(ledger.rows),
            types=tuple(m.types or () for m in molecules),
        ),
        file=file,
        lines=lines,
        nonbonded_lines=np.array([row.line if row else 0 for _, nonbonded in laid for row in nonbonded.rows]),
        columns=ledger.entered,
        coverage=_coverage(laid),
        idle=_idle(laid),
    )


def changed_columns(
    assigned: Mm3Assignment, values: Float[np.ndarray, " parameters"]
) -> dict[int, tuple[float | None, ...]]:
    """Return the columns of the file, by line, that differ from these new values of the model; None where they do not.

    In internal units, as `write_fld` takes them.
    """
    old = np.asarray(assigned.assignment.model.values)
    changes = {
        line: tuple(float(values[p]) if values[p] != old[p] else None for p in places)
        for line, places in assigned.columns.items()
    }
    return {line: columns for line, columns in changes.items() if any(c is not None for c in columns)}


def _require_types(molecules: list[Molecule]) -> None:
    untyped = [m.source or m.name for m in molecules if m.types is None]
    if untyped:
        raise InputError(f"no MacroModel atom types in {', '.join(untyped)}; give .mae files, which have them")
    if not molecules:
        raise InputError("no molecules to assign a force field to")


def _require_covered(molecules: list[Molecule], laid: list[Bonded], file: Mm3File) -> None:
    """Raise MissingParameters that lists every stretch and bend that no row covers."""
    first: dict[tuple[str, str], str] = {}
    count: Counter[tuple[str, str]] = Counter()
    for molecule, bonded in zip(molecules, laid, strict=True):
        for kind, atoms in bonded.uncovered:
            if kind not in _MUST_BE_COVERED:
                continue
            names = [bonded.matcher.graph.classes[a][0] for a in atoms]
            key = kind.name.lower(), "-".join(min(names, names[::-1]))
            count[key] += 1
            first.setdefault(key, f"atoms {', '.join(str(a + 1) for a in atoms)} of {molecule.source or molecule.name}")
    if first:
        listed = [f"  {kind} {names}: {count[kind, names]} (first at {first[kind, names]})" for kind, names in first]
        raise MissingParameters(
            f"{file.path} has no row for {len(first)} kind(s) of stretches and bends:\n"
            + "\n".join(listed)
            + "\nAdd rows to its tables (sections -2 with 1 and 2 in column 2) or to a substructure."
        )


def _charge_rule(molecules: list[Molecule], laid: list[tuple[Bonded, Nonbonded]]) -> ChargeRule:
    """Return how charges follow from the bond moments of the rows taken, and the formal charges.

    These are the molecule's where it states them, else those of the van der Waals rows.
    """
    formal = [
        molecule.formal_charges
        if molecule.formal_charges is not None
        else np.array([round(row.charge) if row else 0 for row in nonbonded.rows])
        for molecule, (_, nonbonded) in zip(molecules, laid, strict=True)
    ]
    ends = [
        (bonded.start + atom, row.moment, row.length, sign)
        for bonded, _ in laid
        for bond in bonded.matcher.graph.bonds
        for row in (bonded.stretches[bond],)
        for atom, sign in zip(row.atoms, (1, -1), strict=True)
    ]
    return ChargeRule.of(np.concatenate(formal).astype(np.float64), ends)


def _coverage(laid: list[tuple[Bonded, Nonbonded]]) -> tuple[Coverage, ...]:
    inside: Counter[RowKind] = Counter()
    table: Counter[RowKind] = Counter()
    uncovered: Counter[RowKind] = Counter()
    for bonded, nonbonded in laid:
        inside.update(kind for kind, match in bonded.covered if match.substructure is not None)
        table.update(kind for kind, match in bonded.covered if match.substructure is None)
        uncovered.update(kind for kind, _ in bonded.uncovered)
        table[RowKind.VAN_DER_WAALS] += sum(row is not None for row in nonbonded.rows)
        uncovered[RowKind.VAN_DER_WAALS] += sum(row is None for row in nonbonded.rows)
    kinds = [kind for kind in RowKind if kind != RowKind.HYDROGEN_BOND]
    return tuple(Coverage(kind.name.lower(), inside[kind], table[kind], uncovered[kind]) for kind in kinds)


def _idle(laid: list[tuple[Bonded, Nonbonded]]) -> tuple[int, ...]:
    """Return the lines of rows whose positions are atoms of some molecule, but of none bonded as their kinds ask."""
    placed: dict[int, bool] = {}
    for bonded, _ in laid:
        for line, are_bonded in bonded.matcher.rows_placed().items():
            placed[line] = placed.get(line, False) or are_bonded
    return tuple(sorted(line for line, are_bonded in placed.items() if not are_bonded))
