"""Which rows of a force field patterns select: by row, by types, by a SMARTS, or by the names of atoms."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

import numpy as np
from jaxtyping import Int

from forgefield.assign.assignment import Assignment
from forgefield.assign.explicit.rules import AbstractStatedRules, SystemRules
from forgefield.assign.explicit.several import together
from forgefield.assign.explicit.system import System
from forgefield.errors import InputError
from forgefield.io.offenders import listed
from forgefield.io.structures.drawn import chemical_graph, toolkit
from forgefield.models.rows import Row
from forgefield.molecules.molecule import Molecule
from forgefield.molecules.topology import Interactions
from forgefield.terms.term import Term

_SMARTS, _ATOMS = "smarts:", "atoms:"
_MOST_MATCHES = 1_000_000
_SHOWN = 20
"""Names of atoms or types in a message."""
_CHAINS = 3
"""Matches of a SMARTS in a message."""

Chain = tuple[int, ...]
Selector = Callable[[str, Chain], bool]
"""Whether an interaction is selected, by its kind and its atoms in the batch."""


@dataclass(frozen=True)
class _Batch:
    """The atoms of some molecules, one after another."""

    molecules: Sequence[Molecule]
    types: tuple[str, ...]
    names: tuple[str, ...]


def selected_rows(
    assignment: Assignment, molecules: Sequence[Molecule], patterns: Sequence[str], key: str
) -> tuple[Row, ...]:
    """Return the rows that patterns select.

    A pattern is that of a row (`Row.matches`); or of the types, from either end, of the interactions that a row has, as
    `torsion c3-os-*-*`; `smarts:` with the SMARTS of their atoms, or of those that it numbers; or `atoms:` with the
    names of these, such as `atoms:C1-N2-C*`. The last two may follow a kind too: `torsion smarts:…`. Raises InputError
    that lists the patterns which select nothing; `key` is what it calls the setting.
    """
    names = assignment.names or tuple(tuple(f"{s}{k}" for k, s in enumerate(m.symbols, 1)) for m in molecules)
    batch = _Batch(molecules, _flat(assignment.types), _flat(names))
    chosen: set[int] = set()
    idle: list[str] = []
    for pattern in patterns:
        found = {row.indices[0] for row in assignment.rows if row.matches(pattern)}
        if not found:
            found = _selected(selector(pattern, batch), assignment)
        idle += [] if found else [pattern]
        chosen |= found
    if idle:
        raise InputError(f"{key} = {idle} matches no row of the force field{_called(idle, batch)}")
    return tuple(row for row in assignment.rows if row.indices[0] in chosen)


def _called(patterns: Sequence[str], batch: _Batch) -> str:
    """Say what atoms and types are called, of which patterns have others."""
    drawn = [_astray(pattern, batch) for pattern in patterns if _SMARTS in pattern]
    plain = [pattern for pattern in patterns if _SMARTS not in pattern]
    by_name = [pattern for pattern in plain if _ATOMS in pattern]
    said = [f"atoms are called {listed(list(dict.fromkeys(batch.names)), shown=_SHOWN)}"] if by_name else []
    if len(plain) > len(by_name):
        said.append(f"types are {listed(sorted(set(batch.types)), shown=_SHOWN)}")
    return "".join(f"; {one}" for one in (*said, *drawn))


def _astray(pattern: str, batch: _Batch) -> str:
    """Say what the SMARTS of a pattern matches, where that is no interaction."""
    smarts = pattern.partition(_SMARTS)[2]
    if not (found := _matches(smarts, batch.molecules)):
        return f"{_SMARTS}{smarts} matches no atoms"
    chains = dict.fromkeys("-".join(batch.names[a] for a in chain) for chain in sorted(found))
    told = listed([*chains], shown=_CHAINS)
    return f"{_SMARTS}{smarts} matches {told}, which is no such interaction; give its atoms one after the other"


def split(rules: AbstractStatedRules, patterns: Sequence[str]) -> AbstractStatedRules:
    """Return a force field of systems in which each interaction that patterns select has a row of its own.

    Those that are the same by the symmetry of the molecule still share one. Raises InputError for a pattern that
    selects nothing.
    """
    found = [(one, [_chains(one, pattern) for pattern in patterns]) for one in rules.each]
    for k, pattern in enumerate(patterns):
        if not any(chains[k] for _, chains in found):
            sources = " or ".join(one.system.source for one in rules.each)
            called = _called([pattern], _batch([one.system for one in rules.each]))
            raise InputError(f'[forcefield] split: "{pattern}" selects no interaction of {sources}{called}')
    return together(
        [
            SystemRules(one.system.with_split(tuple(dict.fromkeys(chain for some in chains for chain in some))))
            for one, chains in found
        ]
    )


def _chains(rules: SystemRules, pattern: str) -> list[Chain]:
    """Return the atoms of the interactions of a system that a pattern selects, else those of rows of this name."""
    select = selector(pattern, _batch([rules.system]))
    stated = ((one.term.kind, chain) for one in rules.system.interactions for chain in map(tuple, one.atoms.tolist()))
    if found := [chain for kind, chain in stated if select(kind, chain)]:
        return found
    rows = [row.indices[0] for row in rules.rowed.rows if row.matches(pattern) and not _is_pair(row.term)]
    held = [(group.atoms, np.isin(group.parameters[:, 0], rows)) for group in rules.rowed.stated if len(group.atoms)]
    return [chain for atoms, chosen in held for chain in map(tuple, atoms[chosen].tolist())]


def _batch(systems: Sequence[System]) -> _Batch:
    """Return the atoms of systems, whose types are those of their bonded rows."""
    return _Batch(
        [one.structure(np.zeros((one.n_atoms, 3)), one.source, one.source) for one in systems],
        _flat([one.bonded or one.types for one in systems]),
        _flat([one.labels for one in systems]),
    )


def selector(pattern: str, batch: _Batch) -> Selector:
    """Return what tells whether a pattern selects an interaction. Raises InputError for a SMARTS that is none."""
    kind, rest = "*", pattern.strip()
    if " " in rest and not rest.startswith((_SMARTS, _ATOMS)):
        kind, rest = rest.split(maxsplit=1)
    if rest.startswith(_SMARTS):
        matches = _matches(rest[len(_SMARTS) :], batch.molecules)
        return lambda of, chain: fnmatchcase(of, kind) and (chain in matches or chain[::-1] in matches)
    names = batch.names if rest.startswith(_ATOMS) else batch.types
    words = rest.removeprefix(_ATOMS).split("-")

    def named(chain: Chain) -> bool:
        return all(fnmatchcase(names[a], word) for a, word in zip(chain, words, strict=True))

    return lambda of, chain: fnmatchcase(of, kind) and len(chain) == len(words) and (named(chain) or named(chain[::-1]))


def _selected(select: Selector, assignment: Assignment) -> set[int]:
    """Return where the rows of selected interactions begin; pairs through space have none of their own."""
    found: set[int] = set()
    for term, group in zip(assignment.model.terms, assignment.topology.interactions, strict=True):
        if not _is_pair(term):
            found |= _of_group(select, term, group)
    return found


def _is_pair(term: Term) -> bool:
    return term.kind in ("vdw", "electrostatic")


def _of_group(select: Selector, term: Term, group: Interactions) -> set[int]:
    atoms: Int[np.ndarray, "interactions order"] = np.asarray(group.atoms)
    first = np.asarray(group.parameters)[:, 0].tolist()
    return {place for chain, place in zip(map(tuple, atoms.tolist()), first, strict=True) if select(term.kind, chain)}


def _matches(smarts: str, molecules: Sequence[Molecule]) -> set[Chain]:
    """Return the atoms of every match, those alone that have a number where any has one, in the order of numbers."""
    from rdkit import rdBase  # noqa: PLC0415 (slow to load, and of use for drawn structures alone)

    with rdBase.BlockLogs():
        query = toolkit().MolFromSmarts(smarts)
    if query is None or query.GetNumAtoms() == 0:
        raise InputError(f'"{_SMARTS}{smarts}" is no SMARTS')
    numbers = {atom.GetAtomMapNum(): atom.GetIdx() for atom in query.GetAtoms() if atom.GetAtomMapNum()}
    places = [numbers[n] for n in sorted(numbers)] or list(range(query.GetNumAtoms()))
    found, start = set(), 0
    for molecule in molecules:
        graph = chemical_graph(molecule, Path(molecule.source or molecule.name))
        for match in graph.GetSubstructMatches(query, uniquify=False, maxMatches=_MOST_MATCHES):
            found.add(tuple(match[place] + start for place in places))
        start += molecule.n_atoms
    return found


def _flat(of_molecules: Sequence[Sequence[str]]) -> tuple[str, ...]:
    return tuple(name for of_molecule in of_molecules for name in of_molecule)
