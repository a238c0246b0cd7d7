"""How far a model is from references: errors of energies, forces and Hessian products, each by molecule."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from forgefield.compiled import compiled_for_long
from forgefield.distil.batches import Batch, in_order
from forgefield.distil.losses import Losses, answers, shaped
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
    stress_mae: float | None
    """kcal/mol/Å³, over components; None without stresses."""
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
    stress: Float[np.ndarray, "references 3 3"] | None = None
    """kcal/mol/Å³; NaN of those that have none, None where none has one."""

    @property
    def errors(self) -> Errors:
        """Their means."""
        force = np.concatenate(self.gradient)
        product = np.concatenate(self.product) if self.product else None
        stress = self.known_stress
        return Errors(
            energy_mae=float(np.mean(np.abs(self.energy))),
            energy_rmse=float(np.sqrt(np.mean(self.energy**2))),
            force_mae=float(np.mean(np.abs(force))),
            force_rmse=float(np.sqrt(np.mean(force**2))),
            stress_mae=float(np.mean(np.abs(stress))) if len(stress) else None,
            product_rmse=None if product is None else float(np.sqrt(np.mean(product**2))),
        )

    @property
    def known_stress(self) -> Float[np.ndarray, "stresses 3 3"]:
        """Those that are known."""
        if self.stress is None:
            return np.zeros((0, 3, 3))
        return self.stress[np.isfinite(self.stress).all(axis=(1, 2))]

    def merit(self, weights: Weights) -> float:
        """Return the loss of all, the lower the better; that of the energies of atoms is left out."""
        sizes = np.array([len(one) for one in self.gradient])
        force = np.concatenate(self.gradient)
        nothing = jnp.zeros(())
        known, stress = bool(self.product) and weights.product > 0.0, self.known_stress
        found = Losses(
            jnp.mean(shaped(self.energy / sizes, weights)),
            jnp.mean(shaped(force, weights)),
            jnp.mean(shaped(np.concatenate(self.product), weights)) if known else nothing,
            nothing,
            jnp.mean(shaped(stress, weights)) if len(stress) else nothing,
        )
        there = {"product": weights.product * known, "stress": weights.stress * (len(stress) > 0)}
        return float(found.merit(replace(weights, **there, atomic_energy=0.0)))


def deviations(model: AbstractModel, references: Sequence[Reference]) -> Deviations:
    """Return the deviations of a model that needs no bonds from references with energies and gradients.

    Raises InputError where references lack these, or have elements that the model does not know.
    """
    require_labels(model, references)
    energy = np.zeros(len(references))
    gradient: list[np.ndarray] = [np.zeros((0, 3))] * len(references)
    product: list[np.ndarray | None] = [None] * len(references)
    curved, stressed = (any(one is not None for one in held) for held in _held(references))
    stress = np.full((len(references), 3, 3), np.nan)
    for places, batch in in_order(references, min(_AT_ONCE, len(references)), model.traits.cutoff or 0.0):
        found = _answers(model, batch, curved=curved, stressed=stressed)
        said, slope, pressed, along = (np.asarray(a, np.float64) for a in found)
        stress[places] = (pressed - batch.stress)[: len(places)]
        energy[places] = (said - batch.energy)[: len(places)]
        first = 0
        for place in places:
            rows = slice(first, first := first + len(references[place].species))
            gradient[place] = slope[rows] - batch.gradient[rows]
            if references[place].products is not None:
                product[place] = along[rows] - batch.products[rows]
    curves = tuple(one for one in product if one is not None)
    return Deviations(energy, tuple(gradient), curves, stress if stressed else None)


def _held(references: Sequence[Reference]) -> Iterator[Sequence[object]]:
    """Yield the Hessian products of references, and their stresses."""
    yield [r.products for r in references]
    yield [r.stress for r in references]


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
    model: AbstractModel, batch: Batch, *, curved: bool, stressed: bool
) -> tuple[Float[Array, " molecules"], Float[Array, "atoms 3"], Float[Array, "molecules 3 3"], Float[Array, "atoms 3"]]:
    positions = jnp.asarray(batch.positions)
    if not curved:
        energy, gradient, stress = answers(model, batch, positions, stressed=stressed)
        return energy, gradient, stress, jnp.zeros_like(gradient)
    known, (_, along, _) = jax.jvp(
        lambda x: answers(model, batch, x, stressed=stressed), (positions,), (jnp.asarray(batch.directions),)
    )
    return *known, along
