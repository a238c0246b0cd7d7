"""Samples GFN2-xTB energies and forces of ethanol by Langevin dynamics: `python make_data.py` in two minutes.

Writes train.extxyz, and test.extxyz from a trajectory of its own at a temperature between those of training.
"""

from pathlib import Path

import ase.io
import numpy as np
from ase import Atoms, units
from ase.calculators.calculator import Calculator, all_changes
from ase.md.langevin import Langevin
from ase.md.velocitydistribution import thermalize_momenta

from forgefield.engines.qm.xtb import XTB
from forgefield.molecules.molecule import Molecule
from forgefield.units import ELECTRONVOLT

FOLDER = Path(__file__).parent
EVERY = 8
"""Steps of 0.5 fs between frames."""
TRAJECTORIES = [(300.0, 350, "train"), (600.0, 350, "train"), (900.0, 100, "train"), (450.0, 150, "test")]
"""Temperature [K], frames, and what they are for."""


class XTBCalculator(Calculator):
    """GFN2-xTB for ASE."""

    implemented_properties = ["energy", "forces"]  # noqa: RUF012 (as ASE declares it)

    def calculate(self, atoms=None, properties=("energy",), system_changes=all_changes) -> None:
        """Compute energy and forces."""
        super().calculate(atoms, properties, system_changes)
        found = XTB().evaluate(Molecule("ethanol", self.atoms.numbers.astype(np.int64), self.atoms.positions))
        self.results = {"energy": found.energy / ELECTRONVOLT, "forces": -found.gradient / ELECTRONVOLT}


def trajectory(atoms: Atoms, temperature: float, n_frames: int, seed: int) -> list[Atoms]:
    """Return frames of Langevin dynamics after 100 fs of warming up."""
    rng = np.random.default_rng(seed)
    atoms.calc = XTBCalculator()
    thermalize_momenta(atoms, temperature_K=temperature, rng=rng)
    dynamics = Langevin(
        atoms, 0.5 * units.fs, temperature_K=temperature, friction=0.02 / units.fs, rng=rng, fixcm=False
    )
    dynamics.run(200)
    frames = []
    for _ in range(n_frames):
        dynamics.run(EVERY)
        frame = atoms.copy()
        frame.info = {"energy": atoms.get_potential_energy()}
        frame.arrays["forces"] = atoms.get_forces()
        frames.append(frame)
    return frames


def main() -> None:
    """Write the frames as extended xyz files (eV, eV/Å)."""
    frames: dict[str, list[Atoms]] = {"train": [], "test": []}
    for seed, (temperature, n_frames, purpose) in enumerate(TRAJECTORIES):
        atoms = ase.io.read(FOLDER / "ethanol.xyz")
        frames[purpose] += trajectory(atoms, temperature, n_frames, seed)
    for purpose, sampled in frames.items():
        ase.io.write(FOLDER / f"{purpose}.extxyz", sampled, columns=["symbols", "positions", "forces"])


if __name__ == "__main__":
    main()
