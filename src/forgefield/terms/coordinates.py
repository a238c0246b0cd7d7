"""Internal coordinates with their first to third derivatives in closed form.

Differentiated by machine, an angle or a dihedral costs ten times as much to compile and to run.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from typing import SupportsIndex

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from forgefield.terms.geometry import between, cosine_and_switch, distance, sine_squared, unit_normal

Positions = Float[Array, "order 3"]
Parameters = Float[Array, " parameters"]
Values = Float[Array, " coordinates"]
Expansion = tuple[Values, Float[Array, "coordinates local"], Float[Array, "coordinates local local"]]
"""Values, and their first and second derivatives by the 3·order components of the positions."""
Displacements = Float[Array, "local modes"]

_SERIES_ENDS = 0.01
"""sin² below which ψ² is expanded: at the 8th power of that nothing is left of a double."""
_TERMS = 8


@dataclass(frozen=True)
class Coordinates:
    """Internal coordinates of a few atoms. They may read parameters that no fit changes, such as offsets."""

    values: Callable[[Positions, Parameters], Values]
    expansion: Callable[[Positions, Parameters], Expansion]
    third: Callable[[Positions, Parameters, Values, Displacements], Displacements]
    """Σ w ∂³q v v for weights w of the coordinates and each column v: a slope of second derivatives along v."""
    made: tuple[Callable[..., "Coordinates"], tuple] | None = field(default=None, compare=False, repr=False)
    """What makes them, and of what; None for coordinates of functions that have names."""

    def __reduce_ex__(self, protocol: SupportsIndex) -> str | tuple:
        """Let another process make them again where their functions have no names."""
        return self.made or super().__reduce_ex__(protocol)


@cache
def expanded(values: Callable[[Positions, Parameters], Values]) -> Coordinates:
    """Return coordinates whose derivatives are left to the machine."""

    def expansion(x: Positions, p: Parameters) -> Expansion:
        def of_flat(flat):
            return values(flat.reshape(x.shape), p)

        flat = x.reshape(-1)
        first = jax.jacrev(of_flat)
        return of_flat(flat), first(flat), jax.jacfwd(first)(flat)

    def third(x: Positions, p: Parameters, w: Values, v: Displacements) -> Displacements:
        def second(flat):
            return jnp.einsum("q,qcd->cd", w, expansion(flat.reshape(x.shape), p)[2])

        return _twice(jax.jacfwd(second)(x.reshape(-1)), v)

    return Coordinates(values, expansion, third, made=(expanded, (values,)))


def _twice(third: Float[Array, "local local local"], v: Displacements) -> Displacements:
    """Return third derivatives times each column of v, twice."""
    return jnp.einsum("dek,dk->ek", jnp.einsum("cde,ck->dek", third, v), v)


def joined(*parts: tuple[Coordinates, tuple[int, ...]], order: int) -> Coordinates:
    """Return several coordinates of some of `order` atoms as one."""
    return _joined(parts, order)


@cache
def _joined(parts: tuple[tuple[Coordinates, tuple[int, ...]], ...], order: int) -> Coordinates:
    embeddings = [_embedding(atoms, order) for _, atoms in parts]

    def values(x: Positions, p: Parameters) -> Values:
        return jnp.concatenate([c.values(x[np.array(atoms)], p) for c, atoms in parts])

    def expansion(x: Positions, p: Parameters) -> Expansion:
        found = [c.expansion(x[np.array(atoms)], p) for c, atoms in parts]
        return (
            jnp.concatenate([q for q, _, _ in found]),
            jnp.concatenate([first @ e.astype(x.dtype) for (_, first, _), e in zip(found, embeddings, strict=True)]),
            jnp.concatenate(
                [_carried(second, e.astype(x.dtype)) for (_, _, second), e in zip(found, embeddings, strict=True)]
            ),
        )

    def third(x: Positions, p: Parameters, w: Values, v: Displacements) -> Displacements:
        total, start = jnp.zeros_like(v), 0
        for (c, atoms), e in zip(parts, embeddings, strict=True):
            own, whole = x[np.array(atoms)], jnp.asarray(e, x.dtype)
            end = start + jax.eval_shape(c.values, own, p).shape[0]
            total = total + whole.T @ c.third(own, p, w[start:end], whole @ v)
            start = end
        return total

    return Coordinates(values, expansion, third, made=(_joined, (parts, order)))


def _embedding(atoms: tuple[int, ...], order: int) -> Float[np.ndarray, "part whole"]:
    """Return the matrix that takes the positions of some atoms from those of all."""
    chosen = np.zeros((len(atoms), order))
    chosen[np.arange(len(atoms)), list(atoms)] = 1.0
    return np.kron(chosen, np.eye(3))


def _carried(
    second: Float[Array, "coordinates part part"], matrix: Float[Array, "part whole"] | np.ndarray
) -> Float[Array, "coordinates whole whole"]:
    """Return second derivatives by y carried to x where y = matrix x."""
    return jnp.einsum("qab,ac,bd->qcd", second, matrix, matrix, optimize="optimal")


def moved(base: Coordinates, move: Callable[[Positions, Parameters], Positions], n_own: int) -> Coordinates:
    """Return coordinates of positions that are a linear function of the atoms' own.

    `move` takes the atoms' positions and the parameters; the first `n_own` of these are those of `base`.
    """

    def values(x: Positions, p: Parameters) -> Values:
        return base.values(move(x, p), p[:n_own])

    def expansion(x: Positions, p: Parameters) -> Expansion:
        q, first, second = base.expansion(move(x, p), p[:n_own])
        matrix = matrix_of(x, p)
        return q, first @ matrix, _carried(second, matrix)

    def third(x: Positions, p: Parameters, w: Values, v: Displacements) -> Displacements:
        matrix = matrix_of(x, p)
        return matrix.T @ base.third(move(x, p), p[:n_own], w, matrix @ v)

    def matrix_of(x: Positions, p: Parameters) -> Float[Array, "own local"]:
        return jax.jacfwd(lambda flat: move(flat.reshape(x.shape), p).reshape(-1))(x.reshape(-1))

    return Coordinates(values, expansion, third)


def _length(x: Positions, _: Parameters) -> Values:
    return distance(x)[None]


def _length_expansion(x: Positions, _: Parameters) -> Expansion:
    r = distance(x)
    u = (x[1] - x[0]) / r
    across = (jnp.eye(3, dtype=x.dtype) - u[:, None] * u[None, :]) / r
    return r[None], jnp.concatenate([-u, u])[None], jnp.block([[across, -across], [-across, across]])[None]


def _length_third(x: Positions, _: Parameters, w: Values, v: Displacements) -> Displacements:
    """Differentiate the curvature (|v|² - (u·v)²)/r of the length of the arm r u: -(|s|² u + 2 (u·v) s)/r², s ⟂ u."""
    r = distance(x)
    u, arm = (x[1] - x[0]) / r, v[3:] - v[:3]
    along = u @ arm
    across = arm - u[:, None] * along[None, :]
    slope = -w[0] / r**2 * (jnp.sum(across**2, axis=0)[None, :] * u[:, None] + 2.0 * along[None, :] * across)
    return jnp.concatenate([-slope, slope])


def _square(x: Positions, _: Parameters) -> Values:
    arm = x[1] - x[0]
    return (arm @ arm)[None]


def _square_expansion(x: Positions, p: Parameters) -> Expansion:
    arm = x[1] - x[0]
    second = np.kron(np.array([[2.0, -2.0], [-2.0, 2.0]]), np.eye(3))
    return _square(x, p), 2.0 * jnp.concatenate([-arm, arm])[None], jnp.asarray(second, x.dtype)[None]


def _square_third(*given: Array) -> Array:
    """Return zeros in the shape of the displacements, the last that is given."""
    return jnp.zeros_like(given[-1])


def _supplement(x: Positions, _: Parameters) -> Values:
    a, b = x[0] - x[1], x[2] - x[1]
    # The supplement is the angle between one arm and the other turned round.
    supplement = between(a, -b)
    return jnp.stack([supplement, _supplement_squared(a, b, supplement)])


def _supplement_squared(a: Float[Array, "3"], b: Float[Array, "3"], supplement: Float[Array, ""]) -> Float[Array, ""]:
    """Return ψ², near a straight angle by its expansion ½ Σ (4 sin²θ)ⁿ / (n² C(2n, n))."""
    sine2 = sine_squared(a, b)
    near = (sine2 < _SERIES_ENDS) & (a @ b < 0.0)
    small = jnp.where(near, sine2, 0.0)
    return jnp.where(near, _series(small), supplement**2)


def _series(sine2: Float[Array, ""]) -> Float[Array, ""]:
    """Return ψ² for a small sin² of it."""
    series = jnp.zeros_like(sine2)
    for n in range(_TERMS, 0, -1):
        series = sine2 * (0.5 * 4.0**n / (n**2 * math.comb(2 * n, n)) + series)
    return series


def _supplement_expansion(x: Positions, _: Parameters) -> Expansion:
    values, by_arms, curved = _expanded_in_arms(x[0] - x[1], x[2] - x[1])
    arms = jnp.asarray(_ARMS, x.dtype)
    return values, by_arms @ arms, _carried(curved, arms)


def _supplement_third(x: Positions, _: Parameters, w: Values, v: Displacements) -> Displacements:
    def second(both):
        return jnp.einsum("q,qcd->cd", w, _expanded_in_arms(both[:3], both[3:])[2])

    def square(s):
        sine2 = 1.0 - s[1] ** 2 / (s[0] * s[2])
        return w[1] * _series(sine2)

    arms = jnp.asarray(_ARMS, x.dtype)
    a, b = x[0] - x[1], x[2] - x[1]
    near = (sine_squared(a, b) < _SERIES_ENDS) & (a @ b < 0.0)
    bent = _twice(jax.jacfwd(second)(jnp.concatenate([a, b])), arms @ v)
    # Close to a straight angle the plane of the angle is noise, of which the square is free.
    weights = jnp.where(w[0] == 0.0, near, False)
    straight = _third_of_products(square, jnp.stack([a, b]), (arms @ v).reshape(2, 3, -1)).reshape(6, -1)
    return arms.T @ jnp.where(weights, straight, bent)


def _third_of_products(
    function: Callable[[Values], Float[Array, ""]],
    vectors: Float[Array, "vectors 3"],
    moves: Float[Array, "vectors 3 modes"],
) -> Float[Array, "vectors 3 modes"]:
    """Return ∂³f v v by some vectors for a function of their dot products, whose own third derivatives vanish.

    The products are in the order of the upper triangle of their matrix.
    """
    pairs = np.triu_indices(len(vectors))
    curved = jax.jacfwd(jax.grad(function))
    s = (vectors @ vectors.T)[pairs]
    second, third = curved(s), jax.jacfwd(curved)(s)
    rates = jnp.einsum("ix,jxk->ijk", vectors, moves)
    rates = (rates + jnp.swapaxes(rates, 0, 1))[pairs]
    curves = 2.0 * jnp.einsum("ixk,jxk->ijk", moves, moves)[pairs]

    def pulls(weights: Float[Array, "products modes"]) -> Float[Array, "vectors vectors modes"]:
        half = jnp.zeros((len(vectors), len(vectors), weights.shape[1]), weights.dtype).at[pairs].set(weights)
        return half + jnp.swapaxes(half, 0, 1)

    of_vectors, of_moves = pulls(_twice(third, rates) + second @ curves), pulls(2.0 * second @ rates)
    return jnp.einsum("ijk,jx->ixk", of_vectors, vectors) + jnp.einsum("ijk,jxk->ixk", of_moves, moves)


def _expanded_in_arms(a: Float[Array, "3"], b: Float[Array, "3"]) -> Expansion:
    """Expand ψ and ψ² in the arms a and b of the angle.

    With the unit normal n of the plane, ∂θ/∂a = (a × n)/|a|² and ∂θ/∂b = (n × b)/|b|². Out of the plane
    θ curves by cot θ/|a|², cot θ/|b|² and, mixed, -1/(|a||b| sin θ); in it each arm turns on its own.
    """
    aa, bb, n = a @ a, b @ b, unit_normal(a, b)
    sine, cosine = jnp.sqrt(sine_squared(a, b)), a @ b / jnp.sqrt(aa * bb)
    psi = between(a, -b)
    toward_a, toward_b = jnp.cross(n, a) / aa, jnp.cross(b, n) / bb
    plane_a = -_symmetric(a, toward_a) / aa
    plane_b = -_symmetric(b, toward_b) / bb
    normal = n[:, None] * n[None, :]
    # ψ/sin ψ is 1 where both vanish; there ψ itself curves in the plane alone, a limit.
    flat = sine <= jnp.finfo(a.dtype).eps
    over_sine = jnp.where(flat, 0.0, 1.0 / jnp.where(flat, 1.0, sine))
    psi_over_sine = jnp.where(flat & (cosine < 0.0), 1.0, psi * over_sine)
    scale_a, scale_b, mixed = 1.0 / aa, 1.0 / bb, 1.0 / jnp.sqrt(aa * bb)

    def out_of_plane(factor):
        return -factor * cosine * scale_a * normal, factor * mixed * normal, -factor * cosine * scale_b * normal

    first = jnp.stack([toward_a, toward_b])
    blocks = []
    for weight, factor in ((jnp.ones_like(psi), over_sine), (2.0 * psi, 2.0 * psi_over_sine)):
        h_aa, h_ab, h_bb = out_of_plane(factor)
        blocks.append(jnp.block([[weight * plane_a + h_aa, h_ab], [h_ab, weight * plane_b + h_bb]]))
    slope = first.reshape(-1)
    by_arms = jnp.stack([slope, 2.0 * psi * slope])
    curved = jnp.stack([blocks[0], blocks[1] + 2.0 * slope[:, None] * slope[None, :]])
    return jnp.stack([psi, _supplement_squared(a, b, psi)]), by_arms, curved


_ARMS = np.kron(np.array([[1.0, -1.0, 0.0], [0.0, -1.0, 1.0]]), np.eye(3))
"""Takes the arms of an angle from the positions of its atoms."""


def _symmetric(a: Float[Array, "3"], b: Float[Array, "3"]) -> Float[Array, "3 3"]:
    return a[:, None] * b[None, :] + b[:, None] * a[None, :]


_BONDS = np.kron(np.array([[-1.0, 1.0, 0.0, 0.0], [0.0, -1.0, 1.0, 0.0], [0.0, 0.0, -1.0, 1.0]]), np.eye(3))
"""Takes the bonds of a torsion from the positions of its atoms."""
_PRODUCTS = ((0, 0), (0, 1), (0, 2), (1, 1), (1, 2), (2, 2))
_FORMS = np.stack(
    [
        _BONDS.T @ np.kron(np.eye(3)[[i]].T @ np.eye(3)[[j]] + np.eye(3)[[j]].T @ np.eye(3)[[i]], np.eye(3)) @ _BONDS
        for i, j in _PRODUCTS
    ]
)
"""Second derivatives by the positions of the dot products of the bonds: they are quadratic forms."""


def _twist(x: Positions, _: Parameters) -> Values:
    return _of_products(_products(x))


def _products(x: Positions) -> Float[Array, "6"]:
    bonds = x[1:] - x[:-1]
    gram = bonds @ bonds.T
    return jnp.stack([gram[i, j] for i, j in _PRODUCTS])


def _of_products(s: Float[Array, "6"]) -> Values:
    """Return cos φ and the switch from the dot products of the bonds (Lagrange's identity for (b₁×b₂)·(b₂×b₃))."""
    b11, b12, b13, b22, b23, b33 = s
    first, second = b11 * b22 - b12**2, b22 * b33 - b23**2
    sines = first / (b11 * b22), second / (b22 * b33)
    return jnp.stack(cosine_and_switch(b12 * b23 - b13 * b22, first, second, *sines))


def _twist_expansion(x: Positions, _: Parameters) -> Expansion:
    s = _products(x)
    forms = jnp.asarray(_FORMS, x.dtype)
    slopes = jax.jacfwd(_of_products)
    by_products, curved = slopes(s), jax.jacfwd(slopes)(s)
    # A quadratic form ½ xᵀ F x has the gradient F x.
    gradients = forms @ x.reshape(-1)
    second = jnp.einsum("qs,scd->qcd", by_products, forms)
    second = second + jnp.einsum("qst,sc,td->qcd", curved, gradients, gradients, optimize="optimal")
    return _of_products(s), by_products @ gradients, second


def _twist_third(x: Positions, _: Parameters, w: Values, v: Displacements) -> Displacements:
    moves = jnp.diff(v.reshape(4, 3, -1), axis=0)
    slopes = _third_of_products(lambda s: w @ _of_products(s), x[1:] - x[:-1], moves)
    return jnp.asarray(_BONDS, x.dtype).T @ slopes.reshape(9, -1)


LENGTH = Coordinates(_length, _length_expansion, _length_third)
"""Distance of two atoms [Å]."""
SQUARE = Coordinates(_square, _square_expansion, _square_third)
"""Squared distance of two atoms [Å²]."""
SUPPLEMENT = Coordinates(_supplement, _supplement_expansion, _supplement_third)
"""Supplement ψ = π - θ of the angle at the middle one of three atoms [rad], and its square.

The square is a smooth function of the positions at a straight angle as well, ψ is not.
"""
TWIST = Coordinates(_twist, _twist_expansion, _twist_third)
"""cos φ of the dihedral angle of four atoms, and a factor that takes a torsion out near linear angles."""
