"""What a classical force field leaves of a teacher: the labels of a network that corrects it."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from forgefield.assign.rules import AbstractRowRules
from forgefield.fitting.frames.frames import frames_of
from forgefield.io.datasets.records import Record
from forgefield.jobs.distil.classical.fitted import answers_of
from forgefield.jobs.distil.classical.labelled import bonded, molecule_key
from forgefield.molecules.molecule import HessianProducts, Reference


def without(baseline: AbstractRowRules, records: Sequence[Record]) -> list[Record]:
    """Return records whose labels are less what a force field says.

    Raises InputError, or MissingParameters, where it does not cover a molecule.
    """
    places: dict[tuple, list[int]] = {}
    for k, record in enumerate(records):
        places.setdefault(molecule_key(record.molecule), []).append(k)
    found = list(records)
    for own in places.values():
        labels = [records[k].label for k in own]
        told = answers_of(baseline.assign([bonded(records[own[0]].molecule)]), 0, frames_of(labels))
        for k, label, energy, gradient, products in zip(own, labels, *told, strict=True):
            found[k] = replace(records[k], label=_less(label, energy, gradient, products))
    return found


def _less(label: Reference, energy: float, gradient: np.ndarray, products: np.ndarray) -> Reference:
    assert label.energy is not None
    left = None
    if label.products is not None:
        known = label.products
        # Those of directions of the length of one for each coordinate.
        length = np.sqrt(np.mean(known.directions**2, axis=(1, 2)))[:, None, None]
        left = HessianProducts(known.directions, known.values - length * products[: len(known.values)])
    return replace(
        label,
        energy=float(label.energy - energy),
        gradient=label.gradient - gradient,
        products=left,
        atomic_energies=None,
    )
