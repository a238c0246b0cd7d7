"""Writes Tinker files: parameters (.tinker.prm), a structure (.xyz) and the .key that names both."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from forgefield import units
from forgefield.assign.explicit.system import System
from forgefield.errors import InputError
from forgefield.io.forcefields.laid.by_types import (
    Bonded,
    Chain,
    Improper,
    Series,
    Types,
    bonded,
    by_types,
    named,
    types_of,
)
from forgefield.io.forcefields.laid.format import Positions, SystemFormat, one_of_each_fold
from forgefield.io.forcefields.laid.near import Near, near, parameters_of_near
from forgefield.io.offenders import listed
from forgefield.io.outputs import write_text
from forgefield.molecules.molecule import symbol
from forgefield.molecules.paths import neighbours
from forgefield.terms.bend import HARMONIC_BEND
from forgefield.terms.cross import UREY_BRADLEY
from forgefield.terms.nonbonded import LENNARD_JONES
from forgefield.terms.periodic import HARMONIC_IMPROPER, PERIODIC_IMPROPER, PERIODIC_TORSION
from forgefield.terms.stretch import HARMONIC_STRETCH

_PARAMETERS = ".tinker.prm"
"""A suffix that no file of CHARMM has, whose parameters are called .prm too."""
_MOST_FOLDS = 6
_LETTERS = 3
"""Of the name of an atom."""
_ARMS = 3
"""Neighbours of a centre that has impropers."""


def _write(path: Path, system: System, positions: Positions | None) -> tuple[Path, ...]:
    assert positions is not None
    what = f"{path}: Tinker"
    held, pairs = bonded(system), near(system, what)
    _require_held(held, neighbours(system.n_atoms, system.bonds), what)
    classes = types_of(system, held, further=[{pair: (one.minimum,) for pair, one in pairs.pairs.items()}])
    charges = system.through_space.charges.tolist()
    of_atom = list(zip(classes, charges, strict=True))
    types = {one: number for number, one in enumerate(dict.fromkeys(sorted(of_atom)), 1)}
    parameters, structure = path.with_suffix(_PARAMETERS), path.with_suffix(".xyz")
    head = f"# Written by ForgeField from {Path(system.source).name}: analyze {structure.name} -k {path.name}"
    rows = [
        *_settings(system, pairs, what),
        *_atoms(system, classes, types),
        *_van_der_waals(system, pairs, classes, what),
        *_bonded(held, classes),
        *(f"charge {number:8d} {charge:18.12f}" for (_, charge), number in types.items()),
    ]
    around, names = neighbours(system.n_atoms, system.bonds), _names(system)
    lines = [f"{system.n_atoms:6d}  {Path(system.source).stem}"]
    for k, (x, y, z) in enumerate(positions.tolist()):
        near_by = "".join(f"{a + 1:6d}" for a in sorted(around[k]))
        lines.append(f"{k + 1:6d}  {names[k]:<3}{x:14.8f}{y:14.8f}{z:14.8f}{types[of_atom[k]]:6d}{near_by}")
    write_text(path, f"{head}\nparameters {parameters.name}\n")
    write_text(parameters, "\n".join([head, *rows, ""]))
    write_text(structure, "\n".join([*lines, ""]))
    return path, parameters, structure


def _names(system: System) -> list[str]:
    """Return the names of the atoms where three letters hold them and each tells its element, else the elements."""
    symbols = [symbol(int(z)) for z in system.species]
    fit = [len(name) <= _LETTERS and name[:1] == own[0] for name, own in zip(system.names, symbols, strict=True)]
    return list(system.names) if all(fit) and len(set(system.names)) == system.n_atoms else symbols


def _require_held(held: Bonded, around: list[list[int]], what: str) -> None:
    """Raise InputError that lists interactions for which Tinker has no row."""
    held.require_no_stray(what)
    held.require_one_each(what)
    wrong = [
        f"a torsion of {n:g} folds of {named(chain)}"
        for chain, series in _periodic(held)
        for _, n, _ in series
        if not 1 <= n <= _MOST_FOLDS
    ]
    wrong += [
        f"an improper of {named(one.chain)}"
        for (centre, *_), one in held.impropers.items()
        if one is not None and (len(around[centre]) != _ARMS or not _is_held(one, centre))
    ]
    if wrong:
        raise InputError(f"{what} cannot hold {listed(wrong)}")


def _periodic(held: Bonded) -> Iterator[tuple[Chain, Series]]:
    yield from held.torsions.items()
    for one in held.impropers.values():
        if one is not None and one.term is PERIODIC_IMPROPER:
            yield from one.parts


def _is_held(one: Improper, centre: int) -> bool:
    """Return whether the centre of an improper stands where Tinker has it, harmonic ones once."""
    if one.term is HARMONIC_IMPROPER:
        return one.chain[0] == centre and len(one.parts) == len(one.series) == 1
    return all(chain[2] == centre for chain, _ in one.parts)


def _settings(system: System, pairs: Near, what: str) -> Iterator[str]:
    space = system.through_space
    scale = pairs.attraction_scale(what) if pairs.of_one_scale else 1.0
    yield from (
        "forcefield              FORGEFIELD",
        "vdwtype                 LENNARD-JONES",
        f"radiusrule              {'ARITHMETIC' if space.term is LENNARD_JONES else 'GEOMETRIC'}",
        "radiustype              R-MIN",
        "radiussize              RADIUS",
        "epsilonrule             GEOMETRIC",
        "vdw-12-scale            0.0",
        "vdw-13-scale            0.0",
        f"vdw-14-scale            {scale:.12g}",
        "chg-12-scale            0.0",
        "chg-13-scale            0.0",
        f"chg-14-scale            {pairs.charge_scale(what):.12g}",
        f"electric                {space.coulomb!r}",
        "dielectric              1.0",
        "",
    )


def _atoms(system: System, classes: Types, types: dict[tuple[int, float], int]) -> Iterator[str]:
    around = neighbours(system.n_atoms, system.bonds)
    of_atom = zip(classes, system.through_space.charges.tolist(), strict=True)
    known = {one: k for k, one in enumerate(of_atom)}
    for of_type, number in types.items():
        k = known[of_type]
        z, mass = int(system.species[k]), system.masses[k]
        yield (
            f'atom {number:8d} {of_type[0] + 1:5d}  {symbol(z):<3} "{system.types[k][:24]}" '
            f"{z:4d} {mass:10.4f} {len(around[k]):4d}"
        )
    yield ""


def _van_der_waals(system: System, pairs: Near, classes: Types, what: str) -> Iterator[str]:
    space = system.through_space
    parameters = np.zeros((max(classes) + 1, 2))
    parameters[list(classes)] = space.parameters
    for number, (radius, depth) in enumerate(parameters.tolist(), 1):
        yield f"vdw {number:8d} {radius:18.12f} {depth:18.12f}"
    if not pairs.of_one_scale:
        near_by = parameters_of_near(system, pairs, classes) if space.term is LENNARD_JONES else None
        if near_by is None:
            raise InputError(f"{what} cannot hold van der Waals energies of pairs three bonds apart as they are here")
        for number, (radius, depth) in enumerate(near_by.tolist(), 1):
            yield f"vdw14 {number:8d} {radius:18.12f} {depth:18.12f}"
    yield ""


def _joined(chain: Sequence[int]) -> str:
    return "".join(f"{k + 1:6d}" for k in chain)


def _bonded(held: Bonded, classes: Types) -> Iterator[str]:
    # Two atoms, three, and what acts between the ends of three: constants without the factor of ½.
    for word, table, unit in (
        ("bond", held.stretches, 1.0),
        ("angle", held.bends, units.DEGREE),
        ("ureybrad", held.ureys, 1.0),
    ):
        for chain, series in sorted(by_types(table, classes).items()):
            if series or word != "ureybrad":
                k, x0 = series[0] if series else (0.0, 1.0)
                yield f"{word:<9}{_joined(chain)} {0.5 * k:18.10f} {x0 / unit:18.10f}"
    for chain, series in sorted(by_types(held.torsions, classes).items()):
        yield f"torsion  {_joined(chain)} {_waves(series or ((0.0, 1.0, 0.0),))}"
    rows = {
        tuple(classes[a] for a in chain): (one.term, series)
        for one in held.impropers.values()
        if one is not None
        for chain, series in one.parts
    }
    for chain, (term, series) in sorted(rows.items()):
        if term is HARMONIC_IMPROPER:
            ((k, xi0),) = series
            yield f"improper {_joined(chain)} {0.5 * k:18.10f} {xi0 / units.DEGREE:18.10f}"
        else:
            yield f"imptors  {_joined(chain)} {_waves(series)}"
    yield ""


def _waves(series: Series) -> str:
    return "  ".join(f"{k:14.10f} {phase / units.DEGREE:12.8f} {int(n)}" for k, n, phase in series)


TINKER = SystemFormat(
    "Tinker",
    (HARMONIC_STRETCH, HARMONIC_BEND, UREY_BRADLEY, PERIODIC_TORSION, PERIODIC_IMPROPER, HARMONIC_IMPROPER),
    *(_write, (_PARAMETERS, ".xyz")),
    needs_positions=True,
    adapted=one_of_each_fold,
)
