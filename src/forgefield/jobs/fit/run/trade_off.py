"""What pulls against what in a fit, for results.json: gradients of the targets, and refits under other weights."""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np

from forgefield.errors import InputError
from forgefield.fitting.judge.opposition import Pieces, Point, cosines, factors, inside, shares, trade_off
from forgefield.fitting.solve.solver import Progress
from forgefield.jobs.fit.plan.prepare import Prepared
from forgefield.jobs.fit.run.passes import Passed, Stage
from forgefield.report.results import Opposition
from forgefield.report.validation_results import TradeOffPoint, TradeOffResult

PRIOR = "prior"


@dataclass(frozen=True)
class TradeOff:
    """Which targets' weights are varied, and at how many values."""

    targets: tuple[str, ...]
    points: int = 7


def require_targets(prepared: Prepared, asked: TradeOff) -> None:
    """Raise InputError where there is nothing to vary: unknown targets, or none to weigh against."""
    names = [target.name for target in prepared.plan.targets]
    unknown = [name for name in asked.targets if name not in names]
    if unknown:
        raise InputError(
            f"--trade-off {', '.join(map(repr, unknown))}: the fit has no such target; there are: {', '.join(names)}"
        )
    if len(names) < 2:
        raise InputError(
            f"--trade-off {asked.targets[0]!r}: it is the only target, so that there is nothing to weigh it against; "
            "name another one in [targets]"
        )
    if asked.points < 3:
        raise InputError("--trade-off needs three --points or more")


def opposition(passed: Passed) -> Opposition | None:
    """Return how the gradients of the targets and of the prior lie to each other at the end; None for one target.

    By the free variables in units of their prior widths, without those at a bound.
    """
    problem, at = passed.problem, passed.fit.at
    if len(problem.targets) < 2:
        return None
    gradients = [share.gradient for share in shares(passed.parts, at)]
    names = [target.name for target in problem.targets]
    if problem.prior.strength > 0.0:
        gradients.append(problem.prior.strength / len(at) * at)
        names.append(PRIOR)
    free = np.array(gradients) * inside(problem, at)
    return Opposition(names, np.linalg.norm(free, axis=1).tolist(), cosines(free).tolist())


def trade_offs(
    passed: Passed, asked: TradeOff, tell: Callable[[Stage, Progress], None]
) -> tuple[list[dict[str, Any]], bool]:
    """Return for each target asked for where fits end in which it weighs more or less; `tell` is called each step.

    Ctrl-C ends it with the points that there are; the second value says whether it came.
    """
    problem = passed.problem
    parts = replace(passed.parts, n_starts=1)
    names = [target.name for target in problem.targets]
    found = []
    for name in dict.fromkeys(asked.targets):
        k = names.index(name)
        try:
            points = trade_off(parts, passed.fit, k, asked.points, lambda progress: tell(passed.stage, progress))
        except KeyboardInterrupt:
            return found, True
        found.append(
            asdict(
                TradeOffResult(
                    target=name,
                    unit=problem.targets[k].unit,
                    units={target.name: target.unit for target in problem.targets},
                    points=[_point(parts, point, k) for point in points],
                )
            )
        )
        if len(points) < len(factors(asked.points)):
            return found, True
    return found, False


def _point(parts: Pieces, point: Point, k: int) -> TradeOffPoint:
    names: Sequence[str] = [target.name for target in parts.problem.targets]
    return TradeOffPoint(
        factor=point.factor,
        rms={name: share.rms for name, share in zip(names, point.shares, strict=True)},
        others=point.others(parts.problem, k),
        converged=point.converged,
    )
