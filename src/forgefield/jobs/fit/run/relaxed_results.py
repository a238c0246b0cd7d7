"""What is told of the structures that a fitted force field relaxes to: figures, pictures, and those that are lost."""

import numpy as np
from jaxtyping import Bool, Float

from forgefield.config import TargetsSection
from forgefield.fitting.judge.metrics import Judgement, judge
from forgefield.fitting.judge.relaxed_metrics import Judge, RelaxedJudge
from forgefield.jobs.fit.plan.prepare import Prepared
from forgefield.properties.relax import Failure
from forgefield.report.record import RelaxedStructure
from forgefield.report.structures import relaxed_structure


def judge_fitted(targets: TargetsSection) -> Judge:
    """Return how a force field is judged on what it is fitted to."""
    curvatures = any(target.at == "relaxed" for target in targets.curvatures)
    if targets.energy is not None:
        relaxes = targets.energy.at == "relaxed"
        return RelaxedJudge(relaxes, curvatures) if relaxes or curvatures or targets.geometry else judge
    return RelaxedJudge(curvatures=curvatures) if curvatures or targets.geometry else judge


def judge_told(targets: TargetsSection) -> Judge:
    """Return how a force field is judged in the results: at its own structures wherever forces or geometries count."""
    found = judge_fitted(targets)
    if isinstance(found, RelaxedJudge) or targets.forces is None:
        return found
    return RelaxedJudge(energies=targets.energy is None)


def compared_energies(
    prepared: Prepared, judgement: Judgement
) -> tuple[Float[np.ndarray, " molecules"], Bool[np.ndarray, " molecules"]]:
    """Return the energies [kcal/mol] that the figures are about, and which of them there are."""
    has = np.asarray(prepared.data.has_energy)
    judge = judge_told(prepared.file.targets)
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
