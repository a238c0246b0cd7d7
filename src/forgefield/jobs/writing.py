"""Fitted force fields in the formats that FIT.toml asks for."""

from collections.abc import Callable
from pathlib import Path

from forgefield.assign.assignment import Assignment
from forgefield.config import FitFile
from forgefield.io.frcmod import write_frcmod
from forgefield.io.generated_fld import write_generated_fld
from forgefield.io.openmm_xml import write_openmm_xml
from forgefield.jobs.choices import chosen_formats
from forgefield.molecules.molecule import Molecule

_WRITERS: dict[str, tuple[str, Callable[[Path, Assignment, list[Molecule]], None]]] = {
    "fld": ("forcefield.fld", write_generated_fld),
    "frcmod": ("forcefield.frcmod", write_frcmod),
    "openmm-xml": ("forcefield.xml", write_openmm_xml),
}


def write_force_fields(assignment: Assignment, molecules: list[Molecule], file: FitFile, output: Path) -> list[str]:
    """Write every format asked for and return the names of the files."""
    written = []
    for name in chosen_formats(file):
        filename, write = _WRITERS[name]
        write(output / filename, assignment, molecules)
        written.append(filename)
    return written
