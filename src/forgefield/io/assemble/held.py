"""Dihedrals that a relaxed scan held: which atoms they are of, and whether a frame has the angle that is stated."""

import math
from collections.abc import Sequence

import numpy as np
from jaxtyping import Float, Int

from forgefield import units
from forgefield.errors import InputError
from forgefield.io.offenders import listed
from forgefield.molecules.measure import angles, dihedrals
from forgefield.molecules.molecule import Dihedral, symbol

TOLERANCE = 1.0
"""Degrees by which a frame may miss the angle at which it was held."""
_NEXT_TO_TURN = 1e-6
"""rad"""
_STRAIGHT = 175.0
"""Degrees; a dihedral with an angle beyond this says nothing of a rotation."""


def held(
    source: str,
    species: Int[np.ndarray, " atoms"],
    positions: Float[np.ndarray, "atoms 3"],
    quads: Sequence[Sequence[int]],
    stated: Sequence[float] | None = None,
) -> tuple[Dihedral, ...]:
    """Return the dihedrals of chains of four 0-based atoms as they are in a frame, after checking that they were held.

    `stated` are the angles [degrees] at which the file says they are. Raises InputError where a chain is none of four
    atoms of the molecule, where an angle in it is straight, and where a dihedral is off by more than 1°.
    """
    wrong = [problem for quad in quads if (problem := wrong_chain(quad, len(species)))]
    if stated is not None and len(stated) != len(quads):
        wrong.append(f"{len(quads)} dihedral(s), but {len(stated)} angle(s)")
    if wrong:
        raise InputError(f"{source}: " + "; ".join(wrong))
    atoms = np.array(quads, dtype=np.int64).reshape(-1, 4)
    found = dihedrals(positions[atoms])
    widest = np.maximum(angles(positions[atoms[:, :3]]), angles(positions[atoms[:, 1:]])) / units.DEGREE
    names = [chain_name(species, quad) for quad in atoms]
    wrong = [
        f"{name} has an angle of {angle:.1f}°, so its dihedral is undefined"
        for name, angle in zip(names, widest, strict=True)
        if angle > _STRAIGHT
    ]
    for name, angle, expected in zip(names, found / units.DEGREE, stated or found / units.DEGREE, strict=True):
        if not abs(apart(angle, expected)) <= TOLERANCE:
            wrong.append(f"{name} is at {angle:.2f}°, but stated to be held at {expected:.2f}°")
    if wrong:
        raise InputError(f"{source}: {listed(wrong)}; are these the right atoms, and is this geometry the relaxed one?")
    return tuple(
        # What rounding leaves on the far side of 180° is 180°.
        Dihedral((int(a), int(b), int(c), int(d)), float(angle if angle > _NEXT_TO_TURN - np.pi else angle + 2 * np.pi))
        for (a, b, c, d), angle in zip(atoms, found, strict=True)
    )


def wrong_chain(quad: Sequence[int], n_atoms: int) -> str:
    """Say what keeps four 0-based atoms from being a chain of the molecule; nothing where they are one."""
    written = "-".join(str(atom + 1) for atom in quad)
    if len(quad) != 4:
        return f"dihedral {written} is of {len(quad)} atoms, expected four"
    if len(set(quad)) < 4:
        return f"dihedral {written} names an atom twice"
    if not all(0 <= atom < n_atoms for atom in quad):
        return f"dihedral {written} names an atom that is not there: the molecule has atoms 1 to {n_atoms}"
    return ""


def chain_name(species: Int[np.ndarray, " atoms"], quad: Sequence[int] | Int[np.ndarray, "4"]) -> str:
    """Return what a message calls a dihedral, for example H1-C2-C3-H4, atoms being counted from 1."""
    return "-".join(f"{symbol(species[atom])}{atom + 1}" for atom in quad)


def apart(first: float, second: float) -> float:
    """Return the difference of two angles [degrees], between -180 and 180."""
    return math.remainder(first - second, 360.0)
