"""Reads Systems of OpenMM, as XML files and as objects."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from xml.etree.ElementTree import Element, ParseError

import numpy as np
from defusedxml import DefusedXmlException
from defusedxml.ElementTree import fromstring
from jaxtyping import Bool, Float, Int

from forgefield import units
from forgefield.assign.explicit.rules import SystemRules
from forgefield.assign.explicit.system import Stated, System, chemical_bonds
from forgefield.errors import InputError
from forgefield.io.forcefields.openmm.system.bonded import BONDED, chained
from forgefield.io.forcefields.openmm.system.elements import children, numbers
from forgefield.io.forcefields.openmm.system.nonbonded import Pairs, custom, standard
from forgefield.io.offenders import listed
from forgefield.io.text import read_text
from forgefield.molecules.elements import SYMBOLS, WEIGHTS, covalent_radii
from forgefield.terms.cross import UREY_BRADLEY
from forgefield.terms.expressions.custom import custom_term
from forgefield.terms.expressions.evaluation import NUMPY, value
from forgefield.terms.expressions.language import parsed
from forgefield.terms.periodic import PERIODIC_IMPROPER, PERIODIC_TORSION
from forgefield.terms.stretch import HARMONIC_STRETCH

_WITHOUT_ENERGY = ("CMMotionRemover", "AndersenThermostat")
_PAIRS = {"NonbondedForce": standard, "CustomNonbondedForce": custom}
_LONG = 1.4
"""Springs longer than this many times the sum of the covalent radii are no bonds."""
_SIGHT = np.linspace(0.5, 6.0, 111)
"""Å"""
_REST = "r0"
"""What stretches call the distance where they are lowest."""
_OFF = 0.06
"""amu; masses of elements are printed with so many digits at least."""


@dataclass(frozen=True)
class Named:
    """What a System does not say of its atoms."""

    species: tuple[int, ...]
    types: tuple[str, ...]
    names: tuple[str, ...]
    residues: tuple[str, ...]
    bonds: tuple[tuple[int, int], ...]


def read_system(path: Path) -> SystemRules:
    """Return the force field of a System's XML. Raises InputError that names what it has that we do not."""
    return rules_of_xml(read_text(path), str(path))


def rules_of_xml(text: str, source: str, named: Named | None = None) -> SystemRules:
    """Return the force field of the XML of a System, which messages call `source`. Raises InputError."""
    try:
        root = fromstring(text)
    except (ParseError, DefusedXmlException) as error:
        raise InputError(f"{source}: is no XML that can be read: {error}; it may be truncated") from None
    if root.tag != "System" or root.get("type") != "System":
        raise InputError(f"{source}: is XML of <{root.tag}>, not a System of OpenMM")
    try:
        return SystemRules(_system(root, source, named))
    except InputError as error:
        message = str(error)
        raise InputError(message if message.startswith(source) else f"{source}: {message}") from None


def _system(root: Element, source: str, named: Named | None) -> System:
    masses = numbers(children(root, "Particles", "Particle"), ("mass",))[:, 0]
    n_atoms = len(masses)
    _require_plain(root, masses)
    species = _species(masses) if named is None else np.array(named.species)
    pairs, stated = Pairs(n_atoms), []
    for force in _in_order(root):
        kind = force.get("type", "")
        try:
            if kind in _PAIRS:
                _PAIRS[kind](force, pairs)
            else:
                stated += BONDED[kind](force, n_atoms)
        except InputError as error:
            raise InputError(f"{kind} {force.get('name', '')!r}: {error}") from None
    bonds = _bonds(species, stated) if named is None else np.array(named.bonds, dtype=np.int64).reshape(-1, 2)
    stated = [part for one in [*stated, *pairs.own] for part in _told_apart(one, bonds) if len(part.atoms)]
    types = _types(species, pairs) if named is None else named.types
    names = tuple(f"{SYMBOLS[z]}{k}" for k, z in enumerate(species.tolist(), 1)) if named is None else named.names
    return System(
        source=source,
        program="OpenMM",
        species=species,
        bonds=bonds,
        types=types,
        names=names,
        residues=("SYS1",) * n_atoms if named is None else named.residues,
        masses=masses,
        interactions=tuple(stated),
        through_space=pairs.through_space(),
    )


def _require_plain(root: Element, masses: Float[np.ndarray, " atoms"]) -> None:
    """Raise InputError that lists what a System has besides forces that we compute."""
    complaints = []
    constraints = children(root, "Constraints", "Constraint")
    if constraints:
        complaints.append(
            f"{len(constraints)} constraints: make the System with constraints=None, rigidWater=False, "
            "flexibleConstraints=False"
        )
    virtual = [k for k, particle in enumerate(children(root, "Particles", "Particle"), 1) if len(particle)]
    if virtual or (masses == 0.0).any():
        atoms = virtual or (np.flatnonzero(masses == 0.0) + 1).tolist()
        complaints.append(f"virtual sites or particles without mass (atoms {listed([str(a) for a in atoms])})")
    forces = children(root, "Forces", "Force")
    unknown = {force.get("type", "") for force in forces} - {*BONDED, *_PAIRS, *_WITHOUT_ENERGY}
    complaints += sorted(f"a {kind}" for kind in unknown)
    periodic = sorted({force.get("type", "") for force in forces if force.get("usesPeriodic") == "1"})
    complaints += [f"a {kind} with periodic boundaries" for kind in periodic]
    if complaints:
        raise InputError(f"has what ForgeField does not compute: {'; '.join(complaints)}")
    if not len(masses):
        raise InputError("has no particles")


def _in_order(root: Element) -> Iterator[Element]:
    """Yield the forces with an energy, the one that has charges and Lennard-Jones of atoms before its corrections."""
    forces = [one for one in children(root, "Forces", "Force") if one.get("type") not in _WITHOUT_ENERGY]
    yield from sorted(forces, key=lambda one: one.get("type") == "CustomNonbondedForce")


def _species(masses: Float[np.ndarray, " atoms"]) -> Int[np.ndarray, " atoms"]:
    """Return the elements of masses. Raises InputError for those of none."""
    found = 1 + np.abs(WEIGHTS[1:, None] - masses[None]).argmin(axis=0)
    wrong = np.flatnonzero(np.abs(WEIGHTS[found] - masses) > _OFF)
    if len(wrong):
        atoms = listed([f"{k + 1} ({masses[k]:g} amu)" for k in wrong.tolist()])
        raise InputError(
            f"atoms {atoms} have the mass of no element; make the System without hydrogenMass, or with united atoms "
            "left out"
        )
    return found


def _bonds(species: Int[np.ndarray, " atoms"], stated: list[Stated]) -> Int[np.ndarray, "bonds 2"]:
    """Return what is bonded: what a stretch holds, but for those whose rest is too far apart."""
    held = [np.zeros((0, 2), dtype=np.int64)]
    for one in stated:
        if one.term.kind == "stretch" and one.term.order == 2:
            held.append(one.atoms[_short(species, one)])
    return chemical_bonds(species, np.concatenate(held))


def _short(species: Int[np.ndarray, " atoms"], stretches: Stated) -> Bool[np.ndarray, " interactions"]:
    """Say which stretches hold bonds."""
    names = [parameter.name for parameter in stretches.term.parameters]
    is_custom = stretches.term.made is not None
    rest = _lowest(stretches) if is_custom else stretches.values[:, names.index(_REST)]
    return rest < _LONG * covalent_radii(species)[stretches.atoms].sum(axis=1)


def _lowest(stretches: Stated) -> Float[np.ndarray, " interactions"]:
    """Return at what distance [Å] expressions of two atoms are lowest; infinity where at none in sight."""
    assert stretches.term.made is not None
    expression, _, _, names, constants = stretches.term.made[1]
    own = {name: stretches.values[:, [k]] for k, name in enumerate(names)}
    distance = {("distance", ("p1", "p2")): _SIGHT[None] / units.NANOMETRE}
    with np.errstate(all="ignore"):
        energy = value(parsed(expression), {**dict(constants), **own, **distance}, NUMPY)
    lowest = np.broadcast_to(energy, (len(stretches.atoms), len(_SIGHT))).argmin(axis=1)
    return np.where((lowest > 0) & (lowest < len(_SIGHT) - 1), _SIGHT[lowest], np.inf)


def _told_apart(stated: Stated, bonds: Int[np.ndarray, "bonds 2"]) -> Iterator[Stated]:
    """Yield interactions as what they are: springs between atoms that no bond joins, and torsions across no bonds."""
    match stated.term.kind:
        case "stretch" if stated.term is HARMONIC_STRETCH:
            other = UREY_BRADLEY
        case "torsion" if stated.term is PERIODIC_TORSION:
            other = PERIODIC_IMPROPER
        case "torsion" if stated.term.made is not None and stated.term.made[0] is custom_term:
            expression, _, *rest = stated.term.made[1]
            other = custom_term(expression, "improper", *rest)
        case _:
            yield stated
            return
    proper = chained(stated.atoms, bonds)
    yield replace(stated, atoms=stated.atoms[proper], values=stated.values[proper])
    yield Stated(other, stated.atoms[~proper], stated.values[~proper])


def _types(species: Int[np.ndarray, " atoms"], pairs: Pairs) -> tuple[str, ...]:
    """Return a type for each atom: an element and a number for each kind of van der Waals values that it has."""
    known: dict[tuple, str] = {}
    found = []
    for z, values in zip(species.tolist(), map(tuple, pairs.parameters.tolist()), strict=True):
        count = sum(1 for other, *_ in known if other == z)
        found.append(known.setdefault((z, *values), f"{SYMBOLS[z]}{count + 1}"))
    return tuple(found)
