"""Modes of the references that the report shows as motions."""

import numpy as np

from forgefield.fitting.judge.metrics import Judgement, ModeComparison
from forgefield.jobs.fit.plan.prepare import Prepared
from forgefield.report.record import Vibrations

_MOST = 30
"""Modes of a molecule."""
_NUMBERS = 40_000
"""Components of displacements in all."""


def vibrations(prepared: Prepared, final: Judgement) -> tuple[Vibrations, ...]:
    """Return modes of each molecule that has any, the reaction mode and those that deviate most first.

    What a report can hold is limited: molecules that come after its limit have none.
    """
    found, left = [], _NUMBERS
    for example, modes in zip(prepared.examples, final.modes, strict=True):
        if modes is None or example.treated is None:
            continue
        size = 3 * example.molecule.n_atoms
        places = np.sort(_worst_first(modes)[: min(_MOST, left // size)])
        if not places.size:
            continue
        left -= size * len(places)
        moved = example.treated.vectors[:, places].T.reshape(len(places), -1, 3)
        moved = moved / np.sqrt(example.treated.masses)[:, None]
        largest = np.linalg.norm(moved, axis=2).max(axis=1)
        molecule = example.molecule
        found.append(
            Vibrations(
                molecule.name,
                molecule.species,
                molecule.bonds,
                molecule.positions,
                places,
                moved / largest[:, None, None],
            )
        )
    return tuple(found)


def _worst_first(modes: ModeComparison) -> np.ndarray:
    apart = np.nan_to_num(np.abs(modes.model - modes.reference), nan=np.inf)
    return np.argsort(np.where(modes.counted, -apart, -np.inf), kind="stable")
