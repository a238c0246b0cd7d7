"""Writes GROMACS topologies (.top) with coordinates (.gro)."""

import math
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from forgefield import units
from forgefield.assign.explicit.system import System
from forgefield.errors import InputError
from forgefield.io.forcefields.gromacs.topology import COULOMB
from forgefield.io.forcefields.laid.format import Positions, SystemFormat
from forgefield.io.forcefields.laid.names import atom_names, residues
from forgefield.io.forcefields.laid.pairs import Kinds, Pair, Special, kinds, special_pairs, urey_bradley
from forgefield.io.offenders import listed
from forgefield.io.outputs import write_text
from forgefield.molecules.paths import bond_separations
from forgefield.terms.bend import COSINE_BEND, HARMONIC_BEND, QUARTIC_BEND, RESTRICTED_BEND
from forgefield.terms.cross import BOND_ANGLE, BOND_BOND, UREY_BRADLEY
from forgefield.terms.nonbonded import LENNARD_JONES_GEOMETRIC
from forgefield.terms.periodic import HARMONIC_IMPROPER, PERIODIC_IMPROPER, PERIODIC_TORSION, RYCKAERT_BELLEMANS
from forgefield.terms.stretch import CUBIC_STRETCH, FOURTH_POWER_STRETCH, HARMONIC_STRETCH, MORSE
from forgefield.terms.term import Term

_KJ, _NM, _DEG = units.KILOJOULE, units.NANOMETRE, units.DEGREE
_SIXTH = 2.0 ** (1.0 / 6.0)
_WIDTH = 5
"""Characters of names in .gro files."""
_NEAR = 3
"""Bonds up to which pairs are listed in [ pairs ] where they have energies of their own."""
_BOX = 10.0
"""nm; a molecule in vacuum has room in it for cutoffs of 4.9 nm."""
_CONNECTION, _HARMONIC_PAIR = 5, 6
"""Functions of bonds: one without energy, and one that is no bond of chemistry."""

Values = tuple[float, ...]
Chain = tuple[int, ...]


@dataclass(frozen=True)
class _Function:
    """How a term is written."""

    section: str
    number: int
    values: Callable[..., Values]
    """The parameters of a line from those of the term."""


def _periodic(k: float, n: float, phase: float) -> Values:
    return phase / _DEG, k / _KJ, n


_FUNCTIONS: dict[Term, _Function] = {
    HARMONIC_STRETCH: _Function("bonds", 1, lambda k, r0: (r0 / _NM, k * _NM**2 / _KJ)),
    FOURTH_POWER_STRETCH: _Function("bonds", 2, lambda k, r0: (r0 / _NM, k * _NM**4 / _KJ)),
    MORSE: _Function("bonds", 3, lambda d, r0, a: (r0 / _NM, d / _KJ, a * _NM)),
    CUBIC_STRETCH: _Function("bonds", 4, lambda k, r0, c: (r0 / _NM, 0.5 * k * _NM**2 / _KJ, c * _NM)),
    UREY_BRADLEY: _Function("bonds", _HARMONIC_PAIR, lambda k, r0: (r0 / _NM, k * _NM**2 / _KJ)),
    HARMONIC_BEND: _Function("angles", 1, lambda k, theta0: (theta0 / _DEG, k / _KJ)),
    COSINE_BEND: _Function("angles", 2, lambda k, theta0: (theta0 / _DEG, k / _KJ)),
    BOND_BOND: _Function("angles", 3, lambda k, r1, r2: (r1 / _NM, r2 / _NM, k * _NM**2 / _KJ)),
    BOND_ANGLE: _Function("angles", 4, lambda k, r1, r2, r3: (r1 / _NM, r2 / _NM, r3 / _NM, k * _NM**2 / _KJ)),
    QUARTIC_BEND: _Function("angles", 6, lambda *c: (c[5] / _DEG, *(value / _KJ for value in c[:5]))),
    RESTRICTED_BEND: _Function("angles", 10, lambda k, theta0: (theta0 / _DEG, k / _KJ)),
    PERIODIC_TORSION: _Function("dihedrals", 9, _periodic),
    PERIODIC_IMPROPER: _Function("dihedrals", 4, _periodic),
    HARMONIC_IMPROPER: _Function("dihedrals", 2, lambda k, xi0: (xi0 / _DEG, k / _KJ)),
    RYCKAERT_BELLEMANS: _Function("dihedrals", 3, lambda *c: tuple(value / _KJ for value in c)),
}


def _write(path: Path, system: System, positions: Positions | None) -> tuple[Path, ...]:
    what = f"{path}: a GROMACS topology"
    special = special_pairs(system, what)
    apart = bond_separations(system.n_atoms, system.bonds, limit=_NEAR + 1)
    tabled = {pair: one.minimum for pair, one in special.items() if one.charge == 1.0 and apart[pair] > _NEAR}
    listed_pairs = {pair: one for pair, one in special.items() if pair not in tabled}
    held = kinds(system, tabled, set(listed_pairs), what)
    beside = path.with_suffix(".gro")
    charges = system.through_space.charges * math.sqrt(system.through_space.coulomb / COULOMB)
    scale = _common(special, charges)
    types, of_atom = _types(system, held)
    lines = [
        f"; Force field written by ForgeField, from {Path(system.source).name}. Load it:",
        f";   gmx grompp -f run.mdp -p {path.name} -c {beside.name} -o run.tpr",
        *_heads(system, held, types, scale),
        *_maps(system, of_atom, what),
        *_molecule(system, of_atom, charges),
    ]
    n_excluded = next(n for n in (3, 2, 1, 0) if all((i, j) in listed_pairs for i, j in np.argwhere(_within(apart, n))))
    further = [pair for pair in listed_pairs if apart[pair] > n_excluded]
    lines[lines.index(_EXCLUDED)] = f"molecule {n_excluded}"
    lines += [
        *_pair_lines(listed_pairs, charges, scale[1]),
        *_section("exclusions", (_numbers(pair) for pair in further)),
    ]
    lines += ["", "[ system ]", f"{path.stem} in vacuum", "", "[ molecules ]", "molecule 1", ""]
    write_text(path, "\n".join(lines))
    if positions is None:
        return (path,)
    write_text(beside, _gro(path, system, positions))
    return path, beside


_EXCLUDED = "molecule nrexcl"


def _within(apart: np.ndarray, n: int) -> np.ndarray:
    return np.triu(apart <= n, 1)


def _common(special: dict[Pair, Special], charges: np.ndarray) -> tuple[float, float]:
    """Return the scales of van der Waals and electrostatic energy that most pairs have which act at all."""
    acting = [one for (i, j), one in special.items() if not one.excluded and charges[i] * charges[j] != 0.0]
    q = Counter(one.charge for one in acting).most_common(1)
    v = Counter(one.scale for one in special.values() if one.scale and not one.excluded).most_common(1)
    return (v[0][0] or 1.0 if v else 1.0), (q[0][0] if q else 1.0)


@dataclass(frozen=True)
class _Type:
    """A type of atoms: all of one van der Waals type, one element, and one type of the force field."""

    name: str
    kind: int
    """Its van der Waals type."""
    first: int
    """The first atom of it."""


def _types(system: System, held: Kinds) -> tuple[list[_Type], list[str]]:
    """Return the types, called as those of the force field and numbered where these are not enough, and each atom's."""
    labels = list(zip(system.types, held.of_atom.tolist(), system.species.tolist(), strict=True))
    count = Counter(name for name, _, _ in dict.fromkeys(labels))
    known: dict[tuple[str, int, int], _Type] = {}
    taken: set[str] = set()
    for atom, (name, kind, z) in enumerate(labels):
        if (name, kind, z) in known:
            continue
        # No name may begin with a digit.
        own = (name if name[0].isalpha() else f"x{name}") + (f"_{len(known) + 1}" if count[name] > 1 else "")
        while own in taken:
            own += "x"
        taken.add(own)
        known[name, kind, z] = _Type(own, kind, atom)
    return list(known.values()), [known[label].name for label in labels]


def _section(name: str, rows: Iterator[str] | Sequence[str]) -> Iterator[str]:
    """Yield a section, nothing where it has no rows."""
    held = list(rows)
    if held:
        yield from ("", f"[ {name} ]", *held)


def _numbers(chain: Sequence[int]) -> str:
    return " ".join(str(atom + 1) for atom in chain)


def _reals(values: Sequence[float]) -> str:
    return " ".join(f"{value:.12g}" for value in values)


def _minimum(radius: float, depth: float) -> Values:
    return radius / _SIXTH / _NM, depth / _KJ


def _heads(system: System, held: Kinds, types: list[_Type], scale: tuple[float, float]) -> Iterator[str]:
    rule = 3 if system.through_space.term is LENNARD_JONES_GEOMETRIC else 2
    yield from _section("defaults", [f"; nbfunc comb-rule gen-pairs fudgeLJ fudgeQQ\n1 {rule} no {_reals(scale)}"])
    yield from _section(
        "atomtypes",
        [
            f"{one.name} {system.species[one.first]} {system.masses[one.first]:.6f} 0.0 A "
            + _reals(_minimum(2.0 * held.parameters[one.kind, 0], held.parameters[one.kind, 1]))
            for one in types
        ],
    )
    yield from _section(
        "nonbond_params",
        [
            f"{one.name} {other.name} 1 {_reals(_minimum(*minimum))}"
            for k, one in enumerate(types)
            for other in types[k:]
            if (minimum := held.own.get((min(one.kind, other.kind), max(one.kind, other.kind))))
        ],
    )


def _maps(system: System, types: list[str], what: str) -> Iterator[str]:
    """Yield correction maps by the types of their atoms. Raises InputError where those have two maps."""
    found: dict[tuple[str, ...], np.ndarray] = {}
    wrong = []
    for one in system.interactions:
        if one.term.name != "cmap" or one.term.made is None:
            continue
        grid = np.array(one.term.made[1][0]) / _KJ
        for chain, (factor,) in zip(one.atoms.tolist(), one.values.tolist(), strict=True):
            own = tuple(types[atom] for atom in chain)
            if not np.array_equal(found.setdefault(own, factor * grid), factor * grid):
                wrong.append("-".join(own))
    if wrong:
        raise InputError(f"{what} cannot hold two correction maps for atoms of the same types: {listed(wrong)}")
    rows = []
    for own, grid in found.items():
        turned = np.roll(grid, -(len(grid) // 2), (0, 1)).ravel().tolist()
        numbers = [_reals(turned[at : at + 10]) for at in range(0, len(turned), 10)]
        rows.append(" \\\n".join([f"{' '.join(own)} 1 {len(grid)} {len(grid)}", *numbers]))
    yield from _section("cmaptypes", rows)


def _molecule(system: System, types: list[str], charges: np.ndarray) -> Iterator[str]:
    units_of = residues(system, _WIDTH)
    starts = [start for _, start in units_of]
    place = np.searchsorted(starts, np.arange(system.n_atoms), side="right")
    names = atom_names(system, _WIDTH)
    yield from _section("moleculetype", [_EXCLUDED])
    yield from _section(
        "atoms",
        [
            f"{k + 1} {types[k]} {place[k]} {units_of[place[k] - 1][0]} {names[k]} {k + 1} "
            f"{charges[k]:.12g} {system.masses[k]:.6f}"
            for k in range(system.n_atoms)
        ],
    )
    rows: dict[str, list[str]] = {"bonds": [], "angles": [], "dihedrals": [], "cmap": []}
    for section, chain, number, values in _bonded(system):
        rows[section].append(f"{_numbers(chain)} {number} {_reals(values)}".rstrip())
    for section, held in rows.items():
        yield from _section(section, held)


def _bonded(system: System) -> Iterator[tuple[str, Chain, int, Values]]:
    """Yield all interactions; a bend and a Urey-Bradley term of the same ends are one of function 5."""
    ends = urey_bradley(system)
    stretched: set[Pair] = set()
    for one in system.interactions:
        function = _FUNCTIONS.get(one.term)
        for chain, values in zip(map(tuple, one.atoms.tolist()), one.values.tolist(), strict=True):
            pair = (min(chain[0], chain[-1]), max(chain[0], chain[-1]))
            if one.term.name == "cmap":
                yield "cmap", chain, 1, ()
            elif one.term is HARMONIC_BEND and pair in ends:
                k, r0 = ends.pop(pair)
                yield "angles", chain, 5, (*_FUNCTIONS[one.term].values(*values), r0 / _NM, k * _NM**2 / _KJ)
            elif function is not None and one.term is not UREY_BRADLEY:
                stretched |= {pair} if one.term.kind == "stretch" else set()
                yield function.section, chain, function.number, function.values(*values)
    for pair, values in ends.items():
        function = _FUNCTIONS[UREY_BRADLEY]
        yield function.section, pair, function.number, function.values(*values)
    for i, j in np.sort(system.bonds, axis=1).tolist():
        if (i, j) not in stretched:
            yield "bonds", (i, j), _CONNECTION, ()


def _pair_lines(special: dict[Pair, Special], charges: np.ndarray, scale: float) -> Iterator[str]:
    """Yield the pairs with energies of their own; those of another electrostatic scale state their charges."""
    rows = []
    for (i, j), one in special.items():
        free = charges[i] * charges[j] == 0.0
        if one.minimum[1] == 0.0 and (free or one.charge == 0.0):
            continue
        numbers = _minimum(*one.minimum)
        if free or one.charge == scale:
            rows.append(f"{i + 1} {j + 1} 1 {_reals(numbers)}")
        else:
            rows.append(f"{i + 1} {j + 1} 2 {_reals((one.charge, charges[i], charges[j], *numbers))}")
    yield from _section("pairs", rows)


def _gro(path: Path, system: System, positions: Positions) -> str:
    """Return positions to 1e-7 Å in a box that leaves vacuum around."""
    units_of = residues(system, _WIDTH)
    place = np.searchsorted([start for _, start in units_of], np.arange(system.n_atoms), side="right")
    names = atom_names(system, _WIDTH)
    box = max(_BOX, 2.0 * float(np.ptp(positions, axis=0).max()) / _NM)
    rows = [
        f"{place[k] % 100000:5d}{units_of[place[k] - 1][0]:<5}{names[k]:>5}{(k + 1) % 100000:5d}"
        + "".join(f"{x:13.8f}" for x in positions[k] / _NM)
        for k in range(system.n_atoms)
    ]
    head = [f"Written by ForgeField for {path.name}", f"{system.n_atoms:5d}"]
    return "\n".join([*head, *rows, f"{box:10.5f}" * 3, ""])


TOP = SystemFormat("a GROMACS topology", tuple(_FUNCTIONS), _write, (".gro",), has_maps=True)
