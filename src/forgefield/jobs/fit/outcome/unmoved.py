"""Vibrations that no term can move, whatever its constants, and the term that would."""

import numpy as np
from jaxtyping import Bool, Float, Int

from forgefield.assign.assignment import Assignment
from forgefield.assign.generated import hindered, meaningful
from forgefield.assign.instances import KINDS
from forgefield.assign.nonbonded import distant_pairs
from forgefield.fitting.data.training_set import Example
from forgefield.molecules.measure import angles, dihedrals, elevations, lengths
from forgefield.molecules.molecule import Molecule

_STEP = 1e-3
"""Å by which the atom that moves most does."""
_MOVED = 0.02
"""Share of it [Å, or rad for 1 Å] by which a coordinate changes where a mode moves it in first order."""
_MEASURES = {
    "stretch": (2, lengths),
    "urey_bradley": (2, lengths),
    "vdw": (2, lengths),
    "electrostatic": (2, lengths),
    "bend": (3, angles),
    "torsion": (4, dihedrals),
    "out_of_plane": (4, elevations),
}
"""Atoms and measure of each kind whose coordinates no other kind has."""
_ADVICE = {
    "out_of_plane": 'add "out_of_plane" to terms under [forcefield]',
    "torsion": 'add "torsion" to terms under [forcefield]',
    "urey_bradley": 'add "urey_bradley" to terms under [forcefield]',
    "vdw": 'only van der Waals terms act on it (nonbonded = "uff" under [forcefield])',
}


def unmoved(assignment: Assignment, examples: list[Example]) -> list[str]:
    """Return a sentence for each molecule with vibrations of the reference that no term of a force field can move."""
    starts = np.cumsum([0, *(e.molecule.n_atoms for e in examples)])
    said = []
    for example, first, end in zip(examples, starts[:-1], starts[1:], strict=True):
        if example.treated is None:
            continue
        positions, modes = example.reference.positions, _steps(example)
        open_ = np.ones(len(modes), dtype=bool)
        for term, group in zip(assignment.model.terms, assignment.topology.interactions, strict=True):
            atoms = np.asarray(group.atoms)
            atoms = atoms[(atoms[:, 0] >= first) & (atoms[:, 0] < end)] - first
            open_ &= ~_moving(term.kind, atoms, positions, modes)
        said += _said(example, open_, modes)
    return said


def _steps(example: Example) -> Float[np.ndarray, "modes atoms 3"]:
    """Return the displacements of each mode of the reference, of one size."""
    assert example.treated is not None
    moved = example.treated.vectors / np.repeat(np.sqrt(example.treated.masses), 3)[:, None]
    steps = moved.T.reshape(moved.shape[1], -1, 3)
    return _STEP * steps / np.linalg.norm(steps, axis=2).max(axis=1)[:, None, None]


def _moving(
    kind: str,
    atoms: Int[np.ndarray, "interactions order"],
    positions: Float[np.ndarray, "atoms 3"],
    modes: Float[np.ndarray, "modes atoms 3"],
) -> Bool[np.ndarray, " modes"]:
    """Say which modes change any coordinate of these interactions in first order."""
    order, measure = _MEASURES.get(kind, (0, None))
    if measure is None:
        return np.zeros(len(modes), dtype=bool)
    atoms = atoms[:, :order]
    atoms = atoms[meaningful(kind, atoms, positions)]
    if not len(atoms):
        return np.zeros(len(modes), dtype=bool)
    here = measure(positions[atoms])
    # An angle of 180° shrinks either way, in first order of the step.
    changes = [measure((positions + step)[atoms]) - here for step in modes]
    turned = np.abs(np.remainder(np.array(changes) + np.pi, 2.0 * np.pi) - np.pi)
    return turned.max(axis=1) > _MOVED * _STEP


def _said(example: Example, open_: Bool[np.ndarray, " modes"], modes: Float[np.ndarray, "modes atoms 3"]) -> list[str]:
    assert example.treated is not None
    named: dict[str, list[str]] = {}
    for mode in np.flatnonzero(open_):
        found = [kind for kind in _ADVICE if _would(kind, example.molecule, modes[mode : mode + 1])]
        advice = _ADVICE[found[0]] if found else "no term there is acts on it"
        named.setdefault(advice, []).append(f"{example.treated.before.frequencies[mode]:.0f}")
    return [
        f"{example.molecule.name}: no term of the force field moves its vibration(s) at {', '.join(numbers)} cm⁻¹, "
        f"so that it gives next to no frequency there; {advice}."
        for advice, numbers in named.items()
    ]


def _would(kind: str, molecule: Molecule, mode: Float[np.ndarray, "1 atoms 3"]) -> bool:
    """Say whether a term of this kind, wherever it makes sense, moves a mode."""
    if kind == "vdw":
        atoms = distant_pairs(molecule)
    else:
        found = KINDS[kind]
        atoms = found.find(molecule)
        atoms = atoms[hindered(kind, atoms, [molecule])]
        atoms = atoms if found.acts_on is None else atoms[:, found.acts_on]
    return bool(_moving(kind, atoms, molecule.positions, mode)[0])
