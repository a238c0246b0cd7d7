"""Writes a System of OpenMM as XML: every interaction of one molecule, or of several, that a force field states."""

import math
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from xml.etree.ElementTree import Element, SubElement, indent, tostring

import numpy as np
from jaxtyping import Float, Int

from forgefield import units
from forgefield.assign.assignment import Assignment
from forgefield.assign.explicit.rules import SystemRules
from forgefield.assign.explicit.system import Stated, ThroughSpace
from forgefield.assign.rules import AbstractRules
from forgefield.errors import InputError
from forgefield.io.forcefields.generated import require_no_switched_torsions
from forgefield.io.forcefields.laid.flat import FlatSystem, as_pairs, of_assignment, of_rules
from forgefield.io.forcefields.laid.series import parts
from forgefield.io.forcefields.openmm.exp6 import exp6_of
from forgefield.io.forcefields.openmm.system.bonded import STIFFNESS
from forgefield.io.forcefields.openmm.system.expressions import expressed
from forgefield.io.forcefields.openmm.system.nonbonded import COULOMB, MINIMUM
from forgefield.io.outputs import write_text
from forgefield.molecules.molecule import Molecule
from forgefield.terms.bend import HARMONIC_BEND
from forgefield.terms.cmap import correction_map
from forgefield.terms.cross import UREY_BRADLEY
from forgefield.terms.mm3 import BOND_MOMENT
from forgefield.terms.nonbonded import (
    CHARGE_INCREMENT,
    EXP6,
    EXP6_PAIR,
    LENNARD_JONES,
    LENNARD_JONES_PAIR,
)
from forgefield.terms.out_of_plane import COSINE_OUT_OF_PLANE, ONE_FOLD_OUT_OF_PLANE
from forgefield.terms.periodic import PERIODIC_IMPROPER, PERIODIC_TORSION, RYCKAERT_BELLEMANS
from forgefield.terms.stretch import HARMONIC_STRETCH
from forgefield.terms.term import Term
from forgefield.terms.torsion import TORSION3, TORSION4, TORSION6

SWITCHED = (TORSION3, TORSION4, TORSION6, COSINE_OUT_OF_PLANE, ONE_FOLD_OUT_OF_PLANE)
WITHOUT_ENERGY = (CHARGE_INCREMENT, BOND_MOMENT)
_MOST_GROUPS = 32
"""OpenMM tells the energies of so many groups of forces apart."""


def write_system(path: Path, rules: AbstractRules) -> None:
    """Write a force field that states every interaction of a system. Raises InputError for others."""
    if not isinstance(rules, SystemRules):
        raise InputError(
            f"{path}: a System of OpenMM is of one molecule; name a structure that it is laid over (--over)"
        )
    write_text(path, _headed(xml_of(of_rules(rules), str(path)), rules.system.source, path))


def write_laid_system(path: Path, assignment: Assignment, molecules: list[Molecule]) -> tuple[Path, ...]:
    """Write a force field that is laid over one molecule, and return the path.

    Raises InputError that names terms that OpenMM's forces cannot express, and torsions next to a straight angle.
    """
    what = f"{path}: a System of OpenMM"
    require_no_switched_torsions(assignment, molecules, SWITCHED, what)
    source = molecules[0].source or molecules[0].name
    write_text(path, _headed(xml_of(of_assignment(assignment, molecules, what), str(path)), source, path))
    return (path,)


def _headed(xml: str, source: str, path: Path) -> str:
    """Return the XML of a System with what made it, from what, and how it is loaded."""
    made = f"Written by ForgeField from {Path(source).name.replace('--', '- -')}"
    # OpenMM takes no comment before the first element.
    declared, opened, rest = xml.split("\n", 2)
    load = f"Load it: openmm.XmlSerializer.deserialize(open('{path.name}').read())"
    return f"{declared}\n{opened}\n  <!-- {made}. {load} -->\n{rest}"


def xml_of(system: FlatSystem, source: str) -> str:
    """Return the XML of a System. Raises InputError that names terms that no force of OpenMM expresses."""
    stated = [one for one in system.interactions if len(one.atoms) and one.term not in WITHOUT_ENERGY]
    unknown = {one.term.name: one for one in stated if _writer(one.term) is None}
    if unknown:
        named = ", ".join(f"{name} ({len(one.atoms)} interactions)" for name, one in unknown.items())
        raise InputError(f"{source}: a System of OpenMM cannot hold {named}; leave them out")
    root = Element("System", type="System", version="1")
    box = SubElement(root, "PeriodicBoxVectors")
    for name, along in zip("ABC", np.eye(3) * 2.0, strict=True):
        SubElement(box, name, dict(zip("xyz", map(repr, along.tolist()), strict=True)))
    particles = SubElement(root, "Particles")
    for mass in system.masses.tolist():
        SubElement(particles, "Particle", mass=repr(mass))
    SubElement(root, "Constraints")
    forces = SubElement(root, "Forces")
    for one in stated:
        write = _writer(one.term)
        assert write is not None
        write(forces, one)
    _pairs(forces, system.through_space)
    for number, force in enumerate(forces):
        force.set("forceGroup", str(min(number, _MOST_GROUPS - 1)))
    indent(root)
    return f'<?xml version="1.0" ?>\n{tostring(root, encoding="unicode")}\n'


def _force(forces: Element, kind: str, name: str, version: int = 2, **attributes: str) -> Element:
    own = {"type": kind, "name": name, "usesPeriodic": "0", "version": str(version)}
    return SubElement(forces, "Force", own | attributes)


def _listed(
    parent: Element,
    tag: str,
    atoms: Int[np.ndarray, "interactions order"],
    names: Sequence[str],
    values: Float[np.ndarray, "interactions _"],
) -> None:
    """Append an element for each interaction: its atoms p1, p2, … and its values."""
    for chain, own in zip(atoms.tolist(), values.tolist(), strict=True):
        places = {f"p{k}": str(atom) for k, atom in enumerate(chain, 1)}
        SubElement(parent, tag, places | {name: repr(number) for name, number in zip(names, own, strict=True)})


def _bonds(forces: Element, stated: Stated) -> None:
    force = _force(forces, "HarmonicBondForce", stated.term.name)
    _listed(SubElement(force, "Bonds"), "Bond", stated.atoms, "kd", stated.values / [STIFFNESS, units.NANOMETRE])


def _angles(forces: Element, stated: Stated) -> None:
    force = _force(forces, "HarmonicAngleForce", stated.term.name)
    _listed(SubElement(force, "Angles"), "Angle", stated.atoms, "ka", stated.values / [units.KILOJOULE, 1.0])


def _torsions(forces: Element, stated: Stated) -> None:
    """Append the parts of a series: constant, periodicity and phase of each."""
    force = SubElement(_force(forces, "PeriodicTorsionForce", stated.term.name), "Torsions")
    for k, n, phase in series(stated):
        some = k != 0.0
        values = np.stack([k / units.KILOJOULE, phase], axis=1)[some]
        folds = n[some].tolist()
        _listed(force, "Torsion", stated.atoms[some], ("k", "phase"), values)
        for element, fold in zip(force[len(force) - len(folds) :], folds, strict=True):
            element.set("periodicity", str(int(fold)))


def series(stated: Stated) -> Iterable[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """Return torsions as sums: constant [kcal/mol], periodicity and phase [rad] of each part, of all interactions."""
    values, one = stated.values, np.ones(len(stated.values))
    if stated.term in (PERIODIC_TORSION, PERIODIC_IMPROPER):
        return [(values[:, 0], values[:, 1], values[:, 2])]
    found = parts(stated)
    assert found is not None
    return [(k, n * one, phase * one) for k, n, phase in found]


def _ryckaert_bellemans(forces: Element, stated: Stated) -> None:
    force = _force(forces, "RBTorsionForce", stated.term.name)
    names = [f"c{n}" for n in range(6)]
    _listed(SubElement(force, "Torsions"), "Torsion", stated.atoms, names, stated.values / units.KILOJOULE)


def _correction_map(forces: Element, stated: Stated) -> None:
    """Append the map once for each factor."""
    assert stated.term.made is not None
    grid = np.array(stated.term.made[1][0]) / units.KILOJOULE
    force = _force(forces, "CMAPTorsionForce", stated.term.name)
    maps, torsions = SubElement(force, "Maps"), SubElement(force, "Torsions")
    for number, factor in enumerate(np.unique(stated.values[:, 0])):
        own = SubElement(maps, "Map", size=str(len(grid)))
        for energy in (factor * grid.T).ravel().tolist():
            SubElement(own, "Energy", e=repr(energy))
        for chain in stated.atoms[stated.values[:, 0] == factor].tolist():
            places = {f"{angle}{k + 1}": str(chain[start + k]) for start, angle in enumerate("ab") for k in range(4)}
            SubElement(torsions, "Torsion", places, map=str(number))


def _compound(forces: Element, stated: Stated) -> None:
    found = expressed(stated.term)
    assert found is not None
    energy, names = found
    force = _force(
        *(forces, "CustomCompoundBondForce", stated.term.name, 3), energy=energy, particles=str(stated.term.order)
    )
    parameters = SubElement(force, "PerBondParameters")
    for name in names:
        SubElement(parameters, "Parameter", name=name)
    _empty(force, "GlobalParameters", "EnergyParameterDerivatives")
    places = [f"param{k}" for k in range(1, len(names) + 1)]
    _listed(SubElement(force, "Bonds"), "Bond", stated.atoms, places, stated.values[:, : len(names)])
    _empty(force, "Functions")


def _empty(force: Element, *names: str) -> None:
    for name in names:
        SubElement(force, name)


def _writer(term: Term) -> Callable[[Element, Stated], None] | None:
    """Return what writes the interactions of a term; None where nothing does."""
    if term.made is not None and term.made[0] is correction_map:
        return _correction_map
    return _STANDARD.get(term) or (_compound if expressed(term) else None)


_STANDARD: dict[Term, Callable[[Element, Stated], None]] = {
    HARMONIC_STRETCH: _bonds,
    UREY_BRADLEY: _bonds,
    HARMONIC_BEND: _angles,
    RYCKAERT_BELLEMANS: _ryckaert_bellemans,
    **dict.fromkeys((PERIODIC_TORSION, PERIODIC_IMPROPER, *SWITCHED), _torsions),
}


def _pairs(forces: Element, space: ThroughSpace) -> None:
    """Append charges and van der Waals energies; those that no NonbondedForce has in forces of their own."""
    standard = space.term is LENNARD_JONES
    # OpenMM has its own Coulomb constant.
    charges = space.charges * math.sqrt(space.coulomb / COULOMB)
    force = _force(forces, "NonbondedForce", "nonbonded", 4, **_WITHOUT_CUTOFF)
    _empty(force, "GlobalParameters", "ParticleOffsets", "ExceptionOffsets")
    particles = SubElement(force, "Particles")
    depths = space.parameters[:, 1] / units.KILOJOULE if standard else np.zeros_like(charges)
    sigmas = np.where(depths > 0.0, 2.0 * space.parameters[:, 0] / MINIMUM / units.NANOMETRE, 1.0)
    for q, sigma, depth in np.stack([charges, sigmas, depths], axis=1).tolist():
        SubElement(particles, "Particle", q=repr(q), sig=repr(sigma), eps=repr(depth))
    products = charges[space.special].prod(axis=1) * space.scales[:, 1]
    of_pair = np.stack([np.zeros(len(products)), np.ones(len(products))], axis=1)
    chosen, minima = as_pairs(space)
    if standard:
        known = {pair: k for k, pair in enumerate(map(tuple, space.special.tolist()))}
        where = [known[pair] for pair in map(tuple, chosen.tolist())]
        of_pair[where] = minima[:, ::-1] / [units.KILOJOULE, MINIMUM * units.NANOMETRE]
    values = np.concatenate([products[:, None], of_pair], axis=1)
    _listed(SubElement(force, "Exceptions"), "Exception", space.special, ("q", "eps", "sig"), values)
    if not standard and space.parameters[:, 1].any():
        _custom_pairs(forces, space)
        if len(chosen):
            _compound(forces, Stated(EXP6_PAIR if space.term is EXP6 else LENNARD_JONES_PAIR, chosen, minima))


_WITHOUT_CUTOFF = {
    **dict.fromkeys(("alpha", "ljAlpha", "nx", "ny", "nz", "ljnx", "ljny", "ljnz", "method"), "0"),
    "cutoff": "1",
    "dispersionCorrection": "0",
    "ewaldTolerance": "0.0005",
    "exceptionsUsePeriodic": "0",
    "includeDirectSpace": "1",
    "recipForceGroup": "-1",
    "rfDielectric": "78.3",
    "switchingDistance": "-1",
    "useSwitchingFunction": "0",
}


def _custom_pairs(forces: Element, space: ThroughSpace) -> None:
    """Append van der Waals energies that combine the values of atoms otherwise than OpenMM does."""
    length, kilojoule = f"{units.NANOMETRE!r}*r", 1.0 / units.KILOJOULE
    energy = (
        f"{kilojoule!r}*sqrt(depth1*depth2)*{exp6_of(f'{length}/(radius1+radius2)')}"
        if space.term is EXP6
        else f"{kilojoule!r}*sqrt(depth1*depth2)*(sixth^2-2*sixth); sixth=(4*radius1*radius2/({length})^2)^3"
    )
    force = _force(
        *(forces, "CustomNonbondedForce", space.term.name, 3),
        energy=energy,
        cutoff="1",
        method="0",
        switchingDistance="-1",
        useLongRangeCorrection="0",
        useSwitchingFunction="0",
    )
    parameters = SubElement(force, "PerParticleParameters")
    for name in ("radius", "depth"):
        SubElement(parameters, "Parameter", name=name)
    _empty(force, "GlobalParameters", "ComputedValues", "EnergyParameterDerivatives")
    particles = SubElement(force, "Particles")
    for radius, depth in space.parameters.tolist():
        SubElement(particles, "Particle", param1=repr(radius), param2=repr(depth))
    exclusions = SubElement(force, "Exclusions")
    _listed(exclusions, "Exclusion", space.special, (), np.zeros((len(space.special), 0)))
    _empty(force, "Functions", "InteractionGroups")
