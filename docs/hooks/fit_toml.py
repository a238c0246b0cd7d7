"""The page on FIT.toml and its JSON Schema for editors, from the schema that files are checked against."""

import json
import math
import re
from typing import Any, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from forgefield.jobs.fit.plan.target_choices import schema
from forgefield.toml.schema import OUTER, UNIT, bounds, table_of, unit_of, values

_BEGIN = """# FIT.toml

What `forgefield fit` runs. A key that is not listed here is an error, and everything wrong with a file is said at once.
Paths and patterns are relative to the folder of the file; patterns of parameters go by the names that `forgefield fit
FIT.toml --check` lists. Where a meaning says its unit, a number is in that unit, and text with another unit of the same
kind will do as well: `tolerance = "0.05 eV/Å"`, `theta0 = "0.1 rad"`, `lowest = "600 cm-1"`.

Editors that know TOML check a file as it is written, and complete keys, where its first line names
[fit.schema.json](fit.schema.json), saved beside it:

```toml
#:schema ./fit.schema.json
```
"""


def page() -> str:
    """Return the page in Markdown: a section for each table of the file."""
    return page_of(_BEGIN, schema())


def page_of(begin: str, model: type[BaseModel]) -> str:
    """Return the page of a settings file with a beginning and this schema."""
    return "\n".join([begin, *_sections(model, "")])


def schema_text() -> str:
    """Return the JSON Schema."""
    head = {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": "FIT.toml"}
    return (
        json.dumps(_finite(_with_texts({**schema().model_json_schema(), **head})), indent=1, ensure_ascii=False) + "\n"
    )


def _with_texts(schema: Any) -> Any:
    """Return a schema that allows text, with a unit, where a number has one."""
    if isinstance(schema, list):
        return [_with_texts(value) for value in schema]
    if not isinstance(schema, dict):
        return schema
    inner = {key: _with_texts(value) for key, value in schema.items()}
    says = inner.get("description")
    if isinstance(says, str) and (UNIT.search(says) or OUTER in says):
        if inner.get("type") == "number":
            inner["type"] = ["number", "string"]
        elif {"type": "null"} in inner.get("anyOf", []):
            inner["anyOf"] += [{"type": "string"}] * any(one.get("type") == "number" for one in inner["anyOf"])
    return inner


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
    inner = {
        key: found for key, field in model.model_fields.items() if (found := table_of(field.annotation)) is not None
    }
    keys = {key: field for key, field in model.model_fields.items() if key not in inner}
    lines = []
    if keys:
        lines += ["| key | values | default | meaning |", "|---|---|---|---|"]
        lines += [_row(key, field, unit) for key, field in keys.items()] + [""]
    for key, found in inner.items():
        field, place = model.model_fields[key], f"{path}.{key}" if path else key
        heading = f"[[{place}]]" if get_origin(field.annotation) is tuple else f"[{place}]"
        said = [_prose(field.description), _prose(found.__doc__), "Required." if field.is_required() else ""]
        lines += [
            f"## `{heading}`",
            "",
            " ".join(part for part in said if part),
            "",
            *_sections(found, place, unit_of(field, "")),
        ]
    return lines


def _row(key: str, field: FieldInfo, unit: str) -> str:
    meaning = _prose(field.description).replace(OUTER, unit or OUTER)
    stands = re.sub('"[^"]*"', r"`\g<0>`", " ".join([values(field.annotation), *bounds(field)]))
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in (f"`{key}`", stands, _default(field), meaning)) + " |"


def _default(field: FieldInfo) -> str:
    value = field.default
    if field.is_required():
        return "required"
    if value is None or field.default_factory is not None:
        return "—"
    if _is_infinite(value):
        return "−∞" if value < 0.0 else "∞"
    return f"`{json.dumps(value, ensure_ascii=False)}`"


def _prose(text: str | None) -> str:
    return " ".join((text or "").split())
