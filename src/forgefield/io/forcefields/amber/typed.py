"""Force fields of AMBER by atom type (.dat with .frcmod): every interaction of a molecule as tleap finds it."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from itertools import combinations, permutations
from pathlib import Path
from warnings import warn

import numpy as np
from jaxtyping import Float

from forgefield.assign.explicit.library import AbstractLibrary
from forgefield.assign.explicit.rules import SystemRules
from forgefield.assign.explicit.system import Stated, System, ThroughSpace
from forgefield.assign.instances import Types
from forgefield.assign.typed_rules import TypedRules
from forgefield.errors import InputError, InputWarning, MissingParameters
from forgefield.io.forcefields.amber.frcmod import frcmod_rules, is_generated
from forgefield.io.forcefields.amber.parameters import WILD, Parameters, Wave, read_parameters
from forgefield.io.forcefields.amber.prmtop import COULOMB
from forgefield.io.forcefields.amber.residues import LIBRARIES, PREPS, Residue, read_residues, typed
from forgefield.io.forcefields.charges import stated_charges
from forgefield.io.offenders import listed
from forgefield.molecules.bonds import perceive_bonds
from forgefield.molecules.elements import WEIGHTS
from forgefield.molecules.molecule import Molecule
from forgefield.molecules.paths import angles, bond_separations, neighbours, torsions
from forgefield.terms.bend import HARMONIC_BEND
from forgefield.terms.nonbonded import LENNARD_JONES
from forgefield.terms.periodic import PERIODIC_IMPROPER, PERIODIC_TORSION
from forgefield.terms.stretch import HARMONIC_STRETCH
from forgefield.terms.term import Term

_NEAREST, _SHOWN = 3, 30
"""Rows that are shown for one that is missing, and how many missing ones."""
_THREE_BONDS = 3

Chain = tuple[int, ...]


@dataclass(frozen=True, eq=False, repr=False)
class AmberRules(AbstractLibrary):
    """The rows of some files, of which the last one that has a row for the same types counts."""

    files: tuple[Parameters, ...]
    residues: tuple[Residue, ...] = ()
    """Of which molecules without types have those and their charges."""

    @property
    def source(self) -> str:
        """What messages call it."""
        return " + ".join([*(one.source for one in self.files), *dict.fromkeys(one.source for one in self.residues)])

    @property
    def holds(self) -> tuple[str, ...]:
        """How many rows of each kind the files have, by types."""
        kinds = {
            "stretch": "bonds",
            "bend": "angles",
            "torsion": "dihedrals",
            "improper": "impropers",
            "vdw": "nonbonded",
        }
        counts = {kind: sum(len(getattr(one, rows)) for one in self.files) for kind, rows in kinds.items()}
        return ("rows by types", *(f"{n} {kind}" for kind, n in counts.items() if n))

    def _own_types(self, name: str) -> str:
        """Say which structure beside a file has the types that it goes by, where another one is given."""
        beside = [Path(one.source).with_suffix(".mol2") for one in self.files]
        found = [str(path) for path in beside if path.is_file() and path != Path(name)]
        return f" {' and '.join(found)} may have the types that are meant." if found else ""

    def over(self, molecule: Molecule) -> SystemRules:
        """Return the force field of a molecule by its atom types, with its charges.

        Raises InputError where it has none, and MissingParameters that lists what has no row.
        """
        if molecule.types is None and self.residues:
            known = {name: mass for file in self.files for name, mass in file.masses.items()}
            molecule = typed(molecule, self.residues, known)
        name, types = molecule.source or molecule.name, molecule.types
        if types is None:
            raise InputError(
                f"{name}: {self.source} goes by atom types, which the molecule does not have; give a structure that "
                "has them (.mol2; `antechamber -at gaff2 -c bcc` writes one), under `structures` in a FIT.toml, or a "
                "residue library (.lib, .prepi)"
            )
        charges = stated_charges(molecule, self.source)
        if not len(molecule.bonds):
            molecule = replace(molecule, bonds=perceive_bonds(molecule.species, molecule.positions)[0])
        laid = _Laid(self.files, types)
        stated = laid.bonded(np.asarray(molecule.bonds))
        parameters = laid.van_der_waals()
        if laid.missing:
            raise MissingParameters(f"{name}: {self.source} has no rows for\n{laid.complaint()}{self._own_types(name)}")
        special, scales = _near(molecule.n_atoms, molecule.bonds, laid.scales)
        system = System.of_molecule(
            molecule,
            source=f"{self.source} over {molecule.name}",
            program="AMBER",
            types=types,
            interactions=stated,
            through_space=ThroughSpace(LENNARD_JONES, parameters, charges, COULOMB, special, scales),
        )
        return SystemRules(replace(system, masses=laid.masses(molecule)))

    def __repr__(self) -> str:
        return f"AmberRules({self.source})"

    def restored(self) -> "AmberRules":
        """Return it as it is."""
        return self


def read_amber(*paths: Path) -> AmberRules:
    """Return the force field of .dat and .frcmod files, of which later ones go before earlier ones. Raises InputError.

    Libraries (.lib, .off) and prep files among them give types and charges to structures without types. As tleap does,
    van der Waals rows of types whose mass the same file does not state are passed over: an InputWarning names them.
    """
    libraries = [path for path in paths if path.suffix.lower() in (*LIBRARIES, *PREPS)]
    files = tuple(read_parameters(path) for path in paths if path not in libraries)
    if not files:
        raise InputError(f"{libraries[0]}: has types and charges alone; give its parameters too, as in gaff2.dat+FILE")
    for one in files:
        if idle := [name for name in one.nonbonded if name not in one.masses]:
            warn(
                f"{one.source}: NONBON rows of {listed(idle)} have no row in section MASS of the same file, so tleap "
                "passes over them, and so does ForgeField",
                InputWarning,
                stacklevel=2,
            )
    return AmberRules(files, tuple(one for path in libraries for one in read_residues(path)))


def amber_rules(path: Path) -> AmberRules | TypedRules:
    """Return the force field of one file; one that ForgeField generated goes by its own types. Raises InputError."""
    return frcmod_rules(path) if is_generated(path) else read_amber(path)


@dataclass(eq=False)
class _Laid:
    """Finds the rows of the interactions of a molecule."""

    files: tuple[Parameters, ...]
    types: Types
    missing: dict[tuple[str, Types], Chain] = field(default_factory=dict)
    """First atoms of what has no row."""
    scales: dict[tuple[int, int], tuple[float, float]] = field(default_factory=dict)
    """Of the energies of the ends of dihedrals: van der Waals and electrostatic."""

    def bonded(self, bonds: np.ndarray) -> tuple[Stated, ...]:
        """Return all interactions along bonds; what has no row is noted."""
        n = len(self.types)
        stretches = [self._two(tuple(pair), "bonds", "stretch") for pair in bonds.tolist()]
        bends = [self._two(tuple(triple), "angles", "bend") for triple in angles(n, bonds).tolist()]
        return (
            _stated(HARMONIC_STRETCH, filter(None, stretches)),
            _stated(HARMONIC_BEND, filter(None, bends)),
            _stated(PERIODIC_TORSION, self._torsions(bonds)),
            _stated(PERIODIC_IMPROPER, self._impropers(bonds)),
        )

    def _two(self, chain: Chain, table: str, kind: str) -> tuple[Chain, tuple[float, ...]] | None:
        types = tuple(self.types[a] for a in chain)
        for file in reversed(self.files):
            held: dict[Types, tuple[float, float]] = getattr(file, table)
            for turned in (types, types[::-1]):
                if turned in held:
                    return chain, held[turned]
        self._note(kind, types, chain)
        return None

    def _note(self, kind: str, types: Types, chain: Chain) -> None:
        """Note that there is no row for types, from either end."""
        if (kind, types[::-1]) not in self.missing:
            self.missing.setdefault((kind, types), chain)

    def _torsions(self, bonds: np.ndarray) -> Iterator[tuple[Chain, tuple[float, ...]]]:
        known: dict[Types, list[Wave]] = {}
        for chain in map(tuple, torsions(len(self.types), bonds).tolist()):
            types = tuple(self.types[a] for a in chain)
            if types not in known:
                known[types] = self._series(types)
            if not known[types]:
                self._note("torsion", types, chain)
                continue
            first = known[types][0]
            self.scales.setdefault(_sorted(chain[0], chain[3]), (1.0 / first.scnb, 1.0 / first.scee))
            yield from ((chain, (wave.k, float(wave.n), wave.phase)) for wave in known[types])

    def _series(self, types: Types) -> list[Wave]:
        """Return the cosines of a dihedral: of the last file that names its types, else of all wildcards together.

        Of several rows with wildcards for one periodicity the last file's counts, as in tleap.
        """
        either = types, types[::-1]
        for file in reversed(self.files):
            for turned in either:
                if turned in file.dihedrals:
                    return file.dihedrals[turned]
        found: dict[int, Wave] = {}
        for file in reversed(self.files):
            for row, series in file.dihedrals.items():
                if WILD in row and any(_fits(row, turned) for turned in either):
                    for wave in series:
                        found.setdefault(wave.n, wave)
        return list(found.values())

    def _impropers(self, bonds: np.ndarray) -> Iterator[tuple[Chain, tuple[float, ...]]]:
        """Yield the impropers of all centres, whose atoms are in the order of the row, wildcards in that of the file.

        A centre without a row has none.
        """
        for centre, around in enumerate(neighbours(len(self.types), bonds)):
            for ends in combinations(sorted(around), 3):
                for chain, wave in self._improper(centre, ends):
                    yield chain, (wave.k, float(wave.n), wave.phase)

    def _improper(self, centre: int, ends: Chain) -> list[tuple[Chain, Wave]]:
        """Return the cosines of an improper: of the rows with the fewest wildcards, the last file's first."""
        chains = [(a, b, centre, c) for a, b, c in permutations(ends)]
        for n_wild in range(4):
            found: dict[int, tuple[Chain, Wave]] = {}
            for file in reversed(self.files):
                for row, series in file.impropers.items():
                    if row.count(WILD) == n_wild:
                        chain = next((c for c in chains if _fits(row, tuple(self.types[a] for a in c))), None)
                        if chain is not None:
                            found = {wave.n: (chain, wave) for wave in series} | found
                if found and not n_wild:
                    break
            if found:
                return list(found.values())
        return []

    def van_der_waals(self) -> Float[np.ndarray, "atoms 2"]:
        """Return radii and depths of the atoms. Raises InputError for types with a 10-12 potential."""
        found = []
        for atom, name in enumerate(self.types):
            file = next((one for one in reversed(self.files) if name in one.nonbonded and name in one.masses), None)
            if file is None:
                self.missing.setdefault(("van der Waals", (name,)), (atom,))
            found.append((0.0, 0.0) if file is None else file.nonbonded[name])
        held = {*self.types}
        for file in self.files:
            if acting := [pair for pair in file.hydrogen_bonds if held.issuperset(pair)]:
                raise InputError(
                    f"{file.source}: has what ForgeField does not compute: the 10-12 potential of hydrogen bonds of "
                    f"{listed(['-'.join(pair) for pair in acting])}"
                )
        return np.array(found).reshape(-1, 2)

    def masses(self, molecule: Molecule) -> Float[np.ndarray, " atoms"]:
        """Return the masses of the atoms, where no file has one the atomic weight [amu]."""
        known = {name: mass for file in self.files for name, mass in file.masses.items()}
        weights = WEIGHTS[molecule.species].tolist()
        return np.array([known.get(name, weight) for name, weight in zip(self.types, weights, strict=True)])

    def complaint(self) -> str:
        """Return what has no row, with the nearest rows that there are."""
        lines = []
        for (kind, types), chain in list(self.missing.items())[:_SHOWN]:
            atoms = "-".join(str(a + 1) for a in chain)
            near = ", ".join("-".join(row) for row in self._nearest(kind, types))
            lines.append(f"  {kind} {'-'.join(types)} (atoms {atoms})" + (f"; nearest: {near}" if near else ""))
        if len(self.missing) > _SHOWN:
            lines.append(f"  and {len(self.missing) - _SHOWN} more")
        advice = "Give the set that the types belong to before (gaff2.dat+FILE.frcmod), or estimate rows with parmchk2."
        return "\n".join([*lines, advice])

    def _nearest(self, kind: str, types: Types) -> list[Types]:
        """Return the rows of other types that have most types in common, where they stand."""
        tables = {"stretch": "bonds", "bend": "angles", "torsion": "dihedrals"}
        if kind not in tables:
            return []
        rows: dict[Types, None] = dict.fromkeys(row for file in self.files for row in getattr(file, tables[kind]))
        scored = [(max(_alike(row, types), _alike(row[::-1], types)), row) for row in rows]
        return [row for score, row in sorted(scored, key=lambda both: -both[0])[:_NEAREST] if score > 0.0]


def _alike(row: Types, types: Types) -> float:
    """Return how many types agree, those that are of one first letter by half."""
    return sum(1.0 if a == b else 0.5 if a[0].lower() == b[0].lower() else 0.0 for a, b in zip(row, types, strict=True))


def _fits(row: Types, types: Types) -> bool:
    return all(a in (b, WILD) for a, b in zip(row, types, strict=True))


def _sorted(i: int, j: int) -> tuple[int, int]:
    return (i, j) if i < j else (j, i)


def _stated(term: Term, interactions: Iterable[tuple[Chain, tuple[float, ...]]]) -> Stated:
    held = list(interactions)
    atoms = np.array([chain for chain, _ in held], dtype=np.int64).reshape(-1, term.order)
    return Stated(term, atoms, np.array([values for _, values in held]).reshape(-1, term.n_own))


def _near(
    n: int, bonds: np.ndarray, scales: dict[tuple[int, int], tuple[float, float]]
) -> tuple[np.ndarray, np.ndarray]:
    """Return the pairs up to three bonds apart and their scales."""
    apart = bond_separations(n, bonds)
    pairs = np.argwhere(np.triu((apart > 0) & (apart <= _THREE_BONDS)))
    found = [scales[i, j] if apart[i, j] == _THREE_BONDS else (0.0, 0.0) for i, j in pairs.tolist()]
    return pairs, np.array(found).reshape(-1, 2)
