"""What a model says of a training set, computed once for all targets."""

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from forgefield.compiled import compiled
from forgefield.fitting.data.training_set import TrainingSet
from forgefield.models.model import AbstractModel

_BEYOND = 1e9
"""Eigenvalue given to padding [kcal/mol/Å²/amu], far above any vibration, so that it sorts last."""


class Observation(eqx.Module):
    """Energies, gradients, Hessians, modes and charges of all molecules at their reference geometry."""

    energy: Float[Array, " molecules"]
    gradient: Float[Array, "atoms 3"]
    hessian: Float[Array, "molecules coordinates coordinates"]
    eigenmatrix: Float[Array, "molecules modes modes"]
    """qᵀ H q' between the reference's modes [kcal/mol/Å²/amu]."""
    eigenvalues: Float[Array, "molecules modes"]
    """Of the model's own modes, ascending; padding last."""
    mixing: Float[Array, "molecules modes modes"]
    """The model's modes (columns) in terms of the reference's."""
    charges: Float[Array, " charges"]
    """e; none where the model gives atoms no charges."""


def observe(model: AbstractModel, data: TrainingSet) -> Observation:
    """Evaluate a model at the reference geometries."""
    topology, positions = data.topology, jnp.asarray(data.positions)
    gradient = model.gradient(topology, positions)
    hessian = model.hessian(topology, positions)
    eigenmatrix = jnp.einsum("mia,mij,mjb->mab", data.modes, hessian, data.modes, optimize="optimal")
    eigenvalues, mixing = _eigenproblems(eigenmatrix, data)
    energy, charges = model.energy(topology, positions), model.charges(topology)
    return Observation(energy, gradient, hessian, eigenmatrix, eigenvalues, mixing, charges)


def _eigenproblems(
    eigenmatrix: Float[Array, "molecules modes modes"], data: TrainingSet
) -> tuple[Float[Array, "molecules modes"], Float[Array, "molecules modes modes"]]:
    """Return eigenvalues and eigenvectors of each molecule, solved in buckets of similar size."""
    n_molecules, n_modes = data.has_mode.shape
    diagonal = jnp.where(data.has_mode, 0.0, _BEYOND)
    padded = eigenmatrix + diagonal[:, :, None] * jnp.eye(n_modes)[None]
    eigenvalues = jnp.full((n_molecules, n_modes), _BEYOND)
    mixing = jnp.broadcast_to(jnp.eye(n_modes), (n_molecules, n_modes, n_modes))
    one_after_another = jnp.zeros(())
    for bucket in data.buckets:
        members, n = np.array(bucket.molecules), bucket.size
        # Two batched eigenproblems at once wait for each other's threads for ever on few cores (jaxlib 0.10.2),
        # so that each is made to depend on the one before, by a zero that the compiler does not see through.
        values, vectors = jnp.linalg.eigh(padded[members, :n, :n] + one_after_another)
        one_after_another = 0.0 * jnp.nan_to_num(values[0, 0])
        eigenvalues = eigenvalues.at[members, :n].set(values)
        mixing = mixing.at[members, :n, :n].set(vectors)
    return eigenvalues, mixing


observed = compiled(observe)
"""`observe`, compiled; whoever asks for the same shapes shares the program."""
