"""What the data of a fit determine, and what its solver found of sensitivities, in the names of its parameters."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float

from forgefield.fitting.judge.uncertainty import Uncertainty
from forgefield.jobs.fit.run.passes import Passed
from forgefield.report.results import Component, Correlation, Direction, Identifiability, Sensitivity

_STRONG = 0.95
"""Pairs of parameters are listed from this correlation on."""
_LISTED = 50
"""Directions and pairs that are listed at most; how many there are is said beside."""
_NAMED = 0.1
"""Components of a direction below this share of its largest are not named."""


def identifiability(last: Passed, statistics: Uncertainty) -> Identifiability:
    """Return it for variables in units of their prior widths.

    Singular values are of the Jacobian of the data, without the prior, by the variables that are not at a bound.
    """
    names = last.changes.leaders
    pairs = statistics.correlated(_STRONG)
    finite = np.isfinite(statistics.condition)
    return Identifiability(
        n_free=len(names),
        n_at_bound=len(names) - len(statistics.singular_values),
        n_values=statistics.n_values,
        n_effective=statistics.n_effective,
        singular_values=[float(value) for value in statistics.singular_values],
        condition=statistics.condition if finite else None,
        n_undetermined=len(statistics.directions),
        n_ruled_by_prior=len(statistics.weak) - len(statistics.directions),
        undetermined=[name for name, loose in zip(names, statistics.undetermined, strict=True) if loose],
        directions=[
            Direction(
                singular_value=one.singular_value,
                determined_by="nothing" if one.undetermined else "prior",
                combination=_combination(one.vector, names),
            )
            for one in statistics.weak[:_LISTED]
        ],
        correlation_threshold=_STRONG,
        n_correlated=len(pairs),
        correlated=[Correlation(names[i], names[j], r) for i, j, r in pairs[:_LISTED]],
    )


def sensitivities(found: Float[np.ndarray, "free 3"] | None, names: Sequence[str]) -> list[Sensitivity]:
    """Return what the solver chose parameters by, the most sensitive first; nothing where it chose none."""
    if found is None:
        return []
    rows = [
        Sensitivity(name, first, second, second / first**2 if first else None, int(often))
        for name, (first, second, often) in zip(names, found.tolist(), strict=True)
    ]
    return sorted(rows, key=lambda row: np.inf if row.ratio is None else row.ratio)


def _combination(vector: Float[np.ndarray, " free"], names: Sequence[str]) -> list[Component]:
    """Return the components of a direction by name, the largest first."""
    ordered = np.argsort(-np.abs(vector), kind="stable")
    named = [k for k in ordered if abs(vector[k]) >= _NAMED * abs(vector[ordered[0]])]
    return [Component(names[int(k)], float(vector[k])) for k in named]
