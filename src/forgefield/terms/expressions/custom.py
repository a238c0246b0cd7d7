"""Terms that are expressions of distances, angles and dihedral angles."""

import math
from functools import cache

import jax.numpy as jnp

from forgefield import units
from forgefield.terms.composed import DIHEDRAL
from forgefield.terms.coordinates import LENGTH, SUPPLEMENT, Coordinates, Values, joined
from forgefield.terms.expressions.evaluation import COORDINATES, JAX, particles, require_understood, value
from forgefield.terms.expressions.language import Call, Node, nodes, parsed
from forgefield.terms.geometry import Scalar
from forgefield.terms.term import Parameter, Term

_OF = {"distance": (LENGTH, 1), "angle": (SUPPLEMENT, 2), "dihedral": (DIHEDRAL, 1)}
"""The coordinates behind OpenMM's functions, and how many values they have."""


@cache
def custom_term(
    expression: str,
    kind: str,
    order: int,
    parameters: tuple[str, ...] = (),
    constants: tuple[tuple[str, float], ...] = (),
) -> Term:
    """Return the term of an expression in nm, rad and kJ/mol of distance(p1, p2), angle(…) and dihedral(…).

    The parameters are in the units of the expression. Raises InputError where the expression has what is not known.
    """
    tree = parsed(expression)
    names = tuple(name for name, _ in constants)
    require_understood(tree, {*parameters, *names}, order, {})
    asked = _asked(tree)
    coordinates, starts = _coordinates(asked, order)

    def profile(q: Values, *p: Scalar) -> Scalar:
        known = dict(constants) | dict(zip(parameters, p, strict=True))
        measured = {at: _in_units_of_openmm(at[0], q[start]) for at, start in zip(asked, starts, strict=True)}
        return units.KILOJOULE * jnp.asarray(value(tree, known | measured, JAX), q.dtype)

    own = tuple(Parameter(name, "") for name in parameters) or (Parameter("none", ""),)
    return Term(
        *("custom", coordinates, profile if parameters else lambda q, _: profile(q), kind, order, own, len(own)),
        made=(custom_term, (expression, kind, order, parameters, constants)),
    )


def _asked(tree: Node) -> list[tuple[str, tuple[str, ...]]]:
    """Return the coordinates that an expression depends on, each once."""
    calls = [node for node in nodes(tree) if isinstance(node, Call) and node.function in COORDINATES]
    return sorted({(call.function, particles(call)) for call in calls})


def _coordinates(asked: list[tuple[str, tuple[str, ...]]], order: int) -> tuple[Coordinates, list[int]]:
    """Return coordinates, and where among their values each that is asked for stands."""
    parts, starts, start = [], [], 0
    for function, names in asked or [("distance", ("p1", "p2"))]:
        coordinates, n_values = _OF[function]
        parts.append((coordinates, tuple(int(name[1:]) - 1 for name in names)))
        starts.append(start)
        start += n_values
    return joined(*parts, order=order), starts[: len(asked)]


def _in_units_of_openmm(function: str, q: Scalar) -> Scalar:
    match function:
        case "distance":
            return q / units.NANOMETRE
        case "angle":
            return math.pi - q
        case _:
            return q
