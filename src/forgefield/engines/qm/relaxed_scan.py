"""Relaxed scans of dihedrals: every point of a grid, each from whichever of its neighbours leads lowest."""

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
from jaxtyping import Float
from scipy.spatial.transform import Rotation

from forgefield import units
from forgefield.engines.qm.engine import AbstractEngine, label
from forgefield.engines.qm.optimise import descend_held
from forgefield.errors import ConvergenceError, InputError
from forgefield.io.assemble.held import apart, chain_name, held, wrong_chain
from forgefield.molecules.bonds import perceive_bonds, pieces
from forgefield.molecules.measure import dihedrals
from forgefield.molecules.molecule import Molecule, Reference
from forgefield.molecules.scan_grid import Grid, Point

LOWER = 1e-5 * units.HARTREE
"""kcal/mol; a point that is reached at an energy lower by this starts its neighbours again."""


def relaxed_scan(
    molecule: Molecule,
    engine: AbstractEngine,
    grid: Grid,
    *,
    known: Sequence[Reference] = (),
    tell: Callable[[Sequence[Reference]], None] = lambda _: None,
    max_steps: int = 200,
) -> list[Reference]:
    """Return the references of all points of a grid in ascending order of its angles.

    The scan begins at the point next to the molecule and goes on by wavefront propagation (Y. Qiu et al., J. Chem.
    Phys. 2020, 152, 244116): each point that is reached, or reached at a lower energy than before, starts its
    neighbours, so that the result does not depend on the direction. `known` are points of an interrupted scan; `tell`
    gets all points that there are after each new or lower one. Raises InputError for dihedrals that cannot be turned,
    ConvergenceError where an optimisation fails.
    """
    check_turnable(molecule, grid)
    engine.check(molecule)
    reached = {point_of(reference, grid): reference for reference in known}
    waiting: list[tuple[Point, np.ndarray]] = [
        (near, reference.positions) for point, reference in reached.items() for near in grid.neighbours(point)
    ]
    if not reached:
        waiting = [(_nearest(molecule, grid), molecule.positions)]
    while waiting:
        # Points not reached yet come first, so that an interrupted scan has seen as much as possible.
        place = next((k for k, (point, _) in enumerate(waiting) if point not in reached), 0)
        point, start = waiting.pop(place)
        found = _relaxed(_turned(molecule, start, grid, point), engine, grid, point, max_steps)
        before = reached.get(point)
        if before is not None and _energy(found) > _energy(before) - LOWER:
            continue
        reached[point] = found
        waiting += [(near, found.positions) for near in grid.neighbours(point)]
        tell([reached[point] for point in sorted(reached)])
    return [reached[point] for point in sorted(reached)]


def check_turnable(molecule: Molecule, grid: Grid) -> None:
    """Raise InputError that lists each dihedral that is no chain of bonded atoms, or cannot be turned."""
    wrong = []
    bonds = _bonds(molecule)
    bonded = {frozenset(pair) for pair in bonds.tolist()}
    centres: dict[frozenset[int], str] = {}
    for one in grid.turned:
        problem = wrong_chain(one.atoms, molecule.n_atoms)
        if problem:
            wrong.append(problem)
            continue
        name = chain_name(molecule.species, one.atoms)
        loose = [
            f"{chain_name(molecule.species, pair)}"
            for pair in zip(one.atoms[:-1], one.atoms[1:], strict=True)
            if frozenset(pair) not in bonded
        ]
        centre = frozenset(one.atoms[1:3])
        if loose:
            wrong.append(f"{name}: {', '.join(loose)} are not bonded; name four atoms along a chain of bonds")
        elif centre in centres:
            wrong.append(f"{name} turns about the same bond as {centres[centre]}; scan one of the two")
        elif _behind(molecule, bonds, one.atoms) is None:
            wrong.append(f"{name} turns about a bond of a ring, which a scan would tear open")
        centres.setdefault(centre, name)
    if wrong:
        raise InputError(f"{label(molecule)}: " + "\n  ".join(wrong))


def point_of(reference: Reference, grid: Grid) -> Point:
    """Return the grid point that a reference is a frame of."""
    held_at = [one.angle / units.DEGREE for one in reference.constraints[: len(grid.turned)]]
    return min(grid.points, key=lambda point: _distance(point, held_at))


def _nearest(molecule: Molecule, grid: Grid) -> Point:
    atoms = np.array([one.atoms for one in grid.turned])
    now = dihedrals(molecule.positions[atoms]) / units.DEGREE
    return min(grid.points, key=lambda point: _distance(point, now))


def _distance(point: Point, angles: Sequence[float] | Float[np.ndarray, " dihedrals"]) -> float:
    return sum(abs(apart(float(a), float(b))) for a, b in zip(point, angles, strict=True))


def _energy(reference: Reference) -> float:
    return np.inf if reference.energy is None else reference.energy


def _bonds(molecule: Molecule) -> np.ndarray:
    return molecule.bonds if len(molecule.bonds) else perceive_bonds(molecule.species, molecule.positions)[0]


def _behind(molecule: Molecule, bonds: np.ndarray, atoms: Sequence[int]) -> np.ndarray | None:
    """Return the atoms on the far side of the central bond; None where it is in a ring."""
    cut = bonds[~np.isin(bonds, atoms[1:3]).all(axis=1)]
    far = next(piece for piece in pieces(molecule.n_atoms, cut) if atoms[2] in piece)
    return None if atoms[1] in far else far


def _turned(molecule: Molecule, positions: Float[np.ndarray, "atoms 3"], grid: Grid, point: Point) -> Molecule:
    """Return the molecule with its parts turned rigidly to the angles of a point."""
    laid = positions.copy()
    bonds = _bonds(molecule)
    for one, angle in zip(grid.turned, point, strict=True):
        far = _behind(molecule, bonds, one.atoms)
        if far is None:
            raise InputError(f"{label(molecule)}: {chain_name(molecule.species, one.atoms)} is in a ring")
        now = dihedrals(laid[np.array([one.atoms])])[0] / units.DEGREE
        axis = laid[one.atoms[2]] - laid[one.atoms[1]]
        turn = Rotation.from_rotvec(axis / np.linalg.norm(axis) * apart(float(angle), now) * units.DEGREE)
        laid[far] = turn.apply(laid[far] - laid[one.atoms[2]]) + laid[one.atoms[2]]
    return replace(molecule, positions=laid)


def _relaxed(molecule: Molecule, engine: AbstractEngine, grid: Grid, point: Point, max_steps: int) -> Reference:
    angles = {one.atoms: float(angle) for one, angle in zip(grid.turned, point, strict=True)}
    where = ", ".join(f"{angle}°" for angle in point)
    try:
        relaxed = descend_held(molecule, engine, angles, max_steps=max_steps)
        found = engine.evaluate(relaxed)
    except ConvergenceError as error:
        raise ConvergenceError(f"at {where}: {error}") from error
    named = f"{label(molecule)} at {where}"
    return Reference(
        species=molecule.species,
        positions=relaxed.positions,
        energy=found.energy,
        gradient=found.gradient,
        level=engine.level,
        program=engine.program,
        charge=molecule.charge,
        multiplicity=molecule.multiplicity,
        sources=(molecule.source,) if molecule.source else (),
        constraints=held(named, molecule.species, relaxed.positions, list(angles), list(angles.values())),
    )
