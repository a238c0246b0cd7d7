"""Where in the spectrum of a model a mode of the reference lies: smooth in the Hessian, whatever the modes cross.

A mode a of the reference has the shares s_k = U_ak² in the model's modes k of frequencies f_k. It lies at

    Σ_kl s_k s_l K(f_k - f_l) (f_k + f_l)/2  /  Σ_kl s_k s_l K(f_k - f_l)      K(x) = exp(-x²/2w²)

which is the frequency of one mode that holds it, and the mean of those that share it evenly. Moving s_k by ds_k moves
it by Σ_k G(f_k) ds_k, and so the Hessian between the model's modes moves it by U_ak U_al times the divided differences
of G by the eigenvalues (Daleckii and Krein).
"""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from forgefield import units

FLOOR = 100.0
"""A frequency below this [cm⁻¹] is not divided by, but this is."""
_NEAR = 100.0
"""cm⁻¹: w; modes of the model much nearer to each other count as one."""
_SAME = 170.0
"""cm⁻¹ between frequencies of which differences are no longer divided, for the cube root of the rounding error of one.

A difference f - f' errs by rounding/(f - f'), the mean of the slopes, which stands for it, by the square of f - f'.
"""
_AT_ONCE = 16
"""Modes of the reference whose slopes are computed together."""


def soft_frequencies(
    eigenvalues: Float[Array, "*modes"],
) -> tuple[Float[Array, "*modes"], Float[Array, "*modes"]]:
    """Return signed frequencies [cm⁻¹] and their derivatives by the eigenvalues, without the root's cusp at zero.

    Below the floor F they are F (5x - x³)/4 with x = ω |ω|/F², which meets ω with its slope at ±F.
    """
    x = eigenvalues * (units.WAVENUMBER / FLOOR) ** 2
    inside = jnp.clip(x, -1.0, 1.0)
    beyond = jnp.maximum(jnp.abs(x), 1.0)
    soft = jnp.abs(x) < 1.0
    frequencies = jnp.where(soft, 0.25 * inside * (5.0 - inside**2), jnp.sign(x) * jnp.sqrt(beyond))
    slopes = jnp.where(soft, 0.25 * (5.0 - 3.0 * inside**2), 0.5 / jnp.sqrt(beyond))
    return FLOOR * frequencies, slopes * (units.WAVENUMBER**2 / FLOOR)


def places(eigenvalues: Float[Array, " modes"], mixing: Float[Array, "modes modes"]) -> Float[Array, " modes"]:
    """Return where the modes of the reference lie [cm⁻¹] in a model with these modes, the columns of `mixing`."""
    frequencies, _ = soft_frequencies(eigenvalues)
    share = mixing**2
    weight = share * (share @ _nearness(frequencies))
    return (weight @ frequencies) / weight.sum(axis=1)


def place_slopes(
    eigenvalues: Float[Array, " modes"], mixing: Float[Array, "modes modes"], change: Float[Array, "own modes modes"]
) -> Float[Array, "own modes"]:
    """Return how `places` change with parameters, from how the Hessian between the model's own modes does."""
    frequencies, slopes = soft_frequencies(eigenvalues)
    near, apart = _nearness(frequencies), frequencies[:, None] - frequencies[None, :]
    between = eigenvalues[:, None] - eigenvalues[None, :]
    # Frequencies of equal eigenvalues may be rounded in two ways: vectors of numbers and the rest of them are.
    same = (jnp.abs(apart) < _SAME * jnp.finfo(apart.dtype).eps ** (1.0 / 3.0)) | (between == 0.0)
    root = jnp.where(same, 0.5 * (slopes[:, None] + slopes[None, :]), apart / jnp.where(same, 1.0, between))
    along, steeper = change * root[None], -apart / _NEAR**2 * near

    def of_mode(row: Float[Array, " modes"]) -> Float[Array, " own"]:
        share = row**2
        weight = share * (near @ share)
        both = frequencies[:, None] + frequencies[None, :] - 2.0 * (weight @ frequencies) / weight.sum()
        g = (near * both) @ share / weight.sum()
        slope = (steeper * both + near) @ share / weight.sum()
        divided = (g[:, None] - g[None, :]) / jnp.where(same, 1.0, apart)
        divided = jnp.where(same, 0.5 * (slope[:, None] + slope[None, :]), divided)
        return jnp.einsum("lkj,kj->l", along, row[:, None] * row[None, :] * divided)

    return jax.lax.map(of_mode, mixing, batch_size=_AT_ONCE).T


def _nearness(frequencies: Float[Array, " modes"]) -> Float[Array, "modes modes"]:
    return jnp.exp(-0.5 * ((frequencies[:, None] - frequencies[None, :]) / _NEAR) ** 2)
