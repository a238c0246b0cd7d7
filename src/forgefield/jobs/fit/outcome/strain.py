"""How far the rows of a force field fight each other: the energy that stretches and bends hold at rest."""

from collections.abc import Mapping, Sequence, Set
from dataclasses import replace

import numpy as np
from jaxtyping import Bool, Float

from forgefield.assign.assignment import Assignment
from forgefield.fitting.data.training_set import TrainingSet
from forgefield.fitting.judge.metrics import Judgement
from forgefield.models.expansions import expansions, profiles, with_charges
from forgefield.molecules.topology import Topology
from forgefield.report.results import MoleculeResult, Strain

_KINDS = ("stretch", "bend")
_MUCH = 2.0
"""kcal/mol from which it is said of a molecule."""
_TOO_MUCH = 20.0
"""kcal/mol: rows whose reference values are those of the molecules would hold next to nothing."""

_PULLED = 2.0
"""kcal/mol/Å: the force on an atom of a reference from which its bonds are stretched because it moves."""


def balanced(molecules: Sequence[MoleculeResult], data: TrainingSet) -> list[MoleculeResult]:
    """Return the molecules whose strain is of a structure where forces balance.

    They have relaxed, or the gradient of their reference, where it has one, pulls at no atom.
    """
    most = np.zeros(len(molecules))
    np.maximum.at(most, np.asarray(data.topology.molecule), np.linalg.norm(np.asarray(data.gradient), axis=1))
    moving = np.asarray(data.has_gradient) & (most > _PULLED)
    return [one for one, away in zip(molecules, moving, strict=True) if one.strain.relaxed or not away]


def at_rest(
    topology: Topology, positions: Float[np.ndarray, "atoms 3"], judgement: Judgement
) -> tuple[Float[np.ndarray, "atoms 3"], Bool[np.ndarray, " molecules"]]:
    """Return where molecules relax to [Å], their given positions where they do not, and which do."""
    if judgement.relaxed is None:
        return positions, np.zeros(topology.n_molecules, dtype=bool)
    there = np.asarray(judgement.relaxed.there)
    moved = there[np.asarray(topology.molecule)][:, None]
    return np.where(moved, np.asarray(judgement.relaxed.positions), positions), there


def strains(
    assignment: Assignment,
    values: Float[np.ndarray, " parameters"],
    positions: Float[np.ndarray, "atoms 3"],
    relaxed: Bool[np.ndarray, " molecules"],
) -> list[Strain]:
    """Return the strain of each molecule at positions [Å], which are those of `relaxed` structures or of references."""
    topology, model = assignment.topology, assignment.model
    acting = [t for t, term in enumerate(model.terms) if term.kind in _KINDS]
    laid = replace(topology, interactions=tuple(topology.interactions[t] for t in acting))
    known = with_charges(values, topology)
    held = np.zeros((topology.n_molecules, len(values)))
    for one in expansions(tuple(model.terms[t] for t in acting), values, laid, positions):
        energy, _, _ = profiles(one.term, one.q, known[one.parameters])
        np.add.at(held, (one.molecule, one.parameters[:, 0]), energy)
    names = {row.indices[0]: row.name for row in assignment.rows if row.term.kind in _KINDS}
    return [_strain(own, bool(relaxed), names) for own, relaxed in zip(held, relaxed, strict=True)]


def _strain(held: Float[np.ndarray, " parameters"], relaxed: bool, names: dict[int, str]) -> Strain:
    place = int(held.argmax())
    most = float(held[place])
    return Strain(float(held.sum()), relaxed, names.get(place) if most > 0.0 else None, most)


def strained(strain: Mapping[str, Strain], trained: Set[str]) -> list[str]:
    """Say which molecules hold much strain, and in which row; `trained` are the names of those that a fit changes."""
    found = sorted(
        ((name, one) for name, one in strain.items() if one.energy >= _MUCH), key=lambda pair: -pair[1].energy
    )
    if not found:
        return []
    named = [
        f"{name} {one.energy:.1f} kcal/mol"
        + (f" (most in {one.row}, {one.most:.1f}{'' if one.row in trained else ', which is kept'})" if one.row else "")
        for name, one in found
    ]
    return [
        f"Rows fight each other: {len(found)} molecule(s) hold {_MUCH:g} kcal/mol or more in stretches and bends at "
        f"rest: {'; '.join(named)}."
    ]


def overstrained(molecules: Sequence[MoleculeResult]) -> list[str]:
    """Say which molecules that are fitted to hold more than rows made for them may, so that the fit is no success."""
    return [
        f"{one.name} holds {one.strain.energy:.0f} kcal/mol in stretches and bends at rest"
        + (f", most in {one.strain.row}" if one.strain.row else "")
        for one in molecules
        if one.weight > 0.0 and one.strain.energy > _TOO_MUCH
    ]
