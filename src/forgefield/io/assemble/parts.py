"""What one file says of one structure, before it is merged with what other files say of it."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float, Int

from forgefield import units
from forgefield.errors import InputError
from forgefield.io.text import LARGEST
from forgefield.molecules.elements import SYMBOLS
from forgefield.molecules.molecule import AtomicCharges, Dihedral, Molecule

_LIGHTEST = 0.1
"""amu"""


@dataclass(frozen=True, eq=False)
class Part:
    """One file's share of a Reference; absent data are None.

    Arrays are in the frame of `positions`; in a file without positions, in the frame of the files it is merged with.
    Raises InputError where sizes contradict each other or positions, masses or species make no sense.
    """

    source: str
    species: Int[np.ndarray, " species"] | None = None
    """Atomic numbers."""
    positions: Float[np.ndarray, "positions 3"] | None = None
    """Å"""
    energy: float | None = None
    """kcal/mol"""
    gradient: Float[np.ndarray, "gradient 3"] | None = None
    """kcal/mol/Å"""
    hessian: Float[np.ndarray, "hessian hessian"] | None = None
    """kcal/mol/Å², not mass-weighted."""
    frequencies: Float[np.ndarray, " modes"] | None = None
    """cm⁻¹, imaginary ones negative."""
    masses: Float[np.ndarray, " masses"] | None = None
    """amu"""
    level: str = ""
    program: str = ""
    stationary_order: int | None = None
    charge: int | None = None
    multiplicity: int | None = None
    bonds: Int[np.ndarray, "bonds 2"] | None = None
    orders: Float[np.ndarray, " bonds"] | None = None
    name: str = ""
    constraints: tuple[Dihedral, ...] = ()
    charges: tuple[AtomicCharges, ...] = ()

    def __post_init__(self) -> None:
        if self.species is not None:
            check_sizes(self, len(self.species))
            unknown = self.species[(self.species < 1) | (self.species >= len(SYMBOLS))]
            if unknown.size:
                numbers = ", ".join(map(str, np.unique(unknown)))
                raise InputError(f"{self.source}: {numbers} are no atomic numbers; remove ghost and dummy atoms")
        for one in self.charges:
            # No atom can have lost more electrons than it had, nor gained as many.
            if not (np.abs(one.values) < len(SYMBOLS)).all():
                raise InputError(f"{self.source}: {one.kind} charges: numbers of an impossible size, or not finite")
        if self.masses is not None and not (self.masses >= _LIGHTEST).all():
            raise InputError(f"{self.source}: masses must be {_LIGHTEST} amu or more; found {self.masses.min()}")
        if self.multiplicity is not None and self.multiplicity < 1:
            raise InputError(f"{self.source}: multiplicity {self.multiplicity} is not positive")
        for what in ("positions", "energy", "gradient", "hessian", "frequencies", "masses"):
            values = getattr(self, what)
            # Written so that a NaN is caught too.
            if values is not None and not (np.abs(values) < LARGEST).all():
                raise InputError(
                    f"{self.source}: {what}: numbers of an impossible size, or not finite; repair the file"
                )


def check_sizes(part: Part, n_atoms: int) -> None:
    """Raise InputError that lists each array of `part` which is not one of `n_atoms` atoms."""
    expected = {"positions": n_atoms, "gradient": n_atoms, "hessian": 3 * n_atoms, "masses": n_atoms}
    wrong = [
        f"{what} of {len(values)} rows, expected {rows}"
        for what, rows in expected.items()
        if (values := getattr(part, what)) is not None and len(values) != rows
    ]
    wrong += [f"{one.kind} charges of {len(one.values)} atoms" for one in part.charges if len(one.values) != n_atoms]
    if wrong:
        raise InputError(f"{part.source}: {n_atoms} atoms, but " + "; ".join(wrong))


def hessian_from_triangle(
    source: Path | str, triangle: Float[np.ndarray, " constants"], n_atoms: int
) -> Float[np.ndarray, "coordinates coordinates"]:
    """Return the Hessian [kcal/mol/Å²] from its lower triangle by rows [Hartree/Bohr²].

    Raises InputError where the triangle is not that of `n_atoms` atoms.
    """
    n = 3 * n_atoms
    if len(triangle) != n * (n + 1) // 2:
        raise InputError(
            f"{source}: the Hessian has {len(triangle)} force constants, {n_atoms} atoms need {n * (n + 1) // 2}; "
            "the file is truncated or belongs to another molecule"
        )
    hessian = np.zeros((n, n))
    hessian[np.tril_indices(n)] = triangle * units.HARTREE_PER_BOHR2
    return hessian + np.tril(hessian, -1).T


def molecule(part: Part) -> Molecule:
    """Return the structure that a file holds; a charge that it does not state is 0, a multiplicity 1.

    Raises InputError where it holds none.
    """
    if part.species is None or part.positions is None:
        raise InputError(f"{part.source}: holds no geometry")
    bonds = np.zeros((0, 2), dtype=np.int64) if part.bonds is None else part.bonds
    return Molecule(
        name=part.name or Path(part.source).stem,
        species=part.species,
        positions=part.positions,
        bonds=bonds,
        orders=np.ones(len(bonds)) if part.orders is None else part.orders,
        charge=part.charge or 0,
        multiplicity=part.multiplicity or 1,
        source=part.source,
    )
