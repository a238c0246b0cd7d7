"""What a schema says of a place in a file: its table, its values, their bounds and their unit."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from forgefield.toml.lines import Place

UNIT = re.compile(r" \[(?P<unit>[^\]]+)\]")
"""How the meaning of a key says its unit."""
OUTER = "the unit of the target"
"""How it says that the table which holds it has a unit."""


@dataclass(frozen=True)
class Spot:
    """A place in a file as the schema sees it."""

    place: Place
    annotation: Any
    """Of the values that may stand there."""
    field: FieldInfo | None = None
    """The key that leads there; None in a list, and for the whole file."""
    unit: str = ""
    """Of the values, or of those in the table."""

    @property
    def table(self) -> type[BaseModel] | None:
        """The table that may stand there, also in a list; None where values do."""
        return table_of(self.annotation)

    @property
    def is_list(self) -> bool:
        """Whether a list may stand there, and nothing else."""
        return all(get_origin(part) is tuple for part in _kinds(self.annotation))

    def under(self, key: str | int) -> "Spot":
        """Return the place of a key or of an entry."""
        place = (*self.place, key)
        for kind in _kinds(self.annotation):
            if isinstance(key, int) and get_origin(kind) is tuple:
                return Spot(place, get_args(kind)[0], unit=self.unit)
            if isinstance(key, str) and (table := table_of(kind)) is not None and key in table.model_fields:
                field = table.model_fields[key]
                return Spot(place, field.annotation, field, unit_of(field, self.unit))
        return Spot(place, Any)

    @property
    def takes_unit(self) -> bool:
        """Whether numbers with a unit may stand there."""
        return bool(self.unit) and is_number(self.annotation)


def spot(schema: type[BaseModel], where: Place) -> Spot:
    """Return the place that an error of pydantic is about; names of kinds of values in it are no keys."""
    found = Spot((), schema)
    for part in where:
        is_kind = isinstance(part, str) and len(_kinds(found.annotation)) > 1
        if not is_kind:
            found = found.under(part)
    return found


def unit_of(field: FieldInfo, outer: str) -> str:
    """Return the unit of a key in a table, whose own is `outer`."""
    found = UNIT.search(field.description or "")
    if found is not None:
        return found["unit"]
    return outer if OUTER in (field.description or "") else ""


def tables(schema: type[BaseModel], path: str = "") -> Iterator[tuple[str, type[BaseModel]]]:
    """Yield every table of a file with its name, and the whole file."""
    yield path, schema
    for key, field in schema.model_fields.items():
        table = table_of(field.annotation)
        if table is not None:
            yield from tables(table, f"{path}.{key}" if path else key)


def values(annotation: Any) -> str:
    """Return in words what may stand at a key."""
    origin, parts = get_origin(annotation), _kinds(annotation)
    if origin is Annotated:
        return values(get_args(annotation)[0])
    if origin is Literal:
        return ", ".join(f'"{part}"' for part in get_args(annotation))
    if len(parts) > 1 or parts[0] is not annotation:
        return " or ".join(values(part) for part in parts)
    if origin is tuple:
        return f"list of {values(get_args(annotation)[0])}"
    if table_of(annotation) is not None or origin is dict:
        return "table"
    return {"str": "text", "int": "whole number", "float": "number", "bool": "true or false"}[annotation.__name__]


def bounds(field: FieldInfo | None) -> list[str]:
    """Return what limits the values of a key."""
    said = []
    for limit in [] if field is None else field.metadata:
        match limit:
            case object(ge=value):
                said.append(f"≥ {value:g}")
            case object(gt=value):
                said.append(f"> {value:g}")
            case object(le=value):
                said.append(f"≤ {value:g}")
            case object(min_length=value):
                said.append(f"at least {value}")
    return said


def words(annotation: Any) -> list[str]:
    """Return the words of which one may stand at a key, also in a list."""
    if get_origin(annotation) is Literal:
        return [str(word) for word in get_args(annotation)]
    return [word for part in get_args(annotation) for word in words(part)]


def is_number(annotation: Any) -> bool:
    """Whether numbers may stand at a key."""
    kinds = [get_args(part)[0] if get_origin(part) is Annotated else part for part in _kinds(annotation)]
    return kinds == [float]


def _kinds(annotation: Any) -> list[Any]:
    """Return the kinds of value that may stand at a key."""
    if get_origin(annotation) in (Union, UnionType):
        return [part for part in get_args(annotation) if part is not NoneType]
    return [annotation]


def table_of(annotation: Any) -> type[BaseModel] | None:
    """Return the table that a key holds, or tables; None where it holds values."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    found = [table for part in get_args(annotation) if (table := table_of(part)) is not None]
    return found[0] if found else None
