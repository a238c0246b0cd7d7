"""What one format holds, and what reads and writes files of it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from forgefield.assign.assignment import Assignment
from forgefield.assign.rules import AbstractRules
from forgefield.io.assemble.length_unit import tell_unit_of_length
from forgefield.io.assemble.parts import Part
from forgefield.io.forcefields.laid.format import SystemFormat
from forgefield.io.structures.atom_types import AtomTypes
from forgefield.io.structures.coordinates.bare import Bare
from forgefield.molecules.molecule import Molecule, Reference


class Structure(NamedTuple):
    """A structure of a file, with what QM said of it as far as the file holds results."""

    molecule: Molecule
    reference: Reference

    def __repr__(self) -> str:
        return f"Structure({self.molecule!r}, {self.reference!r})"


Structures = Sequence[tuple[Molecule, Reference]]
RulesWriter = Callable[[Path, AbstractRules], None]
LaidWriter = Callable[[Path, Assignment, list[Molecule]], tuple[Path, ...]]


@dataclass(frozen=True)
class Format:
    """What is read from files of one format, and written to them; None where nothing is."""

    name: str
    """What messages call it."""
    suffixes: tuple[str, ...]
    known: Callable[[Path, str], bool] | None = None
    """Whether a file is of this format, by its text, where others share the suffix; None: if of none before it."""
    clue: str = ""
    """What a file must say to be known."""
    has_any_suffix: bool = False
    """Whether files of other suffixes are known by their text too."""
    part: Callable[[Path], Part] | None = None
    """Reads what QM said of one structure."""
    frames: Callable[[Path], list[Part]] | None = None
    """Reads the same of several."""
    has_geometry: bool = True
    states_unit: bool = True
    """Whether the unit of a Hessian goes without saying."""
    molecules: Callable[[Path, AtomTypes | None], list[Molecule]] | None = None
    """Reads structures without results."""
    positions: Callable[[Path], Bare] | None = None
    """Reads positions of atoms whose elements are those of a topology."""
    write_structures: Callable[[Path, Structures], None] | None = None
    lacks: tuple[str, ...] = ()
    """What of structures it cannot hold."""
    word: str = ""
    """What FIT.toml calls it."""
    forms: tuple[str, ...] = ()
    """Forms of a generated force field that it holds."""
    rules: Callable[[Path], AbstractRules] | None = None
    """Reads a force field."""
    write_rules: RulesWriter | None = None
    """Writes one that is not laid over molecules. Raises InputError where the format cannot hold it."""
    write_laid: LaidWriter | None = None
    """Writes a generated one that is, and returns the files. Raises InputError where the format cannot hold it."""
    system: SystemFormat | None = None
    """Writes one of a system with its geometry."""
    of_one: bool = False
    """Whether files of it are of one molecule, whatever the force field."""

    @property
    def holds_systems(self) -> bool:
        """Whether it holds a system as it is."""
        return self.system is not None or self.of_one

    @property
    def lays_mm3(self) -> bool:
        """Whether it holds the force field of an MM3* file as it is laid over one molecule."""
        return self.of_one and "mm3" in self.forms

    @property
    def holds_mm3(self) -> bool:
        """Whether it holds the force field of an MM3* file as it is."""
        return self.write_rules is not None and not self.holds_systems and "mm3" in self.forms

    @property
    def in_folder(self) -> str:
        """The name of the file in the folder of a fit."""
        return f"forcefield{self.suffixes[0]}"

    def parts(self, path: Path) -> list[Part] | None:
        """Return what QM said of the structures of a file; None where the format holds no results.

        Lengths that look to be in another unit give an InputWarning.
        """
        if self.frames is not None:
            found = self.frames(path)
        elif self.part is not None:
            found = [self.part(path)]
        else:
            return None
        placed = [(one.species, one.positions) for one in found]
        tell_unit_of_length(path, [(z, x) for z, x in placed if z is not None and x is not None])
        return found

    def structures(self, path: Path, types: AtomTypes | None) -> list[Molecule] | None:
        """Return the structures of a file; None where the format is not of structures alone. Lengths as in `parts`."""
        if self.molecules is None:
            return None
        found = self.molecules(path, types)
        tell_unit_of_length(path, [(one.species, one.positions) for one in found])
        return found
