"""What a classical student is made of, and how it is fitted."""

from dataclasses import dataclass, field
from pathlib import Path

from forgefield import units
from forgefield.assign.mm3.rules import Mm3Rules
from forgefield.assign.rules import AbstractRules
from forgefield.assign.typed_rules import TypedRules
from forgefield.distil.recipe import Weights
from forgefield.errors import InputError
from forgefield.fitting.solve.levenberg_marquardt import LevenbergMarquardt
from forgefield.fitting.solve.solver import AbstractSolver
from forgefield.io.rules import load
from forgefield.jobs.fit.plan.choices import FORMS, USUAL_TERMS, terms_named
from forgefield.jobs.fit.plan.plan import Changing, Generated, Widths

WEIGHTS = Weights(product=0.001)
"""In eV and Å, Hessian products of a classical force field are some thirty times as far off as its forces."""
WIDTHS = Widths(strength=0.01, theta0=1.0 * units.DEGREE)
"""The strength is a share of the mean square that the fit leaves: the more exact the force field, the weaker the prior.
Angles at planar centres, of which structures tell the sum alone, stay where the molecules have them."""
TERMS = {"harmonic": USUAL_TERMS, "mm3": (*USUAL_TERMS, "stretch_bend", "stretch_stretch")}
"""Where no others are asked for."""


@dataclass(frozen=True, eq=False)
class ClassicalPlan:
    """A force field and what is fitted to."""

    name: str
    start: Generated | TypedRules | Mm3Rules
    """Where the force field comes from: it is made from the molecules, or laid over them."""
    weights: Weights = WEIGHTS
    """Of squared errors, whatever `kind` says."""
    prior: Widths = WIDTHS
    """Its strength is a share of the mean square that the fit leaves."""
    changing: Changing = field(default_factory=Changing)
    solver: AbstractSolver = field(default_factory=LevenbergMarquardt)


def generated(form: str, terms: tuple[str, ...] | None = None, *, nonbonded: str = "none") -> Generated:
    """Return a force field to be made from the molecules, by the words of settings files; `terms` None: the usual ones.

    Raises InputError for unknown ones.
    """
    for what, word, known in (("kind", form, (*TERMS,)), ("nonbonded", nonbonded, ("none", "uff"))):
        if word not in known:
            raise InputError(f"{what} {word!r} is not one of {', '.join(known)}")
    wanted = TERMS[form] if terms is None else terms
    possible = [name for name in FORMS[form] if name not in ("vdw", "charges")]
    if unknown := [name for name in wanted if name not in possible]:
        raise InputError(f"terms: {', '.join(unknown)} is none of {', '.join(possible)}")
    return Generated(terms_named(form, wanted), van_der_waals=FORMS[form]["vdw"] if nonbonded == "uff" else None)


def started(path: Path) -> TypedRules | Mm3Rules:
    """Return the force field of a file as the start of a student. Raises InputError where it has no rows."""
    rules: AbstractRules = load(path)
    if not isinstance(rules, TypedRules | Mm3Rules):
        raise InputError(f"{path}: a classical student starts from a force field of rows, which this is none of")
    return rules
