"""Terms that keep an atom in the plane of its three neighbours."""

import jax.numpy as jnp
from jaxtyping import Array, Float

from forgefield.terms.coordinates import TWIST, Parameters, Values, expanded
from forgefield.terms.geometry import Scalar, unit_normal
from forgefield.terms.term import Parameter, Polynomial, Term


def cosine_out_of_plane(q: Values, v2: Scalar) -> Scalar:
    """Improper torsion, ½ v2 (1 - cos 2φ), φ being the dihedral angle neighbour, centre, neighbour, neighbour.

    For cos φ and its switch; v2 in kcal/mol; returns kcal/mol. Switched off where three of the atoms are in line.
    """
    return q[1] * v2 * (1.0 - q[0] ** 2)


def harmonic_out_of_plane(q: Values, k: Scalar) -> Scalar:
    """Harmonic pyramidalisation, ½ k (h / r)², for the coordinate (h / r)².

    h is the height of the centre above its neighbours' plane, r the root mean square length of its bonds; k in
    kcal/mol/rad² (h/r is the angle out of the plane for small ones); returns kcal/mol.
    """
    return 0.5 * k * q[0]


def _pyramid(x: Float[Array, "4 3"], _: Parameters) -> Values:
    """Return (h / r)²; the second atom is the centre."""
    arms = jnp.stack([x[0] - x[1], x[2] - x[1], x[3] - x[1]])
    height = unit_normal(arms[1] - arms[0], arms[2] - arms[0]) @ arms[0]
    return (3.0 * height**2 / jnp.sum(arms**2))[None]


COSINE_OUT_OF_PLANE = Term(
    "cosine_out_of_plane",
    TWIST,
    cosine_out_of_plane,
    "out_of_plane",
    4,
    (Parameter("v2", "kcal/mol", minimum=0.0),),
    n_own=1,
    polynomial=Polynomial(1),
)
HARMONIC_OUT_OF_PLANE = Term(
    "harmonic_out_of_plane",
    expanded(_pyramid),
    harmonic_out_of_plane,
    "out_of_plane",
    4,
    (Parameter("k", "kcal/mol/rad²", minimum=0.0),),
    n_own=1,
    polynomial=Polynomial(1),
)
