"""What the words of FIT.toml and of the command line stand for."""

from collections.abc import Callable, Iterable

from forgefield import units
from forgefield.config import FitSection, stages_of
from forgefield.engines.programs.choices import PROGRAMS
from forgefield.engines.programs.over_molecules import require_program
from forgefield.engines.programs.program import AbstractProgram
from forgefield.errors import InputError
from forgefield.estimating.seminario import Approximation, Fuerza, GammaFuerza, ModifiedSeminario, Qfuerza
from forgefield.estimating.transition_state import AsIs, C, D, DPlus, E, Policy
from forgefield.fitting.solve.chain import Chain, Link
from forgefield.fitting.solve.evolution import Evolution
from forgefield.fitting.solve.first_order import RULES, GradientDescent
from forgefield.fitting.solve.levenberg_marquardt import LevenbergMarquardt
from forgefield.fitting.solve.methods import (
    BASIN_HOPPING,
    GRAD_SIMP,
    LBFGSB,
    LBFGSB_FD,
    NELDER_MEAD,
    POWELL,
    TRUST_CONSTR,
)
from forgefield.fitting.solve.scipy_solver import TrustRegionReflective
from forgefield.fitting.solve.search import Method, Search
from forgefield.fitting.solve.solver import AbstractSolver
from forgefield.fitting.targets.target import AbstractTarget, View
from forgefield.io.format import Format
from forgefield.io.formats import force_fields
from forgefield.jobs.fit.plan.plan import Estimate, Kept, Linear
from forgefield.terms.bend import HARMONIC_BEND, MM3_BEND
from forgefield.terms.cross import COUPLINGS, UREY_BRADLEY
from forgefield.terms.mm3 import BOND_MOMENT
from forgefield.terms.nonbonded import CHARGE_INCREMENT, EXP6, LENNARD_JONES, LENNARD_JONES_GEOMETRIC
from forgefield.terms.out_of_plane import COSINE_OUT_OF_PLANE
from forgefield.terms.stretch import HARMONIC_STRETCH, MM3_STRETCH
from forgefield.terms.term import Term
from forgefield.terms.torsion import TORSION3, TORSION4, TORSION6

EIGENVALUE = units.HARTREE_PER_BOHR2
"""kcal/mol/Å²/amu of one Hartree/Bohr²/amu."""

_CROSS = {term.name: term for term in (*COUPLINGS, UREY_BRADLEY)}
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
    "opls": {
        "stretch": HARMONIC_STRETCH,
        "bend": HARMONIC_BEND,
        "torsion": TORSION4,
        "out_of_plane": COSINE_OUT_OF_PLANE,
        **_CROSS,
        "vdw": LENNARD_JONES_GEOMETRIC,
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
USUAL_TERMS = ("stretch", "bend", "torsion", "out_of_plane")
"""Of a generated force field that is not asked for others."""
ESTIMATES: dict[str, Estimate] = {
    "qfuerza": Qfuerza(),
    "fuerza": Fuerza(),
    "seminario": Fuerza(),
    "gamma-fuerza": GammaFuerza(),
    "modified-seminario": ModifiedSeminario(),
    "linear": Linear(),
    "approximation": Approximation(),
    "none": Kept(),
}


def _search(method: Method, max_steps: int) -> Callable[[FitSection, bool], AbstractSolver]:
    """Return what makes a solver of a method, with so many iterations where the file does not say."""
    return lambda section, _: Search(
        method=method,
        tolerance=section.tolerance,
        max_steps=section.max_steps or max_steps,
        seed=section.seed,
    )


def _descent(rule: str) -> Callable[[FitSection, bool], AbstractSolver]:
    """Return what makes a solver of a rule for steps along gradients."""
    return lambda section, _: GradientDescent(
        rule=RULES[rule], tolerance=section.tolerance, max_steps=section.max_steps or GradientDescent.max_steps
    )


# Undamped first steps leave the basins that relaxed structures are in.
SOLVERS: dict[str, Callable[[FitSection, bool], AbstractSolver]] = {
    "lm": lambda section, relaxes: LevenbergMarquardt(
        section.tolerance,
        section.max_steps or LevenbergMarquardt.max_steps,
        damping=1.0 if relaxes else LevenbergMarquardt.damping,
    ),
    "trf": lambda section, _: TrustRegionReflective(
        section.tolerance, section.max_steps or TrustRegionReflective.max_steps
    ),
    "lbfgsb": _search(LBFGSB, 1000),
    "lbfgsb-fd": _search(LBFGSB_FD, 1000),
    "trust-constr": _search(TRUST_CONSTR, 1000),
    "nelder-mead": _search(NELDER_MEAD, 5000),
    "powell": _search(POWELL, 200),
    "adam": _descent("adam"),
    "adam-cosine": _descent("adam-cosine"),
    "adagrad": _descent("adagrad"),
    "sgd": _descent("sgd"),
    "grad-simp": _search(GRAD_SIMP, 50),
    "basin-hopping": _search(BASIN_HOPPING, 20),
    "cma-es": lambda section, _: Evolution(
        section.tolerance, section.max_steps or Evolution.max_steps, seed=section.seed
    ),
}
"""What makes a solver of the settings of a file, and of whether targets look at relaxed structures."""
OF_RESIDUALS = ("lm", "trf")
"""Those that need residuals."""


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


def solver(section: FitSection, targets: tuple[AbstractTarget, ...]) -> AbstractSolver:
    """Return the solver of a file for these targets. Raises InputError where it is to go on from all of one start."""
    relaxes = any(target.traits.view is View.RELAXED for target in targets)
    stages = stages_of(section.solver)
    if section.starts == 1 and any(from_all for from_all, _ in stages):
        raise InputError(f'solver = "{section.solver}" is to go from many starts: say how many by starts under [fit]')
    links = tuple(
        Link(SOLVERS[name](section, relaxes), from_all or k == 0) for k, (from_all, name) in enumerate(stages)
    )
    return links[0].solver if len(links) == 1 else Chain.of(links)


def engine(section: FitSection) -> AbstractProgram | None:
    """Return the program that a file asks for, None for ForgeField itself.

    Raises InputError where it is not there, or where the solver needs residuals, which no other program has.
    """
    if section.engine == "forgefield":
        return None
    if wrong := [name for _, name in stages_of(section.solver) if name in OF_RESIDUALS]:
        others = ", ".join(name for name in SOLVERS if name not in OF_RESIDUALS)
        raise InputError(
            f'engine = "{section.engine}": solver = "{wrong[0]}" needs residuals with exact derivatives, which '
            f"ForgeField alone has; choose one of {others}"
        )
    program = PROGRAMS[section.engine]
    require_program(program)
    return program


def terms_named(form: str, names: Iterable[str]) -> tuple[Term, ...]:
    """Return terms of a generated force field, stretches and bends first since others borrow from them.

    Raises InputError for a term that the form does not have.
    """
    chosen = {"stretch", "bend", *names}
    if other := sorted(chosen - FORMS[form].keys()):
        raise InputError(f'form = "{form}" has no {", ".join(other)}; leave out what it does not have')
    return tuple(term for name, term in FORMS[form].items() if name in chosen)


def form_of(terms: Iterable[Term]) -> str:
    """Return the form that these terms are of. Raises InputError for those that no form has together."""
    wanted = {*terms}
    found = next((name for name, own in FORMS.items() if wanted <= {*own.values()}), None)
    if found is None:
        named = ", ".join(sorted(term.name for term in wanted))
        raise InputError(
            f"terms of more than one form ({' or '.join(FORMS)}) stand together: {named}; keep those of one"
        )
    return found


def name_of(estimate: Estimate) -> str:
    """Return what an estimate is called."""
    return next(name for name, value in ESTIMATES.items() if value == estimate)


def formats_named(form: str, words: Iterable[str] | None) -> tuple[Format, ...]:
    """Return the formats that hold a form, or of these the ones of some names. Raises InputError for other names."""
    possible = {one.word: one for one in force_fields() if one.word and form in one.forms}
    wrong = [word for word in words or () if word not in possible]
    if wrong:
        raise InputError(
            f'[forcefield] write: {", ".join(wrong)} cannot hold form = "{form}"; '
            f"it can be written as {', '.join(possible)}{_meant(wrong)}"
        )
    # One molecule alone is in files of engines.
    usual = (one for one in possible.values() if not one.of_one)
    return tuple(usual if words is None else (possible[word] for word in words))


def formats_of_systems(_: str, words: Iterable[str] | None) -> tuple[Format, ...]:
    """Return the formats of some names, which hold a topology; by default none. Raises InputError for other names."""
    possible = {one.word: one for one in force_fields() if one.holds_systems}
    if wrong := [word for word in words or () if word not in possible]:
        raise InputError(
            f"[forcefield] write: {', '.join(wrong)} cannot hold a topology; it can be written as "
            f"{', '.join(possible)}{_meant(wrong)}"
        )
    return tuple(possible[word] for word in words or ())


def _meant(words: Iterable[str]) -> str:
    """Say what formats are called of which words are suffixes."""
    ends = [(word, f".{word.lstrip('.').lower()}") for word in words]
    named = [one for one in force_fields() if one.word]
    meant = {f"{word} is {one.word}" for word, end in ends for one in named if end in one.suffixes}
    return "".join(f"; {said}" for said in sorted(meant))
