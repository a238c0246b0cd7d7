"""A force field over one molecule as the files that a program reads."""

from collections.abc import Sequence
from pathlib import Path
from shutil import rmtree
from tempfile import mkdtemp
from weakref import finalize

from forgefield.assign.explicit.system import Stated, System
from forgefield.io.forcefields.laid.flat import of_interactions
from forgefield.io.forcefields.laid.format import SystemFormat
from forgefield.molecules.molecule import Molecule


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


def missing_in(form: SystemFormat, molecule: Molecule, stated: Sequence[Stated]) -> list[str]:
    """Return in words what a format cannot hold."""
    return form.missing(system_of(molecule, stated, ("",) * molecule.n_atoms))
