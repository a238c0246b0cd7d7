"""What is told of each target: its figures in results.json, and the values behind its parity plot."""

from dataclasses import replace

import jax.numpy as jnp
import numpy as np

from forgefield.fitting.cost.cost import contributions, deviations
from forgefield.fitting.data.training_set import TrainingSet
from forgefield.fitting.judge.metrics import Judgement
from forgefield.fitting.judge.uncertainty import independent_values
from forgefield.fitting.targets.charges import Charges
from forgefield.fitting.targets.fixed import Diagonal, Energies, Forces, Frequencies
from forgefield.fitting.targets.relaxed import AtRelaxed
from forgefield.fitting.targets.target import AbstractTarget, centred, counts
from forgefield.jobs.fit.plan.prepare import Prepared
from forgefield.report.record import Parity
from forgefield.report.results import TargetResult


def of_targets(
    targets: tuple[AbstractTarget, ...], data: TrainingSet, start: Judgement, final: Judgement
) -> list[TargetResult]:
    """Return the figures of each target before and after the fit."""
    shares = [
        [float(one) for one in contributions(targets, data, judged.sights, jnp.asarray(judged.matching))]
        for judged in (start, final)
    ]
    return [
        TargetResult(
            name=target.name,
            unit=target.unit,
            tolerance=target.tolerance,
            weight=target.weight,
            values=int((np.asarray(counts(target, data)) > 0.0).sum()),
            independent=independent_values((target,), data),
            rms_start=target.tolerance * float(np.sqrt(2.0 * before / target.weight)),
            rms_final=target.tolerance * float(np.sqrt(2.0 * after / target.weight)),
            cost_start=before,
            cost_final=after,
        )
        for target, before, after in zip(targets, *shares, strict=True)
    ]


def parities(prepared: Prepared, start: Judgement, final: Judgement) -> tuple[Parity, ...]:
    """Return the values behind the parity plots: of what was fitted to, and of all else that the references hold."""
    known = {target.name for target in prepared.plan.targets}
    further = [target for target in _further(final) if not {target.name, f"{target.name}, relaxed"} & known]
    found = (_parity(target, prepared.data, start, final) for target in (*prepared.plan.targets, *further))
    return tuple(one for one in found if one is not None)


def _further(final: Judgement) -> list[AbstractTarget]:
    """Return what is compared whether or not it was fitted to, at the structures that the metrics are about."""
    relaxed = final.relaxed
    curved = [Frequencies(1.0), Diagonal(1.0)]
    if relaxed is not None and relaxed.observation is not None:
        curved = [AtRelaxed(target) for target in curved]
    charged = [Charges(1.0)] if final.observation.charges.size else []
    return [*curved, Forces(1.0), Energies(1.0) if relaxed is None else AtRelaxed(Energies(1.0)), *charged]


def _parity(target: AbstractTarget, data: TrainingSet, start: Judgement, final: Judgement) -> Parity | None:
    """Return reference and model values, whatever they weigh; None where there are none to show."""
    everything = replace(data, weight=np.ones_like(data.weight), mode_weight=np.asarray(data.has_mode, dtype=float))
    reference = target.reference(everything)
    if reference is None:
        return None
    (before, there), (after, still) = (
        deviations(target, everything, judged.sights, jnp.asarray(judged.matching)) for judged in (start, final)
    )
    counted = jnp.where((there > 0.0) & (still > 0.0), there, 0.0)
    if target.traits.is_relative:
        reference = centred(reference, counted, data.group)
    shown = np.asarray(counted) > 0.0
    if not shown.any():
        return None
    values = (np.asarray(one)[shown] for one in (reference, reference + before, reference + after))
    return Parity(target.name, target.unit, *values)
