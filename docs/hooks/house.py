"""Draws which folder of the package imports which, by the reading of imports that the tests use."""

import ast
import re
import runpy
from collections import defaultdict
from functools import cache
from graphlib import TopologicalSorter
from html import escape
from itertools import pairwise
from pathlib import Path

ROOT = Path(__file__).parents[2]
MARK = re.compile(r"^<!-- house: (?P<part>[\w/]*) -->$", re.MULTILINE)
"""Where a page wants a drawing: of the whole package, or of one of its folders."""
Graph = dict[str, set[str]]
"""What each folder imports."""

_WIDE, _HIGH, _GAP, _RISE, _LETTER = 26, 34, 22, 46, 7.2
"""Least width of a box, its height, the gaps beside and above it, and the width of a letter, in pixels."""


def arrows(part: str = "") -> Graph:
    """Return what each folder, or module that is a layer of its own, of a part of the package imports there."""
    graph: Graph = defaultdict(set)
    for layer, used in _layers().items():
        own = _node(layer, part)
        if own is not None:
            graph[own] |= {name for name in (_node(other, part) for other in used) if name is not None} - {own}
    linked = {name for own, used in graph.items() for name in ({own} | used if used else ())}
    return {name: graph[name] for name in graph if name in linked}


@cache
def _layers() -> Graph:
    """Return what each row of the table of layers imports."""
    tests = runpy.run_path(str(ROOT / "tests" / "test_architecture.py"))
    layer_of, ours = tests["layer"], tests["ours"]
    graph: Graph = defaultdict(set)
    for place, path in tests["PLACES"].items():
        graph[layer_of(place)] |= {layer_of(name) for name, _ in ours(ast.parse(path.read_text(encoding="utf-8")))}
    return graph


def _node(layer: str, part: str) -> str | None:
    """Return the box that a layer belongs to; None for one outside the part that is drawn."""
    if not part:
        return layer.partition("/")[0]
    return layer if layer == part or layer.startswith(f"{part}/") else None


def heights(graph: Graph) -> dict[str, int]:
    """Return the storey of each folder: above all that it imports. Raises CycleError where they import in a circle."""
    found: dict[str, int] = {}
    for name in TopologicalSorter(graph).static_order():
        found[name] = 1 + max((found[used] for used in graph.get(name, ())), default=-1)
    return found


def direct(graph: Graph) -> Graph:
    """Return the arrows that do not follow from others."""

    def reached(name: str) -> set[str]:
        return set().union(*({used} | reached(used) for used in graph.get(name, ())))

    return {name: used - set().union(*(reached(other) for other in used)) for name, used in graph.items()}


def figure(part: str = "") -> str:
    """Return the drawing as SVG in HTML: whoever imports stands above, arrows that follow from others are left out."""
    graph = arrows(part)
    shown = direct(graph)
    rows = _ordered(shown, heights(graph))
    widths = {name: _WIDE + _LETTER * len(name) for name in graph}
    total = max(sum(widths.get(name, 0.0) + _GAP for name in row) for row in rows)
    middle: dict[str, tuple[float, float]] = {}
    for level, row in enumerate(rows):
        left = (total - sum(widths.get(name, 0.0) + _GAP for name in row)) / 2
        for name in row:
            wide = widths.get(name, 0.0)
            middle[name] = left + _GAP / 2 + wide / 2, (len(rows) - 1 - level) * (_HIGH + _RISE) + _HIGH / 2 + 2
            left += wide + _GAP
    lines = [_line(name, used, middle) for name, all_used in sorted(shown.items()) for used in sorted(all_used)]
    boxes = [_box(name, graph[name], middle[name], widths[name]) for name in sorted(graph)]
    high = len(rows) * (_HIGH + _RISE) - _RISE + 4
    size = f'viewBox="0 0 {total:.0f} {high:.0f}" style="max-width: {total:.0f}px"'
    head = f'<svg class="house" {size} role="img" aria-label="What imports what">'
    return "\n".join(["<figure>", head, *lines, *boxes, "</svg>", "</figure>"])


def _ordered(shown: Graph, level: dict[str, int]) -> list[list[str]]:
    """Return the boxes of each storey, lowest first, and the points at which long arrows pass, few of them crossing."""
    rows: list[list[str]] = [[] for _ in range(max(level.values()) + 1)]
    linked: Graph = defaultdict(set)
    for name in sorted(level):
        rows[level[name]].append(name)
    for name, all_used in sorted(shown.items()):
        for used in sorted(all_used):
            chain = [name, *(_pass(name, used, k) for k in range(level[name] - 1, level[used], -1)), used]
            for k, point in enumerate(chain[1:-1], start=1):
                rows[level[name] - k].append(point)
            for upper, lower in pairwise(chain):
                linked[upper].add(lower)
                linked[lower].add(upper)
    for sweep in range(24):
        at = {name: (k + 0.5) / len(row) for row in rows for k, name in enumerate(row)}
        order = range(len(rows)) if sweep % 2 else range(len(rows) - 1, -1, -1)
        for k in order:
            rows[k].sort(key=lambda name: sum(at[n] for n in linked[name]) / max(len(linked[name]), 1))
            at |= {name: (j + 0.5) / len(rows[k]) for j, name in enumerate(rows[k])}
    return rows


def _pass(name: str, used: str, level: int) -> str:
    """Return the name of the point at which an arrow passes a storey."""
    return f"{name} > {used} @ {level}"


def _line(name: str, used: str, middle: dict[str, tuple[float, float]]) -> str:
    start = f"{name} > {used} @ "
    points = sorted((at for key, at in middle.items() if key.startswith(start)), key=lambda at: at[1])
    (x, y), (x_end, y_end) = middle[name], middle[used]
    path, y = f"M{x:.0f} {y + _HIGH / 2:.0f}", y + _HIGH / 2
    for x_to, y_to in [*points, (x_end, y_end - _HIGH / 2)]:
        path += f" C{x:.0f} {(y + y_to) / 2:.0f} {x_to:.0f} {(y + y_to) / 2:.0f} {x_to:.0f} {y_to:.0f}"
        x, y = x_to, y_to
    return f'<path d="{path}"><title>{escape(name)} imports {escape(used)}</title></path>'


def _box(name: str, used: set[str], at: tuple[float, float], wide: float) -> str:
    x, y = at[0] - wide / 2, at[1] - _HIGH / 2
    said = f"{name} imports {', '.join(sorted(used)) or 'nothing of ours'}"
    return (
        f'<g><title>{escape(said)}</title><rect x="{x:.0f}" y="{y:.0f}" width="{wide:.0f}" height="{_HIGH}" rx="5"/>'
        f'<text x="{at[0]:.0f}" y="{at[1] + 5:.0f}">{escape(name)}</text></g>'
    )


def style() -> str:
    """Return how drawings look, in the colours of the page, and that names of keys are not broken."""
    return """.md-typeset td:first-child code { white-space: nowrap; }
.house { width: 100%; height: auto; font: 13px monospace; }
.house path { fill: none; stroke: var(--md-default-fg-color--light); stroke-width: 1.2; }
.house rect { fill: var(--md-code-bg-color); stroke: var(--md-primary-fg-color); }
.house text { fill: var(--md-default-fg-color); text-anchor: middle; }
.house path:hover, .house g:hover rect { stroke: var(--md-accent-fg-color); stroke-width: 2.5; }
"""
