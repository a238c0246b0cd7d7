"""How well the structures that a model relaxes to agree with the reference's."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
from jaxtyping import Array, Float

from forgefield.fit.metrics import Judgement, Metrics, energy_deviations, judge
from forgefield.fit.relaxed_targets import BondAngles, BondLengths, RelaxedStructures, Torsions, relaxed_observed
from forgefield.fit.training import Example, TrainingSet
from forgefield.models.compiled import compiled
from forgefield.models.model import AbstractModel

Judge = Callable[[AbstractModel, TrainingSet, list[Example]], Judgement]
_COORDINATES = {"bond_rmsd_a": BondLengths(1.0), "angle_rmsd_deg": BondAngles(1.0), "torsion_rmsd_deg": Torsions(1.0)}
"""The targets that measure the deviations behind each metric."""


def judge_geometries(model: AbstractModel, data: TrainingSet, examples: list[Example]) -> Judgement:
    """Return the metrics of a model, with those of the structures it relaxes to; energies are at the references."""
    found, deviations = _compared(model, data)
    judgement = judge(model, data, examples)
    geometry = _geometry(found, data, deviations)
    each = tuple(
        replace(one, **{name: _rms(own[m]) for name, own in geometry.items()}) for m, one in enumerate(judgement.each)
    )
    total = {name: _rms(np.concatenate([np.zeros(0), *own])) for name, own in geometry.items()}
    return replace(judgement, total=replace(judgement.total, **total), each=each, relaxed=found)


def judge_relaxed(model: AbstractModel, data: TrainingSet, examples: list[Example]) -> Judgement:
    """Return the metrics of a model, those of geometries and energies at the structures it relaxes to."""
    judgement = judge_geometries(model, data, examples)
    found = judgement.relaxed
    assert found is not None
    there = np.asarray(data.has_energy) & np.asarray(found.converged)
    energies = energy_deviations(np.asarray(found.energy), data, there)

    def told(one: Metrics, deviations: Float[np.ndarray, " _"]) -> Metrics:
        return replace(one, energy_rmsd_kcal_mol=_rms(deviations[np.isfinite(deviations)]))

    each = tuple(told(one, energies[m : m + 1]) for m, one in enumerate(judgement.each))
    return replace(judgement, total=told(judgement.total, energies), each=each)


@compiled
def _compared(model: AbstractModel, data: TrainingSet) -> tuple[RelaxedStructures, dict[str, Array]]:
    """Return the structures that a model relaxes to and their deviations, by the name of the metric."""
    found = relaxed_observed(model, data)
    return found, {name: target.deviations(found, data) for name, target in _COORDINATES.items()}


def _geometry(
    found: RelaxedStructures, data: TrainingSet, deviations: dict[str, Array]
) -> dict[str, list[Float[np.ndarray, " values"]]]:
    """Return the deviations of each molecule by the name of their metric; none where it did not relax."""
    converged = np.asarray(found.converged)
    told = {}
    for name, target in _COORDINATES.items():
        known = np.asarray(target.internals(data).present) & converged[:, None]
        told[name] = [one[there] for one, there in zip(np.asarray(deviations[name]), known, strict=True)]
    return told


def _rms(values: Float[np.ndarray, " _"]) -> float | None:
    return float(np.sqrt(np.mean(values**2))) if len(values) else None
