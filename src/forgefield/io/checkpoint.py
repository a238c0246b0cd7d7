"""Checkpoints: arrays and a few words of text in one safetensors file, replaced in one move."""

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import jax
import numpy as np
from jaxtyping import PyTree
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from forgefield.errors import InputError
from forgefield.io.outputs import write_bytes


def write_checkpoint(path: Path, arrays: PyTree, facts: dict[str, Any]) -> None:
    """Write the array leaves of a pytree and facts that JSON can hold; a kill leaves the old file or the new one.

    Raises WriteError where it cannot be written.
    """
    leaves = {str(k): np.array(leaf, order="C") for k, leaf in enumerate(jax.tree.leaves(arrays))}
    told = json.dumps(facts)
    write_bytes(path, save(leaves, metadata={"facts": told, "sha256": _digest(told, [*leaves.values()])}))


def read_facts(path: Path) -> dict[str, Any]:
    """Return the facts of a checkpoint. Raises InputError where it cannot be read or is damaged."""
    return json.loads(_verified(path)[0])


def read_arrays(path: Path, like: PyTree) -> PyTree:
    """Return a pytree like `like` with the arrays of a checkpoint.

    Raises InputError where it cannot be read or is damaged, and where number or shapes of the arrays differ; only an
    axis of length zero in `like` may have grown.
    """
    leaves, structure = jax.tree.flatten(like)
    _, found = _verified(path)
    if len(found) != len(leaves) or not all(_grown(a.shape, np.shape(b)) for a, b in zip(found, leaves, strict=True)):
        raise InputError(f"{path}: the checkpoint is of another fit or another version; remove it to begin anew")
    return jax.tree.unflatten(structure, found)


def _verified(path: Path) -> tuple[str, list[np.ndarray]]:
    """Return facts and arrays after checking that they are those that were written."""
    try:
        with safe_open(path, framework="numpy") as file:
            metadata = file.metadata() or {}
            arrays = [file.get_tensor(str(k)) for k in range(len(file.keys()))]
            facts = metadata["facts"]
    # A damaged header may also name types of numbers that NumPy does not have.
    except (SafetensorError, OSError, KeyError, TypeError, ValueError) as error:
        raise InputError(f"{path}: not a checkpoint of a fit ({error}); remove it to begin anew") from error
    if metadata.get("sha256") != _digest(facts, arrays):
        raise InputError(f"{path}: the checkpoint is damaged, or of another version; remove it to begin anew")
    return facts, arrays


def _digest(facts: str, arrays: Sequence[np.ndarray]) -> str:
    digest = hashlib.sha256(facts.encode())
    for array in arrays:
        digest.update(f"{array.dtype} {array.shape}".encode() + array.tobytes())
    return digest.hexdigest()


def _grown(shape: tuple[int, ...], begun: tuple[int, ...]) -> bool:
    """Say whether an array of one shape may have become one of another."""
    return len(shape) == len(begun) and all(b in (0, a) for a, b in zip(shape, begun, strict=True))
