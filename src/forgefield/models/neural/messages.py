"""Messages between all atoms of small molecules as one multilinear form, whose derivatives are forms of the same kind.

    Φ = Σ_bijf (Σ_k c_bijk w_bkf) Σ_d u_bijd x_bjdf y_bidf

of channels c and directions u of pairs, filters w, what atoms send (x) and what they receive (y). The messages are its
partial derivative by y. Partial derivatives differentiated by any of their factors are others of them, so that one
primitive serves energies, forces, Hessian products, and the slopes of a loss of all of these. By the C++ kernel no
array of pairs times features is made.
"""

from collections.abc import Sequence
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.core import ShapedArray
from jax.extend.core import Primitive
from jax.interpreters import ad, batching, mlir
from jaxtyping import Array, Float

TARGET = "forgefield_messages"
"""Name under which XLA knows the kernel."""
STRIP = 16
"""Features come in multiples of so many."""


def received(
    channels: Float[Array, "receivers senders channels"],
    filters: Float[Array, "channels features"],
    sent: Float[Array, "senders columns features"],
    directions: Float[Array, "receivers senders 3"] | None = None,
) -> Float[Array, "receivers components features"]:
    """Return what each atom receives: the filtered sum of what others send.

    One column is sent, or one for each component of vectors; with `directions` one that is received as three
    components, along these. In single precision XLA must know the kernel.
    """
    along = () if directions is None else (directions[None],)
    factors = channels[None], filters[None], sent[None], *along
    return _form.bind(*factors, missing="y", along=directions is not None, own=False)[0]


_form = Primitive("messages")
_NAMES = "cwxyu"
"""The factors, in the order in which the kernel takes them."""


def _axes(*, along: bool, own: bool) -> dict[str, str]:
    """Return the axes of the factors, o where there is one for all.

    `along` says whether there are directions, `own` whether each molecule of a batch has filters of its own.
    """
    axes = {"c": "bijk", "w": "bkf" if own else "okf", "x": "bjof" if along else "bjdf", "y": "bidf"}
    return axes | ({"u": "bijd"} if along else {})


def _given(missing: str, **how: bool) -> dict[str, str]:
    """Return the axes of the factors that are given where one is missing, in their order."""
    return {name: axes for name, axes in _axes(**how).items() if name != missing}


def _sizes(shapes: Sequence[tuple[int, ...]], missing: str, **how: bool) -> dict[str, int]:
    """Return the sizes of all axes for factors of these shapes."""
    pairs = zip(_given(missing, **how).values(), shapes, strict=True)
    return {axis: n for axes, shape in pairs for axis, n in zip(axes, shape, strict=True)} | {"o": 1}


@_form.def_abstract_eval
def _shape(*factors: Any, missing: str, **how: bool) -> Any:
    sizes = _sizes([factor.shape for factor in factors], missing, **how)
    return ShapedArray(tuple(sizes[axis] for axis in _axes(**how)[missing]), factors[0].dtype)


@_form.def_impl
@partial(jax.jit, static_argnames=("missing", "along", "own"))
def _computed(*factors: Array, missing: str, along: bool, own: bool) -> Array:
    return _form.bind(*factors, missing=missing, along=along, own=own)


def _tangent(factors: Sequence[Any], tangents: Sequence[Any], **how: Any) -> tuple[Array, Array]:
    """Return the form and its tangent: it is linear in each factor."""
    value = _form.bind(*factors, **how)
    moved = [
        _form.bind(*factors[:k], tangent, *factors[k + 1 :], **how)
        for k, tangent in enumerate(tangents)
        if type(tangent) is not ad.Zero
    ]
    return value, sum(moved[1:], moved[0])


def _transposed(cotangent: Any, *factors: Any, missing: str, **how: bool) -> list[Any]:
    """Return the cotangent of the one factor that is not known: the form without it."""
    names = [*_given(missing, **how)]
    [wanted] = [k for k, factor in enumerate(factors) if ad.is_undefined_primal(factor)]
    if type(cotangent) is ad.Zero:
        found = ad.Zero(factors[wanted].aval)
    else:
        known = dict(zip(names, factors, strict=True)) | {missing: cotangent}
        others = [known[name] for name in _given(names[wanted], **how)]
        found = _form.bind(*others, missing=names[wanted], **how)
    return [found if k == wanted else None for k in range(len(factors))]


def _batched(
    factors: Sequence[Array], mapped: Sequence[int | None], *, missing: str, along: bool, own: bool
) -> tuple[Array, int]:
    """Return the forms along a mapped axis, which is taken together with that of molecules."""
    names = [*_given(missing, along=along, own=own)]
    [n, *_] = [factor.shape[at] for factor, at in zip(factors, mapped, strict=True) if at is not None]
    fronted = [
        jnp.broadcast_to(factor[None], (n, *factor.shape)) if at is None else jnp.moveaxis(factor, at, 0)
        for factor, at in zip(factors, mapped, strict=True)
    ]
    b = next(factor.shape[1] for name, factor in zip(names, fronted, strict=True) if name != "w")
    shared = not own and "w" in names and mapped[names.index("w")] is None
    each = [
        factor
        if name == "w" and shared
        else jnp.broadcast_to(wide, (n, b, *wide.shape[2:])).reshape(n * b, *wide.shape[2:])
        for name, factor, wide in zip(names, factors, fronted, strict=True)
    ]
    found = _form.bind(*each, missing=missing, along=along, own=not shared)
    found = found.reshape(n, b, *found.shape[1:])
    # Filters that all molecules have in common.
    return (jnp.sum(found, axis=1, keepdims=True) if missing == "w" and not own else found), 0


def _plainly(*factors: Array, missing: str, **how: bool) -> Array:
    """Return the form by sums over arrays of pairs times features."""
    terms, result = ",".join(_given(missing, **how).values()), _axes(**how)[missing]
    found = jnp.einsum(f"{terms}->{result.replace('o', '')}", *factors)
    return jnp.expand_dims(found, result.index("o")) if "o" in result else found


_lowered_plainly = mlir.lower_fun(_plainly, multiple_results=False)


def _lowered(context: Any, *factors: Any, missing: str, **how: bool) -> Any:
    """Return the form by the kernel, which knows single precision alone."""
    if context.avals_out[0].dtype != jnp.float32:
        return _lowered_plainly(context, *factors, missing=missing, **how)
    sizes = _sizes([factor.shape for factor in context.avals_in], missing, **how)
    told = {"batch": "b", "receivers": "i", "senders": "j", "channels": "k", "features": "f", "columns": "d"}
    numbers = {name: np.int64(sizes[axis]) for name, axis in told.items()} | {
        "missing": np.int64(_NAMES.index(missing))
    }
    return jax.ffi.ffi_lowering(TARGET)(context, *factors, **numbers, **how)


ad.primitive_jvps[_form] = _tangent
ad.primitive_transposes[_form] = _transposed
batching.primitive_batchers[_form] = _batched
mlir.register_lowering(_form, _lowered_plainly)
mlir.register_lowering(_form, _lowered, platform="cpu")
