"""Correction maps of OpenMM's ForceField: by the types of five atoms in a row, in the direction that OpenMM finds."""

from collections.abc import Iterator, Mapping, Sequence
from xml.etree.ElementTree import Element, SubElement

import numpy as np

from forgefield import units
from forgefield.assign.explicit.system import System
from forgefield.errors import InputError
from forgefield.io.forcefields.laid.by_types import Chain, Types, correction_maps, named
from forgefield.io.offenders import listed
from forgefield.molecules.paths import neighbours, torsions
from forgefield.terms.cmap import Grid


def found_maps(system: System, what: str) -> dict[Chain, Grid | None]:
    """Return all five atoms in a row as OpenMM finds them, with the map [kcal/mol] of their two dihedral angles.

    Its first angle is that of the end where OpenMM begins. Raises InputError that lists maps of other atoms, several
    of the same atoms, and those that OpenMM would find from both ends, and so add twice.
    """
    maps = correction_maps(system)
    found: dict[Chain, Grid | None] = dict.fromkeys(_in_a_row(system)) if maps else {}
    wrong = []
    for chain, grids in maps.items():
        ways = [one for one in (chain, chain[::-1]) if one in found]
        if len(ways) == 1 and len(grids) == 1:
            found[ways[0]] = grids[0] if ways[0] == chain else _from_the_end(grids[0])
        else:
            wrong.append(named(chain))
    if wrong:
        raise InputError(
            f"{what} cannot hold correction maps but one of five atoms in a row whose first comes before the fourth as "
            f"the second before the fifth, or after: {listed(wrong)}"
        )
    return found


def _in_a_row(system: System) -> Iterator[Chain]:
    """Yield chains of five as OpenMM makes them: torsions, from the lower end, with a neighbour of either end."""
    around = neighbours(system.n_atoms, system.bonds)
    for chain in torsions(system.n_atoms, system.bonds).tolist():
        first, second, third, last = chain if chain[0] < chain[-1] else chain[::-1]
        yield from ((atom, first, second, third, last) for atom in around[first] if atom != second)
        yield from ((first, second, third, last, atom) for atom in around[last] if atom != third)


def _from_the_end(grid: Grid) -> Grid:
    """Return the same map with its angles exchanged."""
    return tuple(zip(*grid, strict=True))


def add_maps(root: Element, found: Mapping[Chain, Grid | None], types: Types, names: Sequence[str]) -> None:
    """Append the maps, and the types of the atoms that have them, from the end where OpenMM begins."""
    rows: dict[Chain, Grid] = {}
    for chain, grid in found.items():
        key = tuple(types[a] for a in chain)
        if grid is not None and key[::-1] not in rows:
            rows[key] = grid
    if not rows:
        return
    force = SubElement(root, "CMAPTorsionForce")
    numbers = {grid: number for number, grid in enumerate(dict.fromkeys(rows.values()))}
    for grid in numbers:
        # The first angle runs fastest.
        energies = (np.array(grid).T.ravel() / units.KILOJOULE).tolist()
        SubElement(force, "Map").text = " ".join(map(repr, energies))
    for key, grid in rows.items():
        classes = {f"class{place}": names[k] for place, k in enumerate(key, 1)}
        SubElement(force, "Torsion", classes, map=str(numbers[grid]))
