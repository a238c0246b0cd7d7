"""The page on FIT.toml and its JSON Schema for editors, from the schema that files are checked against."""

import json
import math
import re
from types import UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from annotated_types import Ge, Gt, Le, MinLen
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from forgefield.jobs.fit.plan.target_choices import schema

_UNIT = re.compile(r" \[(?P<unit>[^\]]+)\]")
"""How a meaning says the unit of its key."""
_BEGIN = """# FIT.toml

What `forgefield fit` runs. A key that is not listed here is an error, and everything wrong with a file is said at once.
Paths and patterns are relative to the folder of the file; patterns of parameters go by the names that `forgefield fit
FIT.toml --check` lists.

Editors that know TOML check a file as it is written, and complete keys, where its first line names
[fit.schema.json](fit.schema.json), saved beside it:

```toml
#:schema ./fit.schema.json
```
"""


def page() -> str:
    """Return the page in Markdown: a section for each table of the file."""
    return "\n".join([_BEGIN, *_sections(schema(), "")])


def schema_text() -> str:
    """Return the JSON Schema."""
    head = {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": "FIT.toml"}
    return json.dumps(_finite({**schema().model_json_schema(), **head}), indent=1, ensure_ascii=False) + "\n"


def _finite(schema: Any) -> Any:
    """Return a schema without defaults that JSON has no numbers for."""
    if isinstance(schema, dict):
        return {key: _finite(value) for key, value in schema.items() if not _is_infinite(value)}
    return [_finite(value) for value in schema] if isinstance(schema, list) else schema


def _is_infinite(value: Any) -> bool:
    return isinstance(value, float) and not math.isfinite(value)


def _sections(model: type[BaseModel], path: str, unit: str = "") -> list[str]:
    """Return what is said of the keys of a table of the file, then the sections of the tables in it.

    `unit` is that of the target which the table is about.
    """
    inner = {key: found for key, field in model.model_fields.items() if (found := _table(field.annotation)) is not None}
    keys = {key: field for key, field in model.model_fields.items() if key not in inner}
    lines = []
    if keys:
        lines += ["| key | values | default | meaning |", "|---|---|---|---|"]
        lines += [_row(key, field, unit) for key, field in keys.items()] + [""]
    for key, found in inner.items():
        field, place = model.model_fields[key], f"{path}.{key}" if path else key
        heading = f"[[{place}]]" if get_origin(field.annotation) is tuple else f"[{place}]"
        said = [_prose(field.description), _prose(found.__doc__), "Required." if field.is_required() else ""]
        own = "".join(found["unit"] for found in _UNIT.finditer(said[0]))
        lines += [f"## `{heading}`", "", " ".join(part for part in said if part), "", *_sections(found, place, own)]
    return lines


def _table(annotation: Any) -> type[BaseModel] | None:
    """Return the table that a key holds, or tables; None where it holds values."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    found = [table for part in get_args(annotation) if (table := _table(part)) is not None]
    return found[0] if found else None


def _row(key: str, field: FieldInfo, unit: str) -> str:
    meaning = _prose(field.description).replace("the unit of the target", unit or "the unit of the target")
    values = " ".join([_values(field.annotation), *_bounds(field)])
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in (f"`{key}`", values, _default(field), meaning)) + " |"


def _values(annotation: Any) -> str:
    """Return in words what a key may hold."""
    origin, parts = get_origin(annotation), [part for part in get_args(annotation) if part is not type(None)]
    if origin is Annotated:
        return _values(parts[0])
    if origin is Literal:
        return ", ".join(f'`"{part}"`' for part in parts)
    if origin in (Union, UnionType):
        return " or ".join(_values(part) for part in parts)
    if origin is tuple:
        return f"list of {_values(parts[0])}"
    return {"str": "text", "int": "whole number", "float": "number", "bool": "true or false"}[annotation.__name__]


def _bounds(field: FieldInfo) -> list[str]:
    said = []
    for limit in field.metadata:
        match limit:
            case Ge(ge=value):
                said.append(f"≥ {value:g}")
            case Gt(gt=value):
                said.append(f"> {value:g}")
            case Le(le=value):
                said.append(f"≤ {value:g}")
            case MinLen(min_length=value):
                said.append(f"at least {value}")
    return said


def _default(field: FieldInfo) -> str:
    value = field.default
    if field.is_required():
        return "required"
    if value is None:
        return "—"
    if _is_infinite(value):
        return "−∞" if value < 0.0 else "∞"
    return f"`{json.dumps(value, ensure_ascii=False)}`"


def _prose(text: str | None) -> str:
    return " ".join((text or "").split())
