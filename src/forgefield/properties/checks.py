"""Checks of any model: are its forces the slope of its energy, do they balance, is it smooth where pairs end.

Each function returns the numbers; what is small enough depends on the precision of the model.
"""

from collections.abc import Sequence
from typing import NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float
from scipy.spatial.transform import Rotation

from forgefield.models.model import AbstractModel
from forgefield.molecules.topology import Topology
from forgefield.properties.derivatives import energies, gradient, hessians
from forgefield.properties.rigid import by_molecule, of_atoms

STEPS = (1e-1, 3e-2, 1e-2, 3e-3, 1e-3, 3e-4, 1e-4, 3e-5, 1e-5)
"""Å"""


class StepStudy(NamedTuple):
    """How the slopes of the energy by central differences deviate from the gradient, step by step.

    The deviation of correct forces falls with the square of the step until rounding takes over; that of wrong ones
    levels off.
    """

    steps: Float[np.ndarray, " steps"]
    """Å"""
    deviations: Float[np.ndarray, " steps"]
    """Largest over directions [kcal/mol/Å]."""
    scale: float
    """Largest slope among the directions [kcal/mol/Å]."""

    @property
    def best(self) -> float:
        """Smallest deviation [kcal/mol/Å], at the step where truncation and rounding meet."""
        return float(self.deviations.min())

    @property
    def order(self) -> float:
        """The power of the step that the deviation falls with, above the best step; 2 for correct forces.

        NaN where fewer than two steps are above the best one.
        """
        last = int(np.argmin(self.deviations))
        if last < 1:
            return float("nan")
        rise = np.log(self.deviations[:last] / self.deviations[1 : last + 1])
        return float(np.max(rise / np.log(self.steps[:last] / self.steps[1 : last + 1])))


class Jumps(NamedTuple):
    """What changes abruptly where a pair passes a distance."""

    energy: float
    """kcal/mol"""
    slope: float
    """kcal/mol/Å"""
    curvature: float
    """kcal/mol/Å²"""


class Approach(NamedTuple):
    """A molecule while one of its atoms is moved along the line to another."""

    distances: Float[np.ndarray, " distances"]
    """Å"""
    energies: Float[np.ndarray, " distances"]
    """kcal/mol"""
    slopes: Float[np.ndarray, " distances"]
    """kcal/mol/Å, by the distance."""
    curvatures: Float[np.ndarray, " distances"]
    """kcal/mol/Å²"""


def finite_differences(
    model: AbstractModel,
    topology: Topology,
    positions: Float[Array | np.ndarray, "atoms 3"],
    *,
    steps: Sequence[float] = STEPS,
    n_directions: int = 8,
    seed: int = 0,
) -> StepStudy:
    """Return how (E(x + h d) - E(x - h d)) / 2h deviates from the gradient, for random unit directions d."""
    x = jnp.asarray(positions)
    d = np.random.default_rng(seed).normal(size=(n_directions, *x.shape))
    directions = jnp.asarray(d / np.linalg.norm(d, axis=(1, 2), keepdims=True), x.dtype)
    slopes = jnp.einsum("dac,ac->d", directions, gradient(model, topology, x))
    deviations = []
    for h in steps:
        rise = [
            jnp.sum(energies(model, topology, x + h * d)) - jnp.sum(energies(model, topology, x - h * d))
            for d in directions
        ]
        deviations.append(float(jnp.max(jnp.abs(jnp.stack(rise) / (2.0 * h) - slopes))))
    return StepStudy(np.array(steps), np.array(deviations), float(jnp.max(jnp.abs(slopes))))


def net_forces(
    model: AbstractModel, topology: Topology, positions: Float[Array | np.ndarray, "atoms 3"]
) -> Float[Array, "molecules 3"]:
    """Return the sum of the forces on the atoms of each molecule [kcal/mol/Å], which is zero."""
    pull = -gradient(model, topology, jnp.asarray(positions))
    return jax.ops.segment_sum(pull, jnp.asarray(topology.molecule), topology.n_molecules)


def net_torques(
    model: AbstractModel, topology: Topology, positions: Float[Array | np.ndarray, "atoms 3"]
) -> Float[Array, "molecules 3"]:
    """Return the torque on each molecule in vacuum about its centre [kcal/mol], which is zero."""
    x = jnp.asarray(positions)
    molecule = jnp.asarray(topology.molecule)
    size = jax.ops.segment_sum(jnp.ones(x.shape[0], x.dtype), molecule, topology.n_molecules)
    centre = jax.ops.segment_sum(x, molecule, topology.n_molecules) / jnp.maximum(size, 1.0)[:, None]
    turn = jnp.cross(x - centre[molecule], -gradient(model, topology, x))
    return jax.ops.segment_sum(turn, molecule, topology.n_molecules)


def hessian_asymmetry(
    model: AbstractModel, topology: Topology, positions: Float[Array | np.ndarray, "atoms 3"]
) -> float:
    """Return the largest difference between an element of a Hessian and its mirror image [kcal/mol/Å²]."""
    hessian = hessians(model, topology, jnp.asarray(positions))
    return float(jnp.max(jnp.abs(hessian - jnp.swapaxes(hessian, 1, 2))))


def hessian_differences(
    model: AbstractModel,
    topology: Topology,
    positions: Float[Array | np.ndarray, "atoms 3"],
    *,
    steps: Sequence[float] = (1e-4, 1e-5),
    n_directions: int = 4,
    seed: int = 0,
) -> tuple[float, float]:
    """Return how (g(x + h d) - g(x - h d)) / 2h deviates from H d at most, and how large H d is [kcal/mol/Å²].

    For random unit directions d, in which all molecules move at once, and the step h [Å] that suits best.
    """
    x = jnp.asarray(positions)
    hessian = hessians(model, topology, x)
    deviations, scale = np.zeros((n_directions, len(steps))), 0.0
    for k, d in enumerate(np.random.default_rng(seed).normal(size=(n_directions, *x.shape))):
        along = jnp.asarray(d / np.linalg.norm(d), x.dtype)
        expected = of_atoms(topology, _times(hessian, by_molecule(topology, along)))
        scale = max(scale, float(jnp.max(jnp.abs(expected))))
        for j, h in enumerate(steps):
            rise = gradient(model, topology, x + h * along) - gradient(model, topology, x - h * along)
            deviations[k, j] = jnp.max(jnp.abs(rise / (2.0 * h) - expected))
    return float(deviations.max(axis=0).min()), scale


def _times(
    hessian: Float[Array, "molecules coordinates coordinates"], along: Float[Array, "molecules n_max 3"]
) -> Float[Array, "molecules n_max 3"]:
    return jnp.einsum("mij,mj->mi", hessian, along.reshape(along.shape[0], -1)).reshape(along.shape)


def rigid_motion(
    model: AbstractModel, topology: Topology, positions: Float[Array | np.ndarray, "atoms 3"], *, seed: int = 0
) -> tuple[float, float]:
    """Return how a random turn and shift changes the energies [kcal/mol], and the gradient but for the turn."""
    x, generator = jnp.asarray(positions), np.random.default_rng(seed)
    turn = jnp.asarray(Rotation.from_rotvec(generator.normal(size=3)).as_matrix(), x.dtype)
    moved = x @ turn.T + jnp.asarray(generator.uniform(-5.0, 5.0, size=(1, 3)), x.dtype)
    energy = energies(model, topology, moved) - energies(model, topology, x)
    slope = gradient(model, topology, moved) - gradient(model, topology, x) @ turn.T
    return float(jnp.max(jnp.abs(energy))), float(jnp.max(jnp.abs(slope)))


def approach(
    model: AbstractModel,
    topology: Topology,
    positions: Float[Array | np.ndarray, "atoms 3"],
    pair: tuple[int, int],
    distances: Float[np.ndarray, " distances"],
) -> Approach:
    """Return energy, slope and curvature along the distance of two atoms; the second is moved, the others stay.

    Distances may go to zero and beyond any cut-off: all numbers are meant to stay finite.
    """
    x = jnp.asarray(positions)
    r = jnp.asarray(distances, x.dtype)
    away = x[pair[1]] - x[pair[0]]
    axis = away / jnp.sqrt(jnp.sum(away**2))
    found = _curve(model, topology, x, jnp.asarray(pair), axis, r)
    return Approach(np.asarray(r), *(np.asarray(a) for a in found))


@eqx.filter_jit
def _curve(model, topology, x, pair, axis, distances):
    def slope(r):
        there = x.at[pair[1]].set(x[pair[0]] + r * axis)
        return jnp.sum(model.gradient(topology, there)[pair[1]] * axis)

    def point(r):
        there = x.at[pair[1]].set(x[pair[0]] + r * axis)
        first, second = jax.jvp(slope, (r,), (jnp.ones_like(r),))
        return jnp.sum(model.energy(topology, there)), first, second

    return jax.lax.map(point, distances)


def jumps(
    model: AbstractModel,
    topology: Topology,
    positions: Float[Array | np.ndarray, "atoms 3"],
    pair: tuple[int, int],
    distance: float,
    *,
    step: float = 1e-4,
) -> Jumps:
    """Return how energy, slope and curvature jump where two atoms pass a distance, for example a cut-off [Å].

    From exact derivatives a step before and after it, less what those make them change on the way.
    """
    ends = np.array([distance - step, distance + step])
    _, energy, slope, curvature = approach(model, topology, positions, pair, ends)
    return Jumps(
        energy=float(energy[1] - energy[0] - step * (slope[1] + slope[0])),
        slope=float(slope[1] - slope[0] - step * (curvature[1] + curvature[0])),
        curvature=float(curvature[1] - curvature[0]),
    )
