"""The systems of two force fields, and which atom of one is which of the other."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from jaxtyping import Int

from forgefield.assign.explicit.library import AbstractLibrary
from forgefield.assign.explicit.rules import AbstractStatedRules, systems_of
from forgefield.assign.explicit.system import System
from forgefield.assign.mm3.rules import Mm3Rules
from forgefield.assign.rules import AbstractRules
from forgefield.assign.typed_rules import TypedRules
from forgefield.errors import InputError
from forgefield.io.forcefields.laid.flat import of_assignment
from forgefield.io.molecules import read_structures
from forgefield.io.structures.atom_types import find_atom_types
from forgefield.molecules.bonds import matched
from forgefield.molecules.molecule import Molecule

Bonds = set[tuple[int, int]]


def systems_over(path: Path, rules: AbstractRules, files: Sequence[Path], known: Sequence[System]) -> list[System]:
    """Return the systems that a force field states, else those of it laid over the structures of files.

    The others' systems are `known`. Raises InputError, where it has no rows and where it wants structures too.
    """
    if isinstance(rules, AbstractStatedRules):
        return [*systems_of(rules)]
    if not isinstance(rules, AbstractLibrary | TypedRules | Mm3Rules):
        raise InputError(f"{path}: is a neural model, which has no rows that could be compared")
    if not files:
        raise InputError(f"{path}: has rows for any molecule; name a structure that it is laid over (--over)")
    types = find_atom_types([*files, path])
    molecules = [m for file in files for m in read_structures(file, atom_types=types, system=tuple(known))]
    return [_laid(path, rules, molecule) for molecule in molecules]


def _laid(path: Path, rules: AbstractLibrary | TypedRules | Mm3Rules, molecule: Molecule) -> System:
    if isinstance(rules, AbstractLibrary):
        return rules.over(molecule).system
    typed = rules.typing(molecule)
    assignment = rules.assign([typed])
    flat = of_assignment(assignment, [typed], str(path))
    return System.of_molecule(
        replace(typed, names=assignment.names[0] if assignment.names else typed.names),
        source=str(path),
        program="ForgeField",
        types=assignment.types[0],
        interactions=flat.interactions,
        through_space=flat.through_space,
    )


def pairs_of(
    old: Sequence[System], new: Sequence[System]
) -> tuple[list[tuple[System, System, Int[np.ndarray, " atoms"]]], list[System], list[System]]:
    """Return the systems of the same molecules, with where the atoms of the new one stand in the old one.

    Then those of the old and of the new ones that are in one alone.
    """
    left, found, alone = [*new], [], []
    for one in old:
        orders = ((other, places_in(one, other)) for other in left)
        match = next(((other, places) for other, places in orders if places is not None), None)
        if match is None:
            alone.append(one)
            continue
        found.append((one, *match))
        left.remove(match[0])
    return found, alone, left


def places_in(old: System, new: System) -> Int[np.ndarray, " atoms"] | None:
    """Return where each atom of the new system stands in the old one; None where they are other molecules.

    The same order counts where elements and bonds agree with it, then the same names, then the bonds alone. Files that
    hold no bond whose constant is zero may lack some.
    """
    if sorted(old.species.tolist()) != sorted(new.species.tolist()):
        return None
    own, others = _bonds(old.bonds), _bonds(new.bonds)
    same = np.arange(old.n_atoms)
    if np.array_equal(old.species, new.species) and (own <= others or others <= own):
        return same
    if set(old.names) == set(new.names) and len({*old.names}) == old.n_atoms:
        at = {name: place for place, name in enumerate(old.names)}
        places = np.array([at[name] for name in new.names])
        if np.array_equal(old.species[places], new.species) and _bonds(places[new.bonds]) == own:
            return places
    order = matched((old.species, old.bonds), (new.species, new.bonds))
    return None if order is None else np.argsort(order)


def _bonds(bonds: Int[np.ndarray, "bonds 2"]) -> Bonds:
    return {(min(pair), max(pair)) for pair in bonds.tolist()}
