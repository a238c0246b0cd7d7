"""What the words of FIT.toml and of the command line stand for."""

from collections.abc import Callable

from forgefield import units
from forgefield.config import FitFile, FitSection, MoleculesSection
from forgefield.errors import InputError
from forgefield.estimating.seminario import Approximation, Fuerza, GammaFuerza, Method, ModifiedSeminario, Qfuerza
from forgefield.estimating.transition_state import AsIs, C, D, DPlus, E, Policy
from forgefield.fitting.data.training_set import Band, Weights
from forgefield.fitting.solve.levenberg_marquardt import LevenbergMarquardt
from forgefield.fitting.solve.scipy_solver import TrustRegionReflective
from forgefield.fitting.solve.solver import AbstractSolver
from forgefield.fitting.targets.target import AbstractTarget, View
from forgefield.terms.bend import HARMONIC_BEND, MM3_BEND
from forgefield.terms.cross import BEND_BEND, STRETCH_BEND, STRETCH_STRETCH, UREY_BRADLEY
from forgefield.terms.mm3 import BOND_MOMENT
from forgefield.terms.nonbonded import CHARGE_INCREMENT, EXP6, LENNARD_JONES
from forgefield.terms.out_of_plane import COSINE_OUT_OF_PLANE
from forgefield.terms.stretch import HARMONIC_STRETCH, MM3_STRETCH
from forgefield.terms.term import Term
from forgefield.terms.torsion import TORSION3, TORSION6

EIGENVALUE = units.HARTREE_PER_BOHR2
"""kcal/mol/Å²/amu of one Hartree/Bohr²/amu."""

_CROSS = {
    "stretch_bend": STRETCH_BEND,
    "stretch_stretch": STRETCH_STRETCH,
    "bend_bend": BEND_BEND,
    "urey_bradley": UREY_BRADLEY,
}
FORMS: dict[str, dict[str, Term]] = {
    "harmonic": {
        "stretch": HARMONIC_STRETCH,
        "bend": HARMONIC_BEND,
        "torsion": TORSION3,
        "torsion6": TORSION6,
        "out_of_plane": COSINE_OUT_OF_PLANE,
        **_CROSS,
        "vdw": LENNARD_JONES,
        "charges": CHARGE_INCREMENT,
    },
    "mm3": {
        "stretch": MM3_STRETCH,
        "bend": MM3_BEND,
        "torsion": TORSION3,
        "torsion6": TORSION6,
        "out_of_plane": COSINE_OUT_OF_PLANE,
        **_CROSS,
        "vdw": EXP6,
        "charges": BOND_MOMENT,
    },
}
ESTIMATES: dict[str, Method] = {
    "qfuerza": Qfuerza(),
    "fuerza": Fuerza(),
    "seminario": Fuerza(),
    "gamma-fuerza": GammaFuerza(),
    "modified-seminario": ModifiedSeminario(),
    "approximation": Approximation(),
}
# Undamped first steps leave the basins that relaxed structures are in.
SOLVERS: dict[str, Callable[[FitSection, bool], AbstractSolver]] = {
    "lm": lambda section, relaxes: LevenbergMarquardt(
        section.tolerance, section.max_steps, damping=1.0 if relaxes else LevenbergMarquardt.damping
    ),
    "trf": lambda section, _: TrustRegionReflective(section.tolerance, section.max_steps),
}
"""What makes a solver of the settings of a file, and of whether targets look at relaxed structures."""
FORMATS: dict[str, tuple[str, ...]] = {"mm3": ("fld", "openmm-xml"), "harmonic": ("frcmod", "openmm-xml")}
"""The formats that can hold a form."""


def policy(section: MoleculesSection) -> Policy | None:
    """Return what is done to a negative eigenvalue; None where the file does not say."""
    if section.transition_state is None:
        return None
    return policy_named(section.transition_state, section.eigenvalue)


def policy_named(name: str, eigenvalue: float | None = None) -> Policy:
    """Return the policy for transition states of a name; `eigenvalue` [Hartree/Bohr²/amu] is what C and D+ put in."""
    stated = None if eigenvalue is None else eigenvalue * EIGENVALUE
    match name:
        case "C":
            return C() if stated is None else C(stated)
        case "D":
            return D()
        case "D+":
            return DPlus(stated)
        case "E":
            return E() if stated is None else E(C(stated))
        case "none":
            return AsIs()
        case _:
            raise InputError(f"transition_state {name!r} is not one of C, D, D+, E, none")


def weights(section: MoleculesSection) -> Weights:
    """Return how much molecules and their modes count."""
    bands = tuple(Band(band.lowest, band.highest, band.weight) for band in section.mode_weights)
    return Weights(section.weight, section.reaction_mode_weight, bands)


def solver(file: FitFile, targets: tuple[AbstractTarget, ...]) -> AbstractSolver:
    """Return the solver of a file for these targets."""
    return SOLVERS[file.fit.solver](file.fit, any(target.traits.view is View.RELAXED for target in targets))


def bonded_terms(file: FitFile) -> tuple[Term, ...]:
    """Return the terms of a generated force field, stretches and bends first since others borrow from them."""
    form = FORMS[file.forcefield.form]
    chosen = {"stretch", "bend", *file.forcefield.terms}
    return tuple(form[name] for name in form if name in chosen)


def van_der_waals(file: FitFile) -> Term | None:
    """Return the van der Waals term of a generated force field, if it is to have one."""
    return FORMS[file.forcefield.form]["vdw"] if file.forcefield.nonbonded == "uff" else None


def charging(file: FitFile) -> Term | None:
    """Return the term that gives atoms of a generated force field charges, if they are to have any."""
    return FORMS[file.forcefield.form]["charges"] if file.forcefield.charges == "bonds" else None


def chosen_formats(file: FitFile) -> tuple[str, ...]:
    """Return the formats to write. Raises InputError where one cannot hold the force field's form."""
    possible = FORMATS[file.forcefield.form]
    if file.forcefield.write is None:
        return possible
    wrong = [name for name in file.forcefield.write if name not in possible]
    if wrong:
        raise InputError(
            f'[forcefield] write: {", ".join(wrong)} cannot hold form = "{file.forcefield.form}"; '
            f"it can be written as {', '.join(possible)}"
        )
    return file.forcefield.write
