"""Fitted force fields in the formats that a plan asks for."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from forgefield.assign.assignment import Assignment
from forgefield.assign.explicit.rules import AbstractStatedRules, SystemRules
from forgefield.assign.mm3.laid import Mm3Assignment, changed_columns
from forgefield.assign.mm3.rules import Mm3Rules
from forgefield.errors import InputError, WriteError
from forgefield.io.forcefields.mm3.fld import changed_text, mm3_rules, parse_fld
from forgefield.io.format import Format
from forgefield.io.sources import stem
from forgefield.jobs.fit.plan.plan import Plan
from forgefield.molecules.molecule import Molecule


@dataclass(frozen=True, eq=False)
class Written:
    """A force field over the molecules of a fit, with the values that it is written with."""

    plan: Plan
    mm3: Mm3Assignment | None
    """Its lines, where that is an MM3* file."""
    assignment: Assignment
    molecules: Sequence[Molecule]

    def write(self, form: Format, path: Path) -> list[str]:
        """Write it in one format and return the names of the files. Raises InputError for what that cannot hold."""
        if isinstance(self.plan.start, AbstractStatedRules):
            return self._each_system(self.plan.start.with_values(self._values), form, path)
        if self.mm3 is not None and not form.lays_mm3:
            assert form.write_rules is not None
            form.write_rules(path, changed_file(self.mm3, self._values, path))
            return [path.name]
        assert form.write_laid is not None
        return [written.name for written in form.write_laid(path, self.assignment, list(self.molecules))]

    @property
    def _values(self) -> np.ndarray:
        return np.asarray(self.assignment.model.values)

    def _each_system(self, rules: AbstractStatedRules, form: Format, path: Path) -> list[str]:
        """Write all systems; the native file, which holds several, as they are."""
        if form.holds_systems:
            targets = _each_target(rules, self.molecules, path)
            return [one.name for target in targets for one in _write_system(form, *target)]
        assert form.write_rules is not None
        form.write_rules(path, rules)
        return [path.name]


def _each_target(
    rules: AbstractStatedRules, molecules: Sequence[Molecule], path: Path
) -> Iterator[tuple[SystemRules, Molecule, Path]]:
    """Yield each system with its first structure and its file; those of several have the names of the structures."""
    firsts: dict[SystemRules, Molecule] = {}
    for molecule in molecules:
        firsts.setdefault(rules.of(molecule), molecule)
    names = [stem(Path(molecule.source or molecule.name)) for molecule in firsts.values()]
    for own, molecule in firsts.items():
        name = stem(Path(molecule.source or molecule.name))
        name = re.sub(r"[^\w.+-]", "_", name if names.count(name) == 1 else molecule.name)
        first, suffixes = path.name.split(".", 1)
        yield own, molecule, path if len(rules.each) == 1 else path.with_name(f"{first}-{name}.{suffixes}")


def _write_system(form: Format, rules: SystemRules, molecule: Molecule, path: Path) -> tuple[Path, ...]:
    """Write a system, with the geometry of a molecule where the format holds one."""
    if form.system is not None:
        return form.system.write_over(path, system=rules.system, molecule=molecule)
    assert form.write_rules is not None
    form.write_rules(path, rules)
    return (path,)


def changed_file(mm3: Mm3Assignment, values: np.ndarray, path: Path) -> Mm3Rules:
    """Return the force field of an MM3* file with these values. Raises InputError where they do not fit into it."""
    return mm3_rules(parse_fld(path, changed_text(mm3.file, changed_columns(mm3, values))))


def formats_that_hold(held: Written) -> tuple[tuple[Format, ...], list[str]]:
    """Return the formats of a plan that hold this force field, tried out before anything is fitted, and warnings.

    Raises InputError for those that cannot hold it where all must; otherwise they are left out with a warning. What the
    lines of an MM3* file cannot hold is a matter of the values, so that they are not tried.
    """
    formats, warnings, wrong, plan = [], [], [], held.plan
    with TemporaryDirectory() as folder:
        for one in plan.formats:
            if error := None if one.holds_mm3 and held.mm3 is not None else _refused(held, one, Path(folder)):
                message = str(error).replace(f"{folder}/", "")
                wrong.append(f'[forcefield] write = "{one.word}": {message}')
                warnings.append(f"not written as {one.word}: {message}")
            else:
                formats.append(one)
    if wrong and plan.all_formats:
        raise InputError("\n".join(wrong))
    return tuple(formats), warnings


def _refused(held: Written, form: Format, folder: Path) -> InputError | None:
    """Return why a format does not hold a force field; None where it does."""
    try:
        held.write(form, folder / form.in_folder)
    except WriteError:
        raise
    except InputError as error:
        return error
    return None
