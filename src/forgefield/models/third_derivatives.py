"""How the curvatures of a force field change with the geometry: third derivatives, one interaction at a time."""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from forgefield.models.blocks import coordinates_of, derivatives_of_coordinates, molecule_of
from forgefield.models.forcefield import ForceField
from forgefield.molecules.topology import Topology
from forgefield.terms.coordinates import Displacements, Parameters, Positions, Values
from forgefield.terms.term import Term

_AT_ONCE = 1 << 20
"""Numbers of an intermediate that are kept at once: so many fit into a cache."""


def curvature_slopes(
    model: ForceField,
    topology: Topology,
    positions: Float[Array, "atoms 3"],
    modes: Float[Array, "molecules coordinates modes"],
) -> Float[Array, "molecules coordinates modes"]:
    """Return the derivative of vᵀ H v by the positions, for each column v of `modes` [kcal/mol/Å³].

    One vector for each mode, whatever the number of directions it is then multiplied with.
    """
    total = jnp.zeros_like(modes)
    for (term, x, p), group in zip(model.local(topology, positions), topology.interactions, strict=True):
        molecule, place = molecule_of(topology, group), coordinates_of(topology, group)

        def of_interaction(each, term=term):
            x, p, molecule, place = each
            return _slopes(term, x, p, modes[molecule, place])

        n = place.shape[0]
        size = min(n, max(1, _AT_ONCE // (place.shape[1] * modes.shape[2])))
        # A last chunk of another size would be a second program: the last interaction fills it up.
        filled = jnp.minimum(jnp.arange(size * -(-n // size)), n - 1)
        given = tuple(each[filled] for each in (x, p, molecule, place))
        found = jax.lax.map(of_interaction, given, batch_size=size)[:n]
        total = total.at[molecule[:, None], place].add(found)
    return total


def _slopes(term: Term, x: Positions, p: Parameters, v: Displacements) -> Displacements:
    """Return the derivative of vᵀ H v of one interaction by the positions of its atoms, for each column v.

    For an energy f(q) with rates q' = ∂q v and q'' = ∂²q v v it is (∂³f q' q' + ∂²f q'') ∂q + 2 ∂²f q' ∂²q v +
    ∂f ∂³q v v.
    """
    q, first, second = (found[0] for found in derivatives_of_coordinates(term, x[None], p[None]))

    def slope(q: Values) -> Values:
        return jax.grad(lambda q: term.profile(q, *p))(q)

    curvature = jax.jacfwd(slope)
    f2, f3 = curvature(q), jax.jacfwd(curvature)(q)
    rates = first @ v
    bent = jnp.einsum("qcd,dk->qck", second, v)
    curves = jnp.einsum("qck,ck->qk", bent, v)
    pulled = jnp.einsum("qrs,qk,rk->sk", f3, rates, rates, optimize="optimal") + f2 @ curves
    turned = 2.0 * jnp.einsum("qk,qck->ck", f2 @ rates, bent)
    return first.T @ pulled + turned + term.coordinates.third(x, p, slope(q), v)
