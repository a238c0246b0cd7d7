"""Whether a fit improves on its start: the interval of the improvement, and the rule by which it is decided."""

from math import comb

from forgefield.fitting.judge.resampling import LEVEL, Improvement

FEWEST_DIFFERENT = round(2.0 / (1.0 - LEVEL))
"""Different samples below which the ends of an interval are single samples: its tails hold one in forty each."""
FEWEST_STARTS = 20
BETTER, WORSE, NOT, OPEN = "significantly better", "significantly worse", "not significant", "not decidable"
RULE = f"""An improvement is 1 − after/before of the matched frequency RMSD.

- **Three molecules and more**: each molecule is left out in turn, and the fit of the others is judged on it. The
  interval is that of drawing these molecules again with replacement. The improvement *fitted* is that on the
  molecules of the fit, with the interval over refits to such samples. The verdict is by the molecules left out.
- **One or two molecules**: the interval is over the ends of all starts that converged, against the first
  estimate. It tells whether the improvement depends on where the fit begins, and nothing about other molecules.
- **Significant**: the 95 % interval is on one side of zero. **Not significant**: it holds zero.
- **Not decidable with this much data**: n molecules have fewer than {FEWEST_DIFFERENT} different samples
  ((2n−1)!/n!(n−1)!, reached from five molecules on), fewer than {FEWEST_STARTS} starts converged, or the data
  determine as many parameters as they hold independent values, so that any fit is better."""


def different_samples(molecules: int) -> int:
    """Return how many different samples of as many as there are can be drawn with replacement."""
    return comb(2 * molecules - 1, molecules)


def verdict(
    found: Improvement, *, molecules: int, by_molecules: bool, values: int, determined: float
) -> tuple[str, str]:
    """Return the verdict on an improvement in words, and why it is none where it is not decidable.

    `values` are the independent values of the data, `determined` the parameters that these determine.
    """
    if reason := _undecidable(found, molecules, by_molecules, values, determined):
        return OPEN, reason
    assert found.low is not None
    assert found.high is not None
    if found.low > 0.0:
        return BETTER, ""
    return (WORSE, "") if found.high < 0.0 else (NOT, "")


def _undecidable(found: Improvement, molecules: int, by_molecules: bool, values: int, determined: float) -> str:
    if round(determined) >= values:
        return f"{values} independent values determine {determined:.0f} parameters"
    if by_molecules and different_samples(molecules) < FEWEST_DIFFERENT:
        return f"{molecules} molecules have {different_samples(molecules)} different samples"
    if not by_molecules and found.n < FEWEST_STARTS:
        return f"{found.n} start(s) converged"
    if found.low is None or found.high is None:
        return "there is no interval"
    return ""
