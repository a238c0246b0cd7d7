"""Whether a fit is a success, in words."""

import math
from collections.abc import Collection, Sequence

from forgefield.fitting.judge.turns import SOFT
from forgefield.report.numerals import fixed, percent, significant, with_unit
from forgefield.report.quality import METRICS
from forgefield.report.results import MoleculeResult, ParameterResult, TargetResult

_MANY = 3.0
"""Tolerances above which a target that has become worse is told of."""
_FAR = {
    "frequency_rmsd_cm1": ("frequencies", 75.0),
    "bond_rmsd_a": ("bonds", 0.012),
    "angle_rmsd_deg": ("angles", 1.5),
    "torsion_rmsd_deg": ("torsions", 5.0),
}
"""What metrics are about, and errors in their units: about twice what a harmonic force field of one molecule has."""
_IMAGINARY = -30.0
"""cm⁻¹; a frequency below it is imaginary beyond the noise of quantum chemistry."""
_DRIFTED = 0.3
"""Å, root mean square, by which a complex of several pieces is another one."""
_NEAR = "frequency_rmsd_cm1", "bond_rmsd_a", "angle_rmsd_deg"
_NAMED = 3
_HELPFUL = "torsion", "stretch_bend", "stretch_stretch", "bend_bend", "bend_torsion_bend"
"""Kinds of terms that mend what stretches and bends alone leave."""


def reason(
    *,
    converged: bool,
    targets: Sequence[TargetResult],
    wrong: Sequence[str],
    kinds: Collection[str] = (),
    too_strong: bool = False,
) -> str:
    """Return what a fit lacks for a success, which target dominates its cost, and what to do; nothing for a success.

    `wrong` says what is unphysical about the rows that were trained, `kinds` which terms there are, or cannot be, and
    `too_strong` whether some couple stretches and bends by more than these can hold, which a warning names.
    """
    worse = [one for one in targets if one.rms_final > one.rms_start + one.tolerance]
    lacking = [] if converged else ["it did not converge, and the best parameters found are no optimum"]
    lacking += [f"{one.name} ended at {_amount(one, one.rms_final)}, worse than the start's" for one in worse[:_NAMED]]
    lacking += list(wrong[:_NAMED])
    if not lacking:
        return ""
    advice = _advice(targets, worse, [kind for kind in _HELPFUL if kind not in kinds])
    if too_strong:
        advice = f"Leave out the couplings that are stronger than what they couple can hold. {advice}"
    return f"{'; '.join(lacking)}. {advice}".rstrip()


def _amount(one: TargetResult, value: float) -> str:
    return f"{with_unit(significant(value, 3), one.unit)} ({significant(one.rms_start, 3)} before)"


def _advice(targets: Sequence[TargetResult], worse: Sequence[TargetResult], others: Sequence[str]) -> str:
    """Say which target dominates the cost, and what to do about it."""
    known = [one for one in targets if math.isfinite(one.cost_final)]
    total = math.fsum(one.cost_final for one in known)
    if not total > 0.0:
        return ""
    largest = max(known, key=lambda one: one.cost_final)
    said = f"Of the cost of the targets {percent(largest.cost_final / total)} is that of {largest.name}"
    tolerance = f"{largest.tolerance:g} {largest.unit}".rstrip()
    if worse and largest.name not in {one.name for one in worse}:
        return (
            f"{said}, which the others pay for: give it a larger tolerance than {tolerance} or a smaller weight, "
            "or add terms that let both be met."
        )
    add = f"add terms that can meet it ({', '.join(others)}), " if others else ""
    return f"{said}: {add}split rows that hold different geometries, or give it a larger tolerance than {tolerance}."


def worse_than_at_the_start(targets: Sequence[TargetResult]) -> list[str]:
    """Say which targets ended above three tolerances and above where they began."""
    return [
        f"{one.name} ended worse than it began, and at {one.rms_final / one.tolerance:.1f} tolerances: "
        f"{_amount(one, one.rms_final)}."
        for one in targets
        if one.rms_final > _MANY * one.tolerance and one.rms_final > one.rms_start
    ]


def imaginary(molecules: Sequence[MoleculeResult]) -> list[str]:
    """Say which molecules that are fitted to have more imaginary frequencies at their reference than that has.

    A force field for which a minimum is none takes the molecule elsewhere. Where it does not, forces that are left at
    the reference made them, and at its own structure there are none.
    """
    said = []
    for one in molecules:
        rest = [f for k, f in enumerate(one.frequencies) if k != one.reaction_mode]
        found = [f.mm for f in rest if f.mm < _IMAGINARY]
        expected = sum(f.qm < _IMAGINARY for f in rest)
        if one.weight > 0.0 and len(found) > expected and not _stays(one):
            many = (
                f"{len(found)} imaginary frequencies, down to {min(found):.0f} cm⁻¹, where the reference has {expected}"
            )
            said.append(f"{one.name} has {many}")
    return said


def _stays(one: MoleculeResult) -> bool:
    """Say whether a molecule that is otherwise reproduced as usual relaxes to the structure of its reference.

    Turns that cost next to nothing may differ.
    """
    near = all((value := getattr(one.final, key)) is None or value <= _FAR[key][1] for key in _NEAR)
    together = one.pieces_a is None or one.pieces_a <= _DRIFTED
    return one.strain.relaxed and near and together and all(turn.is_soft for turn in one.turns)


def _of(one: MoleculeResult, key: str) -> float | None:
    """Return a metric after the fit; of torsions None where all that deviate much turned at next to no energy."""
    loose = bool(one.turns) and all(turn.is_soft for turn in one.turns)
    return None if key == "torsion_rmsd_deg" and loose else getattr(one.final, key)


def soft_turns(molecules: Sequence[MoleculeResult]) -> list[str]:
    """Say about which bonds molecules turn at next to no energy of the reference's, which is no fault."""
    said = []
    for one in molecules:
        soft = [turn for turn in one.turns if turn.is_soft]
        if soft:
            cost = max(turn.energy or 0.0 for turn in soft)
            most = max(abs(turn.degrees) for turn in soft)
            bonds = ", ".join(turn.bond for turn in soft[:_NAMED]) + (" and others" if len(soft) > _NAMED else "")
            said.append(f"{one.name} about {bonds} (by up to {most:.0f}°, at {cost:.2f} kcal/mol or less)")
    if not said:
        return []
    return [
        f"Torsions turn at next to no energy as {len(said)} molecule(s) relax: {'; '.join(said)}. By the Hessian of "
        f"the reference each turn costs less than RT at room temperature ({SOFT:.2f} kcal/mol), so that one geometry "
        "tells little of them; a scan does."
    ]


def far_off(molecules: Sequence[MoleculeResult]) -> list[str]:
    """Say which molecules the force field reproduces worse than usual, and where it has imaginary frequencies alone."""
    said = []
    for one in molecules:
        errors = [
            f"{what} {with_unit(fixed(value, METRICS[key].decimals), METRICS[key].unit)}"
            for key, (what, limit) in _FAR.items()
            if (value := _of(one, key)) is not None and value > limit
        ]
        lost = [f.mm for k, f in enumerate(one.frequencies) if k != one.reaction_mode and f.mm < _IMAGINARY < f.qm]
        if lost:
            where = " at its geometry, though not at the force field's own" if _stays(one) else ""
            errors.append(f"imaginary frequencies that the reference has not, down to {min(lost):.0f} cm⁻¹{where}")
        said += [f"{one.name} ({', '.join(errors)})"] if errors else []
    if not said:
        return []
    return [
        f"{len(said)} molecule(s) are reproduced worse than usual, by RMSD: {'; '.join(said)}. See which rows and "
        "modes deviate most; cross terms, types that tell places apart, or other targets may mend it."
    ]


def undetermined(parameters: Sequence[ParameterResult]) -> list[str]:
    """Say how many parameters have a standard deviation that leaves them no meaning."""
    loose = [one.name for one in parameters if one.determined is False]
    if not loose:
        return []
    n = sum(one.determined is not None for one in parameters)
    return [
        f"{len(loose)} of {n} parameters are not determined (they could change by the value, 20°, 0.1 Å or half of the "
        f"constant unnoticed): {', '.join(loose)}. More data, fewer terms or a prior determine "
        "them."
    ]
