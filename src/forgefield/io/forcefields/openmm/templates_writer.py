"""Writes a system as OpenMM's ForceField XML: types of atoms, and a template for each residue and molecule."""

import math
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from xml.etree.ElementTree import Comment, Element, SubElement, indent, tostring

import numpy as np

from forgefield import units
from forgefield.assign.explicit.system import System
from forgefield.errors import InputError
from forgefield.io.forcefields.laid.by_types import (
    Bonded,
    Improper,
    Series,
    Types,
    bonded,
    by_types,
    impropers_by_types,
    named,
    types_of,
)
from forgefield.io.forcefields.laid.format import Positions, SystemFormat
from forgefield.io.forcefields.laid.near import Near, near, parameters_of_near
from forgefield.io.forcefields.laid.pairs import kinds
from forgefield.io.forcefields.openmm.system.bonded import STIFFNESS
from forgefield.io.forcefields.openmm.system.nonbonded import COULOMB, MINIMUM
from forgefield.io.forcefields.openmm.template_maps import add_maps, found_maps
from forgefield.io.offenders import listed
from forgefield.io.outputs import write_text
from forgefield.molecules.bonds import pieces
from forgefield.molecules.elements import SYMBOLS
from forgefield.terms.bend import HARMONIC_BEND
from forgefield.terms.cross import UREY_BRADLEY
from forgefield.terms.nonbonded import LENNARD_JONES
from forgefield.terms.periodic import HARMONIC_IMPROPER, PERIODIC_IMPROPER, PERIODIC_TORSION
from forgefield.terms.stretch import HARMONIC_STRETCH

_TURN = 2.0 * math.pi
_HARMONIC = f"0.5*k*(apart-{_TURN!r}*floor(apart/{_TURN!r}+0.5))^2; apart=theta-xi0"
_SHOWN = 3
_PLACES = {"charmm": (0, 1, 2, 3), "smirnoff": (0, 1, 2, 3), "amber": (2, 0, 1, 3)}
"""Where the centre and its neighbours stand in the chain of an improper, by OpenMM's names of orders."""


def _write(path: Path, system: System, positions: Positions | None) -> tuple[Path, ...]:
    del positions
    what = f"{path}: OpenMM's ForceField"
    held = bonded(system)
    held.require_no_stray(what)
    held.require_one_each(what)
    _require_one_order(held, what)
    pairs, maps = near(system, what), found_maps(system, what)
    types = types_of(system, held, further=[{pair: (one.minimum,) for pair, one in pairs.pairs.items()}, maps])
    prefix = Path(system.source).stem.replace("--", "- -")
    of_type = dict(zip(types, system.types, strict=True))
    names = [f"{prefix}:{of_type[k]}/{k + 1}" for k in range(len(of_type))]
    root = Element("ForceField")
    root.append(
        Comment(
            f" Force field written by ForgeField from {Path(system.source).name.replace('--', '- -')}. Load it: "
            f"openmm.app.ForceField('{path.name}') "
        )
    )
    _add_types(root, system, types, names)
    _add_residues(root, system, types, names)
    _add_bonded(root, held, types, names)
    add_maps(root, maps, types, names)
    _add_pairs(root, system, pairs, (types, names), what)
    indent(root)
    write_text(path, tostring(root, encoding="unicode") + "\n")
    return (path,)


def _require_one_order(held: Bonded, what: str) -> None:
    """Raise InputError that lists impropers of more orders than OpenMM gives them."""
    several = [
        named(one.chain)
        for star, one in held.impropers.items()
        if one and (_ordering(one, star[0]) is None or (one.term is HARMONIC_IMPROPER and len(one.series) > 1))
    ]
    if several:
        raise InputError(f"{what} cannot hold several impropers of the same atoms: {listed(several)}")


def _ordering(one: Improper, centre: int) -> str | None:
    """Return OpenMM's name of the orders of an improper; None where it has none."""
    if len(one.parts) == 1:
        return "charmm" if one.chain[0] == centre else "amber"
    first, a, b, c = one.chain
    turned = {one.chain, (first, b, c, a), (first, c, a, b)}
    alike = len({series for _, series in one.parts}) == 1
    return "smirnoff" if first == centre and alike and turned == {chain for chain, _ in one.parts} else None


def _add(parent: Element, tag: str, names: dict[str, str], **values: float) -> Element:
    return SubElement(parent, tag, names | {name: repr(float(value)) for name, value in values.items()})


def _add_types(root: Element, system: System, types: Types, names: Sequence[str]) -> None:
    parent = SubElement(root, "AtomTypes")
    of_type = dict(zip(types, zip(system.species.tolist(), system.masses.tolist(), strict=True), strict=True))
    for k, (z, mass) in sorted(of_type.items()):
        _add(parent, "Type", {"name": names[k], "class": names[k], "element": SYMBOLS[z]}, mass=mass)


def _add_residues(root: Element, system: System, types: Types, names: Sequence[str]) -> None:
    """Append a template of each residue, and of each molecule of several residues, once for all that are the same."""
    parent = SubElement(root, "Residues")
    charges = (system.through_space.charges * math.sqrt(system.through_space.coulomb / COULOMB)).tolist()
    known: set[tuple] = set()
    called: set[str] = set()
    for name, atoms in _templates(system):
        place = {atom: k for k, atom in enumerate(atoms)}
        inner = sorted((place[i], place[j]) for i, j in system.bonds.tolist() if i in place and j in place)
        ends = [(i, j) for i, j in system.bonds.tolist() if (i in place) != (j in place)]
        outer = [place[a] for pair in ends for a in pair if a in place]
        content = (tuple((types[a], charges[a]) for a in atoms), tuple(inner), tuple(outer))
        if content in known:
            continue
        known.add(content)
        number = next(n for n in range(1, system.n_atoms + 2) if _numbered(name, n) not in called)
        called.add(_numbered(name, number))
        residue = SubElement(parent, "Residue", name=_numbered(name, number))
        labels = _labels(system, atoms)
        for atom, label in zip(atoms, labels, strict=True):
            _add(residue, "Atom", {"name": label, "type": names[types[atom]]}, charge=charges[atom])
        for i, j in inner:
            SubElement(residue, "Bond", atomName1=labels[i], atomName2=labels[j])
        for k in outer:
            SubElement(residue, "ExternalBond", atomName=labels[k])


def _numbered(name: str, number: int) -> str:
    return name if number == 1 else f"{name}#{number}"


def _templates(system: System) -> Iterator[tuple[str, list[int]]]:
    """Yield name and atoms of each molecule, and of each residue of those that have several."""
    prefix = Path(system.source).stem
    for piece in pieces(system.n_atoms, system.bonds):
        atoms = piece.tolist()
        of_residue: dict[str, list[int]] = {}
        for atom in atoms:
            of_residue.setdefault(system.residues[atom], []).append(atom)
        whole = "-".join([*of_residue][:_SHOWN]) + f"-{len(of_residue) - _SHOWN} more" * (len(of_residue) > _SHOWN)
        yield f"{prefix}:{whole}", atoms
        if len(of_residue) > 1:
            yield from ((f"{prefix}:{name}", own) for name, own in of_residue.items())


def _labels(system: System, atoms: Sequence[int]) -> list[str]:
    """Return a name of each atom that no other of these has."""
    names = [system.names[a] for a in atoms]
    return names if len({*names}) == len(names) else [f"{system.names[a]}@{k}" for k, a in enumerate(atoms, 1)]


def _classes(types: Iterable[int], names: Sequence[str]) -> dict[str, str]:
    return {f"class{place}": names[k] for place, k in enumerate(types, 1)}


def _add_bonded(root: Element, held: Bonded, types: Types, names: Sequence[str]) -> None:
    lengths = STIFFNESS, units.NANOMETRE
    for table, force, tag, keys, divisors in (
        (held.stretches, "HarmonicBondForce", "Bond", ("k", "length"), lengths),
        (held.bends, "HarmonicAngleForce", "Angle", ("k", "angle"), (units.KILOJOULE, 1.0)),
        # OpenMM's k of this force is without the factor of ½.
        (held.ureys, "AmoebaUreyBradleyForce", "UreyBradley", ("k", "d"), (2.0 * STIFFNESS, units.NANOMETRE)),
    ):
        rows = {chain: series for chain, series in sorted(by_types(table, types).items()) if series}
        parent = SubElement(root, force) if rows else root
        for chain, ((first, second),) in rows.items():
            values = dict(zip(keys, (first / divisors[0], second / divisors[1]), strict=True))
            _add(parent, tag, _classes(chain, names), **values)
    force = SubElement(root, "PeriodicTorsionForce")
    for chain, series in sorted(by_types(held.torsions, types).items()):
        if series:
            _add_waves(force, "Proper", _classes(chain, names), series)
    _add_impropers(root, held, types, names)


def _add_waves(force: Element, tag: str, classes: dict[str, str], series: Series) -> None:
    element = SubElement(force, tag, classes)
    for number, (k, n, phase) in enumerate(series, 1):
        element.set(f"periodicity{number}", str(int(n)))
        element.set(f"phase{number}", repr(phase))
        element.set(f"k{number}", repr(k / units.KILOJOULE))


def _add_impropers(root: Element, held: Bonded, types: Types, names: Sequence[str]) -> None:
    """Append impropers, those of each order in a force of its own."""
    centres = {one.chain: star[0] for star, one in held.impropers.items() if one}
    found: dict[tuple[bool, str], list[tuple[dict[str, str], Series]]] = {}
    for chain, one in sorted(impropers_by_types(held, types).items()):
        ordering = _ordering(one, centres[one.chain])
        assert ordering is not None
        classes = _classes((chain[k] for k in _PLACES[ordering]), names)
        found.setdefault((one.term is HARMONIC_IMPROPER, ordering), []).append((classes, one.series))
    for (harmonic, ordering), rows in found.items():
        if not harmonic:
            force = SubElement(root, "PeriodicTorsionForce", ordering=ordering)
            for classes, series in rows:
                _add_waves(force, "Improper", classes, series)
            continue
        force = SubElement(root, "CustomTorsionForce", energy=_HARMONIC, ordering=ordering)
        for name in ("k", "xi0"):
            SubElement(force, "PerTorsionParameter", name=name)
        for classes, ((k, xi0),) in rows:
            _add(force, "Improper", classes, k=k / units.KILOJOULE, xi0=xi0)


def _add_pairs(root: Element, system: System, pairs: Near, typed: tuple[Types, Sequence[str]], what: str) -> None:
    """Append charges and van der Waals energies; those that no NonbondedForce has in a LennardJonesForce."""
    (types, names), space = typed, system.through_space
    charged = repr(pairs.charge_scale(what))
    parameters = np.zeros((len(names), 2))
    parameters[list(types)] = space.parameters
    adds = space.term is LENNARD_JONES
    standard = adds and pairs.of_one_scale
    scale = pairs.attraction_scale(what) if standard or not adds else 1.0
    force = SubElement(root, "NonbondedForce", coulomb14scale=charged, lj14scale=repr(scale if standard else 1.0))
    SubElement(force, "UseAttributeFromResidue", name="charge")
    for name, (sigma, epsilon) in zip(names, _sigma_epsilon(parameters), strict=True):
        _add(force, "Atom", {"class": name}, **_shape((sigma, epsilon) if standard else (1.0, 0.0)))
    if standard:
        return
    force = SubElement(root, "LennardJonesForce", lj14scale=repr(scale))
    near_by = parameters_of_near(system, pairs, types) if adds else parameters
    if near_by is None:
        raise InputError(f"{what} cannot hold van der Waals energies of pairs three bonds apart as they are here")
    for name, one, other in zip(names, _sigma_epsilon(parameters), _sigma_epsilon(near_by), strict=True):
        further = {} if one == other else dict(zip(("sigma14", "epsilon14"), other, strict=True))
        _add(force, "Atom", {"class": name}, **_shape(one), **further)
    if not adds:
        minima = kinds(system, {}, set(), what)
        of_type = dict(zip(types, minima.of_atom.tolist(), strict=True))
        for i, name in enumerate(names):
            for j, other in enumerate(names[i:], i):
                radius, depth = minima.minima[of_type[i], of_type[j]].tolist()
                ((sigma, epsilon),) = _sigma_epsilon(np.array([[0.5 * radius, depth]]))
                _add(force, "NBFixPair", {"class1": name, "class2": other}, **_shape((sigma, epsilon)))


def _shape(values: tuple[float, float]) -> dict[str, float]:
    return dict(zip(("sigma", "epsilon"), values, strict=True))


def _sigma_epsilon(parameters: np.ndarray) -> list[tuple[float, float]]:
    """Return σ [nm] and ε [kJ/mol] of radii and depths."""
    return [
        (2.0 * radius / MINIMUM / units.NANOMETRE if depth else 1.0, depth / units.KILOJOULE)
        for radius, depth in parameters.tolist()
    ]


TEMPLATES = SystemFormat(
    "OpenMM's ForceField",
    (HARMONIC_STRETCH, HARMONIC_BEND, UREY_BRADLEY, PERIODIC_TORSION, PERIODIC_IMPROPER, HARMONIC_IMPROPER),
    *(_write, ()),
    has_maps=True,
)
