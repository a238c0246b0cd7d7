"""What is wrong with a file, in sentences that say what may stand there instead."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel, ValidationError

from forgefield.toml.lines import Place
from forgefield.toml.quantities import in_unit
from forgefield.toml.schema import Spot, bounds, spot, tables, values, words
from forgefield.toml.synonyms import meant

_LIKELY, _POSSIBLE = 0.8, 0.5
"""Nearness of words that are taken for each other at once, and where nothing else comes near."""
_LONGEST = 60
"""Letters of a value that is shown."""


@dataclass(frozen=True)
class Problem:
    """A sentence on a place of a file."""

    place: Place
    sentence: str


def converted(value: Any, at: Spot, wrong: list[Problem]) -> Any:
    """Return what stands at a place, texts with units as numbers in the units of their keys, and note what is wrong."""
    match value:
        case dict():
            return {key: converted(inner, at.under(key), wrong) for key, inner in value.items()}
        case list():
            return [converted(inner, at.under(number), wrong) for number, inner in enumerate(value)]
        case str() if at.takes_unit:
            try:
                return in_unit(value, at.unit)
            except ValueError as error:
                wrong.append(Problem(at.place, f"{_stated(at, value)} {error}"))
    return value


def problems(error: ValidationError, schema: type[BaseModel], known: list[Problem]) -> list[Problem]:
    """Return what pydantic has found and what is known already, once for each place."""
    found = [(spot(schema, one["loc"]), one) for one in error.errors()]
    places = {at.place for at, _ in found}
    renamed = {_renamed(at, schema) for at, one in found if one["type"] == "extra_forbidden"}
    told = {one.place: one for one in known}
    for at, one in found:
        # Where a list is one of two kinds of value, what is wrong in it is told, and not that it is no text.
        is_outer = any(place != at.place and place[: len(at.place)] == at.place for place in places)
        is_there = one["type"] == "missing" and at.place in renamed
        if not (is_outer or is_there or at.place in told):
            told[at.place] = Problem(at.place, _sentence(at, one, schema))
    return [*told.values()]


def _sentence(at: Spot, error: Mapping[str, Any], schema: type[BaseModel]) -> str:
    match error["type"]:
        case "extra_forbidden":
            return f"unknown key {_name(at.place)!r}; {_hint(at, schema)}"
        case "missing":
            assert at.field is not None
            meaning = at.field.description or (at.table and at.table.__doc__) or ""
            return f"{_name(at.place)!r} is missing: {' '.join(meaning.split())}"
        case "value_error" if at.table is not None or at.is_list:
            return f"{_name(at.place)}: {error.get('ctx', {}).get('error')}"
        case "value_error":
            return f"{_stated(at, error['input'])} {error.get('ctx', {}).get('error')}"
        case "finite_number":
            return f"{_stated(at, error['input'])} must be finite"
    return f"{_stated(at, error['input'])} must be {_wanted(at, error['input'])}"


def _stated(at: Spot, value: Any) -> str:
    return f"{_name(at.place)} = {_shown(value)}"


def _wanted(at: Spot, given: Any) -> str:
    """Say what may stand at a place."""
    if at.table is not None:
        return _wanted_table(at, given)
    *others, last = bounds(at.field) or [""]
    said = f"{values(at.annotation)} {', '.join(others)}{' and ' * bool(others)}{last}".strip()
    said = f"{said} [{at.unit}]" if at.unit else said
    if at.is_list and not isinstance(given, list):
        return f"a {said}, such as [{_shown(given)}]"
    near = meant(given, words(at.annotation), nearness=_POSSIBLE) if isinstance(given, str) else None
    is_one_of = "one of " if words(at.annotation) else "a " if said[0] != "t" else ""
    return f"{is_one_of}{said}" + (f'; did you mean "{near}"?' if near else "")


def _wanted_table(at: Spot, given: Any) -> str:
    assert at.table is not None
    if at.is_list:
        return f"a list of tables, each headed [[{_name(at.place)}]]"
    required = [key for key, field in at.table.model_fields.items() if field.is_required()]
    example = f", such as {{ {required[0]} = {_shown(given)} }}" if len(required) == 1 else ""
    return f"a table{example}; its keys are {', '.join(at.table.model_fields)}"


def _renamed(at: Spot, schema: type[BaseModel]) -> Place:
    """Return the place that was meant by an unknown key."""
    key, siblings = str(at.place[-1]), _siblings(at, schema)
    return (*at.place[:-1], meant(key, siblings, nearness=_POSSIBLE) or key)


def _hint(at: Spot, schema: type[BaseModel]) -> str:
    """Say what may be meant by an unknown key."""
    key, siblings = str(at.place[-1]), _siblings(at, schema)
    elsewhere = [path for path, table in tables(schema) if key in table.model_fields]
    near = meant(key, siblings, nearness=_LIKELY if elsewhere else _POSSIBLE)
    if near is not None:
        return f"did you mean {near!r}?"
    if elsewhere:
        headings = [f"[{path}]" if path else f"a table [{key}] of its own" for path in elsewhere]
        return f"it belongs into {' or '.join(headings)}"
    return f"known keys here: {', '.join(siblings)}"


def _siblings(at: Spot, schema: type[BaseModel]) -> list[str]:
    table = spot(schema, at.place[:-1]).table
    return [] if table is None else [*table.model_fields]


def _name(place: Place) -> str:
    """Return the name of a place; that of an entry of a list by its number, from 1."""
    name = ".".join(part for part in place if isinstance(part, str))
    return f"entry {place[-1] + 1} of {name}" if place and isinstance(place[-1], int) else name


def _shown(value: Any) -> str:
    """Return a value as TOML has it."""
    match value:
        case dict():
            return "{ … }"
        case str() | bool():
            text = json.dumps(value, ensure_ascii=False)
        case list():
            text = f"[{', '.join(map(_shown, value))}]"
        case _:
            text = str(value)
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"
