"""Writes a force field that was estimated or fitted into a file of its own."""

from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from forgefield.assign.assignment import Assignment
from forgefield.assign.mm3.rules import Mm3Rules
from forgefield.assign.typed_rules import TypedRules
from forgefield.errors import InputError
from forgefield.fitting.data.training_set import Example
from forgefield.io.forcefields.mm3.fld import write_fld
from forgefield.io.outputs import new_outputs
from forgefield.jobs.fit.outcome.outcome import Outcome
from forgefield.jobs.fit.plan.choices import FORMATS
from forgefield.jobs.fit.plan.writing import WRITERS

_SUFFIXES = {".fld": "fld", ".frcmod": "frcmod", ".xml": "openmm-xml"}


def form_of(path: Path) -> str:
    """Return the form that is usual for a file of this suffix. Raises InputError for an unknown one."""
    name = _format_of(path)
    return next(form for form, formats in FORMATS.items() if name in formats)


def write_fitted(path: Path, outcome: Outcome, *, overwrite: bool = False) -> None:
    """Write the force field of a fit; one that was an MM3* file as such a file, others as `write_generated` does."""
    match outcome.force_field:
        case TypedRules():
            write_generated(path, outcome.form, outcome.assignment, outcome.examples, overwrite=overwrite)
        case Mm3Rules(file=file) if path.suffix == ".fld":
            with new_outputs([path], [*_sources(outcome.examples), Path(file.path)], overwrite=overwrite):
                write_fld(path, file, {})
        case Mm3Rules():
            raise InputError(f"{path}: a fit that started from an MM3* file is written as .fld, not {path.suffix!r}")
        case _:
            raise InputError(f"{path}: no format holds what was fitted, for these reasons: {outcome.warnings}")


def write_generated(
    path: Path, form: str, assignment: Assignment, examples: Sequence[Example], *, overwrite: bool = False
) -> None:
    """Write a force field of this form in the format of the suffix: .fld, .frcmod or .xml (OpenMM).

    Raises InputError that names what the format cannot hold, and where a file is one of those that the `examples` were
    read from, or there already and not to `overwrite`.
    """
    name = _format_of(path)
    if name not in FORMATS[form]:
        possible = [suffix for suffix, other in _SUFFIXES.items() if other in FORMATS[form]]
        raise InputError(f"{path}: a {path.suffix} file cannot hold the form {form}, only {' and '.join(possible)}")
    _, write = WRITERS[name]
    molecules = [example.molecule for example in examples]
    with TemporaryDirectory() as folder:
        tried = write(Path(folder) / path.name, assignment, molecules)
    with new_outputs([path.with_name(one.name) for one in tried], _sources(examples), overwrite=overwrite):
        write(path, assignment, molecules)


def _sources(examples: Sequence[Example]) -> list[Path]:
    return [Path(s) for e in examples for s in (e.molecule.source, *e.reference.sources) if s]


def _format_of(path: Path) -> str:
    if path.suffix not in _SUFFIXES:
        raise InputError(f"{path}: no force field is written as {path.suffix!r}; choose {', '.join(_SUFFIXES)}")
    return _SUFFIXES[path.suffix]
