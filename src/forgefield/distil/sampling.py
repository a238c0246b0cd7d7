"""Structures of a molecule for a teacher to label: along its modes, displaced at random, turned about bonds, stretched.

Each function returns geometries [structures, atoms, 3] in Å, drawn from a generator that is given where it draws.
"""

from collections.abc import Callable

import numpy as np
from jaxtyping import Bool, Float, Int

from forgefield import units
from forgefield.molecules.bonds import BOND_TOLERANCE, double
from forgefield.molecules.elements import covalent_radii
from forgefield.molecules.molecule import Molecule, atomic_weights
from forgefield.properties.modes import vibrations

Geometries = Float[np.ndarray, "structures atoms 3"]
_SOFTEST = 100.0
"""cm⁻¹; straight displacements along softer modes, torsions that is, tear molecules apart."""
_CLASH = 0.7
"""Share of the sum of covalent radii that atoms without a bond come closer than only when they clash."""
_FRICTION = 0.01
"""1/fs"""
_AT_ONCE = 256
"""Structures whose bonds are brought to their lengths together."""
_MOST_STEPS = 30
_EXACT = 1e-6
"""Å"""
_CRUSHED = 0.5
"""Share of its length below which no bond is drawn."""


def along_modes(
    molecule: Molecule,
    hessian: Float[np.ndarray, "coordinates coordinates"],
    n: int,
    temperature: float,
    generator: np.random.Generator,
) -> Geometries:
    """Return structures of the harmonic ensemble at a temperature [K] about a molecule with its Hessian [kcal/mol/Å²].

    Coordinates of modes are normal variates of the variance kT/λ; modes below 100 cm⁻¹, and unstable ones, are
    displaced as if they had 100 cm⁻¹. Bonds have the lengths that they change by to first order, by the smallest
    mass-weighted displacements from there: a methyl group that turns by 30° along a straight line would stretch its
    bonds by a seventh, and cost several times kT.
    """
    masses = atomic_weights(molecule.species)
    found = vibrations(hessian, molecule.positions, masses)
    stiffness = np.maximum(found.eigenvalues, (_SOFTEST / units.WAVENUMBER) ** 2)
    amplitudes = generator.normal(size=(n, len(stiffness))) * np.sqrt(units.BOLTZMANN * temperature / stiffness)
    moved = (amplitudes @ found.vectors.T).reshape(n, molecule.n_atoms, 3)
    straight = molecule.positions + moved / np.sqrt(masses)[:, None]
    blocks = np.array_split(straight, max(1, -(-n // _AT_ONCE)))
    return np.concatenate([_with_bonds_of_first_order(molecule, block, masses) for block in blocks])


def _with_bonds_of_first_order(
    molecule: Molecule, straight: Geometries, masses: Float[np.ndarray, " atoms"]
) -> Geometries:
    """Return straight displacements with the lengths of bonds that these have to first order (Newton's method)."""
    if not len(molecule.bonds):
        return straight
    i, j = np.asarray(molecule.bonds).T
    apart = molecule.positions[i] - molecule.positions[j]
    usual = np.linalg.norm(apart, axis=1)
    moved = straight - molecule.positions
    longer = np.einsum("bc,sbc->sb", apart / usual[:, None], moved[:, i] - moved[:, j])
    wanted = np.maximum(usual + longer, _CRUSHED * usual)
    x, bonds = straight.copy(), np.arange(len(i))
    for _ in range(_MOST_STEPS):
        along = x[:, i] - x[:, j]
        now = np.linalg.norm(along, axis=2)
        if np.abs(now - wanted).max(initial=0.0) < _EXACT:
            break
        slopes = np.zeros((len(x), len(i), *molecule.positions.shape))
        slopes[:, bonds, i], slopes[:, bonds, j] = along / now[..., None], -along / now[..., None]
        light = slopes / masses[:, None]
        slopes, light = slopes.reshape(len(x), len(i), -1), light.reshape(len(x), len(i), -1)
        # Bonds of a ring may be bound to each other; the least squares of smallest norm holds there too.
        pull = np.linalg.pinv(slopes @ light.transpose(0, 2, 1), hermitian=True) @ (wanted - now)[..., None]
        x = x + (light.transpose(0, 2, 1) @ pull).reshape(x.shape)
    return x


def distorted(molecule: Molecule, n: int, scale: float, generator: np.random.Generator) -> Geometries:
    """Return structures whose coordinates are displaced by normal variates of the standard deviation `scale` [Å]."""
    return molecule.positions + generator.normal(scale=scale, size=(n, molecule.n_atoms, 3))


def turned(molecule: Molecule, points: int) -> Geometries:
    """Return the molecule turned about each bond that is in no ring, `points` angles of a full turn.

    Bonds with one atom at either end are left alone, and those of the order 2 and more, or shorter than 0.9 times the
    sum of the covalent radii. Structures are left out in which atoms come as close as if they were bonded.
    """
    found = []
    apart = ~_closer(molecule, molecule.positions, BOND_TOLERANCE)
    short = double(molecule.species, molecule.positions, molecule.bonds)
    n_bonds = np.bincount(np.asarray(molecule.bonds).ravel(), minlength=molecule.n_atoms)
    for (i, j), order, is_short in zip(molecule.bonds.tolist(), _orders(molecule), short, strict=True):
        side = _side(molecule, i, j)
        if side is None or min(n_bonds[i], n_bonds[j]) < 2 or order >= 2.0 or is_short:
            continue
        for k in range(1, points):
            there = _rotated(molecule.positions, i, j, side, 2.0 * np.pi * k / points)
            if not (_closer(molecule, there, BOND_TOLERANCE) & apart).any():
                found.append(there)
    return _stacked(found, molecule)


def stretched(molecule: Molecule, points: int, shortest: float = 0.7, longest: float = 1.5) -> Geometries:
    """Return the molecule with each bond at `points` lengths, from 0.7 to 1.5 times its own.

    What hangs on one end moves along; of a bond in a ring its two atoms move alone, by half of it each.
    """
    found = []
    for i, j in molecule.bonds.tolist():
        along = molecule.positions[j] - molecule.positions[i]
        side = _side(molecule, i, j)
        for factor in np.linspace(shortest, longest, points):
            there = molecule.positions.copy()
            if side is None:
                there[j] += 0.5 * (factor - 1.0) * along
                there[i] -= 0.5 * (factor - 1.0) * along
            else:
                there[side] += (factor - 1.0) * along
            found.append(there)
    return _stacked(found, molecule)


def snapshots(
    molecule: Molecule,
    gradient: Callable[[Float[np.ndarray, "atoms 3"]], Float[np.ndarray, "atoms 3"]],
    n: int,
    temperature: float,
    every: int,
    generator: np.random.Generator,
    timestep: float = 0.5,
) -> Geometries:
    """Return n snapshots of Langevin dynamics at a temperature [K], `every` steps of `timestep` [fs] apart.

    The splitting BAOAB (Leimkuhler and Matthews 2013) with a friction of 10/ps; the first `every` steps come before the
    first snapshot. Fewer snapshots where the forces end to be finite.
    """
    h, masses = timestep * units.FEMTOSECOND, atomic_weights(molecule.species)[:, None]
    warmth = units.BOLTZMANN * temperature
    kept = np.exp(-_FRICTION * timestep)
    x = molecule.positions.copy()
    v = generator.normal(size=x.shape) * np.sqrt(warmth / masses)
    pull, found = -gradient(x), []
    for step in range(1, n * every + 1):
        v = v + 0.5 * h * pull / masses
        x = x + 0.5 * h * v
        v = kept * v + np.sqrt((1.0 - kept**2) * warmth / masses) * generator.normal(size=x.shape)
        x = x + 0.5 * h * v
        pull = -gradient(x)
        if not np.isfinite(pull).all():
            break
        v = v + 0.5 * h * pull / masses
        if step % every == 0:
            found.append(x.copy())
    return _stacked(found, molecule)


def clashes(molecule: Molecule, positions: Float[np.ndarray, "atoms 3"]) -> bool:
    """Say whether two atoms that are not bonded, nor to one atom, are closer than 0.7 times their covalent radii."""
    return bool(_closer(molecule, positions, _CLASH).any())


def _closer(
    molecule: Molecule, positions: Float[np.ndarray, "atoms 3"], share: float
) -> Bool[np.ndarray, "atoms atoms"]:
    """Say which atoms, neither bonded nor to one atom, are closer than a share of the sum of their covalent radii."""
    near = np.eye(molecule.n_atoms, dtype=bool)
    for i, j in molecule.bonds.tolist():
        near[i, j] = near[j, i] = True
    near = near | (near.astype(np.int64) @ near.astype(np.int64) > 0)
    radii = covalent_radii(molecule.species)
    distances = np.linalg.norm(positions[:, None] - positions[None], axis=-1)
    return (distances < share * (radii[:, None] + radii[None])) & ~near


def farthest(features: Float[np.ndarray, "structures features"], n: int, first: int = 0) -> Int[np.ndarray, " chosen"]:
    """Return the places of n structures, each the farthest from those before it (farthest-point sampling)."""
    n = min(n, len(features))
    chosen = [first] if n else []
    nearest = np.full(len(features), np.inf)
    while len(chosen) < n:
        nearest = np.minimum(nearest, ((features - features[chosen[-1]]) ** 2).sum(axis=1))
        chosen.append(int(np.argmax(nearest)))
    return np.array(chosen, np.int64)


def _orders(molecule: Molecule) -> list[float]:
    return molecule.orders.tolist() if len(molecule.orders) == len(molecule.bonds) else [1.0] * len(molecule.bonds)


def _side(molecule: Molecule, i: int, j: int) -> Bool[np.ndarray, " atoms"] | None:
    """Return the atoms that hang on j when the bond to i is cut; None where the bond is in a ring."""
    beside: list[list[int]] = [[] for _ in range(molecule.n_atoms)]
    for a, b in molecule.bonds.tolist():
        if {a, b} != {i, j}:
            beside[a].append(b)
            beside[b].append(a)
    seen, waiting = {j}, [j]
    while waiting:
        new = [atom for atom in beside[waiting.pop()] if atom not in seen]
        seen.update(new)
        waiting += new
    return None if i in seen else np.isin(np.arange(molecule.n_atoms), list(seen))


def _rotated(
    positions: Float[np.ndarray, "atoms 3"], i: int, j: int, side: Bool[np.ndarray, " atoms"], angle: float
) -> Float[np.ndarray, "atoms 3"]:
    """Return positions with one side of the bond from i to j turned about it (formula of Rodrigues)."""
    axis = positions[j] - positions[i]
    axis = axis / np.linalg.norm(axis)
    arm = positions[side] - positions[j]
    there = positions.copy()
    there[side] = positions[j] + (
        arm * np.cos(angle) + np.cross(axis, arm) * np.sin(angle) + np.outer(arm @ axis, axis) * (1.0 - np.cos(angle))
    )
    return there


def _stacked(found: list[np.ndarray], molecule: Molecule) -> Geometries:
    return np.array(found).reshape(len(found), molecule.n_atoms, 3)
