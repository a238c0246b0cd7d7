"""LAMMPS, in this process: it reads what our writer writes, and is told positions through its library."""

import ctypes
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from forgefield.assign.explicit.system import Stated
from forgefield.engines.programs.files import AbstractFileProgram, AbstractLaidFiles
from forgefield.engines.programs.program import Positions
from forgefield.io.forcefields.laid.format import SystemFormat
from forgefield.io.forcefields.lammps.writer import LAMMPS
from forgefield.molecules.molecule import Molecule

_READS = "read_data"


def running_lammps() -> Any:
    """Return LAMMPS, which finds the MPI of this environment once that is loaded. Raises ImportError or OSError."""
    import lammps  # noqa: PLC0415 (an extra)

    message_passing = Path(sys.prefix) / "lib" / "libmpi.so.12"
    if message_passing.is_file():
        ctypes.CDLL(str(message_passing), mode=ctypes.RTLD_GLOBAL)
    return lammps.lammps(cmdargs=["-screen", "none", "-log", "none"])


@dataclass(frozen=True)
class Lammps(AbstractFileProgram):
    """LAMMPS by its Python module."""

    @property
    def name(self) -> str:
        """What messages and tables call it."""
        return "lammps"

    @property
    def precision(self) -> str:
        """Of its numbers."""
        return "double; 12 digits of the values"

    @property
    def form(self) -> SystemFormat:
        """The format of its files."""
        return LAMMPS

    def why_not(self) -> str:
        """Return why it cannot be used here."""
        try:
            running_lammps().close()
        except (ImportError, OSError) as error:
            return f"LAMMPS is not installed ({error}); run: pip install 'lammps[mpi]'"
        return ""

    def laid(self, molecule: Molecule, stated: Sequence[Stated], types: tuple[str, ...]) -> "LaidLammps":
        """Lay interactions over a molecule."""
        return LaidLammps(molecule, stated, types)


class LaidLammps(AbstractLaidFiles):
    """One LAMMPS with one molecule, which reads its files again where values change."""

    def __init__(self, molecule: Molecule, stated: Sequence[Stated], types: tuple[str, ...]) -> None:
        self._running = running_lammps()
        super().__init__(LAMMPS, ".lmp", molecule, stated, types)

    def change(self, stated: Sequence[Stated]) -> None:
        """Let it forget all and read the files of the new values."""
        super().change(stated)
        self._running.command("clear")
        for line in self._files.path.read_text().splitlines():
            reads = line.startswith(_READS)
            self._running.command(f"{_READS} {self._files.path.with_suffix('.data')}" if reads else line)

    def energy_and_gradient(self, positions: Positions) -> tuple[float, Positions]:
        """Return what no step of a run finds at the positions."""
        told = np.ascontiguousarray(positions, dtype=np.float64)
        self._running.scatter_atoms("x", 1, 3, (ctypes.c_double * told.size)(*told.ravel().tolist()))
        self._running.command("run 0 post no")
        forces = np.array(self._running.gather_atoms("f", 1, 3)).reshape(positions.shape)
        return float(self._running.get_thermo("pe")), -forces
