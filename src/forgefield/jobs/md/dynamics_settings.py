"""How molecular dynamics is to be run, in the units of users."""

from dataclasses import dataclass

import jax.numpy as jnp
import numpy as np

from forgefield import units
from forgefield.errors import InputError
from forgefield.jobs.md.masses import MASSES
from forgefield.simulate.integrators import AbstractIntegrator, Langevin, VelocityVerlet

ENSEMBLES = ("nve", "nvt")
PICOSECOND = 1000.0 * units.FEMTOSECOND


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
    equilibration: float | None = None
    """ps from the start that no average holds; by default half of the run as it was first asked for."""
    masses: str | None = None
    """A choice of `MASSES`; by default the standard atomic weights, unless the structure states other isotopes."""
    separate: bool = False
    """Whether each replica has an H5MD file of its own, as it has one of extended xyz."""

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
        if self.equilibration is not None and not 0.0 <= self.equilibration < np.inf:
            wrong.append(f"equilibration must not be negative, not {self.equilibration} ps")
        if self.masses is not None and self.masses not in MASSES:
            wrong.append(f"masses {self.masses!r} are not one of {', '.join(MASSES)}")
        if not 0 <= self.seed < 2**32:
            wrong.append(f"seed must be between 0 and {2**32 - 1}, not {self.seed}")
        if wrong:
            raise InputError("; ".join(wrong))

    @property
    def length(self) -> float:
        """Time of the whole run [ps]."""
        return self.n_steps * self.timestep / 1000.0

    @property
    def is_thermostatted(self) -> bool:
        """Whether temperature is held, not energy."""
        return self.ensemble == "nvt"

    def integrator(self) -> AbstractIntegrator:
        """Return what moves the atoms."""
        timestep = jnp.asarray(self.timestep * units.FEMTOSECOND)
        match self.ensemble:
            case "nve":
                return VelocityVerlet(timestep)
            case _:
                return Langevin(timestep, jnp.asarray(self.temperature), jnp.asarray(self.friction / PICOSECOND))
