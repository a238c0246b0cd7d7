"""How far a fit can be trusted beyond the molecules it has seen: shares in the cost, intervals, jackknife."""

from dataclasses import dataclass

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from forgefield.fitting.cost.cost import Sights, deviations
from forgefield.fitting.data.training_set import TrainingSet
from forgefield.fitting.targets.target import AbstractTarget

LEVEL = 0.95
"""Of intervals."""
_SKEW = 0.5
"""An interval whose sides differ by more than this share of their mean is given by its ends."""
FEWEST = 3
"""Molecules that resampling needs."""
FEWEST_OF_JACKKNIFE = 5


@dataclass(frozen=True, eq=False)
class Shares:
    """What each molecule adds to each target: weighted squares of deviations over tolerances, and what they count."""

    squares: Float[np.ndarray, "targets molecules"]
    counts: Float[np.ndarray, "targets molecules"]

    def cost(self, multiplicity: Float[np.ndarray, " molecules"] | Int[np.ndarray, " molecules"]) -> float:
        """Return the cost, without the prior, of a set that holds each molecule so many times; NaN for none."""
        counts = self.counts @ multiplicity
        if not (counts > 0.0).any():
            return float("nan")
        return float(0.5 * ((self.squares @ multiplicity)[counts > 0.0] / counts[counts > 0.0]).sum())


def shares(targets: tuple[AbstractTarget, ...], data: TrainingSet, sights: Sights) -> Shares:
    """Return what each molecule adds to the targets for what was seen of a whole training set.

    Relative energies are about the mean of the whole group, whichever molecules are looked at.
    """
    squares, counts = _shares(targets, data, sights)
    return Shares(np.asarray(squares), np.asarray(counts))


@eqx.filter_jit
def _shares(
    targets: tuple[AbstractTarget, ...], data: TrainingSet, sights: Sights
) -> tuple[Float[Array, "targets molecules"], Float[Array, "targets molecules"]]:
    squares, counts = [], []
    for target in targets:
        found, counted = deviations(target, data, sights)
        squares.append(target.weight * jnp.sum(counted * (found / target.tolerance) ** 2, axis=1))
        counts.append(counted.sum(axis=1))
    return jnp.stack(squares), jnp.stack(counts)


def resamples(counting: Int[np.ndarray, " _"], n_molecules: int, n: int, seed: int) -> Int[np.ndarray, "n molecules"]:
    """Return how often each molecule is drawn in n samples, each of as many as there are, of those that count."""
    drawn = np.random.default_rng(seed).choice(counting, size=(n, len(counting)))
    counts = np.zeros((n, n_molecules), dtype=np.int64)
    np.add.at(counts, (np.arange(n)[:, None], drawn), 1)
    return counts


@dataclass(frozen=True)
class Improvement:
    """A relative improvement, 1 - after/before, with its interval."""

    value: float | None
    low: float | None
    high: float | None
    n: int
    """Samples behind the interval."""

    @property
    def significance(self) -> str:
        """`significant` where the interval excludes zero, else `not significant`."""
        if self.low is None or self.high is None:
            return "not tested"
        return "significant" if self.low > 0.0 or self.high < 0.0 else "not significant"

    @property
    def verdict(self) -> str:
        """In words, such as `44.7 ± 0.3 % better: significant`."""
        if self.value is None or self.low is None or self.high is None:
            return "unknown"
        word = "better" if self.value >= 0.0 else "worse"
        below, above = 100.0 * (self.value - self.low), 100.0 * (self.high - self.value)
        half = 0.5 * (below + above)
        decimals = 1 if half >= 0.05 else 2
        size = f"{100.0 * abs(self.value):.{decimals}f}"
        if abs(above - below) <= _SKEW * half:
            return f"{size} ± {half:.{decimals}f} % {word}: {self.significance}"
        sign = 1.0 if self.value >= 0.0 else -1.0
        ends = sorted((100.0 * sign * self.low, 100.0 * sign * self.high))
        interval = f"{ends[0]:.{decimals}f} to {ends[1]:.{decimals}f}".replace("-", "−")
        return f"{size} % {word} ({100.0 * LEVEL:.0f} %: {interval}): {self.significance}"


def improvement(value: float, samples: Float[np.ndarray, " samples"]) -> Improvement:
    """Return a relative improvement with the percentile interval of its samples (Efron, Ann. Stat. 1979, 7, 1)."""
    known = samples[np.isfinite(samples)]
    if len(known) < 2 or not np.isfinite(value):
        return Improvement(float(value) if np.isfinite(value) else None, None, None, len(known))
    low, high = np.quantile(known, [0.5 - LEVEL / 2.0, 0.5 + LEVEL / 2.0])
    return Improvement(float(value), float(low), float(high), len(known))


def gain(before: float | None, after: float | None) -> float:
    """Return 1 - after/before; NaN where that is unknown."""
    if before is None or after is None or not before > 0.0:
        return float("nan")
    return 1.0 - after / before


def jackknife(values: Float[np.ndarray, "left_out parameters"]) -> Float[np.ndarray, " parameters"]:
    """Return standard deviations by the delete-one jackknife, √((n-1)/n Σ (pᵢ - p̄)²) (Tukey 1958).

    One row of `values` for each molecule left out.
    """
    n = len(values)
    return np.sqrt((n - 1) / n * ((values - values.mean(axis=0)) ** 2).sum(axis=0))
