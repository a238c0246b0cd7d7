"""Force fields in files of any format, ready to be laid over molecules."""

import abc
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from forgefield.assign.assignment import Assignment
from forgefield.assign.environments import environments
from forgefield.assign.mm3.file import Mm3File
from forgefield.assign.mm3.laid import assign_mm3
from forgefield.errors import InputError
from forgefield.io.forcefields.amber.frcmod import FrcmodRows, frcmod_rows
from forgefield.io.forcefields.mm3.fld import read_fld
from forgefield.io.forcefields.neural.painn_file import read_painn
from forgefield.io.text import read_text
from forgefield.models.model import AbstractModel, require_known
from forgefield.models.portable import packed, unpacked
from forgefield.molecules.bonds import perceive_bonds, perceive_transition_state_bonds
from forgefield.molecules.electrons import electron_problem
from forgefield.molecules.molecule import Molecule, symbol
from forgefield.molecules.topology import Topology, union


class AbstractLay(abc.ABC):
    """Lays a force field over molecules: to a model and the topology it acts on.

    It holds all of its force field, so that it can be pickled and does not see a file change. What has been pickled is
    `restored` before it is called: unpickling alone uses no JAX.
    """

    @abc.abstractmethod
    def __call__(self, molecules: list[Molecule]) -> tuple[AbstractModel, Topology]:
        """Return model and topology. Raises InputError, or MissingParameters."""

    @property
    @abc.abstractmethod
    def heeded(self) -> frozenset[str]:
        """Which of a molecule's "charge" and "multiplicity" the energy depends on."""

    @abc.abstractmethod
    def restored(self) -> "AbstractLay":
        """Return it with arrays as JAX has them, after it was unpickled."""


_NAMES_IN_FOLDER = ("forcefield.fld", "forcefield.frcmod")
"""What a fit writes, in the order of preference."""
_DEEPEST = 4
_LEGENDS = {
    ".fld": re.compile(r"^ C  (?P<name>\S{2}) is \S+  (?P<meaning>\S+)$", re.MULTILINE),
    ".frcmod": re.compile(r"^(?P<name>\S{2}) +\S+ +0\.000    \S+ (?P<meaning>\S+)$", re.MULTILINE),
}
"""How generated files say what a type name stands for."""


def read_force_field(path: Path) -> AbstractLay:
    """Return what lays the force field of a file, or of the folder of a fit, over molecules.

    An MM3* file (.fld) wants MacroModel atom types, an AMBER parameter file (.frcmod) its own; a file that ForgeField
    generated says what its types stand for, so that it fits any molecule with the same surroundings of atoms, whose
    bonds are perceived where it has none. A neural model (.safetensors) needs elements only. Raises InputError, as does
    what is returned, which also raises MissingParameters.
    """
    if path.is_dir():
        path = _in_folder(path)
    match path.suffix.lower():
        case ".fld":
            return LayMm3(read_fld(path), _typing(path))
        case ".frcmod":
            # The legend first: it says what is wrong with a file that is no text.
            typing = _typing(path)
            return LayAmber(frcmod_rows(path), typing)
        case ".safetensors":
            return lay_model(read_painn(path))
        case ".xml":
            raise InputError(
                f"{path}: OpenMM XML is written, not read; give the .fld or .frcmod of the same force field"
            )
        case other:
            raise InputError(
                f"{path}: no force field is read from {other!r} files; give a .fld, a .frcmod or a fit's folder"
            )


@dataclass(frozen=True, eq=False)
class LayMm3(AbstractLay):
    """Lays an MM3* file over molecules."""

    file: Mm3File
    typing: "Typing"

    def __call__(self, molecules: list[Molecule]) -> tuple[AbstractModel, Topology]:
        """Return model and topology. Raises InputError, or MissingParameters."""
        laid = assign_mm3([self.typing(m) for m in molecules], self.file).assignment
        return laid.model, laid.topology

    @property
    def heeded(self) -> frozenset[str]:
        """Nothing: charges of atoms are those of their types."""
        return frozenset()

    def restored(self) -> "LayMm3":
        """Return it as it is."""
        return self


@dataclass(frozen=True, eq=False)
class LayAmber(AbstractLay):
    """Lays an AMBER parameter file over molecules."""

    rows: FrcmodRows
    typing: "Typing"

    def __call__(self, molecules: list[Molecule]) -> tuple[AbstractModel, Topology]:
        """Return model and topology. Raises InputError, or MissingParameters."""
        laid = self.rows.laid([self.typing(m) for m in molecules])
        return laid.model, laid.topology

    @property
    def heeded(self) -> frozenset[str]:
        """The charge, where those of the atoms add up to it."""
        return frozenset({"charge"}) if self.rows.charged else frozenset()

    def restored(self) -> "LayAmber":
        """Return it as it is."""
        return self


@dataclass(frozen=True, eq=False)
class LayAssignment(AbstractLay):
    """Lays an assignment over the molecules that it is of."""

    assignment: Assignment

    def __call__(self, molecules: list[Molecule]) -> tuple[AbstractModel, Topology]:
        """Return its model and topology. Raises InputError for other molecules."""
        species = np.concatenate([m.species for m in molecules])
        topology = self.assignment.topology
        own = np.asarray(topology.species)
        if topology.n_molecules != len(molecules) or not np.array_equal(own, species):
            raise InputError(
                f"the force field is laid over {topology.n_molecules} molecule(s) with the atoms "
                f"{' '.join(map(symbol, own))}, not {len(molecules)} with {' '.join(map(symbol, species))}"
            )
        return self.assignment.model, topology

    @property
    def heeded(self) -> frozenset[str]:
        """Nothing: charges of atoms are those of the assignment."""
        return frozenset()

    def restored(self) -> "LayAssignment":
        """Return it with arrays of JAX."""
        mine = self.assignment
        return LayAssignment(replace(mine, model=unpacked(mine.model), topology=unpacked(mine.topology)))

    def __reduce__(self) -> tuple[type["LayAssignment"], tuple[Assignment]]:
        """Travel with arrays of NumPy."""
        mine = self.assignment
        return LayAssignment, (replace(mine, model=packed(mine.model), topology=packed(mine.topology)),)


@dataclass(frozen=True, eq=False)
class LayModel(AbstractLay):
    """Lays a model that needs no bonds over molecules."""

    model: AbstractModel

    def __call__(self, molecules: list[Molecule]) -> tuple[AbstractModel, Topology]:
        """Return model and topology.

        Raises InputError for elements that the model does not know and, where it depends on them, for charge and
        multiplicity that contradict each other.
        """
        for molecule in molecules:
            _require_accepted(self.model, molecule)
        states = replace(
            union([m.species for m in molecules]),
            charge=np.array([m.charge for m in molecules]),
            unpaired=np.array([m.multiplicity - 1 for m in molecules]),
        )
        return self.model, states

    @property
    def heeded(self) -> frozenset[str]:
        """What the model says."""
        return self.model.traits.heeded

    def restored(self) -> "LayModel":
        """Return it with arrays of JAX."""
        return LayModel(unpacked(self.model))

    def __reduce__(self) -> tuple[type["LayModel"], tuple[AbstractModel]]:
        """Travel with arrays of NumPy."""
        return LayModel, (packed(self.model),)


def lay_model(model: AbstractModel) -> LayModel:
    """Return what lays a model that needs no bonds over molecules. Raises InputError for one that does."""
    if model.traits.laid:
        raise InputError(
            f"a {type(model).__name__} knows no bonds; give the assignment that it belongs to, or its file"
        )
    return LayModel(model)


def _require_accepted(model: AbstractModel, molecule: Molecule) -> None:
    """Raise InputError where a model has no answer for a molecule."""
    name = molecule.source or molecule.name
    require_known(model, molecule.species, name)
    if not model.traits.heeded:
        return
    if problem := electron_problem(molecule.species, molecule.charge, molecule.multiplicity):
        raise InputError(f"{name}: {problem}")


def _in_folder(folder: Path) -> Path:
    """Return the force field that a fit has written. Raises InputError."""
    found = [folder / name for name in _NAMES_IN_FOLDER if (folder / name).is_file()]
    if not found:
        raise InputError(f"{folder}: holds none of {', '.join(_NAMES_IN_FOLDER)}; has the fit ended?")
    return found[0]


@dataclass(frozen=True)
class Typing:
    """Gives molecules the types of a file: those they have, or those that its legend explains."""

    path: Path
    meanings: dict[str, str]
    """The name of what each type stands for."""

    def __call__(self, molecule: Molecule) -> Molecule:
        """Return the molecule with types. Raises InputError where it has none and the file explains none."""
        names = set(self.meanings.values())
        if molecule.types is not None and (not names or names.issuperset(molecule.types)):
            return molecule
        if not names:
            raise InputError(
                f"{molecule.source or molecule.name}: {self.path} goes by atom types, which the molecule does not "
                "have; give a structure that has them (.mae, .mol2)"
            )
        return _by_environment(molecule, self.meanings, self.path)


def _typing(path: Path) -> Typing:
    legend = _LEGENDS[path.suffix.lower()]
    return Typing(path, {found["meaning"]: found["name"] for found in legend.finditer(read_text(path))})


def _by_environment(molecule: Molecule, meanings: dict[str, str], path: Path) -> Molecule:
    """Return a molecule with the types whose meaning is the surroundings of its atoms. Raises InputError."""
    unknown: list[str] = []
    for bonded in _connected(molecule):
        for depth in range(_DEEPEST, -1, -1):
            described = environments(bonded, depth)
            missing = sorted({d for d in described if d not in meanings})
            if not missing:
                # A generated .fld is for neutral molecules, and its bond moments say all of their charges.
                formal = None if path.suffix.lower() == ".fld" else bonded.formal_charges
                return replace(bonded, types=tuple(meanings[d] for d in described), formal_charges=formal)
            if not unknown or len(missing) < len(unknown):
                unknown = missing
    raise InputError(
        f"{molecule.source or molecule.name}: {path} has no types for atoms such as {', '.join(unknown)}; it has those "
        f"of {', '.join(sorted(meanings))}"
    )


def _connected(molecule: Molecule) -> Iterator[Molecule]:
    """Yield a molecule with its bonds or, where it has none, with those perceived, without and with partial ones."""
    if len(molecule.bonds):
        yield molecule
        return
    for perceive in (perceive_bonds, perceive_transition_state_bonds):
        bonds, orders = perceive(molecule.species, molecule.positions)
        yield replace(molecule, bonds=bonds, orders=orders)
