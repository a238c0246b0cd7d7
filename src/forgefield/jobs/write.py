"""Writes a force field that was estimated or fitted into a file of its own."""

from collections.abc import Iterable
from functools import partial
from pathlib import Path

from forgefield.assign.assignment import Assignment
from forgefield.assign.explicit.rules import AbstractStatedRules, SystemRules
from forgefield.assign.mm3.rules import Mm3Rules
from forgefield.assign.typed_rules import TypedRules
from forgefield.errors import InputError
from forgefield.io.format import Format, LaidWriter
from forgefield.io.formats import force_fields, suffixes, written_force_field
from forgefield.io.outputs import new_outputs
from forgefield.io.rules import write_laid, write_whole
from forgefield.jobs.fit.outcome.outcome import Outcome
from forgefield.jobs.fit.plan.choices import form_of
from forgefield.molecules.molecule import Molecule


def usual_form(path: Path) -> str:
    """Return the form that is usual for a file of this suffix. Raises InputError for an unknown one."""
    return _format_of(path)[0].forms[0]


def write_fitted(path: Path, outcome: Outcome, *, overwrite: bool = False) -> None:
    """Write the force field of a fit; one that started from an MM3* file as it is, others as `write_generated` does."""
    match outcome.force_field:
        case TypedRules():
            form = form_of({row.term for row in outcome.assignment.rows})
            write_generated(path, form, outcome.assignment, outcome.molecules, outcome.sources, overwrite=overwrite)
        case Mm3Rules() | AbstractStatedRules():
            form, is_mm3 = written_force_field(path), isinstance(outcome.force_field, Mm3Rules)
            writers = [one for one in force_fields() if one.write_rules]
            if is_mm3:
                writers = [one for one in writers if one.holds_mm3 or one.lays_mm3]
            else:
                writers = [one for one in writers if one.forms != ("mm3",)]
            if form is None or form.write_rules is None or form not in writers:
                known = " or ".join(suffix for suffix in suffixes(writers) if suffix != path.suffix)
                began = "an MM3* file" if is_mm3 else "a topology"
                raise InputError(f"{path}: a fit that started from {began} is written as {known}, not {path.suffix!r}")
            if is_mm3 and form.lays_mm3 and form.write_laid is not None:
                laid = outcome.assignment, outcome.molecules
                write_laid(path, form.write_laid, *laid, outcome.sources, overwrite=overwrite)
                return
            if isinstance(outcome.force_field, SystemRules) and form.system is not None:
                write, system = form.system.write_over, outcome.force_field.system
                files = partial(write, system=system, molecule=outcome.molecules[0])
                write_whole(path, files, outcome.sources, overwrite=overwrite)
                return
            with new_outputs([path], outcome.sources, overwrite=overwrite):
                form.write_rules(path, outcome.force_field)
        case _:
            raise InputError(f"{path}: no format holds what was fitted, for these reasons: {outcome.warnings}")


def write_generated(
    path: Path,
    form: str,
    assignment: Assignment,
    molecules: list[Molecule],
    sources: Iterable[Path],
    *,
    overwrite: bool = False,
) -> list[Path]:
    """Write a force field of this form in the format of the suffix: .json (the native one), .fld, .frcmod, .xml,
    .prmtop, .top, .lmp, .psf, .offxml or .key; return all files that belong to it.

    Raises InputError that names what the format cannot hold, and where a file is one of the `sources`, or there already
    and not to `overwrite`.
    """
    target, write = _format_of(path)
    if form not in target.forms:
        possible = suffixes(one for one in force_fields() if form in one.forms)
        raise InputError(f"{path}: a {path.suffix} file cannot hold the form {form}, only {', '.join(possible)}")
    return write_laid(path, write, assignment, molecules, sources, overwrite=overwrite)


def _format_of(path: Path) -> tuple[Format, LaidWriter]:
    found = written_force_field(path)
    if found is None or found.write_laid is None:
        known = suffixes(one for one in force_fields() if one.write_laid)
        raise InputError(f"{path}: no force field is written as {path.suffix!r}; choose {', '.join(known)}")
    return found, found.write_laid
