"""How long teacher and student take for energy and forces, one after the other in the same run."""

from collections.abc import Callable, Sequence
from time import perf_counter

import jax
import jax.numpy as jnp
import numpy as np

from forgefield.engines.native.choice import fastest
from forgefield.engines.teachers.model_teacher import ModelTeacher
from forgefield.engines.teachers.teacher import AbstractTeacher
from forgefield.molecules.molecule import Molecule
from forgefield.properties.many import energies_and_gradient
from forgefield.report.student.findings import Speed

_REPEATS = 15
_LONGEST = 5.0
"""Seconds after which it is enough."""
_IN_A_ROW, _SHORT = 5, 5.0
"""As dynamics has it, what takes less than so many ms is called again before the other clears the processor's cache."""


def speed(structures: Sequence[Molecule], student: ModelTeacher, teacher: AbstractTeacher | None) -> Speed:
    """Return the least time [ms] that each takes for a structure: what else runs here only adds to it."""
    model, topology = student.rules.lay([structures[0]])
    fast = fastest(model)

    def compute(molecule: Molecule) -> None:
        jax.block_until_ready(energies_and_gradient(fast, topology, jnp.asarray(molecule.positions)))

    ways: list[Callable[[Molecule], object]] = [compute, *([] if teacher is None else [teacher.label])]
    for way in ways:
        way(structures[0])
    times: list[list[float]] = [[] for _ in ways]
    began = perf_counter()
    for k in range(_REPEATS):
        for way, taken in zip(ways, times, strict=True):
            for _ in range(_IN_A_ROW):
                at = perf_counter()
                way(structures[k % len(structures)])
                taken.append(1000.0 * (perf_counter() - at))
                if taken[-1] > _SHORT:
                    break
        if perf_counter() - began > _LONGEST:
            break
    best = [min(taken) for taken in times]
    n_atoms = structures[0].n_atoms
    return Speed(structures[0].name, n_atoms, np.nan if teacher is None else best[1], best[0])
