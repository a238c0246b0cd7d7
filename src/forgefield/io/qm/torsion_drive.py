"""Reads and writes torsion drives: relaxed scans as QCSchema JSON or as records of the QCArchive.

The layouts are `TorsionDriveResult` of QCElemental, version 1 (`qcschema_torsion_drive_output`: `keywords.dihedrals`,
`final_energies`, `final_molecules`, `optimization_history`) and version 2 (`qcschema_torsion_drive_result`:
`scan_properties`, `scan_results`), and the `torsiondrive` records of QCPortal (`specification`, `optimization_records`)
and QCFractal (`final_energy_dict`). Energies are in Hartree, geometries in Bohr, angles in degrees; atoms are counted
from 0.
"""

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float

from forgefield import units
from forgefield.errors import InputError
from forgefield.io.assemble.held import held
from forgefield.io.assemble.parts import Part
from forgefield.io.outputs import write_text
from forgefield.io.qm.qcschema_records import (
    ModelRecord,
    MoleculeRecord,
    Number,
    Numbers,
    Record,
    Whole,
    flat,
    level_of,
    load_json,
    molecule_record,
    multiples,
    structure,
    validated,
)
from forgefield.io.text import floats
from forgefield.molecules.molecule import Molecule, Reference
from forgefield.molecules.scan_grid import Grid, wrapped

SCHEMA = "qcschema_torsion_drive_output"
MARK = re.compile(
    r'"qcschema_torsion_drive_(?:output|result)"|"(?:record_type|procedure)"\s*:\s*"torsiondrive"|"final_energy_dict"'
)
"""What tells a torsion drive from other JSON."""
_NUMBER = re.compile(r"-?\d+(?:\.\d+)?", re.ASCII)
_KEYWORDS = (("keywords",), ("specification", "keywords"), ("input_data", "specification", "keywords"))
_MODELS = (
    ("input_specification", "model"),
    ("specification", "optimization_specification", "qc_specification"),
    ("qc_spec",),
    ("input_data", "specification", "specification", "specification", "model"),
)
_OPTIMISATIONS = (
    ("optimization_spec", "keywords"),
    ("specification", "optimization_specification", "keywords"),
    ("input_data", "specification", "specification", "keywords"),
)
_SAME_POSITIONS = 1e-6
"""Bohr"""
_DECIMALS = 10
"""Of Hartree and Bohr, as they are written."""


class _Keywords(Record):
    dihedrals: list[tuple[Whole, Whole, Whole, Whole]]


class _Held(Record):
    type: str
    indices: list[Whole]


class _Constraints(Record):
    set: tuple[_Held, ...] = ()
    freeze: tuple[_Held, ...] = ()


class _Ended(Record):
    return_energy: Number | None = None


class _Optimisation(Record):
    energies: tuple[Number, ...] = ()
    final_molecule: MoleculeRecord | None = None
    trajectory: Any = None
    trajectory_results: Any = None
    properties: _Ended | None = None

    @property
    def energy(self) -> float | None:
        """Hartree: the last of version 1, else that of version 2."""
        return self.energies[-1] if self.energies else self.properties.return_energy if self.properties else None


class _Step(Record):
    """A gradient and where it was computed."""

    molecule: MoleculeRecord
    return_result: Numbers


class _Finals(Record):
    """What a drive ended with, by the keys of its grid points."""

    final_energies: dict[str, Number] | None = None
    final_energy_dict: dict[str, Number] | None = None
    final_molecules: dict[str, MoleculeRecord] | None = None


@dataclass(frozen=True)
class _Point:
    energy: float | None
    """Hartree"""
    molecule: MoleculeRecord
    gradient: list[float] | None
    """Hartree/Bohr"""


def read_torsion_drive(path: Path) -> list[Part]:
    """Return the frames of a relaxed scan in ascending order of the angles, each with the dihedrals that were held.

    The gradient is there where the file keeps the last step of each optimisation. Raises InputError where the drive did
    not succeed, where the file holds no geometries, and where a frame is not at the angles of its grid point.
    """
    content = load_json(path)
    if content.get("success", True) is not True:
        error = content.get("error")
        message = error.get("error_message") if isinstance(error, dict) else error
        raise InputError(f"{path}: the scan did not end: {message}")
    return list(_parts(path, content))


def read_unfinished(path: Path, molecule: Molecule, level: str, grid: Grid) -> list[Part]:
    """Return the frames of a scan that was interrupted, after checking that it is one of the same kind.

    Raises InputError where molecule, level or grid are others than those of the file.
    """
    content = load_json(path)
    expected = _kind(molecule, level, grid)
    if content.get("extras") != expected:
        raise InputError(
            f"{path}: holds an unfinished scan of another molecule, level of theory or grid; "
            "finish that scan as it was begun, or delete the file"
        )
    return list(_parts(path, content))


def _parts(path: Path, content: dict[str, Any]) -> Iterator[Part]:
    quads = validated(path, _Keywords, _walked(content, _KEYWORDS) or {}).dihedrals
    model = validated(path, ModelRecord, _walked(content, _MODELS) or {})
    creator = (_walked(content, (("provenance",),)) or {}).get("creator", "")
    kept = _kept(path, content, quads)
    points = _points(path, content)
    angles = {key: _angles(path, key, len(quads)) for key in points}
    for key in sorted(points, key=angles.__getitem__):
        point = points[key]
        frame = f"{path}: grid point {key}"
        laid = structure(frame, point.molecule)
        where = (laid["species"], laid["positions"])
        yield Part(
            source=str(path),
            energy=None if point.energy is None else point.energy * units.HARTREE,
            gradient=_gradient(frame, point, len(laid["species"])),
            level=level_of(model),
            program=creator if isinstance(creator, str) else "",
            constraints=held(frame, *where, quads, angles[key]) + held(frame, *where, kept),
            **laid,
        )


def _walked(content: dict[str, Any], ways: Sequence[Sequence[str]]) -> dict[str, Any] | None:
    """Return the object at the end of the first way through nested objects that has one."""
    for way in ways:
        place: Any = content
        for key in way:
            place = place.get(key) if isinstance(place, dict) else None
        if isinstance(place, dict):
            return place
    return None


def _angles(path: Path, key: str, n_dihedrals: int) -> list[float]:
    """Return the angles [degrees] of a grid point: "60", "[60, -120]", "60,-120" or "60 -120"."""
    found = floats(path, None, _NUMBER.findall(key), f"grid point {key!r}").tolist()
    if len(found) != n_dihedrals:
        raise InputError(f"{path}: grid point {key!r} has {len(found)} angle(s), the scan {n_dihedrals} dihedral(s)")
    return found


def _kept(path: Path, content: dict[str, Any], quads: Sequence[Sequence[int]]) -> list[list[int]]:
    """Return the dihedrals that were held besides those of the scan."""
    options = _walked(content, _OPTIMISATIONS) or {}
    held_too = validated(path, _Constraints, options.get("constraints") or {})
    every = [*held_too.set, *held_too.freeze]
    others = sorted({one.type for one in every if one.type != "dihedral"})
    if others:
        raise InputError(f"{path}: the scan held more than dihedrals ({', '.join(others)}), which is not supported")
    scanned = {tuple(quad) for quad in quads} | {tuple(quad)[::-1] for quad in quads}
    return [list(one.indices) for one in every if tuple(one.indices) not in scanned]


def _points(path: Path, content: dict[str, Any]) -> dict[str, _Point]:
    finals = validated(path, _Finals, content)
    energies = finals.final_energies or finals.final_energy_dict or _scan_energies(path, content)
    optimisations = _optimisations(path, content)
    molecules = dict(finals.final_molecules or {})
    for key, one in optimisations.items():
        if one.final_molecule is not None:
            molecules.setdefault(key, one.final_molecule)
    without = sorted({*energies, *optimisations} - {*molecules})
    if without or not molecules:
        raise InputError(
            f"{path}: holds no geometry of {', '.join(without) or 'any grid point'}, as records of the QCArchive do "
            "that name their optimisations by number only; save it with its `final_molecules` or `optimization_records`"
        )
    return {
        key: _Point(
            energy=energies.get(key, optimisations[key].energy if key in optimisations else None),
            molecule=molecule,
            gradient=_last_gradient(path, key, optimisations.get(key), molecule),
        )
        for key, molecule in molecules.items()
    }


def _scan_energies(path: Path, content: dict[str, Any]) -> dict[str, float]:
    named = content.get("scan_properties")
    found = named.items() if isinstance(named, dict) else ()
    energies = {key: validated(path, _Ended, one).return_energy for key, one in found if isinstance(one, dict)}
    return {key: energy for key, energy in energies.items() if energy is not None}


def _optimisations(path: Path, content: dict[str, Any]) -> dict[str, _Optimisation]:
    """Return the lowest optimisation at each grid point; those that are named by number only are left out."""
    found = {}
    for name in ("optimization_history", "scan_results", "optimization_records"):
        listed = content.get(name)
        if not isinstance(listed, dict | None):
            raise InputError(f"{path}: {name} is {listed!r:.40}, not an object; is the file damaged?")
        for key, every in (listed or {}).items():
            told = [
                validated(path, _Optimisation, one)
                for one in (every if isinstance(every, list) else [every])
                if isinstance(one, dict)
            ]
            ended = [(one.energy, one) for one in told if one.energy is not None]
            if ended:
                found[key] = min(ended, key=lambda pair: pair[0])[1]
    return found


def _last_gradient(path: Path, key: str, found: _Optimisation | None, molecule: MoleculeRecord) -> list[float] | None:
    """Return the gradient of the last step of an optimisation, if it is that of the final geometry."""
    steps = None if found is None else found.trajectory or found.trajectory_results
    if not isinstance(steps, list | None):
        raise InputError(f"{path}: grid point {key}: its trajectory is {steps!r:.40}, not a list; is the file damaged?")
    if not steps or not isinstance(steps[-1], dict):
        return None
    step = steps[-1]
    if step.get("driver", "gradient") != "gradient" or not isinstance(step.get("return_result"), list):
        return None
    last = validated(path, _Step, {**step, "return_result": flat(step["return_result"])})
    n_last, n = len(last.molecule.geometry), len(molecule.geometry)
    if n_last != n:
        raise InputError(
            f"{path}: grid point {key}: {n_last} coordinates in the last step of its optimisation, but {n} in its "
            "final geometry; is the file damaged?"
        )
    away = np.abs(np.subtract(last.molecule.geometry, molecule.geometry)).max(initial=0.0)
    return last.return_result if away <= _SAME_POSITIONS else None


def _gradient(frame: str, point: _Point, n_atoms: int) -> Float[np.ndarray, "atoms 3"] | None:
    if point.gradient is None:
        return None
    if len(point.gradient) != 3 * n_atoms:
        raise InputError(f"{frame}: {n_atoms} atoms, but a gradient of {len(point.gradient)} numbers")
    return np.array(point.gradient).reshape(-1, 3) * units.HARTREE_PER_BOHR


def write_torsion_drive(path: Path, molecule: Molecule, grid: Grid, references: Sequence[Reference]) -> None:
    """Write a `TorsionDriveResult` of version 1: each grid point with its energy, geometry and last gradient.

    A scan that lacks points of its grid is marked as unfinished. Raises InputError where the file cannot be written.
    """
    missing = len(grid.points) - len(references)
    points = {_key(reference, grid): reference for reference in references}
    method, _, basis = references[0].level.partition("/")
    model = {"method": method, "basis": basis or None}
    molecules = {key: molecule_record(molecule, reference) for key, reference in points.items()}
    specification = {"schema_name": "qcschema_input", "schema_version": 1, "driver": "gradient", "model": model}
    content = {
        "schema_name": SCHEMA,
        "schema_version": 1,
        "success": not missing,
        "error": {"error_type": "unfinished", "error_message": f"{missing} grid point(s) are missing"}
        if missing
        else None,
        "keywords": {
            "dihedrals": [list(one.atoms) for one in grid.turned],
            "grid_spacing": [one.step for one in grid.turned],
            "dihedral_ranges": [[one.first, one.last] for one in grid.turned],
        },
        "input_specification": specification,
        "optimization_spec": {"procedure": "geometric", "protocols": {"trajectory": "final"}},
        "initial_molecule": [next(iter(molecules.values()))],
        "final_energies": {key: multiples(reference.energy, units.HARTREE) for key, reference in points.items()},
        "final_molecules": molecules,
        "optimization_history": {
            key: [_optimisation(specification, molecules[key], reference)] for key, reference in points.items()
        },
        "provenance": {"creator": references[0].program or "forgefield"},
        "extras": _kind(molecule, references[0].level, grid),
    }
    write_text(path, json.dumps(_rounded(content), allow_nan=False, separators=(",", ":")) + "\n")


def _key(reference: Reference, grid: Grid) -> str:
    """Return the name of the grid point that a reference is nearest to, as TorsionDrive writes it."""
    held_at = reference.constraints[: len(grid.turned)]
    return ",".join(str(wrapped(round(one.angle / units.DEGREE))) for one in held_at)


def _kind(molecule: Molecule, level: str, grid: Grid) -> dict[str, Any]:
    """Return what two runs of the same scan have in common."""
    return {
        "forgefield": {
            "level": level,
            "symbols": list(molecule.symbols),
            "charge": molecule.charge,
            "multiplicity": molecule.multiplicity,
            "start": np.round(molecule.positions, 6).tolist(),
            "grid": [[list(one.atoms), one.step, one.first, one.last] for one in grid.turned],
        }
    }


def _optimisation(specification: dict[str, Any], molecule: dict[str, Any], reference: Reference) -> dict[str, Any]:
    """Return an `OptimizationResult` of which only the last step is kept."""
    energy = multiples(reference.energy, units.HARTREE)
    creator = {"creator": reference.program or "forgefield"}
    last = {
        "schema_name": "qcschema_output",
        "schema_version": 1,
        "success": True,
        "molecule": molecule,
        "driver": "gradient",
        "model": specification["model"],
        "properties": {"return_energy": energy},
        "return_result": multiples(reference.gradient, units.HARTREE_PER_BOHR),
        "provenance": creator,
    }
    return {
        "schema_name": "qcschema_optimization_output",
        "schema_version": 1,
        "success": True,
        "input_specification": specification,
        "initial_molecule": molecule,
        "final_molecule": molecule,
        "protocols": {"trajectory": "final"},
        "trajectory": [last],
        "energies": [energy],
        "provenance": creator,
    }


def _rounded(content: Any) -> Any:
    """Return nested lists and objects with numbers of ten decimals."""
    match content:
        case float():
            return round(content, _DECIMALS)
        case dict():
            return {key: _rounded(value) for key, value in content.items()}
        case list():
            return [_rounded(value) for value in content]
        case _:
            return content
