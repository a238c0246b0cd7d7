"""A force field laid over one molecule or one periodic system, with its neighbours as they change."""

from dataclasses import dataclass, field, replace
from typing import Any

import jax.numpy as jnp
import numpy as np
from jaxtyping import Float, Int

from forgefield import units
from forgefield.errors import InputError
from forgefield.models.model import AbstractModel
from forgefield.molecules.bonds import perceive_bonds, perceive_transition_state_bonds
from forgefield.molecules.elements import covalent_radii
from forgefield.molecules.molecule import Molecule
from forgefield.molecules.neighbour_list import NeighbourList, neighbour_list
from forgefield.molecules.topology import Topology
from forgefield.properties.many import energies_and_gradient
from forgefield.properties.stress import energy_gradient_and_stress

_BROKEN = 2.0
"""A bond longer than this many times the sum of covalent radii belongs to another molecule."""
_LOOSE = 1.3
"""So does one longer than this many times the sum where another bond has formed."""
_MOST_TOGETHER = 60
"""Atoms of a molecule that is put together with others; a larger one is work enough by itself."""
_SKIN = 0.5
"""Å"""


@dataclass(frozen=True, eq=False)
class Surroundings:
    """The cell that atoms are in."""

    periodic: tuple[bool, bool, bool] = (False, False, False)
    cell: Float[np.ndarray, "3 3"] | None = None
    """Rows are the lattice vectors [Å]; None where nothing is periodic."""


@dataclass(frozen=True, eq=False)
class Laid:
    """A force field laid over one molecule or one periodic system."""

    molecule: Molecule
    """As it was when it was first seen."""
    model: AbstractModel
    topology: Topology
    fast: AbstractModel
    """The same model with a native kernel where there is one."""
    bonds: Int[np.ndarray, "bonds 2"] = field(default_factory=lambda: np.zeros((0, 2), np.int64))
    """Those that must hold for it: of the molecule or, where it has none, perceived."""
    listed: NeighbourList | None = None
    """Neighbours of a large or periodic system."""

    @classmethod
    def over(cls, molecule: Molecule, model: AbstractModel, topology: Topology, fast: AbstractModel) -> "Laid":
        """Return it over a molecule, without neighbours yet. Raises InputError where no bonds can be perceived."""
        if not topology.interactions:
            return cls(molecule, model, topology, fast)
        bonds = molecule.bonds if len(molecule.bonds) else perceive_bonds(molecule.species, molecule.positions)[0]
        return cls(molecule, model, topology, fast, bonds)

    @property
    def together(self) -> bool:
        """Whether it is computed together with any other molecules."""
        small = self.molecule.n_atoms <= _MOST_TOGETHER
        return small and not self.model.traits.laid and self.listed is None

    @property
    def stressed(self) -> bool:
        """Whether it has a stress: it is periodic along all three axes."""
        return self.listed is not None and all(self.listed.periodic)

    def fits(self, molecule: Molecule, around: Surroundings) -> bool:
        """Say whether it holds for this structure too: the same atoms in the same state, none of the bonds torn."""
        mine = self.molecule
        if not np.array_equal(mine.species, molecule.species):
            return False
        if (mine.charge, mine.multiplicity) != (molecule.charge, molecule.multiplicity):
            return False
        if self.listed is not None and self.listed.periodic != around.periodic:
            return False
        if (self.listed is None) == wants_list(self.model, molecule.n_atoms, around):
            return False
        return not self.topology.interactions or self._holds_together(molecule)

    def renewed(self, molecule: Molecule, around: Surroundings) -> "Laid":
        """Return it with neighbours that are good for other positions, if it has a list of them."""
        if self.listed is None or self.listed.holds(molecule.positions, around.cell):
            return self
        return self._with_list(self.listed.renewed(molecule.positions, around.cell))

    def with_neighbours(self, molecule: Molecule, around: Surroundings) -> "Laid":
        """Return it with the neighbours of these positions, if it wants a list of them."""
        if not wants_list(self.model, molecule.n_atoms, around):
            return self
        cutoff = self.model.traits.cutoff
        assert cutoff is not None
        return self._with_list(neighbour_list(molecule.positions, cutoff, _SKIN, around.cell, around.periodic))

    def results(self, positions: Float[np.ndarray, "atoms 3"]) -> dict[str, Any]:
        """Return energy [eV] and forces [eV/Å], and the stress [eV/Å³] of what is periodic along all three axes.

        Stress comes in the same program: another one would take as long to compile.
        """
        x = jnp.asarray(positions)
        if self.listed is None:
            return found(*energies_and_gradient(self.fast, self.topology, x))
        if not self.stressed:
            return found(*energies_and_gradient(self.model, self.topology, x))
        assert self.listed.cell is not None
        cell = jnp.asarray(self.listed.cell)
        energy, gradient, stress = energy_gradient_and_stress(self.model, self.topology, x, cell)
        return found(energy, gradient) | {"stress": _voigt(np.asarray(stress)) / units.ELECTRONVOLT}

    def _with_list(self, listed: NeighbourList) -> "Laid":
        return replace(self, topology=replace(self.topology, neighbours=listed.neighbours), listed=listed)

    def _holds_together(self, molecule: Molecule) -> bool:
        mine = self.molecule
        i, j = self.bonds.T
        radii = covalent_radii(mine.species)
        lengths = np.linalg.norm(molecule.positions[i] - molecule.positions[j], axis=1) / (radii[i] + radii[j])
        if (lengths >= _BROKEN).any():
            return False
        if len(mine.bonds) or (lengths < _LOOSE).all():
            return True
        # An isomer: a bond that was there is not, and one is there that was not even about to form.
        now, orders = perceive_bonds(molecule.species, molecule.positions)
        before, _ = perceive_transition_state_bonds(mine.species, mine.positions)
        return set(map(tuple, now[orders == 1.0].tolist())) <= set(map(tuple, before.tolist()))


def wants_list(model: AbstractModel, n_atoms: int, around: Surroundings) -> bool:
    """Say whether a system needs a list of neighbours. Raises InputError for a periodic one where none is known."""
    if any(around.periodic) and model.traits.cutoff is None:
        axes = "/".join(axis for axis, along in zip("abc", around.periodic, strict=True) if along)
        raise InputError(
            f"the atoms are periodic along {axes}, which this force field does not support; "
            "set atoms.pbc = False if they are a molecule"
        )
    return any(around.periodic) or model.traits.wants_list(n_atoms)


def found(energy: Any, gradient: Any) -> dict[str, Any]:
    """Return what ASE calls energy and forces. Raises InputError where they are not finite numbers."""
    in_ev = float(np.asarray(energy).reshape(())) / units.ELECTRONVOLT
    forces = -np.asarray(gradient) / units.ELECTRONVOLT
    if not (np.isfinite(in_ev) and np.isfinite(forces).all()):
        raise InputError("energy or forces are not finite numbers; look for atoms that are too close together")
    return {"energy": in_ev, "free_energy": in_ev, "forces": forces}


def _voigt(stress: Float[np.ndarray, "3 3"]) -> Float[np.ndarray, " 6"]:
    """Return a symmetric tensor as ASE orders it: xx, yy, zz, yz, xz, xy."""
    return stress[[0, 1, 2, 1, 0, 0], [0, 1, 2, 2, 2, 1]]
