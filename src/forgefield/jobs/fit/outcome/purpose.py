"""What a fitted force field is not for, whatever its figures."""

from collections import Counter

from forgefield.assign.assignment import Assignment
from forgefield.fitting.data.training_set import Example
from forgefield.molecules.bonds import bond_graph


def not_for(assignment: Assignment, examples: list[Example]) -> list[str]:
    """Return a sentence for each thing that the force field lacks, or that its references do not tell."""
    kinds = {term.kind for term in assignment.model.terms}
    graphs = Counter(bond_graph(e.molecule.species, e.molecule.bonds) for e in examples)
    said = []
    if "vdw" not in kinds:
        said.append(
            "No van der Waals terms: atoms that no bonds join pass through each other. It is not for liquids, "
            "crystals, complexes, or conformers in which distant parts touch."
        )
    if not {"electrostatic", "dipole"} & kinds:
        said.append("No charges: it is not for solvents, ions, hydrogen bonds or dipole moments.")
    if not any(e.reference.constraints for e in examples):
        said.append(
            "No scan among the references: barriers of rotation are guessed from curvatures, and it is not for rates "
            "or populations of conformers."
        )
    if max(graphs.values(), default=0) < 2:
        said.append(
            "One geometry of each molecule: it is known near that alone, not for other conformers, ring flips or "
            "inversions."
        )
    return said
