"""Runs molecular dynamics of one molecule: trajectories, checkpoints, and what the run amounts to."""

import hashlib
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from time import perf_counter
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

from forgefield import units
from forgefield.engines.native.painn import fastest
from forgefield.errors import InputError
from forgefield.io.assemble.single import single
from forgefield.io.checkpoint import read_arrays, read_facts, write_checkpoint
from forgefield.io.trajectories import AbstractTrajectories, Stretch, trajectories
from forgefield.jobs.laid import Laid, laid_over
from forgefield.molecules.molecule import standard_masses
from forgefield.report.numerals import fixed, significant
from forgefield.report.table import Column, Table, table
from forgefield.simulate.dynamics import LONGEST_MOVE, Block, Frames, start, trajectory
from forgefield.simulate.integrators import AbstractIntegrator, Langevin, VelocityVerlet
from forgefield.simulate.motion import NEVER, Motion, temperature

ENSEMBLES = ("nve", "nvt")
_CHECKPOINT_S = 5.0
"""Seconds between checkpoints."""
_FEWEST = 3
"""Frames that a line through energies needs."""
_PICOSECOND = 1000.0 * units.FEMTOSECOND


@dataclass(frozen=True)
class DynamicsSettings:
    """How to simulate. Raises InputError that lists all that makes no sense."""

    n_steps: int
    """Of the whole run, with what came before where it is continued."""
    ensemble: str = "nve"
    temperature: float = 300.0
    """K: of the thermostat, and of the velocities at the start."""
    timestep: float = 0.5
    """fs"""
    friction: float = 1.0
    """1/ps, of the thermostat."""
    replicas: int = 1
    every: int = 20
    """Steps between frames."""
    seed: int = 0

    def __post_init__(self) -> None:
        wrong = []
        if self.ensemble not in ENSEMBLES:
            wrong.append(f"ensemble {self.ensemble!r} is not one of {', '.join(ENSEMBLES)}")
        counts = {"steps": self.n_steps, "replicas": self.replicas, "every": self.every}
        wrong += [f"{name} must be 1 or more, not {value}" for name, value in counts.items() if value < 1]
        # Written so that a NaN is wrong too.
        if not 0.0 < self.timestep < np.inf:
            wrong.append(f"timestep must be positive, not {self.timestep} fs")
        numbers = {"temperature": (self.temperature, "K"), "friction": (self.friction, "1/ps")}
        wrong += [f"{n} must not be negative, not {v} {u}" for n, (v, u) in numbers.items() if not 0.0 <= v < np.inf]
        if not 0 <= self.seed < 2**32:
            wrong.append(f"seed must be between 0 and {2**32 - 1}, not {self.seed}")
        if wrong:
            raise InputError("; ".join(wrong))

    def integrator(self) -> AbstractIntegrator:
        """Return what moves the atoms."""
        timestep = jnp.asarray(self.timestep * units.FEMTOSECOND)
        match self.ensemble:
            case "nve":
                return VelocityVerlet(timestep)
            case _:
                return Langevin(timestep, jnp.asarray(self.temperature), jnp.asarray(self.friction / _PICOSECOND))


@dataclass(frozen=True, eq=False)
class Dynamics:
    """What a run amounts to; arrays have an entry for each frame of this run and each replica."""

    settings: DynamicsSettings
    n_atoms: int
    files: tuple[Path, ...]
    begun_at: int
    """The step that the run continued from, 0 where it did not."""
    motion: Motion
    time: Float[np.ndarray, " frames"]
    """ps"""
    temperature: Float[np.ndarray, "frames replicas"]
    """K; NaN after a replica has blown up, as below."""
    energy: Float[np.ndarray, "frames replicas"]
    """Potential and kinetic, kcal/mol."""
    steps_per_s: float | None
    """Of one replica, without compilation; None where the run was too short to tell."""

    @property
    def blown_up(self) -> dict[int, int]:
        """For each replica that blew up, from 1, the step at which it did."""
        return {k + 1: int(step) for k, step in enumerate(np.asarray(self.motion.failed)) if step != NEVER}

    @property
    def conservation(self) -> tuple[float | None, float | None]:
        """How well energy is conserved where it should be: drift [kcal/mol/atom/ps] and fluctuation [kcal/mol/atom].

        The drift is the mean slope of straight lines through the energies of the replicas, the fluctuation the root
        mean square deviation from them.
        """
        well = np.isfinite(self.energy).all(axis=0)
        if self.settings.ensemble != "nve" or len(self.time) < _FEWEST or not well.any():
            return None, None
        energy = self.energy[:, well] / self.n_atoms
        lines = np.polynomial.polynomial.polyfit(self.time, energy, 1)
        left = energy - np.polynomial.polynomial.polyval(self.time, lines).T
        return float(lines[1].mean()), float(np.sqrt(np.mean(left**2)))

    @property
    def complaints(self) -> list[str]:
        """A sentence for each replica that blew up."""
        return [
            f"replica {k} blew up at step {step} ({step * self.settings.timestep:g} fs): an atom would have moved more "
            f"than {LONGEST_MOVE} Å in one step, or its forces are not finite; take a smaller time step, or relax the "
            "structure first"
            for k, step in self.blown_up.items()
        ]


def silent(step: int) -> None:
    """Tell nothing."""


def run_dynamics(
    force_field: Path,
    structure: Path,
    output: Path,
    settings: DynamicsSettings,
    *,
    resume: bool = False,
    tell: Callable[[int], None] = silent,
) -> Dynamics:
    """Simulate replicas of one molecule, write their trajectories, and return what the run amounts to.

    Beside the trajectory stands a checkpoint, at most seconds old, from which `resume` continues as if there had been
    no interruption. `tell` is called with the number of steps done. Raises InputError where the molecule is a single
    atom, or the checkpoint is of another run.
    """
    laid = laid_over(force_field, [structure])
    molecule = single(laid.molecules)
    if molecule.n_atoms < 2:
        raise InputError(f"{structure}: a single atom has no motion but that of its centre of mass")
    masses = standard_masses(molecule.species)
    written = trajectories(output, molecule.species, masses, settings.replicas)
    checkpoint = checkpoint_of(output)
    facts = _facts(laid, settings)
    motion = start(
        laid.topology,
        np.repeat(molecule.positions[None], settings.replicas, axis=0),
        masses,
        temperature=settings.temperature,
        seed=settings.seed,
    )
    if resume:
        motion = _resumed(checkpoint, facts, motion, written, settings)
    else:
        checkpoint.unlink(missing_ok=True)
        written.begin()

    def save(block: Block) -> None:
        write_checkpoint(checkpoint, block.motion, facts | {"marks": written.marks()})

    begun_at = max(int(motion.step), 0)
    laid = replace(laid, model=fastest(laid.model))
    found = _simulated(laid, masses, settings, motion, written, save, tell)
    return replace(found, files=(*written.files, checkpoint), begun_at=begun_at)


def checkpoint_of(output: Path) -> Path:
    """Return where the checkpoint of a trajectory stands."""
    return output.with_name(f"{output.stem}.checkpoint.safetensors")


def _simulated(
    laid: Laid,
    masses: Float[np.ndarray, " atoms"],
    settings: DynamicsSettings,
    motion: Motion,
    written: AbstractTrajectories,
    save: Callable[[Block], None],
    tell: Callable[[int], None],
) -> Dynamics:
    """Run the blocks of a trajectory: write each, and save what the next one starts from every few seconds."""
    measured, ends, saved_at = [], [(perf_counter(), max(int(motion.step), 0))], -np.inf
    steps = trajectory(
        laid.model, laid.topology, masses, settings.integrator(), motion, n_steps=settings.n_steps, every=settings.every
    )
    block = None
    for block in steps:
        step = int(block.motion.step)
        ends.append((perf_counter(), step))
        written.append(_stretches(block.frames, settings))
        measured.append(_measured(block.frames, laid, settings))
        if perf_counter() - saved_at > _CHECKPOINT_S:
            save(block)
            saved_at = perf_counter()
        tell(step)
    assert block is not None
    save(block)
    time, warmth, energy = (np.concatenate(parts) for parts in zip(*measured, strict=True))
    # The first block compiles.
    (began, first), (ended, last) = ends[1], ends[-1]
    speed = (last - first) / (ended - began) if last > first else None
    return Dynamics(settings, laid.topology.n_atoms, (), 0, block.motion, time, warmth, energy, speed)


def _resumed(
    checkpoint: Path, facts: dict[str, Any], like: Motion, written: AbstractTrajectories, settings: DynamicsSettings
) -> Motion:
    """Return the motion of a checkpoint, and cut the trajectories to where it was. Raises InputError."""
    if not checkpoint.is_file():
        raise InputError(f"{checkpoint}: there is no checkpoint to resume from; run without --resume")
    found = read_facts(checkpoint)
    changed = [name for name, value in facts.items() if found.get(name) != value]
    if changed:
        raise InputError(
            f"{checkpoint}: the checkpoint is of a run with another {', '.join(changed)}; "
            "run without --resume to begin anew"
        )
    motion = jax.tree.map(jnp.asarray, read_arrays(checkpoint, like))
    if settings.n_steps <= int(motion.step):
        raise InputError(f"{checkpoint}: the run has done {int(motion.step)} steps already; ask for more than that")
    if (np.asarray(motion.failed) != NEVER).all():
        raise InputError(f"{checkpoint}: every replica has blown up; run without --resume, with a smaller time step")
    written.cut(found["marks"])
    return motion


def _facts(laid: Laid, settings: DynamicsSettings) -> dict[str, Any]:
    """Return what a run must have in common with one that it continues."""
    digest = hashlib.sha256()
    for leaf in jax.tree.leaves((laid.model, laid.topology, laid.molecules[0].positions)):
        digest.update(np.asarray(leaf).tobytes())
    same = {name: value for name, value in asdict(settings).items() if name != "n_steps"}
    return {"force field or structure": digest.hexdigest(), **same}


def _stretches(frames: Frames, settings: DynamicsSettings) -> list[Stretch]:
    """Return what happened to each replica until it blew up."""
    found = []
    for k in range(settings.replicas):
        well = np.asarray(frames.failed)[:, k] == NEVER
        step = np.asarray(frames.step)[well].astype(np.int64)
        found.append(
            Stretch(
                step=step,
                time=step * (settings.timestep * units.FEMTOSECOND),
                positions=np.asarray(frames.positions)[well, k],
                velocities=np.asarray(frames.velocities)[well, k],
                forces=-np.asarray(frames.gradient)[well, k],
                potential=np.asarray(frames.potential)[well, k],
                kinetic=np.asarray(frames.kinetic)[well, k],
            )
        )
    return found


def _measured(frames: Frames, laid: Laid, settings: DynamicsSettings) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return time [ps], temperatures [K] and energies [kcal/mol] of frames; NaN where a replica has blown up."""
    well = np.asarray(frames.failed) == NEVER
    kinetic = np.where(well, np.asarray(frames.kinetic), np.nan)
    time = np.asarray(frames.step) * settings.timestep * (units.FEMTOSECOND / _PICOSECOND)
    return time, np.asarray(temperature(kinetic, laid.topology)), kinetic + np.asarray(frames.potential)


def summary(found: Dynamics) -> dict[str, Any]:
    """Return what `forgefield md --json` prints."""
    drift, fluctuation = found.conservation
    return {
        "steps": int(found.motion.step),
        "time_ps": int(found.motion.step) * found.settings.timestep / 1000.0,
        "begun_at_step": found.begun_at,
        "settings": asdict(found.settings),
        "frames": len(found.time),
        "temperature_mean_k": _finite(np.nanmean(found.temperature)) if found.temperature.size else None,
        "temperature_std_k": _finite(np.nanstd(found.temperature)) if found.temperature.size else None,
        "temperatures_k": [_finite(t) for t in np.nanmean(found.temperature, axis=0)] if found.temperature.size else [],
        "energy_drift_kcal_mol_atom_ps": drift,
        "energy_fluctuation_kcal_mol_atom": fluctuation,
        "steps_per_s": found.steps_per_s,
        "replica_steps_per_s": None if found.steps_per_s is None else found.steps_per_s * found.settings.replicas,
        "blown_up": [{"replica": k, "step": step} for k, step in found.blown_up.items()],
        "files": [str(path) for path in found.files],
    }


def dynamics_table(found: Dynamics) -> Table:
    """Return what a run amounts to for the terminal."""
    told = summary(found)
    rows = [
        ("time", fixed(told["time_ps"], 3), "ps"),
        ("replicas", str(found.settings.replicas), ""),
        ("temperature", fixed(told["temperature_mean_k"], 1), "K"),
        ("its fluctuation", fixed(told["temperature_std_k"], 1), "K"),
        ("energy drift", significant(told["energy_drift_kcal_mol_atom_ps"], 2), "kcal/mol/atom/ps"),
        ("energy fluctuation", significant(told["energy_fluctuation_kcal_mol_atom"], 2), "kcal/mol/atom"),
        ("speed of a replica", fixed(told["steps_per_s"], 0), "steps/s"),
    ]
    columns = Column("quantity", numeric=False), Column("value"), Column("unit", numeric=False)
    return table(f"{found.settings.ensemble.upper()}, {told['steps']} steps", columns, rows)


def _finite(value: Any) -> float | None:
    return float(value) if np.isfinite(value) else None
