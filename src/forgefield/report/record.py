"""What a report shows: the content of results.json, and the data of its figures."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Bool, Float, Int


@dataclass(frozen=True, eq=False)
class Parity:
    """Values of one target: reference, and model before and after the fit."""

    target: str
    unit: str
    reference: Float[np.ndarray, " values"]
    start: Float[np.ndarray, " values"]
    final: Float[np.ndarray, " values"]
    fitted: Bool[np.ndarray, " values"]
    """Whether a value is of a molecule that is fitted to, and not of one whose weight is zero."""
    tolerance: float
    """In the unit of the values; the usual one where the target was not asked for."""
    is_target: bool = True
    """Whether it was asked for."""


@dataclass(frozen=True)
class Optimum:
    """One of the distinct ends of a multi-start fit."""

    cost: float
    n_starts: int
    n_converged: int


@dataclass(frozen=True)
class Covered:
    """Where the rows of one kind of interaction stand in a force-field file."""

    kind: str
    substructure: int
    table: int
    uncovered: int
    """Interactions that no row covers, which therefore do not exist."""


@dataclass(frozen=True)
class Deviation:
    """A bond or an angle of a relaxed structure beside that of the reference, in `unit` (Å or °)."""

    atoms: tuple[int, ...]
    """0-based."""
    unit: str
    reference: float
    model: float


@dataclass(frozen=True, eq=False)
class RelaxedStructure:
    """A molecule where the model relaxes to, superposed on its reference."""

    name: str
    species: Int[np.ndarray, " atoms"]
    bonds: Int[np.ndarray, "bonds 2"]
    """0-based."""
    reference: Float[np.ndarray, "atoms 3"]
    """Å"""
    model: Float[np.ndarray, "atoms 3"]
    """Å, in the frame of the reference."""
    worst_bonds: tuple[Deviation, ...]
    worst_angles: tuple[Deviation, ...]
    """Worst first."""


@dataclass(frozen=True, eq=False)
class Vibrations:
    """Modes of a molecule's reference, to be shown as motions."""

    name: str
    species: Int[np.ndarray, " atoms"]
    bonds: Int[np.ndarray, "bonds 2"]
    """0-based."""
    positions: Float[np.ndarray, "atoms 3"]
    """Of the reference [Å]."""
    places: Int[np.ndarray, " modes"]
    """Among the molecule's `frequencies` in results.json."""
    displacements: Float[np.ndarray, "modes atoms 3"]
    """The largest of each mode is 1."""


@dataclass(frozen=True, eq=False)
class FitRecord:
    """Everything that the report of a fit shows."""

    title: str
    results: dict[str, Any]
    """The content of results.json."""
    costs: Float[np.ndarray, " iterations"]
    """Of the start that ended lowest."""
    contributions: dict[str, tuple[float, float]]
    """Share of each target (and the prior) in the cost, at the start and at the end."""
    parities: tuple[Parity, ...]
    optima: tuple[Optimum, ...]
    """Lowest first; one entry for a single start."""
    types: dict[str, str]
    """What each generated atom type stands for."""
    statements: tuple[str, ...]
    """What was fitted, in sentences: targets, policy, what is trained."""
    files: tuple[str, ...]
    """Names of the files written beside the report."""
    coverage: tuple[Covered, ...] = ()
    """For a fit that starts from a force-field file."""
    structures: tuple[RelaxedStructure, ...] = ()
    """Where the fit relaxed its molecules."""
    vibrations: tuple[Vibrations, ...] = ()
    costs_of_estimate: Float[np.ndarray, " others"] | None = None
    """Where the fit from the estimate is not the one that ended lowest."""
    structure: str = ""
    """A file of one of the structures, as seen from the folder of the report."""
    structure_is_alone: bool = False
    """Whether that file holds no other."""
    settings: str = ""
    """The text of FIT.toml; empty for a fit that a program asked for."""
