"""The teacher that settings name, or that a data set names."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from forgefield.errors import InputError

if TYPE_CHECKING:
    from forgefield.engines.teachers.teacher import AbstractTeacher
    from forgefield.jobs.label.label_file import TeacherSection


def teacher_of(said: "TeacherSection", folder: Path) -> "AbstractTeacher":
    """Return the teacher that settings name, whose files are in a folder. Raises InputError where it cannot be had."""
    if said.force_field is not None:
        from forgefield.engines.teachers.model_teacher import teacher_of_file

        return teacher_of_file(folder / said.force_field)
    if said.calculator is not None:
        from forgefield.engines.teachers.ase_teacher import AseTeacher

        return AseTeacher(said.calculator, said.arguments, said.difference_step, said.allow_nonconservative)
    assert said.method is not None
    if said.method == "ani1x":
        from forgefield.engines.teachers.ani_teacher import AniTeacher

        return AniTeacher(said.member)
    try:
        from forgefield.engines.qm.reference import engine_named
        from forgefield.engines.teachers.engine_teacher import EngineTeacher
    except ImportError as error:
        raise InputError(f"{error.name} is not installed; run: pip install 'forgefield[qm]'") from error
    return EngineTeacher(engine_named(said.method, said.basis), said.difference_step)


def teacher_again(identity: str) -> "AbstractTeacher | None":
    """Return the teacher that a data set names by its identity, where it is a method that can be computed here.

    What would be imported, a calculator, is taken from no data set.
    """
    try:
        told = json.loads(identity)
        name, options = str(told["name"]), dict(told["options"])
        said = _section(name, options)
        return None if said is None else teacher_of(said, Path())
    except (ValueError, KeyError, TypeError, InputError):
        return None


def _section(name: str, options: dict[str, Any]) -> "TeacherSection | None":
    from forgefield.jobs.label.label_file import TeacherSection

    if name == "ANI-1x":
        member = options["member"]
        return TeacherSection(method="ani1x", member=member if isinstance(member, int) else None)
    method, _, basis = name.partition("/")
    if not (basis or method.lower().endswith("-xtb")):
        return None
    return TeacherSection(method=method, basis=basis or None, difference_step=options["difference_step"])
