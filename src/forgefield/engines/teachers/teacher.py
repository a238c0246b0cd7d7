"""What every teacher offers: who it is, and what it says of a structure."""

import abc
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from jaxtyping import Float

from forgefield.io.datasets.records import record_key
from forgefield.molecules.molecule import HessianProducts, Molecule, Reference

Directions = Float[np.ndarray, "directions atoms 3"]
Positions = Float[np.ndarray, "atoms 3"]
STEP = 0.002
"""Å that the atom which moves most is displaced by in a difference by default: see the study in docs/data-sets.md."""


@dataclass(frozen=True)
class Identity:
    """Whose labels they are: labels of two teachers belong together where their identities are equal."""

    name: str
    """For example GFN2-xTB."""
    version: str
    """Of the program."""
    options: Mapping[str, Any] = field(default_factory=dict)
    """Whatever else decides what it says; JSON can hold it."""

    @property
    def text(self) -> str:
        """All of it as one line of JSON, always in the same order."""
        return json.dumps({"name": self.name, "version": self.version, "options": self.options}, sort_keys=True)


class AbstractTeacher(abc.ABC):
    """Labels structures. Units are internal: Å, kcal/mol, kcal/mol/Å, kcal/mol/Å²."""

    @property
    @abc.abstractmethod
    def identity(self) -> Identity:
        """Who it is."""

    @property
    @abc.abstractmethod
    def acts_on_bonds(self) -> bool:
        """Whether it is laid over molecules by their bonds, so that their charge goes without saying."""

    @abc.abstractmethod
    def check(self, molecule: Molecule) -> None:
        """Raise InputError where the molecule is none for this teacher."""

    @abc.abstractmethod
    def label(self, molecule: Molecule, directions: Directions | None = None) -> Reference:
        """Return energy and gradient, with Hessian products along directions where these are given.

        Raises ConvergenceError where there is no answer.
        """


def key_of(identity: Identity, molecule: Molecule) -> bytes:
    """Return the key of what a teacher says of a molecule."""
    return record_key(identity.text, molecule)


def random_directions(key: bytes, n: int, n_atoms: int) -> Directions:
    """Return n random displacements, orthonormal as far as there is room, that follow from the key of a structure."""
    drawn = np.random.default_rng(list(key)).normal(size=(3 * n_atoms, n))
    if n <= 3 * n_atoms:
        drawn, _ = np.linalg.qr(drawn)
    return np.ascontiguousarray(drawn.T).reshape(n, n_atoms, 3)


def products_by_differences(
    gradient: Callable[[Positions], Positions], positions: Positions, directions: Directions, step: float
) -> HessianProducts:
    """Return (g(x + h d) - g(x - h d)) / 2h for each direction d, the atom that moves most moving by `step` [Å]."""
    found = []
    for direction in directions:
        h = step / np.sqrt((direction**2).sum(axis=1)).max()
        rise = gradient(positions + h * direction) - gradient(positions - h * direction)
        found.append(rise / (2.0 * h))
    return HessianProducts(directions, np.array(found).reshape(directions.shape))


def bare_label(molecule: Molecule, identity: Identity, energy: float, gradient: Positions) -> Reference:
    """Return a label of energy [kcal/mol] and gradient [kcal/mol/Å]."""
    return Reference(
        species=molecule.species,
        positions=molecule.positions,
        energy=energy,
        gradient=gradient,
        level=identity.name,
        program=identity.version,
        charge=molecule.charge,
        multiplicity=molecule.multiplicity,
    )
