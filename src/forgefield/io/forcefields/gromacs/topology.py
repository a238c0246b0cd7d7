"""GROMACS topologies (.top): every interaction of a system."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from math import pi
from pathlib import Path

import numpy as np

from forgefield import units
from forgefield.assign.explicit.rules import SystemRules
from forgefield.assign.explicit.system import Stated, System, ThroughSpace, chemical_bonds
from forgefield.errors import InputError
from forgefield.io.forcefields.gromacs.molecules import Built, MoleculeType, Pair, build
from forgefield.io.forcefields.gromacs.preprocess import preprocessed
from forgefield.io.forcefields.gromacs.types import TypeTables
from forgefield.io.lines import Line
from forgefield.io.offenders import listed
from forgefield.molecules.elements import WEIGHTS
from forgefield.terms.nonbonded import LENNARD_JONES, LENNARD_JONES_GEOMETRIC, LENNARD_JONES_PAIR
from forgefield.terms.term import Term

_AVOGADRO, _CHARGE, _VACUUM = 6.02214076e23, 1.602176634e-19, 8.8541878128e-12
COULOMB = _CHARGE**2 * _AVOGADRO / (4.0 * pi * _VACUUM) * 1e-3 * 1e10 * units.KILOJOULE
"""kcal·Å/mol/e², of the constants of CODATA 2018 as GROMACS has them."""
_HEADS = ("system", "molecules")
_MOST_ATOMS = 100_000
_ALIKE = 0.1
"""amu; a mass that is further from every atomic weight is of no element."""


@dataclass
class _Read:
    path: Path
    tables: TypeTables = field(default_factory=TypeTables)
    kinds: dict[str, MoleculeType] = field(default_factory=dict)
    counts: list[tuple[str, int]] = field(default_factory=list)

    def take(self, section: str, line: Line) -> None:
        """Enter one line. Raises InputError."""
        if section == "moleculetype":
            name, n = line.words[0], line.integer(1)
            if name in self.kinds:
                raise line.wrong(f"a second [ moleculetype ] {name}")
            self.kinds[name] = MoleculeType(name, n)
        elif section == "molecules":
            if line.words[0] not in self.kinds:
                raise line.wrong(f"there is no [ moleculetype ] {line.words[0]}; known are {', '.join(self.kinds)}")
            self.counts.append((line.words[0], line.integer(1)))
        elif section not in _HEADS and not self.tables.enter(section, line):
            if not self.kinds:
                raise line.wrong(f"section [ {section} ] is not known here")
            last = next(reversed(self.kinds.values()))
            last.lines.setdefault(section, []).append(line)


def read_top(path: Path) -> SystemRules:
    """Return the force field of a GROMACS topology.

    Raises InputError that names what it has that we do not, or that is missing, and MissingParameters.
    """
    read = _Read(path)
    for section, line in preprocessed(path):
        if section:
            read.take(section, line)
    if not read.tables.defaults.rule:
        raise InputError(f"{path}: has no section [ defaults ]; include the force field that it belongs to")
    built = {name: build(read.kinds[name], read.tables) for name, n in read.counts if n > 0}
    n_atoms = sum(n * len(built[name].atoms) for name, n in read.counts if n > 0)
    if n_atoms > _MOST_ATOMS:
        raise InputError(f"{path}: {n_atoms:,} atoms are more than {_MOST_ATOMS:,}; take the solute alone")
    molecules = [built[name] for name, n in read.counts for _ in range(n)]
    if not molecules:
        raise InputError(f"{path}: section [ molecules ] names none")
    return SystemRules(_system(path, read.tables, molecules))


def _system(path: Path, tables: TypeTables, molecules: list[Built]) -> System:
    atoms = [atom for molecule in molecules for atom in molecule.atoms]
    starts = np.cumsum([0, *(len(molecule.atoms) for molecule in molecules)])[:-1].tolist()
    kinds = [tables.atoms[atom.of_type] for atom in atoms]
    masses = np.array([atom.mass for atom in atoms])
    species = _species(path, np.array([kind.number for kind in kinds]), masses)
    bonds = [(i + at, j + at) for m, at in zip(molecules, starts, strict=True) for i, j in m.bonds]
    near = {(i + at, j + at): held for m, at in zip(molecules, starts, strict=True) for (i, j), held in m.near.items()}
    excluded = {(i + at, j + at) for m, at in zip(molecules, starts, strict=True) for i, j in m.excluded}
    own = dict(_own(tables, [atom.of_type for atom in atoms], excluded))
    pairs = [(pair, held) for pair, held in near.items() if held is not None] + list(own.items())
    scales = dict.fromkeys(excluded, (0.0, 0.0)) | dict.fromkeys(own, (0.0, 1.0))
    for pair, held in near.items():
        vdw, charge = scales.get(pair, (1.0, 1.0))
        scales[pair] = (
            vdw + (tables.defaults.fudge_lj if held is None else 0.0),
            charge + tables.defaults.fudge_qq,
        )
    return System(
        source=str(path),
        program="GROMACS",
        species=species,
        bonds=chemical_bonds(species, np.array(bonds, dtype=np.int64).reshape(-1, 2)),
        types=tuple(atom.of_type for atom in atoms),
        bonded=tuple(kind.bonded for kind in kinds),
        names=tuple(atom.name for atom in atoms),
        residues=tuple(atom.residue for atom in atoms),
        masses=masses,
        interactions=(*_stated(molecules, starts), _stated_pairs(pairs)),
        through_space=ThroughSpace(
            term=LENNARD_JONES if tables.defaults.rule == 2 else LENNARD_JONES_GEOMETRIC,
            parameters=np.array([(0.5 * kind.minimum, kind.depth) for kind in kinds]),
            charges=np.array([atom.charge for atom in atoms]),
            coulomb=COULOMB,
            special=np.array(list(scales), dtype=np.int64).reshape(-1, 2),
            scales=np.array(list(scales.values())).reshape(-1, 2),
        ),
    )


def _species(path: Path, numbers: np.ndarray, masses: np.ndarray) -> np.ndarray:
    """Return atomic numbers, by masses where types have none. Raises InputError for united atoms and the like."""
    nearest = 1 + np.abs(WEIGHTS[1:, None] - masses[None]).argmin(axis=0)
    wrong = np.flatnonzero((numbers <= 0) & (np.abs(WEIGHTS[nearest] - masses) > _ALIKE))
    if wrong.size:
        atoms = listed([f"{k + 1} ({masses[k]:g} amu)" for k in wrong.tolist()])
        raise InputError(
            f"{path}: atoms {atoms} are of no element that is known by number or mass; united atoms are not computed"
        )
    return np.where(numbers > 0, numbers, nearest)


def _own(tables: TypeTables, types: list[str], excluded: set[Pair]) -> Iterator[tuple[Pair, tuple[float, float]]]:
    """Yield the pairs, not excluded, whose types have parameters that do not combine."""
    named = {name for pair in tables.nonbonded for name in pair}
    places = [k for k, name in enumerate(types) if name in named]
    for n, i in enumerate(places):
        for j in places[n + 1 :]:
            held = tables.nonbonded.get((types[i], types[j]))
            if held is not None and (i, j) not in excluded:
                yield (i, j), held


def _stated(molecules: list[Built], starts: list[int]) -> Iterator[Stated]:
    """Yield the interactions of each term."""
    terms: dict[Term, None] = dict.fromkeys(term for molecule in molecules for term in molecule.chains)
    for term in terms:
        atoms = [
            np.array(molecule.chains[term], dtype=np.int64) + start
            for molecule, start in zip(molecules, starts, strict=True)
            if term in molecule.chains
        ]
        values = [np.array(molecule.values[term]) for molecule in molecules if term in molecule.values]
        yield Stated(term, np.concatenate(atoms), np.concatenate(values))


def _stated_pairs(pairs: list[tuple[Pair, tuple[float, float]]]) -> Stated:
    atoms = np.array([pair for pair, _ in pairs], dtype=np.int64).reshape(-1, 2)
    values = np.array([own for _, own in pairs]).reshape(-1, 2)
    return Stated(LENNARD_JONES_PAIR, atoms, values)
