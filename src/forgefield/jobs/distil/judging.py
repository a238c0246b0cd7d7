"""How far students are from labels: of a set as a whole, and record by record."""

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace

import numpy as np
from jaxtyping import Float

from forgefield.distil.deviations import Deviations, deviations
from forgefield.jobs.distil.labels import Labels
from forgefield.models.model import AbstractModel


@dataclass(frozen=True, eq=False)
class RecordErrors:
    """Errors of one student, or of the mean of several, for each record."""

    size: Float[np.ndarray, " records"]
    """Atoms."""
    energy: Float[np.ndarray, " records"]
    """kcal/mol, signed."""
    force_mean: Float[np.ndarray, " records"]
    """Mean over components [kcal/mol/Å]."""
    force_square: Float[np.ndarray, " records"]
    """Mean square."""
    force_largest: Float[np.ndarray, " records"]
    product_square: Float[np.ndarray, " records"]
    """Mean square [kcal/mol/Å²]; NaN without Hessian products."""
    stress_mean: Float[np.ndarray, " records"]
    """Mean over components [kcal/mol/Å³]; NaN without a stress."""

    @property
    def means(self) -> "SetErrors":
        """Their means."""
        atoms = self.size / np.sum(self.size)
        known = np.isfinite(self.product_square)
        square = np.sum((self.product_square * self.size)[known]) / np.sum(self.size[known]) if known.any() else None
        per_atom, stress = self.energy / self.size, self.stress_mean[np.isfinite(self.stress_mean)]
        return SetErrors(
            structures=len(self.energy),
            energy_mae=float(np.mean(np.abs(self.energy))),
            energy_rmse=float(np.sqrt(np.mean(self.energy**2))),
            energy_mae_per_atom=float(np.mean(np.abs(per_atom))),
            force_mae=float(atoms @ self.force_mean),
            force_rmse=float(np.sqrt(atoms @ self.force_square)),
            product_rmse=None if square is None else float(np.sqrt(square)),
            stress_mae=float(np.mean(stress)) if len(stress) else None,
        )


@dataclass(frozen=True)
class SetErrors:
    """Mean errors over a set of records."""

    structures: int
    energy_mae: float
    """kcal/mol"""
    energy_rmse: float
    energy_mae_per_atom: float
    """kcal/mol"""
    force_mae: float
    """kcal/mol/Å, over components."""
    force_rmse: float
    product_rmse: float | None
    """kcal/mol/Å², along directions of the length of one for each coordinate."""
    stress_mae: float | None
    """kcal/mol/Å³, over components."""


@dataclass(frozen=True, eq=False)
class Judged:
    """Students on a set of records."""

    members: tuple[RecordErrors, ...]
    mean: RecordErrors
    """Of the mean of what the students say."""
    spread: Float[np.ndarray, " records"]
    """Standard deviation of force components among the students, root of its mean square [kcal/mol/Å]."""


def judged(models: Sequence[AbstractModel], labels: Labels, *, curved: bool = True) -> Judged:
    """Return the errors of students on records, a block of these in memory at once; `curved` with Hessian products."""
    n, n_models = len(labels), len(models)
    members = [_nothing(n) for _ in models]
    mean, spread = _nothing(n), np.zeros(n)
    for places, references in labels.blocks():
        seen = references if curved else [replace(r, products=None) for r in references]
        curves = [r.products is not None for r in seen]
        found = [deviations(model, seen) for model in models]
        for member, one in zip(members, found, strict=True):
            _put(member, places, one, curves)
        _put(mean, places, _averaged(found), curves)
        for k, each in zip(places, zip(*(one.gradient for one in found), strict=True), strict=True):
            spread[k] = np.sqrt(np.mean(np.var(np.stack(each), axis=0, ddof=1))) if n_models > 1 else 0.0
    return Judged(tuple(members), mean, spread)


def errors_of(found: Deviations) -> RecordErrors:
    """Return the errors of records of which all, or the first ones, have Hessian products, one after another."""
    n = len(found.energy)
    errors = _nothing(n)
    _put(errors, np.arange(n), found, [k < len(found.product) for k in range(n)])
    return errors


def _nothing(n: int) -> RecordErrors:
    return RecordErrors(*(np.full(n, np.nan) for _ in fields(RecordErrors)))


def _averaged(found: Sequence[Deviations]) -> Deviations:
    """Return the deviations of the mean of several students."""
    return Deviations(
        np.mean([one.energy for one in found], axis=0),
        tuple(np.mean(each, axis=0) for each in zip(*(one.gradient for one in found), strict=True)),
        tuple(np.mean(each, axis=0) for each in zip(*(one.product for one in found), strict=True)),
        None
        if (stresses := [one.stress for one in found if one.stress is not None]) == []
        else np.mean(stresses, axis=0),
    )


def _put(errors: RecordErrors, places: np.ndarray, found: Deviations, curves: Sequence[bool]) -> None:
    """Write the errors of some records where they belong."""
    errors.energy[places] = found.energy
    if found.stress is not None:
        errors.stress_mean[places] = np.mean(np.abs(found.stress), axis=(1, 2))
    products = iter(found.product)
    for k, gradient, curved in zip(places, found.gradient, curves, strict=True):
        errors.size[k] = len(gradient)
        errors.force_mean[k] = np.mean(np.abs(gradient))
        errors.force_square[k] = np.mean(gradient**2)
        errors.force_largest[k] = np.max(np.abs(gradient))
        if curved:
            errors.product_square[k] = np.mean(next(products) ** 2)
