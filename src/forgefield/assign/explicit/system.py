"""What a topology of another program says of one system: its atoms, and every interaction with its own values."""

from dataclasses import dataclass, field, replace

import numpy as np
from jaxtyping import Float, Int

from forgefield.molecules.electrons import lowest_multiplicity
from forgefield.molecules.elements import WEIGHTS
from forgefield.molecules.molecule import Molecule
from forgefield.terms.term import Term

_HYDROGEN = 1


@dataclass(frozen=True, eq=False)
class Stated:
    """All interactions of one term."""

    term: Term
    atoms: Int[np.ndarray, "interactions order"]
    values: Float[np.ndarray, "interactions parameters"]
    """Of the term's own parameters, in internal units."""
    rows: tuple[str, ...] = ()
    """Names of the rows that interactions take, where these do not go by types."""


@dataclass(frozen=True, eq=False)
class ThroughSpace:
    """What acts between all pairs of atoms, but for those that are special."""

    term: Term
    """A Lennard-Jones whose pairs combine the values of their atoms."""
    parameters: Float[np.ndarray, "atoms 2"]
    """Half the distance of the minimum [Å] and the well depth [kcal/mol] of each atom."""
    charges: Float[np.ndarray, " atoms"]
    """e"""
    coulomb: float
    """The energy of two unit charges at 1 Å, which programs have not all alike [kcal/mol·Å/e²]."""
    special: Int[np.ndarray, "pairs 2"]
    """Each pair once."""
    scales: Float[np.ndarray, "pairs 2"]
    """By which van der Waals and electrostatic energy of a special pair are multiplied: 0 where it has none."""


@dataclass(frozen=True, eq=False, repr=False)
class System:
    """One molecule, or several that are not bonded to each other, with all interactions."""

    source: str
    """What messages call it."""
    program: str
    """The program whose topology it is."""
    species: Int[np.ndarray, " atoms"]
    bonds: Int[np.ndarray, "bonds 2"]
    types: tuple[str, ...]
    names: tuple[str, ...]
    """Of the atoms."""
    residues: tuple[str, ...]
    """Name and number of the residue of each atom, such as `ALA2`."""
    masses: Float[np.ndarray, " atoms"]
    """amu"""
    interactions: tuple[Stated, ...]
    through_space: ThroughSpace
    split: tuple[tuple[int, ...], ...] = field(default=())
    """Atoms whose interactions have rows of their own."""
    bonded: tuple[str, ...] = ()
    """Types by which bonds, bends and torsions go, where these are fewer."""

    @staticmethod
    def of_molecule(
        molecule: Molecule,
        *,
        source: str,
        program: str,
        types: tuple[str, ...],
        interactions: tuple[Stated, ...],
        through_space: ThroughSpace,
    ) -> "System":
        """Return what is stated of a molecule as a system of one residue, with its bonds and with atomic weights.

        Atoms have its names, or their elements and numbers.
        """
        return System(
            source=source,
            program=program,
            species=molecule.species,
            bonds=np.sort(molecule.bonds, axis=1),
            types=types,
            names=molecule.names or tuple(f"{element}{k}" for k, element in enumerate(molecule.symbols, 1)),
            residues=("MOL1",) * molecule.n_atoms,
            masses=WEIGHTS[molecule.species],
            interactions=interactions,
            through_space=through_space,
        )

    @property
    def n_atoms(self) -> int:
        """Number of atoms."""
        return len(self.species)

    @property
    def formula(self) -> str:
        """The elements with their numbers."""
        return Molecule(self.source, self.species, np.zeros((self.n_atoms, 3))).formula

    @property
    def labels(self) -> tuple[str, ...]:
        """A name for each atom that no other has."""
        if len(set(self.names)) == self.n_atoms:
            return self.names
        with_residues = tuple(f"{residue}:{name}" for residue, name in zip(self.residues, self.names, strict=True))
        if len(set(with_residues)) == self.n_atoms:
            return with_residues
        return tuple(f"{name}@{number}" for number, name in enumerate(with_residues, start=1))

    def __repr__(self) -> str:
        counts = ", ".join(f"{len(one.atoms)} {one.term.kind}" for one in self.interactions if len(one.atoms))
        return f"System({self.source}: {self.n_atoms} atoms, {counts})"

    def structure(self, positions: Float[np.ndarray, "atoms 3"], name: str, source: str) -> Molecule:
        """Return its atoms and bonds at positions [Å]; the charge is the sum of the atoms' charges."""
        charge = round(float(self.through_space.charges.sum()))
        return Molecule(
            name=name,
            species=self.species,
            positions=positions,
            bonds=self.bonds,
            orders=np.ones(len(self.bonds)),
            types=self.types,
            charge=charge,
            multiplicity=lowest_multiplicity(self.species, charge),
            masses=self.masses,
            source=source,
        )

    def with_split(self, chains: tuple[tuple[int, ...], ...]) -> "System":
        """Return it with rows for these atoms' interactions alone."""
        return replace(self, split=chains)

    def with_values(self, values: list[Float[np.ndarray, "_ _"]], space: ThroughSpace) -> "System":
        """Return it with other values of its interactions, term by term."""
        found = tuple(replace(one, values=new) for one, new in zip(self.interactions, values, strict=True))
        return replace(self, interactions=found, through_space=space)


def chemical_bonds(species: Int[np.ndarray, " atoms"], pairs: Int[np.ndarray, "pairs 2"]) -> Int[np.ndarray, "bonds 2"]:
    """Return the pairs that are bonds of chemistry, in ascending order: not those that hold two hydrogens of a water.

    Such hydrogens have other bonds.
    """
    ordered = np.unique(np.sort(pairs, axis=1), axis=0).reshape(-1, 2)
    hydrogen = species == _HYDROGEN
    elsewhere = np.zeros(len(species), dtype=bool)
    mixed = ordered[~hydrogen[ordered].all(axis=1)]
    elsewhere[mixed.ravel()] = True
    held = hydrogen[ordered].all(axis=1) & elsewhere[ordered].any(axis=1)
    return ordered[~held]
