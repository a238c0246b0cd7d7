"""How well the data determine the parameters: covariance, and directions that they leave open."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float

from forgefield.fit.cost import Problem, Quadratic
from forgefield.fit.targets import AbstractTarget, Energies, OffDiagonal
from forgefield.fit.training import TrainingSet

_UNDETERMINED = 1e-7
"""A direction whose singular value is below this fraction of the largest changes nothing that is measured."""
_SHARE = 0.1
"""A parameter counts as undetermined when more than this share of it lies in such directions."""


@dataclass(frozen=True, eq=False)
class Uncertainty:
    """Standard deviations in scaled variables, and what the data say nothing about."""

    sigma: Float[np.ndarray, " free"]
    """NaN where undetermined."""
    undetermined: Bool[np.ndarray, " free"]
    directions: tuple[Float[np.ndarray, " free"], ...]
    """Unit vectors along which the data do not change."""
    singular_values: Float[np.ndarray, " inside"]
    """Of the Jacobian by the variables that are not at a bound, the largest first."""
    n_values: int
    """Independent values: off-diagonal elements count none."""
    n_effective: float
    """Parameters that the data, rather than the prior, determine."""


def uncertainty(problem: Problem, end: Quadratic, at_bound: Bool[np.ndarray, " free"]) -> Uncertainty:
    """Return s² (JᵀWJ + prior)⁻¹ with s² the weighted residual sum over the degrees of freedom.

    `end` is the quadratic model at the end of a fit. Variables at a bound are not free and have no standard
    deviation.
    """
    n_free = len(at_bound)
    inside = np.flatnonzero(~at_bound)
    total = np.asarray(end.normal)[np.ix_(inside, inside)]
    measured = total - problem.prior.strength / n_free * np.eye(len(inside))
    values, vectors = np.linalg.eigh(measured)
    singular = np.sqrt(np.clip(values, 0.0, None))
    open_ = singular <= _UNDETERMINED * max(singular.max(initial=0.0), np.finfo(float).tiny)
    undetermined = np.zeros(n_free, dtype=bool)
    undetermined[inside] = (vectors[:, open_] ** 2).sum(axis=1) > _SHARE
    n_values = independent_values(problem.targets, problem.data)
    inverse = np.linalg.pinv(total, rcond=_UNDETERMINED**2, hermitian=True)
    n_effective = float(np.trace(inverse @ measured))
    freedom = n_values - n_effective
    residual = 2.0 * float(end.cost)
    sigma = np.full(n_free, np.nan)
    if freedom > 0.5:
        sigma[inside] = np.sqrt(residual / freedom * np.clip(np.diag(inverse), 0.0, None))
    sigma[undetermined] = np.nan
    directions = []
    for vector in vectors[:, open_].T:
        whole = np.zeros(n_free)
        whole[inside] = vector
        directions.append(whole)
    return Uncertainty(
        sigma=sigma,
        undetermined=undetermined,
        directions=tuple(directions),
        singular_values=singular[::-1],
        n_values=n_values,
        n_effective=n_effective,
    )


def independent_values(targets: tuple[AbstractTarget, ...], data: TrainingSet) -> int:
    """Return how many independent values the targets hold.

    Off-diagonal elements count none, and relative energies one less than the molecules of a group.
    """
    total = sum(int(t.counted(data).sum()) for t in targets if not isinstance(t, OffDiagonal))
    return total - sum(_groups(t, data) for t in targets if isinstance(t, Energies))


def _groups(target: Energies, data: TrainingSet) -> int:
    """Return in how many groups energies are compared."""
    return len(np.unique(np.asarray(data.group)[np.asarray(target.counted(data)) > 0.0]))
