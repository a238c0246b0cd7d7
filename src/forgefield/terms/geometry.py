"""Internal coordinates with derivatives that stay finite to third order, at straight angles too."""

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float

Scalar = Float[Array, ""]


def distance(x: Float[Array | np.ndarray, "2 3"]) -> Scalar:
    """Return the distance |x₁ - x₀|, in the unit of x."""
    arm = x[1] - x[0]
    return jnp.sqrt(arm @ arm)


def angle(x: Float[Array | np.ndarray, "3 3"]) -> Scalar:
    """Return the angle at the middle atom [rad], atan2(|a×b|, a·b) for the arms a and b.

    At exactly 0 or 180° the derivatives are those within one (arbitrary) plane, so finite.
    """
    return between(jnp.asarray(x[0] - x[1]), jnp.asarray(x[2] - x[1]))


@jax.custom_jvp
def between(a: Float[Array, "3"], b: Float[Array, "3"]) -> Scalar:
    """Return the angle between two vectors [rad]."""
    # atan2 keeps full precision near 0 and pi, where arccos of a dot product loses it.
    normal = jnp.cross(a, b)
    return jnp.arctan2(jnp.sqrt(normal @ normal), a @ b)


@between.defjvp
def _between_jvp(primals, tangents):
    a, b = primals
    da, db = tangents
    # ∂θ/∂a = (a × n)/|a|² and ∂θ/∂b = (n × b)/|b|², n being the unit normal of the plane.
    normal = unit_normal(a, b)
    slope = jnp.cross(a, normal) @ da / (a @ a) + jnp.cross(normal, b) @ db / (b @ b)
    return between(a, b), slope


def unit_normal(a: Float[Array, "3"], b: Float[Array, "3"]) -> Float[Array, "3"]:
    """Return the unit vector along a × b; a constant one perpendicular to a where they are parallel."""
    normal = jnp.cross(a, b)
    square = normal @ normal
    # Below rounding the direction of a × b is noise, and its higher derivatives overflow.
    flat = square <= jnp.finfo(a.dtype).eps ** 2 * (a @ a) * (b @ b)
    along = normal / jnp.sqrt(jnp.where(flat, 1.0, square))
    return jnp.where(flat, jax.lax.stop_gradient(_perpendicular(a)), along)


def _perpendicular(a: Float[Array, "3"]) -> Float[Array, "3"]:
    """Return a unit vector perpendicular to a."""
    other = jnp.zeros(3, a.dtype).at[jnp.argmin(jnp.abs(a))].set(1.0)
    normal = jnp.cross(a, other)
    return normal / jnp.sqrt(normal @ normal)


def sine_squared(a: Float[Array, "3"], b: Float[Array, "3"]) -> Scalar:
    """Return sin² of the angle between two vectors, smooth at 0 and 180°."""
    normal = jnp.cross(a, b)
    return normal @ normal / ((a @ a) * (b @ b))


def cosine_and_switch(
    product: Scalar, square_m: Scalar, square_n: Scalar, sine2_first: Scalar, sine2_second: Scalar
) -> tuple[Scalar, Scalar]:
    """Return cos φ of a dihedral angle and a factor that takes the torsion out near linear angles.

    From m·n, m² and n² of the normals m = b₁×b₂ and n = b₂×b₃ and sin² of the two angles; φ = 0 is cis. The
    factor is 1 where both angles are more than 10° from 0 and 180°, falls to zero with sin²θ₁ sin²θ₂ and is
    twice continuously differentiable; where it is zero the cosine is a finite constant.
    """
    flat = _either_flat(sine2_first, sine2_second)
    square = jnp.where(flat, 1.0, square_m * square_n)
    cosine = jnp.where(flat, 1.0, product) / jnp.sqrt(square)
    return cosine, jnp.where(flat, 0.0, _switch(sine2_first) * _switch(sine2_second))


def dihedral(x: Float[Array | np.ndarray, "4 3"]) -> Scalar:
    """Return the dihedral angle [rad] in (-π, π], 0 for cis, positive clockwise along the central bond (IUPAC).

    Undefined next to a straight angle, where it is 0.
    """
    b1, b2, b3 = x[1] - x[0], x[2] - x[1], x[3] - x[2]
    m, n = jnp.cross(b1, b2), jnp.cross(b2, b3)
    flat = _either_flat(sine_squared(b1, b2), sine_squared(b2, b3))
    sine = jnp.sqrt(b2 @ b2) * (b1 @ n)
    return jnp.arctan2(jnp.where(flat, 0.0, sine), jnp.where(flat, 1.0, m @ n))


def _either_flat(first: Scalar, second: Scalar) -> Bool[Array, ""]:
    """Return whether one of two sin² is so small that the switch and its derivatives are below rounding."""
    return jnp.minimum(first, second) <= jnp.finfo(first.dtype).eps


_SINE_SQUARED_10 = 0.030153689607045806
"""sin² 10°"""


def _switch(sine2: Scalar) -> Scalar:
    """Rise from 0 at a straight angle to 1 at 10° from it, y³(10 - 15 y + 6 y²) in y = sin²θ / sin² 10°."""
    y = jnp.minimum(sine2 / _SINE_SQUARED_10, 1.0)
    return y**3 * (10.0 - 15.0 * y + 6.0 * y**2)
