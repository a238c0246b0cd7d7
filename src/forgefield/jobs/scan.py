"""`forgefield reference --scan`: a relaxed scan from its words, kept while it runs so that it can be continued."""

import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from forgefield import units
from forgefield.engines.qm.engine import AbstractEngine
from forgefield.engines.qm.relaxed_scan import check_turnable, relaxed_scan
from forgefield.errors import ConvergenceError, InputError
from forgefield.io.assemble.merge import merged
from forgefield.io.outputs import new_outputs, remove, require_free
from forgefield.io.qm.torsion_drive import read_unfinished, write_torsion_drive
from forgefield.io.structures.xyz import write_xyz
from forgefield.molecules.molecule import Molecule, Reference
from forgefield.molecules.scan_grid import FULL_TURN, Grid, Turned, full_turn

_STEP, _STEP_OF_SEVERAL = 15, 30
"""Degrees, where none is asked for: one dihedral, and several."""
_CHAIN = re.compile(r"\s*-\s*".join([r"\s*(\d{1,9})", r"(\d{1,9})", r"(\d{1,9})", r"(\d{1,9})\s*"]), re.ASCII)
_RANGE = re.compile(r"(-?\d{1,9}):(-?\d{1,9})", re.ASCII)
_FRAMES = (".xyz", ".extxyz")


def grid_of(
    chains: Sequence[str], *, points: int | None = None, step: int | None = None, ranges: Sequence[str] = ()
) -> Grid:
    """Return the grid of dihedrals "1-2-3-4" (atoms counted from 1), of so many points or steps of so many degrees.

    `ranges` "A:B" [degrees] are one for each dihedral, or one for all; without any each is turned once around. Raises
    InputError where words cannot be read or the angles are no whole degrees.
    """
    if points is not None and step is not None:
        raise InputError("--points and --step exclude each other")
    if len(ranges) not in (0, 1, len(chains)):
        raise InputError(f"{len(ranges)} ranges for {len(chains)} dihedrals; give one for each, or one for all")
    atoms = [_chain(word) for word in chains]
    usual = _STEP if len(chains) == 1 else _STEP_OF_SEVERAL
    if not ranges:
        size = step or (usual if points is None else _whole(FULL_TURN, points, f"--points {points}"))
        return Grid(tuple(full_turn(chain, size) for chain in atoms))
    spans = [_span(word) for word in ranges] * (len(chains) if len(ranges) == 1 else 1)
    turned = []
    for chain, (first, last) in zip(atoms, spans, strict=True):
        told = f"--points {points} from {first}° to {last}°"
        size = step or (usual if points is None else _whole(last - first, points - 1, told))
        turned.append(Turned(chain, max(size, 1), first, last))
    return Grid(tuple(turned))


def run_scan(
    molecule: Molecule,
    engine: AbstractEngine,
    grid: Grid,
    output: Path,
    *,
    overwrite: bool = False,
    tell: Callable[..., None],
) -> list[Reference]:
    """Run a relaxed scan and write it: a torsion drive as QCSchema JSON, or extended xyz where `output` ends so.

    `tell` gets the progress as its keyword `description`. All points reached are kept in `output`.partial until the
    scan is complete; the same scan goes on from there. `overwrite` replaces a finished scan, or an unfinished one of
    another kind. Raises InputError for what cannot be scanned or written, ConvergenceError where an optimisation fails.
    """
    if output.suffix.lower() not in (".json", *_FRAMES):
        raise InputError(f"{output}: a scan is written as .json (QCSchema torsion drive), .xyz or .extxyz")
    check_turnable(molecule, grid)
    partial = output.with_name(f"{output.name}.partial")
    sources = [Path(molecule.source)] if molecule.source else []
    with new_outputs([output], sources, overwrite=overwrite):
        require_free([partial], sources, overwrite=True)
        try:
            known = _known(partial, molecule, engine, grid)
        except InputError:
            if not overwrite:
                raise
            known = []
        found = _scanned(molecule, engine, grid, known, (partial, tell))
        if output.suffix.lower() in _FRAMES:
            write_xyz(output, found)
        else:
            write_torsion_drive(output, molecule, grid, found)
        remove([partial])
        return found


def _scanned(
    molecule: Molecule,
    engine: AbstractEngine,
    grid: Grid,
    known: list[Reference],
    noted: tuple[Path, Callable[..., None]],
) -> list[Reference]:
    """Run what is left of a scan; the points reached are kept in a file and told."""
    partial, tell = noted
    n_points = len(grid.points)
    tell(description=f"{len(known)} of {n_points} points")

    def keep(reached: Sequence[Reference]) -> None:
        write_torsion_drive(partial, molecule, grid, reached)
        tell(description=f"{len(reached)} of {n_points} points")

    try:
        return relaxed_scan(molecule, engine, grid, known=known, tell=keep)
    except ConvergenceError as error:
        raise ConvergenceError(
            f"{error}\nThe points that were reached are in {partial}; the same command goes on from there"
        ) from error


def scan_summary(frames: Sequence[Reference], output: Path) -> dict[str, Any]:
    """Return the angles [degrees] and relative energies [kcal/mol] of a scan as a JSON object."""
    energies = [0.0 if frame.energy is None else frame.energy for frame in frames]
    return {
        "angles_deg": [[held.angle / units.DEGREE for held in frame.constraints] for frame in frames],
        "energies_kcal_mol": [energy - min(energies) for energy in energies],
        "file": str(output),
    }


def scan_text(frames: Sequence[Reference], output: Path) -> str:
    """Return the angles and relative energies of a scan, a line for each point."""
    told = scan_summary(frames, output)
    lines = [
        f"{'  '.join(f'{round(angle, 1) + 0.0:7.1f}°' for angle in angles)}  {energy:8.3f} kcal/mol"
        for angles, energy in zip(told["angles_deg"], told["energies_kcal_mol"], strict=True)
    ]
    return "\n".join([*lines, f"{frames[0].level}: {len(frames)} points; written to {output}"])


def _known(partial: Path, molecule: Molecule, engine: AbstractEngine, grid: Grid) -> list[Reference]:
    if not partial.is_file():
        return []
    sources = (molecule.source,) if molecule.source else ()
    parts = read_unfinished(partial, molecule, engine.level, grid)
    return [replace(merged([part]), sources=sources) for part in parts]


def _chain(word: str) -> tuple[int, int, int, int]:
    found = _CHAIN.fullmatch(word)
    if found is None:
        raise InputError(f"--scan {word!r}: expected four atoms counted from 1, such as 1-2-3-4")
    a, b, c, d = (int(number) - 1 for number in found.groups())
    return a, b, c, d


def _span(word: str) -> tuple[int, int]:
    found = _RANGE.fullmatch(word.strip())
    if found is None:
        raise InputError(f"--range {word!r}: expected two angles in whole degrees, such as 0:180")
    return int(found[1]), int(found[2])


def _whole(span: int, n_steps: int, told: str) -> int:
    if n_steps < 1 or span % n_steps:
        raise InputError(f"{told}: the points are no whole degrees apart; take another number of points")
    return span // n_steps
