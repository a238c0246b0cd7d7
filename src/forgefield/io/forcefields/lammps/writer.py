"""Writes LAMMPS input (.lmp), to be included or run, with the data file (.data) that it reads."""

import math
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from forgefield import units
from forgefield.assign.explicit.system import System
from forgefield.errors import InputError
from forgefield.io.forcefields.laid.format import Positions, SystemFormat
from forgefield.io.forcefields.laid.pairs import Kinds, Minimum, Pair, Special, kinds, special_pairs, urey_bradley
from forgefield.io.offenders import listed
from forgefield.io.outputs import write_text
from forgefield.molecules.paths import bond_separations
from forgefield.terms.bend import HARMONIC_BEND
from forgefield.terms.cross import UREY_BRADLEY
from forgefield.terms.periodic import HARMONIC_IMPROPER, PERIODIC_IMPROPER, PERIODIC_TORSION
from forgefield.terms.stretch import HARMONIC_STRETCH

COULOMB = 332.06371
"""kcal·Å/mol/e² of LAMMPS' units `real`."""
_SIXTH = 2.0 ** (1.0 / 6.0)
_NEAR = 3
"""Bonds up to which LAMMPS scales the energies of pairs."""
_MARGIN, _FARTHEST = 10.0, 100.0
"""Å: room around the molecule, and the cutoff, which is none for smaller ones."""
_PLANAR = 1e-9
"""rad"""
_MOST_FOLDS = 6
"""Of LAMMPS' improper style cvff."""

Chain = tuple[int, ...]


@dataclass
class _Listed:
    """The interactions of one kind: a style and coefficients for each type, and type and atoms of each interaction."""

    types: dict[str, int] = field(default_factory=dict)
    rows: list[str] = field(default_factory=list)

    def add(self, chain: Sequence[int], style: str, *values: float | int) -> None:
        """Add one interaction."""
        number = self.types.setdefault(f"{style} {_reals(values)}", len(self.types) + 1)
        self.rows.append(f"{len(self.rows) + 1} {number} {' '.join(str(atom + 1) for atom in chain)}")

    @property
    def styles(self) -> list[str]:
        """The styles of the types."""
        return list(dict.fromkeys(name.split()[0] for name in self.types))

    def coefficients(self) -> Iterator[str]:
        """Yield a line for each type, which names the style where there are several."""
        several = len(self.styles) > 1
        for name, number in self.types.items():
            yield f"{number} {name if several else name.split(maxsplit=1)[1]}"


@dataclass(frozen=True)
class _Scales:
    """By which van der Waals and electrostatic energies of atoms one, two and three bonds apart are multiplied."""

    lj: tuple[float, ...]
    coul: tuple[float, ...]


def _write(path: Path, system: System, positions: Positions | None) -> tuple[Path, ...]:
    assert positions is not None
    what = f"{path}: LAMMPS"
    bonded = _bonded(system, what)
    stretched = [one.atoms for one in system.interactions if one.term is HARMONIC_STRETCH]
    bonds = np.concatenate([np.zeros((0, 2), dtype=np.int64), *stretched])
    special = special_pairs(system, what)
    scales, wanted, free = _scaled(system, special, bond_separations(system.n_atoms, bonds, limit=_NEAR + 1), what)
    held = kinds(system, wanted, free, what)
    types, of_atom = _types(system, held)
    data = path.with_suffix(".data")
    span = float(np.linalg.norm(np.ptp(positions, axis=0)))
    lines = [
        f"# Force field written by ForgeField, from {Path(system.source).name}. In LAMMPS, in this folder:",
        f"#   include {path.name}",
        "units real",
        "atom_style full",
        "boundary s s s",
        *(
            f"{name}_style {' '.join((['hybrid'] if len(one.styles) > 1 else []) + one.styles)}"
            for name, one in bonded.items()
            if one.rows
        ),
        f"special_bonds lj {_reals(scales.lj)} coul {_reals(scales.coul)}",
        f"pair_style lj/cut/coul/cut {_reals([max(_FARTHEST, 2.0 * span)])}",
        # Bins, which are the default, are refused in a box that is much smaller than the cutoff.
        "neighbor 2.0 nsq",
        f"read_data {data.name}",
        *_pair_coefficients(held, types),
    ]
    write_text(path, "\n".join([*lines, ""]))
    write_text(data, _data(system, positions, bonded, (types, of_atom)))
    return path, data


def _reals(values: Sequence[float | int]) -> str:
    return " ".join(f"{value:.12g}" for value in values)


def _scaled(
    system: System, special: dict[Pair, Special], apart: np.ndarray, what: str
) -> tuple[_Scales, dict[Pair, Minimum], set[Pair]]:
    """Return the scales of near pairs, the minima that pairs need in place of those of their atoms, and pairs of none.

    Raises InputError that lists pairs whose electrostatic energy would be scaled otherwise.
    """
    charges, wrong = system.through_space.charges, []
    usual = Special((0.0, 0.0), 1.0, 1.0)
    lj, coul = [], []
    wanted: dict[Pair, Minimum] = {}
    free: set[Pair] = set()
    for n in range(1, _NEAR + 1):
        near = {(i, j): special.get((i, j), usual) for i, j in np.argwhere(np.triu(apart == n, 1)).tolist()}
        acting = [one.charge for (i, j), one in near.items() if charges[i] * charges[j] != 0.0]
        coul.append(Counter(acting).most_common(1)[0][0] if acting else 0.0)
        depths = [1.0 if one.scale is None else one.scale for one in near.values() if one is usual or one.minimum[1]]
        lj.append(Counter(depths).most_common(1)[0][0] if depths else 0.0)
        wrong += [(i, j) for (i, j), one in near.items() if charges[i] * charges[j] != 0.0 and one.charge != coul[-1]]
        for pair, one in near.items():
            if lj[-1] == 0.0:
                free.add(pair)
            elif one.scale is None or (one.scale != lj[-1] and one is not usual):
                wanted[pair] = one.minimum[0], one.minimum[1] / lj[-1]
    for (i, j), one in special.items():
        if apart[i, j] > _NEAR:
            wanted[i, j] = one.minimum
            wrong += [(i, j)] if one.charge != 1.0 and charges[i] * charges[j] != 0.0 else []
    if wrong:
        named = listed([f"{i + 1}-{j + 1}" for i, j in wrong])
        raise InputError(
            f"{what} scales charges by the bonds between atoms alone, and cannot hold the scales of pairs {named}"
        )
    return _Scales(tuple(lj), tuple(coul)), wanted, free


def _bonded(system: System, what: str) -> dict[str, _Listed]:
    """Return the interactions by LAMMPS' kinds. Raises InputError that lists those that no style holds."""
    found = {name: _Listed() for name in ("bond", "angle", "dihedral", "improper")}
    ends, wrong = urey_bradley(system), []
    style = "charmm" if ends else "harmonic"
    for one in system.interactions:
        for chain, values in zip(map(tuple, one.atoms.tolist()), one.values.tolist(), strict=True):
            if one.term is HARMONIC_STRETCH:
                found["bond"].add(chain, "harmonic", 0.5 * values[0], values[1])
            elif one.term is HARMONIC_BEND:
                k, r0 = ends.pop((min(chain[0], chain[2]), max(chain[0], chain[2])), (0.0, 0.0))
                further = (0.5 * k, r0) if style == "charmm" else ()
                found["angle"].add(chain, style, 0.5 * values[0], values[1] / units.DEGREE, *further)
            elif one.term is HARMONIC_IMPROPER and abs(values[1]) > _PLANAR:
                wrong.append(f"a harmonic improper about {values[1] / units.DEGREE:.1f}°")
            elif one.term is HARMONIC_IMPROPER:
                found["improper"].add(chain, "harmonic", 0.5 * values[0], 0.0)
    wrong += [f"a Urey-Bradley term of atoms {i + 1} and {j + 1} without a bend" for i, j in ends]
    if wrong:
        raise InputError(f"{what} cannot hold {listed(wrong)}")
    _add_torsions(system, found)
    return found


def _add_torsions(system: System, found: dict[str, _Listed]) -> None:
    """Add periodic torsions as Fourier series, and impropers as style cvff where it has their phases."""
    series: dict[Chain, list[float]] = {}
    for one in system.interactions:
        if one.term in (PERIODIC_TORSION, PERIODIC_IMPROPER):
            for chain, (k, n, phase) in zip(map(tuple, one.atoms.tolist()), one.values.tolist(), strict=True):
                sign = _sign(n, phase) if one.term is PERIODIC_IMPROPER else 0
                if sign:
                    found["improper"].add(chain, "cvff", k, sign, n)
                else:
                    series.setdefault(chain, []).extend((k, n, phase / units.DEGREE))
    for chain, values in series.items():
        found["dihedral"].add(chain, "fourier", len(values) // 3, *values)


def _sign(n: float, phase: float) -> int:
    """Return the sign that stands for a phase of 0 or 180° in style cvff; 0 for others, and for too many folds."""
    held = n <= _MOST_FOLDS and abs(math.sin(phase)) < _PLANAR
    return round(math.cos(phase)) if held else 0


def _types(system: System, held: Kinds) -> tuple[list[tuple[int, float, str]], list[int]]:
    """Return van der Waals type, mass and name of each type of atoms, and the type of each atom from 1."""
    of_each = list(zip(held.of_atom.tolist(), system.masses.tolist(), system.types, strict=True))
    numbers = {one: number for number, one in enumerate(dict.fromkeys(of_each), 1)}
    return list(numbers), [numbers[one] for one in of_each]


def _pair_coefficients(held: Kinds, types: list[tuple[int, float, str]]) -> Iterator[str]:
    for i, (one, _, _) in enumerate(types):
        for j, (other, _, _) in enumerate(types[i:], i):
            radius, depth = held.minima[one, other].tolist()
            yield f"pair_coeff {i + 1} {j + 1} {_reals((depth, radius / _SIXTH if depth else 1.0))}"


def _data(
    system: System,
    positions: Positions,
    bonded: dict[str, _Listed],
    atoms: tuple[list[tuple[int, float, str]], list[int]],
) -> str:
    types, of_atom = atoms
    charges = system.through_space.charges * math.sqrt(system.through_space.coulomb / COULOMB)
    lines = [f"Written by ForgeField from {Path(system.source).name} (units real, atom_style full)", ""]
    lines += [f"{system.n_atoms} atoms", *(f"{len(one.rows)} {name}s" for name, one in bonded.items())]
    lines += [f"{len(types)} atom types", *(f"{len(one.types)} {name} types" for name, one in bonded.items()), ""]
    low, high = positions.min(axis=0) - _MARGIN, positions.max(axis=0) + _MARGIN
    lines += [f"{a:.6f} {b:.6f} {axis}lo {axis}hi" for axis, a, b in zip("xyz", low, high, strict=True)]
    lines += ["", "Masses", "", *(f"{k} {mass:.6f}  # {name}" for k, (_, mass, name) in enumerate(types, 1))]
    for name, one in bonded.items():
        if one.rows:
            lines += ["", f"{name.capitalize()} Coeffs", "", *one.coefficients()]
    lines += ["", "Atoms # full", ""]
    lines += [
        f"{k} 1 {kind} {charge:.12g} {_reals(place)}  # {name}"
        for k, (kind, charge, place, name) in enumerate(
            zip(of_atom, charges.tolist(), positions.tolist(), system.names, strict=True), 1
        )
    ]
    for name, one in bonded.items():
        if one.rows:
            lines += ["", f"{name.capitalize()}s", "", *one.rows]
    return "\n".join([*lines, ""])


LAMMPS = SystemFormat(
    "LAMMPS",
    (HARMONIC_STRETCH, HARMONIC_BEND, UREY_BRADLEY, PERIODIC_TORSION, PERIODIC_IMPROPER, HARMONIC_IMPROPER),
    *(_write, (".data",)),
    needs_positions=True,
)
