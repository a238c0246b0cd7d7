"""Which of several files of QM results are of one structure."""

from collections.abc import Sequence
from pathlib import Path

from forgefield.errors import InputError
from forgefield.io.assemble.parts import Part, alike
from forgefield.io.references import read_parts
from forgefield.io.sources import plain_name

Group = list[tuple[Path, Part | None]]
"""Files of one structure with what they say of it; None of a file of several structures."""


def belonging(paths: Sequence[Path]) -> list[tuple[Path, ...]]:
    """Return files in the order given, those of one structure together.

    Of one structure are files of the same name but for the suffix, in one folder, and files of the same geometry; what
    holds no geometry and has no namesake belongs to the only structure there is. Relaxed scans and files of several
    structures stand alone. Raises InputError where it cannot be told what a file belongs to.
    """
    groups: list[Group] = []
    for path in dict(zip((path.resolve() for path in paths), paths, strict=True)).values():
        parts = read_parts(path)
        part = None if len(parts) != 1 or parts[0].constraints else parts[0]
        found = None if part is None else next((group for group in groups if _fits(group, path, part)), None)
        if found is None:
            groups.append([(path, part)])
        else:
            found.append((path, part))
    return [tuple(path for path, _ in group) for group in _placed(groups)]


def _fits(group: Group, path: Path, part: Part) -> bool:
    """Say whether a file is of the structure of others."""
    name = _without_suffix(path)
    return any(known is not None and (name == _without_suffix(other) or alike(part, known)) for other, known in group)


def _without_suffix(path: Path) -> Path:
    """Return where a file lies, and its name without suffixes."""
    return plain_name(path.resolve()).with_suffix("")


def _placed(groups: list[Group]) -> list[Group]:
    """Return the groups after what has no geometry has joined the only structure that has."""
    bare = [group for group in groups if all(part is not None and part.positions is None for _, part in group)]
    placed = [group for group in groups if group not in bare]
    single = [group for group in placed if group[0][1] is not None]
    if bare and len(single) != 1:
        names = ", ".join(str(path) for group in bare for path, _ in group)
        raise InputError(
            f"{names}: holds no geometry, and no file of the same name says of which structure it is; give the file "
            "of its structure too, named alike, or say in a FIT.toml which files belong together"
        )
    without_place = [entry for group in bare for entry in group]
    return [group + without_place if group in single else group for group in placed]
