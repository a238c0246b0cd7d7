"""Checks a force field at structures: are its forces and Hessian the slopes of its energy, do they balance."""

from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import jax.numpy as jnp
import numpy as np

from forgefield.assign.rules import AbstractRules
from forgefield.errors import InputError
from forgefield.jobs.laid import opened
from forgefield.models.model import AbstractModel
from forgefield.molecules.molecule import Molecule
from forgefield.molecules.topology import Topology
from forgefield.properties.checks import (
    finite_differences,
    hessian_asymmetry,
    hessian_differences,
    jumps,
    net_forces,
    net_torques,
    rigid_motion,
)
from forgefield.properties.derivatives import energies, gradient
from forgefield.report.numerals import significant
from forgefield.table import AbstractTabled, Column, Table, table

_SLOPE = 1e-6
"""Share of the largest value by which exact derivatives may differ from differences of doubles."""
_ROUNDING = 1e-10
"""Share of the largest value by which equal doubles may differ after sums over atoms."""
_JUMP = 1e-6
"""kcal/mol, or kcal/mol/Å."""


@dataclass(frozen=True)
class Check:
    """One thing that holds of a sound force field."""

    name: str
    deviation: float
    limit: float
    """What rounding and the steps of differences allow."""
    unit: str

    @property
    def holds(self) -> bool:
        """Whether the deviation is a number within the limit."""
        return self.deviation <= self.limit


@dataclass(frozen=True, repr=False)
class Checked(AbstractTabled):
    """What was checked at one structure."""

    name: str
    checks: tuple[Check, ...]

    @property
    def sound(self) -> bool:
        """Whether all of it holds."""
        return all(check.holds for check in self.checks)

    @property
    def table(self) -> Table:
        """Every check, with its verdict."""
        columns = (
            Column("check", numeric=False),
            Column("deviation"),
            Column("limit"),
            Column("unit", numeric=False),
            Column("verdict", numeric=False),
        )
        rows = [
            (c.name, significant(c.deviation, 2), significant(c.limit, 2), c.unit, "holds" if c.holds else "FAILS")
            for c in self.checks
        ]
        n = sum(not c.holds for c in self.checks)
        return table(f"{self.name}: " + (f"{n} of {len(rows)} checks fail" if n else "all checks hold"), columns, rows)

    def __repr__(self) -> str:
        return f"Checked({self.table.title})"


def check(force_field: Path, files: list[Path]) -> list[Checked]:
    """Check a force field at every structure, in float64. Raises InputError, or MissingParameters."""
    rules, molecules = opened(force_field, files)
    found = []
    for molecule in molecules:
        model, topology = rules.lay([molecule])
        model = model.with_precision(jnp.float64)
        checks = [*checked(model, topology, molecule.positions), *reversal(rules, molecule, model, topology)]
        found.append(Checked(molecule.name, tuple(checks)))
    return found


def checked(model: AbstractModel, topology: Topology, positions: np.ndarray) -> Iterator[Check]:
    """Yield what is checked of a model in double precision."""
    x = jnp.asarray(positions)
    energy = max(1.0, float(jnp.max(jnp.abs(energies(model, topology, x)))))
    slope = max(1.0, float(jnp.max(jnp.abs(gradient(model, topology, x)))))
    study = finite_differences(model, topology, x)
    yield Check("forces are the slope of the energy", study.best, _SLOPE * slope, "kcal/mol/Å")
    by_differences, scale = hessian_differences(model, topology, x)
    scale = max(1.0, scale)
    yield Check("Hessian is the slope of the gradient", by_differences, _SLOPE * scale, "kcal/mol/Å²")
    yield Check("Hessian is symmetric", hessian_asymmetry(model, topology, x), _ROUNDING * scale, "kcal/mol/Å²")
    force, torque = (float(jnp.max(jnp.abs(f(model, topology, x)))) for f in (net_forces, net_torques))
    yield Check("forces add up to nothing", force, _ROUNDING * slope * len(x), "kcal/mol/Å")
    yield Check("torques add up to nothing", torque, _ROUNDING * slope * len(x) * _extent(positions), "kcal/mol")
    of_energy, of_slope = rigid_motion(model, topology, x)
    yield Check("energy stays when the molecule moves and turns", of_energy, _ROUNDING * energy, "kcal/mol")
    # Second derivatives make more of the rounding of moved positions.
    yield Check("forces turn with the molecule", of_slope, _ROUNDING * (slope + scale), "kcal/mol/Å")
    cutoff = model.traits.cutoff
    if cutoff is not None and len(x) > 1:
        jump = jumps(model, topology, x, (0, 1), cutoff)
        yield Check(f"no jump of the energy at the cut-off, {cutoff:g} Å", abs(jump.energy), _JUMP, "kcal/mol")
        yield Check(f"no jump of the force at the cut-off, {cutoff:g} Å", abs(jump.slope), _JUMP, "kcal/mol/Å")


def reversal(rules: AbstractRules, molecule: Molecule, model: AbstractModel, topology: Topology) -> Iterator[Check]:
    """Yield whether forces follow their atoms when these are listed in reverse; nothing for one set of atoms alone."""
    last = molecule.n_atoms - 1
    backwards = replace(
        molecule,
        species=molecule.species[::-1],
        positions=molecule.positions[::-1],
        bonds=last - np.asarray(molecule.bonds),
        types=None if molecule.types is None else molecule.types[::-1],
        formal_charges=None if molecule.formal_charges is None else molecule.formal_charges[::-1],
        masses=None if molecule.masses is None else molecule.masses[::-1],
    )
    try:
        other, its = rules.lay([backwards])
    except InputError:
        return
    here = np.asarray(gradient(model, topology, jnp.asarray(molecule.positions)))
    there = np.asarray(gradient(other.with_precision(jnp.float64), its, jnp.asarray(backwards.positions)))
    slope = max(1.0, float(np.abs(here).max()))
    off = float(np.abs(there[::-1] - here).max())
    yield Check("forces follow atoms that are listed in reverse", off, _ROUNDING * slope * len(here), "kcal/mol/Å")


def _extent(positions: np.ndarray) -> float:
    """Return how far atoms are from their centre [Å], at least 1."""
    return max(1.0, float(np.linalg.norm(positions - positions.mean(axis=0), axis=1).max()))


def summary(found: list[Checked]) -> dict[str, Any]:
    """Return what `forgefield check --json` prints."""
    return {
        "sound": all(one.sound for one in found),
        "structures": [
            {
                "name": one.name,
                "sound": one.sound,
                "checks": [asdict(c) | {"deviation": _finite(c.deviation), "holds": c.holds} for c in one.checks],
            }
            for one in found
        ],
    }


def _finite(value: float) -> float | None:
    return value if np.isfinite(value) else None
