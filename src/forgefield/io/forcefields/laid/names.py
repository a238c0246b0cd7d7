"""Names of atoms, types and residues that fit into the columns of a format."""

import re
from collections.abc import Sequence

from forgefield.assign.explicit.system import System
from forgefield.molecules.molecule import symbol

_NUMBERED = re.compile(r"(.+?)(\d+)")


def residues(system: System, width: int) -> list[tuple[str, int]]:
    """Return name, of at most so many characters, and first atom of each residue, in order."""
    starts = [k for k, name in enumerate(system.residues) if k == 0 or name != system.residues[k - 1]]
    found = []
    for number, start in enumerate(starts, 1):
        whole = system.residues[start]
        name = whole.removesuffix(str(number))
        if name == whole and (known := _NUMBERED.fullmatch(whole)):
            name = known[1]
        found.append(((name or "MOL")[:width], start))
    return found


def atom_names(system: System, width: int) -> list[str]:
    """Return a name of at most so many characters for each atom; element and number where the own names do not fit."""
    if all(name and len(name) <= width and not re.search(r"\s", name) for name in system.names):
        return list(system.names)
    return [f"{symbol(int(z))}{k}"[:width] for k, z in enumerate(system.species.tolist(), 1)]


def short_types(types: Sequence[str], width: int) -> list[str]:
    """Return types of at most so many characters, others numbered behind what they begin with."""
    taken = {name for name in types if len(name) <= width}
    known: dict[str, str] = {name: name for name in taken}
    for name in dict.fromkeys(types):
        if name in known:
            continue
        short = name[:width]
        number = 1
        while short in taken:
            tail = str(number)
            short, number = name[: width - len(tail)] + tail, number + 1
        known[name] = short
        taken.add(short)
    return [known[name] for name in types]
