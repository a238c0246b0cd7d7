"""The shape of a target: deviations of a model from the reference where it looks, and their exact derivatives.

A deviation that equals the tolerance counts as one.
"""

import abc
from dataclasses import dataclass, replace
from enum import Enum
from typing import NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int

from forgefield.compiled import compiled_quickly
from forgefield.fitting.data import observation
from forgefield.fitting.data.ladder import grown
from forgefield.fitting.data.observation import Observation
from forgefield.fitting.data.training_set import FloatArray, TrainingSet
from forgefield.models.model import AbstractSensitivities
from forgefield.properties.rigid import present

_TINY = 1e-30
Products = tuple[Float[Array, "molecules own"], Float[Array, "molecules own own"]]


class View(Enum):
    """Which structures of the molecules a target looks at."""

    REFERENCE = "reference"
    RELAXED = "relaxed"
    """Those that the model relaxes to."""


@dataclass(frozen=True)
class Traits:
    """What a target says of itself, by which cost, report, metrics, uncertainty and `--check` know how to treat it."""

    name: str
    """In tables, reports and results.json."""
    unit: str
    """Of the deviations."""
    needs: str = ""
    """What the references must hold, in words; empty where it asks for nothing that others do not."""
    view: View = View.REFERENCE
    """Which structures it looks at."""
    observes: bool = True
    """Whether it looks at `Seen.observed`; else positions and energy are enough for it."""
    is_curved: bool = True
    """Whether what it observes are Hessians, or follows from them."""
    is_relative: bool = False
    """Whether deviations are relative to their mean over the group of the molecule."""
    is_linear: bool = False
    """Whether deviations are linear in the energy, gradient and Hessian at the reference geometry."""
    holds_structure: bool = False
    """Whether it keeps the model's own structures near the reference's, so that these are worth judging."""


class Seen(eqx.Module):
    """What a model says of the molecules of a training set at the structures of one view."""

    positions: Float[Array, "atoms 3"]
    """Å; those of the reference for molecules that have no such structure."""
    energy: Float[Array, " molecules"]
    """kcal/mol"""
    there: Bool[Array, " molecules"]
    """Which molecules have such a structure."""
    observation: Observation | None
    """Gradient, Hessian, modes and charges; None where no target asks.

    Relaxed structures are superposed on the reference's by mass; the eigenmatrix is that of the reference's modes, the
    eigenvalues are those of the structures.
    """
    vibrations: Float[FloatArray, "molecules coordinates modes"]
    """A basis of the vibrations of the structures, like `TrainingSet.modes`."""
    failure: Int[Array, " molecules"] | None = None
    """A member of `Failure` for each molecule that was to relax."""

    @property
    def observed(self) -> Observation:
        """What was observed for a target that asks."""
        assert self.observation is not None
        return self.observation


def at_reference(observation: Observation, data: TrainingSet) -> Seen:
    """Return what was observed at the reference geometries as what is seen there."""
    everyone, positions = jax.device_put((np.ones(data.topology.n_molecules, bool), data.positions))
    return Seen(positions, observation.energy, everyone, observation, data.modes)


def resized(seen: Seen, data: TrainingSet) -> Seen:
    """Return what was seen cut, or filled up, to the shapes of a training set, which is on another rung."""
    topology = data.topology
    n_molecules, n_modes = topology.n_molecules, data.has_mode.shape[1]
    found = {
        "positions": grown(seen.positions, topology.n_atoms),
        "energy": grown(seen.energy, n_molecules),
        "there": grown(seen.there, n_molecules),
        "observation": None if seen.observation is None else observation.resized(seen.observation, data),
        "vibrations": grown(seen.vibrations, n_molecules, 3 * topology.n_max, n_modes),
        "failure": None if seen.failure is None else grown(seen.failure, n_molecules),
    }
    return Seen(**jax.device_put(found))


class AbstractTarget(eqx.Module):
    """One kind of deviation, masked and weighted by what it counts; arrays have a row for each molecule."""

    tolerance: eqx.AbstractVar[float]
    weight: eqx.AbstractVar[float]

    @property
    @abc.abstractmethod
    def traits(self) -> Traits:
        """What it says of itself."""

    @property
    def name(self) -> str:
        """Its name in tables, reports and results.json."""
        return self.traits.name

    @property
    def unit(self) -> str:
        """Unit of its deviations."""
        return self.traits.unit

    @abc.abstractmethod
    def counted(self, data: TrainingSet) -> Float[FloatArray, "molecules values"]:
        """How much each value counts: 0 for padding and for what the reference lacks."""

    @abc.abstractmethod
    def deviations(self, seen: Seen, data: TrainingSet) -> Float[Array, "molecules values"]:
        """Model minus reference."""

    @abc.abstractmethod
    def slopes(
        self, seen: Seen, sensitivities: AbstractSensitivities, data: TrainingSet
    ) -> Float[FloatArray, "molecules own values"]:
        """Derivative of the deviations by the parameters that each molecule has."""

    def reference(self, data: TrainingSet) -> Float[FloatArray, "molecules values"] | None:
        """The reference's values in the unit of the deviations; None where a plot against them would say nothing."""
        return None

    def dependent(self, data: TrainingSet, counts: Bool[np.ndarray, "molecules values"]) -> int:
        """How many of the values that count follow from others."""
        return 0

    def products(
        self,
        seen: Seen,
        sensitivities: AbstractSensitivities,
        data: TrainingSet,
        scale: Float[Array, "molecules values"],
    ) -> Products:
        """Return Jᵀr and JᵀJ of each molecule for the residuals, which are `scale` times the deviations."""
        slopes = self.slopes(seen, sensitivities, data) * scale[:, None, :]
        residuals = self.deviations(seen, data) * scale
        return jnp.einsum("mlv,mv->ml", slopes, residuals), jnp.einsum("mlv,mkv->mlk", slopes, slopes)


class AbstractStreamedTarget(AbstractTarget):
    """Elements of the Hessian between pairs of vectors, too many for their slopes to be held in memory.

    What an element counts and what it is multiplied by are products of one number for each vector.
    """

    @abc.abstractmethod
    def basis(self, data: TrainingSet) -> Float[Array, "molecules coordinates vectors"]:
        """The vectors."""

    @abc.abstractmethod
    def counted_root(self, data: TrainingSet) -> Float[Array, "molecules vectors"]:
        """What an element counts is the product of two of these, where the element is one of `pairs`."""

    @abc.abstractmethod
    def scale_root(self, data: TrainingSet) -> Float[Array, "molecules vectors"]:
        """An element is multiplied by two of these."""

    @abc.abstractmethod
    def pairs(self, n_vectors: int) -> Float[np.ndarray, "vectors vectors"]:
        """1 for the elements that are compared: each pair once."""

    def counted(self, data: TrainingSet) -> Float[Array, "molecules values"]:
        """How much each value counts: 0 for padding and for what the reference lacks."""
        root = self.counted_root(data)
        return flat(root[:, :, None] * root[:, None, :] * self.pairs(root.shape[1])[None])

    def scale(self, data: TrainingSet) -> Float[Array, "molecules values"]:
        """What elements of the Hessian between the vectors are multiplied by."""
        root = self.scale_root(data)
        return flat(root[:, :, None] * root[:, None, :])

    def slopes(
        self, seen: Seen, sensitivities: AbstractSensitivities, data: TrainingSet
    ) -> Float[Array, "molecules own values"]:
        """Derivative of the deviations by the parameters that each molecule has."""
        basis = self.basis(data)
        return sensitivities.each_hessian(basis, _between, basis) * self.scale(data)[:, None, :]

    def products(
        self,
        seen: Seen,
        sensitivities: AbstractSensitivities,
        data: TrainingSet,
        scale: Float[Array, "molecules values"],
    ) -> Products:
        """Return Jᵀr and JᵀJ of each molecule for the residuals, which are `scale` times the deviations."""
        basis = self.basis(data)

        def reduce(product, basis, scale, residuals):
            slopes = _between(product, basis) * scale[None, :]
            return slopes @ residuals, slopes @ slopes.T

        residuals = self.deviations(seen, data) * scale
        return sensitivities.each_hessian(basis, reduce, basis, scale * self.scale(data), residuals)


def counts(target: AbstractTarget, data: TrainingSet) -> Float[FloatArray, "molecules values"]:
    """Return how much each value of a target counts in a whole training set."""
    counted = target.counted(data)
    return comparable(counted, data.group) if target.traits.is_relative else counted


class Counting(NamedTuple):
    """How much each value of a target counts, and would if every molecule and mode counted one."""

    counts: Float[FloatArray, "molecules values"]
    unweighted: Float[FloatArray, "molecules values"]

    @property
    def total(self) -> float:
        """The sum of what counts, by which a mean is taken; one where nothing does."""
        return float(np.asarray(self.counts).sum()) or 1.0


@compiled_quickly
def counting(targets: tuple[AbstractTarget, ...], data: TrainingSet) -> tuple[Counting, ...]:
    """Return what counts in each target, for a whole training set."""
    return tuple(Counting(jnp.asarray(counts(t, data)), jnp.asarray(counts(t, unweighted(data)))) for t in targets)


def unweighted(data: TrainingSet) -> TrainingSet:
    """Return a training set in which every molecule and mode counts one."""
    weight, mode_weight = jnp.ones(data.topology.n_molecules), jnp.asarray(data.has_mode, float)
    return replace(data, weight=weight, mode_weight=mode_weight)


def comparable(
    counted: Float[FloatArray, "molecules values"], group: Int[FloatArray, " molecules"]
) -> Float[Array, "molecules values"]:
    """Return what values count that are relative: nothing where no other molecule of the group has one."""
    n_members = (_in_group(counted, group) > 0.0).sum(axis=1)
    return jnp.where(n_members > 1, counted, 0.0)


def centred(
    values: Float[FloatArray, "molecules *window values"],
    counted: Float[FloatArray, "molecules values"],
    group: Int[FloatArray, " molecules"],
) -> Float[Array, "molecules *window values"]:
    """Return values less their weighted mean over the group, which is free: energies have no common zero."""
    weights = _in_group(counted, group)
    mean = weights / jnp.maximum(weights.sum(axis=1, keepdims=True), _TINY)
    return jnp.asarray(values) - jnp.einsum("mnv,n...v->m...v", mean, values)


def _in_group(
    counted: Float[FloatArray, "molecules values"], group: Int[FloatArray, " molecules"]
) -> Float[Array, "molecules molecules values"]:
    """Return what each molecule (second axis) counts in the group of each (first)."""
    same = jnp.asarray(group)[:, None] == jnp.asarray(group)[None, :]
    return jnp.where(same[:, :, None], counted[None], 0.0)


def flat(values: Float[Array, "leading rows columns"]) -> Float[Array, "leading values"]:
    """Return matrices as vectors."""
    return values.reshape(values.shape[0], -1)


def of_atoms(
    data: TrainingSet, weight: Float[Array, " molecules"], n_values: int
) -> Float[Array, "molecules atom_values"]:
    """Return the weight of each molecule for so many values of each of its atoms."""
    return jnp.where(jnp.repeat(present(data.topology), n_values, axis=1), weight[:, None], 0.0)


def _between(
    product: Float[Array, "own coordinates vectors"], basis: Float[Array, "coordinates vectors"]
) -> Float[Array, "own values"]:
    """Return the elements between vectors of matrices that are given times these vectors."""
    return flat(jnp.einsum("lca,cb->lab", product, basis))
