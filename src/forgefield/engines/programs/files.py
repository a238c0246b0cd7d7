"""A force field over one molecule as the files that a program reads."""

import abc
from collections.abc import Sequence
from pathlib import Path
from shutil import rmtree
from subprocess import CompletedProcess
from tempfile import mkdtemp
from weakref import finalize

from forgefield.assign.explicit.system import Stated, System
from forgefield.engines.programs.program import AbstractLaid, AbstractProgram, Hessian, Positions, by_differences
from forgefield.errors import ForgeFieldError
from forgefield.io.forcefields.laid.flat import of_interactions
from forgefield.io.forcefields.laid.format import SystemFormat
from forgefield.molecules.molecule import Molecule

_STEP = 1e-4
"""Å; a whole number of the units of sander's coordinates, 1e-7 Å."""


class Files:
    """A folder with the files of a force field over a molecule, which are written anew where its values change."""

    def __init__(self, form: SystemFormat, suffix: str, molecule: Molecule, types: tuple[str, ...]) -> None:
        self._form, self._molecule, self._types = form, molecule, types
        self.folder = Path(mkdtemp(prefix="forgefield-"))
        finalize(self, rmtree, self.folder, ignore_errors=True)
        self.path = self.folder / f"molecule{suffix}"

    def write(self, stated: Sequence[Stated]) -> None:
        """Write the interactions of the molecule."""
        self._form.write_system(self.path, system_of(self._molecule, stated, self._types), self._molecule.positions)


def system_of(molecule: Molecule, stated: Sequence[Stated], types: tuple[str, ...]) -> System:
    """Return the interactions of a molecule as a system."""
    flat = of_interactions(molecule, stated)
    return System.of_molecule(
        molecule,
        source=molecule.source or molecule.name,
        program="ForgeField",
        types=types,
        interactions=flat.interactions,
        through_space=flat.through_space,
    )


class AbstractFileProgram(AbstractProgram):
    """A program that reads the files of a format, and gives energies and gradients."""

    @property
    @abc.abstractmethod
    def form(self) -> SystemFormat:
        """The format of its files."""

    @property
    def step(self) -> float:
        """Of the differences of gradients [Å]."""
        return _STEP

    def missing(self, molecule: Molecule, stated: Sequence[Stated]) -> list[str]:
        """Return what its files cannot hold."""
        return self.form.missing(system_of(molecule, stated, ("",) * molecule.n_atoms))


class AbstractLaidFiles(AbstractLaid):
    """The files of one molecule, which are written again where values change."""

    def __init__(
        self, form: SystemFormat, suffix: str, molecule: Molecule, stated: Sequence[Stated], types: tuple[str, ...]
    ) -> None:
        self._files = Files(form, suffix, molecule, types)
        self.change(stated)

    def change(self, stated: Sequence[Stated]) -> None:
        """Write the new values."""
        self._files.write(stated)

    def hessian(self, positions: Positions) -> Hessian:
        """Return the Hessian by differences of gradients."""
        return by_differences(self.energy_and_gradient, positions, _STEP)


def computed_nothing(what: str, ended: CompletedProcess[str]) -> ForgeFieldError:
    """Return the error of a process that ended without a result, with the last that it said."""
    said = (ended.stderr or ended.stdout).strip().splitlines()
    return ForgeFieldError(f"{what} computed nothing: {said[-1] if said else f'exit code {ended.returncode}'}")
