"""Force fields from files of any format, ready to be laid over molecules."""

from collections.abc import Callable, Iterable
from pathlib import Path
from tempfile import TemporaryDirectory

from forgefield.assign.assignment import Assignment
from forgefield.assign.rules import AbstractRules
from forgefield.errors import InputError, WriteError
from forgefield.io.formats import LaidWriter, force_field_format, force_fields, suffixes
from forgefield.io.outputs import new_outputs
from forgefield.molecules.molecule import Molecule

STUDENT, STUDENTS = "student.safetensors", "students"
"""What a distillation of one student writes into its folder, and the folder of several."""


def load(path: str | Path) -> AbstractRules:
    """Return the force field of a file, or of the folder of a fit or a distillation, not yet laid over molecules.

    An MM3* file (.fld) wants MacroModel atom types, an AMBER parameter file (.frcmod) its own; a file that ForgeField
    generated says what its types stand for, so that it fits any molecule with the same surroundings of atoms, whose
    bonds are perceived where it has none; so does the native file that a fit writes (.json). A neural model
    (.safetensors) needs elements only. Raises InputError, as does what is returned, which also raises
    MissingParameters.
    """
    path = file_of(Path(path))
    found = force_field_format(path)
    if found is not None and found.rules is not None:
        return found.rules(path)
    read = suffixes(one for one in force_fields() if one.rules)
    raise InputError(
        f"{path}: no force field is read from {path.suffix!r} files; give a {', '.join(sorted(read))} or a fit's folder"
    )


def file_of(path: Path) -> Path:
    """Return the force field that a fit or a distillation wrote into a folder; the path itself where it is none.

    Raises InputError for a folder without one.
    """
    if not path.is_dir():
        return path
    names = [*(one.in_folder for one in force_fields() if one.rules and one.write_laid), STUDENT]
    found = [path / name for name in names if (path / name).is_file()]
    if not found:
        raise InputError(f"{path}: holds none of {', '.join(names)}; has the run ended?")
    return found[0]


def write_laid(
    path: Path,
    write: LaidWriter,
    assignment: Assignment,
    molecules: list[Molecule],
    sources: Iterable[Path],
    *,
    overwrite: bool,
) -> None:
    """Write a force field that is laid over molecules, with the files that its format puts beside.

    Raises InputError for what the format cannot hold, and where a file is one of the `sources`, or there already and
    not to `overwrite`.
    """
    write_whole(path, lambda target: write(target, assignment, molecules), sources, overwrite=overwrite)


def write_whole(
    path: Path, write: Callable[[Path], tuple[Path, ...]], sources: Iterable[Path], *, overwrite: bool
) -> list[Path]:
    """Write all files that belong to a path, or none, and return them. Raises InputError as `write_laid` does."""
    with TemporaryDirectory() as folder:
        try:
            tried = write(Path(folder) / path.name)
        except WriteError:
            raise
        except InputError as error:
            raise InputError(str(error).replace(folder, str(path.parent))) from error
    files = [path.with_name(one.name) for one in tried]
    with new_outputs(files, sources, overwrite=overwrite):
        write(path)
    return files
