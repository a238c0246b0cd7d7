"""How well the structures that a model relaxes to agree with the reference's."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import cast

import numpy as np
from jaxtyping import Array, Float, Int

from forgefield import units
from forgefield.compiled import compiled, compiled_quickly
from forgefield.fitting.data.chunks import both_on_ladder
from forgefield.fitting.data.ladder import grown
from forgefield.fitting.data.training_set import Example, TrainingSet
from forgefield.fitting.judge.metrics import Judgement, Metrics, energy_deviations, judge
from forgefield.fitting.judge.turns import relabelled
from forgefield.fitting.targets.relaxed import BondAngles, BondLengths, Torsions
from forgefield.fitting.targets.relaxed_view import relaxed_by_terms, relaxed_observed, seen_relaxed
from forgefield.fitting.targets.target import Seen, resized
from forgefield.models.forcefield import ForceField
from forgefield.models.model import AbstractModel
from forgefield.molecules import measure
from forgefield.molecules.molecule import Molecule
from forgefield.properties.relax import State, Task, relaxed

Judge = Callable[[AbstractModel, TrainingSet, list[Example]], Judgement]
_COORDINATES = {"bond_rmsd_a": BondLengths(1.0), "angle_rmsd_deg": BondAngles(1.0), "torsion_rmsd_deg": Torsions(1.0)}
"""The targets that measure the deviations behind each metric."""
_MEASURES = {
    "bond_rmsd_a": (measure.lengths, 1.0),
    "angle_rmsd_deg": (measure.angles, units.DEGREE),
    "torsion_rmsd_deg": (measure.dihedrals, units.DEGREE),
}
"""The same coordinates of one molecule, and the unit of the metric."""
_PASSED = 60.0
"""Degrees; by less, no turn takes an atom past the place of another that is equal."""


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
        geometry = _geometry(found, data, deviations, examples)
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
    found: Seen,
    data: TrainingSet,
    deviations: dict[str, Float[np.ndarray, "molecules _"]],
    examples: list[Example],
) -> dict[str, list[Float[np.ndarray, " values"]]]:
    """Return the deviations of each molecule by the name of their metric; none where it did not relax.

    Of equal atoms at the ends of bonds, those are compared that bring torsions nearest to the reference.
    """
    converged = np.asarray(found.there)
    told = {}
    for name, target in _COORDINATES.items():
        known = np.asarray(target.internals(data).present) & converged[:, None]
        told[name] = [one[there] for one, there in zip(np.asarray(deviations[name]), known, strict=True)]
    for m in np.flatnonzero(converged):
        if np.abs(told["torsion_rmsd_deg"][m]).max(initial=0.0) > _PASSED:
            told_again = _of_equal_atoms(found, data, examples[m].molecule, int(m))
            for name, own in told_again.items():
                told[name][m] = own
    return told


def _of_equal_atoms(
    found: Seen, data: TrainingSet, molecule: Molecule, m: int
) -> dict[str, Float[np.ndarray, " values"]]:
    """Return the deviations of a molecule whose equal atoms are exchanged where that brings torsions nearer."""
    positions = np.asarray(found.positions)[np.asarray(data.topology.molecule) == m]
    laid = relabelled(molecule, torsions_of(data, m), positions)
    told = {}
    for name, (measured, unit) in _MEASURES.items():
        own = _COORDINATES[name].internals(data)
        there = np.asarray(own.present)[m]
        apart = measured(laid[np.asarray(own.slots)[m][there]]) - np.asarray(own.reference)[m][there]
        told[name] = apart / unit
    told["torsion_rmsd_deg"] = (told["torsion_rmsd_deg"] + 180.0) % 360.0 - 180.0
    return told


def torsions_of(data: TrainingSet, m: int) -> Int[np.ndarray, "torsions 4"]:
    """Return the torsions of a molecule that are compared, by its own atoms."""
    own = data.relaxation.torsions
    return np.asarray(own.slots)[m][np.asarray(own.present)[m]]


def _rms(values: Float[np.ndarray, " _"]) -> float | None:
    return float(np.sqrt(np.mean(values**2))) if len(values) else None
