"""MM3's exp-6 in OpenMM's language."""

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from forgefield.compiled import compiled
from forgefield.terms.nonbonded import EXP6_PAIR

_WALL = 0.34
"""r/rv below which it is continued by a cubic in (r/rv)²."""


@compiled
def _of_unit_pairs(pairs: Float[Array, "pairs 2 3"]) -> Float[Array, " pairs"]:
    return jax.vmap(lambda pair: EXP6_PAIR.energy(pair, 1.0, 1.0))(pairs)


def exp6_of(distance: str) -> str:
    """Return the energy by its depth, with the definitions that follow, for an expression of r/rv."""
    # The wall is a cubic in u = (r/rv)²: four of its values give the coefficients.
    u = np.linspace(0.0, 0.8 * _WALL**2, 4)
    pairs = np.zeros((4, 2, 3))
    pairs[:, 1, 0] = np.sqrt(u)
    wall = np.polyfit(u, np.asarray(_of_unit_pairs(jnp.asarray(pairs))), 3)
    c3, c2, c1, c0 = (repr(float(c)) for c in wall)
    return (
        f"select(step(x-{_WALL}), outer, wall); outer=184000*exp(-12*x)-2.25/u^3; "
        f"wall={c0}+u*({c1}+u*({c2}+u*({c3}))); u=x^2; x={distance}"
    )
