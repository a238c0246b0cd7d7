"""Fitted force fields in the formats that FIT.toml asks for."""

from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

from forgefield.assign.assignment import Assignment
from forgefield.config import FitFile
from forgefield.errors import InputError, WriteError
from forgefield.io.forcefields.amber.frcmod import write_frcmod
from forgefield.io.forcefields.mm3.generated_fld import write_generated_fld
from forgefield.io.forcefields.openmm.openmm_xml import write_openmm_xml
from forgefield.jobs.fit.plan.choices import chosen_formats
from forgefield.molecules.molecule import Molecule

WRITERS: dict[str, tuple[str, Callable[[Path, Assignment, list[Molecule]], tuple[Path, ...]]]] = {
    "fld": ("forcefield.fld", write_generated_fld),
    "frcmod": ("forcefield.frcmod", write_frcmod),
    "openmm-xml": ("forcefield.xml", write_openmm_xml),
}
"""For each format the usual name of the file and what writes it."""


def write_force_fields(
    assignment: Assignment, molecules: list[Molecule], formats: tuple[str, ...], output: Path
) -> list[str]:
    """Write every format and return the names of the files."""
    written = []
    for name in formats:
        filename, write = WRITERS[name]
        written += [path.name for path in write(output / filename, assignment, molecules)]
    return written


def formats_to_write(
    assignment: Assignment, molecules: list[Molecule], file: FitFile
) -> tuple[tuple[str, ...], list[str]]:
    """Return the formats that hold this force field, tried out before anything is fitted, and warnings.

    Raises InputError for a format that FIT.toml names and that cannot hold it; others are left out with a warning.
    """
    formats, warnings = [], []
    with TemporaryDirectory() as folder:
        for name in chosen_formats(file):
            try:
                write_force_fields(assignment, molecules, (name,), Path(folder))
            except WriteError:
                raise
            except InputError as error:
                message = str(error).replace(f"{folder}/", "")
                if file.forcefield.write is not None:
                    raise InputError(f'[forcefield] write = "{name}": {message}') from error
                warnings.append(f"not written as {name}: {message}")
            else:
                formats.append(name)
    return tuple(formats), warnings
