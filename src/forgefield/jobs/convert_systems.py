"""Converts force fields into files of engines, which hold one molecule with every interaction."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from forgefield.assign.explicit.match import order_of
from forgefield.assign.explicit.rules import AbstractStatedRules, systems_of
from forgefield.assign.explicit.system import System
from forgefield.assign.rules import AbstractRules
from forgefield.assign.typed_rules import TypedRules
from forgefield.errors import InputError
from forgefield.io.forcefields.laid.format import Positions, SystemFormat
from forgefield.io.molecules import read_structures
from forgefield.io.rules import write_whole
from forgefield.molecules.molecule import Molecule


@dataclass(frozen=True)
class Converted:
    """What a conversion of a force field wrote."""

    files: list[Path]
    """The one asked for, then those that belong to it."""
    remarks: list[str]
    """What is worth saying."""


def convert_to_engine(
    rules: AbstractRules, form: SystemFormat, target: Path, read: list[Path], *, approximate: bool, overwrite: bool
) -> Converted:
    """Write a force field as it is laid over the first structure of the files read behind its own.

    Where it is to be `approximate`, what the format cannot hold is left out and named; else that is an InputError.
    """
    system, positions, remarks = _laid(rules, form, target, read)
    lost = form.left_out(system) if approximate else []
    changed = form.changed(system) if approximate else []
    kept = form.approximate(system) if approximate else system
    files = write_whole(target, lambda path: form.write_system(path, kept, positions), read, overwrite=overwrite)
    remarks += [f"left out, since {form.what} does not hold it: {what}" for what in lost]
    remarks += [f"changed, since {form.what} does not hold it as it is: {what}" for what in changed]
    return Converted(files, remarks)


def _laid(
    rules: AbstractRules, form: SystemFormat, target: Path, read: list[Path]
) -> tuple[System, Positions | None, list[str]]:
    """Return a system, the positions of its atoms, where a structure is given, and what is to be said of others.

    Raises InputError for structures of several molecules.
    """
    source, *files = read
    if isinstance(rules, AbstractStatedRules):
        systems = systems_of(rules)
        molecules = [m for path in files for m in read_structures(path, system=systems)]
        if not molecules and len(systems) == 1:
            return systems[0], None, []
        if not molecules:
            raise InputError(f"{target}: {form.what} is of one molecule, {source} of {len(systems)}; name one (--over)")
        system = rules.of(molecules[0]).system
        orders = [order_of(system, molecule) for molecule in molecules]
        return system, molecules[0].positions[orders[0]], _others(target, molecules)
    if not isinstance(rules, TypedRules):
        raise InputError(f"{target}: {form.what} holds a force field of one molecule, which {source} is not")
    if not files:
        raise InputError(
            f"{target}: {form.what} is of one molecule; name a structure that {source} is laid over (--over)"
        )
    molecules = [rules.typing(molecule) for path in files for molecule in read_structures(path)]
    system = form.laid(target, rules.assign(molecules), molecules)
    return system, molecules[0].positions, _others(target, molecules)


def _others(target: Path, molecules: Sequence[Molecule]) -> list[str]:
    """Say which of several structures is written."""
    if len(molecules) == 1:
        return []
    first = molecules[0].name
    return [f"{target} holds one geometry: of {len(molecules)} structures that of the first, {first}, is written"]
