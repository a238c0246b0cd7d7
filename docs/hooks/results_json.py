"""The page on results.json, from the dataclasses that it is made of."""

import ast
import inspect
from dataclasses import fields, is_dataclass
from textwrap import dedent
from types import NoneType, UnionType
from typing import Any, Union, get_args, get_origin, get_type_hints

from forgefield.report.results import Results

_BEGIN = """# results.json

What a fit tells programs; `forgefield fit --json` prints the same. Everything is in Å, kcal/mol, rad, amu and e, and
every harmonic constant is k of E = ½ k x²; a unit in the name of a key is that of its values. What is unknown is
`null`: there are no NaN and no infinities. Later versions may add keys; those below keep their names and meanings.
"""


def page() -> str:
    """Return the page in Markdown: a section for each kind of table in the file."""
    lines, done, todo = [_BEGIN], {Results}, [Results]
    while todo:
        kind = todo.pop(0)
        lines += _section(kind)
        further = [inner for inner in _tables(get_type_hints(kind).values()) if inner not in done]
        done |= {*further}
        todo[:0] = dict.fromkeys(further)
    return "\n".join(lines)


def _section(kind: type) -> list[str]:
    meanings, types = _meanings(kind), get_type_hints(kind)
    rows = []
    for key in fields(kind):
        table = next(iter(_tables([types[key.name]])), None)
        meaning = meanings.get(key.name) or ("" if table is None else _about(table))
        rows.append(f"| `{key.name}` | {_said(types[key.name])} | {meaning} |")
    title, about = ("The whole file", "") if kind is Results else (_words(kind).capitalize(), _about(kind))
    return [
        f"## {title} {{ #{anchor(kind)} }}",
        "",
        about,
        "",
        "| key | value | meaning |",
        "|---|---|---|",
        *rows,
        "",
    ]


def _about(kind: type) -> str:
    return " ".join((inspect.getdoc(kind) or "").split())


def _tables(annotations: Any) -> list[Any]:
    """Return the kinds of table that values of these types hold, in order."""
    found: list[Any] = []
    for annotation in annotations:
        found += [annotation] if is_dataclass(annotation) else _tables(get_args(annotation))
    return found


def _said(annotation: Any) -> str:
    """Return in words what a value is."""
    origin, parts = get_origin(annotation), get_args(annotation)
    if is_dataclass(annotation):
        return f"[{_words(annotation)}](#{anchor(annotation)})"
    if origin in (Union, UnionType):
        return " or ".join("null" if part is NoneType else _said(part) for part in parts)
    if origin in (list, tuple):
        return f"list of {_said(parts[0])}"
    if origin is dict:
        return f"table of {_said(parts[1])} by name"
    return {"str": "text", "int": "whole number", "float": "number", "bool": "true or false"}[annotation.__name__]


def _meanings(kind: type) -> dict[str, str]:
    """Return what stands under each field of a dataclass."""
    (body,) = ast.parse(dedent(inspect.getsource(kind))).body
    assert isinstance(body, ast.ClassDef)
    found = {}
    for line, following in zip(body.body, body.body[1:], strict=False):
        match line, following:
            case ast.AnnAssign(target=ast.Name(id=name)), ast.Expr(value=ast.Constant(value=str(text))):
                found[name] = " ".join(text.split())
    return found


def _words(kind: Any) -> str:
    """Return the name of a dataclass as words."""
    return "".join(f" {letter.lower()}" if letter.isupper() else letter for letter in kind.__name__).strip()


def anchor(kind: Any) -> str:
    """Return where the page tells of a dataclass."""
    return _words(kind).replace(" ", "-")
