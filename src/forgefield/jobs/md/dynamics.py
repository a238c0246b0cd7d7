"""Runs molecular dynamics of one molecule: trajectories, checkpoints, and the way back from them."""

import hashlib
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from time import perf_counter
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Bool, Float

from forgefield import units
from forgefield.engines.native.choice import fastest, way_of
from forgefield.errors import InputError
from forgefield.io.assemble.single import single
from forgefield.io.checkpoint import read_arrays, read_facts, write_checkpoint
from forgefield.io.outputs import owned, remove, require_free
from forgefield.io.trajectories import AbstractTrajectories, Stretch, trajectories
from forgefield.jobs.laid import Laid, laid_over
from forgefield.jobs.md.averages import Averages, no_averages
from forgefield.jobs.md.dynamics_results import Dynamics
from forgefield.jobs.md.dynamics_settings import PICOSECOND, DynamicsSettings
from forgefield.jobs.md.masses import chosen_masses
from forgefield.models.model import AbstractModel
from forgefield.simulate.dynamics import LONGEST_MOVE, Frames, start, trajectory
from forgefield.simulate.listing import Listing
from forgefield.simulate.motion import NEVER, Motion, temperature

_CHECKPOINT_S = 5.0
"""Seconds between checkpoints."""
_EQUILIBRATION = 0.5
"""Share of a run, as it is first asked for, that is left out of averages where nothing else is said."""


def silent(step: int) -> None:
    """Tell nothing."""


def run_dynamics(
    force_field: Path,
    structure: Path,
    output: Path,
    settings: DynamicsSettings,
    *,
    resume: bool = False,
    overwrite: bool = False,
    tell: Callable[[int], None] = silent,
) -> Dynamics:
    """Simulate replicas of one molecule, write their trajectories, and return what the run amounts to.

    Beside the trajectory stands a checkpoint, at most seconds old, from which `resume` continues as if there had been
    no interruption, where the trajectory is what it was; `overwrite` replaces an earlier run. `tell` is called with
    the number of steps done. Raises InputError where the molecule is a single atom, the checkpoint is of another run,
    or files would be lost.
    """
    laid = laid_over(force_field, [structure])
    molecule = single(laid.molecules)
    if molecule.n_atoms < 2:
        raise InputError(f"{structure}: a single atom has no motion but that of its centre of mass")
    if resume and overwrite:
        raise InputError("to resume a run and to overwrite it exclude each other")
    checkpoint = checkpoint_of(output)
    settings = _resolved(settings, checkpoint if resume else None)
    masses = chosen_masses(molecule, settings.masses)
    settings = replace(settings, masses=settings.masses or "weights")
    written = trajectories(output, molecule.species, masses, settings.replicas, separate=settings.separate)
    facts = _facts(laid, masses, settings) | {"output": output.name}
    laid = _quickened(laid, checkpoint if resume else None)
    motion = start(
        laid.topology,
        np.repeat(molecule.positions[None], settings.replicas, axis=0),
        masses,
        temperature=settings.temperature,
        seed=settings.seed,
        listing=_listing(laid.model, molecule.n_atoms),
    )
    averages = no_averages(settings.replicas)

    def save(motion: Motion, averages: Averages) -> None:
        marks = [asdict(mark) for mark in written.marks()]
        write_checkpoint(checkpoint, (motion, averages), facts | {"marks": marks, "way": way_of(laid.model)})

    with owned(output):
        files = [*written.files, checkpoint]
        require_free(files, [force_field, structure], overwrite=overwrite or resume)
        if resume:
            motion, averages = _resumed(checkpoint, facts, (motion, averages), written, settings)
        else:
            remove([checkpoint])
            written.begin()
            save(motion, averages)
        begun_at = max(int(motion.step), 0)
        found = _simulated(Run(laid, masses, settings, written), motion, averages, save, tell)
    return replace(found, files=tuple(files), begun_at=begun_at)


def _quickened(laid: Laid, checkpoint: Path | None) -> Laid:
    """Return a force field computed in the way that the run of a checkpoint began with, else in the fastest one.

    The ways differ in the last bits, and in whether neighbours are listed. Raises InputError where a large molecule
    could not go on in the way that it began with.
    """
    begun = read_facts(checkpoint).get("way") if checkpoint is not None and checkpoint.is_file() else None
    model = fastest(laid.model, begun=begun)
    traits = laid.model.traits
    if begun not in (None, way_of(model)) and traits.wants_list(laid.topology.n_atoms):
        raise InputError(
            f"{checkpoint}: the run began with its neural model computed by {begun!r}, which cannot be had here, and "
            f"with more than {traits.most_in_pairs} atoms it goes on in no other way; "
            "run without --resume to begin anew"
        )
    return replace(laid, model=model)


def _resolved(settings: DynamicsSettings, checkpoint: Path | None) -> DynamicsSettings:
    """Return settings that state the equilibration: that of the run which is continued, else the usual one.

    Raises InputError where it leaves nothing of the run.
    """
    if settings.equilibration is None and checkpoint is not None and checkpoint.is_file():
        stated = read_facts(checkpoint).get("equilibration")
        if isinstance(stated, float):
            return replace(settings, equilibration=stated)
    settings = replace(settings, equilibration=_left_out(settings))
    if checkpoint is None and _left_out(settings) >= settings.length:
        raise InputError(
            f"an equilibration of {settings.equilibration:g} ps leaves nothing of a run of {settings.length:g} ps to "
            "average; take more steps, or less equilibration"
        )
    return settings


def _left_out(settings: DynamicsSettings) -> float:
    """Return the time that no average holds [ps]."""
    return _EQUILIBRATION * settings.length if settings.equilibration is None else float(settings.equilibration)


def _listing(model: AbstractModel, n_atoms: int) -> Listing | None:
    """Return how neighbours are listed: not for small molecules, nor for kernels and terms with pairs of their own."""
    cutoff = model.traits.cutoff
    return Listing(cutoff, 2.0 * LONGEST_MOVE) if cutoff is not None and model.traits.wants_list(n_atoms) else None


def checkpoint_of(output: Path) -> Path:
    """Return where the checkpoint of a trajectory stands."""
    return output.with_name(f"{output.name}.checkpoint.safetensors")


@dataclass(frozen=True, eq=False)
class Run:
    """What is simulated, how, and where the frames go."""

    laid: Laid
    masses: Float[np.ndarray, " atoms"]
    """amu"""
    settings: DynamicsSettings
    written: AbstractTrajectories


def _simulated(
    run: Run,
    motion: Motion,
    averages: Averages,
    save: Callable[[Motion, Averages], None],
    tell: Callable[[int], None],
) -> Dynamics:
    """Run the blocks of a trajectory: write each, and save what the next one starts from every few seconds."""
    laid, settings = run.laid, run.settings
    measured, ends, saved_at = [], [(perf_counter(), max(int(motion.step), 0))], -np.inf
    steps = trajectory(
        laid.model,
        laid.topology,
        run.masses,
        settings.integrator(),
        motion,
        n_steps=settings.n_steps,
        every=settings.every,
    )
    block = None
    for block in steps:
        step = int(block.motion.step)
        ends.append((perf_counter(), step))
        run.written.append(_stretches(block.frames, laid, settings))
        measured.append(_measured(block.frames, laid, settings))
        averages = averages.with_frames(*measured[-1], settled=_settled(block.frames, settings))
        if perf_counter() - saved_at > _CHECKPOINT_S:
            save(block.motion, averages)
            saved_at = perf_counter()
        tell(step)
    assert block is not None
    save(block.motion, averages)
    time, warmth, energy = (np.concatenate(parts) for parts in zip(*measured, strict=True))
    # The first block compiles.
    (began, first), (ended, last) = ends[1], ends[-1]
    speed = (last - first) / (ended - began) if last > first else None
    return Dynamics(settings, laid.topology.n_atoms, (), 0, block.motion, averages, time, warmth, energy, speed)


def _resumed(
    checkpoint: Path,
    facts: dict[str, Any],
    like: tuple[Motion, Averages],
    written: AbstractTrajectories,
    settings: DynamicsSettings,
) -> tuple[Motion, Averages]:
    """Return the motion and the averages of a checkpoint, and cut the trajectories to where they were.

    Raises InputError.
    """
    if not checkpoint.is_file():
        raise InputError(f"{checkpoint}: there is no checkpoint to resume from; run without --resume")
    found = read_facts(checkpoint)
    changed = [name for name, value in facts.items() if found.get(name) != value]
    if changed:
        raise InputError(
            f"{checkpoint}: the checkpoint is of a run with another {', '.join(changed)}; --overwrite begins anew"
        )
    motion, averages = read_arrays(checkpoint, like)
    motion = jax.tree.map(jnp.asarray, motion)
    if settings.n_steps <= int(motion.step):
        raise InputError(f"{checkpoint}: the run has done {int(motion.step)} steps already; ask for more than that")
    if (np.asarray(motion.failed) != NEVER).all():
        raise InputError(f"{checkpoint}: every replica has blown up; take a smaller time step, and --overwrite")
    try:
        written.go_on(found["marks"])
    except InputError as error:
        raise InputError(f"{checkpoint}: {error}") from None
    return motion, averages


def _facts(laid: Laid, masses: Float[np.ndarray, " atoms"], settings: DynamicsSettings) -> dict[str, Any]:
    """Return what a run must have in common with one that it continues."""
    digest = hashlib.sha256()
    for leaf in jax.tree.leaves((laid.model, laid.topology, laid.molecules[0].positions, masses)):
        digest.update(np.asarray(leaf).tobytes())
    same = {name: value for name, value in asdict(settings).items() if name != "n_steps"}
    return {"force field or structure": digest.hexdigest(), **same}


def _stretches(frames: Frames, laid: Laid, settings: DynamicsSettings) -> list[Stretch]:
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
                temperature=np.asarray(temperature(np.asarray(frames.thermal)[well, k], laid.topology)),
            )
        )
    return found


def _measured(frames: Frames, laid: Laid, settings: DynamicsSettings) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return time [ps], temperatures [K] and energies [kcal/mol] of frames; NaN where a replica has blown up."""
    well = np.asarray(frames.failed) == NEVER
    kinetic, thermal = (np.where(well, np.asarray(one), np.nan) for one in (frames.kinetic, frames.thermal))
    time = np.asarray(frames.step) * settings.timestep * (units.FEMTOSECOND / PICOSECOND)
    return time, np.asarray(temperature(thermal, laid.topology)), kinetic + np.asarray(frames.potential)


def _settled(frames: Frames, settings: DynamicsSettings) -> Bool[np.ndarray, " frames"]:
    """Say which frames are after the equilibration."""
    # A frame at its very end counts, whatever rounding does.
    return np.asarray(frames.step) * settings.timestep >= 1000.0 * _left_out(settings) - 0.5 * settings.timestep
