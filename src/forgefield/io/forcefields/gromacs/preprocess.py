"""The lines of a GROMACS topology after its preprocessor: files included, conditions decided, macros replaced."""

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from forgefield.errors import InputError, located
from forgefield.io.lines import Line
from forgefield.io.text import read_text

_DIRECTIVE = re.compile(r"#\s*(\w+)\s*(.*)")
_SECTION = re.compile(r"\[\s*(\w+)\s*\]")
_INCLUDED = re.compile(r'["<](.+?)[">]')
_INSTALLED = ("/usr/share/gromacs/top", "/usr/local/gromacs/share/gromacs/top")
_DEEPEST = 20
"""Files that include each other, and macros in macros."""


@dataclass
class _State:
    top: Path
    macros: dict[str, list[str]] = field(default_factory=dict)
    conditions: list[bool] = field(default_factory=list)
    section: str = ""


def preprocessed(path: Path) -> Iterator[tuple[str, Line]]:
    """Yield the lines of a topology with their sections, "" for the head of each section.

    Included files are sought beside the file that names them, beside the topology, in the folders of GMXLIB, and where
    GROMACS is installed. Raises InputError for those that are not found.
    """
    state = _State(path)
    yield from _file(path, state, 0)
    if state.conditions:
        raise InputError(f"{path}: an #ifdef or #ifndef has no #endif")


def _file(path: Path, state: _State, depth: int) -> Iterator[tuple[str, Line]]:
    held = ""
    for number, text in enumerate(read_text(path).splitlines(), start=1):
        line = held + text.split(";", 1)[0].strip()
        held = ""
        if line.endswith("\\"):
            held = line[:-1] + " "
            continue
        if line.startswith("#"):
            yield from _directive(path, number, line, state, depth)
        elif line and all(state.conditions):
            if known := _SECTION.fullmatch(line):
                state.section = known[1].lower()
                yield "", Line(path, number, (state.section,))
            else:
                yield state.section, Line(path, number, tuple(_replaced(line.split(), state.macros, 0)))


def _directive(path: Path, number: int, line: str, state: _State, depth: int) -> Iterator[tuple[str, Line]]:
    known = _DIRECTIVE.fullmatch(line)
    name, rest = (known[1], known[2].strip()) if known else ("", "")
    if name in ("ifdef", "ifndef"):
        state.conditions.append((rest in state.macros) == (name == "ifdef"))
    elif name in ("else", "endif"):
        if not state.conditions:
            raise InputError(located(path, number, f"#{name} without an #ifdef"))
        last = state.conditions.pop()
        state.conditions += [not last] if name == "else" else []
    elif all(state.conditions):
        yield from _acted(path, number, (name, rest), state, depth)


def _acted(path: Path, number: int, given: tuple[str, str], state: _State, depth: int) -> Iterator[tuple[str, Line]]:
    """Do what a directive says that is no condition."""
    name, rest = given
    words = rest.split()
    if name == "define" and words:
        state.macros[words[0]] = words[1:]
    elif name == "undef" and words:
        state.macros.pop(words[0], None)
    elif name == "include" and (named := _INCLUDED.match(rest)):
        if depth > _DEEPEST:
            raise InputError(located(path, number, "files include each other without end"))
        yield from _file(_found(path, number, named[1], state.top), state, depth + 1)
    else:
        raise InputError(located(path, number, f"{name or rest!r} is no directive of the preprocessor that is known"))


def _found(path: Path, number: int, name: str, top: Path) -> Path:
    """Return the file that is included. Raises InputError where there is none."""
    data = os.environ.get("GMXDATA", "")
    folders = [path.parent, top.parent, *map(Path, filter(None, os.environ.get("GMXLIB", "").split(os.pathsep)))]
    folders += [Path(data) / "top"] if data else []
    folders += map(Path, _INSTALLED)
    found = next((folder / name for folder in folders if (folder / name).is_file()), None)
    if found is None:
        where = ", ".join(dict.fromkeys(str(folder) for folder in folders))
        raise InputError(
            located(
                path, number, f"{name} is not found in {where}; name its folder in GMXLIB, or put it beside the file"
            )
        )
    return found


def _replaced(words: list[str], macros: dict[str, list[str]], depth: int) -> Iterator[str]:
    """Yield words with macros replaced by what they stand for."""
    for word in words:
        if word in macros and depth < _DEEPEST:
            yield from _replaced(macros[word], macros, depth + 1)
        else:
            yield word
