"""A force field laid over molecules: the model, the topology, and what each row means."""

from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Int

from forgefield.assign.geometry_classes import GeometryClasses
from forgefield.errors import InputError
from forgefield.models.forcefield import ForceField
from forgefield.models.rows import Row
from forgefield.molecules.bonds import pieces
from forgefield.molecules.molecule import Molecule
from forgefield.molecules.topology import Topology


@dataclass(frozen=True, eq=False, repr=False)
class Assignment:
    """A model and the topology it acts on, with the rows that the model's values stand in."""

    model: ForceField
    topology: Topology
    rows: tuple[Row, ...]
    types: tuple[tuple[str, ...], ...]
    """Atom types of each molecule."""
    descriptions: dict[str, str] = field(default_factory=dict)
    """What a generated type stands for, such as `C bonded to F, H, H, H`."""
    classes: GeometryClasses = field(default_factory=GeometryClasses)
    names: tuple[tuple[str, ...], ...] = ()
    """Names of the atoms of each molecule, where the force field has such."""

    @property
    def laid(self) -> tuple[ForceField, Topology]:
        """Model and topology."""
        return self.model, self.topology

    def __repr__(self) -> str:
        n_molecules, n_atoms = self.topology.n_molecules, self.topology.n_atoms
        return f"Assignment({len(self.rows)} rows over {n_molecules} molecule(s) of {n_atoms} atoms)"


def uses(assignment: Assignment) -> Int[np.ndarray, " parameters"]:
    """Return how many interactions take each value from a row of their own kind; of charges, how many bonds."""
    found = np.zeros(len(assignment.model.values), dtype=np.int64)
    owned: dict[str, set[int]] = {}
    for row in assignment.rows:
        owned.setdefault(row.term.kind, set()).update(row.indices)
    for term, group in zip(assignment.model.terms, assignment.topology.interactions, strict=True):
        own = owned.get(term.kind, set())
        for parameters in np.asarray(group.parameters).tolist():
            found[list(own.intersection(parameters))] += 1
    rule = assignment.topology.charges
    if rule is not None:
        np.add.at(found, np.asarray(rule.moment)[np.asarray(rule.sign) > 0], 1)
    return found


def require_connected(molecules: list[Molecule]) -> None:
    """Raise InputError that lists the pieces of every molecule of which there are more than may be."""
    complaints = []
    for molecule in molecules:
        parts = pieces(molecule.n_atoms, molecule.bonds)
        if len(parts) > molecule.n_pieces:
            named = "; ".join(_atoms(molecule, part) for part in parts)
            complaints.append(f"{molecule.source or molecule.name}: the molecule is in {len(parts)} pieces: {named}")
    if complaints:
        raise InputError(
            "\n".join(complaints) + "\nGive its bonds in the structure file (mol2, mae), state that it is a "
            "transition state so that partial bonds are perceived, state pieces = 2 under [[molecules]] where it is a "
            "complex of two molecules, or split it into molecules."
        )


def _atoms(molecule: Molecule, part: np.ndarray) -> str:
    shown = ", ".join(f"{molecule.symbols[i]}{i + 1}" for i in part[:6])
    return shown + (f", … ({len(part)} atoms)" if len(part) > 6 else "")
