"""Which way a neural model is computed, by the C++ kernel or by XLA: the faster one on this machine, measured once."""

import hashlib
import json
import logging
import os
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from functools import cache
from importlib.metadata import version
from pathlib import Path
from time import perf_counter
from typing import Any, Literal, TypeVar

import jax
import jax.numpy as jnp
import numpy as np

from forgefield.cache import CacheError, folder
from forgefield.cores import n_cores
from forgefield.engines.native.library import (
    KIND,
    MESSAGES,
    PAINN,
    Kernel,
    KernelError,
    NativeError,
    loaded,
    vector_bits_of,
)
from forgefield.engines.native.painn import NativePainn, fused, native
from forgefield.errors import InputError
from forgefield.models.model import AbstractModel
from forgefield.models.neural.painn import Painn
from forgefield.models.summed import Summed
from forgefield.molecules.topology import union
from forgefield.properties.many import energies_and_gradient

Model = TypeVar("Model", bound=AbstractModel)
Way = Literal["native", "xla"]
WAYS: tuple[Way, ...] = ("native", "xla")
VARIABLE = "FORGEFIELD_KERNEL"
"""Names the way that is taken without a measurement."""
_PROBE_ATOMS = 21
"""As in aspirin."""
_REPEATS = 20
_AGREE = 1e-2
"""Of the largest slope: far above what rounding in single precision does, and far below what a wrong program does."""
_LOG = logging.getLogger("forgefield")


def fastest(model: AbstractModel, *, begun: str | None = None) -> AbstractModel:
    """Return a model with the kernel where there is one for it on this machine that is faster, else as it is.

    The first use of a kind of network measures both; its outcome is kept in the cache, and holds for all later ones.
    `begun` is the way of a run that is continued, which is kept: the ways differ in the last bits. FORGEFIELD_KERNEL
    (`native` or `xla`) stands above both. Raises InputError where that is something else.
    """
    if isinstance(model, Summed):
        return replace(model, correction=fastest(model.correction, begun=begun))
    return _faster(model, PAINN, native, begun) if isinstance(model, Painn) else _told(model, begun)


def fastest_to_train(model: Painn, *, begun: str | None = None) -> Painn:
    """Return a model with its messages by the kernel where training is faster for it on this machine, else as it is.

    Measured, kept and chosen as `fastest` does.
    """
    return _faster(model, MESSAGES, fused, begun)


def _faster(model: Painn, library: Kernel, made: Callable[[Painn], Model], begun: str | None) -> Model | Painn:
    wanted = _chosen() or begun
    if wanted == "xla":
        return _told(model, begun)
    try:
        kernel = made(model)
    except KernelError as error:
        _tell_once(f"forgefield: {error}; neural models are computed by XLA instead, which is slower")
        return _told(model, begun)
    except NativeError:
        return _told(model, begun)
    return _told(kernel if wanted == "native" or _is_faster(kernel, model, library) else model, begun)


def way_of(model: AbstractModel) -> Way:
    """Return which way a model is computed."""
    if isinstance(model, Summed):
        return way_of(model.correction)
    return "native" if isinstance(model, NativePainn) or (isinstance(model, Painn) and model.fused) else "xla"


def _chosen() -> str | None:
    """Return the way that the user chose. Raises InputError."""
    chosen = os.environ.get(VARIABLE) or None
    if chosen is not None and chosen not in WAYS:
        raise InputError(f"{VARIABLE} must be {' or '.join(WAYS)}, not {chosen!r}")
    return chosen


def _told(model: Model, begun: str | None) -> Model:
    """Say where a run goes on another way than it began, and return the model."""
    if begun in WAYS and begun != way_of(model):
        _tell_once(
            f"forgefield: the run began {_NAMES[begun]} and goes on {_NAMES[way_of(model)]}: "
            "it will differ in the last bits from one without interruption"
        )
    return model


_NAMES = {"native": "by the C++ kernel", "xla": "by XLA"}


@cache
def _tell_once(message: str, level: int = logging.WARNING) -> None:
    _LOG.log(level, message)


def _is_faster(kernel: AbstractModel, model: Painn, library: Kernel) -> bool:
    """Say whether the kernel is faster than XLA, as measured now or at the first use of such a network.

    Where no outcome can be kept nothing is measured, lest one run differ from the next: the kernel is meant to be.
    """
    try:
        kept = folder(KIND)
    except CacheError:
        return True
    path = kept.path / f"choice-{_kind_of(model, library)}.json"
    outcome = _read(path)
    if outcome is None and kept.writable:
        outcome = _measured(kernel, model, library)
        with suppress(OSError):
            kept.write(path.name, json.dumps(outcome))
    if outcome is None:
        return True
    if not outcome["agree"]:
        _tell_once("forgefield: the C++ kernel, as compiled here, computes something else than XLA and is not used")
    times = "{native_ms:.2f} ms by the C++ kernel with vectors of {vector_bits} bits, {xla_ms:.2f} ms by XLA"
    text = f"a network of {{features}} features, for {{atoms}} atoms: {times}; {VARIABLE} chooses otherwise"
    _tell_once(text.format(**outcome), logging.INFO)
    return outcome["way"] == "native"


def _kind_of(model: Painn, library: Kernel) -> str:
    """Return what outcomes are kept under: all that decides how long either way takes."""
    design = model.design
    facts = (
        loaded(library).name,
        version("jaxlib"),
        os.environ.get("XLA_FLAGS", ""),
        str(n_cores()),
        *map(str, (model.embedding.shape[1], len(model.blocks), design.basis.n, design.core_cutoff is not None)),
        type(design.basis).__name__,
        type(design.envelope).__name__,
    )
    return hashlib.sha256("\n".join(facts).encode()).hexdigest()[:16]


def _read(path: Path) -> dict[str, Any] | None:
    """Return an outcome that was kept, None where there is none that can be read."""
    try:
        found = json.loads(path.read_bytes())
        return found if set(found) == _OUTCOME and found["way"] in WAYS else None
    except (OSError, ValueError, TypeError):
        return None


_OUTCOME = {"way", "agree", "features", "atoms", "vector_bits", "native_ms", "xla_ms"}


def _measured(kernel: AbstractModel, model: Painn, library: Kernel) -> dict[str, Any]:
    """Return how long energy and gradient take on either way [ms], at best, and whether both come to the same."""
    grid = np.stack(np.meshgrid(*[np.arange(3.0)] * 3, indexing="ij"), -1).reshape(-1, 3)[:_PROBE_ATOMS]
    # Bonds of 1.5 Å, bent out of the symmetry in which slopes cancel.
    x = jnp.asarray(1.5 * grid + 0.1 * np.sin(np.arange(grid.size, dtype=float)).reshape(grid.shape))
    topology = union([np.resize(model.design.elements, _PROBE_ATOMS)])
    models: dict[Way, AbstractModel] = {"native": kernel, "xla": model}
    slopes = {way: np.asarray(energies_and_gradient(one, topology, x)[1]) for way, one in models.items()}
    best = dict.fromkeys(models, np.inf)
    for _ in range(_REPEATS):
        for way, one in models.items():
            began = perf_counter()
            jax.block_until_ready(energies_and_gradient(one, topology, x))
            best[way] = min(best[way], 1000.0 * (perf_counter() - began))
    agree = bool(np.abs(slopes["native"] - slopes["xla"]).max() <= _AGREE * np.abs(slopes["xla"]).max())
    return {
        "way": "native" if agree and best["native"] <= best["xla"] else "xla",
        "agree": agree,
        "features": model.embedding.shape[1],
        "atoms": _PROBE_ATOMS,
        "vector_bits": vector_bits_of(loaded(library)),
        "native_ms": best["native"],
        "xla_ms": best["xla"],
    }
