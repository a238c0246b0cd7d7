"""Energies of terms in OpenMM's language, in kcal/mol, Å and rad: parameters stand in files as they are."""

import math
import re

from forgefield import units
from forgefield.io.forcefields.openmm.exp6 import exp6_of
from forgefield.terms.bend import COSINE_BEND, MM3_BEND, QUARTIC_BEND, RESTRICTED_BEND
from forgefield.terms.cross import (
    BEND_BEND,
    BEND_BEND_OF_FOUR,
    BEND_TORSION_BEND,
    BOND_ANGLE,
    OWNING,
    STRETCH_BEND,
    STRETCH_BENDS,
    STRETCH_STRETCH,
    STRETCH_STRETCH_13,
    TORSION_STRETCH,
)
from forgefield.terms.expressions.custom import custom_term
from forgefield.terms.mm3 import BEND_BEND_PRODUCT
from forgefield.terms.nonbonded import (
    BUCKINGHAM_PAIR,
    COULOMB,
    DIPOLE_PAIR,
    EXP6,
    EXP6_PAIR,
    LENNARD_JONES,
    LENNARD_JONES_GEOMETRIC,
    LENNARD_JONES_PAIR,
)
from forgefield.terms.out_of_plane import COSINE_OUT_OF_PLANE, ONE_FOLD_OUT_OF_PLANE
from forgefield.terms.periodic import HARMONIC_IMPROPER
from forgefield.terms.shifted import scaled, shifted, shifted_stretch
from forgefield.terms.stretch import CUBIC_STRETCH, FOURTH_POWER_STRETCH, MM3_STRETCH, MORSE
from forgefield.terms.term import Term
from forgefield.terms.torsion import TORSION3, TORSION6

_R = f"length={units.NANOMETRE!r}*distance(p1,p2)"
_STRETCH = f"stretch=length-r0; {_R}"
_BEND = "bend=angle(p1,p2,p3)-theta0"
_ARMS = f"first=length-r1; second={units.NANOMETRE!r}*distance(p2,p3)-r2; {_R}"
_TURN = 2.0 * math.pi
_DIPOLES = "; ".join(
    [f"{a}{b}={a}x*{b}x+{a}y*{b}y+{a}z*{b}z" for a, b in ("uu", "vv", "mm", "uv", "um", "vm")]
    + [f"u{c}={c}2-{c}1; v{c}={c}4-{c}3; m{c}=0.5*({c}3+{c}4-{c}1-{c}2)" for c in "xyz"]
)
"""Products of two bonds and of what lies between their middles."""
_SWITCH = (
    "on=y1^3*(10-15*y1+6*y1^2)*y2^3*(10-15*y2+6*y2^2); "
    + "; ".join(f"y{k}=min(1,(sin(angle(p{k},p{k + 1},p{k + 2}))/{math.sin(10.0 * units.DEGREE)!r})^2)" for k in (1, 2))
    + "; c=cos(dihedral(p1,p2,p3,p4))"
)
"""How torsions are switched off within 10° of a straight angle."""
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
    STRETCH_BENDS: f"(k1*first+k2*second)*bend; {_ARMS}; {_BEND}",
    STRETCH_STRETCH: f"k*first*second; {_ARMS}",
    BOND_ANGLE: f"k*({units.NANOMETRE!r}*distance(p1,p3)-r3)*(first+second); {_ARMS}",
    STRETCH_STRETCH_13: f"k*first*second; first=length-r1; second={units.NANOMETRE!r}*distance(p3,p4)-r2; {_R}",
    BEND_TORSION_BEND: f"on*c*k*(angle(p1,p2,p3)-theta1)*(angle(p2,p3,p4)-theta2); {_SWITCH}",
    BEND_BEND: "k*(angle(p2,p1,p3)-theta1)*(angle(p4,p1,p5)-theta2)",
    BEND_BEND_OF_FOUR: "k*(angle(p2,p1,p3)-theta1)*(angle(p2,p1,p4)-theta2)",
    TORSION_STRETCH: f"-k*({units.NANOMETRE!r}*distance(p2,p3)-r0)*(1+cos(3*dihedral(p1,p2,p3,p4)))",
    HARMONIC_IMPROPER: f"0.5*k*(apart-{_TURN!r}*floor(apart/{_TURN!r}+0.5))^2; apart=dihedral(p1,p2,p3,p4)-xi0",
    LENNARD_JONES_PAIR: f"e*(sixth^2-2*sixth); sixth=(r/length)^6; {_R}",
    DIPOLE_PAIR: f"{units.NANOMETRE**-3!r}*k*(uv-3*um*vm/mm)/(sqrt(uu*vv*mm)*mm); {_DIPOLES}",
    BUCKINGHAM_PAIR: f"a*exp(-b*length)-c/length^6; {_R}",
}
_EXPRESSIONS |= {own: _EXPRESSIONS[term] for term, own in OWNING.items()}


_THREE = "v1*(1+c)+v2*(2-2*c^2)+v3*(1+c*(4*c^2-3))"
_OF_CONTEXTS: dict[Term, str] = {
    BEND_BEND_PRODUCT: "-k1*k2*(angle(p2,p1,p3)-theta1)*(angle(p4,p1,p5)-theta2)",
    LENNARD_JONES: f"scale*sqrt(e_i*e_j)*(sixth^2-2*sixth); sixth=((r_i+r_j)/length)^6; {_R}",
    LENNARD_JONES_GEOMETRIC: f"scale*sqrt(e_i*e_j)*(sixth^2-2*sixth); sixth=(4*r_i*r_j/length^2)^3; {_R}",
    COULOMB: f"scale*{units.COULOMB!r}*q_i*q_j/length; {_R}",
    TORSION3: f"0.5*on*({_THREE}); {_SWITCH}",
    TORSION6: f"0.5*on*({_THREE}+v4*(1-cos(4*p))+v5*(1+cos(5*p))+v6*(1-cos(6*p))); p=dihedral(p1,p2,p3,p4); {_SWITCH}",
    COSINE_OUT_OF_PLANE: f"on*v2*(1-c^2); {_SWITCH}",
    ONE_FOLD_OUT_OF_PLANE: f"on*0.5*v1*(1+c); {_SWITCH}",
}
"""Energies of terms that stand in forces of their own, but for scaled ones and those between shifted centres."""
_MEASURED = re.compile(r"(distance|angle|dihedral)\(([p0-9,]+)\)")


def expressed(term: Term) -> tuple[str, tuple[str, ...]] | None:
    """Return the energy of any term in OpenMM's units, and the names of its parameters; None where there is none."""
    return expression_of(term) or energy_of(term)


def expression_of(term: Term) -> tuple[str, tuple[str, ...]] | None:
    """Return the energy of a term as files hold it, in OpenMM's units, and the names of its parameters, or None."""
    if term.made is not None and term.made[0] is custom_term:
        expression, _, _, names, constants = term.made[1]
        return "; ".join([expression, *(f"{name}={number!r}" for name, number in constants)]), names
    return energy_of(term) if term in (*_EXPRESSIONS, EXP6_PAIR) else None


def energy_of(term: Term) -> tuple[str, tuple[str, ...]] | None:
    """Return the energy of a term in OpenMM's units, and the names of its parameters; None where there is none."""
    if (found := _in_internal_units(term)) is None:
        return None
    (energy, _, definitions), names = found[0].partition("; "), found[1]
    return f"{1.0 / units.KILOJOULE!r}*({energy}); {definitions}".removesuffix("; "), names


def _in_internal_units(term: Term) -> tuple[str, tuple[str, ...]] | None:
    """Return the energy of a term [kcal/mol], and the names of its parameters; None where there is none."""
    if term.made is not None and term.made[0] in (scaled, shifted, shifted_stretch):
        make, of = term.made
        if (found := _in_internal_units(of[0])) is None:
            return None
        return _scaled(*found) if make is scaled else _shifted(of[0], of[1], found, rescales=make is shifted_stretch)
    names = tuple(parameter.name for parameter in term.parameters)
    if term is EXP6_PAIR:
        return f"e*{exp6_of('length/rv')}; {_R}", names
    if term is EXP6:
        return f"scale*sqrt(e_i*e_j)*{exp6_of('length/(r_i+r_j)')}; {_R}", names
    energy = (_EXPRESSIONS | _OF_CONTEXTS).get(term)
    return None if energy is None else (energy, names)


def _scaled(energy: str, names: tuple[str, ...]) -> tuple[str, tuple[str, ...]]:
    return f"factor*({energy.replace('; ', '); ', 1)}" + ")" * ("; " not in energy), (*names, "factor")


def _shifted(
    base: Term, atoms: tuple[int, ...], found: tuple[str, tuple[str, ...]], *, rescales: bool
) -> tuple[str, tuple[str, ...]]:
    """Return an energy in which some atoms stand further from their parents, which follow the term's own atoms."""
    energy, names = found
    offsets = {atom + 1: (f"offset{k}", base.order + k) for k, atom in enumerate(atoms, 1)}

    def centre(atom: int) -> str:
        if atom not in offsets:
            return f"x{atom},y{atom},z{atom}"
        name, parent = offsets[atom]
        return ",".join(f"{c}{atom}+{name}*({c}{atom}-{c}{parent})" for c in "xyz")

    def moved(match: re.Match[str]) -> str:
        own = [int(p) for p in match[2].replace("p", "").split(",")]
        return f"point{match[1]}({','.join(map(centre, own))})"

    energy = _MEASURED.sub(moved, energy)
    if rescales:
        energy = energy.replace(
            "*pointdistance", f"/({'*'.join(f'(1+{name})' for name, _ in offsets.values())})*pointdistance"
        )
    return energy, (*names, *(name for name, _ in offsets.values()))


def term_of(expression: str, names: tuple[str, ...]) -> Term | None:
    """Return the term whose energy an expression is as we write it; None where it is none."""
    return next((term for term in (*_EXPRESSIONS, EXP6_PAIR) if expression_of(term) == (expression, names)), None)
