"""Coordinates that are functions of products of vectors between atoms, smooth where the angle itself is not."""

from collections.abc import Callable
from functools import cache
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from forgefield.terms.coordinates import Coordinates, Displacements, Expansion, Parameters, Positions, Values
from forgefield.terms.geometry import Scalar


class Products(NamedTuple):
    """Products of the components of the positions with all their derivatives."""

    values: Float[Array, " products"]
    first: Float[Array, "products local"]
    second: Float[Array, "products local local"]
    third: Float[Array, "local local local"]
    """Of the last product; the others are quadratic."""


@cache
def composed(function: Callable[[Values], Scalar], products: Callable[[Positions], Products]) -> Coordinates:
    """Return the coordinate that is a function of products."""
    slope = jax.grad(function)
    curved = jax.jacfwd(slope)

    def values(x: Positions, _: Parameters) -> Values:
        return function(products(x).values)[None]

    def expansion(x: Positions, _: Parameters) -> Expansion:
        u = products(x)
        first = slope(u.values)
        second = jnp.einsum("u,uab->ab", first, u.second)
        second = second + jnp.einsum("uv,ua,vb->ab", curved(u.values), u.first, u.first, optimize="optimal")
        return function(u.values)[None], (first @ u.first)[None], second[None]

    def third(x: Positions, _: Parameters, w: Values, v: Displacements) -> Displacements:
        u = products(x)
        by_products, twice, thrice = (w[0] * f(u.values) for f in (slope, curved, jax.jacfwd(curved)))
        turned = jnp.einsum("uab,bk->uak", u.second, v)
        rates, curves = u.first @ v, jnp.einsum("uak,ak->uk", turned, v)
        along = jnp.einsum("uvw,vk,wk->uk", thrice, rates, rates, optimize="optimal") + twice @ curves
        cubic = by_products[-1] * jnp.einsum("abc,bk,ck->ak", u.third, v, v, optimize="optimal")
        return u.first.T @ along + 2.0 * jnp.einsum("uk,uak->ak", twice @ rates, turned) + cubic

    return Coordinates(values, expansion, third, made=(composed, (function, products)))


_ARMS = np.kron(np.array([[1.0, -1.0, 0.0], [0.0, -1.0, 1.0]]), np.eye(3))
_BONDS = np.kron(np.diff(np.eye(4), axis=0), np.eye(3))
"""They take arms of an angle, and bonds of a torsion, from the positions of their atoms."""


def _of_vectors(matrix: Float[np.ndarray, "components local"]) -> Float[np.ndarray, "products local local"]:
    """Return the second derivatives of the dot products of vectors, in the order of a matrix's upper triangle."""
    n = len(matrix) // 3
    units = np.eye(n)
    forms = [np.outer(units[i], units[j]) + np.outer(units[j], units[i]) for i in range(n) for j in range(i, n)]
    return np.stack([matrix.T @ np.kron(form, np.eye(3)) @ matrix for form in forms])


_STAR = np.kron(np.array([[1.0, -1.0, 0.0, 0.0], [0.0, -1.0, 1.0, 0.0], [0.0, -1.0, 0.0, 1.0]]), np.eye(3))
"""Takes the arms of a centre, the second of four atoms."""
_FORMS_OF_ARMS, _FORMS_OF_BONDS, _FORMS_OF_STAR = _of_vectors(_ARMS), _of_vectors(_BONDS), _of_vectors(_STAR)
_SIGN = np.cross(np.eye(3)[:, None], np.eye(3)[None, :])
_TRIPLE = np.einsum("ijk,xyz->ixjykz", _SIGN, _SIGN).reshape(9, 9, 9)
"""Third derivatives of the triple product of three vectors."""
_TRIPLE_OF_BONDS, _TRIPLE_OF_STAR = (
    np.einsum("abc,ad,be,cf->def", _TRIPLE, of, of, of, optimize=True) for of in (_BONDS, _STAR)
)


def products_of_arms(x: Positions) -> Products:
    """Return the dot products aa, ab, bb of the arms of an angle."""
    flat, forms = x.reshape(-1), jnp.asarray(_FORMS_OF_ARMS, x.dtype)
    gradients = forms @ flat
    return Products(0.5 * gradients @ flat, gradients, forms, jnp.zeros((9, 9, 9), x.dtype))


def products_of_bonds(x: Positions) -> Products:
    """Return the dot products of the bonds of a torsion, 11, 12, 13, 22, 23, 33, and their triple product."""
    return _with_triple(x, _FORMS_OF_BONDS, _TRIPLE_OF_BONDS)


def products_of_star(x: Positions) -> Products:
    """Return the same products of the arms to the first, third and fourth of four atoms from the second."""
    return _with_triple(x, _FORMS_OF_STAR, _TRIPLE_OF_STAR)


def _with_triple(x: Positions, forms: np.ndarray, third: np.ndarray) -> Products:
    flat, quadratic, cubic = x.reshape(-1), jnp.asarray(forms, x.dtype), jnp.asarray(third, x.dtype)
    curved = cubic @ flat
    second = jnp.concatenate([quadratic, curved[None]])
    gradients = jnp.concatenate([quadratic @ flat, 0.5 * (curved @ flat)[None]])
    shares = jnp.asarray(np.append(np.full(6, 0.5), 1.0 / 3.0), x.dtype)
    return Products(shares * (gradients @ flat), gradients, second, cubic)


def cosine(s: Float[Array, "3"]) -> Scalar:
    """Return the cosine of the angle between the arms whose dot products these are."""
    return s[1] / jnp.sqrt(s[0] * s[2])


def twisted(s: Float[Array, "7"]) -> Scalar:
    """Return the dihedral angle [rad] from the dot products of the bonds and their triple product.

    It is zero, without a slope, where three atoms are in line to rounding.
    """
    b11, b12, b13, b22, b23, b33, triple = s
    first, second = b11 * b22 - b12**2, b22 * b33 - b23**2
    flat = jnp.minimum(first / (b11 * b22), second / (b22 * b33)) <= jnp.finfo(s.dtype).eps
    return jnp.arctan2(jnp.where(flat, 0.0, jnp.sqrt(b22) * triple), jnp.where(flat, 1.0, b12 * b23 - b13 * b22))


COSINE = composed(cosine, products_of_arms)
"""Cosine of the angle at the middle one of three atoms."""
DIHEDRAL = composed(twisted, products_of_bonds)
"""Dihedral angle φ of four atoms [rad] in (-π, π], 0 for cis. Functions of it of period 2π are smooth."""
