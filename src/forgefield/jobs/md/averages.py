"""Averages over the frames of a run that grow with it, and go on where an interrupted run does."""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float


class Moments(NamedTuple):
    """Number, means, and sums of products of deviations from the means, of some quantities in each replica.

    T. F. Chan, G. H. Golub and R. J. LeVeque, Am. Stat. 1983, 37, 242: parts are joined without loss of digits.
    """

    n: Float[np.ndarray, " replicas"]
    mean: Float[np.ndarray, "replicas quantities"]
    products: Float[np.ndarray, "replicas quantities quantities"]

    def joined(self, other: "Moments") -> "Moments":
        """Return the moments of the frames of both."""
        n = self.n + other.n
        share = np.divide(other.n, n, out=np.zeros_like(n), where=n > 0)
        apart = other.mean - self.mean
        between = (self.n * share)[:, None, None] * (apart[:, :, None] * apart[:, None, :])
        return Moments(n, self.mean + share[:, None] * apart, self.products + other.products + between)

    @property
    def pooled(self) -> "Moments":
        """The moments of the frames of all replicas together, as of one replica."""
        whole = Moments(*(part[:1] for part in self))
        for k in range(1, len(self.n)):
            whole = whole.joined(Moments(*(part[k : k + 1] for part in self)))
        return whole


def no_frames(n_replicas: int, n_quantities: int) -> Moments:
    """Return the moments before there are frames."""
    return Moments(
        np.zeros(n_replicas), np.zeros((n_replicas, n_quantities)), np.zeros((n_replicas, n_quantities, n_quantities))
    )


def moments(values: Float[np.ndarray, "frames replicas quantities"]) -> Moments:
    """Return the moments of frames; one with a NaN counts for nothing in its replica."""
    counts = np.asarray(np.isfinite(values).all(axis=2))
    n = counts.sum(axis=0).astype(float)
    kept = np.where(counts[:, :, None], values, 0.0)
    mean = np.divide(kept.sum(axis=0), n[:, None], out=np.zeros(values.shape[1:]), where=n[:, None] > 0)
    deviation = np.where(counts[:, :, None], values - mean[None], 0.0)
    return Moments(n, mean, np.einsum("frp,frq->rpq", deviation, deviation))


class Averages(NamedTuple):
    """What is known of all frames of a run, and of those after its equilibration."""

    whole: Moments
    """Of time [ps] and energy [kcal/mol]."""
    settled: Moments
    """Of time [ps] and temperature [K]."""

    def with_frames(
        self,
        time: Float[np.ndarray, " frames"],
        temperature: Float[np.ndarray, "frames replicas"],
        energy: Float[np.ndarray, "frames replicas"],
        *,
        settled: np.ndarray,
    ) -> "Averages":
        """Return the averages with further frames, of which `settled` says which are after the equilibration."""
        times = np.broadcast_to(time[:, None], energy.shape)
        return Averages(
            self.whole.joined(moments(np.stack([times, energy], axis=2))),
            self.settled.joined(moments(np.stack([times, temperature], axis=2)[settled])),
        )

    @property
    def drift(self) -> tuple[Float[np.ndarray, " replicas"], Float[np.ndarray, " replicas"]]:
        """Slope of the straight line through the energies of each replica, and the sum of squares left by it."""
        times, across, energies = (self.whole.products[:, i, j] for i, j in ((0, 0), (0, 1), (1, 1)))
        slope = np.divide(across, times, out=np.zeros_like(across), where=times > 0)
        return slope, np.maximum(energies - slope * across, 0.0)


def no_averages(n_replicas: int) -> Averages:
    """Return the averages of a run that has not begun."""
    return Averages(no_frames(n_replicas, 2), no_frames(n_replicas, 2))
