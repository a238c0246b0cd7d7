"""Energies and gradients of any mix of molecules in one call, compiled for a short ladder of sizes."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from forgefield.cores import n_cores
from forgefield.errors import InputError
from forgefield.models.model import AbstractModel
from forgefield.molecules.molecule import Molecule
from forgefield.molecules.padding import padded_union
from forgefield.molecules.topology import Topology


class Rung(NamedTuple):
    """One size that programs are compiled for."""

    atoms: int
    """Atoms of all molecules together."""
    largest: int
    """Atoms of the largest molecule."""


class Result(NamedTuple):
    """Energy [kcal/mol] and gradient [kcal/mol/Å] of one molecule."""

    energy: float
    gradient: Float[np.ndarray, "atoms 3"]


@dataclass(frozen=True)
class Ladder:
    """Which sizes there are, and how many atoms are computed at once."""

    rungs: tuple[Rung, ...]
    """From small to large."""
    budget: int
    """Molecules are put together until they have more atoms than this; a larger molecule goes alone."""
    threads: int = 1
    """Chunks that are computed at the same time."""

    def rung(self, atoms: int, largest: int) -> Rung:
        """Return the first rung that has room. Raises InputError where none has."""
        for rung in self.rungs:
            if rung.atoms >= atoms and rung.largest >= largest:
                return rung
        raise InputError(
            f"a molecule of {largest} atoms is larger than the ladder's last rung ({self.rungs[-1].largest}); "
            "give a ladder with larger rungs, or neighbours listed with a cut-off"
        )


_CPU_SIZES = (8, 9, 11, 12, 14, 16, 18, 21, 24, 28, 32, 37, 43, 50, 60, 80, 120, 180, 270, 400)
_GPU_SIZES = tuple(
    Rung(atoms, largest) for largest in (16, 32, 64, 256) for atoms in (64, 512, 2048, 8192, 32768) if atoms >= largest
)


def cpu_ladder(threads: int | None = None) -> Ladder:
    """Return the ladder for a CPU: about one drug-like molecule at a time for each core, whose cache it fits."""
    rungs = tuple(Rung(n, n) for n in _CPU_SIZES)
    return Ladder(rungs, budget=24, threads=threads or n_cores())


def gpu_ladder(budget: int = 32768) -> Ladder:
    """Return the ladder for a GPU, which needs thousands of atoms at once; `budget` is halved where memory runs out."""
    return Ladder(_GPU_SIZES, budget=budget)


def default_ladder() -> Ladder:
    """Return the ladder for the device that JAX computes on."""
    return cpu_ladder() if jax.default_backend() == "cpu" else gpu_ladder()


def many(model: AbstractModel, molecules: Sequence[Molecule], *, ladder: Ladder | None = None) -> list[Result]:
    """Return energy and gradient of each molecule under a model that needs no bonds, in the order given.

    Molecules are sorted by size, put together, and filled up to a rung of the ladder. Raises InputError where a
    molecule is larger than the last rung.
    """
    ladder = ladder or default_ladder()
    double = jax.config.read("jax_enable_x64")

    def evaluated(chunk: list[Molecule]) -> list[Result]:
        # A thread does not know the precision that was chosen for its parent alone.
        with jax.enable_x64(double):
            return _chunk_results(model, chunk, ladder)

    found: list[Result | None] = [None] * len(molecules)
    for place, result in zip(*_in_chunks([m.n_atoms for m in molecules], molecules, evaluated, ladder), strict=True):
        found[place] = result
    return [result for result in found if result is not None]


def _in_chunks(
    sizes: Sequence[int],
    molecules: Sequence[Molecule],
    evaluated: Callable[[list[Molecule]], list[Result]],
    ladder: Ladder,
) -> tuple[list[int], list[Result]]:
    """Return the places of all molecules, chunk by chunk, and their results; halve the chunks where memory runs out."""
    while True:
        chunks = chunked(sizes, ladder.budget)
        work = [[molecules[k] for k in chunk] for chunk in chunks]
        try:
            with ThreadPoolExecutor(ladder.threads) as pool:
                results = list(pool.map(evaluated, work))
        except jax.errors.JaxRuntimeError as error:
            if "RESOURCE_EXHAUSTED" not in str(error) or all(len(chunk) == 1 for chunk in chunks):
                raise
            ladder = replace(ladder, budget=ladder.budget // 2)
        else:
            return [k for chunk in chunks for k in chunk], [result for part in results for result in part]


def chunked(sizes: Sequence[int], budget: int) -> list[list[int]]:
    """Return chunks of molecules of similar size, large ones first, of at most `budget` atoms or one molecule."""
    chunks: list[list[int]] = []
    room = 0
    for k in sorted(range(len(sizes)), key=lambda k: -sizes[k]):
        if sizes[k] > room:
            chunks.append([])
            room = budget
        chunks[-1].append(k)
        room -= sizes[k]
    return chunks


def _chunk_results(model: AbstractModel, chunk: list[Molecule], ladder: Ladder) -> list[Result]:
    sizes = [m.n_atoms for m in chunk]
    rung = ladder.rung(sum(sizes), max(sizes))
    states = [(m.charge, m.multiplicity - 1) for m in chunk]
    topology, positions = padded_union(
        [m.species for m in chunk], [m.positions for m in chunk], rung.atoms, rung.largest, states
    )
    energy, gradient = (np.asarray(a) for a in energies_and_gradient(model, topology, jnp.asarray(positions)))
    ends = np.cumsum(sizes)
    parts = np.split(gradient[: ends[-1]], ends[:-1])
    return [Result(float(e), part) for e, part in zip(energy[: len(chunk)], parts, strict=True)]


@eqx.filter_jit
def energies_and_gradient(
    model: AbstractModel, topology: Topology, positions: Float[Array, "atoms 3"]
) -> tuple[Float[Array, " molecules"], Float[Array, "atoms 3"]]:
    """Return the energy of each molecule [kcal/mol] and its derivative [kcal/mol/Å]; what both need is done once."""
    return model.energy_and_gradient(topology, positions)
