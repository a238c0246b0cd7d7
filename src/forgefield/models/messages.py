"""Messages between all atoms of small molecules as one multilinear form, whose derivatives are forms of the same kind.

    Φ = Σ_bijf (Σ_k c_bijk w_bkf) Σ_d u_bijd x_bjdf y_bidf

of channels c and directions u of pairs, filters w, what atoms send (x) and what they receive (y). The messages are its
partial derivative by y. Partial derivatives differentiated by any of their factors are others of them, so that one
primitive serves energies, forces, Hessian products, and the slopes of a loss of all of these. By the C++ kernel no array
of pairs times features is made.
"""

from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.extend.core import Primitive
from jax.interpreters import ad, batching, mlir
from jaxtyping import Array, Float

TARGET = "forgefield_messages"
"""Name under which XLA knows the kernel."""
STRIP = 16
"""Features come in multiples of so many."""
_NAMES = "cwxyu"
"""The factors, in the order in which the kernel takes them. Those of directions come last: a form may have none."""


def received(
    channels: Float[Array, "receivers senders channels"],
    filters: Float[Array, "channels features"],
    sent: Float[Array, "senders columns features"],
    directions: Float[Array, "receivers senders 3"] | None = None,
) -> Float[Array, "receivers columns features"]:
    """Return what each atom receives: the filtered sum of what others send, with `directions` along these.

    One column is sent, or one for each component of vectors; one that is sent along directions is received as three.
    """
    factors = [channels[None], filters[None], sent[None]]
    factors += [] if directions is None else [directions[None]]
    columns = sent.shape[1] if directions is None else directions.shape[2]
    return _form.bind(*factors, missing="y", along=directions is not None, columns=columns, own=False)[0]


_form = Primitive("messages")


def _factors(missing: str, *, along: bool) -> str:
    """Return the factors that are given where one is missing."""
    return "".join(name for name in (_NAMES if along else _NAMES[:-1]) if name != missing)


def _sizes(given: dict[str, tuple[int, ...]], columns: int) -> dict[str, int]:
    """Return the sizes of a form of factors of these shapes."""
    sizes = {"columns": columns}
    axes = {"c": "batch receivers senders channels", "w": "_ channels features", "u": "batch receivers senders _",
            "x": "batch senders _ features", "y": "batch receivers _ features"}  # fmt: skip
    for name, shape in given.items():
        sizes |= dict(zip(axes[name].split(), shape, strict=True))
    return sizes


@_form.def_abstract_eval
def _shape(*factors: Any, missing: str, along: bool, columns: int, own: bool) -> Any:
    s = _sizes(dict(zip(_factors(missing, along=along), (f.shape for f in factors), strict=True)), columns)
    shapes = {
        "c": ("batch", "receivers", "senders", "channels"),
        "w": ("batch", "channels", "features"),
        "u": ("batch", "receivers", "senders", "columns"),
        "x": ("batch", "senders", "columns", "features"),
        "y": ("batch", "receivers", "columns", "features"),
    }
    s |= {"batch": 1} if missing == "w" and not own else {}
    s |= {"columns": 1} if missing == "x" and along else {}
    return jax.core.ShapedArray(tuple(s[axis] for axis in shapes[missing]), factors[0].dtype)


@_form.def_impl
def _computed(*factors: Array, **how: Any) -> Array:
    return jax.jit(lambda *given: _form.bind(*given, **how))(*factors)


def _tangent(given: Sequence[Any], tangents: Sequence[Any], **how: Any) -> tuple[Array, Any]:
    value = _form.bind(*given, **how)
    moved = [
        _form.bind(*given[:k], ad.instantiate_zeros(tangent), *given[k + 1 :], **how)
        for k, tangent in enumerate(tangents)
        if type(tangent) is not ad.Zero
    ]
    return value, sum(moved[1:], moved[0]) if moved else ad.Zero.from_primal_value(value)


def _transposed(cotangent: Any, *factors: Any, missing: str, along: bool, columns: int, own: bool) -> list[Any]:
    names = _factors(missing, along=along)
    [linear] = [k for k, factor in enumerate(factors) if ad.is_undefined_primal(factor)]
    if type(cotangent) is ad.Zero:
        return [ad.Zero(f.aval) if k == linear else None for k, f in enumerate(factors)]
    known = dict(zip(names, factors, strict=True)) | {missing: cotangent}
    others = [known[name] for name in _factors(names[linear], along=along)]
    found = _form.bind(*others, missing=names[linear], along=along, columns=columns, own=own)
    return [found if k == linear else None for k in range(len(factors))]


def _batched(
    factors: Sequence[Array], axes: Sequence[int | None], *, missing: str, along: bool, columns: int, own: bool
) -> tuple[Array, int]:
    names = _factors(missing, along=along)
    n = next(f.shape[axis] for f, axis in zip(factors, axes, strict=True) if axis is not None)
    inner = max(f.shape[0 if axis is None or axis > 0 else 1] for f, axis in zip(factors, axes, strict=True))
    alone = "w" in names and axes[names.index("w")] is None and not own
    each = []
    for name, factor, axis in zip(names, factors, axes, strict=True):
        if name == "w" and alone:
            each.append(factor)
            continue
        wide = jnp.broadcast_to(factor[None], (n, *factor.shape)) if axis is None else jnp.moveaxis(factor, axis, 0)
        if name == "w" and not own:
            wide = jnp.broadcast_to(wide, (n, inner, *wide.shape[2:]))
        each.append(wide.reshape(-1, *wide.shape[2:]))
    found = _form.bind(*each, missing=missing, along=along, columns=columns, own=not alone)
    found = found.reshape(n, -1, *found.shape[1:])
    if missing == "w" and not own:
        found = jnp.sum(found, axis=1, keepdims=True)
    return found, 0


def _plainly(*factors: Array, missing: str, along: bool, columns: int, own: bool) -> Array:
    """Return the form by sums over arrays of pairs times features."""
    names = _factors(missing, along=along)
    given = dict(zip(names, factors, strict=True))
    axes = {"c": "bijk", "w": "bkf" if own else "kf", "u": "bijd", "x": "bjf" if along else "bjdf", "y": "bidf"}
    if "w" in given and not own:
        given["w"] = given["w"][0]
    if "x" in given and along:
        given["x"] = given["x"][:, :, 0]
    terms = ",".join(axes[name] for name in names)
    found = jnp.einsum(f"{terms}->{axes[missing]}", *given.values())
    if missing == "w" and not own:
        return found[None]
    return found[:, :, None] if missing == "x" and along else found


_lowered_plainly = mlir.lower_fun(_plainly, multiple_results=False)


def _lowered(context: Any, *factors: Any, missing: str, along: bool, columns: int, own: bool) -> Any:
    if context.avals_out[0].dtype != jnp.float32:
        return _lowered_plainly(context, *factors, missing=missing, along=along, columns=columns, own=own)
    names = _factors(missing, along=along)
    sizes = _sizes(dict(zip(names, (a.shape for a in context.avals_in), strict=True)), columns)
    sizes = {name: np.int64(n) for name, n in sizes.items() if name != "_"}
    rule = jax.ffi.ffi_lowering(TARGET)
    place = np.int64(_NAMES.index(missing))
    return rule(context, *factors, missing=place, along=along, shared=not own, **sizes)


ad.primitive_jvps[_form] = _tangent
ad.primitive_transposes[_form] = _transposed
batching.primitive_batchers[_form] = _batched
mlir.register_lowering(_form, _lowered_plainly)
mlir.register_lowering(_form, _lowered, platform="cpu")
