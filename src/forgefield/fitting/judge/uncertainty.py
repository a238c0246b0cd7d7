"""How well the data determine the parameters: covariance, and directions that they leave open."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int
from scipy.linalg import qr

from forgefield import units
from forgefield.fitting.cost.cost import Quadratic
from forgefield.fitting.data.chunks import without_interactions
from forgefield.fitting.data.training_set import TrainingSet
from forgefield.fitting.targets.target import AbstractTarget, counting

_UNDETERMINED = 1e-7
"""A direction whose singular value is below this fraction of the largest changes nothing that is measured."""
_SHARE = 0.1
"""A parameter counts as undetermined when more than this share of it lies in such directions."""
_NOTHING = 1e-6
"""Share of what is known of a variable below which the data say nothing of it."""
_LOOSE_ANGLE, _LOOSE_LENGTH = 20.0 * units.DEGREE, 0.1
"""rad and Å"""
_LOOSE_CONSTANT = 0.5
"""Share of a harmonic constant."""


@dataclass(frozen=True, eq=False)
class Direction:
    """A combination of scaled variables and how much the data change along it."""

    vector: Float[np.ndarray, " free"]
    """Of length one; its largest component is positive."""
    singular_value: float
    undetermined: bool
    """The data do not change at all, but for rounding; otherwise they change less than the prior does."""


@dataclass(frozen=True, eq=False)
class Uncertainty:
    """Standard deviations in scaled variables, and what the data say nothing about."""

    sigma: Float[np.ndarray, " free"]
    """NaN where the data say nothing, whatever the priors of others are."""
    undetermined: Bool[np.ndarray, " free"]
    """Which take part in what the data leave open."""
    directions: tuple[Float[np.ndarray, " free"], ...]
    """Unit vectors along which the data do not change."""
    singular_values: Float[np.ndarray, " inside"]
    """Of the Jacobian by the variables that are not at a bound, the largest first."""
    n_values: int
    """Values that do not follow from others."""
    share: Float[np.ndarray, " free"]
    """How much of what is known of each variable is from the data, and not from the prior; NaN at bounds."""
    weak: tuple[Direction, ...]
    """Directions along which the prior says more than the data, the weakest first."""
    correlation: Float[np.ndarray, "free free"]
    """Of the variables that data and prior together determine; NaN for others."""

    @property
    def n_effective(self) -> float:
        """Parameters that the data, rather than the prior, determine."""
        return float(np.nansum(self.share))

    @property
    def condition(self) -> float:
        """The largest singular value over the smallest; infinite where the data leave a direction open."""
        if not len(self.singular_values):
            return 1.0
        return float("inf") if self.directions else float(self.singular_values[0] / self.singular_values[-1])

    def correlated(self, threshold: float) -> list[tuple[int, int, float]]:
        """Return pairs of variables whose correlation is at least this large, the strongest first."""
        first, second = np.triu_indices(len(self.correlation), 1)
        r = self.correlation[first, second]
        strong = np.flatnonzero(np.nan_to_num(np.abs(r)) >= threshold)
        ordered = strong[np.argsort(-np.abs(r[strong]), kind="stable")]
        return [(int(first[k]), int(second[k]), float(r[k])) for k in ordered]


def uncertainty(measured: Quadratic, prior: float, at_bound: Bool[np.ndarray, " free"], n_values: int) -> Uncertainty:
    """Return by how much variables can change before the data notice, the others following as far as priors let them.

    `measured` is the sum of squares over all values at the end of a fit in their tolerances, the noise of each; the
    prior adds `prior` for each variable. With C = (JᵀJ + prior)⁻¹ a variance is s² / (1/C_ii - prior): the prior of the
    variable itself is left out. s² is the mean square of the deviations in their tolerances, and at least 1. Variables
    at a bound are not free and have no standard deviation.
    """
    n_free = len(at_bound)
    inside = np.flatnonzero(~at_bound)
    normal = np.asarray(measured.normal)[np.ix_(inside, inside)]
    values, vectors = np.linalg.eigh(normal)
    singular = np.sqrt(np.clip(values, 0.0, None))
    open_ = singular <= _UNDETERMINED * max(singular.max(initial=0.0), np.finfo(float).tiny)
    undetermined = np.zeros(n_free, dtype=bool)
    undetermined[inside] = (vectors[:, open_] ** 2).sum(axis=1) > _SHARE
    precision = np.where(open_, 0.0, values) + prior
    inverse = (vectors * np.where(precision > 0.0, 1.0 / np.where(precision > 0.0, precision, 1.0), 0.0)) @ vectors.T
    share, sigma = np.full((2, n_free), np.nan)
    share[inside] = np.diag(inverse @ normal)
    noise = max(2.0 * float(measured.cost) / max(n_values, 1), 1.0)
    known = share > _NOTHING
    if prior == 0.0:
        known &= ~undetermined
    variance = np.clip(np.diag(inverse), 0.0, None)[known[inside]]
    sigma[known] = np.sqrt(noise * variance / share[known])
    ruled = ~open_ & (values < prior)
    weak = [
        *(
            Direction(vector, 0.0, undetermined=True)
            for vector in _separated(_whole(vectors[:, open_], inside, n_free)).T
        ),
        *(
            Direction(vector, float(s), undetermined=False)
            for vector, s in zip(_whole(vectors[:, ruled], inside, n_free).T, singular[ruled], strict=True)
        ),
    ]
    return Uncertainty(
        sigma=sigma,
        undetermined=undetermined,
        directions=tuple(one.vector for one in weak if one.undetermined),
        singular_values=singular[::-1],
        n_values=n_values,
        share=share,
        weak=tuple(weak),
        correlation=_correlation(inverse, inside, undetermined),
    )


def determined(value: float, sigma: float | None, unit: str) -> bool:
    """Say whether a standard deviation leaves a parameter its meaning.

    It does not above 20° for an angle, 0.1 Å for a length, half of a harmonic constant, and the value itself for all
    others, whose sign is then open.
    """
    if sigma is None or not np.isfinite(sigma):
        return False
    match unit:
        case "rad":
            return sigma <= _LOOSE_ANGLE
        case "Å":
            return sigma <= _LOOSE_LENGTH
        case "kcal/mol/Å²" | "kcal/mol/rad²":
            return sigma <= _LOOSE_CONSTANT * abs(value)
        case _:
            return sigma <= abs(value)


def _whole(
    vectors: Float[np.ndarray, "inside directions"], inside: Int[np.ndarray, " inside"], n_free: int
) -> Float[np.ndarray, "free directions"]:
    """Return directions among all variables, with the largest component of each positive."""
    whole = np.zeros((n_free, vectors.shape[1]))
    whole[inside] = vectors
    return whole * _signs(whole)


def _signs(vectors: Float[np.ndarray, "free directions"]) -> Float[np.ndarray, " directions"]:
    largest = np.abs(vectors).argmax(axis=0) if vectors.size else np.zeros(vectors.shape[1], dtype=int)
    return np.where(vectors[largest, np.arange(vectors.shape[1])] < 0.0, -1.0, 1.0)


def _separated(vectors: Float[np.ndarray, "free directions"]) -> Float[np.ndarray, "free directions"]:
    """Return unit vectors that span the same space, each with one variable that none of the others has.

    Eigenvectors of one eigenvalue are any mixture of each other; these name as few variables as pivoting finds.
    """
    if vectors.shape[1] < 2:
        return vectors
    pivots = np.asarray(qr(vectors.T, mode="r", pivoting=True)[-1])[: vectors.shape[1]]
    separated = vectors @ np.linalg.inv(vectors[pivots])
    separated /= np.linalg.norm(separated, axis=0)
    return separated * _signs(separated)


def _correlation(
    covariance: Float[np.ndarray, "inside inside"],
    inside: Int[np.ndarray, " inside"],
    undetermined: Bool[np.ndarray, " free"],
) -> Float[np.ndarray, "free free"]:
    root = np.sqrt(np.clip(np.diag(covariance), np.finfo(float).tiny, None))
    whole = np.full((len(undetermined), len(undetermined)), np.nan)
    whole[np.ix_(inside, inside)] = covariance / np.outer(root, root)
    whole[undetermined], whole[:, undetermined] = np.nan, np.nan
    return whole


def independent_values(targets: tuple[AbstractTarget, ...], data: TrainingSet) -> int:
    """Return how many independent values the targets hold: those that count, less what follows from others."""
    return sum(independent for _, independent in numbers_of_values(targets, data))


def numbers_of_values(targets: tuple[AbstractTarget, ...], data: TrainingSet) -> list[tuple[int, int]]:
    """Return how many values of each target count, and how many of these do not follow from others."""
    data = without_interactions(data)
    known = [np.asarray(one.counts) > 0.0 for one in counting(targets, data)]
    totals = [int(one.sum()) for one in known]
    return [(n, n - t.dependent(data, one)) for t, n, one in zip(targets, totals, known, strict=True)]
