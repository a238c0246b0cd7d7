"""The noun: a force field that is not yet laid over molecules."""

import abc
from dataclasses import dataclass, replace

import numpy as np

from forgefield.assign.assignment import Assignment
from forgefield.errors import InputError
from forgefield.models.model import AbstractModel, require_known
from forgefield.models.portable import packed, unpacked
from forgefield.models.summed import Summed
from forgefield.molecules.electrons import electron_problem
from forgefield.molecules.molecule import Molecule, symbol
from forgefield.molecules.topology import Topology, union


class AbstractRules(abc.ABC):
    """A force field that is not yet laid over molecules: laying it gives a model and the topology it acts on.

    It holds all of its force field, so that it can be pickled and does not see a file change. What has been pickled is
    `restored` before it is laid: unpickling alone uses no JAX.
    """

    @abc.abstractmethod
    def lay(self, molecules: list[Molecule]) -> tuple[AbstractModel, Topology]:
        """Return model and topology. Raises InputError, or MissingParameters."""

    @property
    @abc.abstractmethod
    def heeded(self) -> frozenset[str]:
        """Which of a molecule's "charge" and "multiplicity" the energy depends on."""

    @abc.abstractmethod
    def restored(self) -> "AbstractRules":
        """Return it with arrays as JAX has them, after it was unpickled."""


class AbstractRowRules(AbstractRules):
    """A classical force field: its values stand in rows, and laying it also says what each row means."""

    @abc.abstractmethod
    def assign(self, molecules: list[Molecule]) -> Assignment:
        """Return model, topology and rows. Raises InputError, or MissingParameters."""


@dataclass(frozen=True, eq=False, repr=False)
class ExplicitRules(AbstractRowRules):
    """One set of parameters for the molecules that it was laid over, atom by atom, and for no others."""

    assignment: Assignment

    def assign(self, molecules: list[Molecule]) -> Assignment:
        """Return the assignment. Raises InputError for other molecules."""
        species = np.concatenate([m.species for m in molecules])
        topology = self.assignment.topology
        own = np.asarray(topology.species)
        if topology.n_molecules != len(molecules) or not np.array_equal(own, species):
            raise InputError(
                f"the force field is laid over {topology.n_molecules} molecule(s) with the atoms "
                f"{' '.join(map(symbol, own))}, not {len(molecules)} with {' '.join(map(symbol, species))}"
            )
        return self.assignment

    def lay(self, molecules: list[Molecule]) -> tuple[AbstractModel, Topology]:
        """Return model and topology. Raises InputError."""
        return self.assign(molecules).laid

    @property
    def heeded(self) -> frozenset[str]:
        """Nothing: charges of atoms are those of the assignment."""
        return frozenset()

    def __repr__(self) -> str:
        return f"ExplicitRules({self.assignment!r})"

    def restored(self) -> "ExplicitRules":
        """Return it with arrays of JAX."""
        mine = self.assignment
        return ExplicitRules(replace(mine, model=unpacked(mine.model), topology=unpacked(mine.topology)))

    def __reduce__(self) -> tuple[type["ExplicitRules"], tuple[Assignment]]:
        """Travel with arrays of NumPy."""
        mine = self.assignment
        return ExplicitRules, (replace(mine, model=packed(mine.model), topology=packed(mine.topology)),)


@dataclass(frozen=True, eq=False, repr=False)
class ModelRules(AbstractRules):
    """A model that needs no bonds, such as a neural one."""

    model: AbstractModel

    def lay(self, molecules: list[Molecule]) -> tuple[AbstractModel, Topology]:
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

    def __repr__(self) -> str:
        return f"ModelRules(a {type(self.model).__name__})"

    def restored(self) -> "ModelRules":
        """Return it with arrays of JAX."""
        return ModelRules(unpacked(self.model))

    def __reduce__(self) -> tuple[type["ModelRules"], tuple[AbstractModel]]:
        """Travel with arrays of NumPy."""
        return ModelRules, (packed(self.model),)


@dataclass(frozen=True, eq=False, repr=False)
class SummedRules(AbstractRules):
    """A classical force field, and a model that needs no bonds and corrects it."""

    baseline: AbstractRowRules
    correction: ModelRules

    def lay(self, molecules: list[Molecule]) -> tuple[AbstractModel, Topology]:
        """Return model and topology. Raises InputError, or MissingParameters."""
        laid = self.baseline.assign(molecules)
        model, states = self.correction.lay(molecules)
        topology = replace(laid.topology, charge=states.charge, unpaired=states.unpaired)
        return Summed(laid.model, model), topology

    @property
    def heeded(self) -> frozenset[str]:
        """What either of both heeds."""
        return self.baseline.heeded | self.correction.heeded

    def __repr__(self) -> str:
        return f"SummedRules({self.baseline!r}, {self.correction!r})"

    def restored(self) -> "SummedRules":
        """Return it with arrays of JAX."""
        baseline = self.baseline.restored()
        assert isinstance(baseline, AbstractRowRules)
        return SummedRules(baseline, self.correction.restored())


def rules_of(force_field: AbstractRules | Assignment | AbstractModel) -> AbstractRules:
    """Return the rules that a force field at hand is, or stands for.

    Raises InputError for a model that must be told what is bonded.
    """
    if isinstance(force_field, AbstractRules):
        return force_field
    if isinstance(force_field, Assignment):
        return ExplicitRules(force_field)
    if not isinstance(force_field, AbstractModel):
        raise InputError(
            "a force field is a file, the folder of a fit, the rules, the assignment or the model that it holds, not "
            f"{type(force_field).__name__}"
        )
    if force_field.traits.laid:
        raise InputError(
            f"a {type(force_field).__name__} knows no bonds; give the assignment that it belongs to, or its file"
        )
    return ModelRules(force_field)


def _require_accepted(model: AbstractModel, molecule: Molecule) -> None:
    """Raise InputError where a model has no answer for a molecule."""
    name = molecule.source or molecule.name
    require_known(model, molecule.species, name)
    if not model.traits.heeded:
        return
    if problem := electron_problem(molecule.species, molecule.charge, molecule.multiplicity):
        raise InputError(f"{name}: {problem}")
