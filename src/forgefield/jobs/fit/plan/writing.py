"""Fitted force fields in the formats that a plan asks for."""

from pathlib import Path
from tempfile import TemporaryDirectory

from forgefield.assign.assignment import Assignment
from forgefield.errors import InputError, WriteError
from forgefield.io.format import Format
from forgefield.jobs.fit.plan.plan import Plan
from forgefield.molecules.molecule import Molecule


def formats_that_hold(
    assignment: Assignment, molecules: list[Molecule], plan: Plan
) -> tuple[tuple[Format, ...], list[str]]:
    """Return the formats of a plan that hold this force field, tried out before anything is fitted, and warnings.

    Raises InputError for one that cannot hold it where all must; otherwise it is left out with a warning.
    """
    formats, warnings = [], []
    with TemporaryDirectory() as folder:
        for one in plan.formats:
            assert one.write_laid is not None
            try:
                one.write_laid(Path(folder) / one.in_folder, assignment, molecules)
            except WriteError:
                raise
            except InputError as error:
                message = str(error).replace(f"{folder}/", "")
                if plan.all_formats:
                    raise InputError(f'[forcefield] write = "{one.word}": {message}') from error
                warnings.append(f"not written as {one.word}: {message}")
            else:
                formats.append(one)
    return tuple(formats), warnings
