"""Targets at the structures that a model relaxes to."""

import abc
from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int

from forgefield import units
from forgefield.fitting.data.searches import Internals
from forgefield.fitting.data.training_set import FloatArray, TrainingSet
from forgefield.fitting.targets.target import AbstractTarget, Products, Seen, Traits, View, of_atoms
from forgefield.models.model import AbstractSensitivities
from forgefield.properties.implicit import Change, bond_angles, bond_lengths, superposed_response, torsions, turned
from forgefield.properties.modes import rigid_motions
from forgefield.properties.rigid import by_molecule

_NOWHERE = ((0.0, 0.0, 0.0), (1.5, 0.0, 0.0), (2.0, 1.4, 0.0), (2.5, 1.6, 1.3))
"""Å; where the padding of internal coordinates is measured."""
_STATIONARY = "references that are stationary points (gradient below 5 kcal/mol/Å)"


class AbstractInternalTarget(AbstractTarget):
    """Internal coordinates of the relaxed structures against those of the reference."""

    @abc.abstractmethod
    def internals(self, data: TrainingSet) -> Internals:
        """The coordinates."""

    @abc.abstractmethod
    def measured(
        self, positions: Float[Array, "atoms 3"], atoms: Int[Array, "values order"], reference: Float[Array, " values"]
    ) -> tuple[Float[Array, " values"], Float[Array, "values order 3"]]:
        """Deviations of coordinates from their reference, and derivatives by the positions of their atoms."""

    def counted(self, data: TrainingSet) -> Float[Array, "molecules values"]:
        """The weight of the molecule for each coordinate of a molecule whose reference is stationary."""
        weight = jnp.where(jnp.asarray(data.relaxation.wanted), jnp.asarray(data.weight), 0.0)
        return jnp.where(jnp.asarray(self.internals(data).present), weight[:, None], 0.0)

    def deviations(self, seen: Seen, data: TrainingSet) -> Float[Array, "molecules values"]:
        """Model minus reference; zero where a molecule did not relax."""
        values, _ = self._at(seen, data)
        return values

    def slopes(
        self, seen: Seen, sensitivities: AbstractSensitivities, data: TrainingSet
    ) -> Float[Array, "molecules own values"]:
        """Derivative of the deviations by the parameters that each molecule has."""
        _, first = self._at(seen, data)
        change = sensitivities.displacements()
        blocks = change.reshape(*change.shape[:2], -1, 3)
        moved = jax.vmap(lambda block, slots: block[:, slots])(blocks, jnp.asarray(self.internals(data).slots))
        return jnp.einsum("mvax,mlvax->mlv", first, moved)

    def _at(
        self, seen: Seen, data: TrainingSet
    ) -> tuple[Float[Array, "molecules values"], Float[Array, "molecules values order 3"]]:
        own, topology = self.internals(data), data.topology
        positions = jnp.concatenate([seen.positions, jnp.asarray(_NOWHERE)])
        values, first = self.measured(positions, own.atoms(topology), jnp.asarray(own.reference).reshape(-1))
        known = jnp.asarray(own.present) & seen.there[:, None]
        values, first = values.reshape(known.shape), first.reshape(*own.slots.shape, 3)
        return jnp.where(known, values, 0.0), jnp.where(known[:, :, None, None], first, 0.0)


class BondLengths(AbstractInternalTarget):
    """Lengths of bonds in the relaxed structure [Å]."""

    tolerance: float
    weight: float = 1.0

    @property
    def traits(self) -> Traits:
        """What it says of itself."""
        return Traits("bond_length", "Å", f"bonds in {_STATIONARY}", View.RELAXED, observes=False)

    def internals(self, data: TrainingSet) -> Internals:
        """The coordinates."""
        return data.relaxation.bonds

    def reference(self, data: TrainingSet) -> Float[Array, "molecules values"]:
        """The coordinates in the reference."""
        return jnp.asarray(data.relaxation.bonds.reference)

    def measured(
        self, positions: Float[Array, "atoms 3"], atoms: Int[Array, "values 2"], reference: Float[Array, " values"]
    ) -> tuple[Float[Array, " values"], Float[Array, "values 2 3"]]:
        """Deviations of lengths from their reference, and derivatives by the positions of their atoms."""
        values, first = bond_lengths(positions, atoms)
        return values - reference, first


class BondAngles(AbstractInternalTarget):
    """Angles between bonds in the relaxed structure [°]."""

    tolerance: float
    weight: float = 1.0

    @property
    def traits(self) -> Traits:
        """What it says of itself."""
        return Traits("bond_angle", "°", f"angles between bonds in {_STATIONARY}", View.RELAXED, observes=False)

    def internals(self, data: TrainingSet) -> Internals:
        """The coordinates."""
        return data.relaxation.angles

    def reference(self, data: TrainingSet) -> Float[Array, "molecules values"]:
        """The coordinates in the reference."""
        return jnp.asarray(data.relaxation.angles.reference) / units.DEGREE

    def measured(
        self, positions: Float[Array, "atoms 3"], atoms: Int[Array, "values 3"], reference: Float[Array, " values"]
    ) -> tuple[Float[Array, " values"], Float[Array, "values 3 3"]]:
        """Deviations of angles from their reference, and derivatives by the positions of their atoms."""
        values, first = bond_angles(positions, atoms)
        return (values - reference) / units.DEGREE, first / units.DEGREE


class Torsions(AbstractInternalTarget):
    """Dihedral angles along chains of bonds in the relaxed structure, the shorter way round [°]."""

    tolerance: float
    weight: float = 1.0

    @property
    def traits(self) -> Traits:
        """What it says of itself."""
        return Traits("torsion", "°", f"dihedral angles along bonds in {_STATIONARY}", View.RELAXED, observes=False)

    def internals(self, data: TrainingSet) -> Internals:
        """The coordinates."""
        return data.relaxation.torsions

    def reference(self, data: TrainingSet) -> Float[Array, "molecules values"]:
        """The coordinates in the reference."""
        return jnp.asarray(data.relaxation.torsions.reference) / units.DEGREE

    def measured(
        self, positions: Float[Array, "atoms 3"], atoms: Int[Array, "values 4"], reference: Float[Array, " values"]
    ) -> tuple[Float[Array, " values"], Float[Array, "values 4 3"]]:
        """Deviations of dihedral angles from their reference, and derivatives by the positions of their atoms."""
        values, first = torsions(positions, atoms)
        return turned(values, reference) / units.DEGREE, first / units.DEGREE


class AtomPositions(AbstractTarget):
    """Cartesian coordinates of the relaxed structure, superposed on the reference with all atoms alike [Å]."""

    tolerance: float
    weight: float = 1.0

    @property
    def traits(self) -> Traits:
        """What it says of itself."""
        return Traits("positions", "Å", _STATIONARY, View.RELAXED, observes=False)

    def counted(self, data: TrainingSet) -> Float[Array, "molecules coordinates"]:
        """The weight of the molecule for each coordinate of a molecule whose reference is stationary."""
        return of_atoms(data, jnp.where(jnp.asarray(data.relaxation.wanted), jnp.asarray(data.weight), 0.0), 3)

    def deviations(self, seen: Seen, data: TrainingSet) -> Float[Array, "molecules coordinates"]:
        """Model minus reference; zero where a molecule did not relax."""
        laid, _ = self._superposed(seen, data, jnp.zeros((data.topology.n_molecules, 0, 3 * data.topology.n_max)))
        apart = by_molecule(data.topology, laid - jnp.asarray(data.positions))
        return jnp.where(seen.there[:, None], apart.reshape(apart.shape[0], -1), 0.0)

    def slopes(
        self, seen: Seen, sensitivities: AbstractSensitivities, data: TrainingSet
    ) -> Float[Array, "molecules own coordinates"]:
        """Derivative of the deviations by the parameters that each molecule has."""
        _, moved = self._superposed(seen, data, sensitivities.displacements())
        return jnp.where(seen.there[:, None, None], moved, 0.0)

    def dependent(self, data: TrainingSet, counts: Bool[np.ndarray, "molecules coordinates"]) -> int:
        """As many in each molecule as superposition takes: six, five of a linear one."""
        molecule, positions = np.asarray(data.topology.molecule), np.asarray(data.positions)
        own = [positions[molecule == m] for m in np.flatnonzero(counts.any(axis=1))]
        return sum(rigid_motions(x, np.ones(len(x))).shape[1] for x in own)

    def _superposed(self, seen: Seen, data: TrainingSet, change: Change) -> tuple[Float[Array, "atoms 3"], Change]:
        even = jnp.ones(data.topology.n_atoms)
        return superposed_response(data.topology, seen.positions, jnp.asarray(data.positions), even, change)


class AtRelaxed(AbstractTarget):
    """A target of the reference geometry, taken at the structures that the model relaxes to."""

    tolerance: float
    weight: float
    target: AbstractTarget

    def __init__(self, target: AbstractTarget) -> None:
        """Take a target at the relaxed structures."""
        self.tolerance, self.weight, self.target = target.tolerance, target.weight, target

    @property
    def traits(self) -> Traits:
        """What it says of itself."""
        own = self.target.traits
        needs = f"{own.needs} in {_STATIONARY}" if own.needs else ""
        return replace(own, name=f"{own.name}, relaxed", needs=needs, view=View.RELAXED, is_linear=False)

    def counted(self, data: TrainingSet) -> Float[Array, "molecules values"]:
        """How much each value counts, of molecules whose reference is a stationary point.

        Only energies compare what is one under constraints.
        """
        wanted = jnp.asarray(data.relaxation.wanted)
        if self.traits.observes:
            wanted &= ~jnp.asarray(data.relaxation.fixed.present).any(axis=1)
        return jnp.where(wanted[:, None], self.target.counted(data), 0.0)

    def deviations(self, seen: Seen, data: TrainingSet) -> Float[Array, "molecules values"]:
        """Model minus reference; zero where a molecule did not relax."""
        return jnp.where(seen.there[:, None], self.target.deviations(seen, data), 0.0)

    def slopes(
        self, seen: Seen, sensitivities: AbstractSensitivities, data: TrainingSet
    ) -> Float[FloatArray, "molecules own values"]:
        """Derivative of the deviations by the parameters that each molecule has."""
        return self.target.slopes(seen, sensitivities, data)

    def products(
        self,
        seen: Seen,
        sensitivities: AbstractSensitivities,
        data: TrainingSet,
        scale: Float[Array, "molecules values"],
    ) -> Products:
        """Return Jᵀr and JᵀJ of each molecule for the residuals, which are `scale` times the deviations."""
        return self.target.products(seen, sensitivities, data, scale)

    def reference(self, data: TrainingSet) -> Float[FloatArray, "molecules values"] | None:
        """The reference's values in the unit of the deviations."""
        return self.target.reference(data)

    def dependent(self, data: TrainingSet, counts: Bool[np.ndarray, "molecules values"]) -> int:
        """How many of the values that count follow from others."""
        return self.target.dependent(data, counts)
