"""The outcome of a fit as results.json and as the record that the report shows."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Bool, Float

from forgefield.assign.explicit.rules import AbstractStatedRules
from forgefield.assign.instances import KINDS
from forgefield.fitting.cost.gram import obstacle
from forgefield.fitting.data.training_set import Weights
from forgefield.fitting.judge.metrics import Judgement, pooled
from forgefield.fitting.judge.opposition import summed
from forgefield.fitting.judge.sanity import cancelling, unbounded
from forgefield.fitting.judge.uncertainty import Uncertainty, determined, independent_values, uncertainty
from forgefield.fitting.targets.target import View
from forgefield.jobs.fit.outcome.citations import citations
from forgefield.jobs.fit.outcome.ending import ending, provenance
from forgefield.jobs.fit.outcome.identifiability import identifiability, sensitivities
from forgefield.jobs.fit.outcome.purpose import not_for
from forgefield.jobs.fit.outcome.row_deviations import held_back, row_deviations
from forgefield.jobs.fit.outcome.row_geometry import apart, drifted, geometries, row_geometry
from forgefield.jobs.fit.outcome.scans import scans
from forgefield.jobs.fit.outcome.strain import at_rest, balanced, overstrained, strained, strains
from forgefield.jobs.fit.outcome.targets import of_targets, parities
from forgefield.jobs.fit.outcome.unmoved import unmoved
from forgefield.jobs.fit.outcome.unphysical import about_unphysical, found_unphysical
from forgefield.jobs.fit.outcome.verdict import (
    far_off,
    imaginary,
    reason,
    soft_turns,
    undetermined,
    worse_than_at_the_start,
)
from forgefield.jobs.fit.outcome.vibrations import vibrations
from forgefield.jobs.fit.plan.check import weight_of
from forgefield.jobs.fit.plan.choices import name_of
from forgefield.jobs.fit.plan.plan import Generated
from forgefield.jobs.fit.plan.prepare import Prepared
from forgefield.jobs.fit.plan.starting import with_values
from forgefield.jobs.fit.run.passes import Passed
from forgefield.jobs.fit.run.relaxed_results import judge_told, lost, pieces_moved, structures, turned
from forgefield.jobs.fit.run.trade_off import opposition
from forgefield.report.record import Covered, FitRecord, Optimum
from forgefield.report.results import (
    Change,
    Frequency,
    MoleculeResult,
    ParameterResult,
    Results,
    RowGeometry,
    Strain,
    TargetResult,
    told,
)
from forgefield.terms.cross import COUPLINGS

_SAME_OPTIMUM = 1e-4
"""Starts whose costs agree to this fraction ended in the same place."""


def record(prepared: Prepared, passes: list[Passed]) -> FitRecord:
    """Judge the end of a fit against its start and gather everything worth telling."""
    last = passes[-1]
    judge = judge_told(prepared.plan.targets)
    start = judge(prepared.assignment.model, prepared.data, prepared.examples)
    final = judge(with_values(prepared.assignment, last.values).model, prepared.data, prepared.examples)
    statistics = _statistics(prepared, last)
    told_of_targets = of_targets(last.problem.targets, prepared.data, start, final)
    parameters = _parameters(prepared, last, statistics)
    positions = np.asarray(prepared.data.positions)
    geometry = geometries(prepared.assignment, positions)
    shapes = row_geometry(prepared.assignment, last.values, geometry, frozenset(row.name for row in prepared.rows))
    strain = strains(prepared.assignment, last.values, *at_rest(prepared.assignment.topology, positions, final))
    molecules = _molecules(prepared, start, final, strain)
    wrong = found_unphysical(prepared, last, geometry.mean, final)
    results = Results(
        fit=ending(passes, prepared.plan, _lacking(prepared, last, told_of_targets, wrong.spoilt, molecules)),
        targets=told_of_targets,
        metrics=_metrics(prepared, start, final),
        left_out=_left_out(prepared, start, final),
        parameters=parameters,
        molecules=molecules,
        scans=scans(prepared, start, final),
        row_deviations=(rows := list(row_deviations(prepared, final))),
        row_geometry=list(shapes),
        identifiability=identifiability(last, statistics),
        sensitivities=sensitivities(last.fit.sensitivity, last.changes.leaders),
        opposition=opposition(last),
        trade_off=None,
        validation=None,
        skipped=list(prepared.skipped),
        warnings=[
            *prepared.warnings,
            *_warnings(passes, statistics),
            *worse_than_at_the_start(told_of_targets),
            *about_unphysical(prepared, wrong),
            *_about_parameters(prepared, last, parameters),
            *_about_shapes(prepared, shapes, parameters, molecules),
            *lost(prepared, final),
            *held_back(prepared, rows),
        ],
        not_for=not_for(prepared.assignment, prepared.examples),
        citations=citations(prepared, relaxes=final.relaxed is not None),
        provenance=provenance(prepared.input_sha256),
    )
    return FitRecord(
        title=prepared.plan.name,
        results=told(results),
        costs=np.concatenate([passed.fit.costs for passed in passes]),
        contributions=_shares(last, told_of_targets),
        parities=parities(prepared, start, final),
        optima=_optima(passes[0]),
        types=prepared.assignment.descriptions,
        statements=_statements(prepared, last),
        structures=structures(prepared, final),
        files=(),
        coverage=_coverage(prepared),
        vibrations=vibrations(prepared, final),
        costs_of_estimate=_costs_of_estimate(passes),
    )


def _statistics(prepared: Prepared, last: Passed) -> Uncertainty:
    n_values = independent_values(last.problem.targets, prepared.data)
    measured, prior = summed(last.parts, last.fit.at)
    return uncertainty(measured, prior, _at_bound(last), n_values)


def _metrics(prepared: Prepared, start: Judgement, final: Judgement) -> Change:
    """Return the metrics of what is fitted to; of all molecules where all are."""
    fitted = np.array([example.weights.molecule > 0.0 for example in prepared.examples])
    return Change(start.total, final.total) if fitted.all() else _pooled(start, final, fitted)


def _left_out(prepared: Prepared, start: Judgement, final: Judgement) -> Change | None:
    """Return the metrics of molecules of weight zero."""
    left_out = np.array([example.weights.molecule == 0.0 for example in prepared.examples])
    return _pooled(start, final, left_out) if left_out.any() else None


def _pooled(start: Judgement, final: Judgement, these: Bool[np.ndarray, " molecules"]) -> Change:
    places = np.flatnonzero(these)
    return Change(
        *(pooled([one.modes[k] for k in places], [one.each[k] for k in places]) for one in (start, final)),
    )


def _costs_of_estimate(passes: list[Passed]) -> Float[np.ndarray, " iterations"] | None:
    """Return the costs from the estimate; None where these are those that ended lowest."""
    first = passes[0]
    if int(np.argmin(first.fit.starts_cost)) == 0:
        return None
    costs = first.costs[:, 0]
    return costs[np.isfinite(costs)]


def _coverage(prepared: Prepared) -> tuple[Covered, ...]:
    found = () if prepared.mm3 is None else prepared.mm3.coverage
    return tuple(Covered(c.kind, c.substructure, c.table, c.uncovered) for c in found)


def _shares(last: Passed, told: list[TargetResult]) -> dict[str, tuple[float, float]]:
    """Return the share of each target and of the prior in the cost, before and after."""
    shares = {one.name: (one.cost_start, one.cost_final) for one in told}
    return {**shares, "prior": (0.0, 0.5 * last.problem.prior.strength * float(np.mean(last.fit.at**2)))}


def _at_bound(passed: Passed) -> np.ndarray:
    variables = passed.problem.variables
    lower, upper = np.asarray(variables.lower), np.asarray(variables.upper)
    return (passed.free <= lower) | (passed.free >= upper)


def _parameters(prepared: Prepared, last: Passed, statistics: Uncertainty) -> list[ParameterResult]:
    """Return a row for each parameter of the force field, in internal units."""
    changes = last.changes
    width, strength = np.asarray(last.problem.prior.width), last.problem.prior.strength
    # Standard deviations of tied values follow from those of the variables they depend on.
    leader, factor = changes.variables.leader, np.abs(np.asarray(changes.variables.factor))
    sigma = factor * np.nan_to_num(statistics.sigma * width)[leader]
    unknown = (factor > 0.0) & np.isnan(statistics.sigma)[leader]
    bound = (factor > 0.0) & _at_bound(last)[leader]
    place_of = {name: k for k, name in enumerate(changes.names)}
    variable = {name: k for k, name in enumerate(changes.leaders)}
    table = []
    for row in prepared.assignment.rows:
        for position, parameter in enumerate(row.term.own):
            name = row.parameter_name(position)
            k = place_of.get(name)
            free = variable.get(name)
            value = float(last.values[row.indices[position]])
            deviation = None if k is None or unknown[k] else float(sigma[k])
            at_bound = bool(k is not None and bound[k])
            left_alone = k is None or at_bound or factor[k] == 0.0
            table.append(
                ParameterResult(
                    name=name,
                    term=row.term.name,
                    unit=parameter.unit,
                    start=float(prepared.start[row.indices[position]]),
                    value=value,
                    sigma=deviation,
                    prior=float(width[free]) if free is not None and strength > 0.0 else None,
                    at_bound=at_bound,
                    trained=k is not None,
                    determined=None if left_alone else determined(value, deviation, parameter.unit),
                )
            )
    return table


def _molecules(prepared: Prepared, start: Judgement, final: Judgement, strain: list[Strain]) -> list[MoleculeResult]:
    table = []
    for m, example in enumerate(prepared.examples):
        modes, before = final.modes[m], start.modes[m]
        frequencies = (
            []
            if modes is None or before is None
            else [
                Frequency(*map(float, values))
                for values in zip(modes.reference, modes.model, modes.overlap, before.model, strict=True)
            ]
        )
        reaction = None if modes is None else np.flatnonzero(~modes.counted)
        table.append(
            MoleculeResult(
                name=example.molecule.name,
                atoms=example.molecule.n_atoms,
                final=final.each[m],
                weight=example.weights.molecule,
                start=start.each[m],
                strain=strain[m],
                reaction_mode=None if reaction is None or not reaction.size else int(reaction[0]),
                frequencies=frequencies,
                turns=turned(prepared, final, m),
                pieces_a=pieces_moved(prepared, final, m),
            )
        )
    return table


def _about_parameters(prepared: Prepared, last: Passed, parameters: list[ParameterResult]) -> list[str]:
    rows, values = prepared.rows, last.values
    return [*_too_strong(prepared, last), *cancelling(rows, values), *undetermined(parameters)]


def _lacking(
    prepared: Prepared,
    last: Passed,
    targets: list[TargetResult],
    spoilt: Sequence[str],
    molecules: list[MoleculeResult],
) -> str:
    """Return what a fit lacks for a success; nothing where it is one."""
    strain = overstrained(balanced(molecules, prepared.data)) if isinstance(prepared.plan.start, Generated) else []
    return reason(
        converged=last.fit.success,
        targets=targets,
        wrong=[*spoilt, *imaginary(molecules), *strain],
        kinds={term.kind for term in prepared.assignment.model.terms} | _nowhere(prepared),
        too_strong=bool(_too_strong(prepared, last)),
    )


def _nowhere(prepared: Prepared) -> set[str]:
    """Return the kinds of interactions that none of the molecules has."""
    molecules = [example.molecule for example in prepared.examples]
    return {kind for kind, one in KINDS.items() if not any(len(one.find(m)) for m in molecules)}


def _too_strong(prepared: Prepared, last: Passed) -> list[str]:
    """Say which couplings are stronger than what they couple."""
    assignment = prepared.assignment
    found = [
        places
        for term, group in zip(assignment.model.terms, assignment.topology.interactions, strict=True)
        if term in COUPLINGS
        for places in np.unique(np.asarray(group.parameters), axis=0).tolist()
    ]
    return unbounded(prepared.rows, found, last.values)


def _about_shapes(
    prepared: Prepared,
    shapes: tuple[RowGeometry, ...],
    parameters: list[ParameterResult],
    molecules: list[MoleculeResult],
) -> list[str]:
    """Say which molecules and rows are off, and of rows made for these molecules what they do not hold or move."""
    starts = {one.name: (one.start, one.prior) for one in parameters if one.trained}
    said = [*far_off(molecules), *soft_turns(molecules), *apart(shapes), *drifted(shapes, starts)]
    if prepared.mm3 is None:
        resting = balanced(molecules, prepared.data)
        said += strained({one.name: one.strain for one in resting}, {row.name for row in prepared.rows})
    if prepared.mm3 is None and not isinstance(prepared.plan.start, AbstractStatedRules):
        said += unmoved(prepared.assignment, prepared.examples)
    return said


def _warnings(passes: list[Passed], statistics: Uncertainty) -> list[str]:
    last = passes[-1]
    said = []
    if not last.fit.success:
        said.append(f"The fit did not succeed: {last.fit.message}.")
    names = last.changes.leaders
    bounded = [name for name, at in zip(names, _at_bound(last), strict=True) if at]
    if bounded:
        said.append(f"At a bound of what makes sense: {', '.join(bounded)}.")
    if statistics.undetermined.any():
        loose = [name for name, u in zip(names, statistics.undetermined, strict=True) if u]
        said.append(
            f"The data leave {len(statistics.directions)} combination(s) of parameters undetermined, which come from "
            f"the start and the prior alone. In them are {', '.join(loose)}."
        )
    released = [s for p in passes for s in p.stage.released]
    negative = [n for n in dict.fromkeys(released) if _value(last, n) < 0.0]
    if negative:
        said.append(f"Negative force constants, allowed by the policy for transition states: {', '.join(negative)}.")
    held = [f"{n} = {v:.4g}" for p in passes for n, v in p.stage.held]
    if held:
        said.append(f"Held at their values under policy C (policy E): {', '.join(held)}.")
    return said


def _value(passed: Passed, name: str) -> float:
    places = dict(zip(passed.changes.names, passed.changes.variables.places, strict=True))
    return float(passed.values[places[name]]) if name in places else 0.0


def _optima(first: Passed) -> tuple[Optimum, ...]:
    """Group the ends of the starts by cost."""
    order = np.argsort(first.fit.starts_cost)
    groups: list[list[int]] = []
    for s in order:
        cost = first.fit.starts_cost[s]
        if groups and cost - first.fit.starts_cost[groups[-1][0]] <= _SAME_OPTIMUM * (abs(cost) + _SAME_OPTIMUM):
            groups[-1].append(s)
        elif np.isfinite(cost):
            groups.append([s])
    converged = first.fit.starts_converged
    return tuple(Optimum(float(first.fit.starts_cost[g[0]]), len(g), int(np.sum(converged[g]))) for g in groups)


_RELAXED_MODES = (
    "Frequencies, modes and eigenmatrix below are those of the structures that the force field relaxes to; of the "
    "reference geometry where a molecule has none."
)


def _statements(prepared: Prepared, last: Passed) -> tuple[str, ...]:
    plan = prepared.plan
    targets = ", ".join(
        f"{t.name} (tolerance {t.tolerance:g} {t.unit}, weight {t.weight:g})" for t in last.problem.targets
    )
    prior = last.problem.prior
    curved = any(t.traits.view is View.RELAXED and t.traits.observes for t in plan.targets)
    return (
        f"{len(prepared.examples)} structure(s), {prepared.data.topology.n_atoms} atoms; form {prepared.form}.",
        f"{last.changes.variables.n_free} free variables stand for {len(last.changes.names)} trained parameters, "
        f"started from the estimate “{name_of(plan.estimate)}”.",
        f"Targets: {targets}. A deviation of its tolerance counts as one.",
        *(
            []
            if (why := obstacle(last.problem)) is None
            else [f"The cost is evaluated anew in each step, as it is no quadratic form ({why})."]
        ),
        *([_RELAXED_MODES] if curved else []),
        "No prior." if prior.strength == 0.0 else f"Gaussian priors about the start, strength {prior.strength:g}.",
        *(f"{e.molecule.name}: {e.treated.statement}" for e in prepared.examples if e.treated is not None),
        *(f"{e.molecule.name}: weight {weight_of(e)}." for e in prepared.examples if e.weights != Weights()),
    )
