"""Writes CHARMM structures (.psf) with parameters (.prm) and topology (.rtf), for OpenMM, NAMD, CHARMM and GENESIS."""

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np

from forgefield import units
from forgefield.assign.explicit.system import System
from forgefield.errors import InputError
from forgefield.io.forcefields.laid.by_types import (
    Bonded,
    Chain,
    Series,
    Types,
    bonded,
    by_types,
    correction_maps,
    named,
    types_of,
)
from forgefield.io.forcefields.laid.format import Positions, SystemFormat, one_of_each_fold
from forgefield.io.forcefields.laid.names import atom_names, residues
from forgefield.io.forcefields.laid.near import Near, near, parameters_of_near
from forgefield.io.forcefields.laid.pairs import kinds
from forgefield.io.forcefields.openmm.system.nonbonded import COULOMB
from forgefield.io.offenders import listed
from forgefield.io.outputs import write_text
from forgefield.molecules.molecule import symbol
from forgefield.terms.bend import HARMONIC_BEND
from forgefield.terms.cmap import Grid
from forgefield.terms.cross import UREY_BRADLEY
from forgefield.terms.nonbonded import LENNARD_JONES
from forgefield.terms.periodic import HARMONIC_IMPROPER, PERIODIC_IMPROPER, PERIODIC_TORSION
from forgefield.terms.stretch import HARMONIC_STRETCH

_WIDTH = 8
"""Characters of names in the extended form of a .psf."""
_PER_LINE = {2: 8, 3: 9, 4: 8, 8: 8}
"""Numbers on a line of atoms, by how many belong together."""
_OPTIONS = "nbxmod 5 atom cdiel shift vatom vdistance vswitch cutnb 14.0 ctofnb 12.0 ctonnb 10.0 eps 1.0"


@dataclass(frozen=True, eq=False)
class _Lists:
    """What a structure lists, chain by chain, and the rows are of."""

    bends: dict[Chain, tuple[Series, Series]]
    """With the Urey-Bradley term."""
    torsions: dict[Chain, Series]
    """Periodic impropers among them."""
    impropers: dict[Chain, Series]
    """Harmonic ones."""
    maps: dict[Chain, tuple[Grid, ...]]


def _write(path: Path, system: System, positions: Positions | None) -> tuple[Path, ...]:
    del positions
    what = f"{path}: CHARMM"
    held, pairs = bonded(system), near(system, what)
    lists = _lists(system, held, what)
    minima = {pair: (one.minimum,) for pair, one in pairs.pairs.items()}
    types = types_of(system, held, further=[lists.torsions, lists.impropers, lists.maps, minima])
    of_type = dict(zip(types, system.species.tolist(), strict=True))
    names = [f"{symbol(of_type[k]).upper()}FF{k + 1}" for k in range(len(of_type))]
    parameters, topology = path.with_suffix(".prm"), path.with_suffix(".rtf")
    title = [
        f"* Written by ForgeField from {Path(system.source).name}; in OpenMM",
        f"* CharmmPsfFile('{path.name}') with CharmmParameterSet('{topology.name}', '{parameters.name}')",
        "*",
    ]
    rows = [*_masses(system, types, names), *_parameters(held, lists, types, names)]
    rows += _pairs(system, pairs, types, names, what)
    write_text(path, "\n".join(_structure(system, lists, title, [names[k] for k in types])))
    write_text(parameters, "\n".join([*title, "", *rows, "END", ""]))
    write_text(topology, "\n".join([*title, *_topology(system, lists, types, names), "END", ""]))
    return path, parameters, topology


def _lists(system: System, held: Bonded, what: str) -> _Lists:
    """Return what is listed. Raises InputError that lists what no row holds."""
    held.require_no_stray(what, (PERIODIC_TORSION, PERIODIC_IMPROPER, HARMONIC_IMPROPER))
    held.require_one_each(what)
    found = _Lists(
        {chain: (series, held.ureys[chain]) for chain, series in held.bends.items()},
        *(dict(held.torsions), {}, correction_maps(system)),
    )
    parts = [(one.term, *part) for one in held.impropers.values() if one for part in one.parts]
    for term, chain, series in [*parts, *((*key, series) for key, series in held.stray.items())]:
        table = found.impropers if term is HARMONIC_IMPROPER else found.torsions
        key = min(chain, chain[::-1])
        table[key] = (*table.get(key, ()), *series)
    wrong = []
    for what_it_is, several in (("impropers", found.impropers), ("correction maps", found.maps)):
        wrong += [f"several {what_it_is} of {named(chain)}" for chain, one in several.items() if len(one) > 1]
    if wrong:
        raise InputError(f"{what} cannot hold {listed(wrong)}")
    return found


def _joined(chain: Sequence[int], names: Sequence[str]) -> str:
    return " ".join(f"{names[k]:<8}" for k in chain)


def _masses(system: System, types: Types, names: Sequence[str]) -> Iterator[str]:
    yield "ATOMS"
    yield from _mass_rows(system, types, names)
    yield ""


def _mass_rows(system: System, types: Types, names: Sequence[str]) -> Iterator[str]:
    of_type = dict(
        zip(types, zip(system.masses.tolist(), system.species.tolist(), system.types, strict=True), strict=True)
    )
    for k, (mass, z, name) in sorted(of_type.items()):
        yield f"MASS {k + 1:5d} {names[k]:<8} {mass:12.6f} {symbol(z)} ! {name}"


def _parameters(held: Bonded, lists: _Lists, types: Types, names: Sequence[str]) -> Iterator[str]:
    yield "BONDS"
    for chain, series in sorted(by_types(held.stretches, types).items()):
        k, r0 = series[0] if series else (0.0, 1.0)
        yield f"{_joined(chain, names)} {0.5 * k:18.10f} {r0:16.10f}"
    yield from ("", "ANGLES")
    for chain, (bend, urey) in sorted(by_types(lists.bends, types).items()):
        k, theta0 = bend[0] if bend else (0.0, 0.0)
        ends = f" {0.5 * urey[0][0]:18.10f} {urey[0][1]:16.10f}" if urey else ""
        yield f"{_joined(chain, names)} {0.5 * k:18.10f} {theta0 / units.DEGREE:16.10f}{ends}"
    yield from ("", "DIHEDRALS")
    for chain, series in sorted(by_types(lists.torsions, types).items()):
        for k, n, phase in series or ((0.0, 1.0, 0.0),):
            yield f"{_joined(chain, names)} {k:18.10f} {int(n):2d} {phase / units.DEGREE:16.10f}"
    yield from ("", "IMPROPER")
    for chain, ((k, xi0),) in sorted(by_types(lists.impropers, types).items()):
        yield f"{_joined(chain, names)} {0.5 * k:18.10f}  0 {xi0 / units.DEGREE:16.10f}"
    yield from ("", "CMAP")
    for chain, (grid,) in sorted(by_types(lists.maps, types).items()):
        values = np.roll(np.array(grid), -(len(grid) // 2), (0, 1))
        yield f"{_joined([*chain[:4], *chain[1:]], names)} {len(grid)}"
        for row in values.tolist():
            yield from (" ".join(f"{e:.10f}" for e in row[at : at + 5]) for at in range(0, len(row), 5))
            yield ""
    yield ""


def _pairs(system: System, pairs: Near, types: Types, names: Sequence[str], what: str) -> Iterator[str]:
    """Yield van der Waals rows, where radii do not combine as sums with one for each pair of types."""
    space = system.through_space
    parameters = np.zeros((len(names), 2))
    parameters[list(types)] = space.parameters
    adds = space.term is LENNARD_JONES
    near_by = parameters_of_near(system, pairs, types) if adds else parameters
    if near_by is None:
        raise InputError(f"{what} cannot hold van der Waals energies of pairs three bonds apart as they are here")
    yield f"NONBONDED {_OPTIONS} e14fac {pairs.charge_scale(what):.10f} wmin 1.5"
    for name, (radius, depth), (r, e) in zip(names, parameters.tolist(), near_by.tolist(), strict=True):
        yield f"{name:<8} 0.0 {-depth:18.12f} {radius:16.12f} 0.0 {-e:18.12f} {r:16.12f}"
    yield ""
    if adds:
        return
    scale = pairs.attraction_scale(what)
    held = kinds(system, {}, set(), what)
    of_type = dict(zip(types, held.of_atom.tolist(), strict=True))
    yield "NBFIX"
    for i, name in enumerate(names):
        for j, other in enumerate(names[i:], i):
            radius, depth = held.minima[of_type[i], of_type[j]].tolist()
            yield f"{name:<8} {other:<8} {-depth:18.12f} {radius:16.12f} {-scale * depth:18.12f} {radius:16.12f}"
    yield ""


def _structure(system: System, lists: _Lists, title: Sequence[str], types: Sequence[str]) -> Iterator[str]:
    """Yield the lines of a .psf in its extended form, which names types."""
    charges = system.through_space.charges * math.sqrt(system.through_space.coulomb / COULOMB)
    yield from ("PSF EXT CMAP XPLOR", "", f"{len(title):10d} !NTITLE", *title, "", f"{system.n_atoms:10d} !NATOM")
    names, residue = atom_names(system, _WIDTH), list(_residue_of_each(system))
    for k, name in enumerate(names):
        number, of_residue = residue[k]
        yield (
            f"{k + 1:10d} {'MAIN':<8} {number:<8d} {of_residue:<8} {name:<8} {types[k]:<6} "
            f"{charges[k]:14.10f}{system.masses[k]:14.6f}{0:8d}"
        )
    yield ""
    yield from _atoms("NBOND: bonds", system.bonds.tolist(), 2)
    yield from _atoms("NTHETA: angles", lists.bends, 3)
    yield from _atoms("NPHI: dihedrals", lists.torsions, 4)
    yield from _atoms("NIMPHI: impropers", lists.impropers, 4)
    yield from (f"{0:10d} !NDON: donors", "", "", f"{0:10d} !NACC: acceptors", "", "", f"{0:10d} !NNB", "")
    yield from (
        "".join(f"{0:10d}" for _ in range(at, min(at + 8, system.n_atoms))) for at in range(0, system.n_atoms, 8)
    )
    yield from ("", f"{1:10d}{0:10d} !NGRP NST2", f"{0:10d}{0:10d}{0:10d}", "")
    yield from _atoms("NCRTERM: cross-terms", [[*chain[:4], *chain[1:]] for chain in lists.maps], 8)


def _residue_of_each(system: System) -> Iterator[tuple[int, str]]:
    """Yield number and name of the residue of each atom."""
    starts = residues(system, _WIDTH)
    ends = [start for _, start in starts[1:]] + [system.n_atoms]
    for number, ((name, start), end) in enumerate(zip(starts, ends, strict=True), 1):
        yield from ((number, name),) * (end - start)


def _atoms(title: str, chains: Iterable[Sequence[int]], order: int) -> Iterator[str]:
    held = [list(chain) for chain in chains]
    yield f"{len(held):10d} !{title}"
    numbers = [f"{atom + 1:10d}" for chain in held for atom in chain]
    per_line = _PER_LINE[order]
    yield from ("".join(numbers[at : at + per_line]) for at in range(0, len(numbers), per_line))
    yield from ("",) if numbers else ("", "")


def _topology(system: System, lists: _Lists, types: Types, names: Sequence[str]) -> Iterator[str]:
    """Yield the masses, and each residue with its bonds, impropers and maps; + marks atoms of the next residue."""
    yield from ("36 1", "", *_mass_rows(system, types, names), "", "AUTOGENERATE ANGLES DIHEDRALS", "")
    charges = system.through_space.charges * math.sqrt(system.through_space.coulomb / COULOMB)
    labels, of_atom = atom_names(system, _WIDTH), [number for number, _ in _residue_of_each(system)]
    impropers = {**lists.impropers, **{chain: () for chain in lists.torsions if not _is_chain(chain, system)}}
    known: set[str] = set()
    for number, (name, start) in enumerate(residues(system, _WIDTH), 1):
        if name in known:
            continue
        known.add(name)
        own = [k for k in range(start, system.n_atoms) if of_atom[k] == number]
        yield f"RESI {name:<8} {sum(charges[k] for k in own):10.6f}"
        yield from (f"ATOM {labels[k]:<8} {names[types[k]]:<8} {charges[k]:14.10f}" for k in own)
        for word, chains in (
            ("BOND", system.bonds.tolist()),
            ("IMPR", lists.impropers),
            ("DIHE", [chain for chain in impropers if chain not in lists.impropers]),
            ("CMAP", [[*chain[:4], *chain[1:]] for chain in lists.maps]),
        ):
            for chain in chains:
                apart = [of_atom[k] - number for k in chain]
                if 0 in apart and min(apart) >= (-1 if word == "CMAP" else 0) and max(apart) <= 1:
                    marks = {-1: "-", 0: "", 1: "+"}
                    yield f"{word} {' '.join(marks[d] + labels[k] for k, d in zip(chain, apart, strict=True))}"
        yield ""


def _is_chain(chain: Chain, system: System) -> bool:
    bonds = {(i, j) for pair in system.bonds.tolist() for i, j in (pair, pair[::-1])}
    return all(pair in bonds for pair in pairwise(chain))


CHARMM = SystemFormat(
    "CHARMM",
    (HARMONIC_STRETCH, HARMONIC_BEND, UREY_BRADLEY, PERIODIC_TORSION, PERIODIC_IMPROPER, HARMONIC_IMPROPER),
    *(_write, (".prm", ".rtf")),
    has_maps=True,
    adapted=one_of_each_fold,
)
