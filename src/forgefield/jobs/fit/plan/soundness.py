"""Whether every molecule of a fit can be evaluated where the fit starts."""

import numpy as np

from forgefield.errors import InputError
from forgefield.fitting.data.observation import observed
from forgefield.jobs.fit.plan.prepare import Prepared, files_of, without
from forgefield.report.results import Skipped


def evaluable(prepared: Prepared) -> Prepared:
    """Return a fit of which every molecule has a finite energy, gradient and Hessian at the starting values.

    Others are left out where the plan skips them; else InputError lists them.
    """
    unsound = _not_finite(prepared)
    if not unsound:
        return prepared
    if not prepared.plan.skips:
        listed = "\n".join(f"  {one.name} ({one.file}): {one.reason}" for one in unsound)
        raise InputError(
            f"{len(unsound)} molecule(s) cannot be evaluated with the starting values:\n{listed}\n"
            'Repair the geometry or the starting values, or leave them out with [fit] on_error = "skip".'
        )
    return evaluable(without(prepared, unsound))


def _not_finite(prepared: Prepared) -> tuple[Skipped, ...]:
    """Return the molecules whose evaluation is not finite, with what is not."""
    seen, molecule = observed(prepared.assignment.model, prepared.data), np.asarray(prepared.data.topology.molecule)
    energy, gradient, hessian = (np.isfinite(np.asarray(a)) for a in (seen.energy, seen.gradient, seen.hessian))
    found = []
    for m, example in enumerate(prepared.examples):
        parts = {"energy": energy[m], "gradient": gradient[molecule == m].all(), "Hessian": hessian[m].all()}
        wrong = [name for name, finite in parts.items() if not finite]
        if wrong:
            said = f"its {' and '.join(wrong)} are not finite numbers" if len(wrong) > 1 else f"its {wrong[0]} is not"
            reason = said if len(wrong) > 1 else f"{said} a finite number"
            found.append(Skipped(example.molecule.name, files_of(example), reason))
    return tuple(found)
