"""What is told of the structures that a fitted force field relaxes to: figures, pictures, and those that are lost."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Bool, Float

from forgefield.fitting.judge.metrics import Judgement, judge
from forgefield.fitting.judge.relaxed_metrics import Judge, RelaxedJudge
from forgefield.fitting.targets.fixed import AbstractTarget, Energies, Forces
from forgefield.fitting.targets.relaxed import AbstractRelaxedTarget, RelaxedEnergies
from forgefield.fitting.targets.relaxed_curvatures import AtRelaxed
from forgefield.jobs.fit.plan.prepare import Prepared
from forgefield.properties.relax import Failure
from forgefield.report.record import RelaxedStructure
from forgefield.report.structures import relaxed_structure


def judge_fitted(targets: Sequence[AbstractTarget]) -> Judge:
    """Return how a force field is judged on what it is fitted to."""
    curvatures = any(isinstance(target, AtRelaxed) for target in targets)
    geometry = any(isinstance(target, AbstractRelaxedTarget) for target in targets)
    relaxed = any(isinstance(target, RelaxedEnergies) for target in targets)
    if not (curvatures or geometry or relaxed):
        return judge
    return RelaxedJudge(relaxed or not any(isinstance(target, Energies) for target in targets), curvatures)


def judge_told(targets: Sequence[AbstractTarget]) -> Judge:
    """Return how a force field is judged in the results: at its own structures wherever forces or geometries count."""
    found = judge_fitted(targets)
    if isinstance(found, RelaxedJudge) or not any(isinstance(target, Forces) for target in targets):
        return found
    return RelaxedJudge(energies=not any(isinstance(target, Energies) for target in targets))


def compared_energies(
    prepared: Prepared, judgement: Judgement
) -> tuple[Float[np.ndarray, " molecules"], Bool[np.ndarray, " molecules"]]:
    """Return the energies [kcal/mol] that the figures are about, and which of them there are."""
    has = np.asarray(prepared.data.has_energy)
    judge = judge_told(prepared.plan.targets)
    if judgement.relaxed is None or not (isinstance(judge, RelaxedJudge) and judge.energies):
        return np.asarray(judgement.observation.energy), has
    return np.asarray(judgement.relaxed.energy), has & np.asarray(judgement.relaxed.converged)


def lost(prepared: Prepared, judgement: Judgement) -> list[str]:
    """Return a sentence for each molecule that has no relaxed structure, although its reference is stationary."""
    if judgement.relaxed is None:
        return []
    failure, wanted = np.asarray(judgement.relaxed.failure), np.asarray(prepared.data.relaxation.wanted)
    return [
        f"{prepared.examples[m].molecule.name} has no relaxed structure under the fitted force field: "
        f"{Failure(int(failure[m])).sentence}. It is left out of the figures of relaxed structures."
        for m in np.flatnonzero(wanted & (failure != Failure.NONE))
    ]


def structures(prepared: Prepared, judgement: Judgement) -> tuple[RelaxedStructure, ...]:
    """Return the relaxed structures on those of the reference."""
    if judgement.relaxed is None:
        return ()
    ends = np.cumsum([e.molecule.n_atoms for e in prepared.examples])[:-1]
    positions = np.split(np.asarray(judgement.relaxed.positions), ends)
    there = np.asarray(judgement.relaxed.converged)
    return tuple(relaxed_structure(prepared.molecules[m], positions[m]) for m in np.flatnonzero(there))
