"""Tinker by its program testgrad, a process for each geometry."""

import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from forgefield.assign.explicit.system import Stated
from forgefield.engines.programs.files import AbstractFileProgram, AbstractLaidFiles, computed_nothing
from forgefield.engines.programs.program import Positions
from forgefield.io.forcefields.laid.format import SystemFormat
from forgefield.io.forcefields.tinker.writer import TINKER
from forgefield.io.outputs import write_text
from forgefield.molecules.molecule import Molecule

_EXECUTABLES = ("testgrad", "testgrad.x")
"""As its makefiles and its packages call it."""
_STRUCTURE, _KEY = "now.xyz", "now.key"
_DIGITS = "digits 8\n"
"""Of energies and gradients behind the point; it prints four otherwise."""
_ANALYTIC_ONLY = ("y", "n", "n")
"""Its questions: the analytic gradient, the numerical one, and each kind of term by itself."""


def _executable() -> str | None:
    return next((found for name in _EXECUTABLES if (found := shutil.which(name))), None)


@dataclass(frozen=True)
class Tinker(AbstractFileProgram):
    """Tinker in a vacuum, without a cutoff."""

    @property
    def name(self) -> str:
        """What messages and tables call it."""
        return "tinker"

    @property
    def precision(self) -> str:
        """Of its numbers."""
        return "double; 8 decimals of energies and gradients, 10 of the values"

    @property
    def form(self) -> SystemFormat:
        """The format of its files."""
        return TINKER

    def why_not(self) -> str:
        """Return why it cannot be used here."""
        if _executable():
            return ""
        return "there is no testgrad on the PATH; install Tinker, and add its folder bin to the PATH"

    def laid(self, molecule: Molecule, stated: Sequence[Stated], types: tuple[str, ...]) -> "LaidTinker":
        """Lay interactions over a molecule."""
        return LaidTinker(molecule, stated, types)


class LaidTinker(AbstractLaidFiles):
    """The files of one molecule, which are written again where values change."""

    def __init__(self, molecule: Molecule, stated: Sequence[Stated], types: tuple[str, ...]) -> None:
        super().__init__(TINKER, ".key", molecule, stated, types)

    def change(self, stated: Sequence[Stated]) -> None:
        """Write the new values, and remember what stands around the positions of the atoms."""
        super().change(stated)
        key = self._files.path
        write_text(key.with_name(_KEY), key.read_text() + _DIGITS)
        title, *rows = key.with_suffix(".xyz").read_text().splitlines()
        words = [row.split() for row in rows]
        self._title, self._rows = title, [(" ".join(row[:2]), " ".join(row[5:])) for row in words]

    def energy_and_gradient(self, positions: Positions) -> tuple[float, Positions]:
        """Return what it prints. Raises ForgeFieldError where it computes nothing."""
        placed = [
            f"{before} {x:.12f} {y:.12f} {z:.12f} {behind}"
            for (before, behind), (x, y, z) in zip(self._rows, positions.tolist(), strict=True)
        ]
        folder = self._files.folder
        (folder / _STRUCTURE).write_text("\n".join([self._title, *placed, ""]))
        command = [str(_executable()), _STRUCTURE, "-k", _KEY, *_ANALYTIC_ONLY]
        ended = subprocess.run(
            command, cwd=folder, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
        )
        energy, gradient = energy_of(ended.stdout), gradient_of(ended.stdout)
        if energy is None or gradient.shape != positions.shape:
            raise computed_nothing("Tinker", ended)
        return energy, gradient


def energy_of(listing: str) -> float | None:
    """Return the total energy of a listing of Tinker's programs [kcal/mol]; None where it has none."""
    after = listing.partition("Total Potential Energy :")[2].split()
    return float(after[0]) if after else None


def gradient_of(listing: str) -> Positions:
    """Return the analytic gradient of a listing of testgrad [kcal/mol/Å], of the total energy by atoms."""
    by_atoms = listing.partition("Gradient Breakdown over Individual Atoms")[2].partition("Total Gradient Norm")[0]
    rows = [row.split()[2:5] for row in by_atoms.splitlines() if row.split()[:1] == ["Anlyt"]]
    return np.array(rows, dtype=np.float64).reshape(-1, 3)
