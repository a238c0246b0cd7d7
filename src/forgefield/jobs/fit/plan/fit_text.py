"""The text of a FIT.toml with every key, its value and what it means, from the schema."""

import json
import math
from collections.abc import Iterator, Sequence
from textwrap import wrap
from types import UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from forgefield.config import FitFile
from forgefield.jobs.fit.plan.target_choices import TARGETS

_WIDTH = 118


def fit_text(file: FitFile, head: Sequence[str]) -> str:
    """Return settings as text, under sentences that say what they are. Keys that are not set are comments."""
    told = [*head, "What stands behind a # is not set, and is as if it were not there."]
    lines = [line for sentence in told for line in _comment(sentence)]
    lines += ["", "[forcefield]", *_keys(file.forcefield)]
    for number, one in enumerate(file.molecules):
        lines += ["", "[[molecules]]", *(_keys(one) if number == 0 else _set(one))]
    lines += ["", "[targets]", *_targets(file)]
    lines += ["", "[fit]", *_keys(file.fit), "", "[fit.prior]", *_keys(file.fit.prior)]
    return "\n".join(lines) + "\n"


def _keys(section: BaseModel) -> Iterator[str]:
    """Yield each key of a table after what it means; tables that follow it are left out."""
    for key, field in type(section).model_fields.items():
        value = getattr(section, key)
        if isinstance(value, BaseModel):
            continue
        yield from _comment(" ".join([field.description or "", *_choices(field), *_inner(field)]))
        # Of a key that says something else where it is not written, the default is no value to write.
        unset = value is None or (key == "group" and key not in section.model_fields_set)
        yield f"# {key} = {_example(field.annotation)}" if unset else f"{key} = {_toml(value)}"


def _set(section: BaseModel) -> list[str]:
    """Return the keys that are not at their defaults."""
    return [f"{key} = {_toml(getattr(section, key))}" for key in section.model_fields_set]


def _targets(file: FitFile) -> Iterator[str]:
    """Yield every target, those that are not fitted to as comments."""
    for key, field in type(file.targets).model_fields.items():
        kind = next(part for part in get_args(field.annotation) if part is not type(None))
        chosen = file.targets.entry(key)
        shown = TARGETS[key].usual if chosen is None else chosen
        values = {name: value for name, value in shown.model_dump().items() if value is not None}
        where = kind.model_fields.get("at")
        both = where is not None and len(get_args(where.annotation)) > 1
        yield from _comment(" ".join([field.description or "", 'Or at = "relaxed".' if both else ""]))
        yield f"{'# ' if chosen is None else ''}{key} = {_toml(values)}"


def _comment(text: str) -> list[str]:
    lines = wrap(" ".join(text.split()), _WIDTH, break_long_words=False, break_on_hyphens=False)
    return [f"# {line}" for line in lines]


def _choices(field: FieldInfo) -> list[str]:
    """Say which words a key may hold, where these are few."""
    words = _words(field.annotation)
    return [f"One of {', '.join(json.dumps(word) for word in words)}."] if words else []


def _words(annotation: Any) -> tuple[str, ...]:
    if get_origin(annotation) is Literal:
        return get_args(annotation)
    return next((found for part in get_args(annotation) if (found := _words(part))), ())


def _inner(field: FieldInfo) -> list[str]:
    """Say what the tables of a list hold."""
    kind = next((part for part in get_args(field.annotation) if isinstance(part, type)), None)
    if kind is None or not issubclass(kind, BaseModel):
        return []
    return [f"Each is {{ {', '.join(f'{key} = …' for key in kind.model_fields)} }}."]


def _example(annotation: Any) -> str:
    """Return a value that a key which is not set could have."""
    parts = [part for part in get_args(annotation) if part is not type(None)]
    origin = get_origin(annotation)
    if origin is Literal:
        return json.dumps(parts[0])
    if origin in (Union, UnionType, Annotated):
        return _example(parts[0])
    if origin is tuple:
        return f"[{_example(parts[0])}]"
    return '"…"' if annotation is str else "0.0"


def _toml(value: Any) -> str:
    """Return a value in the notation of TOML."""
    match value:
        case dict():
            return "{ " + ", ".join(f"{key} = {_toml(one)}" for key, one in value.items()) + " }"
        case list() | tuple():
            return "[" + ", ".join(map(_toml, value)) + "]"
        case BaseModel():
            return _toml(value.model_dump())
        case bool() | str():
            return json.dumps(value, ensure_ascii=False)
        case float() if math.isinf(value):
            return "inf" if value > 0.0 else "-inf"
        case _:
            return repr(value)
