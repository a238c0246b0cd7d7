"""The force fields that are validated: one, or several of one kind as a committee."""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from forgefield.engines.teachers.model_teacher import ModelTeacher, teacher_of_file
from forgefield.errors import InputError
from forgefield.io.rules import STUDENTS, file_of

_NEURAL = ".safetensors"
_NOT_WEIGHTS = (".checkpoint.safetensors", ".planned.safetensors")


@dataclass(frozen=True, eq=False)
class Students:
    """Force fields that are asked together; what is asked of one alone is asked of the first."""

    members: tuple[ModelTeacher, ...]
    files: tuple[Path, ...]

    @property
    def first(self) -> ModelTeacher:
        """The one whose surface and dynamics are looked at."""
        return self.members[0]

    @property
    def name(self) -> str:
        """Names of all files."""
        return ", ".join(file.name for file in self.files)


def students(paths: Sequence[Path]) -> Students:
    """Return the force fields of files and folders. Raises InputError where there is none."""
    files = list(dict.fromkeys(file for path in paths for file in _files(path)))
    return Students(tuple(teacher_of_file(file) for file in files), tuple(files))


def _files(path: Path) -> list[Path]:
    """Return the force field of a file or of a run's folder, all students of a run, or all neural ones of a folder."""
    if not path.exists():
        raise InputError(f"{path}: there is no such force field")
    if not path.is_dir():
        return [path]
    with suppress(InputError):
        return [file_of(path)]
    found = sorted(path.glob(f"{STUDENTS}/*{_NEURAL}")) or sorted(
        file for file in path.glob(f"*{_NEURAL}") if not file.name.endswith(_NOT_WEIGHTS)
    )
    if not found:
        raise InputError(f"{path}: holds neither the force field of a fit nor {_NEURAL} files")
    return found
