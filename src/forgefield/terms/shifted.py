"""Terms made from others: between shifted hydrogen centres, scaled, or with a product as force constant."""

from collections.abc import Callable
from dataclasses import replace
from functools import cache

import jax.numpy as jnp
from jaxtyping import Array, Float

from forgefield.terms.coordinates import moved
from forgefield.terms.term import Parameter, Term

OFFSET = Parameter("offset", "", -1.0, 1.0)
"""How far a hydrogen's centre lies beyond its nucleus, as a fraction of the bond: x_H + offset (x_H - x_parent)."""
FACTOR = Parameter("factor", "")

Scalar = Float[Array, ""]


@cache
def shifted(term: Term, atoms: tuple[int, ...]) -> Term:
    """Return the term with some of its atoms at shifted centres.

    Its interactions name the parents of these atoms behind the term's own atoms, and the offsets behind the
    term's own parameters. A parent may be one of the own atoms.
    """
    return _moved(term, atoms, lambda x, offsets: _centres(x, term.order, atoms, offsets), shifted)


@cache
def shifted_stretch(term: Term, atoms: tuple[int, ...]) -> Term:
    """Return a stretch between shifted centres, its length divided by 1 + offset of each.

    MacroModel does so across zero-order bonds, which makes the length of a hydrogen's bond to its own parent
    what it was before the shift.
    """

    def rescaled(x: Float[Array, "extended 3"], offsets: tuple[Scalar, ...]) -> Float[Array, "2 3"]:
        ends = _centres(x, term.order, atoms, offsets)
        scale = jnp.prod(1.0 + jnp.stack(offsets))
        return jnp.stack([ends[0], ends[0] + (ends[1] - ends[0]) / scale])

    return _moved(term, atoms, rescaled, shifted_stretch)


@cache
def scaled(term: Term) -> Term:
    """Return the term multiplied by a factor, its last parameter."""
    return replace(
        term,
        profile=lambda q, *p: p[-1] * term.profile(q, *p[:-1]),
        parameters=(*term.parameters, FACTOR),
        made=(scaled, (term,)),
    )


@cache
def shifted_in_full(term: Term, atoms: tuple[int, ...]) -> Term:
    """Return `shifted` with all parameters its own, the offsets too, and a name that says which atoms are shifted."""
    moved_term = shifted(term, atoms)
    name = f"{term.name}_shifted_{''.join(str(atom + 1) for atom in atoms)}"
    return replace(
        moved_term,
        name=name,
        n_own=len(moved_term.parameters),
        made=(shifted_in_full, (term, atoms)),
    )


def _moved(
    term: Term, atoms: tuple[int, ...], move: Callable[..., Float[Array, "order 3"]], made: Callable[..., Term]
) -> Term:
    n = len(term.parameters)
    return replace(
        term,
        coordinates=moved(term.coordinates, lambda x, p: move(x, tuple(p[n:])), n),
        profile=lambda q, *p: term.profile(q, *p[:n]),
        order=term.order + len(atoms),
        parameters=(*term.parameters, *(OFFSET,) * len(atoms)),
        made=(made, (term, atoms)),
    )


def _centres(
    x: Float[Array, "extended 3"], order: int, atoms: tuple[int, ...], offsets: tuple[Scalar, ...]
) -> Float[Array, "order 3"]:
    """Return the positions of the term's own atoms, some moved away from their parents (x[order:]) [Å]."""
    own, parents = x[:order], x[order:]
    for atom, parent, offset in zip(atoms, parents, offsets, strict=True):
        own = own.at[atom].add(offset * (x[atom] - parent))
    return own
