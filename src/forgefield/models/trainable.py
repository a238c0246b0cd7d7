"""Which values of a force field change in a fit: freezing, bounds and linear ties."""

from dataclasses import dataclass

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from forgefield.errors import InputError
from forgefield.models.rows import Row
from forgefield.terms.term import Parameter

FloatArray = Array | np.ndarray


class Variables(eqx.Module):
    """How the values that change follow from the free variables: value = factor · q[leader] + offset."""

    places: Int[FloatArray, " values"]
    """Of the values that change among all of a model's."""
    leader: Int[FloatArray, " values"]
    """The free variable that each follows."""
    factor: Float[FloatArray, " values"]
    offset: Float[FloatArray, " values"]
    lower: Float[FloatArray, " free"]
    upper: Float[FloatArray, " free"]
    own: Int[FloatArray, " free"]
    """Which of the changing values each free variable is."""

    @property
    def n_free(self) -> int:
        """Number of free variables."""
        return self.lower.shape[0]

    def changed(self, free: Float[FloatArray, " free"]) -> Float[FloatArray, " values"]:
        """Return the values that change for these free variables."""
        return self.factor * free[self.leader] + self.offset

    def values(
        self, start: Float[np.ndarray, " parameters"], free: Float[np.ndarray, " free"]
    ) -> Float[np.ndarray, " parameters"]:
        """Return all values of the model for these free variables, the others as in `start`."""
        values = np.array(start)
        values[self.places] = self.changed(free)
        return values

    def free(self, values: Float[np.ndarray, " parameters"]) -> Float[np.ndarray, " free"]:
        """Return the free variables that these values of a model stand for, inside the bounds."""
        return np.clip(np.asarray(values)[self.places][self.own], self.lower, self.upper)

    def within(self, values: Float[np.ndarray, " parameters"]) -> Float[np.ndarray, " parameters"]:
        """Return the values with bounds and ties applied."""
        return self.values(values, self.free(values))

    def by_free(
        self, slopes: Float[Array, "values *window"], width: Float[FloatArray, " free"]
    ) -> Float[Array, "free *window"]:
        """Return derivatives by values as derivatives by free variables in units of `width`."""
        factor = self.factor * jnp.asarray(width)[self.leader]
        total = jnp.zeros((self.n_free, *slopes.shape[1:]), slopes.dtype)
        return total.at[self.leader].add(slopes * factor.reshape(-1, *(1,) * (slopes.ndim - 1)))


@dataclass(frozen=True, eq=False)
class Trainable:
    """What a fit changes."""

    names: tuple[str, ...]
    """Of each value that changes."""
    variables: Variables

    @property
    def leaders(self) -> tuple[str, ...]:
        """Names of the free variables."""
        return tuple(self.names[k] for k in self.variables.own)


@dataclass(frozen=True)
class Tie:
    """One value follows another: follower = factor · leader + offset."""

    follower: str
    leader: str
    factor: float = 1.0
    offset: float = 0.0


def trainable(
    rows: tuple[Row, ...],
    n_values: int,
    *,
    frozen: frozenset[str] = frozenset(),
    ties: tuple[Tie, ...] = (),
    unbounded: frozenset[str] = frozenset(),
) -> Trainable:
    """Return what changes when these rows are trained.

    Names are those of `Row.parameter_name`. `unbounded` names, and those that follow them, keep no bounds
    (negative force constants). Raises InputError for a tie that names no trained parameter, for ties that run in
    a circle, and for bounds of a tied value that leave no room for the one it follows.
    """
    named: dict[str, tuple[int, Parameter]] = {}
    for row in rows:
        for position, (place, parameter) in enumerate(zip(row.indices, row.term.own, strict=True)):
            name = row.parameter_name(position)
            if name not in frozen and place < n_values:
                named[name] = (place, parameter)
    leading = _leaders(tuple(named), ties)
    free = [name for name in named if leading[name][0] == name]
    column, place = ({name: k for k, name in enumerate(names)} for names in (free, named))
    bounds = _bounds({name: parameter for name, (_, parameter) in named.items()}, leading, unbounded)
    lower, upper = np.array([bounds[name] for name in free]).reshape(-1, 2).T
    variables = Variables(
        places=np.array([where for where, _ in named.values()], dtype=np.int64),
        leader=np.array([column[leading[name][0]] for name in named], dtype=np.int64),
        factor=np.array([leading[name][1] for name in named]),
        offset=np.array([leading[name][2] for name in named]),
        lower=lower,
        upper=upper,
        own=np.array([place[name] for name in free], dtype=np.int64),
    )
    return Trainable(tuple(named), variables)


def _bounds(
    named: dict[str, Parameter], leading: dict[str, tuple[str, float, float]], unbounded: frozenset[str]
) -> dict[str, tuple[float, float]]:
    """Return the bounds of each free variable that keep it and all values that follow it inside their own."""
    bounds = {name: (-np.inf, np.inf) for name in named if leading[name][0] == name}
    for name, parameter in named.items():
        leader, factor, shift = leading[name]
        if factor == 0.0 or unbounded & {name, leader}:
            continue
        lower, upper = sorted(((parameter.minimum - shift) / factor, (parameter.maximum - shift) / factor))
        bounds[leader] = max(bounds[leader][0], lower), min(bounds[leader][1], upper)
    crossed = [
        f"no value of {leader!r} keeps all that follow it inside their bounds: "
        + ", ".join(repr(name) for name in named if leading[name][0] == leader != name)
        for leader, (lower, upper) in bounds.items()
        if lower > upper
    ]
    if crossed:
        raise InputError("\n".join(crossed))
    return bounds


def _leaders(names: tuple[str, ...], ties: tuple[Tie, ...]) -> dict[str, tuple[str, float, float]]:
    """Follow each tie to the variable that is free: name -> (leader, factor, offset)."""
    unknown = sorted({n for tie in ties for n in (tie.follower, tie.leader)} - set(names))
    if unknown:
        raise InputError("a tie names parameters that are not trained: " + ", ".join(map(repr, unknown)))
    twice = sorted({t.follower for t in ties if sum(o.follower == t.follower for o in ties) > 1})
    if twice:
        raise InputError("parameters are tied more than once: " + ", ".join(map(repr, twice)))
    direct = {tie.follower: tie for tie in ties}
    resolved = {}
    for name in names:
        leader, factor, shift, passed = name, 1.0, 0.0, [name]
        while leader in direct:
            tie = direct[leader]
            leader, factor, shift = tie.leader, factor * tie.factor, shift + factor * tie.offset
            if leader in passed:
                raise InputError("ties run in a circle: " + " -> ".join([*passed, leader]) + "; remove one of them")
            passed.append(leader)
        resolved[name] = (leader, factor, shift)
    return resolved
