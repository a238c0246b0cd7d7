"""One structure as read, and what a QM program said of it."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Float, Int

from forgefield.errors import InputError
from forgefield.molecules.electrons import electron_problem
from forgefield.molecules.elements import MASSES, SYMBOLS, WEIGHTS
from forgefield.molecules.lattice import Lattice

ZERO_ORDER = 0.0
"""Order of a coordinative bond."""
AROMATIC = 1.5
"""Order of an aromatic bond."""
FARTHEST = 1e5
"""Å; no atom of a molecule is as far from the origin."""


def _no_bonds() -> np.ndarray:
    return np.zeros((0, 2), dtype=np.int64)


@dataclass(frozen=True, eq=False, repr=False)
class Molecule:
    """One structure: what it consists of, where its atoms are, and how they are connected.

    Bonds are pairs of 0-based atoms in the order of the file; `orders` is 0 for coordinative,
    1.5 for aromatic and fractional for partial bonds. `types` are the force field's atom types.
    """

    name: str
    species: Int[np.ndarray, " atoms"]
    """Atomic numbers."""
    positions: Float[np.ndarray, "atoms 3"]
    """Å"""
    bonds: Int[np.ndarray, "bonds 2"] = field(default_factory=_no_bonds)
    orders: Float[np.ndarray, " bonds"] = field(default_factory=lambda: np.zeros(0))
    types: tuple[str, ...] | None = None
    charge: int = 0
    multiplicity: int = 1
    formal_charges: Int[np.ndarray, " atoms"] | None = None
    masses: Float[np.ndarray, " atoms"] | None = None
    """amu, where the file states its isotopes."""
    remarks: Mapping[str, str] = field(default_factory=dict)
    """What else the file says of it, by the file's own names."""
    source: str = ""
    """The file it came from."""
    n_pieces: int = 1
    """Into how many parts it may fall that are not bonded to each other."""
    charges: Float[np.ndarray, " atoms"] | None = None
    """Partial charges of the atoms, where the file states them [e]."""
    names: tuple[str, ...] | None = None
    """Names of the atoms, where the file states them."""

    def __post_init__(self) -> None:
        wrong = np.flatnonzero(~np.isfinite(self.positions).all(axis=1))
        if wrong.size:
            atoms = ", ".join(f"{symbol(self.species[i])}{i + 1}" for i in wrong)
            raise InputError(f"{self.source or self.name}: positions of atom(s) {atoms} are not finite numbers")
        far = np.flatnonzero((np.abs(self.positions) >= FARTHEST).any(axis=1))
        if far.size:
            atoms = ", ".join(f"{symbol(self.species[i])}{i + 1}" for i in far)
            raise InputError(f"{self.source or self.name}: atom(s) {atoms} are {FARTHEST:g} Å or more from the origin")
        problem = electron_problem(self.species, self.charge)
        if problem:
            raise InputError(f"{self.source or self.name}: {problem}")

    @property
    def n_atoms(self) -> int:
        """Number of atoms."""
        return len(self.species)

    @property
    def symbols(self) -> tuple[str, ...]:
        """Element symbols."""
        return tuple(symbol(z) for z in self.species)

    @property
    def formula(self) -> str:
        """Elements and how many atoms they have, carbon and hydrogen first (Hill)."""
        count = Counter(self.symbols)
        first = [name for name in ("C", "H") if "C" in count and name in count]
        rest = sorted(count.keys() - set(first))
        return "".join(name + (str(count[name]) if count[name] > 1 else "") for name in [*first, *rest])

    def __repr__(self) -> str:
        return f"Molecule({self.name!r}, {self.formula}, charge {self.charge}, multiplicity {self.multiplicity})"


@dataclass(frozen=True)
class Dihedral:
    """A dihedral that was held at an angle while the rest of its molecule relaxed."""

    atoms: tuple[int, int, int, int]
    """0-based, in the order of the chain."""
    angle: float
    """rad, above -π and up to π (1e-6 beyond); IUPAC sign, as it is in the positions that it comes with."""


@dataclass(frozen=True, eq=False)
class AtomicCharges:
    """The charges of the atoms by one way of dividing the electrons among them."""

    kind: str
    """esp, mulliken, hirshfeld, cm5, npa, or what the file calls them."""
    values: Float[np.ndarray, " atoms"]
    """e"""


@dataclass(frozen=True, eq=False)
class HessianProducts:
    """The Hessian of a structure times some displacements of its atoms."""

    directions: Float[np.ndarray, "directions atoms 3"]
    """Displacements, without unit."""
    values: Float[np.ndarray, "directions atoms 3"]
    """Products with them [kcal/mol/Å²]."""


@dataclass(frozen=True, eq=False, repr=False)
class Reference:
    """What one or more QM jobs said of one structure, in the frame of `positions`. Absent data are None."""

    species: Int[np.ndarray, " atoms"]
    positions: Float[np.ndarray, "atoms 3"]
    """Å"""
    energy: float | None = None
    """kcal/mol"""
    gradient: Float[np.ndarray, "atoms 3"] | None = None
    """kcal/mol/Å"""
    hessian: Float[np.ndarray, "atoms3 atoms3"] | None = None
    """kcal/mol/Å², not mass-weighted."""
    frequencies: Float[np.ndarray, " modes"] | None = None
    """cm⁻¹ as the program printed them, imaginary ones negative."""
    masses: Float[np.ndarray, " atoms"] | None = None
    """amu, where the job states its isotopes."""
    level: str = ""
    """Level of theory, for example B3LYP/6-31+G(d)."""
    program: str = ""
    stationary_order: int | None = None
    """Number of negative eigenvalues that the job was meant to have; None where it does not say."""
    charge: int = 0
    multiplicity: int = 1
    sources: tuple[str, ...] = ()
    """The files it came from."""
    constraints: tuple[Dihedral, ...] = ()
    """The dihedrals that were held: the gradient vanishes along all other coordinates only."""
    charges: tuple[AtomicCharges, ...] = ()
    """One entry for each kind that the files hold."""
    products: HessianProducts | None = None
    atomic_energies: Float[np.ndarray, " atoms"] | None = None
    """What each atom adds to the energy [kcal/mol], where the method divides it among them."""
    bonds: Int[np.ndarray, "bonds 2"] | None = None
    """Where the files state them, as `orders` and `formal_charges`; of a `Molecule` the same."""
    orders: Float[np.ndarray, " bonds"] | None = None
    formal_charges: Int[np.ndarray, " atoms"] | None = None
    lattice: Lattice | None = None
    """Of a periodic system."""
    stress: Float[np.ndarray, "3 3"] | None = None
    """Derivative of its energy by strain over the volume [kcal/mol/Å³]; tension is positive."""

    @property
    def contents(self) -> tuple[str, ...]:
        """Which results there are, in words."""
        there = {
            "energy": self.energy is not None,
            "gradient": self.gradient is not None,
            "Hessian": self.hessian is not None,
            "frequencies": self.frequencies is not None,
            "charges": bool(self.charges),
            "Hessian products": self.products is not None,
            "atomic energies": self.atomic_energies is not None,
            "stress": self.stress is not None,
        }
        return tuple(name for name, is_there in there.items() if is_there)

    def __repr__(self) -> str:
        level = f" at {self.level}" if self.level else ""
        return f"Reference({len(self.species)} atoms, {', '.join(self.contents) or 'no results'}{level})"


def symbol(number: int | np.integer) -> str:
    """Return the element symbol of an atomic number."""
    return SYMBOLS[int(number)]


def standard_masses(species: Int[np.ndarray, " atoms"]) -> Float[np.ndarray, " atoms"]:
    """Return the masses of the most abundant isotopes [amu]."""
    return MASSES[species]


def atomic_weights(species: Int[np.ndarray, " atoms"]) -> Float[np.ndarray, " atoms"]:
    """Return the standard atomic weights, means over the isotopes as they occur [amu]."""
    return WEIGHTS[species]
