"""What the targets of a fit want from each other: their gradients at the optimum, and optima for other weights."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Bool, Float

from forgefield.fitting.cost.cost import Problem, Quadratic
from forgefield.fitting.cost.gram import Gram, gram, grams
from forgefield.fitting.solve.fit import Fit, evaluated, fit, start
from forgefield.fitting.solve.solver import AbstractSolver, Progress

DECADES = 3.0
"""A weight is varied by so many decades up and down."""


@dataclass(frozen=True, eq=False)
class Pieces:
    """A problem taken apart by its targets."""

    problem: Problem
    forms: tuple[Gram | None, ...] | None
    """The quadratic form of each target, None for one at relaxed structures; None where the problem has none."""
    solver: AbstractSolver
    n_starts: int = 1
    """Of the fit whose compiled program is used."""

    @property
    def n_targets(self) -> int:
        """Number of targets."""
        return len(self.problem.targets)


@dataclass(frozen=True, eq=False)
class Share:
    """What one target has of the cost at a point."""

    rms: float
    """Root of the weighted mean square of its deviations, in its unit."""
    cost: float
    gradient: Float[np.ndarray, " free"]
    """Of its share of the cost, by scaled variables."""


@dataclass(frozen=True, eq=False)
class Point:
    """Where a fit ends whose target has another weight."""

    factor: float
    """On the weight."""
    at: Float[np.ndarray, " free"]
    shares: tuple[Share, ...]
    """Of each target under its own weight."""
    converged: bool

    def others(self, problem: Problem, k: int) -> float:
        """Return the weighted root mean square deviation of all targets but number `k`, in their tolerances."""
        rest = [j for j in range(len(self.shares)) if j != k]
        weight = sum(problem.targets[j].weight for j in rest)
        return float(np.sqrt(2.0 * sum(self.shares[j].cost for j in rest) / weight))


def pieces(problem: Problem, solver: AbstractSolver, *, n_starts: int = 1) -> Pieces:
    """Take a problem apart; `n_starts` is that of the fit that was made of it."""
    return Pieces(problem, grams(problem), solver, n_starts)


def _with(problem: Problem, targets: tuple, counts: tuple) -> Problem:
    return Problem(problem.model, problem.chunks, targets, counts, problem.prior, problem.variables)


def weighted(parts: Pieces, factors: tuple[float, ...]) -> tuple[Problem, Gram | None]:
    """Return the problem with each target's weight multiplied by a factor, zero included, and its quadratic form."""
    problem = parts.problem
    counts = tuple(
        np.array(np.asarray(count) / factor if factor > 0.0 else np.inf)
        for count, factor in zip(problem.counts, factors, strict=True)
    )
    changed = _with(problem, problem.targets, counts)
    if parts.forms is None:
        return changed, None
    known = [(form, f) for form, f in zip(parts.forms, factors, strict=True) if form is not None]
    if not known:
        return changed, gram(changed)
    first = known[0][0]
    cost, slope, matrix = (
        np.array(sum(f * np.asarray(getattr(form, what)) for form, f in known)) for what in ("cost", "slope", "matrix")
    )
    return changed, Gram(first.monomials, first.origin, cost, slope, matrix, first.column)


def shares(parts: Pieces, at: Float[np.ndarray, " free"]) -> tuple[Share, ...]:
    """Return what each target has of the cost at scaled variables, under its own weight."""
    found = []
    prior = parts.problem.prior.strength / len(at)
    for k, target in enumerate(parts.problem.targets):
        alone, form = weighted(parts, tuple(float(j == k) for j in range(parts.n_targets)))
        if form is not None and not parts.problem.relaxes:
            end = form.quadratic(alone, at)
        else:
            end = evaluated(alone, form, at, parts.solver, n_starts=parts.n_starts)
        # What is left of the prior is a rounding error, which may be negative.
        cost = max(float(end.cost) - 0.5 * prior * float(at @ at), 0.0)
        gradient = np.asarray(end.gradient) - prior * at
        found.append(Share(target.tolerance * float(np.sqrt(2.0 * cost / target.weight)), cost, gradient))
    return tuple(found)


def summed(parts: Pieces, at: Float[np.ndarray, " free"]) -> tuple[Quadratic, float]:
    """Return the quadratic model of the sum of squares of all deviations in their tolerances, and what the prior adds.

    The cost is of means: each target's part is multiplied by what it counts in all, over its weight. The prior is by
    the mean of these factors, and not in the model.
    """
    problem = parts.problem
    weights = np.array([target.weight for target in problem.targets])
    counts = np.array([float(np.asarray(count)) for count in problem.counts])
    counts = np.where(weights > 0.0, counts, 0.0)
    factors = counts / np.where(weights > 0.0, weights, 1.0)
    changed, form = weighted(parts, tuple(factors.tolist()))
    if form is not None and not problem.relaxes:
        end = form.quadratic(changed, at)
    else:
        end = evaluated(changed, form, at, parts.solver, n_starts=parts.n_starts)
    prior = problem.prior.strength / len(at)
    cost = np.asarray(end.cost) - 0.5 * prior * float(at @ at)
    normal = np.asarray(end.normal) - prior * np.eye(len(at))
    return Quadratic(cost, np.asarray(end.gradient) - prior * at, normal), prior * float(
        counts.sum() / (weights.sum() or 1.0)
    )


def inside(problem: Problem, at: Float[np.ndarray, " free"]) -> Bool[np.ndarray, " free"]:
    """Say which variables are not at a bound."""
    lower, upper = problem.bounds
    return (at > lower) & (at < upper)


def cosines(gradients: Float[np.ndarray, "pieces free"]) -> Float[np.ndarray, "pieces pieces"]:
    """Return the cosine between each two gradients, NaN where one of them vanishes: -1 where they oppose each other."""
    length = np.linalg.norm(gradients, axis=1)
    negligible = length <= 1e-12 * length.max(initial=0.0)
    unit = gradients / np.where(negligible, 1.0, length)[:, None]
    unit[negligible] = np.nan
    return np.clip(unit @ unit.T, -1.0, 1.0)


def factors(n: int) -> Float[np.ndarray, " factors"]:
    """Return n factors over the decades, with one among them (one factor more where n is even)."""
    return np.logspace(-DECADES, DECADES, n + (n + 1) % 2)


def trade_off(parts: Pieces, end: Fit, k: int, n: int, after: Callable[[Progress], None]) -> list[Point]:
    """Refit with the weight of target `k` multiplied by each of `n` factors, each from the end of its neighbour.

    `end` is the fit for the weights as they are. Points are in the order of the factors; fewer where interrupted.
    """
    wanted = factors(n)
    found = [Point(1.0, end.at, shares(parts, end.at), bool(end.starts_converged.any()))]
    for side in (wanted[wanted > 1.0 + 1e-9], wanted[wanted < 1.0 - 1e-9][::-1]):
        at = end.at
        for factor in side.tolist():
            problem, form = weighted(parts, tuple(factor if j == k else 1.0 for j in range(parts.n_targets)))
            refit = fit(problem, start(problem, at[None], parts.solver), parts.solver, form=form, after=after)
            if refit.interrupted:
                return sorted(found, key=lambda point: point.factor)
            at = refit.at
            one = replace(parts, n_starts=1)
            found.append(Point(factor, at, shares(one, at), bool(refit.starts_converged[0])))
    return sorted(found, key=lambda point: point.factor)
