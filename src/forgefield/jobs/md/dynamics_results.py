"""What a run of molecular dynamics amounts to: averages, conservation of energy, and what is said of them."""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float

from forgefield.jobs.md.averages import Averages
from forgefield.jobs.md.dynamics_settings import DynamicsSettings
from forgefield.jobs.md.masses import MASSES
from forgefield.report.numerals import fixed, significant
from forgefield.simulate.dynamics import LONGEST_MOVE
from forgefield.simulate.motion import NEVER, Motion
from forgefield.table import AbstractTabled, Column, Table, table

_FEWEST = 3
"""Frames that a line through energies needs."""


@dataclass(frozen=True, eq=False, repr=False)
class Dynamics(AbstractTabled):
    """What a run amounts to; arrays have an entry for each frame of this run and each replica."""

    settings: DynamicsSettings
    n_atoms: int
    files: tuple[Path, ...]
    begun_at: int
    """The step that the run continued from, 0 where it did not."""
    motion: Motion
    averages: Averages
    """Of the whole run, with what came before where it was continued."""
    time: Float[np.ndarray, " frames"]
    """ps"""
    temperature: Float[np.ndarray, "frames replicas"]
    """K, from velocities at half steps under the thermostat; NaN after a replica has blown up, as below."""
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
        mean square deviation from them; of all frames of the whole run, where a replica has not blown up.
        """
        n = self.averages.whole.n
        well = (np.asarray(self.motion.failed) == NEVER) & (n >= _FEWEST)
        if self.settings.is_thermostatted or not well.any():
            return None, None
        slope, left = self.averages.drift
        drift, fluctuation = slope[well].mean(), np.sqrt(left[well].sum() / n[well].sum())
        return float(drift / self.n_atoms), float(fluctuation / self.n_atoms)

    @property
    def averaged_from(self) -> float:
        """Where the averages of temperature begin [ps]."""
        return float(self.settings.equilibration or 0.0)

    @property
    def complaints(self) -> list[str]:
        """A sentence for each replica that blew up."""
        return [
            f"replica {k} blew up at step {step} ({step * self.settings.timestep:g} fs): an atom would have moved more "
            f"than {LONGEST_MOVE} Å in one step, or its forces are not finite; take a smaller time step, or relax the "
            "structure first"
            for k, step in self.blown_up.items()
        ]

    @property
    def table(self) -> Table:
        """What the run amounts to."""
        return dynamics_table(self)

    def __repr__(self) -> str:
        ended = f", {len(self.blown_up)} blown up" if self.blown_up else ""
        return (
            f"Dynamics({self.settings.ensemble.upper()}, {int(self.motion.step)} steps, "
            f"{self.settings.replicas} replica(s){ended}; {len(self.time)} frames in {self.files[0]})"
        )


def summary(found: Dynamics) -> dict[str, Any]:
    """Return what `forgefield md --json` prints."""
    drift, fluctuation = found.conservation
    settled, settings = found.averages.settled, found.settings
    pooled = settled.pooled
    n = float(pooled.n[0])
    return {
        "steps": int(found.motion.step),
        "time_ps": int(found.motion.step) * settings.timestep / 1000.0,
        "begun_at_step": found.begun_at,
        "settings": asdict(settings),
        "masses": MASSES[settings.masses or "weights"],
        "frames": len(found.time),
        "equilibration_ps": found.averaged_from,
        "frames_averaged": int(settled.n.max()),
        "temperature_from": f"velocities at {velocities(settings)}",
        "temperature_mean_k": float(pooled.mean[0, 1]) if n else None,
        "temperature_std_k": float(np.sqrt(pooled.products[0, 1, 1] / n)) if n else None,
        "temperatures_k": [float(mean[1]) if n else None for n, mean in zip(settled.n, settled.mean, strict=True)],
        "energy_drift_kcal_mol_atom_ps": drift,
        "energy_fluctuation_kcal_mol_atom": fluctuation,
        "steps_per_s": found.steps_per_s,
        "replica_steps_per_s": None if found.steps_per_s is None else found.steps_per_s * settings.replicas,
        "blown_up": [{"replica": k, "step": step} for k, step in found.blown_up.items()],
        "files": [str(path) for path in found.files],
    }


def velocities(settings: DynamicsSettings) -> str:
    """Return which velocities tell the temperature."""
    return "half steps" if settings.is_thermostatted else "full steps"


def _half(found: Dynamics) -> str:
    return " (the second half)" if np.isclose(2.0 * found.averaged_from, found.settings.length) else ""


def dynamics_table(found: Dynamics) -> Table:
    """Return what a run amounts to for the terminal."""
    told = summary(found)
    rows = [
        ("time", fixed(told["time_ps"], 3), "ps"),
        ("replicas", str(found.settings.replicas), ""),
        ("masses", told["masses"], ""),
        (f"temperature, {velocities(found.settings)}", fixed(told["temperature_mean_k"], 1), "K"),
        ("its fluctuation", fixed(told["temperature_std_k"], 1), "K"),
        ("averaged from", significant(told["equilibration_ps"], 4), f"ps on{_half(found)}"),
        ("frames averaged", str(told["frames_averaged"]), ""),
        ("energy drift", significant(told["energy_drift_kcal_mol_atom_ps"], 2), "kcal/mol/atom/ps"),
        ("energy fluctuation", significant(told["energy_fluctuation_kcal_mol_atom"], 2), "kcal/mol/atom"),
        ("speed of a replica", significant(told["steps_per_s"], 3), "steps/s"),
    ]
    columns = Column("quantity", numeric=False), Column("value"), Column("unit", numeric=False)
    return table(f"{found.settings.ensemble.upper()}, {told['steps']} steps", columns, rows)
