"""What one file says of one structure, before it is merged with what other files say of it."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float, Int

from forgefield import units
from forgefield.errors import InputError
from forgefield.io.assemble.damage import check_halves
from forgefield.io.assemble.state import check_electrons
from forgefield.io.assemble.superposition import same_geometry
from forgefield.io.sources import stem
from forgefield.io.text import LARGEST
from forgefield.molecules.electrons import lowest_multiplicity
from forgefield.molecules.elements import SYMBOLS
from forgefield.molecules.molecule import FARTHEST, AtomicCharges, Dihedral, Molecule

_LIGHTEST, _HEAVIEST = 0.1, 1000.0
"""amu"""
_LINEAR, _ALMOST_LINEAR = 1e-4, 0.03
"""Widths of a molecule, as shares of its length, between which programs differ on whether it is linear."""

_ASYMMETRIC = 0.01
"""Largest difference between the two halves of a Hessian, as a share of its largest element."""


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
    formal_charges: Int[np.ndarray, " charges"] | None = None
    name: str = ""
    constraints: tuple[Dihedral, ...] = ()
    n_projected: int = 0
    """Vibrations that the job left out of its frequencies, such as the direction of a reaction path; rotations that it
    left in count as less than none."""
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
        _check_numbers(self)
        if self.species is not None and self.charge is not None:
            check_electrons(self.source, self.species, self.charge, self.multiplicity)
        if self.species is not None and self.frequencies is not None:
            check_number_of_frequencies(self, self.species, self.positions)


def _check_numbers(part: Part) -> None:
    """Raise InputError where numbers are not finite, or too large or small for what they are."""
    # Written, as what follows, so that a NaN is caught too.
    if part.masses is not None and not ((part.masses >= _LIGHTEST) & (part.masses <= _HEAVIEST)).all():
        found = f"found {part.masses.min()} to {part.masses.max()}"
        raise InputError(f"{part.source}: masses must be {_LIGHTEST} to {_HEAVIEST:g} amu; {found}")
    if part.multiplicity is not None and part.multiplicity < 1:
        raise InputError(f"{part.source}: multiplicity {part.multiplicity} is not positive")
    largest = dict.fromkeys(("energy", "gradient", "hessian", "frequencies"), LARGEST)
    for what, limit in {"positions": FARTHEST, **largest}.items():
        values = getattr(part, what)
        if values is not None and not (np.abs(values) < limit).all():
            raise InputError(f"{part.source}: {what}: numbers of an impossible size, or not finite; repair the file")


def check_sizes(part: Part, n_atoms: int) -> None:
    """Raise InputError that lists each array of `part` which is not one of `n_atoms` atoms."""
    expected = {"positions": n_atoms, "gradient": n_atoms, "hessian": 3 * n_atoms, "masses": n_atoms}
    expected["formal_charges"] = n_atoms
    wrong = [
        f"{what} of {len(values)} rows, expected {rows}"
        for what, rows in expected.items()
        if (values := getattr(part, what)) is not None and len(values) != rows
    ]
    wrong += [f"{one.kind} charges of {len(one.values)} atoms" for one in part.charges if len(one.values) != n_atoms]
    if wrong:
        raise InputError(f"{part.source}: {n_atoms} atoms, but " + "; ".join(wrong))


def check_number_of_frequencies(
    part: Part, species: Int[np.ndarray, " atoms"], positions: Float[np.ndarray, "atoms 3"] | None
) -> None:
    """Raise InputError where a part has another number of frequencies than its atoms have vibrations, or coordinates.

    A molecule that is almost linear may have been taken for a linear one or not; so may one without positions.
    """
    printed = part.frequencies
    if printed is None:
        return
    n_atoms = len(species)
    bent, straight = 3 * n_atoms - 6, 3 * n_atoms - 5
    expected = {bent, straight} if n_atoms > 2 else {straight if n_atoms == 2 else 0}
    if positions is not None and n_atoms > 2:
        length, width, _ = np.linalg.svd(positions - positions.mean(axis=0), compute_uv=False)
        if width >= _ALMOST_LINEAR * length:
            expected = {bent}
        elif width < _LINEAR * length:
            expected = {straight}
    # Some programs print translations and rotations along, as zeros or not. Where a path can have been projected out,
    # Hessian and gradient tell.
    projected = {part.n_projected, int(part.hessian is not None and part.gradient is not None)}
    if {len(printed), np.count_nonzero(printed)} & {*(n - k for n in expected for k in projected), 3 * n_atoms}:
        return
    wanted = " or ".join(map(str, sorted(expected)))
    raise InputError(
        f"{part.source}: {n_atoms} atoms have {wanted} vibrations, but there are {len(printed)} frequencies; is the "
        "geometry or the list of frequencies cut?"
    )


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


def full_hessian(
    source: Path | str, matrix: Float[np.ndarray, "rows columns"], n_atoms: int
) -> Float[np.ndarray, "coordinates coordinates"]:
    """Return the Hessian [kcal/mol/Å²] of a full matrix [Hartree/Bohr²], the mean of both halves.

    Raises InputError where the matrix is not that of `n_atoms` atoms, or its halves differ by 1 % of its largest
    element, which no finite difference does, or in one element alone.
    """
    n = 3 * n_atoms
    if matrix.shape != (n, n):
        size = "x".join(map(str, matrix.shape))
        raise InputError(
            f"{source}: the Hessian is {size}, {n_atoms} atoms need {n}x{n}; the file is truncated or belongs to "
            "another molecule"
        )
    apart, largest = np.abs(matrix - matrix.T).max(initial=0.0), np.abs(matrix).max(initial=0.0)
    if not apart <= _ASYMMETRIC * largest:
        raise InputError(
            f"{source}: the halves of the Hessian differ by up to {apart:.3g} Hartree/Bohr², its largest element is "
            f"{largest:.3g}; the file is damaged"
        )
    check_halves(str(source), matrix)
    return 0.5 * (matrix + matrix.T) * units.HARTREE_PER_BOHR2


def alike(part: Part, other: Part) -> bool:
    """Say whether two geometries are the same."""
    if part.species is None or part.positions is None or other.species is None or other.positions is None:
        return False
    return same_geometry(part.species, part.positions, other.species, other.positions)


def molecule(part: Part) -> Molecule:
    """Return the structure that a file holds; a charge that it does not state is 0, a multiplicity the lowest.

    Raises InputError where it holds none.
    """
    if part.species is None or part.positions is None:
        raise InputError(f"{part.source}: holds no geometry")
    bonds = np.zeros((0, 2), dtype=np.int64) if part.bonds is None else part.bonds
    return Molecule(
        name=part.name or stem(Path(part.source)),
        species=part.species,
        positions=part.positions,
        bonds=bonds,
        orders=np.ones(len(bonds)) if part.orders is None else part.orders,
        charge=part.charge or 0,
        multiplicity=part.multiplicity or lowest_multiplicity(part.species, part.charge or 0),
        formal_charges=part.formal_charges,
        masses=part.masses,
        source=part.source,
    )


def part_of(molecule: Molecule) -> Part:
    """Return what a file says of a structure that has no results; charges and multiplicities only where it has them."""
    has_charge = molecule.formal_charges is not None or molecule.charge != 0
    lowest = lowest_multiplicity(molecule.species, molecule.charge)
    return Part(
        source=molecule.source,
        species=molecule.species,
        positions=molecule.positions,
        masses=molecule.masses,
        charge=molecule.charge if has_charge else None,
        multiplicity=None if molecule.multiplicity == lowest else molecule.multiplicity,
        bonds=molecule.bonds if len(molecule.bonds) else None,
        orders=molecule.orders if len(molecule.bonds) else None,
        formal_charges=molecule.formal_charges,
        name=molecule.name,
    )
