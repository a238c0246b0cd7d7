"""Any force field as an energy function of jax-md, with its neighbour lists where the model asks for neighbours."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from forgefield.errors import InputError
from forgefield.io.assemble.single import single
from forgefield.io.molecules import read_structures
from forgefield.io.rules import load
from forgefield.io.structures.atom_types import find_atom_types
from forgefield.molecules.neighbours import Neighbours

try:
    from jax_md import partition, space  # pyright: ignore[reportMissingImports] (no dependency)
except ImportError as error:
    raise InputError(f"jax-md is not installed ({error}); run: pip install jax-md") from error

_SKIN = 0.5
"""Å"""


@dataclass(frozen=True, eq=False)
class Energy:
    """The energy of one molecule in vacuum as jax-md has it, in Å and kcal/mol."""

    function: Callable[..., Float[Array, ""]]
    """(positions, neighbor=None) -> energy"""
    neighbors: Any
    """What allocates and updates neighbour lists for it; None where it takes none."""
    positions: Float[np.ndarray, "atoms 3"]
    """Of the file."""


def energy_of(force_field: Path | str, structure: Path | str) -> Energy:
    """Return the energy of a force field over the molecule of a file. Raises InputError where they do not fit."""
    path = Path(structure)
    molecule = single(read_structures(path, atom_types=find_atom_types([path, Path(force_field)])))
    model, topology = load(force_field).lay([molecule])

    def energy(positions: Float[Array, "atoms 3"], neighbor: Any = None, **_: Any) -> Float[Array, ""]:
        laid = topology if neighbor is None else replace(topology, neighbours=_neighbours(neighbor.idx))
        return model.energy(laid, positions)[0]

    cutoff = model.traits.cutoff
    if cutoff is None:
        return Energy(energy, None, molecule.positions)
    apart, _ = space.free()
    box = float(np.ptp(molecule.positions)) + 2.0 * cutoff
    lists = partition.neighbor_list(apart, box, cutoff, _SKIN, disable_cell_list=True, format=partition.Dense)
    return Energy(energy, lists, molecule.positions)


def _neighbours(idx: Array) -> Neighbours:
    """Return jax-md's dense list, in whose places without a neighbour stands the number of atoms."""
    n = idx.shape[0]
    own = jnp.arange(n, dtype=idx.dtype)[:, None]
    valid = idx < n
    return Neighbours(atom=jnp.where(valid, idx, own), shift=None, valid=valid)
