"""Writes a system as a SMIRNOFF force field (.offxml): a SMARTS for each kind of interaction and of atoms."""

import math
from dataclasses import replace
from pathlib import Path
from xml.etree.ElementTree import Comment, Element, SubElement, indent, tostring

import numpy as np

from forgefield import units
from forgefield.assign.explicit.system import Stated, System
from forgefield.errors import InputError
from forgefield.io.forcefields.laid.by_types import Bonded, Chain, Improper, Series, bonded, named
from forgefield.io.forcefields.laid.format import Positions, SystemFormat
from forgefield.io.forcefields.laid.near import near, require_lorentz_berthelot
from forgefield.io.forcefields.openmm.system.nonbonded import COULOMB
from forgefield.io.forcefields.smirnoff.patterns import Patterns, about_centre, either_way, patterns
from forgefield.io.offenders import listed
from forgefield.io.outputs import write_text
from forgefield.molecules.bonds import equivalence
from forgefield.terms.bend import HARMONIC_BEND
from forgefield.terms.periodic import PERIODIC_IMPROPER, PERIODIC_TORSION
from forgefield.terms.stretch import HARMONIC_STRETCH
from forgefield.terms.term import Term

_TURN = 360.0
_PERIODIC = "k*(1+cos(periodicity*theta-phase))"
_LENGTH, _ENERGY, _CHARGE = "angstrom ** 1", "kilocalorie_per_mole ** 1", "elementary_charge ** 1"
_SCALES = {"scale12": "0.0", "scale13": "0.0", "scale15": "1.0"}
_THREE = 3.0
"""Impropers of one centre."""
_EQUAL = 1e-9
"""e; charges that differ by less do so by rounding."""


def _write(path: Path, system: System, positions: Positions | None) -> tuple[Path, ...]:
    del positions
    what = f"{path}: SMIRNOFF"
    require_lorentz_berthelot(system, what)
    held, pairs = bonded(system), near(system, what)
    held.require_no_stray(what)
    held.require_one_each(what)
    root = Element("SMIRNOFF", version="0.3", aromaticity_model="OEAroModel_MDL")
    root.append(
        Comment(
            f" Force field written by ForgeField from {Path(system.source).name.replace('--', '- -')}. Load it: "
            f"openff.toolkit.ForceField('{path.name}') "
        )
    )
    wrong = _add_bonded(root, patterns(system.species, system.bonds), held)
    scales = pairs.attraction_scale(what), pairs.charge_scale(what)
    wrong += _add_atoms(root, patterns(system.species, system.bonds), system, scales)
    if wrong:
        raise InputError(
            f"{what} has SMARTS, which cannot tell atoms apart that are bonded in the same way: {listed(wrong)} have "
            "other values than those"
        )
    indent(root)
    write_text(path, tostring(root, encoding="unicode") + "\n")
    return (path,)


def _add_bonded(root: Element, graph: Patterns, held: Bonded) -> list[str]:
    """Append what is bonded, and return the atoms of what no SMARTS tells apart."""
    stars: dict[Chain, Series] = {
        (star[1], star[0], *star[2:]): one.series if one else () for star, one in held.impropers.items()
    }
    wrong = []
    for section, version, table, key in (
        ("Bonds", "0.4", held.stretches, either_way),
        ("Angles", "0.3", held.bends, either_way),
        ("ProperTorsions", "0.4", held.torsions, either_way),
        ("ImproperTorsions", "0.3", stars, about_centre),
    ):
        potential = _PERIODIC if "Torsions" in section else "harmonic"
        parent = SubElement(root, section, version=version, potential=potential)
        if potential == _PERIODIC:
            parent.set("default_idivf", "1.0")
        # Centres may go without impropers.
        needed = [chain for chain, series in table.items() if series or key is either_way]
        found, alike = graph.of(needed, table, key)
        wrong += [named(chain) for chain in alike]
        for number, (smarts, series) in enumerate(found.items(), 1):
            tag = section.removesuffix("s").removesuffix("Torsion")
            element = SubElement(parent, tag, smirks=smarts, id=f"{section[0].lower()}{number}")
            for name, text in _values(section, series).items():
                element.set(name, text)
    return wrong


def _values(section: str, series: Series) -> dict[str, str]:
    if section == "Bonds":
        k, r0 = series[0] if series else (0.0, 1.0)
        return {"length": f"{r0!r} * {_LENGTH}", "k": f"{k!r} * {_ENERGY} * angstrom ** -2"}
    if section == "Angles":
        k, theta0 = series[0] if series else (0.0, 0.0)
        return {"angle": f"{theta0 / units.DEGREE!r} * degree ** 1", "k": f"{k!r} * {_ENERGY} * radian ** -2"}
    found = {}
    for number, (k, n, phase) in enumerate(series or ((0.0, 1.0, 0.0),), 1):
        found |= {
            f"periodicity{number}": str(int(n)),
            f"phase{number}": f"{round(phase / units.DEGREE % _TURN, 10)!r} * degree ** 1",
            f"k{number}": f"{k!r} * {_ENERGY}",
            f"idivf{number}": "1.0",
        }
    return found


def _add_atoms(root: Element, graph: Patterns, system: System, scales: tuple[float, float]) -> list[str]:
    """Append van der Waals parameters and charges, and return the atoms that no SMARTS tells apart."""
    space = system.through_space
    charges = space.charges * math.sqrt(space.coulomb / COULOMB)
    attributes = {"version": "0.4", **_SCALES, "cutoff": f"9.0 * {_LENGTH}"}
    van_der_waals = SubElement(
        *(root, "vdW", attributes),
        potential="Lennard-Jones-12-6",
        combining_rules="Lorentz-Berthelot",
        scale14=repr(scales[0]),
        switch_width=f"1.0 * {_LENGTH}",
        periodic_method="cutoff",
        nonperiodic_method="no-cutoff",
    )
    SubElement(
        *(root, "Electrostatics", attributes),
        scale14=repr(scales[1]),
        switch_width=f"0.0 * {_LENGTH}",
        periodic_potential="Ewald3D-ConductingBoundary",
        nonperiodic_potential="Coulomb",
        exception_potential="Coulomb",
    )
    library, wrong = SubElement(root, "LibraryCharges", version="0.3"), []
    shapes: dict[Chain, Series] = {(k,): (tuple(one),) for k, one in enumerate(space.parameters.tolist())}
    found, alike = graph.of(shapes, shapes, either_way)
    wrong += [named(chain) for chain in alike]
    for number, (smarts, ((radius, depth),)) in enumerate(found.items(), 1):
        SubElement(
            *(van_der_waals, "Atom"),
            smirks=smarts,
            id=f"n{number}",
            epsilon=f"{depth!r} * {_ENERGY}",
            rmin_half=f"{radius!r} * {_LENGTH}",
        )
    of_atom: dict[Chain, Series] = {(k,): ((q,),) for k, q in enumerate(charges.tolist())}
    found, alike = graph.of(of_atom, of_atom, either_way)
    wrong += [named(chain) for chain in alike]
    for number, (smarts, ((charge,),)) in enumerate(found.items(), 1):
        SubElement(library, "LibraryCharge", smirks=smarts, id=f"q{number}", charge1=f"{charge!r} * {_CHARGE}")
    return wrong


def _adapted(system: System) -> tuple[System, tuple[str, ...]]:
    """Return a system as SMARTS of SMIRNOFF select it, and what that changes."""
    turned, words = _mean_of_three(system)
    charges = system.through_space.charges
    alike: dict[str, list[int]] = {}
    for atom, name in enumerate(equivalence(system.species, system.bonds)):
        alike.setdefault(name, []).append(atom)
    equal = charges.copy()
    for atoms in alike.values():
        equal[atoms] = charges[atoms].mean()
    most = float(np.abs(equal - charges).max(initial=0.0))
    if most > _EQUAL:
        words += (f"charges of atoms that are bonded alike (as their mean, up to {most:.2g} e)",)
    return replace(turned, through_space=replace(system.through_space, charges=equal)), words


def _mean_of_three(system: System) -> tuple[System, tuple[str, ...]]:
    """Return a system whose impropers are the three of each centre that stands first, as SMIRNOFF has them.

    One whose centre stands third, as in AMBER, is as stiff as three of the same constant, where the arms are alike;
    one whose centre stands first, as three of a third of it.
    """
    held = bonded(system)
    changed, atoms, values = 0, [], []
    for (centre, *ends), one in held.impropers.items():
        if one is None or one.term is not PERIODIC_IMPROPER:
            continue
        a, b, c = ends
        turned = ((centre, a, b, c), (centre, b, c, a), (centre, c, a, b))
        waves, alike = _three(one, centre)
        changed += not alike
        for chain in turned:
            atoms += [chain] * len(waves)
            values += waves
    both = (PERIODIC_TORSION, PERIODIC_IMPROPER)
    torsions = [*held.torsions.items(), *((key[1], series) for key, series in held.stray.items() if key[0] in both)]
    of_chain = [(chain, wave) for chain, series in torsions for wave in series]
    found = (
        *(one for one in system.interactions if one.term not in both),
        _of(PERIODIC_TORSION, [chain for chain, _ in of_chain], [wave for _, wave in of_chain]),
        _of(PERIODIC_IMPROPER, atoms, values),
    )
    words = (f"impropers in one order of their atoms ({changed}; SMIRNOFF has the sum of three)",) if changed else ()
    return replace(system, interactions=found), words


def _of(term: Term, atoms: list[Chain], values: list[tuple[float, ...]]) -> Stated:
    return Stated(
        term, np.array(atoms, dtype=np.int64).reshape(-1, term.order), np.array(values).reshape(-1, term.n_own)
    )


def _three(one: Improper, centre: int) -> tuple[list[tuple[float, ...]], bool]:
    """Return the cosines of each of the three impropers of a centre, and whether that is what there was."""
    if len({series for _, series in one.parts}) == 1 and len(one.parts) == _THREE:
        axes = {frozenset(chain[1:3]) for chain, _ in one.parts if chain[0] == centre}
        if len(axes) == _THREE:
            return list(one.series), True
    waves = []
    for chain, series in one.parts:
        first = chain[0] == centre
        waves += [(k / _THREE if first else k, n, phase if first else phase + n * math.pi) for k, n, phase in series]
    return waves, False


SMIRNOFF = SystemFormat(
    "SMIRNOFF",
    (HARMONIC_STRETCH, HARMONIC_BEND, PERIODIC_TORSION, PERIODIC_IMPROPER),
    *(_write, ()),
    adapted=_adapted,
)
