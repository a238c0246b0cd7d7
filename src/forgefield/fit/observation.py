"""What a model says of a training set, computed once for all targets."""

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float

from forgefield.fit.training import TrainingSet
from forgefield.models.model import AbstractModel

_BEYOND = 1e9
"""Eigenvalue given to padding [kcal/mol/Å²/amu], far above any vibration, so that it sorts last."""


class Observation(eqx.Module):
    """Energies, gradients, Hessians and modes of all molecules at their reference geometry."""

    energy: Float[Array, " molecules"]
    gradient: Float[Array, "atoms 3"]
    hessian: Float[Array, "molecules coordinates coordinates"]
    eigenmatrix: Float[Array, "molecules modes modes"]
    """qᵀ H q' between the reference's modes [kcal/mol/Å²/amu]."""
    eigenvalues: Float[Array, "molecules modes"]
    """Of the model's own modes, ascending; padding last."""
    mixing: Float[Array, "molecules modes modes"]
    """The model's modes (columns) in terms of the reference's."""


def observe(model: AbstractModel, data: TrainingSet) -> Observation:
    """Evaluate a model at the reference geometries."""
    topology, positions = data.topology, jnp.asarray(data.positions)
    gradient = model.gradient(topology, positions)
    hessian = model.hessian(topology, positions)
    eigenmatrix = jnp.einsum("mia,mij,mjb->mab", data.modes, hessian, data.modes, optimize="optimal")
    diagonal = jnp.where(data.has_mode, 0.0, _BEYOND)
    padded = eigenmatrix + diagonal[:, :, None] * jnp.eye(diagonal.shape[1])[None]
    eigenvalues, mixing = jnp.linalg.eigh(padded)
    return Observation(model.energy(topology, positions), gradient, hessian, eigenmatrix, eigenvalues, mixing)
