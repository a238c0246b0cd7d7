"""Which structures of a molecule are labelled, and the making of them."""

import abc
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np
from scipy.optimize import minimize

from forgefield.distil.sampling import (
    Geometries,
    along_modes,
    distorted,
    snapshots,
    stretched,
    turned,
)
from forgefield.engines.teachers.teacher import AbstractTeacher, Positions
from forgefield.errors import ConvergenceError, InputError
from forgefield.io.datasets.layout import described
from forgefield.molecules.molecule import Molecule

_RELAXED = 0.05
"""kcal/mol/Å; the largest force left in a structure that is relaxed."""
_MOST_STEPS = 500


class AbstractSampler(abc.ABC):
    """A way of making structures of a molecule."""

    draws: ClassVar[bool] = False
    """Whether anything is drawn at random."""

    @property
    @abc.abstractmethod
    def words(self) -> str:
        """What records say of where they come from."""

    @abc.abstractmethod
    def geometries(self, molecule: Molecule, teacher: AbstractTeacher, generator: np.random.Generator) -> Geometries:
        """Return structures [Å]. Raises ConvergenceError where the teacher has no answer."""


@dataclass(frozen=True)
class AsGiven(AbstractSampler):
    """The structure itself."""

    @property
    def words(self) -> str:
        """As given."""
        return "as given"

    def geometries(self, molecule: Molecule, teacher: AbstractTeacher, generator: np.random.Generator) -> Geometries:
        """Return the one structure."""
        return molecule.positions[None]


@dataclass(frozen=True)
class Relaxed(AbstractSampler):
    """The minimum of the teacher near the structure."""

    @property
    def words(self) -> str:
        """Relaxed."""
        return "relaxed"

    def geometries(self, molecule: Molecule, teacher: AbstractTeacher, generator: np.random.Generator) -> Geometries:
        """Return the one structure."""
        return relaxed(molecule, teacher)[None]


@dataclass(frozen=True)
class Modes(AbstractSampler):
    """The harmonic ensemble about the minimum of the teacher near the structure."""

    draws = True
    number: int
    temperature: float
    """K"""

    @property
    def words(self) -> str:
        """Normal modes, and the temperature."""
        return f"normal modes at {self.temperature:g} K"

    def geometries(self, molecule: Molecule, teacher: AbstractTeacher, generator: np.random.Generator) -> Geometries:
        """Return structures about the minimum, whose Hessian the teacher says."""
        minimum = _minimum(molecule, teacher)
        every = np.eye(3 * molecule.n_atoms).reshape(-1, molecule.n_atoms, 3)
        products = teacher.label(minimum, every).products
        assert products is not None
        hessian = products.values.reshape(3 * molecule.n_atoms, -1)
        return along_modes(minimum, 0.5 * (hessian + hessian.T), self.number, self.temperature, generator)


@dataclass(frozen=True)
class Dynamics(AbstractSampler):
    """Snapshots of the teacher's own dynamics."""

    draws = True
    number: int
    temperature: float
    """K"""
    every: int
    """Steps between snapshots."""
    timestep: float
    """fs"""

    @property
    def words(self) -> str:
        """Dynamics, and the temperature."""
        return f"dynamics at {self.temperature:g} K"

    def geometries(self, molecule: Molecule, teacher: AbstractTeacher, generator: np.random.Generator) -> Geometries:
        """Return the snapshots."""

        def gradient(positions: Positions) -> Positions:
            try:
                found = teacher.label(replace(molecule, positions=positions)).gradient
            except (ConvergenceError, InputError):
                # The latter where atoms have flown out of what a molecule may be.
                return np.full_like(positions, np.nan)
            assert found is not None
            return found

        return snapshots(molecule, gradient, self.number, self.temperature, self.every, generator, self.timestep)


@dataclass(frozen=True)
class Turns(AbstractSampler):
    """Turned about each bond that turns."""

    points: int

    @property
    def words(self) -> str:
        """Turned."""
        return "turned about a bond"

    def geometries(self, molecule: Molecule, teacher: AbstractTeacher, generator: np.random.Generator) -> Geometries:
        """Return the structures in which no atoms come as close as if they were bonded."""
        return turned(molecule, self.points)


@dataclass(frozen=True)
class Stretches(AbstractSampler):
    """Each bond from short to long."""

    points: int
    shortest: float
    longest: float

    @property
    def words(self) -> str:
        """Stretched."""
        return "a bond stretched"

    def geometries(self, molecule: Molecule, teacher: AbstractTeacher, generator: np.random.Generator) -> Geometries:
        """Return the structures."""
        return stretched(molecule, self.points, self.shortest, self.longest)


@dataclass(frozen=True)
class Distortions(AbstractSampler):
    """Atoms displaced at random."""

    draws = True
    number: int
    scale: float
    """Å"""

    @property
    def words(self) -> str:
        """Displaced, and by how much."""
        return f"displaced by {self.scale:g} Å"

    def geometries(self, molecule: Molecule, teacher: AbstractTeacher, generator: np.random.Generator) -> Geometries:
        """Return the structures."""
        return distorted(molecule, self.number, self.scale, generator)


@dataclass(frozen=True)
class AtMinimum(AbstractSampler):
    """What a sampler that draws nothing at random makes of the minimum of the teacher near the structure."""

    sampler: AbstractSampler

    @property
    def words(self) -> str:
        """Relaxed, and its own."""
        return f"relaxed, {self.sampler.words}"

    def geometries(self, molecule: Molecule, teacher: AbstractTeacher, generator: np.random.Generator) -> Geometries:
        """Return its structures."""
        return self.sampler.geometries(_minimum(molecule, teacher), teacher, generator)


@dataclass(frozen=True, eq=False)
class Source:
    """A molecule and a way of making structures of it."""

    molecule: Molecule
    sampler: AbstractSampler
    seed: int
    start: str = ""
    """Which of several structures of the molecule it is, in words that others follow."""

    @property
    def words(self) -> str:
        """What records say of where they come from, with the seed of what is drawn."""
        return f"{self.start}{self.sampler.words}" + (f", seed {self.seed}" if self.sampler.draws else "")

    @property
    def digest(self) -> bytes:
        """SHA-256 of all that the structures follow from, but for the teacher."""
        digest = hashlib.sha256(f"{described(self.molecule)} {self.sampler!r} {self.seed}".encode())
        digest.update(np.asarray(self.molecule.positions, np.float64).tobytes())
        return digest.digest()

    def made(self, teacher: AbstractTeacher) -> Geometries:
        """Return the structures, equal ones each time. Raises ConvergenceError where the teacher has no answer."""
        return self.sampler.geometries(self.molecule, teacher, np.random.default_rng(list(self.digest)))


def sources_of(starts: Sequence[tuple[Molecule, str]], samplers: Sequence[AbstractSampler], seed: int) -> list[Source]:
    """Return each molecule, of which words say what it is, with each sampler."""
    return [Source(molecule, sampler, seed, start) for molecule, start in starts for sampler in samplers]


def _minimum(molecule: Molecule, teacher: AbstractTeacher) -> Molecule:
    """Return a molecule at the minimum near it. Raises ConvergenceError."""
    return replace(molecule, positions=relaxed(molecule, teacher))


def relaxed(molecule: Molecule, teacher: AbstractTeacher, *, left: float = _RELAXED) -> Positions:
    """Return the positions of the minimum near a molecule (L-BFGS), with forces up to `left` [kcal/mol/Å] or ten times.

    Raises ConvergenceError.
    """

    def surface(x: np.ndarray) -> tuple[float, np.ndarray]:
        found = teacher.label(replace(molecule, positions=x.reshape(-1, 3)))
        assert found.energy is not None
        assert found.gradient is not None
        return found.energy, found.gradient.ravel()

    options = {"maxiter": _MOST_STEPS, "gtol": left, "ftol": 0.0, "maxcor": 20}
    found = minimize(surface, molecule.positions.ravel(), jac=True, method="L-BFGS-B", options=options)
    largest = float(np.abs(found.jac).max())
    if largest > 10.0 * left:
        raise ConvergenceError(
            f"{molecule.name}: the relaxation by {teacher.identity.name} ended after {found.nit} steps with forces up "
            f"to {largest:.2g} kcal/mol/Å; give a better geometry"
        )
    return found.x.reshape(-1, 3)
