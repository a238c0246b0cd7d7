"""What is told of the structures that a fitted force field relaxes to: figures, pictures, and those that are lost."""

import numpy as np
from jaxtyping import Float

from forgefield.fitting.judge.metrics import Judgement, judge
from forgefield.fitting.judge.relaxed_metrics import Judge, RelaxedJudge, torsions_of
from forgefield.fitting.judge.turns import Turn, turns
from forgefield.fitting.targets.target import AbstractTarget, View
from forgefield.io.assemble.superposition import superpose
from forgefield.jobs.fit.plan.prepare import Prepared
from forgefield.molecules.bonds import pieces
from forgefield.properties.relax import Failure
from forgefield.report.record import RelaxedStructure
from forgefield.report.structures import relaxed_structure


def judge_fitted(targets: tuple[AbstractTarget, ...]) -> Judge:
    """Return how a force field is judged on what it is fitted to."""
    relaxed = [target.traits for target in targets if target.traits.view is View.RELAXED]
    here = compares_energies(targets)
    return RelaxedJudge(not here, any(traits.observes for traits in relaxed)) if relaxed else judge


def judge_told(targets: tuple[AbstractTarget, ...]) -> Judge:
    """Return how a force field is judged in the results: at its own structures wherever forces or geometries count."""
    found = judge_fitted(targets)
    if isinstance(found, RelaxedJudge) or not any(target.traits.holds_structure for target in targets):
        return found
    return RelaxedJudge(energies=not compares_energies(targets))


def compares_energies(targets: tuple[AbstractTarget, ...]) -> bool:
    """Say whether energies are compared at the reference geometries, since a target asks for it."""
    return any(target.traits.is_relative and target.traits.view is View.REFERENCE for target in targets)


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


def turned(prepared: Prepared, judgement: Judgement, m: int) -> list[Turn]:
    """Return about which bonds a relaxed molecule has turned; none where it has no relaxed structure."""
    if (positions := _relaxed(judgement, prepared, m)) is None:
        return []
    example = prepared.examples[m]
    return turns(example.molecule, torsions_of(prepared.data, m), positions, example.reference.hessian)


def pieces_moved(prepared: Prepared, judgement: Judgement, m: int) -> float | None:
    """Return how far a relaxed complex of several pieces is from its reference [Å]; None where there is none."""
    molecule = prepared.examples[m].molecule
    positions = _relaxed(judgement, prepared, m)
    if positions is None or len(pieces(molecule.n_atoms, molecule.bonds)) == 1:
        return None
    return float(np.sqrt(np.mean(superpose(positions, molecule.positions).deviations ** 2)))


def _relaxed(judgement: Judgement, prepared: Prepared, m: int) -> Float[np.ndarray, "atoms 3"] | None:
    if judgement.relaxed is None or not np.asarray(judgement.relaxed.there)[m]:
        return None
    return np.asarray(judgement.relaxed.positions)[np.asarray(prepared.assignment.topology.molecule) == m]


def structures(prepared: Prepared, judgement: Judgement) -> tuple[RelaxedStructure, ...]:
    """Return the relaxed structures on those of the reference."""
    if judgement.relaxed is None:
        return ()
    ends = np.cumsum([e.molecule.n_atoms for e in prepared.examples])[:-1]
    positions = np.split(np.asarray(judgement.relaxed.positions), ends)
    there = np.asarray(judgement.relaxed.there)
    return tuple(relaxed_structure(prepared.molecules[m], positions[m]) for m in np.flatnonzero(there))
