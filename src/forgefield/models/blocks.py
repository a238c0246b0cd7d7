"""The local derivatives of interactions, of which everything global is a sum."""

from collections.abc import Iterator
from functools import partial

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from forgefield.molecules.topology import Interactions, Topology
from forgefield.terms.term import Term

_traced_once = partial(jax.jit, static_argnums=0, inline=True)
"""Energy, gradient, Hessian and their slopes share the derivatives of a term: Python follows them once for all."""


def local(
    terms: tuple[Term, ...], values: Float[Array, " parameters"], topology: Topology, positions: Float[Array, "atoms 3"]
) -> Iterator[tuple[Term, Float[Array, "interactions order 3"], Float[Array, "interactions parameters"]]]:
    """Yield each term with the positions and the parameters of its interactions."""
    known = jnp.concatenate([values, charges(values, topology)]).astype(positions.dtype)
    for term, group in zip(terms, topology.interactions, strict=True):
        yield term, positions[group.atoms], known[group.parameters]


def charges(values: Float[Array, " parameters"], topology: Topology) -> Float[Array, " charges"]:
    """Return the charge of each atom [e] that follows from bond moments; none where the topology has no such rule."""
    rule = topology.charges
    if rule is None:
        return jnp.zeros(0, values.dtype)
    share = jnp.asarray(rule.sign, values.dtype) * values[rule.moment] / values[rule.length]
    return jnp.asarray(rule.formal, values.dtype).at[rule.atom].add(share)


def molecule_of(topology: Topology, group: Interactions) -> Int[Array, " interactions"]:
    """Return the molecule that each interaction belongs to."""
    return jnp.asarray(topology.molecule)[group.atoms[:, 0]]


def coordinates_of(topology: Topology, group: Interactions) -> Int[Array, "interactions coordinates"]:
    """Return the rows of a molecule's Hessian that the coordinates of each interaction's atoms have."""
    slots = jnp.asarray(topology.slot)[group.atoms]
    return (3 * slots[:, :, None] + jnp.arange(3)[None, None, :]).reshape(-1, 3 * slots.shape[1])


@_traced_once
def derivatives_of_coordinates(
    term: Term, x: Float[Array, "interactions order 3"], p: Float[Array, "interactions parameters"]
) -> tuple[
    Float[Array, "interactions coordinates"],
    Float[Array, "interactions coordinates local"],
    Float[Array, "interactions coordinates local local"],
]:
    """Return a term's internal coordinates with their first and second derivatives by the atoms' positions."""
    return jax.vmap(term.coordinates.expansion)(x, p)


@_traced_once
def derivatives_of_profile(
    term: Term, x: Float[Array, "interactions order 3"], p: Float[Array, "interactions parameters"]
) -> tuple[Float[Array, "interactions coordinates"], Float[Array, "interactions coordinates coordinates"]]:
    """Return the first and second derivatives of a term's energy by its internal coordinates."""
    slope = jax.grad(lambda q, p: term.profile(q, *p))
    q = jax.vmap(term.coordinates.values)(x, p)
    return jax.vmap(slope)(q, p), jax.vmap(jax.jacfwd(slope))(q, p)


@_traced_once
def parameter_slopes(
    term: Term, x: Float[Array, "interactions order 3"], p: Float[Array, "interactions parameters"]
) -> tuple[
    Float[Array, "interactions coordinates parameters"], Float[Array, "interactions coordinates coordinates parameters"]
]:
    """Return how the derivatives of the profile change with the parameters."""
    slope = jax.grad(lambda q, p: term.profile(q, *p))
    q = jax.vmap(term.coordinates.values)(x, p)
    return jax.vmap(jax.jacfwd(slope, argnums=1))(q, p), jax.vmap(jax.jacfwd(jax.jacfwd(slope), argnums=1))(q, p)


def assembled_blocks(
    first: Float[Array, "interactions coordinates local"],
    second: Float[Array, "interactions coordinates local local"],
    slope: Float[Array, "interactions coordinates"],
    curvature: Float[Array, "interactions coordinates coordinates"],
) -> Float[Array, "interactions local local"]:
    """Return the local Hessians Bᵀ f'' B + Σ f' ∂²q of energies f(q) with B = ∂q."""
    bent = jnp.einsum("iq,iqcd->icd", slope, second)
    return bent + jnp.einsum("iqc,iqr,ird->icd", first, curvature, first, optimize="optimal")


def with_blocks(
    cells: Float[Array, "cells 9"],
    topology: Topology,
    group: Interactions,
    blocks: Float[Array, "interactions local local"],
) -> Float[Array, "cells 9"]:
    """Return the cells of two atoms, three by three, of all molecules' Hessians, with local Hessians added."""
    slots, n = jnp.asarray(topology.slot)[group.atoms], topology.n_max
    order = slots.shape[1]
    added = blocks.reshape(-1, order, 3, order, 3).transpose(0, 1, 3, 2, 4).reshape(-1, 9)
    # One index for each cell: XLA adds rows of numbers many times faster than single ones.
    place = (molecule_of(topology, group)[:, None, None] * n + slots[:, :, None]) * n + slots[:, None, :]
    return cells.at[place.reshape(-1)].add(added)


def hessians_of_cells(
    topology: Topology, cells: Float[Array, "cells 9"]
) -> Float[Array, "molecules coordinates coordinates"]:
    """Return the matrices whose cells of two atoms these are."""
    n = topology.n_max
    return cells.reshape(-1, n, n, 3, 3).transpose(0, 1, 3, 2, 4).reshape(-1, 3 * n, 3 * n)
