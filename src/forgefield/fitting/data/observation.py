"""What a model says of a training set, computed once for all targets."""

from typing import cast

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from forgefield.compiled import compiled
from forgefield.fitting.data.ladder import grown
from forgefield.fitting.data.training_set import TrainingSet
from forgefield.models.expansions import Evaluated, Expansion, evaluated, expansions, with_charges
from forgefield.models.forcefield import ForceField
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


def observed(model: AbstractModel, data: TrainingSet) -> Observation:
    """Return what `observe` does: of a force field term by term, by programs that many molecules share."""
    if not model.traits.of_terms:
        return _observed(model, data)
    laid = cast(ForceField, model)
    return observed_expanded(expansions(laid.terms, laid.values, data.topology, data.positions), laid, data)


def observed_expanded(expanded: list[Expansion], model: ForceField, data: TrainingSet) -> Observation:
    """Return what is observed of a force field that has been expanded at the reference geometries."""
    found = evaluated(expanded, model.values, data.topology)
    return observation_of(found, with_charges(model.values, data.topology)[model.values.shape[0] :], data)


def observation_of(found: Evaluated, charges: Float[np.ndarray, " charges"], data: TrainingSet) -> Observation:
    """Return what is observed where energies, gradients and Hessians have been found, with these charges [e]."""
    modes, counts = np.asarray(data.modes), np.asarray(data.has_mode).sum(axis=1)
    eigenmatrix = np.swapaxes(modes, 1, 2) @ found.hessian @ modes
    eigenvalues = np.full(data.has_mode.shape, _BEYOND)
    mixing = np.broadcast_to(np.eye(modes.shape[2]), eigenmatrix.shape).copy()
    for m, n in enumerate(counts):
        own = eigenmatrix[m, :n, :n]
        known = np.linalg.eigh(own) if np.isfinite(own).all() else (np.nan, np.nan)
        eigenvalues[m, :n], mixing[m, :n, :n] = known
    seen = found.energy, found.gradient, found.hessian, eigenmatrix, eigenvalues, mixing, charges
    return Observation(*jax.device_put(seen))


_observed = compiled(observe)


def resized(seen: Observation, data: TrainingSet) -> Observation:
    """Return an observation cut, or filled up, to the shapes of a training set, which is on another rung."""
    topology, n_modes = data.topology, data.has_mode.shape[1]
    n_molecules, n = topology.n_molecules, 3 * topology.n_max
    known = np.asarray(data.has_mode)
    both = known[:, :, None] & known[:, None, :]
    found = {
        "energy": grown(seen.energy, n_molecules),
        "gradient": grown(seen.gradient, topology.n_atoms),
        "hessian": grown(seen.hessian, n_molecules, n, n),
        "eigenmatrix": grown(seen.eigenmatrix, n_molecules, n_modes, n_modes),
        "eigenvalues": np.where(known, grown(seen.eigenvalues, n_molecules, n_modes), _BEYOND),
        "mixing": np.where(both, grown(seen.mixing, n_molecules, n_modes, n_modes), np.eye(n_modes)),
        "charges": grown(seen.charges, topology.n_atoms if seen.charges.size else 0),
    }
    return Observation(**jax.device_put(found))
