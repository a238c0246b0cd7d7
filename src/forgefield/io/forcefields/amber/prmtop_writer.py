"""Writes AMBER topologies (.prmtop) with coordinates (.inpcrd), for sander, pmemd and what else reads them."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float

from forgefield.assign.explicit.system import System
from forgefield.errors import InputError
from forgefield.io.forcefields.laid.format import Positions, SystemFormat
from forgefield.io.forcefields.laid.names import atom_names, residues, short_types
from forgefield.io.forcefields.laid.pairs import Kinds, Pair, Special, kinds, special_pairs
from forgefield.io.offenders import listed
from forgefield.io.outputs import write_text
from forgefield.molecules.paths import bond_separations, neighbours
from forgefield.terms.bend import HARMONIC_BEND
from forgefield.terms.periodic import PERIODIC_IMPROPER, PERIODIC_TORSION
from forgefield.terms.stretch import HARMONIC_STRETCH

_INTEGERS, _REALS, _WORDS = ("10I8", 10, "8d"), ("5E16.8", 5, "16.8E"), ("20a4", 20, "<4")
_WIDTH = 4
_HYDROGEN = 1
_TORSION = 3
"""Bonds between the ends of a torsion."""
_NEVER = 1e11
"""Divides energies of pairs that have none."""
_UNPAIRED = 1.0
"""Divisors of dihedrals whose ends have no energy through them."""

Chain = tuple[int, int, int, int]
Values = tuple[float, ...]


@dataclass(frozen=True)
class _Dihedral:
    """One record: atoms, its own constants, and whether its end atoms act on each other."""

    chain: Chain
    values: tuple[float, float, float, float, float]
    """Constant [kcal/mol], periodicity, phase [rad], divisors of charges and van der Waals energy."""
    improper: bool
    pairs: bool

    def record(self) -> tuple[int, ...]:
        """Return the places of the atoms; a negative third or fourth one says what it is, so neither may be 0."""
        i, j, k, m = self.chain
        if k == 0 or m == 0:
            i, j, k, m = m, k, j, i
        return 3 * i, 3 * j, 3 * k * (1 if self.pairs else -1), 3 * m * (-1 if self.improper else 1)


def _write(path: Path, system: System, positions: Positions | None) -> tuple[Path, ...]:
    what = f"{path}: an AMBER topology"
    near = _near(system)
    special = special_pairs(system, what, near)
    apart = {pair: one for pair, one in special.items() if one.charge != 1.0 or pair in near}
    wanted = {pair: one.minimum for pair, one in special.items() if one.scale is None or pair not in apart}
    held = kinds(system, wanted, {pair for pair in apart if pair not in wanted and _tableless(apart[pair])}, what)
    dihedrals = _dihedrals(system, {pair: one for pair, one in apart.items() if not one.excluded}, what)
    beside = path.with_suffix(".inpcrd")
    load = f"parm7 {path.name}" + (f", coordinates {beside.name}" if positions is not None else "")
    title = f"ForgeField, from {Path(system.source).name}: {load}"
    lines = [
        "%VERSION  VERSION_STAMP = V0001.000  DATE = 01/01/70  00:00:00",
        "%FLAG TITLE",
        "%FORMAT(20a4)",
        title[:80],
    ]
    for name, (form, per_row, spec), values in _sections(system, held, dihedrals, sorted(apart)):
        lines += [f"%FLAG {name}", f"%FORMAT({form})", *_rows(values, per_row, spec)]
    write_text(path, "\n".join([*lines, ""]))
    if positions is None:
        return (path,)
    numbers = [f"{x:12.7f}" for x in positions.ravel().tolist()]
    write_text(beside, "\n".join([title[:80], f"{system.n_atoms:6d}", *_rows(numbers, 6, "s"), ""]))
    return path, beside


def _near(system: System) -> set[Pair]:
    """Return the pairs three bonds apart, or at the ends of a torsion: sander lets none of these act as others do."""
    apart = bond_separations(system.n_atoms, system.bonds, limit=_TORSION + 1)
    found = {(i, j) for i, j in np.argwhere(np.triu(apart == _TORSION, 1)).tolist()}
    ends = [one.atoms[:, [0, 3]] for one in system.interactions if one.term is PERIODIC_TORSION]
    return found | {(min(i, j), max(i, j)) for both in ends for i, j in both.tolist()}


def _tableless(one: Special) -> bool:
    """Return whether a pair does without the table: it has no van der Waals energy."""
    return one.minimum[1] == 0.0


def _rows(values: Iterable, per_row: int, spec: str) -> Iterator[str]:
    held = [format(value, spec) for value in values]
    yield from ("".join(held[at : at + per_row]) for at in range(0, len(held), per_row))
    if not held:
        yield ""


def _dihedrals(system: System, near: dict[Pair, Special], what: str) -> list[_Dihedral]:
    """Return all dihedrals; each pair that acts through one is named by the first proper one that has its ends.

    Pairs without a dihedral get one whose constant is zero. Raises InputError for pairs not three bonds apart.
    """
    left, found = dict(near), []
    for one in system.interactions:
        if one.term not in (PERIODIC_TORSION, PERIODIC_IMPROPER):
            continue
        improper = one.term is PERIODIC_IMPROPER
        for chain, (k, n, phase) in zip(one.atoms.tolist(), one.values.tolist(), strict=True):
            ends = (min(chain[0], chain[3]), max(chain[0], chain[3]))
            pair = None if improper else left.pop(ends, None)
            found.append(_Dihedral(tuple(chain), (k, n, phase, *_divisors(pair)), improper, pair is not None))
    around, wrong = neighbours(system.n_atoms, system.bonds), []
    for (i, m), pair in left.items():
        between = next(
            ((j, k) for j in around[i] for k in around[m] if k in around[j] and len({i, j, k, m}) == 4), None
        )
        if between is None:
            wrong.append(f"{i + 1}-{m + 1}")
        else:
            found.append(_Dihedral((i, *between, m), (0.0, 1.0, 0.0, *_divisors(pair)), False, True))
    if wrong:
        raise InputError(f"{what} cannot hold scaled pairs that are not three bonds apart: {listed(wrong)}")
    return found


def _divisors(pair: Special | None) -> tuple[float, float]:
    """Return by what charges and van der Waals energy of a pair are divided."""
    if pair is None:
        return _UNPAIRED, _UNPAIRED
    charge = 1.0 / pair.charge if pair.charge else _NEVER
    if pair.scale is None:
        return charge, 1.0
    return charge, 1.0 / pair.scale if pair.scale else _NEVER


def _sections(
    system: System, held: Kinds, dihedrals: Sequence[_Dihedral], excluded: list[Pair]
) -> Iterator[tuple[str, tuple[str, int, str], Sequence]]:
    """Yield name, format and content of each section."""
    bonds, bond_rows = _numbered(system, HARMONIC_STRETCH)
    angles, angle_rows = _numbered(system, HARMONIC_BEND)
    torsion_rows = {values: k for k, values in enumerate(dict.fromkeys(one.values for one in dihedrals), 1)}
    torsions = [(one.chain, (*one.record(), torsion_rows[one.values])) for one in dihedrals]
    groups = [_by_hydrogen(system, records) for records in (bonds, angles, torsions)]
    counts, partners = _exclusions(system.n_atoms, excluded)
    units = residues(system, _WIDTH)
    starts = [start + 1 for _, start in units]
    sizes = np.diff([*starts, system.n_atoms + 1])
    n_kinds = len(held.parameters)
    per = [(len(with_h), len(without)) for with_h, without in groups]
    yield "POINTERS", _INTEGERS, [
        system.n_atoms, n_kinds, *per[0], *per[1], *per[2], 0, 0,
        len(partners), len(units), per[0][1], per[1][1], per[2][1], len(bond_rows),
        len(angle_rows), len(torsion_rows), n_kinds, 0, 0, 0, 0, 0,
        0, 0, 0, 0, int(sizes.max()), 0, 0,
    ]  # fmt: skip
    charges = system.through_space.charges * np.sqrt(system.through_space.coulomb)
    types = short_types(system.types, _WIDTH)
    yield "ATOM_NAME", _WORDS, atom_names(system, _WIDTH)
    yield "CHARGE", _REALS, charges.tolist()
    yield "ATOMIC_NUMBER", _INTEGERS, system.species.tolist()
    yield "MASS", _REALS, system.masses.tolist()
    yield "ATOM_TYPE_INDEX", _INTEGERS, (held.of_atom + 1).tolist()
    yield "NUMBER_EXCLUDED_ATOMS", _INTEGERS, counts
    lower = np.tril_indices(n_kinds)
    index = np.zeros((n_kinds, n_kinds), dtype=np.int64)
    index[lower] = np.arange(1, len(lower[0]) + 1)
    index = np.maximum(index, index.T)
    yield "NONBONDED_PARM_INDEX", _INTEGERS, index.ravel().tolist()
    yield "RESIDUE_LABEL", _WORDS, [name for name, _ in units]
    yield "RESIDUE_POINTER", _INTEGERS, starts
    for names, rows, factors in (
        (("BOND_FORCE_CONSTANT", "BOND_EQUIL_VALUE"), bond_rows, (0.5, 1.0)),
        (("ANGLE_FORCE_CONSTANT", "ANGLE_EQUIL_VALUE"), angle_rows, (0.5, 1.0)),
        (_OF_DIHEDRALS, torsion_rows, (1.0,) * 5),
    ):
        for k, (name, factor) in enumerate(zip(names, factors, strict=True)):
            yield name, _REALS, [factor * values[k] for values in rows]
    yield "SOLTY", _REALS, [0.0] * n_kinds
    radius, depth = np.moveaxis(held.minima[lower], -1, 0)
    yield "LENNARD_JONES_ACOEF", _REALS, (depth * radius**12).tolist()
    yield "LENNARD_JONES_BCOEF", _REALS, (2.0 * depth * radius**6).tolist()
    for name, both in zip(("BONDS", "ANGLES", "DIHEDRALS"), groups, strict=True):
        for kind, records in zip(("INC", "WITHOUT"), both, strict=True):
            yield f"{name}_{kind}_HYDROGEN", _INTEGERS, [number for record in records for number in record]
    yield "EXCLUDED_ATOMS_LIST", _INTEGERS, partners
    for name in ("HBOND_ACOEF", "HBOND_BCOEF", "HBCUT"):
        yield name, _REALS, []
    yield "AMBER_ATOM_TYPE", _WORDS, types
    yield "TREE_CHAIN_CLASSIFICATION", _WORDS, ["BLA"] * system.n_atoms
    yield "JOIN_ARRAY", _INTEGERS, [0] * system.n_atoms
    yield "IROTAT", _INTEGERS, [0] * system.n_atoms
    yield from _maps(system)


_OF_DIHEDRALS = (
    *("DIHEDRAL_FORCE_CONSTANT", "DIHEDRAL_PERIODICITY", "DIHEDRAL_PHASE"),
    *("SCEE_SCALE_FACTOR", "SCNB_SCALE_FACTOR"),
)


def _numbered(system: System, term) -> tuple[list[tuple[tuple[int, ...], tuple[int, ...]]], dict[Values, int]]:
    """Return atoms and record of each interaction of a term, and the number of each set of values."""
    rows: dict[Values, int] = {}
    records = []
    for one in system.interactions:
        if one.term is term:
            for chain, values in zip(one.atoms.tolist(), map(tuple, one.values.tolist()), strict=True):
                number = rows.setdefault(values, len(rows) + 1)
                records.append((tuple(chain), (*(3 * atom for atom in chain), number)))
    return records, rows


def _by_hydrogen(system: System, records: Sequence[tuple]) -> tuple[list, list]:
    """Return the records with hydrogens, and the others."""
    hydrogen = system.species == _HYDROGEN
    there = [bool(hydrogen[list(chain)].any()) for chain, _ in records]
    return (
        [record for (_, record), one in zip(records, there, strict=True) if one],
        [record for (_, record), one in zip(records, there, strict=True) if not one],
    )


def _exclusions(n: int, excluded: list[Pair]) -> tuple[list[int], list[int]]:
    """Return how many later atoms each atom excludes, and which; AMBER wants a 0 where there are none."""
    later: list[list[int]] = [[] for _ in range(n)]
    for i, j in excluded:
        later[i].append(j + 1)
    held = [one or [0] for one in later]
    return [len(one) for one in held], [number for one in held for number in one]


def _maps(system: System) -> Iterator[tuple[str, tuple[str, int, str], Sequence]]:
    """Yield the sections of correction maps, each map once for each factor that it has."""
    grids: list[Float[np.ndarray, "n n"]] = []
    index: list[int] = []
    for one in system.interactions:
        if one.term.made is None or one.term.name != "cmap":
            continue
        for factor in np.unique(one.values[:, 0]).tolist():
            grids.append(factor * np.array(one.term.made[1][0]))
            for chain in one.atoms[one.values[:, 0] == factor].tolist():
                index += [*(atom + 1 for atom in chain), len(grids)]
    if not grids:
        return
    yield "CMAP_COUNT", ("2I8", 2, "8d"), [len(index) // 6, len(grids)]
    yield "CMAP_RESOLUTION", ("20I4", 20, "4d"), [len(grid) for grid in grids]
    for number, grid in enumerate(grids, 1):
        turned = np.roll(grid, -(len(grid) // 2), (0, 1))
        yield f"CMAP_PARAMETER_{number:02d}", _REALS, turned.ravel().tolist()
    yield "CMAP_INDEX", ("6I8", 6, "8d"), index


PRMTOP = SystemFormat(
    "an AMBER topology",
    (HARMONIC_STRETCH, HARMONIC_BEND, PERIODIC_TORSION, PERIODIC_IMPROPER),
    *(_write, (".inpcrd",)),
    has_maps=True,
)
