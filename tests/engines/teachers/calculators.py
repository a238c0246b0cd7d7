"""Calculators of ASE that a teacher may be made of, sound and unsound ones."""

import os

import numpy as np
from ase.calculators.calculator import Calculator, all_changes
from ase.calculators.lj import LennardJones


class Wrong(Calculator):
    """A Lennard-Jones fluid with something wrong in it."""

    def __init__(self, fault: str = "") -> None:
        super().__init__()
        self.implemented_properties = ["energy", "forces"]
        self._fault = fault

    def calculate(self, atoms=None, properties=("energy",), system_changes=all_changes):
        super().calculate(atoms, properties, system_changes)
        assert self.atoms is not None
        model = LennardJones(sigma=0.95, epsilon=0.05, rc=20.0)
        here = self.atoms.copy()
        here.calc = model
        energy, forces = float(here.get_potential_energy()), here.get_forces()
        oxygen = float(here.positions[here.numbers == 8, 2].min())
        match self._fault:
            case "scaled":
                forces = 1.5 * forces
            case "curl":
                forces = forces + 0.3 * np.cross([0.0, 0.0, 1.0], here.positions)
            case "order":
                forces = forces[::-1]
            case "nan":
                energy = float("nan")
            case "deadly" if oxygen < 0.09:
                os._exit(1)
            case "choosy" if oxygen < 0.09:
                raise RuntimeError("the oxygen is too low")
            case "choosy-far" if oxygen > 0.5:
                raise RuntimeError("too far")
            case "charge":
                energy += 0.1 * float(here.info["charge"])
        self.results = {"energy": energy, "forces": forces}


def made(fault: str = "") -> Wrong:
    return Wrong(fault)
