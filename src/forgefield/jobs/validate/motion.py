"""Dynamics of a student: does it keep its energy, and does the molecule hold together."""

from dataclasses import dataclass, replace

import jax.numpy as jnp
import numpy as np
from jaxtyping import Float, Int

from forgefield import units
from forgefield.distil.sampling import clashes
from forgefield.engines.native.choice import fastest
from forgefield.engines.teachers.model_teacher import ModelTeacher
from forgefield.molecules.molecule import Molecule, atomic_weights
from forgefield.report.student.findings import Drift, Stability
from forgefield.simulate.dynamics import LONGEST_MOVE, start, trajectory
from forgefield.simulate.integrators import AbstractIntegrator, Langevin, VelocityVerlet
from forgefield.simulate.listing import Listing
from forgefield.simulate.motion import NEVER

TIMESTEP = 0.5
"""fs"""
EVERY = 20
"""Steps between structures that are kept."""
_FRICTION = 1.0
"""1/ps"""
_TORN, _PRESSED = 1.6, 0.6
"""Times its length at the start that a bond is not to be reached by."""


@dataclass(frozen=True, eq=False)
class Frames:
    """Structures of replicas on their way."""

    ps: Float[np.ndarray, " frames"]
    positions: Float[np.ndarray, "frames replicas atoms 3"]
    """Å"""
    energy: Float[np.ndarray, "frames replicas"]
    """kcal/mol, potential and kinetic."""
    failed: Int[np.ndarray, " replicas"]
    """The step at which a replica blew up; NEVER for the others."""


def drift(student: ModelTeacher, molecule: Molecule, ps: float, seed: int) -> Drift:
    """Return how the energy changes in dynamics that begins at 300 K."""
    frames = _frames(student, molecule, VelocityVerlet(_step()), 300.0, (ps, 1), seed)
    if frames.failed[0] != NEVER:
        at = frames.failed[0] * TIMESTEP / 1000.0
        return Drift(molecule.name, ps, at, np.nan, np.nan, f"it blew up after {at:.3g} ps")
    energy = frames.energy[:, 0] / molecule.n_atoms
    slope, height = np.polyfit(frames.ps, energy, 1)
    off = energy - (slope * frames.ps + height)
    return Drift(molecule.name, ps, float(frames.ps[-1]), float(slope), float(np.sqrt(np.mean(off**2))))


def stability(
    student: ModelTeacher,
    molecule: Molecule,
    positions: Float[np.ndarray, "atoms 3"],
    temperature: float,
    length: tuple[float, int],
    seed: int,
) -> tuple[Stability, Float[np.ndarray, "structures atoms 3"]]:
    """Return how long replicas of a molecule, which rests as given, hold together from some positions on.

    Also their structures until then, but for the first fifth of the time. `length` is the time [ps] and the number of
    replicas.
    """
    ps, n = length
    friction = jnp.asarray(_FRICTION / (1000.0 * units.FEMTOSECOND))
    integrator = Langevin(_step(), jnp.asarray(temperature), friction)
    begun = replace(molecule, positions=positions)
    frames = _frames(student, begun, integrator, temperature, length, seed)
    ends = [first_end(molecule, frames, k) for k in range(n)]
    stable, problem = min(ends)
    kept = [frames.positions[(frames.ps > 0.2 * ps) & (frames.ps < end), k] for k, (end, _) in enumerate(ends)]
    stable = min(stable, ps)
    return Stability(molecule.name, temperature, ps, stable, n, problem), np.concatenate(kept)


def first_end(molecule: Molecule, frames: Frames, replica: int) -> tuple[float, str]:
    """Return when a replica breaks [ps] and how; never is infinitely late."""
    bonds = np.asarray(molecule.bonds).reshape(-1, 2)
    x = frames.positions[:, replica]
    lengths = np.linalg.norm(x[:, bonds[:, 0]] - x[:, bonds[:, 1]], axis=-1)
    before = np.linalg.norm(molecule.positions[bonds[:, 0]] - molecule.positions[bonds[:, 1]], axis=-1)
    found = [(np.inf, "")]
    for what, there in (("is torn", lengths > _TORN * before), ("is pressed", lengths < _PRESSED * before)):
        if there.any():
            frame, bond = np.argwhere(there)[0]
            name = "-".join(f"{molecule.symbols[a]}{a + 1}" for a in bonds[bond])
            found.append((float(frames.ps[frame]), f"the bond {name} {what}, to {lengths[frame, bond]:.2f} Å"))
    close = next((k for k, positions in enumerate(x) if clashes(molecule, positions)), None)
    if close is not None:
        found.append((float(frames.ps[close]), "atoms that are not bonded clash"))
    if frames.failed[replica] != NEVER:
        found.append((float(frames.failed[replica]) * TIMESTEP / 1000.0, "it blew up"))
    return min(found)


def _step() -> Float[jnp.ndarray, ""]:
    return jnp.asarray(TIMESTEP * units.FEMTOSECOND)


def _frames(
    student: ModelTeacher,
    molecule: Molecule,
    integrator: AbstractIntegrator,
    temperature: float,
    length: tuple[float, int],
    seed: int,
) -> Frames:
    """Return the structures of dynamics from a structure, as the student is run by users."""
    ps, n = length
    laid, topology = student.rules.lay([molecule])
    model, traits = fastest(laid), laid.traits
    listing = None
    if model.traits.cutoff is not None and model.traits.wants_list(molecule.n_atoms):
        listing = Listing(traits.cutoff or 0.0, 2.0 * LONGEST_MOVE)
    masses = atomic_weights(molecule.species)
    motion = start(
        topology,
        np.repeat(molecule.positions[None], n, axis=0),
        masses,
        temperature=temperature,
        seed=seed,
        listing=listing,
    )
    n_steps = max(round(1000.0 * ps / TIMESTEP / EVERY), 2) * EVERY
    blocks = list(trajectory(model, topology, masses, integrator, motion, n_steps=n_steps, every=EVERY))
    step, positions, potential, kinetic = (
        np.concatenate([np.asarray(getattr(block.frames, name)) for block in blocks])
        for name in ("step", "positions", "potential", "kinetic")
    )
    return Frames(step * (TIMESTEP / 1000.0), positions, potential + kinetic, np.asarray(blocks[-1].motion.failed))
