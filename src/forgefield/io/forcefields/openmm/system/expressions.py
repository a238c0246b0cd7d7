"""Energies of terms in OpenMM's language, in kcal/mol, Å and rad: parameters stand in files as they are."""

import math

from forgefield import units
from forgefield.io.forcefields.openmm.exp6 import exp6_of
from forgefield.terms.bend import COSINE_BEND, MM3_BEND, QUARTIC_BEND, RESTRICTED_BEND
from forgefield.terms.cross import BEND_BEND, BOND_ANGLE, BOND_BOND, STRETCH_BEND, STRETCH_STRETCH, TORSION_STRETCH
from forgefield.terms.expressions.custom import custom_term
from forgefield.terms.nonbonded import BUCKINGHAM_PAIR, EXP6_PAIR, LENNARD_JONES_PAIR
from forgefield.terms.periodic import HARMONIC_IMPROPER
from forgefield.terms.stretch import CUBIC_STRETCH, FOURTH_POWER_STRETCH, MM3_STRETCH, MORSE
from forgefield.terms.term import Term

_R = f"length={units.NANOMETRE!r}*distance(p1,p2)"
_STRETCH = f"stretch=length-r0; {_R}"
_BEND = "bend=angle(p1,p2,p3)-theta0"
_ARMS = f"first=length-r1; second={units.NANOMETRE!r}*distance(p2,p3)-r2; {_R}"
_TURN = 2.0 * math.pi
_EXPRESSIONS: dict[Term, str] = {
    MM3_STRETCH: f"0.5*k*stretch^2*(1-2.55*stretch+7/12*(2.55*stretch)^2); {_STRETCH}",
    CUBIC_STRETCH: f"0.5*k*stretch^2*(1+cubic*stretch); {_STRETCH}",
    FOURTH_POWER_STRETCH: f"0.25*k*(length^2-r0^2)^2; {_R}",
    MORSE: f"d*(1-exp(-a*stretch))^2; {_STRETCH}",
    MM3_BEND: "0.5*k*bend^2*(1-0.014*degrees+5.6e-5*degrees^2-7e-7*degrees^3+2.2e-8*degrees^4); "
    f"degrees=bend*{1.0 / units.DEGREE!r}; {_BEND}",
    COSINE_BEND: "0.5*k*(cos(angle(p1,p2,p3))-cos(theta0))^2",
    RESTRICTED_BEND: "0.5*k*((cos(theta)-cos(theta0))/sin(theta))^2; theta=angle(p1,p2,p3)",
    QUARTIC_BEND: f"c0+bend*(c1+bend*(c2+bend*(c3+bend*c4))); {_BEND}",
    STRETCH_BEND: f"k*(first+second)*bend; {_ARMS}; {_BEND}",
    STRETCH_STRETCH: f"k*first*second; {_ARMS}",
    BOND_BOND: f"k*first*second; {_ARMS}",
    BOND_ANGLE: f"k*({units.NANOMETRE!r}*distance(p1,p3)-r3)*(first+second); {_ARMS}",
    BEND_BEND: "k*(angle(p2,p1,p3)-theta1)*(angle(p4,p1,p5)-theta2)",
    TORSION_STRETCH: f"-k*({units.NANOMETRE!r}*distance(p2,p3)-r0)*(1+cos(3*dihedral(p1,p2,p3,p4)))",
    HARMONIC_IMPROPER: f"0.5*k*(apart-{_TURN!r}*floor(apart/{_TURN!r}+0.5))^2; apart=dihedral(p1,p2,p3,p4)-xi0",
    LENNARD_JONES_PAIR: f"e*(sixth^2-2*sixth); sixth=(r/length)^6; {_R}",
    BUCKINGHAM_PAIR: f"a*exp(-b*length)-c/length^6; {_R}",
}


def expression_of(term: Term) -> tuple[str, tuple[str, ...]] | None:
    """Return the energy of a term in OpenMM's units, and the names of its parameters; None where there is none."""
    if term.made is not None and term.made[0] is custom_term:
        expression, _, _, names, constants = term.made[1]
        return "; ".join([expression, *(f"{name}={number!r}" for name, number in constants)]), names
    if term is EXP6_PAIR:
        energy, _, definitions = f"e*{exp6_of('length/rv')}; {_R}".partition("; ")
    elif term in _EXPRESSIONS:
        energy, _, definitions = _EXPRESSIONS[term].partition("; ")
    else:
        return None
    in_kilojoule = f"{1.0 / units.KILOJOULE!r}*({energy}); {definitions}".removesuffix("; ")
    return in_kilojoule, tuple(parameter.name for parameter in term.parameters)


def term_of(expression: str, names: tuple[str, ...]) -> Term | None:
    """Return the term whose energy an expression is as we write it; None where it is none."""
    return next((term for term in (*_EXPRESSIONS, EXP6_PAIR) if expression_of(term) == (expression, names)), None)
