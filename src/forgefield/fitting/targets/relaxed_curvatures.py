"""Curvatures and frequencies of the structures that a model relaxes to, against those of the reference."""

from dataclasses import replace

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from forgefield.fitting.data.observation import observe
from forgefield.fitting.data.training_set import TrainingSet
from forgefield.fitting.targets.fixed import AbstractLocalTarget, AbstractTarget, Frequencies, Matching, Products
from forgefield.fitting.targets.relaxed import AbstractRelaxedTarget, RelaxedEnergies, RelaxedStructures, Superposed
from forgefield.models.forcefield import ForceField
from forgefield.models.model import AbstractModel, AbstractSensitivities, Selection
from forgefield.molecules.topology import Topology
from forgefield.properties.implicit import Change, RelaxedSensitivities, superposed_response
from forgefield.properties.rigid import by_molecule, rigid_motions

_POWERS = 40
"""Of the share of a mode that is a rotation, in a series: exact to rounding up to a half."""


class AtRelaxed(AbstractTarget):
    """A target of the Hessian, taken at the relaxed structures, which are superposed on the reference's."""

    tolerance: float
    weight: float
    target: AbstractLocalTarget

    @property
    def name(self) -> str:
        """Its name in files and reports."""
        return f"{self.target.name}, relaxed"

    @property
    def unit(self) -> str:
        """Unit of its deviations."""
        return self.target.unit

    @property
    def is_matched(self) -> bool:
        """Whether it compares matched modes."""
        return isinstance(self.target, Frequencies)

    def counted(self, data: TrainingSet) -> Float[Array, "molecules values"]:
        """How much each value counts, of molecules whose reference is a stationary point without constraints."""
        free = ~jnp.asarray(data.relaxation.fixed.present).any(axis=1)
        return jnp.where((jnp.asarray(data.relaxation.wanted) & free)[:, None], self.target.counted(data), 0.0)

    def deviations(
        self, found: RelaxedStructures, data: TrainingSet, matching: Matching
    ) -> Float[Array, "molecules values"]:
        """Model minus reference; zero where a molecule did not relax."""
        assert found.superposed is not None
        return jnp.where(found.converged[:, None], self.target.deviations(found.superposed.seen, data, matching), 0.0)

    def slopes(
        self, found: RelaxedStructures, sensitivities: AbstractSensitivities, data: TrainingSet, matching: Matching
    ) -> Float[Array, "molecules own values"]:
        """Derivative of the deviations, for the sensitivities of relaxed structures."""
        assert found.superposed is not None
        return self.target.slopes(found.superposed.seen, sensitivities, self._about(found, data), matching)

    def products(
        self,
        found: RelaxedStructures,
        sensitivities: AbstractSensitivities,
        data: TrainingSet,
        matching: Matching,
        scale: Float[Array, "molecules values"],
    ) -> Products:
        """Return Jᵀr and JᵀJ of each molecule for the residuals, which are `scale` times the deviations."""
        assert found.superposed is not None
        # Modes are those of the relaxed structures, deviations do not depend on them.
        return self.target.products(found.superposed.seen, sensitivities, self._about(found, data), matching, scale)

    def _about(self, found: RelaxedStructures, data: TrainingSet) -> TrainingSet:
        """Return the training set with the modes that the target is about."""
        assert found.superposed is not None
        return eqx.tree_at(lambda d: d.modes, data, found.superposed.vibrations) if self.is_matched else data


RELAXED = AbstractRelaxedTarget, RelaxedEnergies, AtRelaxed


def superposed(
    model: AbstractModel, data: TrainingSet, found: RelaxedStructures, change: Change
) -> tuple[RelaxedStructures, Change]:
    """Look at the relaxed structures where they lie on the reference's; return how these change, likewise."""
    masses = jnp.asarray(data.masses)
    positions, change = superposed_response(data.topology, found.positions, jnp.asarray(data.positions), masses, change)
    modes = vibrations(data.topology, positions, masses, jnp.asarray(data.modes))
    seen = observe(model, eqx.tree_at(lambda d: (d.positions, d.modes), data, (positions, modes)))
    eigenmatrix = jnp.einsum("mia,mij,mjb->mab", data.modes, seen.hessian, data.modes, optimize="optimal")
    there = Superposed(positions, eqx.tree_at(lambda s: s.eigenmatrix, seen, eigenmatrix), modes)
    return replace(found, superposed=there), change


def sensitivities_there(
    model: ForceField, data: TrainingSet, there: Superposed, change: Change, selection: Selection
) -> AbstractSensitivities:
    """Return the derivatives of what a model says of its relaxed structures."""
    fixed = model.sensitivities(data.topology, there.positions, selection)
    return RelaxedSensitivities(fixed, model, data.topology, there.positions, change)


def vibrations(
    topology: Topology,
    positions: Float[Array, "atoms 3"],
    masses: Float[Array, " atoms"],
    modes: Float[Array, "molecules coordinates modes"],
) -> Float[Array, "molecules coordinates modes"]:
    """Return modes as near to the given ones as those of these positions can be, still orthonormal.

    Modes of one geometry hold a little of the rotations R of another, W = Rᵀ Q. Without that they are
    (1 - R Rᵀ) Q (1 - Wᵀ W)^(-1/2), of which the last is 1 + Wᵀ f(W Wᵀ) W with f(s) = ((1 - s)^(-1/2) - 1)/s.
    """
    weights = by_molecule(topology, masses)
    rigid = rigid_motions(by_molecule(topology, positions), weights)
    roots = jnp.repeat(jnp.sqrt(weights), 3, axis=1)[:, :, None]
    inverse = jnp.where(roots > 0.0, 1.0 / jnp.where(roots > 0.0, roots, 1.0), 0.0)
    q = roots * modes
    w = jnp.einsum("mir,mia->mra", rigid, q)
    share = w @ jnp.swapaxes(w, 1, 2)
    identity = jnp.eye(6, dtype=q.dtype)[None]
    # The coefficients of (1 - s)^(-1/2) are products of (2k - 1)/2k; Horner's scheme begins with the last.
    k = np.arange(1, _POWERS + 1)
    coefficients = np.cumprod((2 * k - 1) / (2 * k))[::-1]
    series, _ = jax.lax.scan(lambda s, c: (c * identity + s @ share, None), jnp.zeros_like(share), coefficients)
    free = q - rigid @ w
    scaled = free + (free @ jnp.swapaxes(w, 1, 2)) @ series @ w
    return inverse * scaled
