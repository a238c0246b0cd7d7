"""What the files of this program are that are neither structures nor force fields, known by their content."""

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py

from forgefield.errors import InputError
from forgefield.io.checkpoint import read_facts
from forgefield.io.listings.mmo import read_mmo
from forgefield.io.sources import content
from forgefield.io.structures.atom_types import FILE_NAME, read_atom_types
from forgefield.jobs.fit.plan.target_choices import read_fit_file

_START = 4096
"""Bytes that tell what a file is."""


@dataclass(frozen=True)
class OwnFile:
    """One kind of file."""

    name: str
    known: Callable[[Path, bytes], bool]
    """Whether a file is of this kind, by its path and its bytes."""
    tell: Callable[[Path], list[str]]
    """Returns what it holds. Raises InputError where it is damaged."""


def own_file(path: Path) -> OwnFile | None:
    """Return which of the kinds a file is of; None for any other. Raises InputError where it cannot be read."""
    try:
        held = content(path)
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror})") from None
    return next((one for one in OWN_FILES if one.known(path, held)), None)


def _object(path: Path) -> dict[str, Any]:
    """Return the object of a JSON file; nothing where it is none."""
    try:
        found = json.loads(content(path))
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _has(*keys: str) -> Callable[[Path, bytes], bool]:
    marks = [f'"{key}"'.encode() for key in keys]
    return lambda path, held: all(mark in held for mark in marks) and {*keys} <= {*_object(path)}


def _starts(*marks: bytes) -> Callable[[Path, bytes], bool]:
    return lambda _, held: held[:_START].lstrip().startswith(marks)


def _says(pattern: bytes) -> Callable[[Path, bytes], bool]:
    found = re.compile(pattern)
    return lambda _, held: found.search(held[:_START]) is not None


def _results(path: Path) -> list[str]:
    found = _object(path)
    try:
        metrics, fit = found["metrics"]["final"], found["fit"]
        told = [f"{len(found['molecules'])} molecule(s)", f"{len(found['parameters'])} parameters"]
        rmsd = metrics["frequency_rmsd_cm1"]
        told += [] if rmsd is None else [f"frequencies to {rmsd:.1f} cm⁻¹"]
        return [*told, "converged" if fit["converged"] else f"not converged: {fit['message']}"]
    except (KeyError, TypeError):
        raise InputError(f"{path}: are results of a fit of another version, or damaged") from None


def _listing(path: Path) -> list[str]:
    structures = _object(path)["structures"]
    return [f"interactions of {len(structures)} structure(s)"]


def _macromodel(path: Path) -> list[str]:
    found = read_mmo(path)
    return [f"{len(found.interactions)} interactions"]


def _checkpoint(path: Path) -> list[str]:
    facts = read_facts(path)
    return ["state of an interrupted run, for --resume", *([f"of {facts['output']}"] if "output" in facts else [])]


def _settings(path: Path) -> list[str]:
    file = read_fit_file(path)
    return [
        f"{len(file.molecules)} table(s) of molecules",
        "targets " + ", ".join(sorted(file.targets.model_fields_set)),
    ]


def _openmm(path: Path) -> list[str]:
    held = content(path)
    return [f"{held.count(b'<Type ')} types", "OpenMM lays them over structures"]


def _trajectory(path: Path) -> list[str]:
    try:
        with h5py.File(path) as file:
            particles = file.get("particles")
            names = [*particles] if isinstance(particles, h5py.Group) else []
            places = [file.get(f"particles/{name}/position/value") for name in names]
            frames = [place.shape[0] for place in places if isinstance(place, h5py.Dataset)]
    except OSError as error:
        raise InputError(f"{path}: cannot be read as HDF5 ({error}); is it cut?") from None
    if not frames:
        return ["no trajectory of H5MD"]
    return [f"{len(frames)} replica(s)", f"{frames[0]} frames"]


def _types(path: Path) -> list[str]:
    return [f"{len(read_atom_types(path).types)} types with the standard ones"]


OWN_FILES = (
    OwnFile("results of a fit", _has("fit", "metrics", "provenance"), _results),
    OwnFile(
        "listing of interactions",
        lambda path, held: b'"interactions"' in held and "structures" in _object(path),
        _listing,
    ),
    OwnFile("checkpoint", _says(rb'\A.{8}\{"__metadata__":\{[^}]*"facts"'), _checkpoint),
    OwnFile("HDF5 trajectory", _starts(b"\x89HDF"), _trajectory),
    OwnFile("MacroModel listing", lambda path, _: path.suffix.lower() == ".mmo", _macromodel),
    OwnFile(
        "settings of a fit",
        lambda path, held: path.suffix.lower() == ".toml" and b"[[molecules]]" in held,
        _settings,
    ),
    OwnFile("OpenMM force field", _says(rb"<ForceField\b"), _openmm),
    OwnFile("report of a fit", _starts(b"<!DOCTYPE html>"), lambda _: ["open it in a browser"]),
    OwnFile("log of a fit", lambda path, held: path.name == "fit.log" and b"Targets: " in held, lambda _: ["text"]),
    OwnFile(
        "MacroModel atom types",
        lambda path, held: path.name == FILE_NAME or held.startswith(b"# Atom types of "),
        _types,
    ),
)
