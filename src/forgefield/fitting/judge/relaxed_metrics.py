"""How well the structures that a model relaxes to agree with the reference's."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import cast

import numpy as np
from jaxtyping import Array, Float

from forgefield.compiled import compiled, compiled_quickly
from forgefield.fitting.data.chunks import both_on_ladder
from forgefield.fitting.data.ladder import grown
from forgefield.fitting.data.training_set import Example, TrainingSet
from forgefield.fitting.judge.metrics import Judgement, Metrics, energy_deviations, judge
from forgefield.fitting.targets.relaxed import BondAngles, BondLengths, Torsions
from forgefield.fitting.targets.relaxed_view import relaxed_by_terms, relaxed_observed, seen_relaxed
from forgefield.fitting.targets.target import Seen, resized
from forgefield.models.forcefield import ForceField
from forgefield.models.model import AbstractModel
from forgefield.properties.relax import State, Task, relaxed

Judge = Callable[[AbstractModel, TrainingSet, list[Example]], Judgement]
_COORDINATES = {"bond_rmsd_a": BondLengths(1.0), "angle_rmsd_deg": BondAngles(1.0), "torsion_rmsd_deg": Torsions(1.0)}
"""The targets that measure the deviations behind each metric."""


@dataclass(frozen=True)
class RelaxedJudge:
    """Judges a model by the structures it relaxes to."""

    energies: bool = True
    """Of the relaxed structures; otherwise of the reference geometries."""
    curvatures: bool = False
    """Of the relaxed structures, where a molecule has one; otherwise of the reference geometries."""

    def __call__(self, model: AbstractModel, data: TrainingSet, examples: list[Example]) -> Judgement:
        """Return the metrics of a model."""
        found, deviations = _compared_on_rung(model, data, self.curvatures)
        judgement = judge(model, data, examples, vibrating=found.observation)
        geometry = _geometry(found, data, deviations)
        each = tuple(
            replace(one, **{name: _rms(own[m]) for name, own in geometry.items()})
            for m, one in enumerate(judgement.each)
        )
        pooled = {name: _rms(np.concatenate([np.zeros(0), *own])) for name, own in geometry.items()}
        total = replace(judgement.total, **pooled)
        if self.energies:
            total, each = _with_energies(found, data, total, each)
        return replace(judgement, total=total, each=each, sights=judgement.sights._replace(relaxed=found))


def _with_energies(
    found: Seen, data: TrainingSet, total: Metrics, each: tuple[Metrics, ...]
) -> tuple[Metrics, tuple[Metrics, ...]]:
    """Return metrics with the energies of the relaxed structures."""
    there = np.asarray(data.has_energy) & np.asarray(found.there)
    energies = energy_deviations(np.asarray(found.energy), data, there)

    def told(one: Metrics, deviations: Float[np.ndarray, " _"]) -> Metrics:
        return replace(one, energy_rmsd_kcal_mol=_rms(deviations[np.isfinite(deviations)]))

    return told(total, energies), tuple(told(one, energies[m : m + 1]) for m, one in enumerate(each))


def _compared_on_rung(
    model: AbstractModel, data: TrainingSet, curvatures: bool
) -> tuple[Seen, dict[str, Float[np.ndarray, "molecules _"]]]:
    """Return what `_compared` does, by a program for all training sets of about the size."""
    if model.traits.of_terms and not curvatures:
        found, deviations = _compared_at(*relaxed_by_terms(cast(ForceField, model), data))
    else:
        found, deviations = _compared(*both_on_ladder(model, data), curvatures)
    shapes = {name: target.internals(data).present.shape for name, target in _COORDINATES.items()}
    return resized(found, data), {name: grown(deviations[name], *shape) for name, shape in shapes.items()}


@compiled
def _compared(model: AbstractModel, data: TrainingSet, curvatures: bool) -> tuple[Seen, dict[str, Array]]:
    """Return the structures that a model relaxes to and their deviations, by the name of the metric."""
    found = relaxed_observed(model, data, curvatures)
    return found, _deviations(found, data)


@compiled_quickly
def _compared_at(data: TrainingSet, task: Task, ended: State) -> tuple[Seen, dict[str, Array]]:
    """Return what `_compared` does at the end of a search."""
    found = seen_relaxed(data, relaxed(task, ended))
    return found, _deviations(found, data)


def _deviations(found: Seen, data: TrainingSet) -> dict[str, Array]:
    return {name: target.deviations(found, data) for name, target in _COORDINATES.items()}


def _geometry(
    found: Seen, data: TrainingSet, deviations: dict[str, Float[np.ndarray, "molecules _"]]
) -> dict[str, list[Float[np.ndarray, " values"]]]:
    """Return the deviations of each molecule by the name of their metric; none where it did not relax."""
    converged = np.asarray(found.there)
    told = {}
    for name, target in _COORDINATES.items():
        known = np.asarray(target.internals(data).present) & converged[:, None]
        told[name] = [one[there] for one, there in zip(np.asarray(deviations[name]), known, strict=True)]
    return told


def _rms(values: Float[np.ndarray, " _"]) -> float | None:
    return float(np.sqrt(np.mean(values**2))) if len(values) else None
