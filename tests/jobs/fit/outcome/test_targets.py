"""What parity plots are about where a target is compared at the references and structures are relaxed as well."""

from forgefield.jobs.fit.outcome.targets import parities
from forgefield.jobs.fit.plan.prepare import prepare
from forgefield.jobs.fit.run.relaxed_results import judge_told
from samples import FORCES, STAGGERED, fit_toml, molecule


def test_each_quantity_is_shown_once_where_the_target_compares_it(project):
    targets = "energy = { tolerance = 0.5 }\n" + FORCES
    prepared = prepare(project(fit_toml(STAGGERED, molecule("eclipsed", "none"), targets=targets)))
    judged = judge_told(prepared.plan.targets)(prepared.assignment.model, prepared.data, prepared.examples)

    shown = [(parity.target, parity.is_target) for parity in parities(prepared, judged, judged)]

    assert judged.relaxed is not None
    assert shown == [("forces", True), ("energy", True), ("frequencies", False), ("eigenmatrix", False)]
