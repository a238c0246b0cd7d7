"""Which atomic charges of the references a fit compares, and whether its force field can reproduce any."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from forgefield.assign.assignment import Assignment
from forgefield.assign.charge_rule import CHARGING
from forgefield.errors import InputError
from forgefield.fitting.data.training_set import Example
from forgefield.fitting.targets.charges import Charges
from forgefield.io.offenders import listed
from forgefield.jobs.fit.plan.plan import Plan
from forgefield.models.rows import Row
from forgefield.models.trainable import Trainable
from forgefield.molecules.topology import ChargeRule
from forgefield.terms.nonbonded import COULOMB

PREFERRED = ("esp", "cm5", "hirshfeld", "npa", "mulliken")
"""Charges that reproduce the electric field of the molecule come first."""
_TOTAL = 0.05
"""e by which the charges of a molecule may miss the charge of the whole before that is said."""


def with_charges(plan: Plan, examples: list[Example]) -> list[Example]:
    """Return the examples with the charges that the plan asks for, as a target or to start from.

    Raises InputError where no reference has any of that kind, and where it does not say which of several kinds.
    """
    target = next((one for one in plan.targets if isinstance(one, Charges)), None)
    if target is None and not plan.charged:
        return examples
    key = "the target charges" if target is not None else "[forcefield] charges"
    held = [{one.kind: one.values for one in example.reference.charges} for example in examples]
    charged = [kinds for kinds in held if kinds]
    kinds = list(dict.fromkeys(kind for one in charged for kind in one))
    if not charged:
        raise InputError(
            f"no reference has data for {key}: none of the files holds atomic charges that add up to the charge of "
            "its molecule; ask the QM program "
            "for them (Gaussian: pop=mk, Jaguar: icfit=1), or add a column `esp_charges` to an extended xyz file"
        )
    wanted = plan.charges.lower() if plan.charges is not None else _shared(charged, kinds)
    if wanted is None:
        tolerance = 0.05 if target is None else target.tolerance
        raise InputError(
            f"{key}: no kind of charges is in all references that have some ({', '.join(kinds)}); say which to use: "
            f'[targets] charges = {{ tolerance = {tolerance:g}, kind = "{kinds[0]}" }}'
        )
    if wanted not in kinds:
        raise InputError(f"[targets] charges: no reference has {wanted!r} charges; there are: {', '.join(kinds)}")
    return [replace(example, charges=kinds.get(wanted)) for example, kinds in zip(examples, held, strict=True)]


def _shared(charged: list[dict[str, np.ndarray]], kinds: list[str]) -> str | None:
    """Return the kind to prefer among those that all have."""
    ordered = [*(kind for kind in PREFERRED if kind in kinds), *(kind for kind in kinds if kind not in PREFERRED)]
    return next((kind for kind in ordered if all(kind in one for one in charged)), None)


def charge_warnings(plan: Plan, assignment: Assignment, examples: list[Example], changes: Trainable) -> tuple[str, ...]:
    """Say where the charges of reference and model do not add up to the same, and which bonds no reference knows.

    Raises InputError where the force field gives atoms no charges, and where nothing that changes moves any.
    """
    rule = assignment.topology.charges
    if plan.compares_charges:
        if rule is None:
            raise InputError(
                '[targets] charges: this force field gives atoms no charges; add charges = "bonds" to [forcefield], '
                "or leave the target out"
            )
        if not _moves(rule, changes):
            raise InputError(
                "[targets] charges: nothing that is trained changes a charge; charges follow from bond moments, or "
                'bond charge increments: add "bond_moment*", or "charge_increment*", to [forcefield] train'
            )
    if rule is None or all(example.charges is None for example in examples):
        return ()
    model = np.bincount(assignment.topology.molecule, weights=rule.formal, minlength=len(examples))
    unequal = [
        f"{example.molecule.name}: the charges of the reference add up to {example.charges.sum():.2f} e, those of the "
        f"force field always to {total:.2f} e"
        for example, total in zip(examples, model, strict=True)
        if example.charges is not None and abs(example.charges.sum() - total) > _TOTAL
    ]
    known = np.array([example.charges is not None for example in examples])[assignment.topology.molecule]
    seen = {*np.asarray(rule.moment)[known[rule.atom]].tolist()}
    unseen = [row.name for row in assignment.rows if row.term.kind in CHARGING and row.indices[0] not in seen]
    if unseen and plan.charged:
        unequal.append(f"no molecule with reference charges has these, which start from zero: {', '.join(unseen)}")
    return tuple(unequal)


def loose_charges(rows: Sequence[Row]) -> tuple[str, ...]:
    """Say that charges of atoms change one by one, where they do."""
    names = [row.name for row in rows if row.term == COULOMB]
    if not names:
        return ()
    return (
        f"Charges are trained ({listed(names)}): nothing keeps their sum, nor those of equivalent atoms equal; check "
        "the sum, tie them under [[forcefield.ties]], or keep them",
    )


def _moves(rule: ChargeRule, changes: Trainable) -> bool:
    """Say whether what changes moves a charge; a moment that follows its bond's length moves none."""
    places = np.asarray(changes.variables.places)
    free = np.isin(rule.moment, places[np.asarray(changes.variables.own)])
    return bool((free | (np.isin(rule.length, places) & ~np.isin(rule.moment, places))).any())
