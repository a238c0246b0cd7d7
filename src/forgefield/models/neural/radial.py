"""Radial bases, cut-off envelopes and edge features of neural models, with first derivatives in closed form.

All take distances r [Å] of any shape and return values together with their slopes d/dr.
"""

import abc
from dataclasses import dataclass

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

_SERIES = 0.1
"""Below this argument the slope of sin(x)/x is taken from its series: x cos x - sin x cancels."""


class AbstractBasis(abc.ABC):
    """Functions of a distance that a linear filter combines; frozen, so that a compiled model can carry them."""

    n: int
    """Number of functions."""
    cutoff: float
    """Å"""

    @abc.abstractmethod
    def expansion(self, r: Float[Array, "*edges"]) -> tuple[Float[Array, "*edges n"], Float[Array, "*edges n"]]:
        """Return the functions at distances [Å] and their slopes [1/Å]."""


@dataclass(frozen=True)
class SineBasis(AbstractBasis):
    """sin(k π r / r_cut) / r for k = 1 … n (Schütt, Unke and Gastegger 2021, eq. 8; 1/Å)."""

    n: int
    cutoff: float

    def expansion(self, r: Float[Array, "*edges"]) -> tuple[Float[Array, "*edges n"], Float[Array, "*edges n"]]:
        """Return the functions and their slopes, finite at r = 0."""
        k = jnp.arange(1, self.n + 1, dtype=r.dtype) * jnp.asarray(jnp.pi / self.cutoff, r.dtype)
        k = k.reshape((1,) * r.ndim + (self.n,))
        r = r[..., None]
        x = k * r
        far = jnp.maximum(r, 1e-6)
        value = jnp.where(x < _SERIES, k * (1.0 - x**2 / 6.0 * (1.0 - x**2 / 20.0)), jnp.sin(x) / far)
        slope = jnp.where(
            x < _SERIES, -(k**2) * x / 3.0 * (1.0 - x**2 / 10.0), (x * jnp.cos(x) - jnp.sin(x)) / (far * far)
        )
        return value, slope


@dataclass(frozen=True)
class GaussianBasis(AbstractBasis):
    """exp(-(r - c_k)² / 2w²) with n centres c_k from 0 to r_cut, a width w apart."""

    n: int
    cutoff: float

    def expansion(self, r: Float[Array, "*edges"]) -> tuple[Float[Array, "*edges n"], Float[Array, "*edges n"]]:
        """Return the functions and their slopes."""
        width = self.cutoff / (self.n - 1)
        centres = jnp.arange(self.n, dtype=r.dtype) * jnp.asarray(width, r.dtype)
        off = (r[..., None] - centres.reshape((1,) * r.ndim + (self.n,))) / width
        value = jnp.exp(-0.5 * off**2)
        return value, -off / width * value


class AbstractEnvelope(abc.ABC):
    """A factor that falls from 1 at r = 0 to 0 at the cut-off and stays 0."""

    @abc.abstractmethod
    def expansion(
        self, r: Float[Array, "*edges"], cutoff: float
    ) -> tuple[Float[Array, "*edges"], Float[Array, "*edges"]]:
        """Return the factor and its slope [1/Å]."""


@dataclass(frozen=True)
class QuinticEnvelope(AbstractEnvelope):
    """1 - 10 x³ + 15 x⁴ - 6 x⁵ with x = r / r_cut: value, slope and curvature vanish at the cut-off."""

    def expansion(
        self, r: Float[Array, "*edges"], cutoff: float
    ) -> tuple[Float[Array, "*edges"], Float[Array, "*edges"]]:
        """Return the factor and its slope."""
        x = jnp.minimum(r / cutoff, 1.0)
        # (1 - x)³ (1 + 3x + 6x²): the expanded form leaves rounding errors near the cut-off.
        value = (1.0 - x) ** 3 * (1.0 + x * (3.0 + 6.0 * x))
        return value, -30.0 / cutoff * x**2 * (1.0 - x) ** 2


@dataclass(frozen=True)
class CosineEnvelope(AbstractEnvelope):
    """(1 + cos π x) / 2, as SchNetPack has it: C¹ only, so that Hessians jump where a pair crosses the cut-off."""

    def expansion(
        self, r: Float[Array, "*edges"], cutoff: float
    ) -> tuple[Float[Array, "*edges"], Float[Array, "*edges"]]:
        """Return the factor and its slope."""
        x = jnp.minimum(r / cutoff, 1.0) * jnp.asarray(jnp.pi, r.dtype)
        inside = r < cutoff
        slope = jnp.sin(x) * jnp.asarray(-0.5 * jnp.pi / cutoff, r.dtype)
        return jnp.where(inside, 0.5 * (1.0 + jnp.cos(x)), 0.0), jnp.where(inside, slope, 0.0)


def expansion(
    basis: AbstractBasis, envelope: AbstractEnvelope, r: Float[Array, "*edges"]
) -> tuple[Float[Array, "*edges channels"], Float[Array, "*edges channels"]]:
    """Return what a linear filter sees of a distance, n + 1 channels, and the slopes.

    Basis times envelope, then the envelope itself: a filter's bias is the weight of the last channel, so that
    (W·basis + b)·envelope, the envelope applied last, is one product of matrices.
    """
    value, slope = basis.expansion(r)
    factor, fall = (a[..., None] for a in envelope.expansion(r, basis.cutoff))
    values = jnp.concatenate([value * factor, factor], axis=-1)
    return values, jnp.concatenate([slope * factor + value * fall, fall], axis=-1)


@jax.custom_jvp
def direction(d: Float[Array, "*edges 3"]) -> tuple[Float[Array, "*edges"], Float[Array, "*edges 3"]]:
    """Return length [Å] and unit vector of d; the unit vector of zero is zero."""
    r = jnp.sqrt(jnp.sum(d * d, axis=-1))
    return r, d / jnp.maximum(r, jnp.finfo(d.dtype).tiny)[..., None]


@direction.defjvp
def _(primals, tangents):
    (d,), (t,) = primals, tangents
    r, u = direction(d)
    along = jnp.sum(u * t, axis=-1)
    return (r, u), (along, (t - u * along[..., None]) / jnp.maximum(r, _SHORTEST)[..., None])


_SHORTEST = 1e-6
"""Å; nearer than this the unit vector is taken to turn no faster."""


def radial_channels(
    basis: AbstractBasis, envelope: AbstractEnvelope, r: Float[Array, "*edges"]
) -> Float[Array, "*edges channels"]:
    """Return the channels of `expansion`; derivatives by r are those of the closed form."""

    @jax.custom_jvp
    def channels(r):
        return expansion(basis, envelope, r)[0]

    @channels.defjvp
    def _(primals, tangents):
        (r,), (t,) = primals, tangents
        value, slope = expansion(basis, envelope, r)
        return value, slope * t[..., None]

    return channels(r)
