"""What a force field needs to know of a term besides its energy."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import SupportsIndex

import jax.numpy as jnp
from jaxtyping import Array, Float

from forgefield.terms.coordinates import Coordinates


@dataclass(frozen=True)
class Parameter:
    """One parameter of a term: its name, its internal unit, and what is sane for it."""

    name: str
    unit: str
    minimum: float = float("-inf")
    """Smallest value that makes physical sense; a fit keeps to it unless told otherwise."""
    maximum: float = float("inf")


@dataclass(frozen=True)
class Polynomial:
    """An energy that is a polynomial in the parameters.

    It is linear, without a constant, in the first `n_linear` parameters taken together, and of these degrees in
    those that follow; any further ones do not change in a fit.
    """

    n_linear: int
    degrees: tuple[int, ...] = ()


@dataclass(frozen=True)
class Term:
    """An energy function of a few atoms and the parameters it takes, in order.

    It is a `profile` over internal coordinates, so that derivatives by positions are taken of the coordinates
    alone and derivatives by parameters of the profile alone. The first `n_own` parameters belong to the term's
    own rows; the rest are borrowed from rows of other terms (the reference length in a stretch-bend term is
    that of the stretch).
    """

    name: str
    coordinates: Coordinates
    profile: Callable[..., Float[Array, ""]]
    """(coordinates, *parameters) -> kcal/mol"""
    kind: str
    """stretch, bend, torsion, …: the key under which its energy is listed."""
    order: int
    """Number of atoms."""
    parameters: tuple[Parameter, ...]
    n_own: int
    polynomial: Polynomial | None = None
    """How the energy depends on the parameters; None where not as a polynomial."""
    made: tuple[Callable[..., "Term"], tuple] | None = field(default=None, compare=False, repr=False)
    """What makes it of other terms, and of which; None for a term of functions that have names."""

    def __reduce_ex__(self, protocol: SupportsIndex) -> str | tuple:
        """Let another process make it again where its functions have no names."""
        return self.made or super().__reduce_ex__(protocol)

    def energy(self, x: Float[Array, "order 3"], *parameters: Float[Array, ""] | float) -> Float[Array, ""]:
        """Return the energy [kcal/mol] at positions x [Å]."""
        known = jnp.stack([jnp.asarray(p, x.dtype) for p in parameters])
        return self.profile(self.coordinates.values(x, known), *known)

    @property
    def own(self) -> tuple[Parameter, ...]:
        """The parameters that its own rows hold."""
        return self.parameters[: self.n_own]

    @property
    def fixed(self) -> range:
        """Which of its own parameters no fit changes: those that its polynomial leaves out."""
        varying = self.n_own if self.polynomial is None else self.polynomial.n_linear + len(self.polynomial.degrees)
        return range(min(varying, self.n_own), self.n_own)
