"""How far a model is from references: errors of energies, forces and Hessian products, each by molecule."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from forgefield.compiled import compiled_for_long
from forgefield.distil.batches import Batch, in_order
from forgefield.distil.losses import Losses, shaped
from forgefield.distil.recipe import Weights
from forgefield.errors import InputError
from forgefield.models.model import AbstractModel, require_known
from forgefield.molecules.molecule import Reference

_AT_ONCE = 32
"""Molecules of a batch."""


class Errors(NamedTuple):
    """Means over references."""

    energy_mae: float
    """kcal/mol per molecule."""
    energy_rmse: float
    force_mae: float
    """kcal/mol/Å, over components."""
    force_rmse: float
    product_rmse: float | None
    """kcal/mol/Å² along directions of the length of one for each coordinate; None without Hessian products."""


@dataclass(frozen=True, eq=False)
class Deviations:
    """What a model says less what references say, for each of these."""

    energy: Float[np.ndarray, " references"]
    """kcal/mol"""
    gradient: tuple[Float[np.ndarray, "_ 3"], ...]
    """kcal/mol/Å"""
    product: tuple[Float[np.ndarray, "_ 3"], ...]
    """kcal/mol/Å²; of those references alone that have one."""

    @property
    def errors(self) -> Errors:
        """Their means."""
        force = np.concatenate(self.gradient)
        product = np.concatenate(self.product) if self.product else None
        return Errors(
            energy_mae=float(np.mean(np.abs(self.energy))),
            energy_rmse=float(np.sqrt(np.mean(self.energy**2))),
            force_mae=float(np.mean(np.abs(force))),
            force_rmse=float(np.sqrt(np.mean(force**2))),
            product_rmse=None if product is None else float(np.sqrt(np.mean(product**2))),
        )

    def merit(self, weights: Weights) -> float:
        """Return the loss of all, the lower the better; that of the energies of atoms is left out."""
        sizes = np.array([len(one) for one in self.gradient])
        force = np.concatenate(self.gradient)
        nothing = jnp.zeros(())
        known = bool(self.product) and weights.product > 0.0
        found = Losses(
            jnp.mean(shaped(self.energy / sizes, weights)),
            jnp.mean(shaped(force, weights)),
            jnp.mean(shaped(np.concatenate(self.product), weights)) if known else nothing,
            nothing,
        )
        return float(found.merit(replace(weights, product=weights.product if known else 0.0, atomic_energy=0.0)))


def deviations(model: AbstractModel, references: Sequence[Reference]) -> Deviations:
    """Return the deviations of a model that needs no bonds from references with energies and gradients.

    Raises InputError where references lack these, or have elements that the model does not know.
    """
    require_labels(model, references)
    energy = np.zeros(len(references))
    gradient: list[np.ndarray] = [np.zeros((0, 3))] * len(references)
    product: list[np.ndarray | None] = [None] * len(references)
    curved = any(r.products is not None for r in references)
    for places, batch in in_order(references, min(_AT_ONCE, len(references))):
        said, slope, along = (np.asarray(a, np.float64) for a in _answers(model, batch, curved=curved))
        energy[places] = (said - batch.energy)[: len(places)]
        first = 0
        for place in places:
            rows = slice(first, first := first + len(references[place].species))
            gradient[place] = slope[rows] - batch.gradient[rows]
            if references[place].products is not None:
                product[place] = along[rows] - batch.products[rows]
    return Deviations(energy, tuple(gradient), tuple(one for one in product if one is not None))


def require_labels(model: AbstractModel, references: Sequence[Reference]) -> None:
    """Raise InputError where references lack energies or gradients, or have elements that a model does not know."""
    bare = [str(k + 1) for k, r in enumerate(references) if r.energy is None or r.gradient is None]
    if bare or not references:
        raise InputError(
            f"training needs energies and forces; references {', '.join(bare[:10])} of {len(references)} lack them"
        )
    for k, r in enumerate(references):
        require_known(model, r.species, f"reference {k + 1}")


@compiled_for_long
def _answers(
    model: AbstractModel, batch: Batch, *, curved: bool
) -> tuple[Float[Array, " molecules"], Float[Array, "atoms 3"], Float[Array, "atoms 3"]]:
    positions = jnp.asarray(batch.positions)
    if not curved:
        energy, gradient = model.energy_and_gradient(batch.topology, positions)
        return energy, gradient, jnp.zeros_like(gradient)
    both, (_, along) = jax.jvp(
        lambda x: model.energy_and_gradient(batch.topology, x), (positions,), (jnp.asarray(batch.directions),)
    )
    return *both, along
