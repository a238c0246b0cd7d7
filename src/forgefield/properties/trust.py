"""Steps towards a stationary point of stated order inside a radius of trust, from exact curvatures.

A saddle is a minimum of the image function, in which slope and curvature along the followed mode have the other
sign (T. Helgaker, Chem. Phys. Lett. 1991, 182, 503); steps minimise its quadratic model within the radius
(J. J. Moré, D. C. Sorensen, SIAM J. Sci. Stat. Comput. 1983, 4, 553).
"""

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from forgefield.properties.stationary import FLAT, Landscape

_HALVINGS = 60
STIFF = 10.0
"""kcal/mol/Å²; what is stiffer is bonds and angles, which a step along a rotation bends in second order."""
_SHARE = 0.1
"""A negative mode with more than this share of the followed one goes before all that are not negative."""

Coordinates = Float[Array, "molecules coordinates"]


class Step(eqx.Module):
    """A step of each molecule."""

    change: Coordinates
    """Å"""
    length: Float[Array, " molecules"]
    predicted: Float[Array, " molecules"]
    """Change of energy by the quadratic model [kcal/mol]."""
    is_newton: Bool[Array, " molecules"]
    """Whether nothing but slope and curvature decided the step."""
    followed: Coordinates
    """The mode along which a saddle is sought; zero for minima."""


def step(
    seen: Landscape, order: Int[Array, " molecules"], follow: Coordinates, radius: Float[Array, " molecules"]
) -> Step:
    """Return the step of each molecule towards a minimum (order 0) or a saddle (order 1) along what it follows."""
    mode = _followed(seen, follow)
    saddle = order > 0
    places = jnp.arange(follow.shape[1])[None, :]
    flipped = (places == mode[:, None]) & saddle[:, None]
    sign = jnp.where(flipped, -1.0, 1.0)
    slope = jnp.where(seen.is_free, jnp.einsum("mij,mi->mj", seen.directions, seen.gradient), 0.0)
    curvature = sign * seen.curvatures
    image = jnp.where(jnp.abs(curvature) < FLAT, FLAT, curvature)
    along, is_newton = jax.vmap(_within)(sign * slope, image, seen.is_free, radius)
    predicted = jnp.einsum("mi,mi->m", slope + 0.5 * seen.curvatures * along, along)
    direction = jnp.take_along_axis(seen.directions, mode[:, None, None], axis=2)[:, :, 0]
    return Step(
        change=jnp.einsum("mij,mj->mi", seen.directions, along),
        length=jnp.sqrt(jnp.einsum("mi,mi->m", along, along)),
        predicted=predicted,
        is_newton=is_newton,
        followed=jnp.where(saddle[:, None], direction, 0.0),
    )


def settled(seen: Landscape) -> tuple[Coordinates, Float[Array, " molecules"]]:
    """Return Newton's step [Å] in stiff directions alone, and the change of energy that it predicts [kcal/mol].

    A straight step along a rotation stretches bonds; this brings it back to the floor of the curved valley.
    """
    slope = jnp.einsum("mij,mi->mj", seen.directions, seen.gradient)
    stiff = seen.is_free & (seen.curvatures > STIFF)
    along = jnp.where(stiff, -slope / jnp.where(stiff, seen.curvatures, 1.0), 0.0)
    return jnp.einsum("mij,mj->mi", seen.directions, along), 0.5 * jnp.einsum("mj,mj->m", slope, along)


def _followed(seen: Landscape, follow: Coordinates) -> Int[Array, " molecules"]:
    """Return which direction each molecule follows, by overlap.

    Where negative ones hold more than a tenth of what is followed, the most similar of them; else of all.
    """
    overlap = jnp.einsum("mij,mi->mj", seen.directions, follow) ** 2
    square = jnp.einsum("mi,mi->m", follow, follow)
    overlap = overlap / jnp.where(square > 0.0, square, 1.0)[:, None]
    overlap = jnp.where(seen.is_free, overlap, -1.0)
    first = (overlap > _SHARE) & (seen.curvatures < -FLAT)
    return jnp.argmax(overlap + jnp.where(first, 2.0, 0.0), axis=1)


def _within(
    slope: Float[Array, " coordinates"],
    curvature: Float[Array, " coordinates"],
    free: Bool[Array, " coordinates"],
    radius: Float[Array, ""],
) -> tuple[Float[Array, " coordinates"], Bool[Array, ""]]:
    """Minimise slope · s + ½ curvature · s² within |s| ≤ radius; says whether the minimum is free of the limit."""
    lowest = jnp.min(jnp.where(free, curvature, jnp.inf))
    base = jnp.maximum(-lowest, 0.0)

    def at(shift):
        stiffness = jnp.where(free, curvature + shift, 1.0)
        return jnp.where(free & (stiffness > 0.0), -slope / jnp.where(stiffness > 0.0, stiffness, 1.0), 0.0)

    def too_long(shift):
        s = at(shift)
        return s @ s > radius**2

    def halve(_, ends):
        low, high = ends
        middle = 0.5 * (low + high)
        above = too_long(middle)
        return jnp.where(above, middle, low), jnp.where(above, high, middle)

    is_newton = (lowest > 0.0) & ~too_long(0.0)
    start = base, base + jnp.sqrt(slope @ slope) / radius
    _, shift = jax.lax.fori_loop(0, _HALVINGS, halve, start)
    s = at(jnp.where(is_newton, 0.0, shift))
    # On a ridge there may be no slope to follow down: the rest of the radius goes along the lowest curvature.
    along = free & (jnp.arange(slope.shape[0]) == jnp.argmin(jnp.where(free, curvature, jnp.inf)))
    others = jnp.where(along, 0.0, s)
    rest = jnp.sqrt(jnp.maximum(radius**2 - others @ others, 0.0))
    ridge = jnp.where(along, jnp.where(slope > 0.0, -rest, rest), others)
    return jnp.where(lowest > 0.0, s, ridge), is_newton
