"""What is told of each target: its figures in results.json, and the values behind its parity plot."""

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from forgefield.compiled import compiled_quickly
from forgefield.fitting.cost.cost import Sights, contributions, deviations
from forgefield.fitting.data.chunks import without_interactions
from forgefield.fitting.data.training_set import TrainingSet
from forgefield.fitting.judge.metrics import Judgement
from forgefield.fitting.judge.uncertainty import numbers_of_values
from forgefield.fitting.targets.charges import Charges
from forgefield.fitting.targets.fixed import Diagonal, Energies, Forces, Frequencies
from forgefield.fitting.targets.relaxed import AtRelaxed
from forgefield.fitting.targets.target import AbstractTarget, centred, unweighted
from forgefield.jobs.fit.plan.prepare import Prepared
from forgefield.jobs.fit.plan.target_choices import TARGETS
from forgefield.report.record import Parity
from forgefield.report.results import TargetResult


def of_targets(
    targets: tuple[AbstractTarget, ...], data: TrainingSet, start: Judgement, final: Judgement
) -> list[TargetResult]:
    """Return the figures of each target before and after the fit."""
    shares = [contributions(targets, data, judged.sights) for judged in (start, final)]
    return [
        TargetResult(
            name=target.name,
            unit=target.unit,
            tolerance=target.tolerance,
            weight=target.weight,
            values=values,
            independent=independent,
            rms_start=target.tolerance * float(np.sqrt(2.0 * before / target.weight)),
            rms_final=target.tolerance * float(np.sqrt(2.0 * after / target.weight)),
            cost_start=before,
            cost_final=after,
        )
        for target, (values, independent), before, after in zip(
            targets, numbers_of_values(targets, data), *shares, strict=True
        )
    ]


def parities(prepared: Prepared, start: Judgement, final: Judgement) -> tuple[Parity, ...]:
    """Return the values behind the parity plots: of what was fitted to, and of all else that the references hold."""
    known = {_quantity(target) for target in prepared.plan.targets}
    further = [target for target in _further(final) if _quantity(target) not in known]
    targets = (*prepared.plan.targets, *further)
    references = without_interactions(prepared.data)
    sights = start.sights.resized(references), final.sights.resized(references)
    found = []
    weight = np.asarray(references.weight)
    for k, (target, values) in enumerate(zip(targets, _values(targets, references, sights), strict=True)):
        if values is not None and (shown := np.asarray(values[0]) > 0.0).any():
            reference, before, after = (np.asarray(one)[shown] for one in values[1:])
            found.append(
                Parity(
                    target=target.name,
                    unit=target.unit,
                    reference=reference,
                    start=before,
                    final=after,
                    fitted=np.broadcast_to(weight[:, None] > 0.0, shown.shape)[shown],
                    tolerance=target.tolerance,
                    is_target=k < len(prepared.plan.targets),
                )
            )
    return tuple(found)


def _quantity(target: AbstractTarget) -> str:
    """Return what a target is about, wherever it looks."""
    return target.name.removesuffix(", relaxed")


def _further(final: Judgement) -> list[AbstractTarget]:
    """Return what is compared whether or not it was fitted to, at the structures that the metrics are about."""
    relaxed = final.relaxed
    curved = [Frequencies(_usual("frequencies")), Diagonal(_usual("eigenmatrix"))]
    if relaxed is not None and relaxed.observation is not None:
        curved = [AtRelaxed(target) for target in curved]
    charged = [Charges(_usual("charges"))] if final.observation.charges.size else []
    energies = Energies(_usual("energy"))
    return [*curved, Forces(_usual("forces")), energies if relaxed is None else AtRelaxed(energies), *charged]


def _usual(key: str) -> float:
    """Return the tolerance of a target where nobody says otherwise."""
    return TARGETS[key].usual.tolerance


@compiled_quickly
def _values(
    targets: tuple[AbstractTarget, ...], data: TrainingSet, sights: tuple[Sights, Sights]
) -> tuple[tuple[Array, ...] | None, ...]:
    """Return what counts of each target whatever it weighs, reference values, and the model's before and after."""
    data = unweighted(data)
    found = []
    for target in targets:
        reference = target.reference(data)
        if reference is None:
            found.append(None)
            continue
        (before, there), (after, still) = (deviations(target, data, seen) for seen in sights)
        counted = jnp.where((there > 0.0) & (still > 0.0), there, 0.0)
        if target.traits.is_relative:
            reference = centred(reference, counted, data.group)
        found.append((counted, reference, reference + before, reference + after))
    return tuple(found)
