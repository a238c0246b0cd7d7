"""Force fields of our own as teachers, with exact products of their Hessians."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from forgefield.assign.rules import AbstractRules, ModelRules
from forgefield.engines.teachers.teacher import (
    AbstractTeacher,
    Directions,
    Identity,
    bare_label,
)
from forgefield.errors import ConvergenceError, InputError
from forgefield.io.rules import file_of, load
from forgefield.models.model import AbstractModel
from forgefield.molecules.molecule import HessianProducts, Molecule, Reference
from forgefield.molecules.topology import Topology


@dataclass(frozen=True, eq=False)
class ModelTeacher(AbstractTeacher):
    """A force field that is laid over each molecule, in double precision."""

    rules: AbstractRules
    name: str
    digest: str
    """SHA-256 of its file."""
    _laid: dict[bytes, tuple[AbstractModel, Topology]] = field(default_factory=dict, repr=False)

    @property
    def identity(self) -> Identity:
        """Its name, and its file's digest as version."""
        return Identity(self.name, f"sha256 {self.digest}")

    @property
    def acts_on_bonds(self) -> bool:
        """As its rules do."""
        return not isinstance(self.rules, ModelRules)

    def check(self, molecule: Molecule) -> None:
        """Raise InputError, or MissingParameters, where it cannot be laid over the molecule."""
        with jax.enable_x64(True):
            self._over(molecule)

    def label(self, molecule: Molecule, directions: Directions | None = None) -> Reference:
        """Return energy and gradient, and products along directions. Raises ConvergenceError where they overflow."""
        with jax.enable_x64(True):
            model, topology = self._over(molecule)
            positions = jnp.asarray(molecule.positions)
            energy, gradient = (np.asarray(a, np.float64) for a in _both(model, topology, positions))
            if not (np.isfinite(energy).all() and np.isfinite(gradient).all()):
                raise ConvergenceError(f"{molecule.name}: {self.name} gives no finite energy and forces")
            label = bare_label(molecule, self.identity, float(energy[0]), gradient)
            if directions is None:
                return label
            values = np.asarray(_products(model, topology, positions, jnp.asarray(directions)), np.float64)
        return replace(label, products=HessianProducts(directions, values))

    def __reduce__(self) -> tuple[Callable[..., "ModelTeacher"], tuple[AbstractRules, str, str]]:
        """Travel without what is laid."""
        return _arrived, (self.rules, self.name, self.digest)

    def _over(self, molecule: Molecule) -> tuple[AbstractModel, Topology]:
        """Return the force field laid over a molecule, once for all its structures."""
        bonds = np.asarray(molecule.bonds, np.int64).tobytes() + repr(molecule.types).encode()
        key = np.asarray(molecule.species, np.int64).tobytes() + bonds
        key += f"{molecule.charge} {molecule.multiplicity}".encode()
        if key not in self._laid:
            if len(self._laid) >= _MOST_LAID:
                self._laid.clear()
            model, topology = self.rules.lay([molecule])
            self._laid[key] = model.with_precision(jnp.float64), topology
        return self._laid[key]


_MOST_LAID = 256
"""Molecules that are remembered."""


def _arrived(rules: AbstractRules, name: str, digest: str) -> ModelTeacher:
    with jax.enable_x64(True):
        return ModelTeacher(rules.restored(), name, digest)


def teacher_of_file(path: Path) -> ModelTeacher:
    """Return the force field of a file, or of a fit's folder, as a teacher. Raises InputError."""
    if not path.exists():
        raise InputError(f"{path}: there is no such force field")
    file = file_of(path)
    with jax.enable_x64(True):
        rules = load(file)
    return ModelTeacher(rules, file.name, hashlib.sha256(file.read_bytes()).hexdigest())


@eqx.filter_jit
def _both(
    model: AbstractModel, topology: Topology, positions: Float[Array, "atoms 3"]
) -> tuple[Float[Array, " molecules"], Float[Array, "atoms 3"]]:
    return model.energy_and_gradient(topology, positions)


@eqx.filter_jit
def _products(
    model: AbstractModel,
    topology: Topology,
    positions: Float[Array, "atoms 3"],
    directions: Float[Array, "directions atoms 3"],
) -> Float[Array, "directions atoms 3"]:
    def along(direction: Float[Array, "atoms 3"]) -> Float[Array, "atoms 3"]:
        return jax.jvp(lambda x: model.gradient(topology, x), (positions,), (direction,))[1]

    return jax.lax.map(along, directions)
