"""One value for each row of a force field, out of the values of all interactions that the row describes."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int


@dataclass(frozen=True, eq=False)
class RowStatistics:
    """Mean and spread of equivalent interactions, row by row; NaN where a row has no interaction."""

    mean: Float[np.ndarray, " rows"]
    std: Float[np.ndarray, " rows"]
    """Standard deviation of the interactions themselves (divided by their number)."""
    minimum: Float[np.ndarray, " rows"]
    maximum: Float[np.ndarray, " rows"]
    count: Int[np.ndarray, " rows"]
    """Number of interactions."""


def estimate_rows(
    values: Float[np.ndarray, " interactions"], row: Int[np.ndarray, " interactions"], n_rows: int
) -> RowStatistics:
    """Return mean and spread of the values of each row's interactions, those of all molecules together."""
    count = np.bincount(row, minlength=n_rows)
    seen = count > 0
    divisor = np.maximum(count, 1)
    mean = np.bincount(row, weights=values, minlength=n_rows) / divisor
    variance = np.bincount(row, weights=(values - mean[row]) ** 2, minlength=n_rows) / divisor
    minimum = np.full(n_rows, np.inf)
    maximum = np.full(n_rows, -np.inf)
    np.minimum.at(minimum, row, values)
    np.maximum.at(maximum, row, values)
    mean, std, minimum, maximum = (np.where(seen, x, np.nan) for x in (mean, np.sqrt(variance), minimum, maximum))
    return RowStatistics(mean=mean, std=std, minimum=minimum, maximum=maximum, count=count)
