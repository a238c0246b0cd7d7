"""Gives molecules the atom types of a force field: those they have, or those of their surroundings."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from forgefield.assign.environments import environments
from forgefield.errors import InputError
from forgefield.molecules.bonds import perceive_bonds, perceive_transition_state_bonds
from forgefield.molecules.molecule import Molecule

_DEEPEST = 4
NUMBERED = "/"
"""Stands behind the surroundings of atoms that are alike but have types of their own, before their number."""

_TOLD_OTHERWISE = (
    "give a structure that has its types (the .mol2 beside a .frcmod), or the .json of this force field, which goes by "
    "angles"
)


@dataclass(frozen=True)
class Typing:
    """Gives molecules the types of a force field: those they have, or those whose meaning is known."""

    source: str
    """What the force field is called in messages, such as its file."""
    meanings: Mapping[str, str]
    """The name of the type that each environment has, such as `C(F,H,H,H)`; none where types are given by hand."""
    own: bool = True
    """Whether types that a structure has may be those of the force field; not where only meanings say what they are."""
    neutral: bool = False
    """Whether formal charges that a structure states are no part of the force field."""

    def __call__(self, molecule: Molecule) -> Molecule:
        """Return the molecule with types, and with the bonds that they were found by.

        Raises InputError where it has none and there are no meanings, or none for some of its atoms.
        """
        names = set(self.meanings.values())
        if self.own and molecule.types is not None and (not names or names.issuperset(molecule.types)):
            return molecule
        if not names:
            raise InputError(
                f"{molecule.source or molecule.name}: {self.source} goes by atom types, which the molecule does not "
                "have; give a structure that has them (.mae, .mol2)"
            )
        return self._by_environment(molecule)

    def _by_environment(self, molecule: Molecule) -> Molecule:
        unknown: list[str] = []
        for bonded in _connected(molecule):
            reached = [environments(bonded, depth) for depth in range(_DEEPEST, -1, -1)]
            # Types of one force field may reach more or less far; the deepest that is known says most.
            deepest = [next((d for d in of_atom if d in self.meanings), None) for of_atom in zip(*reached, strict=True)]
            if None not in deepest:
                formal = None if self.neutral else bonded.formal_charges
                types = tuple(self.meanings[d] for d in deepest if d is not None)
                return replace(bonded, types=types, formal_charges=formal)
            # Told by the reach at which most is known.
            described = min(reached, key=lambda one: sum(d not in self.meanings for d in one))
            missing = sorted({d for d, known in zip(described, deepest, strict=True) if known is None})
            if not unknown or len(missing) < len(unknown):
                unknown = missing
        numbered = any(NUMBERED in meaning for meaning in self.meanings)
        raise InputError(
            f"{molecule.source or molecule.name}: {self.source} has no types for atoms such as {', '.join(unknown)}; "
            f"it has those of {', '.join(sorted(self.meanings))}"
            + ("; surroundings do not tell apart those with a number: " + _TOLD_OTHERWISE if numbered else "")
        )


def _connected(molecule: Molecule) -> Iterator[Molecule]:
    """Yield a molecule with its bonds or, where it has none, with those perceived, without and with partial ones."""
    if len(molecule.bonds):
        yield molecule
        return
    for perceive in (perceive_bonds, perceive_transition_state_bonds):
        bonds, orders = perceive(molecule.species, molecule.positions)
        yield replace(molecule, bonds=bonds, orders=orders)
