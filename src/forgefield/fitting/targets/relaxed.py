"""Targets at the structures that a model relaxes to, and their exact derivatives by the implicit function theorem."""

import abc

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from forgefield import units
from forgefield.compiled import compiled
from forgefield.fitting.data.observation import Observation
from forgefield.fitting.data.searches import Internals
from forgefield.fitting.data.training_set import KnownEnergies, TrainingSet
from forgefield.fitting.targets.fixed import AbstractTarget, Energies
from forgefield.models.model import AbstractModel, AbstractSensitivities
from forgefield.properties.implicit import (
    Change,
    bond_angles,
    bond_lengths,
    response,
    superposed_response,
    torsions,
    turned,
)
from forgefield.properties.relax import Limits, Relaxed, search
from forgefield.properties.rigid import by_molecule, present

_MAX_ITERATIONS = 60
_NOWHERE = ((0.0, 0.0, 0.0), (1.5, 0.0, 0.0), (2.0, 1.4, 0.0), (2.5, 1.6, 1.3))
"""Å; where the padding of internal coordinates is measured."""
_LOST = 100.0
"""A molecule that does not relax costs as much as if all its deviations were this many tolerances."""
_PULL = 1.0
"""And this many more, the larger the forces at its reference geometry."""
_SOFT = 5.0
"""kcal/mol/Å: forces well above it pull no more."""


class Superposed(eqx.Module):
    """What a model says of its relaxed structures, superposed on the reference's by mass."""

    positions: Float[Array, "atoms 3"]
    """Å"""
    seen: Observation
    """The eigenmatrix is that of the reference's modes, the eigenvalues are those of the relaxed structures."""
    vibrations: Float[Array, "molecules coordinates modes"]
    """A basis of the vibrations of the relaxed structures, like `TrainingSet.modes`."""


class RelaxedStructures(eqx.Module):
    """What a model says of a training set at the structures it relaxes to."""

    positions: Float[Array, "atoms 3"]
    """Å; those of the reference for molecules that did not relax."""
    energy: Float[Array, " molecules"]
    """kcal/mol"""
    converged: Bool[Array, " molecules"]
    failure: Int[Array, " molecules"]
    """A member of `Failure`; of molecules that were not to relax it says nothing."""
    superposed: Superposed | None = None
    """None where no target asks."""


def relaxed_structures(
    model: AbstractModel, data: TrainingSet, positions: Float[Array, "atoms 3"]
) -> tuple[RelaxedStructures, Relaxed]:
    """Relax the molecules from these positions, each to a stationary point of its order near its reference.

    Molecules that are not to be relaxed, and those without weight, stay where they are.
    """
    topology, about = data.topology, data.relaxation
    wanted = jnp.asarray(about.wanted) & (jnp.asarray(data.weight) > 0.0)
    bonds = jnp.minimum(about.bonds.atoms(topology), topology.n_atoms - 1)
    # The padding has one atom twice, which no force field can pull apart.
    bonds = jnp.where(jnp.asarray(about.bonds.present).reshape(-1)[:, None], bonds, 0)
    found = search(
        model,
        topology,
        positions,
        order=jnp.where(wanted, about.order, -1),
        follow=jnp.asarray(about.follow),
        fixed=about.constraints(topology),
        limits=Limits(reference=jnp.asarray(data.positions), bonds=bonds, max_iterations=_MAX_ITERATIONS),
    )
    converged = found.converged & wanted
    kept = converged[jnp.asarray(topology.molecule)][:, None]
    return (
        RelaxedStructures(
            jnp.where(kept, found.positions, jnp.asarray(data.positions)),
            jnp.where(converged, found.landscape.energy, 0.0),
            converged,
            found.failure,
        ),
        found,
    )


@compiled
def relaxed_observed(model: AbstractModel, data: TrainingSet) -> RelaxedStructures:
    """Relax the molecules of a training set from their reference geometries, whatever their weights."""
    everyone = eqx.tree_at(lambda d: d.weight, data, jnp.ones(data.topology.n_molecules))
    return relaxed_structures(model, everyone, jnp.asarray(data.positions))[0]


class AbstractRelaxedTarget(AbstractTarget):
    """What the relaxed structures look like, against those of the reference."""

    @abc.abstractmethod
    def deviations(self, found: RelaxedStructures, data: TrainingSet) -> Float[Array, "molecules values"]:
        """Model minus reference; zero where a molecule did not relax."""

    @abc.abstractmethod
    def slopes(
        self, found: RelaxedStructures, data: TrainingSet, change: Change
    ) -> Float[Array, "molecules own values"]:
        """Derivative of the deviations where the positions change by each column of `change`."""


class AbstractInternalTarget(AbstractRelaxedTarget):
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

    def deviations(self, found: RelaxedStructures, data: TrainingSet) -> Float[Array, "molecules values"]:
        """Model minus reference; zero where a molecule did not relax."""
        values, _ = self._at(found, data)
        return values

    def slopes(
        self, found: RelaxedStructures, data: TrainingSet, change: Change
    ) -> Float[Array, "molecules own values"]:
        """Derivative of the deviations where the positions change by each column of `change`."""
        _, first = self._at(found, data)
        blocks = change.reshape(*change.shape[:2], -1, 3)
        moved = jax.vmap(lambda block, slots: block[:, slots])(blocks, jnp.asarray(self.internals(data).slots))
        return jnp.einsum("mvax,mlvax->mlv", first, moved)

    def _at(
        self, found: RelaxedStructures, data: TrainingSet
    ) -> tuple[Float[Array, "molecules values"], Float[Array, "molecules values order 3"]]:
        own, topology = self.internals(data), data.topology
        positions = jnp.concatenate([found.positions, jnp.asarray(_NOWHERE)])
        values, first = self.measured(positions, own.atoms(topology), jnp.asarray(own.reference).reshape(-1))
        known = jnp.asarray(own.present) & found.converged[:, None]
        values, first = values.reshape(known.shape), first.reshape(*own.slots.shape, 3)
        return jnp.where(known, values, 0.0), jnp.where(known[:, :, None, None], first, 0.0)


class BondLengths(AbstractInternalTarget):
    """Lengths of bonds in the relaxed structure [Å]."""

    tolerance: float
    weight: float = 1.0

    @property
    def name(self) -> str:
        """Its name in files and reports."""
        return "bond_length"

    @property
    def unit(self) -> str:
        """Unit of its deviations."""
        return "Å"

    def internals(self, data: TrainingSet) -> Internals:
        """The coordinates."""
        return data.relaxation.bonds

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
    def name(self) -> str:
        """Its name in files and reports."""
        return "bond_angle"

    @property
    def unit(self) -> str:
        """Unit of its deviations."""
        return "°"

    def internals(self, data: TrainingSet) -> Internals:
        """The coordinates."""
        return data.relaxation.angles

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
    def name(self) -> str:
        """Its name in files and reports."""
        return "torsion"

    @property
    def unit(self) -> str:
        """Unit of its deviations."""
        return "°"

    def internals(self, data: TrainingSet) -> Internals:
        """The coordinates."""
        return data.relaxation.torsions

    def measured(
        self, positions: Float[Array, "atoms 3"], atoms: Int[Array, "values 4"], reference: Float[Array, " values"]
    ) -> tuple[Float[Array, " values"], Float[Array, "values 4 3"]]:
        """Deviations of dihedral angles from their reference, and derivatives by the positions of their atoms."""
        values, first = torsions(positions, atoms)
        return turned(values, reference) / units.DEGREE, first / units.DEGREE


class AtomPositions(AbstractRelaxedTarget):
    """Cartesian coordinates of the relaxed structure, superposed on the reference with all atoms alike [Å]."""

    tolerance: float
    weight: float = 1.0

    @property
    def name(self) -> str:
        """Its name in files and reports."""
        return "positions"

    @property
    def unit(self) -> str:
        """Unit of its deviations."""
        return "Å"

    def counted(self, data: TrainingSet) -> Float[Array, "molecules coordinates"]:
        """The weight of the molecule for each coordinate of a molecule whose reference is stationary."""
        weight = jnp.where(jnp.asarray(data.relaxation.wanted), jnp.asarray(data.weight), 0.0)
        return jnp.where(jnp.repeat(present(data.topology), 3, axis=1), weight[:, None], 0.0)

    def deviations(self, found: RelaxedStructures, data: TrainingSet) -> Float[Array, "molecules coordinates"]:
        """Model minus reference; zero where a molecule did not relax."""
        laid, _ = self._superposed(found, data, jnp.zeros((data.topology.n_molecules, 0, 3 * data.topology.n_max)))
        apart = by_molecule(data.topology, laid - jnp.asarray(data.positions))
        return jnp.where(found.converged[:, None], apart.reshape(apart.shape[0], -1), 0.0)

    def slopes(
        self, found: RelaxedStructures, data: TrainingSet, change: Change
    ) -> Float[Array, "molecules own coordinates"]:
        """Derivative of the deviations where the positions change by each column of `change`."""
        _, moved = self._superposed(found, data, change)
        return jnp.where(found.converged[:, None, None], moved, 0.0)

    def _superposed(
        self, found: RelaxedStructures, data: TrainingSet, change: Change
    ) -> tuple[Float[Array, "atoms 3"], Change]:
        even = jnp.ones(data.topology.n_atoms)
        return superposed_response(data.topology, found.positions, jnp.asarray(data.positions), even, change)


class RelaxedEnergies(AbstractTarget):
    """Energies of the relaxed structures relative to the mean of their group [kcal/mol]."""

    tolerance: float
    weight: float = 1.0

    @property
    def name(self) -> str:
        """Its name in files and reports."""
        return "energy, relaxed"

    @property
    def unit(self) -> str:
        """Unit of its deviations."""
        return "kcal/mol"

    @property
    def relative(self) -> Energies:
        """How energies are compared."""
        return Energies(self.tolerance, self.weight)

    def counted(self, data: TrainingSet) -> Float[Array, " molecules"]:
        """The weight of each molecule that has an energy to be compared with another's."""
        return self.relative.comparable(self.known(data.energies, jnp.asarray(data.relaxation.wanted)))

    def known(self, known: KnownEnergies, there: Bool[Array, " molecules"]) -> KnownEnergies:
        """Return the reference energies of the molecules that are there to be compared."""
        return eqx.tree_at(lambda k: k.has_energy, known, jnp.asarray(known.has_energy) & there)

    def deviations(self, found: RelaxedStructures, data: TrainingSet) -> Float[Array, " molecules"]:
        """Energy minus the reference's, less the mean of that over the group; zero where a molecule did not relax."""
        known = self.known(data.energies, found.converged)
        return jnp.where(known.has_energy, self.relative.deviations(found.energy, known), 0.0)


def answering(
    relaxed: Relaxed, found: RelaxedStructures, sensitivities: AbstractSensitivities
) -> tuple[Change, Float[Array, "molecules own coordinates"]]:
    """Return how the relaxed structures change with the parameters, and so the gradient where none was found."""
    slopes = sensitivities.gradient()
    change = response(relaxed, slopes)
    return jnp.where(found.converged[:, None, None], change, 0.0), slopes


def lost_share(
    model: AbstractModel,
    data: TrainingSet,
    found: RelaxedStructures,
    share: Float[Array, " molecules"],
    forces: Float[Array, "molecules own coordinates"],
) -> tuple[Float[Array, "molecules values"], Float[Array, "molecules own values"]]:
    """Return residuals of each molecule that did not relax, and their slopes from those of its `forces`.

    Their squares add up to share (L² + P² u/(u + s²)) with the mean square u of the gradient at the reference: large,
    so that no step towards it is taken, smooth, and beyond s nearly flat, so that a molecule that cannot relax leaves
    the others alone. One residual is constant, the others are the gradient over the root of n (u + s²).
    """
    topology = data.topology
    lost = jnp.asarray(data.relaxation.wanted) & (jnp.asarray(data.weight) > 0.0) & ~found.converged
    empty = jnp.zeros((topology.n_molecules, topology.n_max, 3))
    gradient = jnp.nan_to_num(model.gradient(topology, found.positions))
    gradient = empty.at[topology.molecule, topology.slot].set(gradient).reshape(topology.n_molecules, -1)
    n = 3.0 * jnp.zeros(topology.n_molecules).at[topology.molecule].add(1.0)
    size = jnp.sqrt(jnp.sum(gradient**2, axis=1) + jnp.maximum(n, 1.0) * _SOFT**2)
    root = jnp.where(lost, jnp.sqrt(share), 0.0)
    relative = gradient / size[:, None]
    turned = forces - jnp.einsum("mlc,mc->ml", forces, relative)[:, :, None] * relative[:, None, :]
    slopes = (_PULL * root / size)[:, None, None] * jnp.nan_to_num(turned)
    residuals = jnp.concatenate([(_LOST * root)[:, None], (_PULL * root)[:, None] * relative], axis=1)
    return residuals, jnp.pad(slopes, ((0, 0), (0, 0), (1, 0)))
