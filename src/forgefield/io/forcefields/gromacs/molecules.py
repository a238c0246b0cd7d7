"""One kind of molecule of a GROMACS topology, with every interaction."""

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np

from forgefield.errors import MissingParameters
from forgefield.io.forcefields.gromacs.functions import Numbers
from forgefield.io.forcefields.gromacs.types import FUNCTIONS, AtomType, TypeTables, require_function
from forgefield.io.lines import Line
from forgefield.io.offenders import listed
from forgefield.molecules.paths import bond_separations
from forgefield.terms.cmap import correction_map
from forgefield.terms.term import Term

REFUSED = {
    "constraints": "constraints",
    "settles": "the constraints of rigid water (SETTLE; put `#define FLEXIBLE` at the head of the topology)",
    "pairs_nb": "pairs of a charge of their own",
    "polarization": "polarisation",
    "water_polarization": "polarisation",
    "thole_polarization": "polarisation",
    "position_restraints": "restraints",
    "distance_restraints": "restraints",
    "dihedral_restraints": "restraints",
    "angle_restraints": "restraints",
    "angle_restraints_z": "restraints",
    "orientation_restraints": "restraints",
    "intermolecular_interactions": "interactions between molecules",
    **{f"virtual_sites{k}": "virtual sites" for k in ("1", "2", "3", "4", "n")},
    **{f"dummies{k}": "virtual sites" for k in ("2", "3", "4", "n")},
}

_KNOWN = {*FUNCTIONS, *REFUSED, "atoms", "cmap", "exclusions", "pairs"}
_IDLE = {"implicit_genborn_params", "implicit_surface_params"}
"""Of solvents that are a continuum, which GROMACS has no more."""

Chain = tuple[int, ...]
Pair = tuple[int, int]


@dataclass(frozen=True)
class Atom:
    """An atom of a molecule."""

    name: str
    residue: str
    of_type: str
    charge: float
    mass: float


@dataclass(frozen=True, eq=False)
class MoleculeType:
    """What a molecule is, as the lines of its sections say."""

    name: str
    n_excluded: int
    """Bonds up to which atoms do not interact through space."""
    lines: dict[str, list[Line]] = field(default_factory=dict)


@dataclass(eq=False)
class Built:
    """A molecule with all interactions."""

    atoms: list[Atom]
    bonds: list[Pair]
    chains: dict[Term, list[Chain]] = field(default_factory=dict)
    values: dict[Term, list[tuple[float, ...]]] = field(default_factory=dict)
    excluded: set[Pair] = field(default_factory=set)
    near: dict[Pair, tuple[float, float] | None] = field(default_factory=dict)
    """Of section `pairs`: distance [Å] and depth [kcal/mol] of the minimum where they do not follow from types."""

    def add(self, term: Term, chain: Chain, values: tuple[float, ...]) -> None:
        """Add one interaction."""
        self.chains.setdefault(term, []).append(chain)
        self.values.setdefault(term, []).append(values)


def build(molecule: MoleculeType, tables: TypeTables) -> Built:
    """Return a molecule with its parameters found. Raises InputError; MissingParameters lists what has none."""
    for section, what in REFUSED.items():
        if lines := molecule.lines.get(section):
            raise lines[0].wrong(f"[ {section} ]: {what} are not computed by ForgeField")
    for section, lines in molecule.lines.items():
        if section not in _KNOWN | _IDLE:
            raise lines[0].wrong(f"[ {section} ] is no section of GROMACS'; is a name misspelt?")
    built = Built([_atom(line, tables) for line in molecule.lines.get("atoms", [])], [])
    missing: dict[str, None] = {}
    for section in FUNCTIONS:
        for line in molecule.lines.get(section, []):
            _bonded(built, tables, section, line, missing)
    for line in molecule.lines.get("cmap", []):
        _map(built, tables, line, missing)
    _exclude(built, molecule)
    for line in molecule.lines.get("pairs", []):
        _pair(built, tables, line, missing)
    if missing:
        raise MissingParameters(
            f"molecule {molecule.name}: no parameters for {listed(list(missing))}; state them in the line, or include "
            "the force field that has them"
        )
    return built


def _atom(line: Line, tables: TypeTables) -> Atom:
    words = line.words
    if len(words) < 6:
        raise line.wrong("an atom needs number, type, residue number, residue, name and charge group")
    if words[1] not in tables.atoms:
        raise line.wrong(f"there is no [ atomtypes ] row for {words[1]!r}; is the force field included?")
    if len(words) > 8:
        raise line.wrong("atoms with a state B are not computed by ForgeField; leave it out")
    of_type = tables.atoms[words[1]]
    if of_type.particle != "A":
        raise line.wrong(f"particles of type {of_type.particle}, such as virtual sites, are not computed by ForgeField")
    charge = line.number(6) if len(words) > 6 else of_type.charge
    return Atom(words[4], f"{words[3]}{words[2]}", words[1], charge, line.number(7) if len(words) > 7 else of_type.mass)


def _chain(built: Built, line: Line, order: int) -> Chain:
    chain = tuple(line.integer(k) - 1 for k in range(order))
    if any(not 0 <= atom < len(built.atoms) for atom in chain) or len(set(chain)) != order:
        raise line.wrong(f"names atoms that there are not, of {len(built.atoms)}, or one twice")
    return chain


def _types(built: Built, tables: TypeTables, chain: Chain) -> Iterator[AtomType]:
    return (tables.atoms[built.atoms[atom].of_type] for atom in chain)


def _bonded(built: Built, tables: TypeTables, section: str, line: Line, missing: dict[str, None]) -> None:
    order = FUNCTIONS[section][0]
    chain, number = _chain(built, line, order), line.integer(order)
    function = require_function(section, number, line)
    given = [line.number(order + 1 + k) for k in range(len(line.words) - order - 1)]
    names = tuple(one.bonded for one in _types(built, tables, chain))
    found: list[Numbers] = [given[: function.n]] if given or not function.n else tables.of(section, number, names)
    if len(given) not in (0, function.n):
        raise line.wrong(f"function {number} of [ {section} ] has {function.n} parameters, not {len(given)}")
    if not found:
        missing[f"{section.removesuffix('s')} {'-'.join(names)} (function {number})"] = None
    if function.bonds:
        built.bonds.append((min(chain), max(chain)))
    for numbers in found:
        for term, places, values in function.parts(numbers):
            built.add(term, tuple(chain[place] for place in places), values)


def _map(built: Built, tables: TypeTables, line: Line, missing: dict[str, None]) -> None:
    chain = _chain(built, line, 5)
    names = tuple(one.bonded for one in _types(built, tables, chain))
    if line.integer(5) != 1:
        raise line.wrong("a correction map of another function than 1 is not known")
    if names not in tables.maps:
        missing[f"cmap {'-'.join(names)}"] = None
    else:
        built.add(correction_map(tables.maps[names]), chain, (1.0,))


def _exclude(built: Built, molecule: MoleculeType) -> None:
    bonds = np.array(sorted(set(built.bonds)), dtype=np.int64).reshape(-1, 2)
    apart = bond_separations(len(built.atoms), bonds, limit=molecule.n_excluded + 1)
    near = np.argwhere(np.triu(apart <= molecule.n_excluded, 1))
    built.excluded |= {(i, j) for i, j in near.tolist()}
    for line in molecule.lines.get("exclusions", []):
        first, *others = _chain(built, line, len(line.words))
        built.excluded |= {(min(first, other), max(first, other)) for other in others}


def _pair(built: Built, tables: TypeTables, line: Line, missing: dict[str, None]) -> None:
    chain = _chain(built, line, 2)
    if line.integer(2) != 1:
        raise line.wrong("[ pairs ] of function 2, with charges of their own, are not computed by ForgeField")
    names = built.atoms[chain[0]].of_type, built.atoms[chain[1]].of_type
    own: tuple[float, float] | None = None
    if len(line.words) > 3:
        own = tables.defaults.minimum(line, 3)
    elif names in tables.pairs:
        own = tables.pairs[names]
    elif not tables.defaults.generates_pairs:
        missing[f"pair {'-'.join(names)}"] = None
    elif names in tables.nonbonded:
        minimum, depth = tables.nonbonded[names]
        own = minimum, depth * tables.defaults.fudge_lj
    key = min(chain), max(chain)
    if key in built.near:
        raise line.wrong("the same pair a second time; leave one of the two out")
    built.near[key] = own
