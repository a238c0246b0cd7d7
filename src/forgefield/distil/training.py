"""Plain training of a neural model on energies and forces."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax
from jaxtyping import Array, Bool, Float, PyTree

from forgefield.errors import InputError
from forgefield.models.model import require_known
from forgefield.models.painn import Painn
from forgefield.molecules.molecule import Molecule, Reference
from forgefield.molecules.padding import padded_union
from forgefield.molecules.topology import Topology
from forgefield.properties.many import many
from forgefield.units import ELECTRONVOLT


@dataclass(frozen=True)
class Recipe:
    """How long and how fast to train. The weights of the two errors are per (eV per atom)² and (eV/Å)²."""

    steps: int = 5000
    batch: int = 16
    """Molecules of one step."""
    learning_rate: float = 3e-3
    """Of Adam (Kingma and Ba 2015) at first; it falls to a hundredth of that along half a cosine."""
    energy_weight: float = 1.0
    force_weight: float = 1.0
    largest_gradient: float = 10.0
    """Longer gradients of the loss are shortened to this norm."""
    averaging: float = 0.998
    """Kept fraction of the running mean of the weights at each step; the mean is what training returns."""
    check_every: int = 500
    """Steps between two looks at the validation set."""
    seed: int = 0


class Errors(NamedTuple):
    """Deviations of a model from its references."""

    energy_mae: float
    """kcal/mol per molecule."""
    energy_rmse: float
    force_mae: float
    """kcal/mol/Å, mean over components."""
    force_rmse: float


class Trained(NamedTuple):
    """The model of the training step that did best on the validation set."""

    model: Painn
    errors: Errors
    """Of the validation set."""
    step: int
    """At which the model was taken."""


class Batch(eqx.Module):
    """Some references as a padded union."""

    topology: Topology
    positions: Float[Array | np.ndarray, "atoms 3"]
    energy: Float[Array | np.ndarray, " molecules"]
    gradient: Float[Array | np.ndarray, "atoms 3"]
    size: Float[Array | np.ndarray, " molecules"]
    """Atoms of each molecule; 1 where there is none."""
    real: Bool[Array | np.ndarray, " molecules"]
    """Which molecules are references."""


Tell = Callable[[int, Errors], None]
"""Called with the step and the errors on the validation set."""


def silent(step: int, errors: Errors) -> None:
    """Tell nothing."""


def train(
    model: Painn,
    training: Sequence[Reference],
    validation: Sequence[Reference],
    recipe: Recipe,
    *,
    tell: Tell = silent,
) -> Trained:
    """Return the model trained on energies and gradients, its reference energies fitted first and then left alone.

    Each step lowers, for the molecules of one batch, the mean squared error of the energy per atom plus that of the
    forces, each times its weight. Raises InputError where references lack energies or gradients.
    """
    for references in (training, validation):
        _require_labels(model, references)
    model = eqx.tree_at(lambda m: m.references, model, reference_energies(model, training))
    weights, fixed = eqx.partition(model, _trained(model))
    schedule = optax.cosine_decay_schedule(recipe.learning_rate, recipe.steps, alpha=0.01)
    optimiser = optax.chain(optax.clip_by_global_norm(recipe.largest_gradient), optax.adam(schedule))
    step = _step(optimiser, fixed, recipe)
    state = optimiser.init(weights)
    mean, best = weights, None
    for k, batch in enumerate(_batches(training, recipe), start=1):
        kept = jnp.asarray(min(recipe.averaging, k / (k + 10.0)), jnp.float32)
        weights, state, mean = step(weights, state, mean, batch, kept)
        if k % recipe.check_every == 0 or k == recipe.steps:
            current = eqx.combine(mean, fixed)
            found = errors(current, validation)
            tell(k, found)
            if best is None or _merit(found, recipe) < _merit(best.errors, recipe):
                best = Trained(current, found, k)
    if best is None or not np.isfinite(best.errors.force_rmse):
        raise InputError("training diverged: the forces of the model are not finite; lower the learning rate")
    return best


def errors(model: Painn, references: Sequence[Reference]) -> Errors:
    """Return the deviations of a model from references with energies and gradients."""
    results = many(model, [_molecule(r) for r in references])
    energy = np.array([e.energy for e in results]) - np.array([r.energy for r in references], np.float64)
    force = np.concatenate(
        [(result.gradient - r.gradient).ravel() for result, r in zip(results, references, strict=True)]
    )
    return Errors(
        energy_mae=float(np.mean(np.abs(energy))),
        energy_rmse=float(np.sqrt(np.mean(energy**2))),
        force_mae=float(np.mean(np.abs(force))),
        force_rmse=float(np.sqrt(np.mean(force**2))),
    )


def reference_energies(model: Painn, references: Sequence[Reference]) -> Float[np.ndarray, " elements"]:
    """Return the energies of the model's elements [kcal/mol] that add up best to those of the references.

    Least squares of the smallest norm: one composition alone leaves its sharing out among the elements open.
    """
    elements = np.array(model.design.elements)
    counts = np.array([[np.sum(r.species == z) for z in elements] for r in references], dtype=np.float64)
    return np.linalg.lstsq(counts, np.array([r.energy for r in references], dtype=np.float64), rcond=None)[0]


def _merit(found: Errors, recipe: Recipe) -> float:
    return recipe.energy_weight * found.energy_rmse**2 + recipe.force_weight * found.force_rmse**2


def _require_labels(model: Painn, references: Sequence[Reference]) -> None:
    bare = [str(k + 1) for k, r in enumerate(references) if r.energy is None or r.gradient is None]
    if bare or not references:
        raise InputError(
            f"training needs energies and forces; references {', '.join(bare[:10])} of {len(references)} lack them"
        )
    for k, r in enumerate(references):
        require_known(model, r.species, f"reference {k + 1}")


def _molecule(reference: Reference) -> Molecule:
    return Molecule(
        reference.level or "reference",
        reference.species,
        reference.positions,
        charge=reference.charge,
        multiplicity=reference.multiplicity,
    )


def _trained(model: Painn) -> PyTree:
    """Return which leaves of a model are trained: all but the reference energies."""
    return eqx.tree_at(lambda m: m.references, jax.tree.map(lambda _: True, model), False)


def _batches(references: Sequence[Reference], recipe: Recipe) -> Iterator[Batch]:
    """Yield random batches, each reference once before any comes again, all filled up to the same size."""
    generator = np.random.default_rng(recipe.seed)
    size = min(recipe.batch, len(references))
    largest = sorted(len(r.species) for r in references)[-size:]
    order = np.zeros(0, np.int64)
    for _ in range(recipe.steps):
        if len(order) < size:
            order = generator.permutation(len(references))
        chosen, order = order[:size], order[size:]
        yield batch_of([references[k] for k in chosen], sum(largest), largest[-1])


def batch_of(references: Sequence[Reference], n_atoms: int, n_max: int) -> Batch:
    """Return references as a batch filled up to `n_atoms`, none having more than `n_max`."""
    states = [(r.charge, r.multiplicity - 1) for r in references]
    topology, positions = padded_union(
        [r.species for r in references], [r.positions for r in references], n_atoms, n_max, states
    )
    real = np.arange(n_atoms) < len(references)
    energy, size, gradient = np.zeros(n_atoms), np.ones(n_atoms), np.zeros((n_atoms, 3))
    energy[real] = [r.energy for r in references]
    size[real] = [len(r.species) for r in references]
    stacked = np.concatenate([r.gradient for r in references if r.gradient is not None])
    gradient[: len(stacked)] = stacked
    return Batch(topology, positions, energy, gradient, size, real)


@eqx.filter_jit
def loss(model: Painn, batch: Batch, recipe: Recipe) -> Float[Array, ""]:
    """Return the weighted sum of the mean squared errors of energy per atom [eV²] and of force components [eV²/Å²]."""
    positions = jnp.asarray(batch.positions)
    real = jnp.asarray(batch.real)
    off = (model.energy(batch.topology, positions) - batch.energy) / batch.size
    energy = jnp.sum(jnp.where(real, off, 0.0) ** 2) / jnp.sum(real, dtype=positions.dtype)
    # Atoms that fill up have no forces and no reference, and so no error.
    pull = model.gradient(batch.topology, positions) - batch.gradient
    force = jnp.sum(pull**2) / (3.0 * jnp.sum(jnp.where(real, batch.size, 0.0)))
    return (recipe.energy_weight * energy + recipe.force_weight * force) / ELECTRONVOLT**2


def _step(optimiser, fixed, recipe):
    """Return the compiled step: weights, the optimiser's state and the mean of the weights, each one step on."""

    @eqx.filter_jit
    def step(weights, state, mean, batch, kept):
        slope = jax.grad(lambda w: loss(eqx.combine(w, fixed), batch, recipe))(weights)
        # optax mixes the integers of its counters with floats.
        with jax.numpy_dtype_promotion("standard"):
            change, state = optimiser.update(slope, state, weights)
        weights = optax.apply_updates(weights, change)
        mean = jax.tree.map(lambda m, w: w + kept.astype(m.dtype) * (m - w), mean, weights)
        return weights, state, mean

    return step
