"""Reads a TOML file that is to obey a schema."""

import tomllib
from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel, ValidationError

from forgefield.errors import InputError, located
from forgefield.io.sources import content
from forgefield.io.text import decoded
from forgefield.toml.lines import Place, lines
from forgefield.toml.problems import Problem, converted, problems
from forgefield.toml.schema import Spot

_File = TypeVar("_File", bound=BaseModel)


def read_toml(path: Path, schema: type[_File]) -> _File:
    """Return a TOML file that obeys a schema. Raises InputError that lists everything wrong with it."""
    if path.is_dir():
        raise InputError(f"{path}: is a folder; name the .toml file in it")
    if not path.is_file():
        raise InputError(f"{path}: there is no such file")
    try:
        text = decoded(content(path))
        table = tomllib.loads(text)
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror})") from error
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: not valid TOML: the text is not in UTF-8; save it as such in an editor") from error
    # Of numbers with thousands of digits and of deep nesting the parser says so in errors of its own.
    except (ValueError, RecursionError) as error:
        raise InputError(f"{path}: not valid TOML: {error}") from error
    wrong: list[Problem] = []
    table = converted(table, Spot((), schema), wrong)
    try:
        return schema.model_validate(table)
    except ValidationError as error:
        where = lines(text)
        told = problems(error, schema, wrong)
        told.sort(key=lambda one: _line(where, one.place) or 0)
        raise InputError("\n".join(located(path, _line(where, one.place), one.sentence) for one in told)) from error


def _line(where: dict[Place, int], place: Place) -> int | None:
    """Return the line of a place, or of the table in which it is missing."""
    return next((where[place[:n]] for n in range(len(place), 0, -1) if place[:n] in where), None)
