"""What to cite beside a force field: the program, the methods that its fit used, and where the references are from."""

from collections.abc import Iterator
from importlib import metadata

from forgefield.estimating.seminario import Fuerza, GammaFuerza, ModifiedSeminario, Qfuerza
from forgefield.estimating.transition_state import C, D, DPlus, E
from forgefield.jobs.fit.plan.plan import Generated, Linear
from forgefield.jobs.fit.plan.prepare import Prepared

_SEMINARIO = "J. M. Seminario, Int. J. Quantum Chem. 1996, 60, 1271."
_ESTIMATES = {
    Fuerza: f"Estimate of force constants: {_SEMINARIO}",
    GammaFuerza: f"Estimate of force constants: {_SEMINARIO}",
    ModifiedSeminario: "Estimate of force constants: A. E. A. Allen, M. C. Payne, D. J. Cole, J. Chem. Theory Comput. "
    "2018, 14, 274.",
    Qfuerza: "Estimate of force constants (QFUERZA): Farrugia, Helquist, Norrby, Wiest, J. Chem. Theory Comput. 2025, "
    f"22, 469, doi 10.1021/acs.jctc.5c01751; {_SEMINARIO}",
    Linear: "Estimate of force constants by least squares with bounds: J. J. Júdice, F. M. Pires, Computers Oper. Res. "
    "1994, 21, 587.",
}
_MM3 = (
    "Functional form (MM3): N. L. Allinger, Y. H. Yuh, J.-H. Lii, J. Am. Chem. Soc. 1989, 111, 8551; "
    "J.-H. Lii, N. L. Allinger, ibid. 8566."
)
_UFF = "Van der Waals radii and depths: A. K. Rappé et al., J. Am. Chem. Soc. 1992, 114, 10024."
_SADDLES = "Transition states: E. Limé, P.-O. Norrby, J. Comput. Chem. 2015, 36, 244, doi 10.1002/jcc.23797."
_STARTS = "Starts: M. D. McKay, R. J. Beckman, W. J. Conover, Technometrics 1979, 21, 239."
_RELAXED = "Relaxed structures: J. J. Moré, D. C. Sorensen, SIAM J. Sci. Stat. Comput. 1983, 4, 553."
RESAMPLED = "Validation: B. Efron, Ann. Stat. 1979, 7, 1."
_SCANS = "Relaxed scans by wavefront propagation: Y. Qiu et al., J. Chem. Phys. 2020, 152, 244116."
_LEVELS = {
    "GFN2-xTB": "C. Bannwarth, S. Ehlert, S. Grimme, J. Chem. Theory Comput. 2019, 15, 1652.",
    "GFN1-xTB": "S. Grimme, C. Bannwarth, P. Shushkov, J. Chem. Theory Comput. 2017, 13, 1989.",
    "B3LYP": "P. J. Stephens, F. J. Devlin, C. F. Chabalowski, M. J. Frisch, J. Phys. Chem. 1994, 98, 11623.",
}
_PROGRAMS = {"PySCF": "Q. Sun et al., J. Chem. Phys. 2020, 153, 024109."}
_OWN_PROGRAMS = ("PySCF", "tblite")
"""Those that `forgefield reference` runs."""


def citations(prepared: Prepared, *, relaxes: bool) -> list[str]:
    """Return a sentence for each source, the program first."""
    return [f"ForgeField {metadata.version('forgefield')}, the ForgeField developers.", *_methods(prepared, relaxes)]


def _methods(prepared: Prepared, relaxes: bool) -> Iterator[str]:
    plan = prepared.plan
    terms = {row.term.name for row in prepared.assignment.rows}
    if prepared.mm3 is not None or any(name.startswith("mm3_") for name in terms):
        yield _MM3
    if isinstance(plan.start, Generated) and plan.start.van_der_waals is not None:
        yield _UFF
    if type(plan.estimate) in _ESTIMATES:
        yield _ESTIMATES[type(plan.estimate)]
    if any(e.is_saddle and isinstance(e.policy, C | D | DPlus | E) for e in prepared.examples):
        yield _SADDLES
    if plan.starts > 1:
        yield _STARTS
    if relaxes:
        yield _RELAXED
    yield from _of_references(prepared)


def _of_references(prepared: Prepared) -> Iterator[str]:
    """Yield what is known of the levels and programs of the references."""
    references = [example.reference for example in prepared.examples]
    if any(r.constraints and r.program.startswith(_OWN_PROGRAMS) for r in references):
        yield _SCANS
    for level in dict.fromkeys(r.level for r in references if r.level):
        known = [text for name, text in _LEVELS.items() if level.split("/")[0].upper() == name.upper()]
        yield " ".join([f"References, level of theory: {level}.", *known])
    for program in dict.fromkeys(r.program for r in references if r.program):
        known = [text for name, text in _PROGRAMS.items() if program.startswith(name)]
        yield " ".join([f"References, program: {program}.", *known])
